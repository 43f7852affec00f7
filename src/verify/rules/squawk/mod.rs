//! What squawk knows, under our names: tables, in parts by theme. It lints a copy of the file in which all is
//! blank but the statements that it may have something to say about: comments too, since a `-- squawk-ignore`
//! would pass the policy by in silence.

pub(super) mod access;
pub(super) mod behaviour;
pub(super) mod columns;
pub(super) mod data;
pub(super) mod drops;
pub(super) mod renames;
pub(super) mod style;
pub(super) mod traffic;

use squawk_linter::{Linter, Rule as Theirs};
use squawk_syntax::{SourceFile, SyntaxKind};

use crate::sql::{Kinds, Node, Script, Statement, Token, normalized};
use crate::verify::rule::{Judge, Rule};
use crate::verify::subject::Hit;

/// What squawk reports of `script`, of the rules that `rules` name. A fresh linter for each file: one that
/// is used again reports the first file's findings, or panics.
pub(in crate::verify) fn lint(script: &Script, rules: &[&Rule]) -> Vec<(Theirs, Hit)> {
    let asked: Vec<(&[Theirs], &[SyntaxKind])> = rules
        .iter()
        .filter_map(|rule| match rule.judge {
            Judge::Known(theirs, kinds) | Judge::Sifted(theirs, kinds, _) => Some((theirs, kinds)),
            Judge::Code(_) | Judge::Verification => None,
        })
        .filter(|(theirs, _)| !theirs.is_empty())
        .collect();
    let concerns = |statement: &Statement| {
        let node = statement.node(script);
        let kinds_there = node.kinds();
        // Whether a transaction is open.
        statement.only_wraps()
            || asked
                .iter()
                .any(|(theirs, kinds)| theirs.iter().any(|code| is_about(*code, kinds, node, &kinds_there)))
    };
    let text = only(script, script.statements.iter().filter(|statement| concerns(statement)));
    if text.trim_start().is_empty() {
        return Vec::new();
    }
    let mut linter = Linter::from(asked.iter().flat_map(|(theirs, _)| theirs.iter().copied()));
    // A unit is one transaction, whether or not the file says BEGIN.
    linter.settings.assume_in_transaction = true;
    linter
        .lint(&SourceFile::parse(&text), &text)
        .into_iter()
        .map(|violation| {
            let range: Hit = violation.text_range.into();
            (violation.code, trimmed(&text, range))
        })
        .filter(|(code, range)| *code != Theirs::AddingFieldWithDefault || may_differ(&text[range.clone()]))
        .collect()
}

/// Whether squawk's rule `code` may find something in the statement `node`, which holds `kinds`. `of_rule` are
/// the nodes that our rule looks for beside it, mostly the same.
fn is_about(code: Theirs, of_rule: &[SyntaxKind], node: Node<'_>, kinds: &Kinds) -> bool {
    let is = |kinds: &[SyntaxKind]| kinds.contains(&node.kind());
    match code {
        Theirs::AddingFieldWithDefault => {
            kinds.hold(&[SyntaxKind::DEFAULT_CONSTRAINT, SyntaxKind::GENERATED_CONSTRAINT])
        }
        Theirs::BanAlterDatabaseOptions => is(&[SyntaxKind::ALTER_DATABASE]),
        Theirs::BanAlterDomainWithAddConstraint => is(&[SyntaxKind::ALTER_DOMAIN]),
        Theirs::BanAlterExtension => is(&[SyntaxKind::ALTER_EXTENSION]),
        Theirs::BanAlterFunctionOptions => {
            is(&[SyntaxKind::ALTER_FUNCTION, SyntaxKind::ALTER_PROCEDURE, SyntaxKind::ALTER_ROUTINE])
        }
        Theirs::BanAlterIdentity => kinds.hold(&[SyntaxKind::ALTER_COLUMN]),
        Theirs::BanAlterPolicyCondition | Theirs::BanAlterPolicyRoles => is(&[SyntaxKind::ALTER_POLICY]),
        Theirs::BanAlterRoleOptions => {
            is(&[SyntaxKind::ALTER_GROUP, SyntaxKind::ALTER_ROLE, SyntaxKind::ALTER_USER])
        }
        Theirs::BanAlterViewOptions => is(&[SyntaxKind::ALTER_MATERIALIZED_VIEW, SyntaxKind::ALTER_VIEW]),
        Theirs::BanDropConstraint => kinds.hold(&[SyntaxKind::ALTER_CONSTRAINT, SyntaxKind::DROP_CONSTRAINT]),
        Theirs::BanDropPolicy => is(&[SyntaxKind::DROP_POLICY, SyntaxKind::DROP_RULE]),
        Theirs::BanSetDefault => kinds.hold(&[SyntaxKind::SET_DEFAULT]),
        Theirs::BanDuplicateColumnAssignments => says_twice(node, kinds),
        Theirs::BanReplaceViewFunction => kinds.hold(&[SyntaxKind::OR_REPLACE]),
        Theirs::BanTruncateCascade => is(&[SyntaxKind::TRUNCATE]),
        Theirs::IdentifierTooLong => {
            node.tokens().any(|token| token.text.len() >= LONG && !token.text.starts_with(['$', '\'']))
        }
        Theirs::RequireConcurrentIndexCreation => is(&[SyntaxKind::CREATE_INDEX]),
        Theirs::RequireConcurrentIndexDeletion => is(&[SyntaxKind::DROP_INDEX]),
        Theirs::RequireConcurrentReindex => is(&[SyntaxKind::REINDEX]),
        _ => of_rule.is_empty() || kinds.hold(of_rule),
    }
}

/// The server cuts a name of more bytes (manual, chapter 4.1.1).
const LONG: usize = 64;

/// In these the server wants each column once.
const LISTING: &[SyntaxKind] = &[
    SyntaxKind::COLUMN_TARGET_LIST,
    SyntaxKind::CREATE_FOREIGN_TABLE,
    SyntaxKind::CREATE_MATERIALIZED_VIEW,
    SyntaxKind::CREATE_TABLE,
    SyntaxKind::CREATE_TABLE_AS,
    SyntaxKind::CREATE_VIEW,
    SyntaxKind::SELECT_INTO,
    SyntaxKind::SET_CLAUSE,
];

/// Whether the statement writes or defines columns and has some word twice.
fn says_twice(node: Node<'_>, kinds: &Kinds) -> bool {
    let mut words: Vec<String> = match node.kind() {
        SyntaxKind::CREATE_TABLE | SyntaxKind::CREATE_FOREIGN_TABLE => node
            .descendants()
            .filter(|part| part.kind() == SyntaxKind::COLUMN_NAME)
            .map(|name| normalized(name.text()))
            .collect(),
        _ if kinds.hold(LISTING) => {
            node.tokens().filter(Token::is_word).map(|token| normalized(token.text)).collect()
        }
        _ => return false,
    };
    words.sort_unstable();
    words.windows(2).any(|pair| pair[0] == pair[1])
}

/// The text of `script` in which only these statements stand, where they stood.
fn only<'a>(script: &Script, statements: impl Iterator<Item = &'a Statement>) -> String {
    let text = without_comments(script, script.masked());
    let mut shown = String::with_capacity(text.len());
    for statement in statements {
        shown.extend(std::iter::repeat_n(' ', statement.range.start - shown.len()));
        shown.push_str(&text[statement.range.clone()]);
        shown.push(';');
    }
    shown
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
            Judge::Known(theirs, _) | Judge::Sifted(theirs, _, _) => Some(theirs),
            Judge::Code(_) | Judge::Verification => None,
        });
        let all: Vec<Theirs> = all.flatten().copied().collect();
        let found = statements().into_iter().filter(|sql| {
            let Ok(script) = Script::parse(Source::new("t.sql", sql.as_str())) else { return false };
            let mut linter = Linter::from(all.iter().copied());
            linter.settings.assume_in_transaction = true;
            let mut whole = linter.lint(&SourceFile::parse(script.masked()), script.masked());
            whole.retain(|it| {
                let range: Hit = it.text_range.into();
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
                let (Judge::Known(theirs, _) | Judge::Sifted(theirs, _, _)) = rule.judge else { continue };
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
