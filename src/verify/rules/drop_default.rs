//! Without its default, a column refuses inserts that omit it, or gets NULL.

use squawk_syntax::SyntaxKind;

use crate::sql::Node;
use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rule_context::{RuleContext, Span};
use crate::verify::rules::filters;
use crate::verify::{Level, RuleId};

pub(in crate::verify) const RULE: Rule = Rule {
    id: RuleId::DropDefault,
    level: Level::Deny,
    impact: &[Impact::OldWriters],
    why: "drops a default that inserts of the running release rely on",
    remediation: "drop it when every running release sets the column",
    bad: "ALTER TABLE users ALTER COLUMN role DROP DEFAULT;",
    good: "ALTER TABLE users ALTER COLUMN role SET DEFAULT 'viewer';",
    ignores_new_objects: true,
    judge: Judge::Code(judge),
};

/// `SET DEFAULT NULL` has the same effect (manual, ALTER TABLE).
fn judge(context: &RuleContext<'_>) -> Vec<Span> {
    context
        .nodes(&[SyntaxKind::DROP_DEFAULT, SyntaxKind::SET_DEFAULT])
        .filter(|node| {
            node.kind() == SyntaxKind::DROP_DEFAULT
                || node.children().any(|value| value.text().trim().eq_ignore_ascii_case("null"))
        })
        .map(Node::span)
        .filter(|span| filters::has_default(context, span))
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::verify::tests::ids;

    #[test]
    fn a_null_default_counts_as_no_default() {
        assert_eq!(ids("ALTER TABLE users ALTER role SET DEFAULT NULL"), ["drop-default"]);
        assert_eq!(ids("ALTER TABLE users ALTER role SET DEFAULT 'null'"), ["change-default"]);
    }
}
