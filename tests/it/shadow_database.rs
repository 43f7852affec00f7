//! The database of a shadow: what is not ours is not touched, and what is left behind is nothing.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Database, Project, Session};

/// A project with one step after the base.
fn project(step: &str) -> Project {
    let project = Project::empty();
    project.migration(
        "0.0.0",
        "1.0.0",
        "base",
        "-- Scope: platform\nCREATE TABLE t (id uuid PRIMARY KEY, note text);",
    );
    project.migration("1.0.0", "1.0.1", "step", &format!("-- Scope: platform\n{step}"));
    project
}

/// The exit code and the document of a verification on `shadow`.
fn verified(project: &Project, shadow: &Database) -> (i32, Value) {
    let output = project.run_words(["--format", "json", "verify", "--shadow-url", &shadow.url]);
    (output.code, serde_json::from_str(&output.stdout).unwrap())
}

fn comment(db: &Database) -> String {
    db.value("SELECT coalesce(shobj_description(oid, 'pg_database'), '-') FROM pg_database WHERE datname = current_database()")
}

#[test]
fn a_shadow_database_with_any_object_is_refused() {
    let project = project("ALTER TABLE t ADD COLUMN more text;");
    for held in [
        "CREATE TYPE mood AS ENUM ('sad')",
        "CREATE DOMAIN short AS text",
        "CREATE EXTENSION citext",
        "SELECT lo_from_bytea(0, 'x')::text",
        "CREATE PUBLICATION everything",
        "CREATE SCHEMA empty",
    ] {
        let shadow = Database::fresh();
        shadow.run(held);
        shadow.run(&format!("COMMENT ON DATABASE {} IS 'precious'", shadow.name));
        let (code, document) = verified(&project, &shadow);
        assert_eq!((code, &document["error"]["code"]), (1, &json!("shadow-not-empty")), "{held}: {document}");
        assert_eq!(comment(&shadow), "precious", "{held}");
    }
}

#[test]
fn a_database_that_was_a_shadow_is_nobodys_to_empty() {
    let project = project("ALTER TABLE t ADD COLUMN more text;");
    let shadow = Database::fresh();
    shadow.run(&format!("COMMENT ON DATABASE {} IS 'for trials'", shadow.name));
    for _ in 0..2 {
        let (code, document) = verified(&project, &shadow);
        assert_eq!((code, &document["error"]), (0, &Value::Null), "{document}");
        assert_eq!(comment(&shadow), "for trials");
    }
    // Now somebody uses it.
    let _migrated = project.run_env(&[("DATABASE_URL", &shadow.url)], "migrate up").ok();
    let (code, document) = verified(&project, &shadow);
    assert_eq!((code, &document["error"]["code"]), (1, &json!("shadow-not-empty")), "{document}");
    assert_eq!(shadow.value("SELECT version FROM datalinx_platform.schema_version"), "1.0.1");
}

#[test]
fn one_run_uses_it_at_a_time() {
    let project = project("ALTER TABLE t ADD COLUMN more text;");
    let shadow = Database::fresh();
    let other = Session::holding(
        &shadow,
        "SELECT pg_advisory_xact_lock(hashtext('tenure shadow'), hashtext(current_database()))",
    );
    let (code, document) = verified(&project, &shadow);
    assert_eq!((code, &document["error"]["code"]), (1, &json!("shadow-in-use")), "{document}");
    other.release();
    assert_eq!(verified(&project, &shadow).0, 0);
}

#[test]
fn whatever_a_migration_leaves_the_next_run_finds_nothing_of_it() {
    let shadow = Database::fresh();
    for step in [
        "CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$; \
         CREATE EVENT TRIGGER no_more ON ddl_command_start EXECUTE FUNCTION refuse();",
        "CREATE PUBLICATION everything FOR ALL TABLES;",
        "CREATE EXTENSION citext;",
        "CREATE EXTENSION pg_trgm; CREATE SCHEMA more; CREATE TABLE more.t (a int);",
        "ALTER TABLE t ADD COLUMN more text;",
    ] {
        let (_, document) = verified(&project(step), &shadow);
        assert_eq!(document["error"], Value::Null, "{step}: {document}");
    }
}

#[test]
fn a_server_that_was_given_keeps_its_roles_and_databases() {
    let shadow = Database::fresh();
    let _there = shadow.try_run("CREATE ROLE shadow_story_app");
    let roles = "SELECT string_agg(rolname || rolcanlogin || coalesce(rolconfig::text, ''), ' ' ORDER BY rolname) FROM pg_roles \
                 WHERE rolname LIKE 'shadow_story%'";
    let before = shadow.value(roles);
    for step in [
        "DROP ROLE shadow_story_app;",
        "DO $$ BEGIN EXECUTE 'DROP ROLE shadow_story_app'; END $$;",
        "DO $$ BEGIN EXECUTE 'ALTER ROLE shadow_story_app SET search_path = nowhere'; END $$;",
        "CREATE ROLE shadow_story_new;",
        "DROP DATABASE postgres;",
        "ALTER SYSTEM SET work_mem = '1MB';",
    ] {
        let (code, document) = verified(&project(step), &shadow);
        assert_eq!((code, &document["error"]), (1, &Value::Null), "{step}: {document}");
        let fails = document["findings"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|it| it["rule"] == "execution-fails" || it["rule"] == "not-observed")
            .count();
        assert_eq!(fails, 1, "{step}: {document}");
    }
    assert_eq!(shadow.value(roles), before);
    assert_eq!(shadow.value("SELECT count(*)::text FROM pg_database WHERE datname = 'postgres'"), "1");
}

#[test]
fn the_shadows_own_server_isolates_roles() {
    let project = project("CREATE ROLE shadow_test_role;");
    // It is made anew each time.
    for _ in 0..2 {
        let (_, document) = project.json("verify --shadow");
        let fails = document["findings"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|it| it["rule"] == "execution-fails")
            .count();
        assert_eq!((fails, &document["error"]), (0, &Value::Null), "{document}");
    }
    let roles = "SELECT count(*)::text FROM pg_roles WHERE rolname = 'shadow_test_role'";
    assert_eq!(project.db.value(roles), "0");
}

#[test]
fn a_statement_without_end_is_ended() {
    let project = project("DO $$ BEGIN LOOP PERFORM 1; END LOOP; END $$;");
    project.file("tenure.toml", "[migrate]\nstatement_timeout = \"1s\"\n");
    let shadow = Database::fresh();
    let began = Instant::now();
    let (code, document) = verified(&project, &shadow);
    assert!(began.elapsed() < Duration::from_secs(20));
    let fails: Vec<&Value> = document["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["rule"] == "execution-fails")
        .collect();
    assert_eq!((code, fails.len()), (1, 1), "{document}");
    assert!(fails[0]["message"].as_str().unwrap().contains("statement timeout"), "{document}");
    // A limit that a file sets is for its statements, not for our questions.
    let short = self::project("SET LOCAL statement_timeout = '3ms'; ALTER TABLE t ADD COLUMN more text;");
    let (_, document) = verified(&short, &shadow);
    assert_eq!(document["error"], Value::Null, "{document}");
}

#[test]
fn interrupted_it_ends_cleanly() {
    let project = project("DO $$ BEGIN PERFORM pg_sleep(60); END $$;");
    let shadow = Database::fresh();
    let waits = "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
    for signal in ["INT", "TERM"] {
        let running = project.start(&format!("--format json verify --shadow-url {}", shadow.url));
        crate::support::wait_until("the statement runs", || shadow.value(waits) != "0");
        running.signal(signal);
        let output = running.end();
        assert_eq!(output.code, 130, "{signal}: {output}");
        let document: Value = serde_json::from_str(&output.stdout).unwrap();
        assert_eq!(document["error"]["code"], "interrupted", "{document}");
        shadow.run("SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()");
    }
    // What it left is marked as a shadow's, so the next run empties it.
    let (code, document) = verified(&self::project("ALTER TABLE t ADD COLUMN more text;"), &shadow);
    assert_eq!((code, &document["error"]), (0, &Value::Null), "{document}");
}

#[test]
fn a_lost_session_is_no_committed_work() {
    let project = project("DO $$ BEGIN PERFORM pg_sleep(60); END $$;");
    let shadow = Database::fresh();
    let sleeps = "FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
    let running = project.start(&format!("--format json verify --shadow-url {}", shadow.url));
    let waits = format!("SELECT count(*)::text {sleeps}");
    crate::support::wait_until("the statement runs", || shadow.value(&waits) != "0");
    shadow.run(&format!("SELECT pg_terminate_backend(pid)::text {sleeps}"));
    let output = running.end();
    let document: Value = serde_json::from_str(&output.stdout).unwrap();
    let text = document.to_string();
    assert!(output.code != 0 && text.contains("terminating connection"), "{output}");
    assert!(!text.contains("committed work"), "{output}");
}

#[test]
fn an_extension_that_the_server_does_not_have_is_refused() {
    let project = project("ALTER TABLE t ADD COLUMN more text;");
    let (code, document) = project.json("verify --shadow --shadow-extension pg_stat_statement");
    assert_eq!((code, &document["error"]["code"]), (2, &json!("shadow-extension")), "{document}");
    assert!(document["error"]["hint"].as_str().unwrap().contains("pg_stat_statements"), "{document}");
    let shadow = Database::fresh();
    let named = ["--format", "json", "verify", "--shadow-extension", "nope", "--shadow-url", &shadow.url];
    let output = project.run_words(named);
    assert!(output.code == 2 && output.stdout.contains("shadow-extension"), "{output}");
    assert_eq!(comment(&shadow), "-");
    let (code, document) = verified(&project, &shadow);
    assert_eq!((code, &document["error"]), (0, &Value::Null), "{document}");
}
