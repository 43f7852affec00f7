//! New objects are ignored, and only those.

use super::*;

#[test]
fn new_objects_are_ignored() {
    for sql in [
        "CREATE TABLE a (id int); ALTER TABLE a DROP COLUMN id",
        "CREATE TABLE A (id int); ALTER TABLE \"a\" ADD CONSTRAINT c CHECK (id > 0), ALTER id SET NOT NULL",
        "CREATE TABLE {org_schema}.a (id int); CREATE UNIQUE INDEX ON a (id)",
        "CREATE TABLE a (id int); DROP TABLE {org_schema}.a",
        "CREATE TABLE datalinx_platform.a (id int); ALTER TABLE datalinx_platform.a RENAME COLUMN id TO b",
        "CREATE TEMP TABLE t AS SELECT 1 AS a; UPDATE t SET a = 2; DELETE FROM t; DROP TABLE t",
        "CREATE TABLE a (id int); ALTER TABLE a RENAME TO b; TRUNCATE b; DROP TABLE b CASCADE",
        "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'; DROP FUNCTION f(int)",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; DROP FUNCTION f",
        "CREATE SCHEMA other; DROP SCHEMA other",
        "CREATE TYPE mood AS ENUM ('a'); ALTER TYPE mood RENAME VALUE 'a' TO 'b'",
        "CREATE TABLE a (id int); CREATE INDEX i ON a (id); DROP INDEX i",
        "SELECT 1 AS a INTO TEMP s; DELETE FROM s",
        "CREATE TABLE a (id int); CREATE TABLE b (id int); ALTER TABLE b INHERIT a; DELETE FROM a; DROP TABLE b",
    ] {
        assert_eq!(ids(sql), [""; 0], "{sql}");
    }
}

#[test]
fn all_tables_of_a_template_are_new() {
    let tables = "CREATE TABLE e (at date NOT NULL) PARTITION BY RANGE (at); CREATE TABLE old (at date NOT NULL); \
        CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';";
    let attach = "ATTACH PARTITION old FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')";
    for schema in ["", "{org_schema}."] {
        for table in ["e", "old"] {
            let trigger = format!(
                "CREATE TRIGGER g BEFORE INSERT ON {schema}{table} FOR EACH ROW EXECUTE FUNCTION f()"
            );
            let sql =
                format!("{tables} ALTER TABLE {schema}e {attach}; {trigger}; DELETE FROM {schema}{table}");
            let found = all_ids_in_template(&sql);
            assert!(
                !found.contains(&"create-trigger") && !found.contains(&"delete-without-where"),
                "{sql}: {found:?}"
            );
        }
    }
    let shared =
        "CREATE TRIGGER g BEFORE INSERT ON datalinx_platform.users FOR EACH ROW EXECUTE FUNCTION f()";
    assert!(all_ids_in_template(&format!("{tables} {shared}")).contains(&"create-trigger"));
}

#[test]
fn objects_that_may_be_old_are_not_ignored() {
    for (sql, expected) in [
        ("CREATE TABLE IF NOT EXISTS a (id int); ALTER TABLE a DROP COLUMN id", "drop-column"),
        ("CREATE TABLE \"A\" (id int); DROP TABLE a", "drop-table"),
        ("CREATE TABLE a (id int); DROP TABLE datalinx_platform.a", "drop-table"),
        ("CREATE TABLE other.a (id int); DROP TABLE a", "drop-table"),
        ("CREATE TEMP TABLE users (id int); DROP TABLE {org_schema}.users", "drop-table"),
        ("CREATE TEMP TABLE users (id int); DROP TABLE users; DROP TABLE users", "drop-table"),
        ("DROP TABLE a; CREATE TABLE a (id int)", "drop-table"),
        ("CREATE VIEW v AS SELECT * FROM users; DELETE FROM v", "delete-without-where"),
        ("CREATE TABLE a (id int); ALTER TABLE a ATTACH PARTITION users DEFAULT; DROP TABLE a", "drop-table"),
        ("CREATE TABLE a (id int); ALTER TABLE users INHERIT a; DELETE FROM a", "delete-without-where"),
        (
            "CREATE TABLE a (id int); CREATE TABLE b (id int); ALTER TABLE a ATTACH PARTITION b DEFAULT; ALTER TABLE b ATTACH PARTITION users DEFAULT; DELETE FROM a",
            "delete-without-where",
        ),
        ("CREATE TABLE a (id int); SET LOCAL search_path = other; DROP TABLE a", "drop-table"),
        ("CREATE TABLE a (id int); SELECT set_config('search_path', 'b', true); DROP TABLE a", "drop-table"),
        ("CREATE TABLE a (id int); ALTER TABLE a RENAME TO b; DROP TABLE a", "drop-table"),
        (
            "CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'; DROP FUNCTION f(text)",
            "drop-function",
        ),
        ("CREATE FUNCTION users() RETURNS int LANGUAGE sql AS 'SELECT 1'; DROP TABLE users", "drop-table"),
        (
            "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; DROP FUNCTION f()",
            "drop-function",
        ),
        (
            "CREATE TABLE a (id int); WITH d AS (DELETE FROM users RETURNING id) UPDATE a SET id = 1 FROM d",
            "delete-without-where",
        ),
        ("CREATE TYPE m AS ENUM ('a'); ALTER TABLE users ADD c m; DROP TYPE m CASCADE", "drop-cascade"),
    ] {
        assert!(denied(sql).contains(&expected), "{sql}: {:?}", ids(sql));
    }
}

#[test]
fn of_several_objects_only_old_ones_are_reported() {
    let found = findings("CREATE TABLE a (id int); DROP TABLE a, users, {org_schema}.b");
    let messages: Vec<_> = found.iter().map(|finding| finding.message.as_str()).collect();
    assert_eq!(messages.len(), 2);
    assert!(messages[0].starts_with("`DROP TABLE users`"), "{messages:?}");
    assert!(messages[1].starts_with("`DROP TABLE {org_schema}.b`"), "{messages:?}");
}

#[test]
fn a_template_is_judged_outside_of_its_schema() {
    let of = |sql: &str| -> Vec<&str> {
        without_conventions(findings_in(sql, Kind::Template(&[]), &Policy::default()))
    };
    assert!(of("CREATE TABLE a (id int); ALTER TABLE a ADD CHECK (id > 0); ALTER TABLE {org_schema}.b DROP COLUMN c").is_empty());
    assert!(
        of("CREATE TABLE IF NOT EXISTS a (id int); DELETE FROM a; GRANT USAGE ON SCHEMA {org_schema} TO app")
            .is_empty()
    );
    assert!(of("CREATE TRIGGER t BEFORE UPDATE ON {org_schema}.a FOR EACH ROW EXECUTE FUNCTION datalinx_platform.touch()").is_empty());
    assert_eq!(of("TRUNCATE users"), ["truncate"]);
    assert_eq!(of("DROP TABLE datalinx_platform.users"), ["drop-table", "template-beyond-tenant"]);
    assert_eq!(of("INSERT INTO datalinx_platform.log VALUES (1)"), ["template-beyond-tenant"]);
    assert_eq!(of("CREATE TABLE public.a (id int)"), ["template-beyond-tenant"]);
}

#[test]
fn without_a_scope_an_unqualified_name_only_matches_itself() {
    let of = |sql: &str| {
        let script = parse(sql);
        let statements: Vec<_> = script.statements.iter().map(|statement| (statement, None)).collect();
        let before = Schema::unknown(PLATFORM);
        let file = File {
            script: &script,
            replay: &before.replay(&script, statements.iter().copied()),
            kind: Kind::Loose,
            observed_effects: None,
            schemas: SCHEMAS,
        };
        without_conventions(verify(&file, &Policy::default())).len()
    };
    assert_eq!(of("CREATE TABLE a (id int); DROP TABLE a"), 0);
    assert_eq!(of("CREATE TABLE a (id int); DROP TABLE {org_schema}.a"), 1);
    assert_eq!(of("CREATE TABLE datalinx_platform.a (id int); DROP TABLE a"), 1);
}
