//! SQL that is wrong: exit 2, a stable code, line and column, the line shown, and nothing written.

use insta::assert_snapshot;

use crate::bad_files::{FIRST, project_of, refused};

const SECOND: &str = "migrations/v1.0.0_to_v1.0.1_second.sql";

/// Some bodies of a second migration, which begin on its line 3; the code and the line and column of each.
fn refused_body(cases: &[(&str, &str, &str)]) {
    let cases: Vec<_> = cases
        .iter()
        .map(|(body, code, at)| {
            let text = format!("-- Migration: v1.0.0 to v1.0.1\n-- Description: second\n{body}");
            ([FIRST, (SECOND, text.leak().as_bytes())], *code, format!("{SECOND}:{at}"))
        })
        .collect();
    let cases: Vec<_> =
        cases.iter().map(|(files, code, place)| (files.as_slice(), *code, place.as_str())).collect();
    refused(&cases);
}

/// What people see of one body of a second migration.
fn shown(body: &str) -> String {
    let project = project_of(&[FIRST]);
    project.migration("1.0.0", "1.0.1", "second", body);
    project.run("migrate up").to_string()
}

#[test]
fn the_files_own_version_statement_says_the_files_version() {
    let set = |what: &str| {
        format!("SELECT datalinx_platform.f();\nUPDATE datalinx_platform.schema_version\nSET {what};\n")
    };
    refused_body(&[
        (&set("version = '1.0.2', applied_at = NOW()"), "version-mismatch", "5:15"),
        (&set("version = 'v1.0.1'"), "version-mismatch", "5:15"),
        (&set("version = '1.0.1', description = 'x'"), "version-mismatch", "4:1"),
        (&set("version = version"), "version-mismatch", "5:15"),
        ("DELETE FROM datalinx_platform.schema_version;", "own-table", "3:13"),
        ("UPDATE datalinx_platform.U&\"tenant_v\\0065rsion\" SET version = '1.0.0';", "own-table", "3:8"),
        ("DELETE FROM U&\"datalinx!005fplatform\" UESCAPE '!'.tenant_version;", "own-table", "3:13"),
        (
            "INSERT INTO datalinx_platform.schema_version (version) VALUES ('9.0.0');",
            "version-mismatch",
            "3:64",
        ),
    ]);
    assert_snapshot!(shown(&set("version = '1.0.2', applied_at = NOW()")), @"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error[version-mismatch]: the schema_version statement of the file sets '1.0.2', but the file migrates to 1.0.1
     --> migrations/v1.0.0_to_v1.0.1_second.sql:5:15
      |
    5 | SET version = '1.0.2', applied_at = NOW();
      |               ^^^^^^^
      |
      = help: write '1.0.1', or remove the statement
    ");
}

/// What the program keeps is in its own migrations; each table and function there is refused in a file.
#[test]
fn statements_on_tenures_own_tables_are_refused() {
    let made = regex::Regex::new(r"CREATE (TABLE|FUNCTION) (\w+)").unwrap();
    let mut files = Vec::new();
    for (_, text) in crate::repo_lints::files("src/postgres/metadata/sql", "sql") {
        for found in made.captures_iter(&text) {
            files.push((
                format!("DROP {} datalinx_platform.{} CASCADE;", &found[1], &found[2]),
                found[1].len() + 7,
            ));
        }
    }
    assert!(files.len() > 8, "{files:?}");
    let at: Vec<_> = files.iter().map(|(_, column)| format!("3:{column}")).collect();
    let mut cases: Vec<_> =
        files.iter().zip(&at).map(|((sql, _), at)| (sql.as_str(), "own-table", at.as_str())).collect();
    cases.push(("-- Scope: platform\nALTER TABLE run ADD c int;", "own-table", "4:13"));
    cases.push((
        "WITH d AS (DELETE FROM schema_version)\nSELECT datalinx_platform.f();",
        "own-table",
        "3:24",
    ));
    cases.push(("CREATE SCHEMA datalinx_platform AUTHORIZATION CURRENT_USER;", "own-table", "3:1"));
    refused_body(&cases);
    assert_snapshot!(shown("TRUNCATE datalinx_platform.tenant_version;\n"), @r#"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error[own-table]: "tenant_version" belongs to Tenure: no file may create, alter or drop it
     --> migrations/v1.0.0_to_v1.0.1_second.sql:3:10
      |
    3 | TRUNCATE datalinx_platform.tenant_version;
      |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: remove the statement; queries, indexes, comments and grants are allowed
    "#);
}

#[test]
fn reading_tenures_own_tables_is_allowed() {
    let project = crate::support::Project::seeds();
    project.next_migration("CREATE INDEX by_time ON schema_version (applied_at);\n\
         COMMENT ON TABLE datalinx_platform.schema_version IS 'the version';\n\
         GRANT SELECT ON datalinx_platform.schema_version TO PUBLIC;\n\
         CREATE VIEW datalinx_platform.versions AS SELECT schema_name FROM datalinx_platform.tenant_version;\n\
         CREATE TABLE {org_schema}.run (id int);\n\
         CREATE TABLE {org_schema}.schema_version (version text);\n\
         INSERT INTO {org_schema}.schema_version VALUES ('mine');\n",
    );
    let _done = project.run("migrate up").ok();
    project.create(&["a"]);
    assert_eq!(project.db.value("SELECT version FROM org_a.schema_version"), "mine");
}

#[test]
fn a_syntax_error_is_shown_with_its_line_and_a_caret() {
    refused_body(&[
        ("ALTER TABLE datalinx_platform.things\n  ADD COLUM c int int;\n", "syntax", "4:15"),
        ("CREATE TABLE datalinx_platform.x (id int\n", "syntax", "3:41"),
        ("SELECT 'a string that never ends;\n", "syntax", "3:8"),
        ("SELECT $$ a body that never ends;\n", "syntax", "3:8"),
        ("/* a comment that never ends\nSELECT 1;\n", "syntax", "3:1"),
        ("THIS IS NO SQL;\n", "syntax", "3:1"),
        ("SELECT datalinx_platform.f();\rTHIS IS NO SQL;\r", "syntax", "4:1"),
    ]);
    assert_snapshot!(shown("ALTER TABLE datalinx_platform.things\n  ADD COLUMN c int int;\n"), @"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error[syntax]: syntax error: unexpected `int` after a complete statement
     --> migrations/v1.0.0_to_v1.0.1_second.sql:4:20
      |
    4 |   ADD COLUMN c int int;
      |                    ^^^
    ");
    assert_snapshot!(shown("CREATE TABLE datalinx_platform.x (\n  id int,,\n  name text\n);\n"), @"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error[syntax]: syntax error: unexpected comma
     --> migrations/v1.0.0_to_v1.0.1_second.sql:4:10
      |
    4 |   id int,,
      |          ^
    ");
}

#[test]
fn a_nul_byte_is_shown_where_it_stands() {
    refused_body(&[
        ("SELECT datalinx_platform.f('\0');\n", "syntax", "3:29"),
        ("-- a \0 in a comment\nSELECT datalinx_platform.f();\n", "syntax", "3:6"),
    ]);
}

#[test]
fn a_drop_without_a_name_is_refused() {
    refused_body(&[("DROP TABLE;\n", "syntax", "3:1"), ("DROP TABLE IF EXISTS ;\n", "syntax", "3:1")]);
}

/// Whatever a file holds, the program answers and does not crash.
#[test]
fn deeply_nested_sql_is_refused() {
    let files: Vec<_> = [
        ("(", "1", ")"),
        ("f(", "1", ")"),
        ("- ", "1", ""),
        ("NOT ", "1", ""),
        ("1 + ", "1", ""),
        ("a.", "a", ""),
        ("1 UNION SELECT ", "1", ""),
        ("1, 2 UNION SELECT ", "1, 2", ""),
        ("CASE WHEN a THEN ", "1", " END"),
        ("CASE WHEN a THEN b ELSE ", "1", " END"),
    ]
    .iter()
    .flat_map(|(before, middle, after)| {
        [3_000, 20_000].map(|n| format!("SELECT {}{middle}{};", before.repeat(n), after.repeat(n)))
    })
    .collect();
    let project = project_of(&[FIRST]);
    for sql in files {
        project.migration("1.0.0", "1.0.1", "second", &format!("-- Scope: platform\n{sql}"));
        // What is short enough to be followed is a statement like another.
        let seen = project.run("verify");
        assert!(
            seen.code == 0 || (seen.code, seen.stderr.contains("too deeply")) == (2, true),
            "{}",
            seen.code
        );
        if sql.len() > 190_000 {
            assert_eq!(seen.code, 2, "{}", &sql[..40]);
        }
    }
}

#[test]
fn transaction_control_inside_a_file_is_refused() {
    let ok = "ALTER TABLE datalinx_platform.things ADD c int;";
    let controls = [
        "COMMIT",
        "ROLLBACK",
        "ROLLBACK TO SAVEPOINT a",
        "SAVEPOINT a",
        "RELEASE SAVEPOINT a",
        "BEGIN",
        "START TRANSACTION",
        "END",
        "ABORT",
        "COMMIT AND CHAIN",
        "PREPARE TRANSACTION 'a'",
        "COMMIT PREPARED 'a'",
        "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    ];
    let files: Vec<_> = controls
        .iter()
        .flat_map(|control| {
            let bare = format!("{ok}\n{control};\n{ok}\n");
            let wrapped = format!("BEGIN;\n{ok}\n  {control};\n{ok}\nCOMMIT;\n");
            [(bare, "4:1"), (wrapped, "5:3")]
        })
        .collect();
    let cases: Vec<_> = files.iter().map(|(sql, at)| (sql.as_str(), "transaction-control", *at)).collect();
    refused_body(&cases);
    refused_body(&[
        (&format!("BEGIN;\n{ok}\n"), "transaction-control", "3:1"),
        (&format!("{ok}\nCOMMIT;\n"), "transaction-control", "4:1"),
        (&format!("BEGIN;\n{ok}\nROLLBACK;\n"), "transaction-control", "5:1"),
        (&format!("BEGIN;\n{ok}\nCOMMIT;\n{ok}\n"), "transaction-control", "5:1"),
        (&format!("BEGIN ISOLATION LEVEL SERIALIZABLE;\n{ok}\nCOMMIT;\n"), "transaction-control", "3:1"),
        (&format!("BEGIN;\n{ok}\nCOMMIT AND CHAIN;\n"), "transaction-control", "5:1"),
    ]);
    assert_snapshot!(shown(&format!("BEGIN;\n{ok}\nCOMMIT;\nBEGIN;\n{ok}\nCOMMIT;\n")), @"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error[transaction-control]: COMMIT inside a file: a unit is one transaction, and Tenure begins and ends it
     --> migrations/v1.0.0_to_v1.0.1_second.sql:5:1
      |
    5 | COMMIT;
      | ^^^^^^
      |
      = help: keep at most a plain BEGIN; as the first statement and a plain COMMIT; as the last
    ");
}

/// The first line of the error of a file with this SQL.
fn message(sql: &str) -> String {
    shown(sql).lines().find(|line| line.starts_with("error[")).unwrap_or_default().to_owned()
}

#[test]
fn messages_say_what_is_wrong() {
    let index = "CREATE INDEX CONCURRENTLY i ON datalinx_platform.things (id)";
    for (sql, expected) in [
        ("FROB x;\n", "syntax error: no SQL statement starts like this"),
        (
            "CREATE TABLE datalinx_platform.x (id int) WHIT (fillfactor = 10);\n",
            "syntax error: unexpected `WHIT` after a complete statement",
        ),
        (
            "INSERT INTO datalinx_platform.things (id) VALUES (1) RETURNIN id;\n",
            "syntax error: unexpected `RETURNIN` after a complete statement",
        ),
        (
            "CREATE INDEX i ON datalinx_platform.things (id) WEHRE id > 1;\n",
            "syntax error: unexpected `WEHRE` after a complete statement",
        ),
        ("BEGIN;\nSELECT datalinx_platform.f();\n", "the file opens a transaction that it does not close"),
        (
            "START TRANSACTION;\nSELECT datalinx_platform.f();\n",
            "the file opens a transaction that it does not close",
        ),
        ("SELECT datalinx_platform.f();\nEND;\n", "the file closes a transaction that it does not open"),
        (
            &format!("BEGIN;\n{index};\nCOMMIT;\n"),
            "CREATE INDEX cannot run in a transaction, but the file has BEGIN and COMMIT",
        ),
        (
            "BEGIN;\nVACUUM datalinx_platform.things;\nEND;\n",
            "VACUUM cannot run in a transaction, but the file has BEGIN and COMMIT",
        ),
        (
            &format!("BEGIN;\n{index};\nSELECT datalinx_platform.f();\nCOMMIT;\n"),
            "CREATE INDEX cannot run in a transaction, but other statements of the file must",
        ),
    ] {
        assert!(message(sql).ends_with(&format!(": {expected}")), "{sql}: {}", message(sql));
    }
}

#[test]
fn psql_commands_are_refused() {
    refused_body(&[
        ("\\i other.sql\n", "psql-meta-command", "3:1"),
        ("SELECT datalinx_platform.f();\n\\set ON_ERROR_STOP on\n", "psql-meta-command", "4:1"),
        ("\\copy datalinx_platform.things FROM 'x.csv'\n", "psql-meta-command", "3:1"),
        ("SELECT datalinx_platform.f() \\gexec\n", "psql-meta-command", "3:30"),
        ("COPY datalinx_platform.things FROM stdin;\n1\n\\.\n", "copy-from-stdin", "3:36"),
        ("COPY datalinx_platform.things (id) FROM STDIN WITH (FORMAT csv);\n", "copy-from-stdin", "3:41"),
        ("COPY datalinx_platform.things TO STDOUT;\n", "copy-to-stdout", "3:34"),
        ("BEGIN;\nCOPY (SELECT 1) TO STDOUT (FORMAT csv);\nCOMMIT;\n", "copy-to-stdout", "4:20"),
    ]);
    assert_snapshot!(shown("\\i other.sql\n"), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error[psql-meta-command]: a psql command cannot be part of a migration
     --> migrations/v1.0.0_to_v1.0.1_second.sql:3:1
      |
    3 | \i other.sql
      | ^^^^^^^^^^^^
      |
      = help: write the same in SQL; settings of psql have no effect here
    ");
    assert_snapshot!(shown("COPY datalinx_platform.things FROM stdin;\n1\n\\.\n"), @"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error[copy-from-stdin]: COPY … FROM STDIN cannot be part of a migration: its data is not SQL
     --> migrations/v1.0.0_to_v1.0.1_second.sql:3:36
      |
    3 | COPY datalinx_platform.things FROM stdin;
      |                                    ^^^^^
      |
      = help: use INSERT … VALUES instead; pg_dump writes it with --inserts
    ");
}

#[test]
fn a_statement_that_could_be_anybodys_is_refused() {
    refused_body(&[
        ("SELECT 1;\n", "scope-unclear", "3:1"),
        ("-- a note\nCREATE TABLE anybodys (id int);\n", "scope-unclear", "4:1"),
        ("DO $$ BEGIN NULL; END $$;\n", "scope-unclear", "3:1"),
        ("ALTER TABLE org_acme.workspaces ADD c int;\n", "scope-unclear", "3:1"),
        // A write inside a WITH is a write.
        (
            "WITH moved AS (DELETE FROM datalinx_platform.things RETURNING id)\n\
             INSERT INTO {org_schema}.workspaces SELECT id FROM moved;\n",
            "scope-unclear",
            "3:1",
        ),
        // No tenant is where the platform's statement runs.
        ("UPDATE datalinx_platform.things SET id = 1 WHERE '{org_schema}' = 'x';\n", "scope-unclear", "3:1"),
        ("-- Scope: platform\nDO $$ BEGIN DROP TABLE {org_schema}.x; END $$;\n", "scope-unclear", "4:1"),
        ("-- Scope: platform\nCREATE TABLE {org_schema}.x (id int);\n", "scope-unclear", "4:1"),
    ]);
    assert_snapshot!(shown("CREATE TABLE anybodys (id int);\n"), @r#"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error[scope-unclear]: it is unclear whether this statement acts on the platform or on each tenant: "anybodys" is a new name
     --> migrations/v1.0.0_to_v1.0.1_second.sql:3:1
      |
    3 | CREATE TABLE anybodys (id int);
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: add a line `-- Scope: platform` or `-- Scope: tenant` above the statement, or qualify the name
    "#);
}

#[test]
fn a_statement_that_must_be_alone_stands_alone() {
    let index = "CREATE INDEX CONCURRENTLY i ON datalinx_platform.things (id);\n";
    let add = "ALTER TABLE datalinx_platform.things ADD c int;\n";
    refused_body(&[
        (&format!("{add}{index}"), "mixed-transaction", "4:1"),
        (&format!("{index}{add}"), "mixed-transaction", "3:1"),
        (&format!("BEGIN;\n{index}COMMIT;\n"), "mixed-transaction", "4:1"),
    ]);
    assert_snapshot!(shown(&format!("{add}{index}")), @"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error[mixed-transaction]: CREATE INDEX cannot run in a transaction, but other statements of the file must
     --> migrations/v1.0.0_to_v1.0.1_second.sql:4:1
      |
    4 | CREATE INDEX CONCURRENTLY i ON datalinx_platform.things (id);
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: move it into a separate migration without BEGIN and COMMIT
    ");
}
