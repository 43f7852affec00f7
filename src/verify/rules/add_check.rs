//! A new check on an existing table applies to all later writes of the running release. `NOT VALID` excludes only existing rows
//! (manual, ALTER TABLE).

use squawk_syntax::SyntaxKind;

use crate::sql::{Name, Node};

use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rule_context::{RuleContext, Span};
use crate::verify::rules::evaluate::{Value, passes, refutes};
use crate::verify::rules::net_effect::{before_file, is_enforced_before};
use crate::verify::rules::new_column::{fills_of, may_be_of_child, new_column};
use crate::verify::schema::{
    ConstraintKind, OmittedValue, column_ref, default_value, mentioned, name_of, proven, words,
};
use crate::verify::{Level, RuleId};

pub(in crate::verify) const RULE: Rule = Rule {
    id: RuleId::AddCheck,
    level: Level::Deny,
    impact: &[Impact::OldWriters],
    why: "makes the server refuse writes of the running release that violate the constraint, even if it is NOT VALID",
    remediation: "let the new release enforce the rule first, and add the constraint when the old release no longer runs",
    bad: "ALTER TABLE users ADD CONSTRAINT named CHECK (name <> '') NOT VALID;",
    good: "ALTER TABLE users VALIDATE CONSTRAINT named;",
    ignores_new_objects: true,
    judge: Judge::Code(judge),
};

/// Also reports checks on new columns: the condition may name other columns, or refuse the NULL that old writers leave. A
/// condition that is true for their NULL or default, or that another constraint already implies, is not reported.
fn judge(context: &RuleContext<'_>) -> Vec<Span> {
    let in_table =
        context.nodes(&[SyntaxKind::CHECK_CONSTRAINT, SyntaxKind::NOT_NULL_CONSTRAINT]).filter(|node| {
            match node.parent().map(Node::kind) {
                Some(SyntaxKind::ADD_CONSTRAINT) => context.statement.kind != SyntaxKind::ALTER_DOMAIN,
                Some(SyntaxKind::ADD_COLUMN) => node.kind() == SyntaxKind::CHECK_CONSTRAINT,
                Some(SyntaxKind::COLUMN | SyntaxKind::TABLE_ARG_LIST) => context.is_part_of_old(),
                _ => false,
            }
        });
    let attached =
        context.nodes(&[SyntaxKind::ATTACH_PARTITION]).filter(|node| restricts_table(context, *node));
    in_table.filter(|node| !suits_old_writers(context, *node)).chain(attached).map(Node::span).collect()
}

/// Whether a table that is in use becomes a partition, which accepts only rows within its bounds. If it has a CHECK, that is taken
/// for one that implies the bounds (manual, chapter 5.12).
fn restricts_table(context: &RuleContext<'_>, attach: Node<'_>) -> bool {
    let range = attach.range();
    let of_table = context.statement.kind == SyntaxKind::ALTER_TABLE;
    let accepts_all = |name: &Name| {
        let table = before_file(context).unwrap_or(context.schema).table(name, context.scope).present();
        table.is_some_and(|table| {
            table.parents.is_empty() && !table.constraints.iter().any(|own| own.kind == ConstraintKind::Check)
        })
    };
    let partition = context.statement.names.iter().find(|name| range.contains(&name.range.start));
    of_table
        && words(attach).iter().any(|word| word == "values")
        && partition.is_some_and(|name| !context.is_new_table(name) && accepts_all(name))
}

/// Whether no row of the running release can violate the constraint: the server enforces the same already, or the condition is on
/// a column that old writers omit, and the value there satisfies it.
fn suits_old_writers(context: &RuleContext<'_>, constraint: Node<'_>) -> bool {
    let table = context.table().present();
    if constraint.kind() == SyntaxKind::NOT_NULL_CONSTRAINT {
        let column = column_ref(constraint);
        return column.is_some_and(|name| table.is_some_and(|table| table.proves_not_null(&name)));
    }
    let Some(condition) =
        constraint.children().find(|part| part.kind() != SyntaxKind::CONSTRAINT_NAME_CLAUSE)
    else {
        return false;
    };
    if is_enforced_before(context, constraint, None) {
        return true;
    }
    let columns = mentioned(condition);
    let tests = proven(condition);
    if !tests.is_empty()
        && tests.len() == columns.len()
        && only_tests(condition)
        && table.is_some_and(|table| tests.iter().all(|name| table.proves_not_null(name)))
    {
        return true;
    }
    let validated = !constraint.contains(&[SyntaxKind::NOT_VALID]);
    let omitted = |name: &str| new_column(context, name, validated).map(Value::omitted);
    let is_known =
        |name: &String| omitted(name).is_some() && (validated || fills_of(context, name).is_empty());
    let all_new = !columns.is_empty() && columns.iter().all(is_known);
    // The running release may update rows in which the next one has set the new columns.
    if all_new && passes(condition, &|name| omitted(name).unwrap_or(Value::Unknown)) {
        return true;
    }
    let added = constraint.parent().filter(|parent| parent.kind() == SyntaxKind::ADD_COLUMN);
    added.is_some_and(|column| {
        let name = column.child(SyntaxKind::COLUMN_NAME).map(|node| name_of(node));
        let filled = column
            .child(SyntaxKind::DEFAULT_CONSTRAINT)
            .map_or(OmittedValue::Null, |node| default_value(node));
        let itself = column.has_child(&[SyntaxKind::GENERATED_CONSTRAINT]);
        !columns.is_empty()
            && columns.iter().all(|other| Some(other) == name.as_ref())
            && columns.iter().all(|other| !may_be_of_child(context, other))
            && !itself
            && holds_for(&filled, condition)
    })
}

/// Whether the condition is true for an omitted value. The server checks all existing rows, so a constant satisfies the condition
/// or the migration fails; only with an empty table it may be wrong.
fn holds_for(filled: &OmittedValue, condition: Node<'_>) -> bool {
    match filled {
        OmittedValue::Null => passes(condition, &|_| Value::Null),
        OmittedValue::Default(text) => !text.contains('(') && !refutes(text, condition),
        OmittedValue::Generated => false,
    }
}

/// Whether the condition consists of `c IS NOT NULL AND …` only.
fn only_tests(condition: Node<'_>) -> bool {
    let words = crate::verify::schema::words(condition);
    words.iter().filter(|word| *word == "null").count() == proven(condition).len()
        && !words.iter().any(|word| word == "or")
}

#[cfg(test)]
mod tests {
    use crate::verify::tests::{denied, denied_on};

    #[test]
    fn a_condition_on_columns_that_old_writers_omit() {
        for column in [
            "c int CHECK (c > 0)",
            "c text CHECK (c IN ('a', 'b'))",
            "c text NOT NULL DEFAULT 'a' CHECK (c IN ('a', 'b'))",
            "c int CHECK (c BETWEEN 1 AND 5)",
            "c text CHECK (length(c) < 10 OR c = 'x')",
            "c text CHECK (c ~ '^a')",
            "c bytea CHECK (octet_length(c) = 32)",
            "c text NULL CHECK (c IS NULL OR c <> '')",
            "c text CHECK (length(trim(c)) > 3)",
            "c text CHECK (c = '' OR length(trim(both 'x' from c)) >= 8)",
            "c text CHECK (position('@' in c) > 1 AND substring(c from 1 for 1) <> '@')",
            "c text CHECK (char_length(btrim(c)) > 3)",
            "c text, ADD COLUMN d text, ADD CHECK ((c IS NULL) = (d IS NULL))",
            "c text, ADD COLUMN d text, ADD CHECK (c IS NULL OR length(d) < 9)",
        ] {
            assert_eq!(denied(&format!("ALTER TABLE t ADD COLUMN {column}")), [""; 0], "{column}");
        }
        for column in [
            "c int CHECK (c > a)",
            "c int CHECK (c IS NOT NULL)",
            "c int CHECK (coalesce(c, 0) > 0)",
            "c int CHECK (c IS DISTINCT FROM NULL)",
            "c int DEFAULT random() CHECK (c > 0)",
            "c int CHECK (CASE WHEN c > 0 THEN true ELSE false END)",
            "c int CHECK (ok(c))",
            "c int CHECK (false)",
            "c text, ADD CHECK ((c IS NULL) = (b IS NULL))",
            "c text, ADD COLUMN d text, ADD CHECK ((c IS NULL) <> (d IS NULL))",
            "c text, ADD CHECK (NOT (c IS NULL))",
        ] {
            assert_eq!(denied(&format!("ALTER TABLE t ADD COLUMN {column}")), ["add-check"], "{column}");
        }
    }

    #[test]
    fn an_implied_condition_is_not_reported() {
        let base = "CREATE TABLE t (a int NOT NULL, b int)";
        assert_eq!(denied_on(base, "ALTER TABLE t ADD CHECK (a IS NOT NULL)"), [""; 0]);
        let part = "CREATE TABLE p PARTITION OF t (CHECK (b > 1)) DEFAULT";
        assert_eq!(denied_on(base, part), ["add-check"]);
        assert_eq!(
            denied_on(base, "CREATE TABLE p PARTITION OF t DEFAULT; ALTER TABLE p ADD CHECK (b > 1)"),
            ["add-check"]
        );
        assert_eq!(denied_on("", &format!("{base}; {part}")), [""; 0]);
        assert_eq!(denied_on(base, "ALTER TABLE t ADD CHECK (b IS NOT NULL) NOT VALID"), ["add-check"]);
        assert_eq!(denied_on(base, "ALTER TABLE t ADD CHECK (a IS NOT NULL OR b > 1)"), ["add-check"]);
        assert_eq!(denied_on(base, "ALTER TABLE t ADD c int; ALTER TABLE t ADD CHECK (c > 1)"), [""; 0]);
        assert_eq!(
            denied_on(base, "ALTER TABLE t ADD c int; ALTER TABLE t ADD CHECK (c > b)"),
            ["add-check"]
        );
    }
}
