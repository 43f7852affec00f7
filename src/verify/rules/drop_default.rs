//! A column that loses its default refuses the inserts that leave it out, or fills in NULL.

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
    why: "takes away the value that inserts of the running release leave out",
    remediation: "drop it when no release that leaves the column out is running",
    bad: "ALTER TABLE users ALTER COLUMN role DROP DEFAULT;",
    good: "ALTER TABLE users ALTER COLUMN role SET DEFAULT 'viewer';",
    ignores_new_objects: true,
    judge: Judge::Code(judge),
};

/// `SET DEFAULT NULL` is the same thing by another name (manual, ALTER TABLE).
fn judge(subject: &RuleContext<'_>) -> Vec<Span> {
    subject
        .nodes(&[SyntaxKind::DROP_DEFAULT, SyntaxKind::SET_DEFAULT])
        .filter(|node| {
            node.kind() == SyntaxKind::DROP_DEFAULT
                || node.children().any(|value| value.text().trim().eq_ignore_ascii_case("null"))
        })
        .map(Node::span)
        .filter(|hit| filters::has_default(subject, hit))
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::verify::tests::ids;

    #[test]
    fn a_null_default_is_none() {
        assert_eq!(ids("ALTER TABLE users ALTER role SET DEFAULT NULL"), ["drop-default"]);
        assert_eq!(ids("ALTER TABLE users ALTER role SET DEFAULT 'null'"), ["change-default"]);
    }
}
