//! Statements on own objects: removed, rejected or unchanged.

use super::*;
use crate::error::Source;
use crate::sql::Scope;

const FILE: FileKind<'_> = FileKind::Migration { version: "1.0.3" };

fn remaining(sql: &str, file: FileKind<'_>, scope: Option<Scope>) -> Result<usize, SqlError> {
    let script = Script::parse(Source::new("t.sql", sql)).unwrap();
    let filter = MetadataFilter { platform: "p", file };
    filter.body(&script, |_| scope).map(|body| body.statements.len())
}

fn of_platform(sql: &str) -> Result<usize, SqlError> {
    remaining(sql, FILE, Some(Scope::Platform))
}

#[test]
fn the_exact_forms_are_removed() {
    for sql in [
        "CREATE SCHEMA p",
        "CREATE SCHEMA IF NOT EXISTS {org_schema}",
        "CREATE TABLE p.schema_version (version text)",
        "CREATE TABLE IF NOT EXISTS schema_version (version VARCHAR(20) NOT NULL, applied_at TIMESTAMPTZ DEFAULT now(), PRIMARY KEY (version))",
        "UPDATE ONLY p.schema_version AS s SET applied_at = now(), version = '1.0.3' WHERE s.version = '1.0.2'",
        "UPDATE schema_version SET version = E'1.0.3'",
        "UPDATE schema_version SET version = $v$1.0.3$v$",
        "INSERT INTO p.schema_version VALUES ('1.0.3', now())",
        "INSERT INTO p.schema_version (applied_at, version) VALUES (DEFAULT, '1.0.3') ON CONFLICT DO NOTHING",
        "INSERT INTO schema_version (version) VALUES ('1.0.3') ON CONFLICT (version) DO UPDATE SET version = EXCLUDED.version, applied_at = now()",
    ] {
        assert_eq!(of_platform(sql), Ok(0), "{sql}");
    }
}

#[test]
fn other_forms_are_errors() {
    for sql in [
        "CREATE TABLE p.schema_version (version text, hot int)",
        "CREATE TABLE p.schema_version (applied_at timestamptz)",
        "CREATE TABLE p.schema_version (LIKE p.users)",
        "CREATE TABLE p.schema_version (version text REFERENCES p.versions)",
        "CREATE TABLE p.schema_version (version text) INHERITS (p.a)",
        "CREATE UNLOGGED TABLE p.schema_version (version text)",
        "UPDATE p.schema_version SET version = '1.0.3', hot = 1",
        "UPDATE p.schema_version SET applied_at = now()",
        "UPDATE p.schema_version SET version = '1.0.3' FROM p.users",
        "UPDATE p.schema_version SET version = '1.0.3' RETURNING version",
        "INSERT INTO p.schema_version SELECT '1.0.3'",
        "INSERT INTO p.schema_version VALUES ('1.0.3'), ('1.0.3')",
        "INSERT INTO p.schema_version DEFAULT VALUES",
        "INSERT INTO p.schema_version VALUES ('1.0.3') RETURNING version",
        "INSERT INTO p.schema_version VALUES ('1.0.3') ON CONFLICT (version) DO UPDATE SET hot = 1",
    ] {
        assert!(matches!(of_platform(sql), Err(SqlError::VersionStatement { .. })), "{sql}");
    }
    for version in
        ["'1.0.4'", "'1.0.3' || 'x'", "'1.0.'\n'3'", "E'1.0\\x2e3'", "DEFAULT", "('1.0.3')", "f('1.0.3')"]
    {
        let sql = format!("UPDATE p.schema_version SET version = {version}");
        assert!(matches!(of_platform(&sql), Err(SqlError::VersionMismatch { .. })), "{sql}");
    }
    for sql in ["CREATE SCHEMA p AUTHORIZATION r", "CREATE SCHEMA {org_schema} CREATE TABLE t (id int)"] {
        assert!(matches!(of_platform(sql), Err(SqlError::SchemaStatement { .. })), "{sql}");
    }
}

#[test]
fn changes_of_own_objects_are_errors() {
    for sql in [
        "DELETE FROM p.schema_version",
        "DELETE FROM schema_version",
        "TRUNCATE p.users, p.tenant_version",
        "ALTER TABLE p.schema_version ADD c int",
        "ALTER TABLE p.run RENAME TO runs",
        "DROP TABLE IF EXISTS p.migration_history CASCADE",
        "CREATE TABLE p.run (id int)",
        "CREATE TABLE p.schema_version AS SELECT 1 AS version",
        "CREATE TRIGGER t AFTER UPDATE ON p.schema_version EXECUTE FUNCTION p.f()",
        "CREATE VIEW p.schema_version AS SELECT 1",
        "WITH d AS (DELETE FROM p.run RETURNING id) SELECT * FROM d",
        "MERGE INTO p.tenant_version USING p.users ON true WHEN MATCHED THEN DELETE",
        "EXPLAIN ANALYZE UPDATE p.schema_version SET version = '9'",
        "WITH d AS (DELETE FROM p.users) UPDATE p.schema_version SET version = '1.0.3'",
        "DROP FUNCTION p.tenure_advance",
        "CREATE OR REPLACE FUNCTION p.tenure_record() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "SELECT p.tenure_advance_platform('1.0.0', '9.0.0')",
        "DROP SCHEMA p CASCADE",
        "ALTER SCHEMA p RENAME TO q",
    ] {
        assert!(matches!(of_platform(sql), Err(SqlError::OwnTable { .. })), "{sql}");
        let in_template = remaining(sql, FileKind::Template, Some(Scope::Tenant));
        assert!(matches!(in_template, Err(SqlError::OwnTable { .. }) | Ok(1)), "{sql}");
    }
    for sql in [
        "SELECT version FROM p.schema_version",
        "INSERT INTO p.users SELECT version FROM p.migration_history",
        "CREATE VIEW p.v AS SELECT * FROM p.tenant_version",
        "GRANT SELECT ON p.schema_version TO app",
        "COMMENT ON TABLE p.schema_version IS 'x'",
        "CREATE INDEX i ON schema_version (applied_at)",
        "CREATE TABLE p.t (version text REFERENCES p.schema_version (version))",
        "ALTER TABLE p.t DROP CONSTRAINT run",
        "DELETE FROM {org_schema}.schema_version",
        "CREATE TABLE {org_schema}.run (id int)",
        "DROP SCHEMA other",
        "ALTER SCHEMA p OWNER TO r",
        "SELECT p.tenure_years(1)",
    ] {
        assert_eq!(of_platform(sql), Ok(1), "{sql}");
    }
}

#[test]
fn a_tenant_may_have_a_table_of_that_name() {
    let sql = "CREATE TABLE schema_version (id int); UPDATE schema_version SET version = '9'; DROP TABLE schema_version";
    assert_eq!(remaining(sql, FILE, Some(Scope::Tenant)), Ok(3));
    assert_eq!(remaining(sql, FileKind::Template, Some(Scope::Tenant)), Ok(3));
    assert!(matches!(remaining(sql, FILE, None), Err(SqlError::ScopeUnclear { .. })));
    let qualified = "UPDATE p.schema_version SET version = '1.0.3'";
    assert!(matches!(remaining(qualified, FileKind::Template, None), Err(SqlError::OwnTable { .. })));
    assert_eq!(remaining(qualified, FileKind::Standalone, None), Ok(0));
    let of_platform = "CREATE TABLE run (id int)";
    let script = Script::parse(Source::new("t.sql", of_platform)).unwrap();
    assert!(
        MetadataFilter { platform: "p", file: FILE }
            .check_platform_statement(&script, &script.statements[0])
            .is_err()
    );
}
