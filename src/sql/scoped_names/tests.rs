//! The scope of statements, derived from their names.

use super::*;
use crate::error::Source;
use crate::sql::Script;

fn scope_clue(sql: &str) -> ScopeClue {
    let made = |sql: &str| Script::parse(Source::new("t.sql", sql)).unwrap().statements;
    let mut known = ScopedNames::default();
    for mut statement in made("CREATE TABLE users (id int); CREATE TABLE shared (id int)") {
        known.apply(&mut statement, Scope::Platform);
    }
    for mut statement in made(
        "CREATE TABLE workspaces (id int); CREATE TABLE shared (id int); CREATE INDEX i ON workspaces (id)",
    ) {
        known.apply(&mut statement, Scope::Tenant);
    }
    known.scope_clue(&made(sql)[0], "datalinx_platform")
}

#[test]
fn names_determine_the_scope() {
    let platform = ScopeClue::Certain(Scope::Platform);
    let tenant = ScopeClue::Certain(Scope::Tenant);
    assert_eq!(scope_clue("ALTER TABLE workspaces ADD c int"), tenant);
    assert_eq!(scope_clue("ALTER TABLE users ADD c int"), platform);
    assert_eq!(scope_clue("ALTER TABLE datalinx_platform.x ADD c int"), platform);
    assert_eq!(
        scope_clue("CREATE TABLE {org_schema}.x (u uuid REFERENCES datalinx_platform.users(id))"),
        tenant
    );
    assert_eq!(scope_clue("CREATE TABLE x (w uuid REFERENCES workspaces(id))"), tenant);
    assert_eq!(scope_clue("CREATE INDEX i ON users (id)"), platform);
    assert_eq!(scope_clue("DROP INDEX i"), tenant);
    assert_eq!(scope_clue("CREATE EXTENSION citext"), platform);
    assert_eq!(scope_clue("GRANT USAGE ON SCHEMA {org_schema} TO app"), tenant);
    assert_eq!(scope_clue("SELECT datalinx_platform.refresh()"), platform);
    assert_eq!(scope_clue("SET LOCAL work_mem = '1GB'"), ScopeClue::Inherited);
}

#[test]
fn other_scopes_are_unclear() {
    for sql in [
        "CREATE TABLE x (id int)",
        "CREATE TABLE x (u uuid REFERENCES users(id))",
        "ALTER TABLE shared ADD c int",
        "ALTER TABLE org_acme.workspaces ADD c int",
        "DO $$ BEGIN NULL; END $$",
        "INSERT INTO users SELECT * FROM workspaces",
        "SELECT 1",
    ] {
        assert!(matches!(scope_clue(sql), ScopeClue::Unclear(_)), "{sql}");
    }
}

#[test]
fn a_tenant_schema_has_its_own_message() {
    let reason = |sql: &str| {
        let script = Script::parse(Source::new("t.sql", sql)).unwrap();
        match ScopedNames::for_project("org_").scope_clue(&script.statements[0], "datalinx_platform") {
            ScopeClue::Unclear(why) => why,
            clue => panic!("{sql}: {clue:?}"),
        }
    };
    for sql in [
        "ALTER TABLE org_acme.workspaces ADD c int",
        "DROP VIEW org_b.v",
        "COMMENT ON SCHEMA org_acme IS 'x'",
    ] {
        assert!(reason(sql).starts_with(ONE_TENANT), "{sql}: {}", reason(sql));
    }
    assert!(reason("ALTER TABLE lookup.t ADD c int").starts_with(OTHER_SCHEMA));
}

#[test]
fn writes_are_found_at_any_depth() {
    for sql in [
        "WITH moved AS (DELETE FROM datalinx_platform.users RETURNING id) INSERT INTO {org_schema}.w SELECT id FROM moved",
        "WITH a AS (WITH b AS (UPDATE users SET id = 1 RETURNING id) SELECT * FROM b) DELETE FROM workspaces",
        "WITH m AS (INSERT INTO users VALUES (1)) MERGE INTO workspaces w USING m ON true WHEN MATCHED THEN DELETE",
        "EXPLAIN ANALYZE WITH m AS (DELETE FROM users) DELETE FROM workspaces",
    ] {
        assert_eq!(scope_clue(sql), ScopeClue::Unclear("it acts on both".to_owned()), "{sql}");
    }
    assert_eq!(
        scope_clue("WITH m AS (DELETE FROM users RETURNING id) SELECT * FROM m"),
        ScopeClue::Certain(Scope::Platform)
    );
    for sql in [
        "MERGE INTO workspaces USING users ON true WHEN MATCHED THEN DELETE",
        "UPDATE workspaces SET id = 1 FROM (SELECT * FROM users FOR UPDATE) u",
        "CREATE FUNCTION {org_schema}.f() RETURNS void BEGIN ATOMIC INSERT INTO datalinx_platform.audit VALUES (1); END",
        "CREATE RULE r AS ON INSERT TO workspaces DO ALSO INSERT INTO datalinx_platform.audit VALUES (1)",
    ] {
        assert_eq!(scope_clue(sql), ScopeClue::Certain(Scope::Tenant), "{sql}");
    }
}

#[test]
fn the_placeholder_gives_tenant_scope_everywhere() {
    for sql in [
        "DO $$ BEGIN EXECUTE 'DROP TABLE {org_schema}.x'; END $$",
        "SELECT set_config('a.b', '{org_schema}', true)",
        "CREATE ROLE {org_schema}_reader",
        "SET LOCAL a.b = '{org_schema}'",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA {org_schema} GRANT SELECT ON TABLES TO r",
    ] {
        assert_eq!(scope_clue(sql), ScopeClue::Certain(Scope::Tenant), "{sql}");
    }
    for sql in
        ["UPDATE datalinx_platform.users SET a = '{org_schema}'", "COMMENT ON TABLE users IS '{org_schema}'"]
    {
        assert!(matches!(scope_clue(sql), ScopeClue::Unclear(_)), "{sql}");
    }
    assert_eq!(
        scope_clue("DELETE FROM users /* {org_schema} */ WHERE true"),
        ScopeClue::Certain(Scope::Platform)
    );
}

#[test]
fn objects_outside_schemas_have_platform_scope() {
    for sql in [
        "GRANT a TO b",
        "REVOKE a FROM b",
        "GRANT CONNECT ON DATABASE d TO r",
        "GRANT USAGE ON FOREIGN SERVER s TO r",
        "COMMENT ON ROLE r IS 'x'",
        "COMMENT ON DATABASE d IS 'x'",
        "COMMENT ON EXTENSION e IS 'x'",
        "COMMENT ON SCHEMA datalinx_platform IS 'x'",
        "SECURITY LABEL ON ROLE r IS 'x'",
        "CREATE USER MAPPING FOR r SERVER s",
        "DROP SERVER s",
        "ALTER SERVER s VERSION '2'",
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO r",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA datalinx_platform GRANT SELECT ON TABLES TO r",
    ] {
        assert_eq!(scope_clue(sql), ScopeClue::Certain(Scope::Platform), "{sql}");
    }
    assert_eq!(scope_clue("COMMENT ON SCHEMA {org_schema} IS 'x'"), ScopeClue::Certain(Scope::Tenant));
    assert_eq!(scope_clue("GRANT SELECT ON workspaces TO r"), ScopeClue::Certain(Scope::Tenant));
    assert!(matches!(scope_clue("COMMENT ON SCHEMA org_acme IS 'x'"), ScopeClue::Unclear(_)));
}

#[test]
fn temporary_names_end_with_their_file() {
    let mut known = ScopedNames::default();
    let mut learn = |scope, sql: &str| {
        for mut statement in Script::parse(Source::new("t.sql", sql)).unwrap().statements {
            known.apply(&mut statement, scope);
        }
        known.clone()
    };
    let says = |known: &ScopedNames, sql: &str| {
        known
            .scope_clue(&Script::parse(Source::new("t.sql", sql)).unwrap().statements[0], "datalinx_platform")
    };
    let (platform, tenant) = (ScopeClue::Certain(Scope::Platform), ScopeClue::Certain(Scope::Tenant));
    let mut known = learn(Scope::Tenant, "CREATE TEMP TABLE t (id int); CREATE TABLE pg_temp.u (id int)");
    assert_eq!(says(&known, "DELETE FROM t"), tenant);
    assert_eq!(says(&known, "DELETE FROM u"), tenant);
    known.end_of_file();
    assert!(matches!(says(&known, "DELETE FROM t"), ScopeClue::Unclear(_)));

    // Built-in functions and types are searched first.
    let known = learn(
        Scope::Tenant,
        "CREATE FUNCTION now() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TABLE date (id int); CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    );
    assert_eq!(says(&known, "UPDATE datalinx_platform.users SET a = now()"), platform);
    assert_eq!(says(&known, "ALTER TABLE datalinx_platform.users ADD a date"), platform);
    assert_eq!(says(&known, "SELECT now() FROM datalinx_platform.users"), platform);
    assert_eq!(says(&known, "SELECT mine()"), tenant);
    assert!(matches!(says(&known, "DELETE FROM mine"), ScopeClue::Unclear(_)), "a function is no table");

    // A moved name has the new scope; a dropped name keeps its scope.
    let known = learn(
        Scope::Platform,
        "CREATE TABLE moves (id int); CREATE TABLE old (id int); DROP TABLE moves; ALTER TABLE old RENAME TO new",
    );
    assert_eq!(says(&known, "DELETE FROM moves"), platform);
    assert!(matches!(says(&known, "CREATE TABLE moves (id int)"), ScopeClue::Unclear(_)));
    assert_eq!(says(&known, "DELETE FROM new"), platform);
    let known = learn(Scope::Tenant, "CREATE TABLE {org_schema}.moves (id int); CREATE TABLE old (id int)");
    assert_eq!(says(&known, "DELETE FROM moves"), tenant);
    assert_eq!(says(&known, "DELETE FROM old"), tenant);
}
