//! What squawk knows, under our names: tables, in parts by theme. Where comments speak to squawk, it
//! lints a copy of the file in which they are blank: a `-- squawk-ignore` would pass the policy by in silence.

pub(super) mod access;
pub(super) mod behaviour;
pub(super) mod columns;
pub(super) mod data;
pub(super) mod drops;
pub(super) mod renames;
pub(super) mod style;
pub(super) mod traffic;

use squawk_linter::{Linter, Rule as Theirs};
use squawk_syntax::SourceFile;

use crate::sql::Script;
use crate::verify::rule::{Judge, RULES};
use crate::verify::subject::Hit;

/// What squawk reports of `script`, of the rules that ours name. A fresh linter for each file: one that
/// is used again reports the first file's findings, or panics.
pub(in crate::verify) fn lint(script: &Script) -> Vec<(Theirs, Hit)> {
    let text = without_comments(script, script.masked());
    let wanted = RULES.iter().filter_map(|rule| match rule.judge {
        Judge::Known(theirs, _) | Judge::Sifted(theirs, _, _) => Some(theirs.iter().copied()),
        Judge::Code(_) | Judge::Verification => None,
    });
    let mut linter = Linter::from(wanted.flatten());
    // A unit is one transaction, whether or not the file says BEGIN.
    linter.settings.assume_in_transaction = true;
    // Most files say nothing to squawk, and need not be parsed once more.
    let found = if mentions_squawk(script) {
        linter.lint(&SourceFile::parse(&text), &text)
    } else {
        linter.lint(script.tree(), script.masked())
    };
    found
        .into_iter()
        .map(|violation| {
            let range: Hit = violation.text_range.into();
            (violation.code, trimmed(&text, range))
        })
        .filter(|(code, range)| *code != Theirs::AddingFieldWithDefault || may_differ(&text[range.clone()]))
        .collect()
}

/// Whether a comment may be one that squawk follows.
fn mentions_squawk(script: &Script) -> bool {
    script.comments.iter().any(|comment| script.source.text[comment.range.clone()].contains("squawk"))
}

/// `text` with each comment of `script` made blank: as long, and with the same lines.
pub(in crate::verify) fn without_comments(script: &Script, text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut at = 0;
    for comment in &script.comments {
        shown.push_str(&text[at..comment.range.start]);
        shown.extend(text[comment.range.clone()].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
        at = comment.range.end;
    }
    shown.push_str(&text[at..]);
    shown
}

/// Without a call an expression is the same for each row; squawk is unsure of `-1` and `('a' || 'b')`. A
/// generated column and an identity always differ.
fn may_differ(expression: &str) -> bool {
    let calls = expression.match_indices('(').any(|(at, _)| {
        expression[..at]
            .trim_end()
            .ends_with(|letter: char| letter.is_alphanumeric() || "_\"".contains(letter))
    });
    calls || expression.to_lowercase().contains("generated")
}

fn trimmed(text: &str, range: Hit) -> Hit {
    let shown = &text[range.clone()];
    let start = range.start + (shown.len() - shown.trim_start().len());
    start..start + shown.trim().len()
}
