//! Code whose effects the text does not show; a run on a shadow shows them. Calling a routine that the file created is like a DO
//! block; creating it runs nothing.

use squawk_syntax::SyntaxKind;

use crate::sql::{Code, Node, Scope, Script};

use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rule_context::{RuleContext, Span};
use crate::verify::schema::{CodeReplay, Found, Schema, calls, executed, names_of, words};
use crate::verify::{Level, RuleId};

pub(in crate::verify) const RULE: Rule = Rule {
    id: RuleId::OpaqueCode,
    level: Level::Deny,
    impact: &[Impact::Verification],
    why: "runs code whose effects its text does not show",
    remediation: "write it as plain SQL, or run verify with --shadow, or accept it with -- Allow:",
    bad: "DO $$ BEGIN EXECUTE 'DROP TABLE users'; END $$;",
    good: "UPDATE users SET role = 'viewer' WHERE role IS NULL;",
    ignores_new_objects: false,
    judge: Judge::Code(judge),
};

/// Reports blocks, programs and files of the server, and calls that the statement executes. Calls of functions that are known to
/// change nothing are excluded: built-in ones, and those that are declared so.
fn judge(context: &RuleContext<'_>) -> Vec<Span> {
    let blocks = context
        .nodes(&[SyntaxKind::CALL, SyntaxKind::DO, SyntaxKind::EXECUTE, SyntaxKind::LOAD])
        .filter(|node| match node.kind() {
            SyntaxKind::DO => !context.code.is_some_and(|code| is_shown(context, code)),
            SyntaxKind::CALL => {
                !context.statement.names.iter().any(|name| context.followed.contains(&name.name))
            }
            _ => true,
        });
    let copies = context.nodes(&[SyntaxKind::COPY_PROGRAM]).filter(|target| {
        words(*target).first().is_some_and(|word| word == "program")
            || target.parent().is_some_and(|parent| parent.kind() == SyntaxKind::COPY_TO)
    });
    let called = calls(context.statement, context.node, context.schema, context.scope);
    let called = called.into_iter().filter(|name| !context.followed.contains(&name.name));
    let called = called.map(|name| name.range.clone());
    blocks.chain(copies).map(Node::span).chain(called).chain(attributes(context)).collect()
}

/// Whether the static statements of a body show all that it does.
fn is_shown(context: &RuleContext<'_>, replay: &CodeReplay) -> bool {
    shows_its_effects(&replay.code, context.schema, context.scope, context.followed)
}

/// Whether the static statements of `code` show all that it does; `followed` are routines whose bodies are judged.
pub(in crate::verify) fn shows_its_effects(
    code: &Code,
    schema: &Schema,
    scope: Option<Scope>,
    followed: &[String],
) -> bool {
    let is_harmless = |expression: &Script| {
        let statement = &expression.statements[0];
        let called = calls(statement, statement.node(expression), schema, scope);
        called.iter().all(|name| followed.contains(&name.name))
    };
    !code.is_dynamic && code.expressions.iter().all(is_harmless)
}

/// `o.f` is the call `f(o)` if `o` has no column of that name (manual, chapter 4.2.4).
fn attributes(context: &RuleContext<'_>) -> Vec<Span> {
    if !executed(context.statement.kind, context.node) {
        return Vec::new();
    }
    let names = context.statement.names.iter();
    let tables: Vec<_> =
        names.filter_map(|name| context.schema.table(name, context.scope).present()).collect();
    let calls = |field: Node<'_>| {
        let parts = names_of(field, SyntaxKind::NAME_REF);
        let Some(name) = parts.last() else { return false };
        let column = tables.iter().any(|table| matches!(table.column(name), Found::Present(_)));
        let routines = context.schema.has_routine(name).into_iter().flatten();
        !column && routines.into_iter().any(|routine| routine.inputs.len() == 1 && !routine.pure)
    };
    context.nodes(&[SyntaxKind::FIELD_EXPR]).filter(|field| calls(*field)).map(Node::span).collect()
}

#[cfg(test)]
mod tests {
    use crate::verify::tests::{denied, denied_on};

    #[test]
    fn only_calls_that_can_change_nothing_pass() {
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
            "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'x'; END $$; SELECT f()",
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
        // Functions of extensions, unless the project may have one of that name.
        assert_eq!(denied_on(base, "SELECT delete(h, 'a') FROM t"), [""; 0]);
        assert_eq!(denied("SELECT delete(h, 'a') FROM t"), ["opaque-code"]);
        let own = "CREATE TABLE t (a int); CREATE FUNCTION delete(x int) RETURNS int LANGUAGE sql AS 'DELETE FROM t WHERE a = x; SELECT 1'";
        assert_eq!(denied_on(own, "SELECT delete(a) FROM t"), ["opaque-code"]);
        let dynamic = "DO $$ BEGIN EXECUTE 'CREATE FUNCTION index(int) …'; END $$; SELECT index(1)";
        assert_eq!(denied_on(base, dynamic), ["opaque-code", "opaque-code"]);
    }

    #[test]
    fn a_routine_whose_body_only_computes_passes() {
        let body = |body: &str| {
            format!(
                "CREATE TABLE t (a int, b text); CREATE SEQUENCE s; CREATE FUNCTION wipe() RETURNS int LANGUAGE sql AS 'DELETE FROM t; SELECT 1'; \
                 CREATE FUNCTION f() RETURNS text LANGUAGE plpgsql AS $$ DECLARE n int; BEGIN {body} RETURN n; END $$"
            )
        };
        for computes in [
            "n := random() * 10;",
            "SELECT count(*) INTO n FROM t WHERE b LIKE 'a%';",
            "IF n > 1 THEN n := 2; END IF;",
        ] {
            assert_eq!(denied_on(&body(computes), "SELECT f()"), [""; 0], "{computes}");
        }
        for acts in [
            "DELETE FROM t;",
            "WITH d AS (DELETE FROM t RETURNING a) SELECT count(*) INTO n FROM d;",
            "PERFORM setval('s', 1);",
            "n := wipe();",
            "EXECUTE 'SELECT 1';",
            "PERFORM set_config('search_path', 'x', false);",
            "DROP TABLE t;",
        ] {
            assert_eq!(denied_on(&body(acts), "SELECT f()"), ["opaque-code"], "{acts}");
        }
        let stable = "CREATE SEQUENCE s; CREATE FUNCTION f() RETURNS bigint STABLE LANGUAGE sql AS $$ SELECT setval('s', 1) $$";
        assert_eq!(denied_on(stable, "SELECT f()"), ["opaque-code"]);
    }
}
