//! Tables and what belongs to them.

use super::check;
use crate::support::Database;

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, name varchar(50) NOT NULL DEFAULT 'x', note text);";

#[test]
fn tables_and_columns() {
    let db = Database::fresh();
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
        (
            "ALTER TABLE t ALTER COLUMN note SET STATISTICS 500",
            "table t: column note: statistics target added: 500",
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
        check(
            &db,
            TABLE,
            change,
            if expected.is_empty() { &identity } else { std::slice::from_ref(&expected) },
        );
    }
    check(
        &db,
        "CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a * 2) STORED, c text);",
        "ALTER TABLE t ALTER COLUMN b DROP EXPRESSION; ALTER TABLE t ALTER COLUMN c TYPE text COLLATE \"C\"",
        &[
            "table t: column b: generated removed: (a * 2) stored",
            "table t: column c: collation added: \"C\"",
        ],
    );
}

#[test]
fn constraints_and_indexes() {
    let db = Database::fresh();
    let make = "CREATE TABLE t (id int PRIMARY KEY, a int, b text); \
        CREATE TABLE u (id int CONSTRAINT keyed PRIMARY KEY, t int, CONSTRAINT points FOREIGN KEY (t) REFERENCES {org_schema}.t); \
        ALTER TABLE t ADD CONSTRAINT later CHECK (b <> '{org_schema}') NOT VALID; \
        CREATE INDEX plain ON t (a); CREATE UNIQUE INDEX once ON t (b) WHERE a > 0;";
    for (change, expected) in [
        ("ALTER TABLE t ADD CONSTRAINT big CHECK (a > 0)", "table t: constraint added: big"),
        ("ALTER TABLE t ADD CONSTRAINT only_one UNIQUE (a)", "table t: constraint added: only_one"),
        ("ALTER TABLE t VALIDATE CONSTRAINT later", "table t: constraint later: validated"),
        ("ALTER TABLE u DROP CONSTRAINT points", "table u: constraint removed: points"),
        ("ALTER TABLE u DROP CONSTRAINT keyed", "table u: constraint removed: keyed"),
        ("CREATE INDEX more ON t (a, b)", "table t: index added: more"),
        ("DROP INDEX plain", "table t: index removed: plain"),
        (
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'plain'::regclass",
            "table t: index plain: not valid",
        ),
        ("COMMENT ON INDEX plain IS 'x'", "table t: index plain: comment added: x"),
        ("DROP INDEX once; CREATE UNIQUE INDEX once ON t (b)", "table t: index once: definition changed"),
        (
            "ALTER TABLE u DROP CONSTRAINT points, ADD CONSTRAINT points FOREIGN KEY (t) REFERENCES t ON DELETE CASCADE",
            "table u: constraint points: definition changed",
        ),
    ] {
        check(&db, make, change, &[expected]);
    }
}

#[test]
fn the_options_of_everything_that_keeps_rows() {
    let db = Database::fresh();
    let make = "CREATE TABLE t (id int CONSTRAINT keyed PRIMARY KEY, a int, b text); CREATE INDEX plain ON t (a); \
        CREATE VIEW v AS SELECT a FROM t;";
    for (change, expected) in [
        ("ALTER TABLE t ALTER a SET (n_distinct = 5)", "table t: column a: options added: n_distinct=5"),
        (
            "ALTER TABLE t ALTER b SET (n_distinct_inherited = -0.5)",
            "table t: column b: options added: n_distinct_inherited=-0.5",
        ),
        (
            "ALTER TABLE t SET (toast.autovacuum_enabled = off, fillfactor = 80)",
            "table t: options added: fillfactor=80, toast.autovacuum_enabled=off",
        ),
        (
            "ALTER INDEX keyed SET (fillfactor = 60)",
            "table t: constraint keyed: options added: fillfactor=60",
        ),
        ("ALTER INDEX plain SET (deduplicate_items = off)", "table t: index plain: definition changed"),
        ("ALTER VIEW v SET (security_barrier)", "view v: options added: security_barrier=true"),
        ("ALTER TABLE t SET (autovacuum_enabled = off)", "table t: options added: autovacuum_enabled=off"),
    ] {
        check(&db, make, change, &[expected]);
    }
}

/// The number is another one in every schema, as the server's own is.
#[test]
fn an_option_that_only_a_server_writes_is_no_difference() {
    let db = Database::fresh();
    let make = "CREATE TABLE t (id int CONSTRAINT keyed PRIMARY KEY, a int, b text); \
        CREATE INDEX plain ON t (a) WITH (fillfactor = 60) WHERE a > 0; CREATE INDEX bare ON t (b); \
        CREATE VIEW v AS SELECT a FROM t; CREATE MATERIALIZED VIEW m AS SELECT a FROM t; \
        CREATE TYPE pair AS (x int, y int); \
        CREATE FOREIGN TABLE f (a int OPTIONS (column_name 'b')) SERVER options_server OPTIONS (table_name 'g'); \
        ALTER TABLE t ALTER a SET (n_distinct = 5); ALTER TABLE t SET (fillfactor = 70, toast.vacuum_truncate = off);";
    db.run("CREATE FOREIGN DATA WRAPPER options_wrapper; CREATE SERVER options_server FOREIGN DATA WRAPPER options_wrapper");
    let number = "(random() * 1e9)::int";
    let own = "(SELECT oid FROM pg_namespace WHERE nspname = current_schema())";
    for change in [
        format!(
            "UPDATE pg_attribute SET attoptions = attoptions || ('pg_attver=' || {number}) \
                 FROM pg_class c WHERE c.oid = attrelid AND relnamespace = {own} AND relkind IN ('r', 'v', 'm', 'c', 'f')"
        ),
        format!(
            "UPDATE pg_attribute SET attoptions = ARRAY['pg_attver=' || {number}] || coalesce(attoptions, '{{}}') \
                 FROM pg_class c WHERE c.oid = attrelid AND relnamespace = {own} AND relkind IN ('r', 'v', 'm', 'c', 'f')"
        ),
        format!(
            "UPDATE pg_attribute SET attoptions = ARRAY['other=' || {number}] || coalesce(attoptions, '{{}}') \
                 FROM pg_class c WHERE c.oid = attrelid AND relnamespace = {own} AND relkind = 'r'"
        ),
        format!(
            "UPDATE pg_attribute SET attfdwoptions = attfdwoptions || ('pg_attver=' || {number}) \
                 WHERE attrelid = 'f'::regclass AND attfdwoptions IS NOT NULL"
        ),
        format!(
            "UPDATE pg_foreign_table SET ftoptions = ftoptions || ('pg_relver=' || {number}) WHERE ftrelid = 'f'::regclass"
        ),
        format!(
            "UPDATE pg_class SET reloptions = ARRAY['pg_relver=' || {number}] || coalesce(reloptions, '{{}}') \
                 WHERE relnamespace = {own} AND relkind IN ('r', 'v', 'm', 'i')"
        ),
        format!(
            "UPDATE pg_class SET reloptions = reloptions || ('other=it''s ' || {number}) \
                 WHERE relnamespace = {own} AND reloptions IS NOT NULL"
        ),
        format!(
            "UPDATE pg_class SET reloptions = ARRAY['pg_relver=' || {number}] || coalesce(reloptions, '{{}}') \
                 WHERE oid IN (SELECT reltoastrelid FROM pg_class WHERE relnamespace = {own})"
        ),
    ] {
        check(&db, make, &change, &[]);
    }
}

#[test]
fn partitions_and_inheritance() {
    let db = Database::fresh();
    let make = "CREATE TABLE p (id int, at date) PARTITION BY RANGE (at); \
        CREATE TABLE p1 PARTITION OF {org_schema}.p FOR VALUES FROM ('2026-01-01') TO ('2027-01-01'); \
        CREATE TABLE base (a int); CREATE TABLE child () INHERITS (base);";
    check(
        &db,
        make,
        "ALTER TABLE p DETACH PARTITION p1",
        &[
            "table p1: partition of removed: {org_schema}.p",
            "table p1: partition bound removed: FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')",
        ],
    );
    check(
        &db,
        make,
        "ALTER TABLE child NO INHERIT base",
        &["table child: inherits removed: {org_schema}.base"],
    );
}

#[test]
fn views_triggers_rules_and_policies() {
    let db = Database::fresh();
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
            "view v: definition changed, first in its line 4",
        ),
        ("CREATE OR REPLACE VIEW v AS SELECT id, a, b FROM t WHERE b <> 'it''s {org_schema}'", ""),
        ("DROP VIEW v", "view v: removed"),
        ("DROP MATERIALIZED VIEW m", "materialized view m: removed"),
        ("REFRESH MATERIALIZED VIEW m WITH NO DATA", "materialized view m: not populated"),
        ("CREATE INDEX i ON m (n)", "materialized view m: index added: i"),
        ("ALTER TABLE t DISABLE TRIGGER tr", "table t: trigger tr: not enabled"),
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
        check(&db, make, change, if expected.is_empty() { &wider } else { std::slice::from_ref(&expected) });
    }
}
