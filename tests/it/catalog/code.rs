//! Functions, types, and who may do what.

use super::{check, lines, picture};
use crate::support::Database;

#[test]
fn functions_sequences_and_types() {
    let db = Database::fresh();
    let make = "CREATE TABLE t (id serial, x int); \
        CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT count(*)::int FROM {org_schema}.t'; \
        CREATE FUNCTION g(a int) RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM t; END; \
        CREATE PROCEDURE p() LANGUAGE plpgsql AS 'BEGIN NULL; END'; \
        CREATE AGGREGATE total (int) (SFUNC = int4pl, STYPE = int); \
        CREATE SEQUENCE s; CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE TYPE pair AS (a int, b mood); \
        CREATE DOMAIN age AS int CONSTRAINT old CHECK (VALUE > 0); CREATE TYPE span AS RANGE (SUBTYPE = int); \
        CREATE FUNCTION h(a mood, b {org_schema}.pair) RETURNS mood LANGUAGE sql SET search_path = {org_schema}, public AS 'SELECT a'; \
        CREATE STATISTICS st ON id, x FROM t; \
        CREATE COLLATION i (provider = icu, locale = 'de-DE'); \
        CREATE COLLATION c (locale = 'C');";
    for (change, expected) in [
        (
            "CREATE OR REPLACE FUNCTION f(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT 1'",
            "function f(integer): body changed from SELECT count(*)::int FROM {org_schema}.t to SELECT 1",
        ),
        ("ALTER FUNCTION f(int) VOLATILE", "function f(integer): volatility changed from stable to volatile"),
        ("ALTER FUNCTION f(int) SECURITY DEFINER", "function f(integer): security added: definer"),
        ("ALTER FUNCTION f(int) SET work_mem = '1MB'", "function f(integer): options added: work_mem=1MB"),
        ("CREATE FUNCTION f(a text) RETURNS int LANGUAGE sql AS 'SELECT 1'", "function f(text): added"),
        ("DROP FUNCTION f(int)", "function f(integer): removed"),
        ("DROP FUNCTION h", "function h({org_schema}.mood, {org_schema}.pair): removed"),
        ("DROP PROCEDURE p", "procedure p(): removed"),
        ("DROP AGGREGATE total (int)", "aggregate total(integer): removed"),
        (
            "CREATE OR REPLACE FUNCTION g(a int) RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT max(id) FROM t; END",
            "function g(integer): definition changed, first in its line 2",
        ),
        ("ALTER SEQUENCE s INCREMENT 5", "sequence s: increment changed from 1 to 5"),
        ("ALTER SEQUENCE t_id_seq OWNED BY NONE", "sequence t_id_seq: owned by removed: {org_schema}.t.id"),
        ("DROP SEQUENCE s", "sequence s: removed"),
        ("ALTER TYPE mood ADD VALUE 'mad' BEFORE 'glad'", "enum mood: labels added: mad"),
        ("ALTER TYPE mood RENAME VALUE 'sad' TO 'low'", "enum mood: labels added: low; labels removed: sad"),
        ("ALTER TYPE pair ADD ATTRIBUTE c text", "composite type pair: column added: c text"),
        ("ALTER DOMAIN age SET NOT NULL", "domain age: not null added"),
        ("ALTER DOMAIN age DROP CONSTRAINT old", "domain age: constraint removed: old"),
        ("DROP TYPE span", "range span: removed"),
        ("DROP STATISTICS st", "statistics st: removed"),
        ("ALTER STATISTICS st SET STATISTICS 70", "statistics st: statistics target added: 70"),
        ("DROP COLLATION c", "collation c: removed"),
        (
            "DROP COLLATION i; CREATE COLLATION i (provider = icu, locale = 'sv-SE')",
            "collation i: locale changed from de-DE to sv-SE",
        ),
        ("COMMENT ON FUNCTION f(int) IS 'x'", "function f(integer): comment added: x"),
        ("COMMENT ON TYPE pair IS 'x'", "composite type pair: comment added: x"),
    ] {
        check(&db, make, change, &[expected]);
    }
    db.run("DROP SCHEMA org_a CASCADE; CREATE SCHEMA org_a");
    let before = picture(&db, "org_a");
    db.run("CREATE EXTENSION pg_trgm SCHEMA org_a");
    let after = picture(&db, "org_a");
    assert_eq!(lines(&before, &after), ["extension pg_trgm: added"], "what an extension made is its own");
}

#[test]
fn privileges_and_owners() {
    let role = |db: &Database| format!("clerk_{}", db.name);
    let db = Database::fresh();
    let clerk = role(&db);
    db.run(&format!("CREATE ROLE {clerk}; CREATE SCHEMA org_a; CREATE TABLE org_a.t (a int); CREATE FUNCTION org_a.f() RETURNS int LANGUAGE sql AS 'SELECT 1'"));
    let mut before = picture(&db, "org_a");
    let mut change = |sql: &str, expected: &[&str]| {
        db.run(&sql.replace("clerk", &clerk));
        let after = picture(&db, "org_a");
        let found: Vec<_> = lines(&before, &after).iter().map(|line| line.replace(&clerk, "clerk")).collect();
        assert_eq!(found, expected, "{sql}");
        before = after;
    };
    change("GRANT SELECT ON org_a.t TO clerk", &["table t: privileges added: clerk: SELECT"]);
    change("GRANT INSERT (a) ON org_a.t TO clerk", &["table t: column a: privileges added: clerk: INSERT"]);
    change("GRANT USAGE ON SCHEMA org_a TO clerk", &["schema: privileges added: clerk: USAGE"]);
    change(
        "REVOKE EXECUTE ON FUNCTION org_a.f() FROM public",
        &["function f(): privileges added: revoked from public: EXECUTE"],
    );
    change(
        "GRANT EXECUTE ON FUNCTION org_a.f() TO public",
        &["function f(): privileges removed: revoked from public: EXECUTE"],
    );
    change(
        "ALTER DEFAULT PRIVILEGES IN SCHEMA org_a GRANT SELECT ON TABLES TO clerk",
        &["schema: default privileges added: of {owner} on tables to clerk: SELECT"],
    );
    change(
        "ALTER DEFAULT PRIVILEGES IN SCHEMA org_a REVOKE SELECT ON TABLES FROM clerk",
        &["schema: default privileges removed: of {owner} on tables to clerk: SELECT"],
    );
    change("REVOKE SELECT ON org_a.t FROM clerk", &["table t: privileges removed: clerk: SELECT"]);
    change("ALTER TABLE org_a.t OWNER TO clerk", &["table t: owner added: clerk"]);
    // What the old owner was granted the server gives to the new one.
    change(
        "ALTER TABLE org_a.t OWNER TO tenure",
        &[
            "table t: owner removed: clerk",
            "table t: column a: privileges added: {owner}: INSERT; privileges removed: clerk: INSERT",
        ],
    );
    // What is the schema's owner's is neutral, whoever it is.
    change(
        "ALTER SCHEMA org_a OWNER TO clerk; ALTER TABLE org_a.t OWNER TO clerk; ALTER FUNCTION org_a.f() OWNER TO clerk",
        &["schema: privileges removed: clerk: USAGE"],
    );
    db.run(&format!("DROP OWNED BY {clerk}; DROP ROLE {clerk}"));
}

/// What a release of PostgreSQL brought is seen from that release on.
#[test]
fn features_of_newer_releases() {
    let db = Database::fresh();
    let major = db.major();
    let make = "CREATE TABLE t (a int, b int); CREATE VIEW v AS SELECT a FROM t; ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0);";
    for (since, change, expected) in [
        (14, "ALTER TABLE t ALTER COLUMN a SET NOT NULL", "table t: column a: not null added"),
        (15, "CREATE UNIQUE INDEX once ON t (a) NULLS NOT DISTINCT", "table t: index added: once"),
        (15, "ALTER VIEW v SET (security_invoker = true)", "view v: options added: security_invoker=true"),
        (
            18,
            "ALTER TABLE t ADD CONSTRAINT n NOT NULL a NOT VALID",
            "table t: column a: not null added: not validated",
        ),
        (
            18,
            "ALTER TABLE t ADD COLUMN d int GENERATED ALWAYS AS (a + 1) VIRTUAL",
            "table t: column added: d integer",
        ),
        (18, "ALTER TABLE t ADD CONSTRAINT e CHECK (b > 0) NOT ENFORCED", "table t: constraint added: e"),
    ] {
        if major >= since {
            check(&db, make, change, &[expected]);
        }
    }
}
