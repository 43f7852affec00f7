//! A new demand that rows differ. The running release may write two that do not.

use squawk_syntax::SyntaxKind;

use crate::verify::finding::{Level, RuleId};
use crate::verify::rule::{Breaks, Judge, Rule, Spares};
use crate::verify::rules::add_column::fills_itself;
use crate::verify::subject::{Hit, Subject, has, says, span};

pub(in crate::verify) const RULE: Rule = Rule {
    id: RuleId("add-unique"),
    level: Level::Deny,
    breaks: &[Breaks::OldWriters, Breaks::Locks],
    why: "refuses what the running release writes where it is not unique",
    instead: "let the new release keep it unique first; add this when the old one is gone",
    bad: "CREATE UNIQUE INDEX CONCURRENTLY users_phone ON users (phone);",
    good: "CREATE TABLE phones (user_id uuid, phone text UNIQUE);",
    spares: Spares::NewObjects,
    judge: Judge::Code(judge),
};

/// A constraint made from a unique index demands nothing new, a primary key does: NOT NULL. A nullable
/// column without a default stays NULL under the writers that do not know it, and NULLs differ from each
/// other unless the constraint says otherwise, so its UNIQUE cannot refuse them.
fn judge(subject: &Subject<'_>) -> Vec<Hit> {
    let constraints =
        [SyntaxKind::UNIQUE_CONSTRAINT, SyntaxKind::PRIMARY_KEY_CONSTRAINT, SyntaxKind::EXCLUDE_CONSTRAINT];
    let demands = |node: &squawk_syntax::SyntaxNode| {
        let unique = node.kind() == SyntaxKind::UNIQUE_CONSTRAINT;
        let Some(parent) = node.parent() else { return false };
        match parent.kind() {
            SyntaxKind::ADD_CONSTRAINT => !unique || !has(node, &[SyntaxKind::USING_INDEX_NAME]),
            SyntaxKind::ADD_COLUMN => {
                let strict = node.descendants().any(|part| part.kind() == SyntaxKind::NULLS_NOT_DISTINCT);
                !unique || strict || fills_itself(&parent) || has(&parent, &[SyntaxKind::NOT_NULL_CONSTRAINT])
            }
            _ => false,
        }
    };
    let indexes =
        subject.nodes(&[SyntaxKind::CREATE_INDEX]).filter(|index| says(index, SyntaxKind::UNIQUE_KW));
    subject.nodes(&constraints).filter(demands).chain(indexes).map(|node| span(&node)).collect()
}
