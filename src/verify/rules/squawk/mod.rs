//! Rules that build on squawk's, by theme. Comments are blanked before squawk reads a file that contains its directives: `--
//! squawk-ignore` would bypass the policy.

pub(super) mod access;
pub(super) mod behaviour;
pub(super) mod columns;
pub(in crate::verify) mod data;
pub(super) mod drops;
pub(super) mod renames;
mod selection;
pub(super) mod style;
pub(super) mod traffic;

use squawk_linter::{Linter, Rule as SquawkRule};
use squawk_syntax::SourceFile;

use selection::may_report;

use crate::sql::Script;
use crate::verify::rule::{Judge, Rule};
use crate::verify::rule_context::Span;

/// The violations of the squawk rules that `rules` use. Each file needs a new linter: a linter that is used twice returns the
/// first file's violations, or panics.
pub(in crate::verify) fn lint(script: &Script, rules: &[&Rule]) -> Vec<(SquawkRule, Span)> {
    let text = without_comments(script, script.masked());
    let selected = rules.iter().filter_map(|rule| match rule.judge {
        Judge::Known(codes, kinds) | Judge::Filtered(codes, kinds, _) => Some((codes, kinds)),
        Judge::Code(_) | Judge::Verification | Judge::Catalog(..) => None,
    });
    let selected = selected.flat_map(|(codes, kinds)| codes.iter().map(move |code| (*code, kinds)));
    let selected = selected.filter(|(code, kinds)| may_report(*code, kinds, script)).map(|(code, _)| code);
    let selected: Vec<SquawkRule> = selected.collect();
    if selected.is_empty() {
        return Vec::new();
    }
    let mut linter = Linter::from(selected);
    // A unit is one transaction, even if the file has no BEGIN.
    linter.settings.assume_in_transaction = true;
    // Most files contain no directive and need not be parsed a second time.
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
        .filter(|(code, range)| {
            *code != SquawkRule::AddingFieldWithDefault || may_differ(&text[range.clone()])
        })
        .collect()
}

/// Whether a comment may be a directive for squawk.
fn mentions_squawk(script: &Script) -> bool {
    script.comments.iter().any(|comment| script.source.text[comment.range.clone()].contains("squawk"))
}

/// `text` with the comments of `script` replaced by blanks; offsets and lines stay the same.
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

/// Whether the value may differ from row to row. Without a call it cannot; squawk is not sure about `-1` and `('a' || 'b')`.
/// Generated columns and identities always may.
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
    use crate::verify::rule::Tool;

    /// The statements of the rules' examples and of the corpus.
    #[expect(clippy::disallowed_methods, reason = "a test reads its own files")]
    fn statements() -> Vec<String> {
        let mut found: Vec<String> =
            Tool::Verify.rules().flat_map(|rule| [rule.bad, rule.good]).map(str::to_owned).collect();
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus");
        for file in std::fs::read_dir(folder).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap_or_default();
            let tree = SourceFile::parse(&text).tree();
            found.extend(tree.stmts().map(|statement| statement.syntax().text().to_string()));
        }
        found
    }

    #[test]
    fn skipped_rules_would_find_nothing() {
        let rules: Vec<&Rule> = Tool::Verify.rules().collect();
        let all = rules.iter().filter_map(|rule| match rule.judge {
            Judge::Known(codes, _) | Judge::Filtered(codes, _, _) => Some(codes),
            Judge::Code(_) | Judge::Verification | Judge::Catalog(..) => None,
        });
        let all: Vec<SquawkRule> = all.flatten().copied().collect();
        let found = statements().into_iter().filter(|sql| {
            let Ok(script) = Script::parse(Source::new("t.sql", sql.as_str())) else { return false };
            let mut linter = Linter::from(all.iter().copied());
            linter.settings.assume_in_transaction = true;
            let mut whole = linter.lint(&SourceFile::parse(script.masked()), script.masked());
            whole.retain(|it| {
                let range: Span = it.text_range.into();
                it.code != SquawkRule::AddingFieldWithDefault || may_differ(&script.masked()[range])
            });
            let sorted = |codes: &mut dyn Iterator<Item = SquawkRule>| {
                let mut codes: Vec<String> = codes.map(|code| format!("{code:?}")).collect();
                codes.sort();
                codes
            };
            let ours = lint(&script, &rules);
            // With all rules, each statement has a node of some rule's kind; so each rule is also tested by itself.
            for rule in &rules {
                let single = lint(&script, &[rule]);
                let (Judge::Known(codes, _) | Judge::Filtered(codes, _, _)) = rule.judge else { continue };
                let selected = whole.iter().map(|it| it.code).filter(|code| codes.contains(code));
                let single = sorted(&mut single.iter().map(|(code, _)| *code));
                assert_eq!(sorted(&mut { selected }), single, "{}: {sql}", rule.id);
            }
            let all_of_it = sorted(&mut whole.iter().map(|it| it.code));
            assert_eq!(all_of_it, sorted(&mut ours.iter().map(|(code, _)| *code)), "{sql}");
            !whole.is_empty()
        });
        assert!(found.count() > 300);
    }
}
