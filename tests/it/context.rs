//! What was there before decides: a project's statement is judged by what the template and the chain made,
//! a loose file by what `--base` makes.

use serde_json::Value;

use crate::support::Project;

/// The rules that find something, and how much that weighs.
fn found(project: &Project, line: &str) -> Vec<String> {
    let (_, document) = project.json(line);
    let findings = document["findings"].as_array().unwrap_or_else(|| panic!("{line}: {document}"));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    findings.iter().map(|finding| format!("{} {}", text(&finding["level"]), text(&finding["rule"]))).collect()
}

/// The seeds' project with one more migration.
fn with(sql: &str) -> Project {
    let project = Project::seeds();
    project.next_migration(sql);
    project
}

#[test]
fn a_project_is_judged_by_its_own_history() {
    for (sql, expected) in [
        // Of the template, of an early step, of neither.
        ("ALTER TABLE workspaces DROP COLUMN IF EXISTS never_was;", &[][..]),
        ("ALTER TABLE workspaces DROP COLUMN IF EXISTS settings;", &["deny drop-column"]),
        ("ALTER TABLE users DROP COLUMN IF EXISTS never_was;", &[]),
        ("ALTER TABLE users DROP COLUMN IF EXISTS mfa_secret;", &["deny drop-column"]),
        ("DROP TABLE IF EXISTS {org_schema}.never_was;", &[]),
        ("ALTER TABLE users ALTER COLUMN display_name TYPE varchar(300);", &["warn widen-column-type"]),
        ("ALTER TABLE users ALTER COLUMN display_name TYPE varchar(50);", &["deny change-column-type"]),
        ("ALTER TABLE mappings ALTER COLUMN version TYPE bigint;", &["warn rewrite-column-type"]),
        ("DROP INDEX datalinx_platform.idx_users_organization;", &["warn drop-index-locks"]),
        ("ALTER TABLE users DROP CONSTRAINT users_email_key;", &["deny drop-unique"]),
        // The tenant's schema is empty before its template, so what a migration makes there is new.
        (
            "CREATE TABLE IF NOT EXISTS {org_schema}.a (id uuid, created_at date, updated_at date); DROP TABLE {org_schema}.a;",
            &[],
        ),
        ("-- Scope: tenant\nALTER TABLE datalinx_platform.users ADD COLUMN a int;", &["deny beyond-tenant"]),
    ] {
        assert_eq!(found(&with(sql), "verify"), expected, "{sql}");
    }
}

#[test]
fn after_opaque_code_what_it_names_is_unknown() {
    let project = with(
        "-- Allow: opaque-code because it was tried on a copy\n-- Scope: platform\nDO $$ BEGIN EXECUTE 'ALTER TABLE users ADD note text'; END $$;",
    );
    project.migration("1.0.5", "1.0.6", "after", "ALTER TABLE users DROP COLUMN IF EXISTS never_was;");
    project.migration(
        "1.0.6",
        "1.0.7",
        "others",
        "ALTER TABLE datalinx_platform.organizations DROP COLUMN IF EXISTS never_was;",
    );
    assert_eq!(found(&project, "verify"), ["deny opaque-code", "deny drop-column"]);
}

#[test]
fn several_templates_leave_the_tenants_schema_unknown() {
    let project = with("ALTER TABLE workspaces DROP COLUMN IF EXISTS never_was;");
    assert_eq!(found(&project, "verify"), [""; 0]);
    let other = "-- Template: v1.0.0\nCREATE TABLE {org_schema}.workspaces (id UUID PRIMARY KEY, never_was TIMESTAMP);";
    project.file("tenant_templates/other/010.sql", other);
    assert_eq!(found(&project, "verify"), ["deny drop-column"]);
}

#[test]
fn a_loose_file_is_judged_on_the_base() {
    let project = Project::empty();
    project
        .file("base.sql", "CREATE TABLE users (id uuid PRIMARY KEY, name varchar(50), email text UNIQUE);");
    project.file("more.sql", "CREATE INDEX by_name ON users (name);");
    for (sql, on_base, alone) in [
        (
            "ALTER TABLE users ALTER name TYPE text",
            &["warn widen-column-type"][..],
            &["deny change-column-type"][..],
        ),
        ("ALTER TABLE users DROP COLUMN IF EXISTS nick", &[], &["deny drop-column"]),
        ("ALTER TABLE users DROP COLUMN email", &["deny drop-column"], &["deny drop-column"]),
        ("DROP INDEX CONCURRENTLY by_name", &[], &["deny drop-unique"]),
        ("SELECT now()", &[], &[]),
    ] {
        project.file("a.sql", format!("{sql};\n"));
        assert_eq!(found(&project, "verify a.sql --base base.sql --base more.sql"), on_base, "{sql}");
        assert_eq!(found(&project, "verify a.sql"), alone, "{sql}");
    }
}

#[test]
fn each_loose_file_is_judged_on_its_own() {
    let project = Project::empty();
    project.file("base.sql", "CREATE TABLE t (id uuid PRIMARY KEY);");
    project.file("a.sql", "ALTER TABLE t ADD COLUMN a int;").file("b.sql", "ALTER TABLE t DROP COLUMN a;");
    assert_eq!(found(&project, "verify a.sql b.sql --base base.sql"), ["deny drop-column"]);
}

#[test]
fn a_base_that_is_no_sql_is_an_error() {
    let project = Project::empty();
    project.file("base.sql", "CREATE TABEL t (id int);").file("a.sql", "SELECT 1;");
    let (exit, document) = project.json("verify a.sql --base base.sql");
    assert_eq!((exit, document["error"]["file"].as_str()), (2, Some("base.sql")), "{document}");
    let (exit, _) = project.json("verify --base base.sql");
    assert_eq!(exit, 2, "without a file there is nothing to judge on it");
}
