//! Decides which statements have the same effect in a transaction shared with earlier statements as in their own. The
//! list is closed: any other statement runs in its own unit's transaction, as for a migrated tenant.

use squawk_syntax::SyntaxKind;

use super::names::{Name, NameRole};
use super::session;
use super::tree::{Kinds, Node};

/// Definitions that drop or rename, in addition to those of `session` that run no user code.
const DROPS: &[SyntaxKind] = &[
    SyntaxKind::ALTER_INDEX,
    SyntaxKind::ALTER_VIEW,
    SyntaxKind::DROP_DOMAIN,
    SyntaxKind::DROP_FUNCTION,
    SyntaxKind::DROP_POLICY,
    SyntaxKind::DROP_PROCEDURE,
    SyntaxKind::DROP_SEQUENCE,
    SyntaxKind::DROP_TABLE,
    SyntaxKind::DROP_TRIGGER,
    SyntaxKind::DROP_TYPE,
    SyntaxKind::DROP_VIEW,
];

/// These store their expressions: the server does not evaluate calls in them when it runs the statement.
const STORES: &[SyntaxKind] = &[
    SyntaxKind::CREATE_FUNCTION,
    SyntaxKind::CREATE_POLICY,
    SyntaxKind::CREATE_PROCEDURE,
    SyntaxKind::CREATE_TABLE,
    SyntaxKind::CREATE_TRIGGER,
    SyntaxKind::CREATE_VIEW,
];

/// Whether the statement has the same effect in a schema without rows, independent of the transaction boundaries between
/// such statements. Excluded are, among others, `ALTER TYPE … ADD VALUE` (the new value cannot be used in the same
/// transaction), temporary objects and settings (they end with a unit), writes of rows (they fire triggers), deferrable
/// constraints (checked at COMMIT), and calls of unknown functions. `all` contains the node kinds of its file.
pub(super) fn is_same(statement: Node<'_>, names: &[Name], is_session_neutral: bool, all: &Kinds) -> bool {
    let kind = statement.kind();
    let is_definition = is_session_neutral || DROPS.contains(&kind);
    let says = |word| super::transaction::word(statement, word, all).is_some();
    // See `Statement::differs_without_concurrently`.
    let detaches = kind == SyntaxKind::ALTER_TABLE && says(SyntaxKind::CONCURRENTLY_KW);
    let stores = STORES.contains(&kind) && !statement.has_child(&[SyntaxKind::PARTITION_OF]);
    is_definition
        && !detaches
        && !says(SyntaxKind::DEFERRABLE_KW)
        && !says(SyntaxKind::DEFERRED_KW)
        && (stores || session::calls_are_harmless(statement))
        // A new function may shadow a harmless one of the server.
        && !names.iter().any(|name| name.role == NameRole::Created && session::is_harmless(&name.name))
}

#[cfg(test)]
mod tests {
    use crate::error::Source;
    use crate::sql::Script;

    fn is_same(sql: &str) -> bool {
        Script::parse(Source::new("t.sql", sql)).unwrap().statements[0].same_in_one_transaction
    }

    #[test]
    fn only_definitions_that_run_no_code_are_on_the_list() {
        for sql in [
            "CREATE TABLE t (id uuid DEFAULT gen_random_uuid(), x text DEFAULT f() CHECK (g(x)))",
            "CREATE TABLE t (w uuid REFERENCES workspaces(id))",
            "CREATE TABLE t PARTITION OF p FOR VALUES IN ('a')",
            "ALTER TABLE t ADD COLUMN c timestamptz NOT NULL DEFAULT now()",
            "ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (c) REFERENCES u (c)",
            "CREATE UNIQUE INDEX CONCURRENTLY i ON t (lower(c))",
            "CREATE TYPE stage AS ENUM ('a')",
            "CREATE VIEW v AS SELECT f(a) FROM t",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
            "DROP TABLE IF EXISTS t CASCADE",
            "DROP INDEX CONCURRENTLY i",
            "COMMENT ON TABLE t IS 'x'",
            "GRANT SELECT ON t TO r",
        ] {
            assert!(is_same(sql), "{sql}");
        }
        for sql in [
            "ALTER TYPE stage ADD VALUE 'b'",
            "ALTER TYPE stage RENAME VALUE 'a' TO 'b'",
            "CREATE TEMP TABLE t (id int)",
            "CREATE TABLE pg_temp.t (id int)",
            "CREATE TABLE t AS SELECT 1",
            "CREATE TABLE t PARTITION OF p FOR VALUES FROM (f()) TO (g())",
            "CREATE TABLE t (a int REFERENCES u DEFERRABLE INITIALLY DEFERRED)",
            "ALTER TABLE t ADD UNIQUE (a) DEFERRABLE",
            "ALTER TABLE t ALTER CONSTRAINT k DEFERRABLE",
            "CREATE CONSTRAINT TRIGGER g AFTER INSERT ON t INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION f()",
            "ALTER TABLE t ADD COLUMN c int DEFAULT f()",
            "ALTER TABLE t DETACH PARTITION p CONCURRENTLY",
            "CREATE INDEX i ON t (f(c))",
            "CREATE FUNCTION lower(stage) RETURNS text LANGUAGE sql AS 'SELECT 1'",
            "CREATE MATERIALIZED VIEW m AS SELECT 1",
            "INSERT INTO t VALUES (1)",
            "WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a",
            "SELECT f()",
            "DO $$ BEGIN NULL; END $$",
            "CALL p()",
            "SET LOCAL work_mem = '1MB'",
            "SET CONSTRAINTS ALL IMMEDIATE",
            "LOCK TABLE t",
            "CREATE RULE r AS ON INSERT TO t DO INSTEAD NOTHING",
        ] {
            assert!(!is_same(sql), "{sql}");
        }
    }
}
