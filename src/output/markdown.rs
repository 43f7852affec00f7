//! Escapes text for Markdown tables, so that it cannot end a cell, become a link or a mention, or show a secret.

use std::fmt::Write as _;

use super::{is_hidden, without_secrets};

/// The maximum length of a code cell, in characters.
const MAX_CHARS: usize = 120;

/// Formats a cell as code. It uses a tag, since Markdown's own syntax would need extra escaping of `|` and backticks.
pub fn code(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    // Before truncation, which could otherwise leave a part of a secret.
    let text = without_secrets(text);
    let shown: String = if text.chars().count() > MAX_CHARS {
        text.chars().take(MAX_CHARS - 1).chain(['…']).collect()
    } else {
        text
    };
    format!("<code>{}</code>", escaped(&shown))
}

/// Formats a cell as text.
pub fn prose(text: &str) -> String {
    escaped(&without_secrets(text))
}

/// Replaces characters with a meaning in Markdown or HTML by numeric character references.
fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            letter if is_hidden(letter) => shown.push(' '),
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
