//! `OR REPLACE`: what stays under its name and is another thing. The old text is known from the files
//! before, so a view that only shows more columns, or a routine that stays as it is, is let be.

use squawk_syntax::SyntaxKind;

use crate::sql::NameRole;
use crate::verify::finding::{Level, RuleId};
use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rule_context::{RuleContext, Span};
use crate::verify::schema::{Change, Found, Relation, Routine, View};

pub(in crate::verify) const ROWS: &[Rule] = &[
    Rule {
        id: RuleId("replace-object"),
        level: Level::Deny,
        impact: &[Impact::OldReaders, Impact::OldWriters],
        why: "changes what the running release gets under a name that it uses",
        remediation: "choose another name, or let a view only show more columns behind the old ones",
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
        id: RuleId("ambiguous-overload"),
        level: Level::Deny,
        impact: &[Impact::OldReaders, Impact::OldWriters],
        why: "makes calls ambiguous that the running release sends: they fit the old routine and this one",
        remediation: "choose another name, or give no defaults",
        bad: "CREATE FUNCTION total(a int, b int DEFAULT 0) RETURNS int LANGUAGE sql AS 'SELECT a + b';",
        good: "CREATE FUNCTION total_of_two(a int, b int DEFAULT 0) RETURNS int LANGUAGE sql AS 'SELECT a + b';",
        ignores_new_objects: false,
        judge: Judge::Code(|subject| overloads(subject, true)),
    },
    Rule {
        id: RuleId("add-overload"),
        level: Level::Warn,
        impact: &[Impact::OldReaders, Impact::OldWriters],
        why: "may make calls ambiguous that give a literal without a type",
        remediation: "choose another name",
        bad: "CREATE FUNCTION total(a text) RETURNS text LANGUAGE sql AS 'SELECT a';",
        good: "CREATE FUNCTION total_text(a text) RETURNS text LANGUAGE sql AS 'SELECT a';",
        ignores_new_objects: false,
        judge: Judge::Code(|subject| overloads(subject, false)),
    },
];

fn replaces(subject: &RuleContext<'_>, _: &Span) -> bool {
    let made = subject.statement.names.iter().find(|name| name.role == NameRole::Created);
    let Some(name) = made else { return true };
    // Even a trigger or a rule, whose tables have their own rule.
    if !subject.node.has_child(&[SyntaxKind::OR_REPLACE]) || subject.is_new(name) {
        return false;
    }
    if subject.statement.kind == SyntaxKind::CREATE_VIEW {
        return match subject.schema.own_relation(name, subject.scope) {
            Found::There(Relation::View(old)) => old.change(&View::of(subject.node)) == Change::Other,
            Found::There(_) | Found::Unknown => true,
            Found::Absent => false,
        };
    }
    let new = Routine::of(subject.node);
    match subject.schema.own_routines(name, subject.scope) {
        Found::There(old) => old.iter().any(|old| old.inputs == new.inputs && old.text != new.text),
        Found::Absent => false,
        Found::Unknown => true,
    }
}

fn overloads(subject: &RuleContext<'_>, surely: bool) -> Vec<Span> {
    if !matches!(subject.statement.kind, SyntaxKind::CREATE_FUNCTION | SyntaxKind::CREATE_PROCEDURE) {
        return Vec::new();
    }
    let made = subject.statement.names.iter().find(|name| name.role == NameRole::Created);
    let old = made.and_then(|name| subject.schema.own_routines(name, subject.scope).there());
    let new = Routine::of(subject.node);
    let others: Vec<&Routine> = old.into_iter().flatten().filter(|old| old.inputs != new.inputs).collect();
    let same = old.is_some_and(|old| old.iter().any(|old| old.inputs == new.inputs));
    let ambiguous = others.iter().any(|old| new.meets(old));
    let alike = others.iter().any(|old| old.inputs.len() == new.inputs.len());
    let found = !same && if surely { ambiguous } else { alike && !ambiguous };
    let new_name = made.is_some_and(|name| subject.made.defines(name));
    if found && !new_name { vec![subject.statement.range.clone()] } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use crate::verify::tests::{denied, ids_on};

    #[test]
    fn a_view_may_show_more() {
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
    fn a_routine_may_be_the_same_or_another() {
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
