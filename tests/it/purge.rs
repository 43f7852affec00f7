//! `tenant drop --purge`: what was dropped long enough ago is deleted for good, in portions; not while something
//! refers to it; and once more where it was broken off.

use insta::assert_snapshot;

use crate::support::{Project, Session, Wire, wait_until};

/// A project with one dropped tenant, whose schema holds what `sql` makes in it.
fn with_dropped(sql: &str) -> Project {
    let project = Project::with_tenants(&["acme", "other"]);
    project.db.run(&format!("SET search_path = org_acme, public; {sql}"));
    let _dropped = project.run("tenant drop acme --confirm acme").ok();
    project
}

/// What is left of it: schemas, rows of the registry and of the versions.
fn left(project: &Project) -> String {
    project.db.value(
        "SELECT concat_ws(' ', (SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'dropped%'),
            (SELECT count(*) FROM datalinx_platform.organizations WHERE slug LIKE 'dropped%'),
            (SELECT count(*) FROM datalinx_platform.tenant_version WHERE schema_name LIKE 'dropped%'))",
    )
}

/// So many tables with keys, indexes and defaults, each with a key to the one before and one to a shared table.
fn tables(count: usize) -> String {
    format!(
        "DO $$ BEGIN FOR n IN 1..{count} LOOP EXECUTE format('CREATE TABLE t%s (id serial PRIMARY KEY, a int DEFAULT 1 \
         REFERENCES t%s, owner uuid REFERENCES datalinx_platform.users, b text UNIQUE CHECK (b <> ''''))', n, greatest(n - 1, 1)); \
         EXECUTE format('CREATE INDEX ON t%s (a)', n); END LOOP; END $$;"
    )
}

#[test]
fn only_what_is_old_enough_is_deleted_and_its_history_stays() {
    let project = with_dropped("");
    let (code, kept) = project.json("tenant drop --purge");
    assert_eq!((code, &kept["outcome"], &kept["kept"][0]["slug"]), (0, &"nothing".into(), &"acme".into()));
    project.db.run("UPDATE datalinx_platform.tenant_version SET dropped_at = now() - interval '8 days' WHERE status = 'dropped'");
    let _kept = project.run("tenant drop --purge acme --confirm acme").ok();
    assert_eq!(left(&project), "1 1 1");
    project.file("tenure.toml", "[tenants]\nretention = \"7d\"\n");
    project.expect_error("tenant drop --purge", "confirmation-required");
    assert_eq!(left(&project), "1 1 1");
    let (code, purged) = project.json("tenant drop --purge --yes");
    assert_eq!((code, &purged["outcome"], &purged["purged"][0]["slug"]), (0, &"done".into(), &"acme".into()));
    assert_eq!(left(&project), "0 0 0");
    let (code, nothing) = project.json("tenant drop --purge --yes");
    assert_eq!((code, &nothing["outcome"]), (0, &"nothing".into()));
    project.expect_error("tenant undrop acme", "tenant-unknown");
    let history = project.history();
    let kinds: Vec<_> =
        history.lines().filter(|line| line.starts_with("dropped")).map(|line| &line[17..]).collect();
    assert_eq!(kinds, ["org_acme 1.0.4 -> 1.0.4 drop", "org_acme 1.0.4 -> 1.0.4 purge"]);
    assert_eq!(project.run("tenant list").ok().stdout.lines().count(), 2);
}

#[test]
fn purge_of_one_tenant_needs_its_slug() {
    let project = with_dropped("");
    for (line, code, word) in [
        ("tenant drop --purge acme --now", 2, "confirmation-required"),
        ("tenant drop --purge acme --now --yes", 2, "confirmation-required"),
        ("tenant drop --purge acme --now --confirm other", 2, "usage"),
        ("tenant drop --purge other --now --confirm other", 1, "tenant-unknown"),
        ("tenant drop acme --now --confirm acme", 2, "usage"),
    ] {
        let (exit, refused) = project.json(line);
        assert_eq!((exit, refused["error"]["code"].as_str()), (code, Some(word)), "{line}");
    }
    assert_eq!(left(&project), "1 1 1");
    let _purged = project.run("tenant drop --purge acme --now --confirm acme").ok();
    assert_eq!(left(&project), "0 0 0");
}

#[test]
fn a_schema_of_everything_is_emptied_and_nothing_else() {
    let project = with_dropped(
        "CREATE TYPE mood AS ENUM ('good'); CREATE DOMAIN short AS text CHECK (length(value) < 9);
         CREATE TYPE pair AS (a mood, b short); CREATE TYPE span AS RANGE (subtype = float8);
         CREATE SEQUENCE numbers; CREATE COLLATION plain (locale = 'C');
         CREATE FUNCTION is_good(mood) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT true';
         CREATE FUNCTION changed() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
         CREATE TABLE parts (id int, at date, mood mood, pair pair, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
         CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2020-01-01') TO ('2021-01-01') PARTITION BY HASH (id);
         CREATE TABLE parts_1_0 PARTITION OF parts_1 FOR VALUES WITH (MODULUS 1, REMAINDER 0);
         CREATE TABLE parts_2 PARTITION OF parts DEFAULT;
         ALTER TABLE parts ADD above int, ADD above_at date, ADD FOREIGN KEY (above, above_at) REFERENCES parts;
         CREATE TABLE points (id int, at date, FOREIGN KEY (id, at) REFERENCES parts);
         CREATE TABLE heir () INHERITS (points);
         CREATE TABLE looped (id int PRIMARY KEY, b int);
         CREATE TABLE looped_2 (id int PRIMARY KEY REFERENCES looped, short short COLLATE plain);
         ALTER TABLE looped ADD FOREIGN KEY (b) REFERENCES looped_2;
         CREATE FUNCTION counted() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM points; END;
         ALTER TABLE points ADD number int DEFAULT nextval('numbers'), ADD counted bigint DEFAULT counted(), ADD CHECK (is_good('good'));
         CREATE TRIGGER changed BEFORE UPDATE ON points FOR EACH ROW EXECUTE FUNCTION changed();
         CREATE VIEW one AS SELECT *, counted() AS c FROM points; CREATE VIEW two AS SELECT * FROM one;
         CREATE MATERIALIZED VIEW three AS SELECT * FROM two; CREATE INDEX ON three (id);
         CREATE RULE nothing AS ON DELETE TO heir DO INSTEAD INSERT INTO looped VALUES (1);
         CREATE STATISTICS stats ON id, at FROM points; ALTER TABLE points ENABLE ROW LEVEL SECURITY;
         CREATE POLICY mine ON points USING (is_good('good'));
         CREATE AGGREGATE last (int) (sfunc = int4larger, stype = int);
         CREATE FUNCTION same(mood, mood) RETURNS bool LANGUAGE sql AS 'SELECT true';
         CREATE OPERATOR === (leftarg = mood, rightarg = mood, function = same);
         CREATE TEXT SEARCH CONFIGURATION words (COPY = simple);
         CREATE PROCEDURE \"Do it\"(INOUT a int, b short DEFAULT 'x') LANGUAGE sql AS 'SELECT 1';",
    );
    let kept = |project: &Project| project.db.dump(&["--schema-only", "--exclude-schema=dropped*"]);
    let before = kept(&project);
    let purged = project.run("tenant drop --purge acme --now --confirm acme").ok();
    assert!(purged.stdout.starts_with("deleted acme  dropped_"), "{purged}");
    assert_eq!(left(&project), "0 0 0");
    assert!(kept(&project) == before);
}

#[test]
fn many_tables_go_in_portions() {
    let project = with_dropped(&tables(150));
    let (code, purged) = project.json("tenant drop --purge acme --now --confirm acme");
    let done = &purged["purged"][0];
    assert_eq!(code, 0, "{purged}");
    assert!(done["objects"].as_u64().unwrap() >= 300, "{purged}");
    assert!(done["transactions"].as_u64().unwrap() > 8, "{purged}");
    assert_eq!(left(&project), "0 0 0");
}

#[test]
fn purge_refuses_dependent_objects_before_deleting() {
    let project = with_dropped("CREATE VIEW public.seen AS SELECT name FROM workspaces");
    let before = project.db.dump(&["--schema-only"]);
    let refused = project.run("tenant drop --purge acme --now --confirm acme");
    let text = regex::Regex::new(r"dropped_\d{8}")
        .unwrap()
        .replace_all(&refused.to_string(), "dropped_DATE")
        .into_owned();
    assert_snapshot!(text, @"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    error[tenant-in-use]: deleting dropped_DATE_org_acme: others depend on what is in schema dropped_DATE_org_acme: view public.seen
     = note: SQLSTATE TN009
     = help: change or drop them first
    ");
    assert!(project.db.dump(&["--schema-only"]) == before);
    let _back = project.run("tenant undrop acme").ok();
    assert_eq!(project.db.value("SELECT count(*)::text FROM public.seen"), "0");
}

#[test]
fn rows_that_refer_to_the_registry_refuse_it_unless_its_row_stays() {
    let project = with_dropped("");
    project.db.run(
        "INSERT INTO datalinx_platform.users (organization_id, email)
             SELECT id, 'a@b' FROM datalinx_platform.organizations WHERE slug LIKE 'dropped%'",
    );
    let refused = project.expect_error("tenant drop --purge acme --now --confirm acme", "tenant-in-use");
    assert!(refused["error"]["hint"].as_str().unwrap().contains("datalinx_platform.users"), "{refused}");
    assert_eq!(left(&project), "1 1 1");
    assert_eq!(
        project.db.value("SELECT count(*)::text FROM pg_tables WHERE schemaname LIKE 'dropped%'"),
        "4"
    );
    let _purged = project.run("tenant drop --purge acme --now --confirm acme --keep-registry").ok();
    assert_eq!(left(&project), "0 1 1");
    let (_, status) = project.json("status");
    assert_eq!((&status["tenants"]["total"], &status["tenants"]["unknown"]), (&1.into(), &0.into()));
    let (code, nothing) = project.json("tenant drop --purge --now --yes");
    assert_eq!((code, &nothing["outcome"]), (0, &"nothing".into()));
}

#[test]
fn an_interrupted_purge_is_finished_by_the_next_and_not_undropped() {
    let project = with_dropped(&tables(120));
    // A table in the middle is held, so that it stops half way.
    let name =
        project.db.value("SELECT schema_name FROM datalinx_platform.tenant_version WHERE status = 'dropped'");
    let count = || -> usize {
        let tables = "SELECT count(*)::text FROM pg_tables WHERE schemaname LIKE 'dropped%'";
        project.db.value(tables).parse().unwrap()
    };
    let hold = |table: &str| {
        Session::holding(&project.db, &format!("LOCK TABLE {name}.{table} IN ACCESS SHARE MODE"))
    };
    let line = "tenant drop --purge acme --now --confirm acme --lock-timeout 0s";
    for (signal, code, table) in [("KILL", -1, "t60"), ("INT", 130, "t60")] {
        let holder = hold(table);
        let run = project.start(line);
        project.db.wait_for_waiting(1);
        run.signal(signal);
        if signal == "INT" {
            // What was begun is finished first.
            wait_until("the signal to be taken", || count() > 0);
            std::thread::sleep(std::time::Duration::from_millis(300));
        }
        holder.release();
        let ended = run.end();
        assert_eq!(ended.code, code, "{ended}");
        wait_until("the others to end", || project.db.waiting().is_empty());
        assert!(count() > 0);
        project.expect_error("tenant undrop acme", "tenant-state");
    }
    // Two at once take turns; and one whose session the server ends goes on.
    let holder = hold("t110");
    let running = [project.start(line), project.start(line)];
    let waiting = project.db.wait_for_waiting(2);
    project.db.run(&format!("SELECT pg_terminate_backend({})::text", waiting[0]));
    holder.release();
    for run in running {
        let ended = run.end();
        assert!(ended.code == 0, "{ended}");
    }
    assert_eq!(left(&project), "0 0 0");
}

#[test]
fn a_lock_that_is_met_before_the_first_portion_is_waited_for_too() {
    let project = with_dropped("");
    let holder = Session::holding(&project.db, "LOCK TABLE datalinx_platform.organizations IN SHARE MODE");
    let run = project.start("tenant drop --purge acme --now --confirm acme --lock-timeout 50ms");
    project.db.wait_for_waiting(1);
    std::thread::sleep(std::time::Duration::from_millis(300));
    holder.release();
    let ended = run.end();
    assert_eq!(ended.code, 0, "{ended}");
    assert_eq!(left(&project), "0 0 0");
}

#[test]
fn two_at_once_delete_once_also_where_the_registrys_row_stays() {
    let project = with_dropped("");
    let holder = Session::holding(
        &project.db,
        "SELECT FROM datalinx_platform.tenant_version WHERE status = 'dropped' FOR UPDATE",
    );
    let line = "tenant drop --purge acme --now --confirm acme --keep-registry";
    let running = [project.start(line), project.start(line)];
    project.db.wait_for_waiting(2);
    holder.release();
    for run in running {
        let ended = run.end();
        assert_eq!(ended.code, 0, "{ended}");
    }
    let purges = "SELECT count(*)::text FROM datalinx_platform.migration_history WHERE kind = 'purge'";
    assert_eq!(project.db.value(purges), "1");
}

#[test]
fn a_registry_that_keeps_its_rows_refuses_before_anything_is_deleted() {
    let project = with_dropped("");
    project.db.run(
        "CREATE FUNCTION public.keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; \
         CREATE TRIGGER keep BEFORE DELETE ON datalinx_platform.organizations FOR EACH ROW EXECUTE FUNCTION public.keep()",
    );
    let refused = project.expect_error("tenant drop --purge acme --now --confirm acme", "tenant-in-use");
    assert!(refused["error"]["hint"].as_str().unwrap().contains("--keep-registry"), "{refused}");
    assert_eq!(left(&project), "1 1 1");
    let tables = "SELECT count(*)::text FROM pg_tables WHERE schemaname LIKE 'dropped%'";
    assert_eq!(project.db.value(tables), "4");
    project.run("tenant drop --purge acme --now --confirm acme --keep-registry").passes();
}

#[test]
fn a_key_that_is_checked_at_the_end_refuses_at_the_beginning() {
    let project = with_dropped("");
    project.db.run(
        "CREATE TABLE public.later (o uuid REFERENCES datalinx_platform.organizations DEFERRABLE INITIALLY DEFERRED); \
         INSERT INTO public.later SELECT id FROM datalinx_platform.organizations WHERE slug LIKE 'dropped%'",
    );
    project.expect_error("tenant drop --purge acme --now --confirm acme", "tenant-in-use");
    let tables = "SELECT count(*)::text FROM pg_tables WHERE schemaname LIKE 'dropped%'";
    assert_eq!(project.db.value(tables), "4");
}

#[test]
fn a_purge_completed_after_a_lost_connection_is_counted() {
    for (keep, registered) in [("", "0"), (" --keep-registry", "1")] {
        let project = with_dropped("");
        let wire = Wire::of(&project.db);
        // Only the last transaction writes there.
        let holder =
            Session::holding(&project.db, "LOCK TABLE datalinx_platform.migration_history IN SHARE MODE");
        let running = project.start(&format!(
            "--database-url {} tenant drop --purge acme --now --confirm acme --format json{keep}",
            wire.url(&project.db)
        ));
        project.db.wait_for_waiting(1);
        wire.cut();
        project.db.wait_for_waiting(2);
        holder.release();
        let output = running.end().ok();
        let purged: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
        assert_eq!((&purged["outcome"], &purged["purged"][0]["slug"]), (&"done".into(), &"acme".into()));
        assert_eq!(left(&project), format!("0 {registered} {registered}"));
    }
}
