//! A new condition on an old table is held against every write of the running release, from the moment
//! it exists: `NOT VALID` spares only the rows that are there already (manual, ALTER TABLE).

use squawk_syntax::SyntaxKind;

use crate::verify::finding::{Level, RuleId};
use crate::verify::rule::{Breaks, Judge, Rule, Spares};
use crate::verify::subject::{Hit, Subject, span};

pub(in crate::verify) const RULE: Rule = Rule {
    id: RuleId("add-check"),
    level: Level::Deny,
    breaks: &[Breaks::OldWriters],
    why: "refuses what the running release writes where it does not fit, also when it is NOT VALID",
    instead: "let the new release keep the rule first; add the constraint when the old one is gone",
    bad: "ALTER TABLE users ADD CONSTRAINT named CHECK (name <> '') NOT VALID;",
    good: "ALTER TABLE users VALIDATE CONSTRAINT named;",
    spares: Spares::NewObjects,
    judge: Judge::Code(judge),
};

/// On a new column too: the condition may name other columns, or refuse the NULL that old writers leave.
fn judge(subject: &Subject<'_>) -> Vec<Hit> {
    let in_table =
        subject.nodes(&[SyntaxKind::CHECK_CONSTRAINT, SyntaxKind::NOT_NULL_CONSTRAINT]).filter(|node| {
            match node.parent().map(|parent| parent.kind()) {
                Some(SyntaxKind::ADD_CONSTRAINT) => subject.statement.kind != SyntaxKind::ALTER_DOMAIN,
                Some(SyntaxKind::ADD_COLUMN) => node.kind() == SyntaxKind::CHECK_CONSTRAINT,
                _ => false,
            }
        });
    in_table.map(|node| span(&node)).collect()
}
