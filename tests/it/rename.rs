//! `tenant rename`: everything about the tenant has the new name afterwards, or nothing; what holds the old name in its
//! text is found, wherever it is.

use insta::assert_snapshot;

use crate::support::{Project, Running, Session};

/// What a rename moves: registry, version rows, schemas.
fn names(project: &Project) -> String {
    project.db.value(
        "SELECT concat_ws(' / ', (SELECT string_agg(concat_ws(' ', slug, schema_name, name), ', ' ORDER BY slug)
             FROM datalinx_platform.organizations),
            (SELECT string_agg(schema_name, ', ' ORDER BY schema_name) FROM datalinx_platform.tenant_version),
            (SELECT string_agg(nspname, ', ' ORDER BY nspname) FROM pg_namespace WHERE nspname LIKE 'org%'))",
    )
}

#[test]
fn sessions_that_still_use_the_schema_are_named() {
    let project = Project::with_tenants(&["acme", "other"]);
    let hold = |schema: &str| {
        let sql = format!("SET application_name = 'reports'; SELECT count(*) FROM {schema}.workspaces");
        Session::holding(&project.db, &sql)
    };
    let (reader, elsewhere) = (hold("org_acme"), hold("org_other"));
    let renamed = project.run("tenant rename acme globex").ok().stdout;
    let lines: Vec<_> = renamed.lines().skip(1).collect();
    assert_eq!(lines[0], "1 session still used the schema, which is org_globex now:", "{renamed}");
    assert!(lines[1].starts_with("  process ") && lines[1].ends_with(" of reports"), "{renamed}");
    let (_, dropped) = project.json("tenant drop globex --confirm globex");
    assert_eq!(dropped["in_use"].as_array().map(Vec::len), Some(1), "{dropped}");
    assert_eq!(dropped["in_use"][0]["application"], "reports", "{dropped}");
    reader.release();
    elsewhere.release();
    assert!(project.json("tenant rename other third").1.get("in_use").is_none());
}

#[test]
fn everything_has_the_new_name_and_is_otherwise_the_same() {
    let project = Project::with_tenants(&["acme", "other"]);
    let before = project.db.dump_of("org_acme");
    assert_snapshot!(project.run_words(["tenant", "rename", "acme", "globex", "--name", "Globex's"]), @"
    exit code: 0
    ----- stdout -----
    done: globex is active  org_globex

    ----- stderr -----
    ");
    assert_eq!(
        names(&project),
        "globex org_globex Globex's, other org_other other / org_globex, org_other / org_globex, org_other"
    );
    assert!(project.db.dump_of("org_globex") == before);
    let (code, nothing) = project.json("tenant rename globex globex");
    assert_eq!((code, &nothing["outcome"]), (0, &"nothing".into()));
    let (code, only_name) = project.json("tenant rename globex globex --name Globex");
    assert_eq!((code, &only_name["tenant"]["name"]), (0, &"Globex".into()));
    project.expect_error("tenant rename acme acme2", "tenant-unknown");
    // It goes on as any other tenant.
    project.migration("1.0.4", "1.0.5", "more", "ALTER TABLE workspaces ADD COLUMN more int;");
    assert!(project.run("migrate up").ok().stdout.contains("2 migrated"));
    let runs = "SELECT concat_ws(' ', command, outcome, counts->>'slug', counts->>'to') FROM datalinx_platform.run \
                WHERE command = 'tenure tenant rename' ORDER BY started_at LIMIT 1";
    assert_eq!(project.db.value(runs), "tenure tenant rename done acme globex");
    assert_eq!(
        project.history().lines().filter(|line| line.ends_with("rename")).collect::<Vec<_>>(),
        ["org_globex 1.0.4 -> 1.0.4 rename"]
    );
}

#[test]
fn a_name_that_is_taken_or_reserved_is_refused() {
    let project = Project::with_tenants(&["acme", "other"]);
    project.db.run("CREATE SCHEMA org_stray");
    let before = project.db.dump(&["--schema-only"]);
    for (new, code) in [
        ("other", "tenant-exists"),
        ("stray", "tenant-exists"),
        ("public", "schema-name-reserved"),
        ("pg_x", "schema-name-reserved"),
        ("Acme", "slug-invalid"),
        (&"a".repeat(60), "schema-name-too-long"),
    ] {
        let (exit, refused) = project.json(&format!("tenant rename acme {new}"));
        assert_eq!((exit, refused["error"]["code"].as_str()), (1, Some(code)), "{new}");
    }
    assert!(project.db.dump(&["--schema-only"]) == before);
    assert!(names(&project).starts_with("acme org_acme acme, other org_other other / "));
}

#[test]
fn rename_refuses_texts_that_contain_the_old_name() {
    let project = Project::with_tenants(&["acme", "acme_2"]);
    // A name that only has the old one in it, and what is stored as a reference, are no hindrance.
    project.db.run(
        "CREATE INDEX org_acme_idx ON org_acme.workspaces (name);
         CREATE TABLE org_acme_2.log (line text DEFAULT 'org_acme_2');
         CREATE VIEW org_acme.names AS SELECT name FROM org_acme.workspaces;
         CREATE TABLE public.follows (id int DEFAULT length('org_acme_3'), t org_acme.workspaces);
         CREATE VIEW public.seen AS SELECT name FROM org_acme.workspaces",
    );
    let _renamed = project.run("tenant rename acme free").ok();
    let _back = project.run("tenant rename free acme").ok();
    project.db.run(
        "CREATE FUNCTION org_acme.plain() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM org_acme.workspaces';
         CREATE FUNCTION org_acme.parsed() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM org_acme.workspaces; END;
         CREATE FUNCTION org_acme.set() RETURNS int LANGUAGE sql SET search_path = org_acme AS 'SELECT 1';
         CREATE TABLE org_acme.texts (a text DEFAULT 'org_acme.x', CHECK (a <> 'org_acme'));
         COMMENT ON TABLE org_acme.texts IS 'of org_acme';
         CREATE POLICY p ON org_acme.texts USING (a = 'org_acme');
         CREATE VIEW org_acme.shown AS SELECT 'org_acme'::text AS a;
         CREATE FUNCTION public.reads(a text DEFAULT 'org_acme') RETURNS bigint LANGUAGE plpgsql AS
             'BEGIN RETURN (SELECT count(*) FROM \"org_acme\".workspaces); END';
         CREATE FUNCTION public.has() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT 'org_acme'::text; END;
         CREATE FUNCTION public.path() RETURNS int LANGUAGE sql SET search_path = org_acme, public AS 'SELECT 1';
         CREATE TABLE public.noted (a text DEFAULT 'org_acme', CHECK (a <> 'org_acme'));
         CREATE INDEX ON public.noted ((a || 'org_acme'));
         CREATE VIEW public.noted_too AS SELECT 'org_acme.workspaces'::text AS a;",
    );
    let role = format!("worker_{}", project.db.name);
    project.db.run(&format!(
        "CREATE ROLE {role}; ALTER ROLE {role} IN DATABASE {} SET search_path = org_acme",
        project.db.name
    ));
    let before = project.db.dump(&["--schema-only"]);
    let (code, refused) = project.json("tenant rename acme globex");
    assert_eq!((code, refused["error"]["code"].as_str()), (1, Some("name-in-text")));
    let message = refused["error"]["message"].as_str().unwrap().replace(&role, "ROLE");
    assert_snapshot!(message.replace(", ", ",\n"), @"
    these texts contain the name org_acme and do not follow a rename: function plain(): body,
    function public.has(): body,
    function public.path(): options,
    function public.reads(text): arguments,
    function public.reads(text): body,
    role ROLE: settings,
    table public.noted: constraint noted_a_check,
    table public.noted: default of a,
    table public.noted: index public.noted_expr_idx,
    table texts: comment,
    table texts: default of column a,
    table texts: definition of constraint texts_a_check,
    table texts: using of policy p,
    view public.noted_too: definition,
    view shown: definition
    ");
    project.db.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    assert!(project.db.dump(&["--schema-only"]) == before);
    assert_eq!(project.run("tenant list").ok().stdout.lines().count(), 3);
}

#[test]
fn it_waits_for_a_unit_that_runs_and_works_behind_it() {
    let project = Project::with_tenants(&["acme"]);
    project.next_migration("ALTER TABLE workspaces ADD COLUMN more int;");
    let holder = Session::holding(&project.db, "LOCK TABLE org_acme.workspaces");
    let unit = project.start("migrate up --lock-timeout 0s");
    project.db.wait_for_waiting(1);
    let rename = project.start("tenant rename acme globex --format json");
    project.db.wait_for_waiting(2);
    holder.release();
    let _unit = unit.end().ok();
    let renamed: serde_json::Value = serde_json::from_str(&rename.end().ok().stdout).unwrap();
    assert_eq!(
        (&renamed["tenant"]["version"], &renamed["tenant"]["schema"]),
        (&"1.0.5".into(), &"org_globex".into())
    );
    assert_eq!(project.versions(), "platform 1.0.5, globex 1.0.5");
}

#[test]
fn of_two_renames_at_once_one_fails() {
    let project = Project::with_tenants(&["acme"]);
    let holder = Session::holding(&project.db, "SELECT FROM datalinx_platform.tenant_version FOR UPDATE");
    let running = [project.start("tenant rename acme one"), project.start("tenant rename acme two")];
    // The other one asks again and again, since a unit that is alone might wait for who waits.
    project.db.wait_for_waiting(1);
    holder.release();
    let mut outputs = running.map(Running::end);
    outputs.sort_by_key(|output| output.code);
    assert_eq!((outputs[0].code, outputs[1].code), (0, 1));
    assert!(outputs[1].stderr.contains("error[tenant-unknown]"), "{}", outputs[1]);
    assert_eq!(project.run("tenant list").ok().stdout.lines().count(), 2);
}

#[test]
fn a_run_that_meets_a_renamed_or_a_dropped_tenant_goes_on() {
    let project = Project::with_tenants(&["a", "b", "c", "d"]);
    project.migration("1.0.4", "1.0.5", "more", "ALTER TABLE workspaces ADD COLUMN more int;");
    project.migration("1.0.5", "1.0.6", "plans", "CREATE TABLE datalinx_platform.plans (id int);");
    let holder = Session::holding(&project.db, "LOCK TABLE org_a.workspaces");
    let run = project.start("migrate up --jobs 1 --lock-timeout 0s --events events --format json");
    project.db.wait_for_waiting(1);
    // The page is read: one gets a name behind the others, one a name before them, one is dropped.
    let _behind = project.run("tenant rename b z").ok();
    let _before = project.run("tenant rename c aa").ok();
    let _dropped = project.run("tenant drop d --confirm d").ok();
    holder.release();
    let output = run.end().ok();
    let migrated: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!((&migrated["outcome"], &migrated["tenants"]["failed"]), (&"done".into(), &0.into()));
    let versions = project.versions();
    assert!(versions.starts_with("platform 1.0.6, dropped_"), "{versions}");
    assert!(versions.ends_with(" 1.0.4, a 1.0.6, aa 1.0.6, z 1.0.6"), "{versions}");
    assert_eq!(project.repeated_units(), [""; 0]);
    let events = std::fs::read_to_string(project.dir.path().join("events")).unwrap();
    let gone: Vec<_> = events
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .inspect(crate::support::check_event)
        .filter(|event| event["event"] == "tenant-gone")
        .map(|event| format!("{} {}", event["schema"], event["now"]))
        .collect();
    assert_eq!(gone, [r#""org_b" "org_z""#, r#""org_c" "org_aa""#, r#""org_d" null"#]);
}

#[test]
fn a_tenant_that_is_there_again_behind_a_run_is_not_left_behind() {
    let project = Project::with_tenants(&["a", "b"]);
    // The platform's part comes first, so at the end nothing waits for the tenants.
    project.migration(
        "1.0.4",
        "1.0.5",
        "both",
        "CREATE TABLE datalinx_platform.plans (id int);\nALTER TABLE workspaces ADD COLUMN more int;",
    );
    let _dropped = project.run("tenant drop a --confirm a").ok();
    let holder = Session::holding(&project.db, "LOCK TABLE org_b.workspaces");
    let run = project.start("migrate up --lock-timeout 0s");
    project.db.wait_for_waiting(1);
    let _back = project.run("tenant undrop a").ok();
    holder.release();
    let _migrated = run.end().ok();
    assert_eq!(project.versions(), "platform 1.0.5, a 1.0.5, b 1.0.5");
}

#[test]
fn it_waits_for_a_unit_that_runs_without_a_transaction() {
    let project = Project::with_tenants(&["acme"]);
    project.migration("1.0.4", "1.0.5", "index", "CREATE INDEX CONCURRENTLY names ON workspaces (name);");
    let holder = Session::holding(&project.db, "INSERT INTO org_acme.workspaces (name) VALUES ('held')");
    let unit = project.start("migrate up");
    project.db.wait_for_waiting(1);
    let rename = project.start("tenant rename acme globex");
    let turned_away =
        "SELECT count(*)::text FROM datalinx_platform.run WHERE command LIKE '%rename' AND outcome IS NULL";
    crate::support::wait_until("the rename to begin", || project.db.value(turned_away) == "1");
    holder.release();
    let _unit = unit.end().ok();
    let _renamed = rename.end().ok();
    assert_eq!(project.versions(), "platform 1.0.5, globex 1.0.5");
    assert_eq!(
        project
            .db
            .value("SELECT indisvalid::text FROM pg_index WHERE indexrelid = 'org_globex.names'::regclass"),
        "true"
    );
}

#[test]
fn slug_and_schema_come_together_again() {
    let project = Project::with_tenants(&["acme", "other"]);
    // Another prefix than when it was made.
    project.file("tenure.toml", "[tenants]\nschema_prefix = \"t_\"\n");
    let (code, renamed) = project.json("tenant rename acme acme");
    assert_eq!((code, &renamed["tenant"]["schema"]), (0, &"t_acme".into()), "{renamed}");
    assert_eq!(project.json("tenant rename acme acme").1["outcome"], "nothing");
    // A slug that somebody changed by hand.
    project.db.run("UPDATE datalinx_platform.organizations SET slug = 'wrong' WHERE slug = 'acme'");
    let (code, renamed) = project.json("tenant rename wrong acme");
    assert_eq!((code, &renamed["outcome"], &renamed["tenant"]["slug"]), (0, &"done".into(), &"acme".into()));
    assert_eq!(project.json("tenant show acme").1["schema"], "t_acme");
    // Not where another one has it.
    project.db.run(
        "UPDATE datalinx_platform.organizations SET slug = 'wrong' WHERE slug = 'acme'; \
                    UPDATE datalinx_platform.organizations SET slug = 'acme' WHERE slug = 'other'; \
                    ALTER TABLE datalinx_platform.organizations DROP CONSTRAINT organizations_slug_key",
    );
    project.expect_error("tenant rename wrong acme", "tenant-exists");
}

#[test]
fn a_name_that_another_session_takes_meanwhile_is_a_taken_name() {
    let project = Project::with_tenants(&["acme"]);
    for (line, schema) in
        [("tenant rename acme globex", "org_globex"), ("tenant create initech", "org_initech")]
    {
        let mut other = Session::open(&project.db.url);
        other.run(&format!("BEGIN; CREATE SCHEMA {schema}"));
        let late = project.start(&format!("{line} --format json"));
        let waits = "SELECT count(*)::text FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
        crate::support::wait_until(line, || project.db.value(waits) == "1");
        other.run("COMMIT");
        let output = late.end();
        assert!(output.code == 1 && output.stdout.contains("\"tenant-exists\""), "{output}");
    }
}
