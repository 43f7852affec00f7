//! `CASCADE` drops what nobody named: a harmless DROP of an index or a constraint may take a view or a
//! foreign key with it.

use squawk_syntax::SyntaxKind;

use crate::verify::finding::{Level, RuleId};
use crate::verify::rule::{Breaks, Judge, Rule, Spares};
use crate::verify::subject::{Hit, Subject, span};

pub(in crate::verify) const RULE: Rule = Rule {
    id: RuleId("drop-cascade"),
    level: Level::Deny,
    breaks: &[Breaks::OldReaders, Breaks::OldWriters],
    why: "also drops whatever depends on it, which the text does not name",
    instead: "drop each dependent object by its name, without CASCADE",
    bad: "DROP INDEX idx_users_name CASCADE;",
    good: "DROP INDEX idx_users_name;",
    spares: Spares::Nothing,
    judge: Judge::Code(judge),
};

/// The CASCADE of a foreign key's action hangs from no DROP. Nothing old depends on a table or view that
/// is new, except through a key or a partition; a new type, function or sequence may stand behind the
/// default of an old column.
fn judge(subject: &Subject<'_>) -> Vec<Hit> {
    let tables = matches!(
        subject.statement.kind,
        SyntaxKind::DROP_TABLE | SyntaxKind::DROP_VIEW | SyntaxKind::DROP_MATERIALIZED_VIEW
    );
    if tables && subject.only_new() {
        return Vec::new();
    }
    subject
        .nodes(&[SyntaxKind::CASCADE])
        .filter(|cascade| cascade.parent().is_some_and(|parent| crate::verify::made::is_drop(parent.kind())))
        .map(|cascade| span(&cascade))
        .collect()
}
