//! Whose a statement is, for each way in which its names say so.

use super::*;
use crate::error::Source;
use crate::sql::Script;

fn clue(sql: &str) -> ScopeClue {
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
fn names_decide() {
    let platform = ScopeClue::Certain(Scope::Platform);
    let tenant = ScopeClue::Certain(Scope::Tenant);
    assert_eq!(clue("ALTER TABLE workspaces ADD c int"), tenant);
    assert_eq!(clue("ALTER TABLE users ADD c int"), platform);
    assert_eq!(clue("ALTER TABLE datalinx_platform.x ADD c int"), platform);
    assert_eq!(clue("CREATE TABLE {org_schema}.x (u uuid REFERENCES datalinx_platform.users(id))"), tenant);
    assert_eq!(clue("CREATE TABLE x (w uuid REFERENCES workspaces(id))"), tenant);
    assert_eq!(clue("CREATE INDEX i ON users (id)"), platform);
    assert_eq!(clue("DROP INDEX i"), tenant);
    assert_eq!(clue("CREATE EXTENSION citext"), platform);
    assert_eq!(clue("GRANT USAGE ON SCHEMA {org_schema} TO app"), tenant);
    assert_eq!(clue("SELECT datalinx_platform.refresh()"), platform);
    assert_eq!(clue("SET LOCAL work_mem = '1GB'"), ScopeClue::Inherited);
}

#[test]
fn what_names_do_not_decide_is_unclear() {
    for sql in [
        "CREATE TABLE x (id int)",
        "CREATE TABLE x (u uuid REFERENCES users(id))",
        "ALTER TABLE shared ADD c int",
        "ALTER TABLE org_acme.workspaces ADD c int",
        "DO $$ BEGIN NULL; END $$",
        "INSERT INTO users SELECT * FROM workspaces",
        "SELECT 1",
    ] {
        assert!(matches!(clue(sql), ScopeClue::Unclear(_)), "{sql}");
    }
}

#[test]
fn the_schema_of_one_tenant_is_told_from_another() {
    let said = |sql: &str| {
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
        assert!(said(sql).starts_with(ONE_TENANT), "{sql}: {}", said(sql));
    }
    assert!(said("ALTER TABLE lookup.t ADD c int").starts_with(OTHER_SCHEMA));
}

#[test]
fn a_write_is_a_write_wherever_it_stands() {
    for sql in [
        "WITH moved AS (DELETE FROM datalinx_platform.users RETURNING id) INSERT INTO {org_schema}.w SELECT id FROM moved",
        "WITH a AS (WITH b AS (UPDATE users SET id = 1 RETURNING id) SELECT * FROM b) DELETE FROM workspaces",
        "WITH m AS (INSERT INTO users VALUES (1)) MERGE INTO workspaces w USING m ON true WHEN MATCHED THEN DELETE",
        "EXPLAIN ANALYZE WITH m AS (DELETE FROM users) DELETE FROM workspaces",
    ] {
        assert_eq!(clue(sql), ScopeClue::Unclear("it acts on both".to_owned()), "{sql}");
    }
    assert_eq!(
        clue("WITH m AS (DELETE FROM users RETURNING id) SELECT * FROM m"),
        ScopeClue::Certain(Scope::Platform)
    );
    for sql in [
        "MERGE INTO workspaces USING users ON true WHEN MATCHED THEN DELETE",
        "UPDATE workspaces SET id = 1 FROM (SELECT * FROM users FOR UPDATE) u",
        "CREATE FUNCTION {org_schema}.f() RETURNS void BEGIN ATOMIC INSERT INTO datalinx_platform.audit VALUES (1); END",
        "CREATE RULE r AS ON INSERT TO workspaces DO ALSO INSERT INTO datalinx_platform.audit VALUES (1)",
    ] {
        assert_eq!(clue(sql), ScopeClue::Certain(Scope::Tenant), "{sql}");
    }
}

#[test]
fn the_placeholder_is_a_tenants_wherever_it_stands() {
    for sql in [
        "DO $$ BEGIN EXECUTE 'DROP TABLE {org_schema}.x'; END $$",
        "SELECT set_config('a.b', '{org_schema}', true)",
        "CREATE ROLE {org_schema}_reader",
        "SET LOCAL a.b = '{org_schema}'",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA {org_schema} GRANT SELECT ON TABLES TO r",
    ] {
        assert_eq!(clue(sql), ScopeClue::Certain(Scope::Tenant), "{sql}");
    }
    for sql in
        ["UPDATE datalinx_platform.users SET a = '{org_schema}'", "COMMENT ON TABLE users IS '{org_schema}'"]
    {
        assert!(matches!(clue(sql), ScopeClue::Unclear(_)), "{sql}");
    }
    assert_eq!(clue("DELETE FROM users /* {org_schema} */ WHERE true"), ScopeClue::Certain(Scope::Platform));
}

#[test]
fn what_no_schema_holds_is_the_platforms() {
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
        assert_eq!(clue(sql), ScopeClue::Certain(Scope::Platform), "{sql}");
    }
    assert_eq!(clue("COMMENT ON SCHEMA {org_schema} IS 'x'"), ScopeClue::Certain(Scope::Tenant));
    assert_eq!(clue("GRANT SELECT ON workspaces TO r"), ScopeClue::Certain(Scope::Tenant));
    assert!(matches!(clue("COMMENT ON SCHEMA org_acme IS 'x'"), ScopeClue::Unclear(_)));
}

#[test]
fn only_what_lasts_is_known() {
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

    // The server's own functions and types are found first.
    let known = learn(
        Scope::Tenant,
        "CREATE FUNCTION now() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TABLE date (id int); CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    );
    assert_eq!(says(&known, "UPDATE datalinx_platform.users SET a = now()"), platform);
    assert_eq!(says(&known, "ALTER TABLE datalinx_platform.users ADD a date"), platform);
    assert_eq!(says(&known, "SELECT now() FROM datalinx_platform.users"), platform);
    assert_eq!(says(&known, "SELECT mine()"), tenant);
    assert!(matches!(says(&known, "DELETE FROM mine"), ScopeClue::Unclear(_)), "a function is no table");

    // What moved from one to the other is the other's; what is gone still says whose it was.
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
