//! `CASCADE` drops objects that the statement does not name: dropping an index or a constraint may drop a view or a foreign key.

use squawk_syntax::SyntaxKind;

use crate::sql::Node;
use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rule_context::{RuleContext, Span};
use crate::verify::{Level, RuleId};

pub(in crate::verify) const RULE: Rule = Rule {
    id: RuleId::DropCascade,
    level: Level::Deny,
    impact: &[Impact::OldReaders, Impact::OldWriters],
    why: "also drops dependent objects, which the text does not name",
    remediation: "drop each dependent object by its name, without CASCADE",
    bad: "DROP INDEX idx_users_name CASCADE;",
    good: "DROP INDEX idx_users_name;",
    ignores_new_objects: false,
    judge: Judge::Code(judge),
};

/// The CASCADE of a foreign key's action is not under a DROP. Nothing old depends on a new table or view, except through a
/// foreign key or a partition; the default of an old column may depend on a new type, function or sequence.
fn judge(context: &RuleContext<'_>) -> Vec<Span> {
    let tables = matches!(
        context.statement.kind,
        SyntaxKind::DROP_TABLE | SyntaxKind::DROP_VIEW | SyntaxKind::DROP_MATERIALIZED_VIEW
    );
    let are_absent =
        context.targets().next().is_some() && context.targets().all(|name| context.is_absent(name));
    let only_if_exists = context.node.has_child(&[SyntaxKind::IF_EXISTS]);
    if (tables && context.only_new()) || (only_if_exists && are_absent) {
        return Vec::new();
    }
    context
        .nodes(&[SyntaxKind::CASCADE])
        .filter(|cascade| {
            cascade.parent().is_some_and(|parent| crate::verify::new_objects::is_drop(parent.kind()))
        })
        .map(Node::span)
        .collect()
}
