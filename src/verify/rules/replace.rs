//! `OR REPLACE` changes an object under its name. The earlier files show the old definition, so a view that only gets more
//! columns and a routine that stays equal are not reported.

use squawk_syntax::SyntaxKind;

use crate::sql::NameRole;
use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rule_context::{RuleContext, Span};
use crate::verify::schema::{Change, Found, Relation, Routine, View};
use crate::verify::{Level, RuleId};

pub(in crate::verify) const ROWS: &[Rule] = &[
    Rule {
        id: RuleId::ReplaceObject,
        level: Level::Deny,
        impact: &[Impact::OldReaders, Impact::OldWriters],
        why: "changes an object that the running release uses",
        remediation: "choose another name, or only append columns to the view",
        bad: "CREATE OR REPLACE VIEW active_users AS SELECT id FROM users;",
        good: "CREATE OR REPLACE VIEW active_users AS SELECT id, name, email FROM users WHERE disabled_at IS NULL;",
        ignores_new_objects: true,
        judge: Judge::Filtered(
            &[squawk_linter::Rule::BanReplaceViewFunction],
            &[SyntaxKind::CREATE_AGGREGATE],
            replaces,
        ),
    },
    Rule {
        id: RuleId::AmbiguousOverload,
        level: Level::Deny,
        impact: &[Impact::OldReaders, Impact::OldWriters],
        why: "makes calls of the running release ambiguous: they match the old routine and this one",
        remediation: "choose another name, or omit the defaults",
        bad: "CREATE FUNCTION total(a int, b int DEFAULT 0) RETURNS int LANGUAGE sql AS 'SELECT a + b';",
        good: "CREATE FUNCTION total_of_two(a int, b int DEFAULT 0) RETURNS int LANGUAGE sql AS 'SELECT a + b';",
        ignores_new_objects: false,
        judge: Judge::Code(|context| overloads(context, true)),
    },
    Rule {
        id: RuleId::AddOverload,
        level: Level::Warn,
        impact: &[Impact::OldReaders, Impact::OldWriters],
        why: "may make calls with an untyped literal ambiguous",
        remediation: "choose another name",
        bad: "CREATE FUNCTION total(a text) RETURNS text LANGUAGE sql AS 'SELECT a';",
        good: "CREATE FUNCTION total_text(a text) RETURNS text LANGUAGE sql AS 'SELECT a';",
        ignores_new_objects: false,
        judge: Judge::Code(|context| overloads(context, false)),
    },
];

fn replaces(context: &RuleContext<'_>, _: &Span) -> bool {
    // CREATE OR REPLACE of a trigger or a rule has its own rule.
    if matches!(context.statement.kind, SyntaxKind::CREATE_TRIGGER | SyntaxKind::CREATE_RULE) {
        return false;
    }
    let made = context.statement.names.iter().find(|name| name.role == NameRole::Created);
    let Some(name) = made else { return true };
    if !context.node.has_child(&[SyntaxKind::OR_REPLACE]) || context.is_new(name) {
        return false;
    }
    if context.statement.kind == SyntaxKind::CREATE_VIEW {
        return match context.schema.own_relation(name, context.scope) {
            Found::Present(Relation::View(old)) => old.change(&View::of(context.node)) == Change::Other,
            Found::Present(_) | Found::Unknown => true,
            Found::Absent => false,
        };
    }
    let new = Routine::of(context.node);
    match context.schema.own_routines(name, context.scope) {
        Found::Present(old) => old.iter().any(|old| old.inputs == new.inputs && old.text != new.text),
        Found::Absent => false,
        Found::Unknown => true,
    }
}

fn overloads(context: &RuleContext<'_>, surely: bool) -> Vec<Span> {
    if !matches!(context.statement.kind, SyntaxKind::CREATE_FUNCTION | SyntaxKind::CREATE_PROCEDURE) {
        return Vec::new();
    }
    let made = context.statement.names.iter().find(|name| name.role == NameRole::Created);
    let old = made.and_then(|name| context.schema.own_routines(name, context.scope).present());
    let new = Routine::of(context.node);
    let others: Vec<&Routine> = old.into_iter().flatten().filter(|old| old.inputs != new.inputs).collect();
    let same = old.is_some_and(|old| old.iter().any(|old| old.inputs == new.inputs));
    let ambiguous = others.iter().any(|old| new.may_be_ambiguous_with(old));
    let alike = others.iter().any(|old| old.inputs.len() == new.inputs.len());
    let found = !same && if surely { ambiguous } else { alike && !ambiguous };
    let new_name = made.is_some_and(|name| context.made.defines(name));
    if found && !new_name { vec![context.statement.range.clone()] } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use crate::verify::tests::{denied, ids_on};

    #[test]
    fn a_view_may_get_more_columns() {
        let base = "CREATE TABLE t (a int, b int); CREATE VIEW v AS SELECT a FROM t WHERE b > 1; CREATE VIEW w (x) AS SELECT a FROM t";
        for (sql, expected) in [
            ("CREATE OR REPLACE VIEW v AS SELECT a, b FROM t WHERE b > 1", &[][..]),
            ("CREATE OR REPLACE VIEW V AS SELECT A\nFROM t /* same */ WHERE b > 1", &[]),
            ("CREATE OR REPLACE VIEW w (x, y) AS SELECT a, b FROM t", &[]),
            ("CREATE OR REPLACE VIEW u AS SELECT a FROM t", &[]),
            ("CREATE OR REPLACE VIEW v AS SELECT a FROM t", &["replace-object"]),
            ("CREATE OR REPLACE VIEW v AS SELECT b AS a FROM t WHERE b > 1", &["replace-object"]),
            ("CREATE OR REPLACE VIEW v AS SELECT a FROM t WHERE b > 2", &["replace-object"]),
            (
                "CREATE OR REPLACE VIEW v WITH (security_barrier) AS SELECT a FROM t WHERE b > 1",
                &["replace-object"],
            ),
            ("CREATE OR REPLACE VIEW w (y) AS SELECT a FROM t", &["replace-object"]),
            ("CREATE VIEW n AS SELECT 1 AS a; CREATE OR REPLACE VIEW n AS SELECT 2 AS a", &[]),
        ] {
            assert_eq!(ids_on(base, sql), expected, "{sql}");
        }
        assert_eq!(denied("CREATE OR REPLACE VIEW v AS SELECT 1 AS a"), ["replace-object"]);
    }

    #[test]
    fn an_equal_or_a_new_routine_passes() {
        let base = "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS $$ SELECT a $$;";
        for (sql, expected) in [
            ("CREATE OR REPLACE FUNCTION f(a int) RETURNS int LANGUAGE sql AS $x$SELECT a$x$", &[][..]),
            ("CREATE OR REPLACE FUNCTION g(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'", &[]),
            (
                "CREATE OR REPLACE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT 0'",
                &["replace-object"],
            ),
            (
                "CREATE OR REPLACE FUNCTION f(a text) RETURNS int LANGUAGE sql AS 'SELECT 0'",
                &["add-overload"],
            ),
            ("CREATE FUNCTION f(a int, b int) RETURNS int LANGUAGE sql AS 'SELECT 0'", &[]),
            (
                "CREATE FUNCTION f(a int, b int DEFAULT 1) RETURNS int LANGUAGE sql AS 'SELECT 0'",
                &["ambiguous-overload"],
            ),
        ] {
            assert_eq!(ids_on(base, sql), expected, "{sql}");
        }
    }
}
