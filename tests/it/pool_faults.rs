//! The pool when things go wrong, or happen at once.

use crate::pool::{pool, schemas, with_pool};
use crate::support::{Pooler, Project, Session, csv};

#[test]
fn faults_leave_nothing_half_done() {
    let project = with_pool(1);
    // Somebody else holds the only one: it is not waited for.
    let holder = Session::holding(&project.db, "SELECT FROM datalinx_platform.tenant_version FOR UPDATE");
    let _made = project.run("tenant create a").ok();
    holder.release();
    assert_eq!(schemas(&project), "1");
    // Something that is not in a transaction is at work on it.
    let name =
        project.db.value("SELECT schema_name FROM datalinx_platform.tenant_version WHERE status = 'pooled'");
    project.db.run(&format!("INSERT INTO datalinx_platform.tenure_lock VALUES ('{name}')"));
    let at_work = format!("SELECT FROM datalinx_platform.tenure_lock WHERE name = '{name}' FOR UPDATE");
    let holder = Session::holding(&project.db, &at_work);
    let _made = project.run("tenant create at_work").ok();
    holder.release();
    let begun = format!(
        "INSERT INTO datalinx_platform.migration_history \
         (run_id, schema_name, from_version, to_version, name, tool_version, kind) \
         VALUES (gen_random_uuid(), '{name}', '1.0.4', '1.0.5', 'x', 'x', 'begun')"
    );
    project.db.run(&begun);
    let _made = project.run("tenant create begun").ok();
    assert_eq!(schemas(&project), "1");
    // Somebody dropped it by hand.
    project.db.run(&format!(
        "DELETE FROM datalinx_platform.migration_history WHERE kind = 'begun'; DROP SCHEMA {name} CASCADE"
    ));
    let _made = project.run("tenant create b").ok();
    let _drained = project.run("tenant pool drain").ok();
    assert_eq!(pool(&project), "0:");
    // A schema of that name is there, and no tenant.
    let _filled = project.run("tenant pool fill 1").ok();
    project.db.run("CREATE SCHEMA org_c");
    let (code, refused) = project.json("tenant create c");
    assert_eq!((code, &refused["error"]["code"]), (1, &"tenant-exists".into()), "{refused}");
    assert_eq!(pool(&project), "1:1");
    project.db.run("DROP SCHEMA org_c");
    // The session ends while it takes one: it waits for the registry's lock.
    let holder =
        Session::holding(&project.db, "LOCK TABLE datalinx_platform.organizations IN EXCLUSIVE MODE");
    let running = project.start("tenant create c --lock-timeout 0s");
    for backend in project.db.wait_for_waiting(1) {
        project.db.run(&format!("SELECT pg_terminate_backend({backend})::text"));
    }
    holder.release();
    running.end().passes();
    assert_eq!((pool(&project), schemas(&project)), ("0:".to_owned(), "0".to_owned()));
    // A filling that is interrupted is finished by the next one.
    let holder = Session::holding(&project.db, "LOCK TABLE datalinx_platform.users IN ROW EXCLUSIVE MODE");
    let mut running = project.start("tenant pool fill 6 --jobs 2 --lock-timeout 0s");
    // The proof waits first.
    project.db.wait_for_waiting(1);
    running.signal("TERM");
    running.says("interrupted");
    holder.release();
    assert_eq!(running.end().code, 130);
    let _filled = project.run("tenant pool fill 6").ok();
    assert_eq!((pool(&project), schemas(&project)), ("6:1,2,3,4,5,6".to_owned(), "6".to_owned()));
    assert_eq!(project.repeated_units(), [""; 0]);
}

#[test]
fn a_schema_that_is_taken_while_a_migration_comes_by_is_migrated_as_a_tenant() {
    let project = with_pool(1);
    project.create(&["acme"]);
    let _filled = project.run("tenant pool fill 1").ok();
    project.migration("1.0.4", "1.0.5", "note", "ALTER TABLE workspaces ADD COLUMN note text;");
    let pooled =
        project.db.value("SELECT schema_name FROM datalinx_platform.tenant_version WHERE status = 'pooled'");
    let take = format!(
        "SELECT datalinx_platform.tenure_expect_platform('1.0.4'); \
         INSERT INTO datalinx_platform.organizations (id, name, slug, schema_name) \
         VALUES (gen_random_uuid(), 'b', 'b', 'org_b'); \
         SELECT datalinx_platform.tenure_take( \
             schema_name, 'default', '1.0.4', made_from, 'org_b', gen_random_uuid(), 'x') \
         FROM datalinx_platform.tenant_version WHERE schema_name = '{pooled}'; \
         ALTER SCHEMA {pooled} RENAME TO org_b"
    );
    let mut taker = Session::holding(&project.db, &take);
    let running = project.start("migrate up --format json");
    project.db.wait_for_waiting(1);
    taker.run("COMMIT");
    let output = running.end().ok();
    let migrated: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(
        (&migrated["outcome"], &migrated["platform"]["to"]),
        (&"done".into(), &"1.0.5".into()),
        "{migrated}"
    );
    assert_eq!(project.versions(), "platform 1.0.5, acme 1.0.5, b 1.0.5");
    let (code, drift) = project.json("drift");
    assert_eq!((code, &drift["tenants"]["same"]), (0, &2.into()), "{drift}");
}

#[test]
fn the_pool_works_behind_a_pooler() {
    let project = Project::with_tenants(&[]);
    let Some(pooler) = Pooler::start(&project.db) else { return };
    let run = |line: &str| project.run(&format!("--database-url {} {line}", pooler.url(&project.db)));
    let _filled = run("tenant pool fill 4 --jobs 2").ok();
    project.file("list.csv", csv(&["a", "b"]));
    let _made = run("tenant create --from list.csv --jobs 2").ok();
    project.next_migration("ALTER TABLE workspaces ADD COLUMN note text;");
    let _migrated = run("migrate up").ok();
    let _made = run("tenant create c").ok();
    assert_eq!(schemas(&project), "1");
    assert_eq!(project.db.dump_of("org_a"), project.db.dump_of("org_c"));
    let _drained = run("tenant pool drain").ok();
    let locks = "SELECT count(*)::text FROM pg_locks JOIN pg_database d ON d.oid = database \
                 WHERE locktype = 'advisory' AND datname = current_database()";
    assert_eq!((schemas(&project), project.db.value(locks)), ("0".to_owned(), "0".to_owned()));
}

#[test]
fn a_missing_pool_schema_is_replaced() {
    let project = with_pool(2);
    let name =
        "SELECT schema_name FROM datalinx_platform.tenant_version WHERE status = 'pooled' AND pool_slot = 1";
    let name = project.db.value(name);
    project.db.run(&format!("DROP SCHEMA {name} CASCADE"));
    let (_, list) = project.json("tenant pool list");
    assert_eq!((&list["pool"][0]["state"], &list["pool"][1]["state"]), (&"outdated".into(), &"ready".into()));
    project.run("tenant pool fill 2").passes();
    assert_eq!((pool(&project), schemas(&project)), ("2:1,2".to_owned(), "2".to_owned()));
}

#[test]
fn templates_that_read_the_registry_are_not_pooled() {
    let project = Project::with_tenants(&["acme"]);
    let file = "tenant_templates/default/900.sql";
    for sql in [
        "CREATE TABLE me AS SELECT id FROM datalinx_platform.organizations WHERE schema_name = current_schema();",
        "CREATE TABLE me (id uuid);\nCREATE FUNCTION fill_me() RETURNS void LANGUAGE sql AS \
         $$ INSERT INTO me SELECT id FROM datalinx_platform.organizations WHERE schema_name = current_schema() $$;\n\
         SELECT fill_me();",
    ] {
        project.file(file, sql);
        project.expect_error("tenant pool fill 1", "not-poolable");
    }
    // What is only defined asks nobody yet; a key asks only of rows.
    project.file(
        file,
        "CREATE VIEW me AS SELECT id FROM datalinx_platform.organizations WHERE schema_name = current_schema();\n\
         CREATE TABLE mine (id uuid);\nALTER TABLE mine ADD FOREIGN KEY (id) REFERENCES datalinx_platform.organizations (id);",
    );
    project.run("tenant pool fill 1").passes();
}
