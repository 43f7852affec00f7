//! A column that loses its default refuses the inserts that leave it out, or fills in NULL.

use squawk_syntax::SyntaxKind;

use crate::verify::finding::{Level, RuleId};
use crate::verify::rule::{Breaks, Judge, Rule, Spares};
use crate::verify::rules::sift;
use crate::verify::subject::{Hit, Subject, span};

pub(in crate::verify) const RULE: Rule = Rule {
    id: RuleId("drop-default"),
    level: Level::Deny,
    breaks: &[Breaks::OldWriters],
    why: "takes away the value that inserts of the running release leave out",
    instead: "drop it when no release that leaves the column out is running",
    bad: "ALTER TABLE users ALTER COLUMN role DROP DEFAULT;",
    good: "ALTER TABLE users ALTER COLUMN role SET DEFAULT 'viewer';",
    spares: Spares::NewObjects,
    judge: Judge::Code(judge),
};

/// `SET DEFAULT NULL` is the same thing by another name (manual, ALTER TABLE).
fn judge(subject: &Subject<'_>) -> Vec<Hit> {
    subject
        .nodes(&[SyntaxKind::DROP_DEFAULT, SyntaxKind::SET_DEFAULT])
        .filter(|node| {
            node.kind() == SyntaxKind::DROP_DEFAULT
                || node.children().any(|value| value.text().to_string().trim().eq_ignore_ascii_case("null"))
        })
        .map(|node| span(&node))
        .filter(|hit| sift::has_default(subject, hit))
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
