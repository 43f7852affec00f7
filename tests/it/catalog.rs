//! A photograph sees every kind of thing that a schema can hold: it is made, photographed, changed,
//! photographed again, and the difference names just that. The same is done in a second schema whose name is
//! the first one's with more behind it, and the two are equal all the way.

use tenure::catalog::{Change, Kind, Photograph, fingerprints, photograph};
use tenure::ident::SchemaName;
use tenure::postgres::{Connection, DatabaseUrl};

use crate::support::{Database, Project};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn name(schema: &str) -> SchemaName {
    SchemaName::existing(schema).unwrap()
}

fn picture_by(url: &str, schema: &str) -> Photograph {
    runtime().block_on(async {
        let mut connection = Connection::open(&DatabaseUrl::parse(url).unwrap()).await.unwrap();
        let picture = photograph(&mut connection, &name(schema)).await.unwrap();
        connection.close().await;
        picture
    })
}

fn picture(db: &Database, schema: &str) -> Photograph {
    picture_by(&db.url, schema)
}

/// The fingerprints of both, taken in one question.
fn prints(db: &Database, schemas: &[&str]) -> Vec<String> {
    let schemas: Vec<_> = schemas.iter().map(|schema| name(schema)).collect();
    let prints = runtime().block_on(async {
        let mut connection = Connection::open(&DatabaseUrl::parse(&db.url).unwrap()).await.unwrap();
        let prints = fingerprints(&mut connection, &schemas).await.unwrap();
        connection.close().await;
        prints
    });
    schemas.iter().map(|schema| format!("{:?}", prints[schema])).collect()
}

fn lines(before: &Photograph, after: &Photograph) -> Vec<String> {
    Change::between(before, after)
        .iter()
        .map(|change| format!("{}: {}", change.object, change.line()))
        .collect()
}

/// Runs `sql` as a unit does: the schema first in the search path, `{org_schema}` replaced.
fn run_in(db: &Database, schema: &str, sql: &str) {
    let schema = name(schema);
    let sql = sql.replace("{org_schema}", &schema.in_text());
    db.run(&format!("SET search_path = {}, public; {sql}", schema.quoted()));
}

/// In every schema: `make`, then `change`. The schemas are equal before and after, and the difference is
/// `expected`, and no other.
#[track_caller]
fn check_in(schemas: &[&str], make: &str, change: &str, expected: &[&str]) {
    let db = Database::fresh();
    for schema in schemas {
        db.run(&format!("CREATE SCHEMA {}", name(schema).quoted()));
        run_in(&db, schema, make);
    }
    let all = || schemas.iter().map(|schema| picture(&db, schema)).collect::<Vec<_>>();
    let equal = |pictures: &[Photograph], when: &str| {
        for (picture, schema) in pictures.iter().zip(schemas) {
            assert_eq!(lines(&pictures[0], picture), [""; 0], "{schema} {when} {change}");
            assert_eq!(pictures[0], *picture, "{schema} {when} {change}");
        }
        let prints = prints(&db, schemas);
        assert!(prints.iter().all(|print| *print == prints[0]), "fingerprints {when} {change}");
        prints[0].clone()
    };
    let before = all();
    let old = equal(&before, "before");
    for schema in schemas {
        run_in(&db, schema, change);
    }
    let after = all();
    let new = equal(&after, "after");
    assert_eq!(lines(&before[0], &after[0]), expected, "{change}");
    // Extensions belong to the database, not to a tenant.
    let is_seen = expected.iter().any(|line| !line.starts_with("extension"));
    assert_eq!(old != new, is_seen, "the fingerprint, of {change}");
}

#[track_caller]
fn check(make: &str, change: &str, expected: &[&str]) {
    check_in(&["org_a", "org_ab"], make, change, expected);
}

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, name varchar(50) NOT NULL DEFAULT 'x', note text);";

#[test]
fn tables_and_columns() {
    for (change, expected) in [
        ("CREATE TABLE u ()", "table u: added"),
        ("DROP TABLE t", "table t: removed"),
        ("ALTER TABLE t ADD COLUMN more jsonb", "table t: column added: more jsonb"),
        ("ALTER TABLE t DROP COLUMN name", "table t: column removed: name"),
        (
            "ALTER TABLE t ALTER COLUMN name TYPE text",
            "table t: column name: type changed from character varying(50) to text",
        ),
        ("ALTER TABLE t ALTER COLUMN note SET NOT NULL", "table t: column note: not null added"),
        ("ALTER TABLE t ALTER COLUMN name DROP NOT NULL", "table t: column name: not null removed"),
        (
            "ALTER TABLE t ALTER COLUMN name DROP DEFAULT",
            "table t: column name: default removed: 'x'::character varying",
        ),
        (
            "ALTER TABLE t ALTER COLUMN note SET DEFAULT '{org_schema}'",
            "table t: column note: default added: '{org_schema}'::text",
        ),
        (
            "ALTER TABLE t ALTER COLUMN note SET STORAGE EXTERNAL",
            "table t: column note: storage added: external",
        ),
        (
            "ALTER TABLE t ALTER COLUMN note SET COMPRESSION pglz",
            "table t: column note: compression added: pglz",
        ),
        ("COMMENT ON COLUMN t.note IS 'free'", "table t: column note: comment added: free"),
        ("COMMENT ON TABLE t IS 'of {org_schema}'", "table t: comment added: of {org_schema}"),
        ("COMMENT ON SCHEMA {org_schema} IS 'hers'", "schema: comment added: hers"),
        ("ALTER TABLE t SET UNLOGGED", "table t: persistence added: unlogged"),
        ("ALTER TABLE t SET (fillfactor = 70)", "table t: options added: fillfactor=70"),
        ("ALTER TABLE t ENABLE ROW LEVEL SECURITY", "table t: row security added: enabled"),
        ("ALTER TABLE t REPLICA IDENTITY FULL", "table t: replica identity added: full"),
        ("ALTER TABLE t ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY", ""),
        (
            "ALTER TABLE t DROP COLUMN note, DROP COLUMN name; ALTER TABLE t ADD COLUMN note text, \
             ADD COLUMN name varchar(50) NOT NULL DEFAULT 'x'",
            "table t: columns are in another order: id, note, name instead of id, name, note",
        ),
    ] {
        let identity = [
            "table t: column id: identity added: always",
            "table t: column id: sequence added: integer start 1 increment 1 min 1 max 2147483647 cache 1",
        ];
        check(TABLE, change, if expected.is_empty() { &identity } else { std::slice::from_ref(&expected) });
    }
    check(
        "CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a * 2) STORED, c text);",
        "ALTER TABLE t ALTER COLUMN b DROP EXPRESSION; ALTER TABLE t ALTER COLUMN c TYPE text COLLATE \"C\"",
        &[
            "table t: column b: generated removed: (a * 2) stored",
            "table t: column c: collation added: pg_catalog.\"C\"",
        ],
    );
}

#[test]
fn constraints_and_indexes() {
    let make = "CREATE TABLE t (id int PRIMARY KEY, a int, b text); \
        CREATE TABLE u (id int CONSTRAINT keyed PRIMARY KEY, t int, CONSTRAINT points FOREIGN KEY (t) REFERENCES {org_schema}.t); \
        ALTER TABLE t ADD CONSTRAINT later CHECK (b <> '{org_schema}') NOT VALID; \
        CREATE INDEX plain ON t (a); CREATE UNIQUE INDEX once ON t (b) WHERE a > 0;";
    for (change, expected) in [
        ("ALTER TABLE t ADD CONSTRAINT big CHECK (a > 0)", "table t: constraint added: big"),
        ("ALTER TABLE t ADD CONSTRAINT only_one UNIQUE (a)", "table t: constraint added: only_one"),
        ("ALTER TABLE t VALIDATE CONSTRAINT later", "table t: constraint later: validated removed: no"),
        ("ALTER TABLE u DROP CONSTRAINT points", "table u: constraint removed: points"),
        ("ALTER TABLE u DROP CONSTRAINT keyed", ""),
        ("CREATE INDEX more ON t (a, b)", "table t: index added: more"),
        ("DROP INDEX plain", "table t: index removed: plain"),
        (
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'plain'::regclass",
            "table t: index plain: valid added: no",
        ),
        ("COMMENT ON INDEX plain IS 'x'", "table t: index plain: comment added: x"),
        (
            "DROP INDEX once; CREATE UNIQUE INDEX once ON t (b)",
            "table t: index once: columns added: b|table t: index once: definition changed from \
             CREATE UNIQUE INDEX once ON {org_schema}.t USING btree (b) WHERE (a > 0) to CREATE",
        ),
        (
            "ALTER TABLE u DROP CONSTRAINT points, ADD CONSTRAINT points FOREIGN KEY (t) REFERENCES t ON DELETE CASCADE",
            "table u: constraint points: definition changed",
        ),
    ] {
        match change {
            "ALTER TABLE u DROP CONSTRAINT keyed" => check(
                make,
                change,
                &["table u: column id: not null removed", "table u: constraint removed: keyed"][1..],
            ),
            _ if expected.contains('|') => check(
                make,
                change,
                &["table t: index once: columns added: b", "table t: index once: definition changed"],
            ),
            _ => check(make, change, &[expected]),
        }
    }
}

#[test]
fn views_triggers_rules_and_policies() {
    let make = "CREATE TABLE t (id int PRIMARY KEY, a int, b text); \
        CREATE VIEW v AS SELECT id, a FROM {org_schema}.t WHERE b <> 'it''s {org_schema}'; \
        CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM t; \
        CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
        CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f(); \
        CREATE RULE r AS ON DELETE TO t DO ALSO NOTIFY gone; \
        CREATE POLICY p ON t FOR SELECT USING (a > 0);";
    for (change, expected) in [
        (
            "CREATE OR REPLACE VIEW v AS SELECT id, a FROM t",
            "view v: definition changed, first in its line 3",
        ),
        ("CREATE OR REPLACE VIEW v AS SELECT id, a, b FROM t WHERE b <> 'it''s {org_schema}'", ""),
        ("DROP VIEW v", "view v: removed"),
        ("DROP MATERIALIZED VIEW m", "materialized view m: removed"),
        ("REFRESH MATERIALIZED VIEW m WITH NO DATA", "materialized view m: populated added: no"),
        ("CREATE INDEX i ON m (n)", "materialized view m: index added: i"),
        ("ALTER TABLE t DISABLE TRIGGER tr", "table t: trigger tr: enabled added: no"),
        ("DROP TRIGGER tr ON t", "table t: trigger removed: tr"),
        (
            "CREATE TRIGGER too AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()",
            "table t: trigger added: too",
        ),
        ("DROP RULE r ON t", "table t: rule removed: r"),
        ("CREATE RULE s AS ON UPDATE TO t DO INSTEAD NOTHING", "table t: rule added: s"),
        ("DROP POLICY p ON t", "table t: policy removed: p"),
        ("ALTER POLICY p ON t USING (a > 1)", "table t: policy p: using changed from (a > 0) to (a > 1)"),
        ("CREATE POLICY q ON t", "table t: policy added: q"),
    ] {
        let wider = ["view v: definition changed, first in its line 2", "view v: column added: b text"];
        check(make, change, if expected.is_empty() { &wider } else { std::slice::from_ref(&expected) });
    }
}

#[test]
fn functions_sequences_and_types() {
    let make = "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT count(*)::int FROM {org_schema}.t'; \
        CREATE TABLE t (id serial, x int); \
        CREATE FUNCTION g(a int) RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM t; END; \
        CREATE PROCEDURE p() LANGUAGE plpgsql AS 'BEGIN NULL; END'; \
        CREATE AGGREGATE total (int) (SFUNC = int4pl, STYPE = int); \
        CREATE SEQUENCE s; CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE TYPE pair AS (a int, b mood); \
        CREATE DOMAIN age AS int CONSTRAINT old CHECK (VALUE > 0); CREATE TYPE span AS RANGE (SUBTYPE = int); \
        CREATE FUNCTION h(a mood, b {org_schema}.pair) RETURNS mood LANGUAGE sql SET search_path = {org_schema}, public AS 'SELECT a'; \
        CREATE STATISTICS st ON id, x FROM t; \
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
        ("DROP COLLATION c", "collation c: removed"),
        ("COMMENT ON FUNCTION f(int) IS 'x'", "function f(integer): comment added: x"),
        ("COMMENT ON TYPE pair IS 'x'", "composite type pair: comment added: x"),
    ] {
        check(make, change, &[expected]);
    }
    let db = Database::fresh();
    db.run("CREATE SCHEMA org_a");
    let before = picture(&db, "org_a");
    db.run("CREATE EXTENSION pg_trgm SCHEMA org_a");
    let after = picture(&db, "org_a");
    assert_eq!(lines(&before, &after), ["extension pg_trgm: added"], "what an extension made is its own");
}

#[test]
fn partitions_and_inheritance() {
    let make = "CREATE TABLE p (id int, at date) PARTITION BY RANGE (at); \
        CREATE TABLE p1 PARTITION OF {org_schema}.p FOR VALUES FROM ('2026-01-01') TO ('2027-01-01'); \
        CREATE TABLE base (a int); CREATE TABLE child () INHERITS (base);";
    check(
        make,
        "ALTER TABLE p DETACH PARTITION p1",
        &[
            "table p1: partition of removed: {org_schema}.p",
            "table p1: partition bound removed: FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')",
        ],
    );
    check(make, "ALTER TABLE child NO INHERIT base", &["table child: inherits removed: {org_schema}.base"]);
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
    change("REVOKE SELECT ON org_a.t FROM clerk", &["table t: privileges removed: clerk: SELECT"]);
    change("ALTER TABLE org_a.t OWNER TO clerk", &["table t: owner added: clerk"]);
    change("ALTER TABLE org_a.t OWNER TO tenure", &["table t: owner removed: clerk"]);
    // The schema's owner is neutral: all that is theirs is theirs.
    change(
        "ALTER SCHEMA org_a OWNER TO clerk; ALTER TABLE org_a.t OWNER TO clerk; ALTER FUNCTION org_a.f() OWNER TO clerk",
        &["schema: privileges removed: clerk: USAGE", "table t: column a: privileges changed"][..0],
    );
    db.run(&format!("DROP OWNED BY {clerk}; DROP ROLE {clerk}"));
}

/// A template that names its schema wherever a name can stand.
const EVERYWHERE: &str = "CREATE TYPE mood AS ENUM ('sad', 'glad'); \
    CREATE TABLE t (id bigserial PRIMARY KEY, org_a int, m mood DEFAULT 'sad', tag text DEFAULT '{org_schema}' CHECK (tag <> '{org_schema}/x' OR org_a > 0)); \
    CREATE TABLE u (t bigint REFERENCES {org_schema}.t, ms {org_schema}.mood[]); \
    CREATE INDEX at ON t (org_a) WHERE m = 'glad'::{org_schema}.mood; \
    CREATE VIEW v AS SELECT x.org_a, x.tag || '{org_schema}.t' AS named, y.ms FROM {org_schema}.t x JOIN u y ON y.t = x.id WHERE x.org_a > 1; \
    CREATE FUNCTION f(a {org_schema}.mood) RETURNS bigint LANGUAGE plpgsql SET search_path = {org_schema} AS \
    $$ BEGIN EXECUTE 'SELECT 1 FROM {org_schema}.t'; RETURN (SELECT max(x.org_a) FROM {org_schema}.t x); END $$; \
    CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$; \
    CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW WHEN (NEW.org_a > 0) EXECUTE FUNCTION {org_schema}.g(); \
    COMMENT ON TABLE t IS 'of {org_schema}, not of org_abc';";

#[test]
fn the_schemas_own_name_is_neutral_whatever_it_is() {
    let nasty = [
        // A column of the template is called so, and another schema's name begins so.
        "org_a",
        "org_ab",
        "org_abc_d",
        "_org_a",
        "Org_A",
        "org-a",
        "org a",
        "org.a",
        "select",
        "t",
        "sad",
        "öäü_ß",
        "org_a$",
        "a'b",
        "a\"b",
        "\"",
        "(?<!x)\\w+",
        "org_a.t",
        "1",
    ];
    // Where the name may stand bare inside a string it must not be quoted; these need quotes, which the string's end mark
    // would break.
    let (bare, quoted): (Vec<_>, Vec<_>) = nasty.iter().partition(|schema| !schema.contains('\''));
    check_in(
        &bare,
        &EVERYWHERE.replace("not of org_abc", "not another"),
        "ALTER TABLE t ADD COLUMN more {org_schema}.mood; DROP INDEX at",
        &["table t: column added: more {org_schema}.mood", "table t: index removed: at"],
    );
    let plain = "CREATE TABLE t (id bigserial PRIMARY KEY, a int); CREATE VIEW v AS SELECT 'it''s' AS s, id FROM {org_schema}.t;";
    check_in(
        &[quoted.as_slice(), &["org_x"]].concat(),
        plain,
        "CREATE TABLE u (t bigint REFERENCES {org_schema}.t)",
        &["table u: added"],
    );
}

#[test]
fn another_schemas_name_is_not_made_neutral() {
    let db = Database::fresh();
    for schema in ["org_a", "org_b"] {
        db.run(&format!("CREATE SCHEMA {schema}; CREATE TABLE {schema}.t (a int);"));
    }
    for schema in ["org_a", "org_b"] {
        db.run(&format!("CREATE VIEW {schema}.v AS SELECT a FROM org_a.t;"));
    }
    let (a, b) = (picture(&db, "org_a"), picture(&db, "org_b"));
    assert_eq!(lines(&a, &b), ["view v: definition changed, first in its line 2"]);
    assert_ne!(prints(&db, &["org_a", "org_b"])[0], prints(&db, &["org_a", "org_b"])[1]);
}

#[test]
fn a_late_tenant_is_equal_to_an_early_one() {
    let project = Project::seeds();
    project.run("migrate up --to 1.0.2").passes();
    project.run("tenant create early").passes();
    project.run("migrate up").passes();
    project.run("tenant create late").passes();
    let (early, late) = (picture(&project.db, "org_early"), picture(&project.db, "org_late"));
    assert_eq!(early, late);
    assert_eq!(early.objects.keys().filter(|key| key.kind == Kind::Table).count(), 4);
    let prints = prints(&project.db, &["org_early", "org_late"]);
    assert_eq!(prints[0], prints[1]);
    // The platform can be photographed too, and a schema that is not there has no picture.
    let platform = picture(&project.db, "datalinx_platform");
    assert!(platform.object(Kind::Table, "users").is_some());
    assert!(platform.has_schema() && !picture(&project.db, "org_nobody").has_schema());
}

#[test]
fn a_role_that_may_only_read_catalogs_can_photograph() {
    let db = Database::fresh();
    let role = format!("looker_{}", db.name);
    db.run(&format!("CREATE ROLE {role} LOGIN; CREATE SCHEMA org_a"));
    run_in(&db, "org_a", EVERYWHERE);
    assert_eq!(picture(&db, "org_a"), picture_by(&db.url_as(&role), "org_a"));
    db.run(&format!("DROP ROLE {role}"));
}
