//! Migrations that cannot run in a transaction: each statement alone, the unit noted as begun, and an
//! attempt after a failed one that clears away what was left.

use insta::assert_snapshot;

use crate::support::{Project, Session, wait_until};

/// The indexes of this name: where, and whether they are valid.
fn indexes(project: &Project, name: &str) -> String {
    project
        .db
        .column(&format!(
            "SELECT n.nspname || ' ' || CASE WHEN i.indisvalid THEN 'valid' ELSE 'invalid' END \
             FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relname = '{name}' ORDER BY 1"
        ))
        .join(", ")
}

/// The history of the step after the seeds': `org_a begun, org_a migrate`.
fn noted(project: &Project) -> String {
    let rows = "SELECT schema_name || ' ' || kind FROM datalinx_platform.migration_history \
                WHERE from_version = '1.0.4' AND schema_name <> 'datalinx_platform' ORDER BY id";
    project.db.column(rows).join(", ")
}

#[test]
fn an_index_is_built_concurrently_for_every_tenant() {
    let project = Project::with_tenants(&["a", "b"]);
    project.migration(
        "1.0.4",
        "1.0.5",
        "index",
        "CREATE INDEX CONCURRENTLY workspace_names ON workspaces (name);\n\
         CREATE INDEX CONCURRENTLY workspace_repos ON {org_schema}.workspaces (lower(github_repo_url)) WHERE name <> '';",
    );
    let (_, plan) = project.json("migrate up --plan");
    assert_eq!(plan["steps"][0]["transactional"], false);
    assert_snapshot!(project.run("migrate up"), @"
    exit code: 0
    ----- stdout -----
    done: the platform went from 1.0.4 to 1.0.5; 2 tenants, 2 migrated; 2 units in N ms

    ----- stderr -----
    ");
    assert_eq!(indexes(&project, "workspace_names"), "org_a valid, org_b valid");
    assert_eq!(indexes(&project, "workspace_repos"), "org_a valid, org_b valid");
    assert_eq!(project.versions(), "platform 1.0.5, a 1.0.5, b 1.0.5");
    assert_eq!(noted(&project), "org_a begun, org_a migrate, org_b begun, org_b migrate");
}

#[test]
fn an_index_is_dropped_and_a_table_is_vacuumed_without_a_transaction() {
    let project = Project::with_tenants(&["a", "b"]);
    project.db.run("INSERT INTO org_a.workspaces (name) SELECT 'w' FROM generate_series(1, 100)");
    project.next_migration("DROP INDEX CONCURRENTLY idx_jobs_status;\nVACUUM (ANALYZE) workspaces;");
    let _done = project.run("migrate up").ok();
    assert_eq!(indexes(&project, "idx_jobs_status"), "");
    let rows = "SELECT reltuples::text FROM pg_class WHERE oid = 'org_a.workspaces'::regclass";
    assert_eq!(project.db.value(rows), "100");
    assert_eq!(project.versions(), "platform 1.0.5, a 1.0.5, b 1.0.5");
}

#[test]
fn the_platform_too_has_statements_that_run_alone() {
    let project = Project::with_tenants(&["a"]);
    project.next_migration("CREATE INDEX CONCURRENTLY user_names ON users (display_name);");
    let (code, done) = project.json("migrate up");
    assert_eq!((code, &done["tenants"]["migrated"]), (0, &1.into()), "{done}");
    assert_eq!(indexes(&project, "user_names"), "datalinx_platform valid");
    assert_eq!(project.versions(), "platform 1.0.5, a 1.0.5");
}

/// A step that makes names unique, which b's rows forbid.
fn with_duplicates_in_b() -> Project {
    let project = Project::with_tenants(&["a", "b", "c"]);
    project.db.run("INSERT INTO org_b.workspaces (name) VALUES ('twice'), ('twice')");
    project.next_migration(
        "-- Allow: add-unique because names have been unique since 0.9\n\
         CREATE INDEX CONCURRENTLY first_index ON workspaces (created_at);\n\
         CREATE UNIQUE INDEX CONCURRENTLY workspace_names ON workspaces (name);",
    );
    project
}

#[test]
fn an_invalid_index_that_a_failure_left_is_removed_by_the_next_run() {
    let project = with_duplicates_in_b();
    assert_snapshot!(project.run("migrate up"), @r#"
    exit code: 4
    ----- stdout -----

    ----- stderr -----
    checked 1 file, 2 statements: 1 is accepted.

    note[add-unique]: `CREATE UNIQUE INDEX CONCURRENTLY workspace_names ON workspa…` makes the server refuse duplicates that the running release may write
     --> migrations/v1.0.4_to_v1.0.5_next.sql:5:1
      |
    5 | CREATE UNIQUE INDEX CONCURRENTLY workspace_names ON workspaces (name);
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ on tenant
      |
      = note: allowed because names have been unique since 0.9

    1 file, 2 statements: 1 allowed
    error[unit-failed]: v1.0.4_to_v1.0.5_next.sql on org_b: could not create unique index "workspace_names" (Key (name)=(…) is duplicated.)
     --> migrations/v1.0.4_to_v1.0.5_next.sql:5:1
      |
    5 | CREATE UNIQUE INDEX CONCURRENTLY workspace_names ON workspaces (name);
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = note: SQLSTATE 23505
      = help: the statements before it were committed; correct the data and run the command again (a corrected file needs `tenure migrate repair` if other schemas have run it)

    partially done: the platform is at 1.0.4; 3 tenants, 1 migrated, 1 unchanged, 1 failed; 1 unit in N ms
    no further tenant was started; `--on-failure continue` migrates the others
    run `tenure migrate up` again to finish: 2 tenants
    "#);
    assert_eq!(project.versions(), "platform 1.0.4, a 1.0.5, b 1.0.4, c 1.0.4");
    assert_eq!(indexes(&project, "workspace_names"), "org_a valid, org_b invalid");
    assert_eq!(noted(&project), "org_a begun, org_a migrate, org_b begun");

    // Not mended yet: it fails for the same reason, not for what the first attempt left.
    let (code, result) = project.json("migrate up");
    assert_eq!((code, &result["failures"][0]["sqlstate"]), (1, &"23505".into()), "{result}");

    project.db.run("DELETE FROM org_b.workspaces");
    let _done = project.run("migrate up").ok();
    assert_eq!(indexes(&project, "workspace_names"), "org_a valid, org_b valid, org_c valid");
    assert_eq!(indexes(&project, "first_index"), "org_a valid, org_b valid, org_c valid");
    assert_eq!(project.versions(), "platform 1.0.5, a 1.0.5, b 1.0.5, c 1.0.5");
    assert_eq!(project.repeated_units(), [""; 0]);
}

#[test]
fn an_index_of_the_same_name_by_others_is_not_accepted() {
    let project = Project::with_tenants(&["a"]);
    project.db.run("CREATE INDEX workspace_names ON org_a.workspaces (description)");
    project.migration(
        "1.0.4",
        "1.0.5",
        "index",
        "CREATE INDEX CONCURRENTLY workspace_names ON workspaces (name);",
    );
    // However often it is tried.
    for _attempt in 0..3 {
        let (code, result) = project.json("migrate up");
        assert_eq!((code, &result["failures"][0]["sqlstate"]), (1, &"42P07".into()));
    }
    assert_eq!(project.versions(), "platform 1.0.4, a 1.0.4");
}

#[test]
fn a_session_that_ends_in_the_middle_is_made_up_for() {
    let project = Project::with_tenants(&["a"]);
    project.next_migration("CREATE INDEX CONCURRENTLY workspace_names ON workspaces (name);");
    // Whoever writes to the table is waited for.
    let writer = Session::holding(&project.db, "INSERT INTO org_a.workspaces (name) VALUES ('w')");
    let running = project.start("migrate up --retries 0");
    let backend = project.db.wait_for_waiting(1).remove(0);
    project.db.run(&format!("SELECT pg_terminate_backend({backend})::text"));
    assert_eq!(running.end().code, 1);
    writer.release();
    assert_eq!(project.versions(), "platform 1.0.4, a 1.0.4");
    let _done = project.run("migrate up").ok();
    assert_eq!(indexes(&project, "workspace_names"), "org_a valid");
    assert_eq!(project.versions(), "platform 1.0.5, a 1.0.5");
}

/// A step that makes or drops an index waits for a lock, and its program is killed; the next attempt waits behind it, and meets its
/// effect when the lock is released.
#[test]
fn an_effect_that_comes_after_the_look_is_passed_over() {
    for (step, index, left) in [
        ("CREATE INDEX CONCURRENTLY workspace_names ON workspaces (name);", "workspace_names", "org_a valid"),
        (
            "-- Allow: add-unique because it is the key\nCREATE UNIQUE INDEX CONCURRENTLY workspace_ids ON workspaces (id);",
            "workspace_ids",
            "org_a valid",
        ),
        (
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS workspace_names ON workspaces (name);",
            "workspace_names",
            "org_a valid",
        ),
        ("DROP INDEX CONCURRENTLY {org_schema}.idx_workspaces_name;", "idx_workspaces_name", ""),
    ] {
        let project = Project::with_tenants(&["a"]);
        project.db.run("CREATE INDEX idx_workspaces_name ON org_a.workspaces (name)");
        project.migration("1.0.4", "1.0.5", "index", &format!("{step}\nVACUUM workspaces;"));
        let holder = Session::holding(&project.db, "LOCK TABLE org_a.workspaces IN SHARE MODE");
        let first = project.start("migrate up");
        project.db.wait_for_waiting(1);
        first.signal("KILL");
        assert_ne!(first.end().code, 0);
        let second = project.start("migrate up");
        project.db.wait_for_waiting(2);
        holder.release();
        let output = second.end();
        assert_eq!(output.code, 0, "{step}: {output}");
        assert_eq!(indexes(&project, index), left, "{step}");
        assert_eq!(project.versions(), "platform 1.0.5, a 1.0.5", "{step}");
        assert_eq!(project.repeated_units(), [""; 0]);
    }
}

#[test]
fn two_runs_at_once_build_an_index_once() {
    let project = Project::with_tenants(&["a", "b"]);
    project.migration(
        "1.0.4",
        "1.0.5",
        "index",
        "CREATE INDEX CONCURRENTLY workspace_names ON workspaces (name);",
    );
    let writer = Session::holding(&project.db, "INSERT INTO org_a.workspaces (name) VALUES ('w')");
    let first = project.start("migrate up");
    let _building = project.db.wait_for_waiting(1);
    let built = project.db.value("SELECT 'org_a.workspace_names'::regclass::oid::text");
    let second = project.start("migrate up");
    let asking = "SELECT (count(*) > 1)::text FROM pg_stat_activity WHERE datname = current_database() \
                  AND pid <> pg_backend_pid() AND (query LIKE '%tenure_lock%SKIP LOCKED%' OR query = 'ROLLBACK')";
    wait_until("the second to ask whether it is its turn", || project.db.value(asking) == "true");
    writer.release();
    let _outputs = [first.end().ok(), second.end().ok()];
    assert_eq!(indexes(&project, "workspace_names"), "org_a valid, org_b valid");
    assert_eq!(project.db.value("SELECT 'org_a.workspace_names'::regclass::oid::text"), built);
    assert_eq!(project.versions(), "platform 1.0.5, a 1.0.5, b 1.0.5");
    assert_eq!(project.repeated_units(), [""; 0]);
}

#[test]
fn a_tenant_made_afterwards_has_the_index_too() {
    let project = Project::with_tenants(&["early"]);
    project.next_migration(
        "CREATE INDEX CONCURRENTLY workspace_names ON workspaces (name);\nVACUUM workspaces;",
    );
    let _done = project.run("migrate up").ok();
    project.create(&["late"]);
    assert_eq!(indexes(&project, "workspace_names"), "org_early valid, org_late valid");
    assert_eq!(project.db.dump_of("org_late"), project.db.dump_of("org_early"));
}

#[test]
fn an_index_that_never_was_is_not_taken_for_one_that_was_dropped() {
    let project = Project::with_tenants(&["a"]);
    project.migration(
        "1.0.4",
        "1.0.5",
        "tidy",
        "DROP INDEX CONCURRENTLY idx_jobs_status;\nDROP INDEX CONCURRENTLY {org_schema}.never_was;",
    );
    for _attempt in 0..2 {
        let (code, document) = project.json("migrate up");
        assert_eq!((code, &document["failures"][0]["line"]), (1, &4.into()), "{document}");
        assert_eq!(indexes(&project, "idx_jobs_status"), "org_a valid");
    }
    assert_eq!(noted(&project), "");
    project.migration(
        "1.0.4",
        "1.0.5",
        "tidy",
        "DROP INDEX CONCURRENTLY idx_jobs_status;\nDROP INDEX CONCURRENTLY IF EXISTS {org_schema}.never_was;",
    );
    let _done = project.run("migrate up").ok();
    assert_eq!(indexes(&project, "idx_jobs_status"), "");
}

#[test]
fn an_index_that_could_not_be_found_again_is_refused() {
    let project = Project::with_tenants(&["a"]);
    project.migration("1.0.4", "1.0.5", "index", "CREATE INDEX CONCURRENTLY ON workspaces (name);");
    let document = project.expect_error("migrate up", "unnamed-index");
    assert_eq!(document["error"]["line"], 3);
    // In a transaction nothing is left behind.
    project.migration("1.0.4", "1.0.5", "index", "CREATE INDEX ON workspaces (name);");
    let _done = project.run("migrate up").ok();
}

#[test]
fn an_interrupt_before_its_turn_begins_nothing() {
    let project = Project::with_tenants(&["a"]);
    project.migration("1.0.4", "1.0.5", "tidy", "VACUUM workspaces;");
    project.db.run("INSERT INTO datalinx_platform.tenure_lock VALUES ('org_a')");
    let other = "SELECT FROM datalinx_platform.tenure_lock WHERE name = 'org_a' FOR UPDATE";
    let holder = Session::holding(&project.db, other);
    let mut running = project.start("migrate up --format json");
    let asking = "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() \
                  AND pid <> pg_backend_pid() AND (query LIKE '%tenure_lock%SKIP LOCKED%' OR query = 'ROLLBACK')";
    wait_until("it to ask whether it is its turn", || project.db.value(asking) == "1");
    running.signal("INT");
    running.says("interrupted");
    let output = running.end();
    let cut: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(
        (output.code, &cut["outcome"], &cut["tenants"]["left"]),
        (130, &"interrupted".into(), &1.into())
    );
    holder.release();
    assert_eq!((project.versions(), noted(&project)), ("platform 1.0.4, a 1.0.4".to_owned(), String::new()));
}

#[test]
fn a_file_that_was_mended_is_gone_on_with_as_one_that_never_was_another() {
    let project = with_duplicates_in_b();
    let path = "migrations/v1.0.4_to_v1.0.5_next.sql";
    let text = std::fs::read_to_string(project.dir.path().join(path)).unwrap();
    let _failed = project.json("migrate up --tenant b");
    project.file(path, text.replace("0.9", "0.8"));
    // What is there may be what another text made.
    let (code, result) = project.json("migrate up --tenant b");
    assert_eq!((code, &result["failures"][0]["sqlstate"]), (1, &"42P07".into()), "{result}");
    project.db.run("DROP INDEX org_b.first_index");
    for _attempt in 0..2 {
        let (code, result) = project.json("migrate up --tenant b");
        assert_eq!((code, &result["failures"][0]["sqlstate"]), (1, &"23505".into()), "{result}");
    }
    project.db.run("DELETE FROM org_b.workspaces");
    let _done = project.run("migrate up").ok();
    assert_eq!(indexes(&project, "workspace_names"), "org_a valid, org_b valid, org_c valid");
    assert_eq!(indexes(&project, "first_index"), "org_a valid, org_b valid, org_c valid");
}

#[test]
fn an_invalid_index_is_not_passed_over() {
    let project = Project::with_tenants(&["a"]);
    project.db.run("INSERT INTO org_a.workspaces (name) VALUES ('twice'), ('twice')");
    let by_hand = "CREATE UNIQUE INDEX CONCURRENTLY workspace_names ON org_a.workspaces (name)";
    assert!(project.db.try_run(by_hand).is_err());
    project.db.run("DELETE FROM org_a.workspaces");
    project.next_migration(
        "-- Allow: add-unique because names have been unique since 0.9\n\
         CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS workspace_names ON workspaces (name);",
    );
    let (code, result) = project.json("migrate up");
    let failure = &result["failures"][0];
    assert_eq!(
        (code, &failure["line"], project.versions().as_str()),
        (1, &4.into(), "platform 1.0.4, a 1.0.4")
    );
    let hint = project.run("migrate up").stderr;
    let drop = "DROP INDEX CONCURRENTLY \"org_a\".\"workspace_names\"";
    assert!(hint.contains(drop), "{hint}");
    project.db.run(drop);
    let _done = project.run("migrate up").ok();
    assert_eq!(indexes(&project, "workspace_names"), "org_a valid");
}
