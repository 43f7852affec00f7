//! Code whose text does not say what it will do. Run on a shadow it shows. A routine that the file makes
//! and then calls is a DO block by another name; to make it is not to run it.

use squawk_syntax::SyntaxKind;

use crate::sql::Node;

use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rule_context::{RuleContext, Span};
use crate::verify::schema::{Found, calls, executed, names_of, words};
use crate::verify::{Level, RuleId};

pub(in crate::verify) const RULE: Rule = Rule {
    id: RuleId::OpaqueCode,
    level: Level::Deny,
    impact: &[Impact::Verification],
    why: "runs code that cannot be judged by its text",
    remediation: "write it as plain SQL, or accept it with -- Allow: and have it judged on a shadow",
    bad: "DO $$ BEGIN EXECUTE 'DROP TABLE users'; END $$;",
    good: "UPDATE users SET role = 'viewer' WHERE role IS NULL;",
    ignores_new_objects: false,
    judge: Judge::Code(judge),
};

/// Blocks; programs and files of the server; and calls, wherever the statement computes them now, but of
/// functions that are known to change nothing: the server's, and those that it keeps from it.
fn judge(subject: &RuleContext<'_>) -> Vec<Span> {
    let blocks = subject.nodes(&[SyntaxKind::CALL, SyntaxKind::DO, SyntaxKind::EXECUTE, SyntaxKind::LOAD]);
    let copies = subject.nodes(&[SyntaxKind::COPY_PROGRAM]).filter(|target| {
        words(*target).first().is_some_and(|word| word == "program")
            || target.parent().is_some_and(|parent| parent.kind() == SyntaxKind::COPY_TO)
    });
    let called = calls(subject.statement, subject.node, subject.schema, subject.scope);
    let called = called.into_iter().map(|name| name.range.clone());
    blocks.chain(copies).map(Node::span).chain(called).chain(attributes(subject)).collect()
}

/// `o.f` is a call of `f(o)`, where `o` has no column of that name (manual, chapter 4.2.4).
fn attributes(subject: &RuleContext<'_>) -> Vec<Span> {
    if !executed(subject.statement.kind, subject.node) {
        return Vec::new();
    }
    let names = subject.statement.names.iter();
    let tables: Vec<_> = names.filter_map(|name| subject.schema.table(name, subject.scope).there()).collect();
    let calls = |field: Node<'_>| {
        let parts = names_of(field, SyntaxKind::NAME_REF);
        let Some(name) = parts.last() else { return false };
        let column = tables.iter().any(|table| matches!(table.column(name), Found::There(_)));
        let routines = subject.schema.has_routine(name).into_iter().flatten();
        !column && routines.into_iter().any(|routine| routine.inputs.len() == 1 && !routine.pure)
    };
    subject.nodes(&[SyntaxKind::FIELD_EXPR]).filter(|field| calls(*field)).map(Node::span).collect()
}

#[cfg(test)]
mod tests {
    use crate::verify::tests::{denied, denied_on};

    #[test]
    fn a_call_is_looked_through_only_where_it_can_change_nothing() {
        let base = "CREATE TABLE t (a int, b text); CREATE FUNCTION wipe() RETURNS int LANGUAGE plpgsql AS $$ BEGIN DELETE FROM t; RETURN 1; END $$; CREATE FUNCTION clean(x text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower(x)';";
        for sql in [
            "SELECT wipe()",
            "SELECT count(*) FROM wipe()",
            "INSERT INTO t SELECT wipe()",
            "INSERT INTO t (a) VALUES (wipe())",
            "UPDATE t SET a = wipe() WHERE a IS NULL",
            "CREATE TABLE u AS SELECT wipe() AS a",
            "WITH x AS (SELECT wipe()) SELECT 1",
            "ALTER TABLE t ADD COLUMN c int DEFAULT wipe()",
            "SELECT other.f()",
            "DECLARE c CURSOR FOR SELECT wipe()",
            "SELECT never_heard_of()",
            "SELECT pg_terminate_backend(1)",
            "SELECT lo_unlink(1)",
            "CREATE FUNCTION f(t) RETURNS int LANGUAGE plpgsql AS 'BEGIN DELETE FROM t; END'; SELECT x.f FROM t x",
            "DECLARE c CURSOR FOR SELECT wipe()",
            "SELECT query_to_xml('DELETE FROM t', true, true, '')",
            "SELECT dblink_exec('x', 'DROP TABLE t')",
            "COPY t TO PROGRAM 'rm x'",
            "COPY t FROM PROGRAM 'x'",
            "COPY t TO '/x'",
            "LOAD 'x'",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'DELETE FROM t'; SELECT f()",
        ] {
            assert!(denied_on(base, sql).contains(&"opaque-code"), "{sql}: {:?}", denied_on(base, sql));
        }
        for sql in [
            "SELECT clean('A')",
            "UPDATE t SET b = clean(b) WHERE b IS NULL",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'DELETE FROM t'",
            "CREATE VIEW v AS SELECT wipe() AS a",
            "ALTER TABLE t ALTER COLUMN a SET DEFAULT wipe()",
            "CREATE INDEX i ON t (clean(b))",
            "INSERT INTO t (b) VALUES (gen_random_uuid()::text), (to_char(now(), 'YYYY'))",
            "SELECT jsonb_build_object('a', count(*)) FROM t",
            "SELECT pg_advisory_xact_lock(1)",
            "SELECT coalesce(max(a), 0) FROM t",
            "INSERT INTO t (b) VALUES (uuid_generate_v4())",
        ] {
            assert!(!denied_on(base, sql).contains(&"opaque-code"), "{sql}");
        }
        assert_eq!(denied("SELECT never_heard_of()"), ["opaque-code"]);
    }
}
