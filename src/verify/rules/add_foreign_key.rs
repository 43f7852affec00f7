//! A new foreign key refuses writes of the running release on both sides: rows that refer to nothing, and
//! deletes of what is referred to.

use squawk_syntax::SyntaxKind;

use crate::sql::Node;

use crate::verify::finding::{Level, RuleId};
use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rule_context::{RuleContext, Span};
use crate::verify::rules::add_column::fills_itself;
use crate::verify::schema::{Filled, names_of};

pub(in crate::verify) const RULE: Rule = Rule {
    id: RuleId("add-foreign-key"),
    level: Level::Deny,
    impact: &[Impact::OldWriters],
    why: "refuses what the running release writes where it refers to nothing, also when it is NOT VALID",
    remediation: "put it on a new nullable column, or add it when the old release is gone",
    bad: "ALTER TABLE users ADD FOREIGN KEY (team_id) REFERENCES teams (id) NOT VALID;",
    good: "ALTER TABLE users ADD COLUMN team_id uuid REFERENCES teams (id);",
    ignores_new_objects: true,
    judge: Judge::Code(judge),
};

/// A new column that stays NULL under the writers that do not know it refers to nothing and is never
/// checked, and the server looks at no row (manual, ALTER TABLE, ADD COLUMN).
fn judge(subject: &RuleContext<'_>) -> Vec<Span> {
    subject
        .nodes(&[SyntaxKind::FOREIGN_KEY_CONSTRAINT, SyntaxKind::REFERENCES_CONSTRAINT])
        .filter(|node| {
            node.parent().is_some_and(|parent| match parent.kind() {
                SyntaxKind::ADD_CONSTRAINT => !stays_null(subject, *node),
                SyntaxKind::ADD_COLUMN => fills_itself(parent),
                _ => false,
            })
        })
        .map(Node::span)
        .collect()
}

/// Whether a column of the key is one that the file has added and the running release leaves NULL.
fn stays_null(subject: &RuleContext<'_>, constraint: Node<'_>) -> bool {
    let list = constraint.child(SyntaxKind::FOREIGN_KEY_COLUMN_LIST);
    let columns = list.map(|list| names_of(list, SyntaxKind::COLUMN_NAME_REF)).unwrap_or_default();
    let full = constraint.contains(&[SyntaxKind::MATCH_FULL]);
    let table = subject.table().there();
    !full
        && table.is_some_and(|table| {
            table.columns.iter().any(|column| {
                columns.contains(&column.name)
                    && column.new
                    && column.filled == Filled::Not
                    && !column.not_null
            })
        })
}
