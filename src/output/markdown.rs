//! Text for Markdown tables, escaped: no cell ends early, no name becomes a link or a mention, no secret is shown.

use std::fmt::Write as _;

use super::without_secrets;

/// The longest text of a code cell, in characters.
const MAX_CHARS: usize = 120;

/// Text of a cell, as code. In Markdown's own marks a `|` or a backtick would need care; a tag needs none.
pub fn code(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    // Before it is cut: what is left of a secret is a part of one.
    let text = without_secrets(text);
    let shown: String = if text.chars().count() > MAX_CHARS {
        text.chars().take(MAX_CHARS - 1).chain(['…']).collect()
    } else {
        text
    };
    format!("<code>{}</code>", escaped(&shown))
}

/// Text of a cell.
pub fn prose(text: &str) -> String {
    escaped(&without_secrets(text))
}

/// Each sign that means something in Markdown or HTML as the number of its letter.
fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            letter if letter.is_control() => shown.push(' '),
            ' ' | '.' | ',' | ';' | '(' | ')' | '-' | '/' | '\'' | '"' | '=' | '%' | '?' => {
                shown.push(letter);
            }
            letter if letter.is_ascii_punctuation() => {
                let _ = write!(shown, "&#{};", u32::from(letter));
            }
            letter => shown.push(letter),
        }
    }
    shown
}
