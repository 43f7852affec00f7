//! Text from outside as a code span of Markdown: no part of it can end a table's cell, or become a link, a mention or a
//! reference to an issue. A code span shows no secret.

use super::text::{Text, escape};
use super::without_secrets;

/// The maximum length of a short span, in characters.
const MAX_CHARS: usize = 120;

/// A code span of at most 120 characters: a name, a place or a statement.
pub fn code(text: &str) -> String {
    // Before truncation, which could otherwise leave a part of a secret.
    let text = without_secrets(text);
    if text.chars().count() > MAX_CHARS {
        span(&text.chars().take(MAX_CHARS - 1).chain(['…']).collect::<String>())
    } else {
        span(&text)
    }
}

/// A code span with the whole text: a message or a reason.
pub fn prose(text: &str) -> String {
    span(&without_secrets(text))
}

/// The head of a table, after an empty line.
pub fn table_head<const N: usize>(headings: [&str; N]) -> Text {
    let row = |cells: [&str; N]| cells.map(|cell| format!("| {cell} ")).concat().replace("|  ", "| ") + "|";
    let mut text = Text::default();
    text.blank();
    text.line(row(headings));
    text.line(row(["---"; N]));
    text
}

/// A code span (`CommonMark`, "Code spans"), also in a table's cell, where a bar needs a backslash (GFM, "Tables").
fn span(text: &str) -> String {
    let text = escape(text.trim());
    if text.is_empty() {
        return String::new();
    }
    let longest = text.split(|letter| letter != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    // Backticks at an end would join the fence; one space at both ends is removed.
    let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{space}{}{space}{fence}", text.replace('|', "\\|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_a_code_span() {
        for (text, shown) in [
            ("@team www.x.y a@b.c #1", "`@team www.x.y a@b.c #1`"),
            ("a `b`", "`` a `b` ``"),
            ("a``b", "```a``b```"),
            ("a|b\\|c", "`a\\|b\\\\|c`"),
            ("a\n::error::\u{1b}", "`a\\n\\u{3a}:error::\\u{1b}`"),
            (" ", ""),
        ] {
            assert_eq!(prose(text), shown);
            assert_eq!(code(text), shown);
        }
        assert_eq!(code(&"ä".repeat(200)).chars().count(), MAX_CHARS + 2);
    }
}
