//! The parser's first_error as people read it: where the trouble is, in their words, not in the parser's
//! names of tokens.

use std::ops::Range;

use squawk_syntax::SyntaxKind;
use squawk_syntax::syntax_error::SyntaxError;

use super::placeholder;
use super::tree::Node;

/// What is wrong, and the bytes that it is about.
pub(super) fn first_error(root: Node<'_>, errors: &[SyntaxError]) -> Option<(String, Range<usize>)> {
    let begins_nothing = |error: &SyntaxError| error.message().starts_with("expected command");
    let (first, second) = (errors.first()?, errors.get(1));
    if begins_nothing(first) {
        // `ALTER TABEL`: the word that is wrong is the one after a word that is right.
        let error = second
            .filter(|second| first.message().ends_with("_KW") && begins_nothing(second))
            .filter(|_| begins_a_statement(root, at(root, first).start))
            .unwrap_or(first);
        return Some(("no statement of SQL begins like this".to_owned(), at(root, error)));
    }
    Some((readable(first.message()), at(root, first)))
}

/// Whether only a semicolon, or nothing, stands before `offset`.
fn begins_a_statement(root: Node<'_>, offset: usize) -> bool {
    let before = root.tokens().take_while(|token| token.range().start < offset).last();
    before.is_none_or(|token| token.kind == SyntaxKind::SEMICOLON)
}

/// The parser points just behind the last token before the trouble; people look at the next one.
fn at(root: Node<'_>, error: &SyntaxError) -> Range<usize> {
    let range: Range<usize> = error.range().into();
    if !range.is_empty() {
        return range;
    }
    let next = root.tokens().find(|token| token.range().start >= range.start);
    next.map_or(range, |token| token.range())
}

fn readable(message: &str) -> String {
    let word = |word: &str| match word.trim_end_matches(',') {
        "L_PAREN" => "`(`".to_owned(),
        "R_PAREN" => "`)`".to_owned(),
        "SEMICOLON" => "`;`".to_owned(),
        "COMMA" => "`,`".to_owned(),
        "EQ" => "`=`".to_owned(),
        "IDENT" => "a name".to_owned(),
        "ERROR" => "something that is no SQL".to_owned(),
        "EOF" => "the end of the file".to_owned(),
        token if token.ends_with("_KW") => format!("`{}`", token.trim_end_matches("_KW")),
        _ => word.replace(placeholder::STAND_IN, placeholder::ORG_SCHEMA),
    };
    let words: Vec<String> = message.split(' ').map(word).collect();
    let text = words.join(" ");
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}
