//! `CASCADE` drops what nobody named: a harmless DROP of an index or a constraint may take a view or a
//! foreign key with it.

use squawk_syntax::SyntaxKind;

use crate::sql::Node;
use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rule_context::{RuleContext, Span};
use crate::verify::{Level, RuleId};

pub(in crate::verify) const RULE: Rule = Rule {
    id: RuleId::DropCascade,
    level: Level::Deny,
    impact: &[Impact::OldReaders, Impact::OldWriters],
    why: "also drops whatever depends on it, which the text does not name",
    remediation: "drop each dependent object by its name, without CASCADE",
    bad: "DROP INDEX idx_users_name CASCADE;",
    good: "DROP INDEX idx_users_name;",
    ignores_new_objects: false,
    judge: Judge::Code(judge),
};

/// The CASCADE of a foreign key's action hangs from no DROP. Nothing old depends on a table or view that
/// is new, except through a key or a partition; a new type, function or sequence may stand behind the
/// default of an old column.
fn judge(subject: &RuleContext<'_>) -> Vec<Span> {
    let tables = matches!(
        subject.statement.kind,
        SyntaxKind::DROP_TABLE | SyntaxKind::DROP_VIEW | SyntaxKind::DROP_MATERIALIZED_VIEW
    );
    if tables && subject.only_new() {
        return Vec::new();
    }
    subject
        .nodes(&[SyntaxKind::CASCADE])
        .filter(|cascade| {
            cascade.parent().is_some_and(|parent| crate::verify::new_objects::is_drop(parent.kind()))
        })
        .map(Node::span)
        .collect()
}
