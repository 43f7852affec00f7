//! Rewrites the parser's syntax errors: SQL instead of token names, and the position of the wrong token.

use std::ops::Range;

use squawk_syntax::SyntaxKind;
use squawk_syntax::syntax_error::SyntaxError;

use super::placeholder;
use super::tree::Node;

/// The message and the range of the first syntax error.
pub(super) fn first_error(root: Node<'_>, errors: &[SyntaxError]) -> Option<(String, Range<usize>)> {
    let is_no_command = |error: &SyntaxError| error.message().starts_with("expected command");
    let (first, second) = (errors.first()?, errors.get(1));
    if is_no_command(first) {
        // In `ALTER TABEL` the second word is wrong, not the first.
        let error = second
            .filter(|second| first.message().ends_with("_KW") && is_no_command(second))
            .filter(|_| begins_a_statement(root, at(root, first).start))
            .unwrap_or(first);
        let range = at(root, error);
        // After a complete statement the parser expects the next one.
        let message = if begins_a_statement(root, at(root, first).start) {
            "no SQL statement starts like this".to_owned()
        } else {
            let word = root.tokens().find(|token| token.range() == range).map(|token| token.text.to_owned());
            let word = word.map_or_else(|| "text".to_owned(), |word| format!("`{word}`"));
            format!("unexpected {} after a complete statement", placeholder::unmask(&word))
        };
        return Some((message, range));
    }
    Some((readable(first.message()), at(root, first)))
}

/// Whether `offset` is at the start of the file or after a semicolon.
fn begins_a_statement(root: Node<'_>, offset: usize) -> bool {
    let before = root.tokens().take_while(|token| token.range().start < offset).last();
    before.is_none_or(|token| token.kind == SyntaxKind::SEMICOLON)
}

/// The range of the error. The parser points behind the last valid token; this returns the token after it.
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
        "ERROR" => "text that is not SQL".to_owned(),
        "EOF" => "the end of the file".to_owned(),
        token if token.ends_with("_KW") => format!("`{}`", token.trim_end_matches("_KW")),
        _ => placeholder::unmask(word),
    };
    let words: Vec<String> = message.split(' ').map(word).collect();
    let text = words.join(" ");
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}
