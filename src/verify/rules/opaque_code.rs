//! Code whose text does not say what it will do. Run on a shadow it shows. A routine that the file makes
//! and then selects is a DO block by another name.

use squawk_syntax::SyntaxKind;

use crate::verify::finding::{Level, RuleId};
use crate::verify::rule::{Breaks, Judge, Rule, Spares};
use crate::verify::subject::{Hit, Subject, span};

pub(in crate::verify) const RULE: Rule = Rule {
    id: RuleId("opaque-code"),
    level: Level::Deny,
    breaks: &[Breaks::Verification],
    why: "runs code that cannot be judged by its text",
    instead: "write it as plain SQL, or accept it with -- Allow: and have it judged on a shadow",
    bad: "DO $$ BEGIN EXECUTE 'DROP TABLE users'; END $$;",
    good: "UPDATE users SET role = 'viewer' WHERE role IS NULL;",
    spares: Spares::Nothing,
    judge: Judge::Code(judge),
};

/// Only a SELECT of its own: in an UPDATE or a default a function mostly computes a value.
fn judge(subject: &Subject<'_>) -> Vec<Hit> {
    let blocks = subject.nodes(&[SyntaxKind::DO, SyntaxKind::CALL, SyntaxKind::EXECUTE]);
    let selected = subject.statement.names.iter().filter(|name| {
        subject.statement.kind == SyntaxKind::SELECT
            && name.kind == SyntaxKind::CALL_EXPR
            && subject.made.defines(name)
    });
    blocks.map(|node| span(&node)).chain(selected.map(|name| name.range.clone())).collect()
}
