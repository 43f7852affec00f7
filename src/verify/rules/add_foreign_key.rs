//! A new foreign key makes the server refuse writes of the running release on both sides: rows without a match, and deletes of
//! referenced rows.

use squawk_syntax::SyntaxKind;

use crate::sql::Node;

use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rule_context::{RuleContext, Span};
use crate::verify::rules::add_column::has_generated_value;
use crate::verify::rules::net_effect::is_enforced_before;
use crate::verify::rules::new_column::{fills_of, is_new_and_omitted, value_when_added};
use crate::verify::schema::{OmittedValue, name_of, names_of, words};
use crate::verify::{Level, RuleId};

pub(in crate::verify) const RULE: Rule = Rule {
    id: RuleId::AddForeignKey,
    level: Level::Deny,
    impact: &[Impact::OldWriters],
    why: "makes the server refuse rows of the running release that reference no row, even if it is NOT VALID",
    remediation: "put it on a new nullable column, or add it when the old release no longer runs",
    bad: "ALTER TABLE users ADD FOREIGN KEY (id) REFERENCES teams (id) NOT VALID;",
    good: "ALTER TABLE users ADD COLUMN team_id uuid REFERENCES teams (id);",
    ignores_new_objects: true,
    judge: Judge::Code(judge),
};

/// A new column that old writers leave NULL references nothing: the server checks no row (manual, ALTER TABLE, ADD COLUMN).
fn judge(context: &RuleContext<'_>) -> Vec<Span> {
    context
        .nodes(&[SyntaxKind::FOREIGN_KEY_CONSTRAINT, SyntaxKind::REFERENCES_CONSTRAINT])
        .filter(|node| {
            node.parent().is_some_and(|parent| match parent.kind() {
                SyntaxKind::ADD_CONSTRAINT => {
                    !stays_null(context, *node) && !is_enforced_before(context, *node, None)
                }
                SyntaxKind::ADD_COLUMN => {
                    let name = parent.child(SyntaxKind::COLUMN_NAME).map(|node| name_of(node));
                    let is_filled = || name.is_some_and(|name| !fills_of(context, &name).is_empty());
                    (has_generated_value(parent) || is_filled()) && !may_be_deleted(context, *node)
                }
                _ => false,
            })
        })
        .map(Node::span)
        .collect()
}

/// Whether the running release leaves a column of the key NULL: the file added it, or gave it a name that the release does not know.
/// The values of existing rows prevent deletes of the rows that they reference.
fn stays_null(context: &RuleContext<'_>, constraint: Node<'_>) -> bool {
    let list = constraint.child(SyntaxKind::FOREIGN_KEY_COLUMN_LIST);
    let columns = list.map(|list| names_of(list, SyntaxKind::COLUMN_NAME_REF)).unwrap_or_default();
    let full = constraint.contains(&[SyntaxKind::MATCH_FULL]);
    let table = context.targets().next().and_then(|name| context.after.table(name, context.scope).present());
    let is_added = |name: &String| {
        table.is_none_or(|table| table.column(name).present().is_some_and(|column| column.new))
    };
    let is_empty = |name: &String| {
        is_added(name)
            && value_when_added(context, name).is_none_or(|value| value == OmittedValue::Null)
            && fills_of(context, name).is_empty()
    };
    let stays_null: Vec<_> = columns.iter().filter(|name| is_new_and_omitted(context, name)).collect();
    !full
        && !stays_null.is_empty()
        && (stays_null.into_iter().any(is_empty) || may_be_deleted(context, constraint))
}

/// Whether the running release may delete the referenced rows: their table is new, or the key sets NULL.
fn may_be_deleted(context: &RuleContext<'_>, constraint: Node<'_>) -> bool {
    let range = constraint.range();
    let mut names = context.statement.names.iter();
    names.any(|name| {
        range.start <= name.range.start && name.range.end <= range.end && context.is_new_table(name)
    }) || words(constraint).join(" ").contains("on delete set null")
}
