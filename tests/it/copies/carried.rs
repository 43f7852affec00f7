//! What belongs to a tenant but not to its schema is in a copy, too, or the copy is refused with a next step.

use crate::support::{Database, Project};

/// A project with a tenant `alpha` whose template also has this file.
fn with(file: &str) -> Project {
    let project = Project::seeds();
    project.without_rules();
    project.file("tenant_templates/default/900_more.sql", file);
    project.run("migrate up").passes();
    project.create(&["alpha"]);
    project
}

const TABLES: &str = "CREATE TABLE {org_schema}.tasks (id bigint PRIMARY KEY, state text, secret text);
CREATE TABLE {org_schema}.steps (id bigint PRIMARY KEY, task bigint);
CREATE INDEX steps_task ON {org_schema}.steps (task);";

#[test]
fn publications_list_the_tables_of_an_imported_tenant() {
    let project = with(TABLES);
    let is_15 =
        project.db.value("SELECT (current_setting('server_version_num')::int >= 150000)::text") == "true";
    let more = if is_15 {
        "CREATE PUBLICATION tasks_only FOR TABLE org_alpha.tasks (id, state) WHERE (state <> 'draft'); \
         CREATE PUBLICATION whole FOR TABLES IN SCHEMA org_alpha;"
    } else {
        "CREATE PUBLICATION tasks_only FOR TABLE org_alpha.tasks;"
    };
    project
        .db
        .run(&format!("CREATE PUBLICATION \"Steps\" FOR TABLE org_alpha.steps, org_alpha.tasks; {more}"));
    project.run("tenant export alpha --to alpha.tenure").passes();
    project.run("tenant import alpha.tenure --as beta").passes();
    let listed = |schema: &str| {
        let columns = if is_15 { "attnames::text, rowfilter" } else { "''" };
        project.db.column(&format!(
            "SELECT concat_ws(' ', pubname, tablename, {columns}) FROM pg_publication_tables WHERE schemaname = '{schema}' ORDER BY 1"
        ))
    };
    assert!(listed("org_alpha").len() > 3);
    assert_eq!(listed("org_beta"), listed("org_alpha"));
    project.db.run("DROP PUBLICATION \"Steps\", tasks_only");
    let document = project.expect_error("tenant import alpha.tenure --as gamma", "import-needs");
    let message = document["error"]["message"].as_str().unwrap();
    assert!(message.ends_with(": publication Steps; publication tasks_only"), "{message}");
}

#[test]
fn tables_and_indexes_keep_their_tablespaces() {
    let project = with(TABLES);
    if project.db.value("SELECT (current_setting('server_version_num')::int < 150000)::text") == "true" {
        #[expect(clippy::print_stderr, reason = "a skipped test must be visible")]
        {
            eprintln!("SKIPPED: PostgreSQL 14 has no tablespaces inside of its data folder");
        }
        return;
    }
    let [slow, fast] = ["slow", "fast"].map(|name| format!("{name}_{}", project.db.name));
    for name in [&slow, &fast] {
        // The setting and the statement must be separate messages, so it is the session's from the start.
        let url = format!("{}&options=-c%20allow_in_place_tablespaces%3Don", project.db.url);
        let session = Database { name: String::new(), url };
        session.run(&format!("CREATE TABLESPACE {name} LOCATION ''"));
    }
    project.db.run(&format!("ALTER TABLE org_alpha.tasks SET TABLESPACE {slow}"));
    project.db.run(&format!("ALTER INDEX org_alpha.steps_task SET TABLESPACE {fast}"));
    project.run("tenant export alpha --to alpha.tenure").passes();
    project.run("tenant import alpha.tenure --as beta").passes();
    let placed = |schema: &str| {
        project.db.column(&format!(
            "SELECT relname || ' ' || spcname FROM pg_class c JOIN pg_tablespace s ON s.oid = reltablespace \
             WHERE relnamespace = '{schema}'::regnamespace ORDER BY 1"
        ))
    };
    assert_eq!(placed("org_beta"), [format!("steps_task {fast}"), format!("tasks {slow}")]);
    for schema in ["org_alpha", "org_beta"] {
        project.db.run(&format!("ALTER TABLE {schema}.tasks SET TABLESPACE pg_default"));
        project.db.run(&format!("ALTER INDEX {schema}.steps_task SET TABLESPACE pg_default"));
    }
    for name in [&slow, &fast] {
        project.db.run(&format!("DROP TABLESPACE {name}"));
    }
    let document = project.expect_error("tenant import alpha.tenure --as gamma", "import-needs");
    let message = document["error"]["message"].as_str().unwrap();
    assert!(message.ends_with(&format!(": tablespace {fast}; tablespace {slow}")), "{message}");
}

/// The commands that copy rows.
const COPIES: [&str; 2] = ["tenant export alpha --to alpha.tenure", "tenant clone alpha beta --data"];

#[test]
fn large_objects_are_refused() {
    for (column, value) in [("file oid", "lo_create(0)"), ("file picture", "lo_from_bytea(0, 'x')")] {
        let project = with(&format!(
            "CREATE DOMAIN {{org_schema}}.picture AS oid; CREATE TABLE {{org_schema}}.files (id integer, {column}, content bytea);"
        ));
        // An OID of something else.
        project.db.run("INSERT INTO org_alpha.files VALUES (1, 1)");
        project.db.run(&format!("INSERT INTO org_alpha.files SELECT 2, {value}"));
        for command in COPIES {
            let document = project.expect_error(command, "copy-refused");
            let error = &document["error"];
            assert!(
                error["message"].as_str().unwrap().ends_with(": org_alpha.files, column file"),
                "{document}"
            );
            assert!(error["hint"].as_str().unwrap().contains("lo_get("), "{document}");
        }
        project.db.run("UPDATE org_alpha.files SET content = lo_get(file), file = NULL WHERE id = 2");
        project.run("drift").passes();
        for command in COPIES {
            project.run(command).passes();
        }
    }
}

#[test]
fn an_invalid_index_is_refused() {
    let project = with(TABLES);
    project.db.run("INSERT INTO org_alpha.steps VALUES (1, 1), (2, 1)");
    let failed = project.db.try_run("CREATE UNIQUE INDEX CONCURRENTLY one_step ON org_alpha.steps (task)");
    assert!(failed.is_err());
    let document = project.expect_error(COPIES[0], "copy-refused");
    let error = &document["error"];
    assert!(
        error["message"].as_str().unwrap().contains("org_alpha.one_step of org_alpha.steps is invalid"),
        "{document}"
    );
    assert!(error["hint"].as_str().unwrap().contains("DROP INDEX org_alpha.one_step"), "{document}");
    project.db.run("DROP INDEX org_alpha.one_step");
    project.run(COPIES[0]).passes();
    // As a failed REINDEX CONCURRENTLY leaves it.
    project.db.run("CREATE INDEX \"Kept_ccnew\" ON org_alpha.tasks (state)");
    project.db.run(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'org_alpha.\"Kept_ccnew\"'::regclass",
    );
    let document = project.expect_error(COPIES[0], "copy-refused");
    assert!(
        document["error"]["message"].as_str().unwrap().contains("\"Kept_ccnew\" of org_alpha.tasks"),
        "{document}"
    );
    // The index of a partitioned table is invalid until each partition has one.
    project.db.run(
        "DROP INDEX org_alpha.\"Kept_ccnew\"; CREATE TABLE org_alpha.log (at date) PARTITION BY RANGE (at); \
         CREATE TABLE org_alpha.log_1 PARTITION OF org_alpha.log DEFAULT; CREATE INDEX log_at ON ONLY org_alpha.log (at)",
    );
    project.run(COPIES[0]).passes();
    project.run("tenant import alpha.tenure --as beta").passes();
}

#[test]
fn rows_in_other_schemas_are_refused() {
    let project = with(
        "CREATE TABLE {org_schema}.log (at date) PARTITION BY RANGE (at); CREATE TABLE {org_schema}.notes (text text);",
    );
    for (made, child) in [
        (
            "CREATE TABLE attic.old PARTITION OF org_alpha.log DEFAULT; INSERT INTO org_alpha.log VALUES (now())",
            "attic.old",
        ),
        ("CREATE TABLE attic.\"More notes\" () INHERITS (org_alpha.notes)", "attic.\"More notes\""),
    ] {
        project.db.run(&format!("CREATE SCHEMA attic; {made}"));
        for command in COPIES {
            let document = project.expect_error(command, "copy-refused");
            assert!(document["error"]["message"].as_str().unwrap().contains(child), "{document}");
            let hint = format!("ALTER TABLE {child} SET SCHEMA \"org_alpha\"");
            assert!(document["error"]["hint"].as_str().unwrap().ends_with(&hint), "{document}");
        }
        project.db.run("DROP SCHEMA attic CASCADE");
    }
    project.run(COPIES[0]).passes();
}

const NAMES: &str = "CREATE TABLE {org_schema}.\"Odd name\" (id integer);
CREATE TYPE {org_schema}.mood AS ENUM ('a');
CREATE FUNCTION {org_schema}.act(integer) RETURNS integer LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION {org_schema}.act({org_schema}.mood) RETURNS integer LANGUAGE sql AS 'SELECT 2';
CREATE DOMAIN {org_schema}.some_table AS regclass;
CREATE TABLE {org_schema}.names (n integer PRIMARY KEY, t regclass, f regproc, p regprocedure, y regtype, s regnamespace, ts regclass[], d some_table);";

#[test]
fn a_clone_names_its_own_objects() {
    let project = with(NAMES);
    let rows = |schema: &str| {
        format!(
            "INSERT INTO org_alpha.names VALUES \
             (1, '{schema}.names', '{schema}.act(integer)'::regprocedure, '{schema}.act({schema}.mood)', '{schema}.mood[]', '{schema}', \
                 ARRAY['{schema}.\"Odd name\"', NULL, 'pg_class']::regclass[], '{schema}.\"Odd name\"'), \
             (2, 'datalinx_platform.users', 'now', 'pg_catalog.lower(text)', 'text', 'public', '{{}}', NULL), (3, 0, 0, 0, 0, 0, NULL, 99999)"
        )
    };
    project.db.run(&rows("org_alpha"));
    project.run("tenant clone alpha beta --data").passes();
    let seen = |schema: &str| {
        let sql = format!(
            "SELECT concat_ws(' ', t::oid::regclass, f::regprocedure, p, y, s, ts, d) FROM {schema}.names ORDER BY n"
        );
        project.db.column(&sql)
    };
    let expected =
        seen("org_alpha").into_iter().map(|row| row.replace("org_alpha", "org_beta")).collect::<Vec<_>>();
    assert_eq!(seen("org_beta"), expected);
    assert_eq!(expected[0].matches("org_beta").count(), 8, "{expected:?}");
}

#[test]
fn the_planner_knows_the_rows_of_a_clone() {
    let project = with(
        "CREATE TABLE {org_schema}.log (at date, text text) PARTITION BY RANGE (at);
         CREATE TABLE {org_schema}.log_rest PARTITION OF {org_schema}.log DEFAULT;
         CREATE MATERIALIZED VIEW {org_schema}.latest AS SELECT max(at) AS at FROM {org_schema}.log;",
    );
    project.db.run("INSERT INTO org_alpha.log SELECT now(), n::text FROM generate_series(1, 50) n; REFRESH MATERIALIZED VIEW org_alpha.latest");
    project.run("tenant clone alpha beta --data").passes();
    let known = "SELECT relname || ' ' || reltuples FROM pg_class WHERE relnamespace = 'org_beta'::regnamespace \
        AND relname IN ('log', 'log_rest', 'latest') ORDER BY 1";
    assert_eq!(project.db.column(known), ["latest 1", "log 50", "log_rest 50"]);
    let columns = "SELECT DISTINCT tablename::text FROM pg_stats WHERE schemaname = 'org_beta' ORDER BY 1";
    assert_eq!(project.db.column(columns), ["latest", "log", "log_rest"]);
}
