//! `tenant drop` and `undrop`: put aside whole and brought back whole, the slug free meanwhile; asked for by its name.

use insta::assert_snapshot;

use crate::support::{Project, Session};

/// The output, without today's date.
fn dateless(text: &str) -> String {
    regex::Regex::new(r"dropped_\d{8}_").unwrap().replace_all(text, "dropped_DATE_").into_owned()
}

/// `slug schema status`, one line a tenant, those that were dropped too.
fn life(project: &Project) -> String {
    let rows = project.db.column(
        "SELECT concat_ws(' ', slug, t.schema_name, t.status, former_slug) FROM datalinx_platform.tenant_version t \
         JOIN datalinx_platform.organizations USING (schema_name) ORDER BY 1",
    );
    dateless(&rows.join("\n"))
}

#[test]
fn a_dropped_tenant_is_put_aside_and_comes_back_as_it_was() {
    let project = Project::with_tenants(&["acme", "other"]);
    project.db.run("INSERT INTO org_acme.workspaces (name) VALUES ('kept')");
    let before = project.db.dump_of("org_acme");
    let dropped = project.run("tenant drop acme --confirm acme").ok();
    assert_snapshot!(dateless(&dropped.to_string()), @"
    exit code: 0
    ----- stdout -----
    dropped: acme  dropped_DATE_org_acme
    restore it with `tenure tenant undrop acme`

    ----- stderr -----
    ");
    assert_snapshot!(life(&project), @"
    dropped_DATE_org_acme dropped_DATE_org_acme dropped acme
    other org_other active
    ");
    assert_eq!(project.run("tenant list").ok().stdout.lines().count(), 2);
    let (_, status) = project.json("status");
    assert_eq!((&status["tenants"]["total"], &status["tenants"]["unknown"]), (&1.into(), &0.into()));
    // Nobody moves it, and the slug is free.
    project.migration("1.0.4", "1.0.5", "more", "ALTER TABLE workspaces ADD COLUMN more int;");
    assert!(project.run("migrate up").ok().stdout.contains("1 tenant, 1 migrated"));
    project.create(&["acme"]);
    project.expect_error("tenant undrop acme", "tenant-exists");
    let (code, back) = project.json("tenant undrop acme --as acme_old");
    assert_eq!((code, &back["tenant"]["schema"]), (0, &"org_acme_old".into()));
    assert_eq!((&back["tenant"]["version"], &back["tenant"]["status"]), (&"1.0.4".into(), &"active".into()));
    assert!(project.db.dump_of("org_acme_old") == before);
    assert!(project.run("migrate up").ok().stdout.contains("3 tenants, 1 migrated"));
    assert_snapshot!(life(&project), @"
    acme org_acme active
    acme_old org_acme_old active
    other org_other active
    ");
    project.expect_error("tenant undrop acme", "tenant-unknown");
}

#[test]
fn drop_needs_the_slug_as_confirmation() {
    let project = Project::with_tenants(&["acme", "other"]);
    let before = life(&project);
    for (line, code, word) in [
        ("tenant drop acme", 2, "confirmation-required"),
        ("tenant drop acme --yes", 2, "confirmation-required"),
        ("tenant drop acme --confirm other", 2, "usage"),
        ("tenant drop acme --confirm ACME --yes", 2, "usage"),
        ("tenant drop ghost --confirm ghost", 1, "tenant-unknown"),
    ] {
        let (exit, refused) = project.json(line);
        assert_eq!((exit, refused["error"]["code"].as_str()), (code, Some(word)), "{line}");
    }
    assert_eq!(life(&project), before);
    // A database that nobody migrated yet has nothing to bring back.
    let (code, none) = Project::seeds().json("tenant undrop acme");
    assert_eq!((code, &none["error"]["code"]), (1, &"tenant-unknown".into()));
}

#[test]
fn a_suspended_tenant_comes_back_suspended() {
    let project = Project::with_tenants(&["acme"]);
    project.db.run("ALTER TABLE datalinx_platform.organizations ADD COLUMN status text DEFAULT 'active'");
    project.file("tenure.toml", "[tenants.columns]\nstatus = \"status\"\n");
    let status = || project.db.value("SELECT status FROM datalinx_platform.organizations");
    let _suspended = project.run("tenant suspend acme").ok();
    let _dropped = project.run("tenant drop acme --confirm acme").ok();
    assert_eq!(status(), "dropped");
    let (_, back) = project.json("tenant undrop acme");
    assert_eq!((&back["tenant"]["status"], status().as_str()), (&"suspended".into(), "suspended"));
}

#[test]
fn names_that_are_cut_or_taken_stay_apart() {
    let project = Project::with_tenants(&[]);
    let long = "l".repeat(58);
    let slugs = [format!("{long}a"), format!("{long}b")];
    project.create(&[&slugs[0], &slugs[1], "acme"]);
    for slug in [&slugs[0], &slugs[1], "acme"] {
        let _dropped = project.run(&format!("tenant drop {slug} --confirm {slug}")).ok();
    }
    project.create(&["acme"]);
    let _dropped = project.run("tenant drop acme --confirm acme").ok();
    let names =
        project.db.column("SELECT schema_name FROM datalinx_platform.tenant_version ORDER BY dropped_at");
    assert_snapshot!(dateless(&names.join("\n")), @"
    dropped_DATE_org_llllllllllllllllllllllllllllllllllllllllll
    dropped_DATE_org_llllllllllllllllllllllllllllllllllllllll_2
    dropped_DATE_org_acme
    dropped_DATE_org_acme_2
    ");
    assert_eq!(names[0].len(), 63);
    // The newest of those that had the slug.
    let (_, back) = project.json("tenant undrop acme");
    assert_eq!(back["outcome"], "done");
    let left =
        project.db.column("SELECT schema_name FROM datalinx_platform.tenant_version ORDER BY dropped_at");
    assert!(left.contains(&names[2]) && !left.contains(&names[3]), "{left:?}");
    // One that is not the newest is named by what it is called now.
    let (_, back) = project.json(&format!("tenant undrop {} --as acme_first", names[2]));
    assert_eq!(back["tenant"]["slug"], "acme_first");
}

#[test]
fn drop_names_objects_that_depend_on_the_tenant() {
    let project = Project::with_tenants(&["acme"]);
    project.db.run(
        "CREATE VIEW public.seen AS SELECT name FROM org_acme.workspaces;
         CREATE TABLE public.more (id uuid REFERENCES org_acme.workspaces (id));
         CREATE FUNCTION public.counted() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM org_acme.workspaces; END;
         CREATE SEQUENCE org_acme.numbers; CREATE TYPE org_acme.mood AS ENUM ('good');
         CREATE TABLE public.numbered (id int DEFAULT nextval('org_acme.numbers'), mood org_acme.mood);
         CREATE VIEW org_acme.own AS SELECT name FROM org_acme.workspaces;",
    );
    let (code, dropped) = project.json("tenant drop acme --confirm acme");
    assert_eq!(
        (code, &dropped["former_slug"], &dropped["former_schema"]),
        (0, &"acme".into(), &"org_acme".into())
    );
    let said: Vec<_> =
        dropped["dependents"].as_array().unwrap().iter().filter_map(|said| said.as_str()).collect();
    assert_snapshot!(dateless(&said.join("\n")), @"
    default value for public.numbered.id
    function public.counted()
    table column public.numbered.mood
    table constraint more_id_fkey on public.more
    view public.seen
    ");
}

#[test]
fn a_crash_half_way_leaves_it_as_it_was() {
    let project = Project::with_tenants(&["acme"]);
    let before = life(&project);
    let holder = Session::holding(&project.db, "SELECT FROM datalinx_platform.organizations FOR UPDATE");
    let drop = project.start("tenant drop acme --confirm acme --lock-timeout 0s");
    let waiting = project.db.wait_for_waiting(1);
    project.db.run(&format!("SELECT pg_terminate_backend({})::text", waiting[0]));
    let killed = drop.end();
    assert!(killed.code == 1 || killed.code == 3, "{killed}");
    holder.release();
    assert_eq!(life(&project), before);
    let holder = Session::holding(&project.db, "SELECT FROM datalinx_platform.organizations FOR UPDATE");
    let refused = project.run("tenant drop acme --confirm acme --lock-timeout 50ms");
    assert!(refused.code == 1 && refused.stderr.contains("55P03"), "{refused}");
    holder.release();
    assert_eq!(life(&project), before);
}

#[test]
fn texts_that_hold_the_old_name_hinder_only_another_name() {
    let project = Project::with_tenants(&["acme"]);
    project.db.run(
        "CREATE FUNCTION org_acme.counted() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM org_acme.workspaces'",
    );
    let _dropped = project.run("tenant drop acme --confirm acme").ok();
    let refused = project.expect_error("tenant undrop acme --as globex", "name-in-text");
    assert!(refused["error"]["message"].as_str().unwrap().ends_with(": function counted(): body"));
    let _back = project.run("tenant undrop acme").ok();
    assert_eq!(project.db.value("SELECT org_acme.counted()::text"), "0");
}

#[test]
fn the_history_of_a_tenant_includes_its_former_names() {
    let project = Project::with_tenants(&["acme"]);
    let history = |slug: &str| -> String {
        let (_, shown) = project.json(&format!("tenant show {slug}"));
        let line = |row: &serde_json::Value| {
            format!(
                "{} {} {}",
                row["schema"].as_str().unwrap(),
                row["to"].as_str().unwrap(),
                row["kind"].as_str().unwrap()
            )
        };
        dateless(&shown["history"].as_array().unwrap().iter().map(line).collect::<Vec<_>>().join("\n"))
    };
    let _dropped = project.run("tenant drop acme --confirm acme").ok();
    project.create(&["acme"]);
    project.migration("1.0.4", "1.0.5", "more", "ALTER TABLE workspaces ADD COLUMN more int;");
    let _migrated = project.run("migrate up").ok();
    let _renamed = project.run("tenant rename acme globex").ok();
    let _back = project.run("tenant undrop acme").ok();
    let _migrated = project.run("migrate up").ok();
    assert_snapshot!(history("acme"), @"
    org_acme 1.0.0 template
    org_acme 1.0.3 migrate
    dropped_DATE_org_acme 1.0.4 drop
    org_acme 1.0.4 undrop
    org_acme 1.0.5 migrate
    ");
    assert_snapshot!(history("globex"), @"
    org_acme 1.0.0 template
    org_acme 1.0.3 migrate
    org_acme 1.0.5 migrate
    org_globex 1.0.5 rename
    ");
    assert_eq!(
        project.run("migrate history --tenant globex").ok().stdout.lines().count(),
        1 + history("globex").lines().count()
    );
}

#[test]
fn two_whose_names_are_cut_to_one_are_put_aside_at_once() {
    let project = Project::with_tenants(&[]);
    let stem = "l".repeat(60);
    for (slug, ending) in [("one", "aaa"), ("two", "bbb")] {
        project.db.run(&format!("CREATE SCHEMA {stem}{ending}"));
        project.run(&format!("tenant adopt {stem}{ending} --slug {slug} --version 1.0.4 --force")).passes();
    }
    let holder = Session::holding(
        &project.db,
        "SELECT FROM datalinx_platform.organizations WHERE slug = 'one' FOR UPDATE",
    );
    let first = project.start("tenant drop one --confirm one");
    project.db.wait_for_waiting(1);
    let second = project.start("tenant drop two --confirm two");
    project.db.wait_for_waiting(2);
    holder.release();
    for run in [first, second] {
        let ended = run.end();
        assert_eq!(ended.code, 0, "{ended}");
    }
    assert_eq!(
        project
            .db
            .value("SELECT count(DISTINCT nspname)::text FROM pg_namespace WHERE nspname ~ '^dropped_'"),
        "2"
    );
}
