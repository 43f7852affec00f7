//! What squawk knows, under our names: tables, in parts by theme. Where comments speak to squawk, it
//! lints a copy of the file in which they are blank: a `-- squawk-ignore` would pass the policy by in silence.

pub(super) mod access;
pub(super) mod behaviour;
pub(super) mod columns;
pub(in crate::verify) mod data;
pub(super) mod drops;
pub(super) mod renames;
pub(super) mod style;
pub(super) mod traffic;

use squawk_linter::{Linter, Rule as Theirs};
use squawk_syntax::SourceFile;

use crate::sql::Script;
use crate::verify::rule::{Judge, Rule};
use crate::verify::rule_context::Span;

/// What squawk reports of `script`, of the rules that `rules` name. A fresh linter for each file: one that
/// is used again reports the first file's findings, or panics.
pub(in crate::verify) fn lint(script: &Script, rules: &[&Rule]) -> Vec<(Theirs, Span)> {
    let text = without_comments(script, script.masked());
    let wanted = rules.iter().filter_map(|rule| match rule.judge {
        Judge::Known(theirs, kinds) | Judge::Filtered(theirs, kinds, _) => Some((theirs, kinds)),
        Judge::Code(_) | Judge::Verification => None,
    });
    // Where none of the nodes is that a rule is about, squawk has nothing to find either.
    let wanted = wanted.filter(|(theirs, kinds)| {
        kinds.is_empty() || theirs.iter().any(|code| WIDER.contains(code)) || script.contains(kinds)
    });
    let wanted = wanted.flat_map(|(theirs, _)| theirs.iter().copied());
    let mut linter = Linter::from(wanted);
    // A unit is one transaction, whether or not the file says BEGIN.
    linter.settings.assume_in_transaction = true;
    // Most files say nothing to squawk, and need not be parsed once more.
    let found = if mentions_squawk(script) {
        linter.lint(&SourceFile::parse(&text), &text)
    } else {
        linter.lint(script.parse_of_squawk(), script.masked())
    };
    found
        .into_iter()
        .map(|violation| {
            let range: Span = violation.text_range.into();
            (violation.code, trimmed(&text, range))
        })
        .filter(|(code, range)| *code != Theirs::AddingFieldWithDefault || may_differ(&text[range.clone()]))
        .collect()
}

/// These look at other nodes than those that our rules look for beside them.
const WIDER: &[Theirs] =
    &[Theirs::BanAlterIdentity, Theirs::BanDropConstraint, Theirs::BanReplaceViewFunction];

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

fn trimmed(text: &str, range: Span) -> Span {
    let shown = &text[range.clone()];
    let start = range.start + (shown.len() - shown.trim_start().len());
    start..start + shown.trim().len()
}

#[cfg(test)]
mod tests {
    use squawk_syntax::ast::AstNode;

    use super::*;
    use crate::error::Source;
    use crate::verify::rule::RULES;

    /// The statements of the rules' examples and of the corpus.
    #[expect(clippy::disallowed_methods, reason = "a test reads its own files")]
    fn statements() -> Vec<String> {
        let mut found: Vec<String> =
            RULES.iter().flat_map(|rule| [rule.bad, rule.good]).map(str::to_owned).collect();
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus");
        for file in std::fs::read_dir(folder).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap_or_default();
            let tree = SourceFile::parse(&text).tree();
            found.extend(tree.stmts().map(|statement| statement.syntax().text().to_string()));
        }
        found
    }

    #[test]
    fn what_is_left_out_would_find_nothing() {
        let rules: Vec<&Rule> = RULES.iter().collect();
        let all = rules.iter().filter_map(|rule| match rule.judge {
            Judge::Known(theirs, _) | Judge::Filtered(theirs, _, _) => Some(theirs),
            Judge::Code(_) | Judge::Verification => None,
        });
        let all: Vec<Theirs> = all.flatten().copied().collect();
        let found = statements().into_iter().filter(|sql| {
            let Ok(script) = Script::parse(Source::new("t.sql", sql.as_str())) else { return false };
            let mut linter = Linter::from(all.iter().copied());
            linter.settings.assume_in_transaction = true;
            let mut whole = linter.lint(&SourceFile::parse(script.masked()), script.masked());
            whole.retain(|it| {
                let range: Span = it.text_range.into();
                it.code != Theirs::AddingFieldWithDefault || may_differ(&script.masked()[range])
            });
            let sorted = |codes: &mut dyn Iterator<Item = Theirs>| {
                let mut codes: Vec<String> = codes.map(|code| format!("{code:?}")).collect();
                codes.sort();
                codes
            };
            let ours = lint(&script, &rules);
            // With all rules on, each statement has something that it might be about; so one at a time too.
            for rule in &rules {
                let alone = lint(&script, &[rule]);
                let (Judge::Known(theirs, _) | Judge::Filtered(theirs, _, _)) = rule.judge else { continue };
                let wanted = whole.iter().map(|it| it.code).filter(|code| theirs.contains(code));
                let alone = sorted(&mut alone.iter().map(|(code, _)| *code));
                assert_eq!(sorted(&mut { wanted }), alone, "{}: {sql}", rule.id);
            }
            let all_of_it = sorted(&mut whole.iter().map(|it| it.code));
            assert_eq!(all_of_it, sorted(&mut ours.iter().map(|(code, _)| *code)), "{sql}");
            !whole.is_empty()
        });
        assert!(found.count() > 300);
    }
}
