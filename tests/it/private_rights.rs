//! The rights of a project's statements on its private server: those of the owner of a database, not those of the user who
//! runs Tenure.

use crate::demo::Private;
use crate::support::{Finish as _, Project};

/// A project whose steps are not judged, on its private server.
fn private() -> Private {
    let project = Project::empty();
    project.without_rules();
    project.migration(
        "0.0.0",
        "1.0.0",
        "base",
        "-- Scope: platform\nCREATE TABLE t (id int PRIMARY KEY);\nCREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';",
    );
    let project = Private(project);
    project.run("migrate up").passes();
    project
}

/// The result of one more step, which is removed again.
fn try_step(project: &Private, step: &str) -> crate::support::Output {
    project.0.migration("1.0.0", "1.0.1", "step", &format!("-- Scope: platform\n{step}"));
    project.run("migrate up")
}

#[test]
fn no_statement_runs_a_program_or_reads_a_file() {
    let project = private();
    let major = project.0.db.major();
    let file = std::env::temp_dir().join(format!("tenure_{}_private", std::process::id()));
    let _removed = std::fs::remove_file(&file);
    let program = format!("EXECUTE 'COPY (SELECT 1) TO PRO' || 'GRAM ''touch {}''';", file.display());
    let run = format!("DO $x$ BEGIN {program} END $x$;");
    let dynamic = |sql: &str| format!("DO $x$ BEGIN EXECUTE {} || ''; END $x$;", literal(sql));
    for step in [
        run.clone(),
        format!("RESET ROLE; RESET SESSION AUTHORIZATION; {run}"),
        format!("CREATE ROLE private_a; ALTER TABLE t OWNER TO private_a; {run}"),
        format!("CREATE FUNCTION g() RETURNS int LANGUAGE sql AS 'SELECT 1'; ALTER FUNCTION g() LEAKPROOF; {run}"),
        format!("CREATE PUBLICATION p FOR ALL TABLES WITH (publish = 'insert'); {run}"),
        dynamic("GRANT pg_execute_server_program TO CURRENT_USER"),
        dynamic("GRANT pg_read_server_files TO CURRENT_USER"),
        dynamic("CREATE ROLE private_b IN ROLE pg_execute_server_program"),
        dynamic("CREATE ROLE private_b SUPERUSER"),
        dynamic("ALTER ROLE CURRENT_USER SUPERUSER"),
        dynamic("GRANT tenure TO CURRENT_USER"),
        dynamic("ALTER ROLE tenure PASSWORD 'x'"),
        dynamic("ALTER FUNCTION f() OWNER TO tenure"),
        "ALTER FUNCTION f() OWNER TO tenure;".to_owned(),
        dynamic("ALTER ROLE CURRENT_USER SET session_preload_libraries = 'auto_explain'"),
        dynamic("ALTER DATABASE tenure SET session_preload_libraries = 'auto_explain'"),
        dynamic("SELECT pg_read_file('/etc/hostname')"),
        dynamic("SELECT lo_import('/etc/hostname')"),
        dynamic("COPY t FROM '/etc/hostname'"),
        dynamic("CREATE EXTENSION file_fdw"),
        dynamic("CREATE EXTENSION pg_stat_statements"),
        dynamic("CREATE FUNCTION c() RETURNS int LANGUAGE c AS 'system', 'system'"),
        dynamic("CREATE FUNCTION c() RETURNS int LANGUAGE internal AS 'pg_read_file_all'"),
        dynamic("LOAD 'auto_explain'"),
        "DO $x$ BEGIN EXECUTE $y$ALTER SYSTEM SET archive_command = 1$y$; END $x$;".to_owned(),
        // With functions of other types an operator class reads any memory.
        "CREATE OPERATOR CLASS c FOR TYPE bigint USING btree AS FUNCTION 1 (bigint, bigint) bttextcmp(text, text);".to_owned(),
        // A literal in the condition is a value of the type, whose check is the project's.
        format!(
            "CREATE FUNCTION g(int) RETURNS boolean LANGUAGE plpgsql AS $x$ BEGIN {program} RETURN true; END $x$; \
             CREATE DOMAIN d AS int CHECK (g(VALUE)); CREATE TYPE c AS (x d); CREATE TABLE k (id int PRIMARY KEY, v c); \
             CREATE PUBLICATION p FOR TABLE k WHERE (v = CAST('(1)' AS c));"
        ),
        // The superuser's texts are only the superuser's.
        dynamic("INSERT INTO pg_tenure.statement SELECT gen_random_uuid(), 1, now(), '{}', '{}'"),
        dynamic("SELECT * FROM pg_tenure.statement"),
        dynamic("SELECT pg_tenure.run(gen_random_uuid())"),
        dynamic("SELECT pg_tenure.texts_of(gen_random_uuid())"),
        "ALTER TABLE pg_tenure.statement OWNER TO tenure_dev;".to_owned(),
        "CREATE ROLE private_c; ALTER FUNCTION pg_tenure.run(uuid) OWNER TO private_c;".to_owned(),
        "CREATE ROLE private_c; SET LOCAL search_path = pg_tenure; ALTER TABLE statement OWNER TO private_c;".to_owned(),
    ] {
        // Publications have conditions since PostgreSQL 15.
        if major < 15 && step.contains("PUBLICATION p FOR TABLE") {
            continue;
        }
        let output = try_step(&project, &step);
        assert_eq!(output.code, 1, "{step}: {output}");
        // A random id finds no row. Before PostgreSQL 16 there are no roles for files and programs.
        let is_refused = ["permission-denied", "query returned no rows", "inside a transaction block", "statement\\\" does not exist", "server_program\\\" does not exist", "server_files\\\" does not exist"]
            .iter()
            .any(|it| output.stdout.contains(it));
        assert!(is_refused, "{step}: {output}");
        assert!(!file.exists(), "{step}");
    }
}

/// Runs SQL as the superuser of the project's private server.
fn superuser(project: &Private) -> impl Fn(&str) -> String {
    let url: serde_json::Value = serde_json::from_str(&project.run("dev url").ok().stdout).unwrap();
    let url = url["url"].as_str().unwrap().replace("tenure_dev@", "tenure@");
    move |sql| {
        let done = std::process::Command::new("psql").args(["-XAtqc", sql, &url]).finish();
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout).unwrap()
    }
}

fn literal(sql: &str) -> String {
    format!("'{}'", sql.replace('\'', "''"))
}

#[test]
fn a_role_with_more_rights_gets_nothing_of_the_project() {
    let project = private();
    let psql = superuser(&project);
    psql("CREATE ROLE private_boss SUPERUSER; CREATE ROLE private_maker CREATEROLE");
    for step in [
        "ALTER FUNCTION f() OWNER TO private_boss;",
        "CREATE ROLE private_d IN ROLE private_boss;",
        "ALTER TABLE t OWNER TO private_maker;",
    ] {
        let output = try_step(&project, step);
        assert!(output.code == 1 && output.stdout.contains("permission-denied"), "{step}: {output}");
    }
}

#[test]
fn statements_that_need_more_work() {
    let project = private();
    let step = "CREATE ROLE private_app LOGIN; CREATE ROLE private_readers; GRANT private_readers TO private_app; \
        GRANT SELECT ON t TO private_readers; COMMENT ON ROLE private_app IS 'x'; ALTER TABLE t OWNER TO private_app; \
        ALTER TABLE t ADD COLUMN b int; ALTER FUNCTION f() LEAKPROOF; ALTER TABLE t OWNER TO CURRENT_USER; \
        CREATE PUBLICATION p FOR ALL TABLES WITH (publish = 'insert'); COMMENT ON PUBLICATION p IS 'x'; \
        DO $x$ BEGIN CREATE ROLE private_code; END $x$; GRANT SELECT ON t TO private_code; \
        CREATE EXTENSION pgcrypto; DROP ROLE private_code;";
    // A role with rights cannot be dropped.
    let refused = try_step(&project, step);
    assert!(refused.stdout.contains("private_code"), "{refused}");
    try_step(&project, &step.replace(" DROP ROLE private_code;", "")).passes();
    let facts = "SELECT rolsuper::text || (SELECT count(*) FROM pg_publication) || (SELECT proleakproof FROM pg_proc WHERE proname = 'f') \
                 FROM pg_roles WHERE rolname = CURRENT_USER";
    let output = project.0.command(["dev", "psql", "-At", "-c", facts]).finish();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "false1true", "{output:?}");
}

#[test]
fn tenants_have_roles_and_branches() {
    let project = Private(Project::seeds());
    project.0.file("tenure.toml", "[tenants]\nroles = true\nrole_prefix = \"private_org_\"\n");
    project.run("migrate up").passes();
    project.run("tenant create acme --login").passes();
    project.run("tenant create retail").passes();
    project.run("tenant login acme").passes();
    project.run("tenant grant").passes();
    project.run("tenant suspend acme").passes();
    project.run("tenant resume acme").passes();
    project.run("tenant rename retail shop").passes();
    project.run("tenant clone acme copy --data").passes();
    project.run("tenant drop shop --confirm shop").passes();
    project.run("tenant drop shop --purge --now --confirm shop").passes();
    // Before PostgreSQL 15 everybody may create objects in the schema public.
    superuser(&project)("REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    project.run("tenant audit").passes();
    project.run("drift").passes();
    project.0.next_migration("ALTER TABLE users ADD COLUMN IF NOT EXISTS fax text;");
    project.run("migrate up --branch local").passes();
    project.run("migrate up").passes();
}

#[test]
fn data_of_the_superuser_are_not_used() {
    let project = private();
    let url: serde_json::Value = serde_json::from_str(&project.run("dev url").ok().stdout).unwrap();
    let url = url["url"].as_str().unwrap().replace("tenure_dev@", "tenure@");
    let sql = "ALTER DATABASE tenure OWNER TO tenure";
    assert!(std::process::Command::new("psql").args(["-Xqc", sql, &url]).finish().status.success());
    let output = project.run("migrate up");
    assert_eq!(output.code, 3, "{output}");
    assert!(
        output.stdout.contains("private-server") && output.stdout.contains("tenure dev reset"),
        "{output}"
    );
    project.run("dev reset --yes").passes();
    project.run("migrate up").passes();
}

#[test]
fn extensions_of_the_superuser_are_created_in_an_empty_database() {
    let project = Private(Project::empty());
    project.0.migration(
        "0.0.0",
        "1.0.0",
        "base",
        "-- Scope: platform\nCREATE EXTENSION IF NOT EXISTS pg_stat_statements;",
    );
    let refused = project.run("dev start --extension file_fdw");
    assert_eq!(refused.code, 2, "{refused}");
    for _time in 0..2 {
        project.run("dev start --extension pg_stat_statements --extension earthdistance").passes();
    }
    project.run("migrate up").passes();
    project.run("dev start --extension pg_stat_statements").passes();
    // Now there are functions of the project.
    let refused = project.run("dev start --extension amcheck");
    assert!(refused.code == 3 && refused.stdout.contains("tenure dev reset"), "{refused}");
}

#[test]
fn a_publication_of_all_tables_does_not_stop_the_chain() {
    let project = Private(Project::empty());
    project.run("init --platform datalinx_platform").passes();
    let read = || std::fs::read_to_string(project.0.dir.path().join("tenure.toml")).unwrap();
    let settings = read();
    project.0.without_rules();
    let rules = read();
    project.0.file("tenure.toml", settings.replace("[verify.levels]\n", &rules));
    project.run("dev start").passes();
    let psql = superuser(&project);
    psql("ALTER SYSTEM SET wal_level = 'logical'");
    project.run("dev stop").passes();
    project.0.next_migration("-- Scope: platform\nCREATE PUBLICATION everything FOR ALL TABLES;");
    project.run("migrate up").passes();
    psql("SELECT FROM pg_create_logical_replication_slot('reader', 'pgoutput')");
    project.run("tenant create acme").passes();
    project.0.next_migration("-- Scope: platform\nCREATE TABLE more (id int PRIMARY KEY);");
    project.run("migrate up").passes();
    project.run("tenant drop acme --confirm acme").passes();
    project.run("tenant drop acme --purge --now --confirm acme").passes();
    assert_eq!(psql("SHOW wal_level").trim(), "logical");
    psql("SELECT pg_drop_replication_slot('reader')");
    let doctor = |state: &str| {
        let output = project.run("doctor");
        let checks: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
        let checks = checks["checks"].as_array().unwrap();
        let check = checks.iter().find(|it| it["check"] == "publications").unwrap();
        assert_eq!(check["state"], state, "{output}");
    };
    doctor("ok");
    // As in a database whose table somebody else has made.
    psql("ALTER TABLE datalinx_platform.schema_version REPLICA IDENTITY DEFAULT");
    doctor("fail");
}

#[test]
fn files_of_the_project_are_neither_its_server_nor_its_log() {
    let project = Private(Project::empty());
    project.run("init").passes();
    let outside = tempfile::NamedTempFile::new().unwrap();
    for name in ["server.lock", "server.log"] {
        project.0.file(".tenure/.keep", "");
        let link = project.0.dir.path().join(".tenure").join(name);
        let _absent = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(outside.path(), &link).unwrap();
        let output = project.run("dev start");
        assert_ne!(output.code, 0, "{name}: {output}");
        std::fs::remove_file(link).unwrap();
    }
    assert_eq!(outside.path().metadata().unwrap().len(), 0);
    project.run("dev reset --yes").passes();
    let folder = project.0.dir.path().join(".tenure/server");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).unwrap();
    }
    project.0.file(".tenure/server/data/PG_VERSION", "15\n");
    project.0.file(".tenure/server/data/postgresql.conf", "archive_command = 'id'\n");
    project.run("dev start").passes();
    let url = project.run("dev url").ok().stdout;
    assert!(!url.contains(&*project.0.dir.path().to_string_lossy()), "{url}");
}
