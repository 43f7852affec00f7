//! Text for a terminal, a log or a report. [`Text`] escapes each line when it is appended, and only a [`Text`] can be printed,
//! so no name, message or value from outside can control the terminal, begin a line or give a command to a CI runner.

use std::fmt::{self, Display, Write as _};
use std::sync::LazyLock;

use serde::Serialize;
use uuid::Uuid;

/// Begins a style in a line that is not escaped yet. It contains a random number, so text from outside cannot contain it.
static MARK: LazyLock<String> = LazyLock::new(|| format!("\u{1b}{}", Uuid::new_v4().simple()));

/// The workflow commands of GitHub's runner. It ignores other names.
const COMMANDS: &[&str] = &[
    "add-mask",
    "add-matcher",
    "add-path",
    "debug",
    "echo",
    "endgroup",
    "error",
    "group",
    "internal-set-repo-path",
    "notice",
    "remove-matcher",
    "save-state",
    "set-env",
    "set-output",
    "stop-commands",
    "warning",
];

/// Escaped lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text(String);

impl Text {
    /// A text of one line.
    pub fn of_line(line: impl Display) -> Self {
        let mut text = Self::default();
        text.line(line);
        text
    }

    /// A text of several lines, such as a file. Tabs stay.
    pub fn of_lines(lines: &str) -> Self {
        let escaped = lines.lines().map(|line| escape_with(line, |letter| letter != '\t') + "\n");
        Self(escaped.collect())
    }

    /// Lines that are escaped already, with the terminal's styles.
    pub(super) fn of_escaped(lines: String) -> Self {
        Self(lines)
    }

    /// One JSON value on one line.
    pub fn of_json(value: &serde_json::Value) -> Self {
        Self(escape_json(&value.to_string()) + "\n")
    }

    /// One JSON document, pretty-printed.
    pub fn pretty_json(value: &impl Serialize) -> Result<Self, serde_json::Error> {
        Ok(Self(escape_json(&serde_json::to_string_pretty(value)?) + "\n"))
    }

    /// Appends one line. Line breaks in it are escaped too.
    pub fn line(&mut self, line: impl Display) {
        let line = line.to_string();
        let mut parts = line.split(MARK.as_str());
        self.0.push_str(&escape(parts.next().unwrap_or_default()));
        for part in parts {
            let (code, text) = part.split_once('m').unwrap_or(("0", part));
            self.0.extend(["\u{1b}[", code, "m", &escape(text)]);
        }
        self.0.push('\n');
    }

    /// Appends an empty line.
    pub fn blank(&mut self) {
        self.0.push('\n');
    }

    /// Appends another text.
    pub fn append(&mut self, other: &Self) {
        self.0.push_str(&other.0);
    }

    /// Appends a workflow command of GitHub's runner.
    pub fn command(&mut self, name: &str, properties: &[(&str, String)], message: &str) {
        let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
        let property = |(key, value): &(&str, String)| {
            let value = data(&escape(value)).replace(':', "%3A").replace(',', "%2C");
            format!("{key}={value}")
        };
        let properties = properties.iter().map(property).collect::<Vec<_>>().join(",");
        let space = if properties.is_empty() { "" } else { " " };
        let message = message.split('\n').map(escape).collect::<Vec<_>>().join("\n");
        self.0.extend(["::", name, space, &properties, "::", &data(&message), "\n"]);
    }

    /// Whether it has no line.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The lines.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `text` in a style. The style survives only in a [`Text`].
pub(super) fn styled(code: &str, text: &str) -> String {
    let mark = MARK.as_str();
    format!("{mark}{code}m{text}{mark}0m")
}

/// Escapes text from outside to be shown in one line: hidden characters, line breaks, and commands to a CI runner.
pub fn escape(text: &str) -> String {
    escape_with(text, |_| true)
}

/// Escapes a message of several lines. The further lines begin with `| `, so that none looks like a line of ours.
pub(super) fn escape_lines(text: &str) -> String {
    text.trim_end().lines().map(escape).collect::<Vec<_>>().join("\n| ")
}

/// Escapes lines of a file. Line breaks and tabs stay. The result for a text begins with that for its beginning.
pub(super) fn escape_source(text: &str) -> String {
    let shown = |letter: char| match letter {
        '\n' | '\r' | '\t' => letter.to_string(),
        letter if is_hidden(letter) => letter.escape_default().to_string(),
        letter => letter.to_string(),
    };
    text.chars().map(shown).collect()
}

/// Escapes commands to a CI runner in lines that are otherwise escaped.
pub(super) fn escape_commands(lines: &str) -> String {
    lines.split('\n').map(|line| escape_with(line, |_| false)).collect::<Vec<_>>().join("\n")
}

/// Escapes commands to a CI runner, and the hidden characters that `also` selects.
fn escape_with(line: &str, also: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(line.len());
    for (at, letter) in line.char_indices() {
        if is_hidden(letter) && also(letter) {
            shown.extend(letter.escape_default());
        } else if begins_command(&line[at..], shown.trim_start().is_empty()) {
            shown.extend(letter.escape_unicode());
        } else {
            shown.push(letter);
        }
    }
    shown
}

/// Escapes a JSON document. It stays the same document: hidden characters are in its strings only.
fn escape_json(document: &str) -> String {
    let mut shown = String::with_capacity(document.len());
    for (at, letter) in document.char_indices() {
        let is_unsafe = is_hidden(letter) && letter != '\n' || begins_command(&document[at..], false);
        if is_unsafe {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                let _written = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(letter);
        }
    }
    shown
}

/// Whether a CI runner reads `text` as a command: `::` at the start of a line, a known `::command` anywhere, and the older
/// `##[command]` anywhere. <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>
fn begins_command(text: &str, is_start: bool) -> bool {
    if let Some(rest) = text.strip_prefix("::") {
        let end = rest.find(|letter: char| !letter.is_ascii_alphabetic() && letter != '-');
        let (name, behind) = rest.split_at(end.unwrap_or(rest.len()));
        let is_known = COMMANDS.iter().any(|known| known.eq_ignore_ascii_case(name));
        return is_start || (is_known && behind.starts_with([':', ' ']));
    }
    text.strip_prefix("##").is_some_and(|rest| rest.starts_with('[') || rest.starts_with("vso["))
}

/// Whether the character is invisible or changes how others are shown: a control character, a line or paragraph separator,
/// an annotation mark, or what Unicode calls `Default_Ignorable_Code_Point`, such as the marks of the text direction.
pub(super) fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::output::Paint;

    /// Whether GitHub's runner runs a command in one of these lines.
    fn gives_command(lines: &str) -> bool {
        lines.lines().any(|line| line.trim().starts_with("::") || line.contains("##["))
    }

    #[test]
    fn a_line_stays_one_line_without_hidden_characters() {
        let mut text = Text::default();
        text.line("a\nerror: b\r\u{1b}]0;c\u{7}\u{9b}31m\u{202e}\u{200b}\u{e0041}\td");
        assert_eq!(
            text.as_str(),
            "a\\nerror: b\\r\\u{1b}]0;c\\u{7}\\u{9b}31m\\u{202e}\\u{200b}\\u{e0041}\\td\n"
        );
        assert_eq!(Text::of_lines("a\tb\r\n\u{1b}c\n").as_str(), "a\tb\n\\u{1b}c\n");
        assert_eq!(escape_lines("a\n= help: b\n"), "a\n| = help: b");
    }

    #[test]
    fn no_position_gives_a_command() {
        for (text, shown) in [
            ("::error::x", "\\u{3a}:error::x"),
            ("  ::anything", "  \\u{3a}:anything"),
            ("\u{200b}::error::", "\\u{200b}\\u{3a}:error::"),
            ("a ::Warning file=b::c", "a \\u{3a}:Warning file=b::c"),
            ("a ##[group]b", "a \\u{23}#[group]b"),
            ("###[error]", "#\\u{23}#[error]"),
            ("##vso[task.x]", "\\u{23}#vso[task.x]"),
            ("a::int, b::text::error_t", "a::int, b::text::error_t"),
        ] {
            assert_eq!(escape(text), shown);
        }
    }

    #[test]
    fn only_own_styles_reach_the_terminal() {
        let mut text = Text::default();
        text.line(format_args!("{} \u{1b}[31m{}", Paint::COLOURED.good("a\u{1b}[0m"), Paint::PLAIN.bad("b")));
        assert_eq!(text.as_str(), "\u{1b}[32ma\\u{1b}[0m\u{1b}[0m \\u{1b}[31mb\n");
    }

    #[test]
    fn a_command_has_one_line() {
        let mut text = Text::default();
        text.command("error", &[("file", "a,b:c\n".to_owned())], "50%\n::error::x\r\u{1b}");
        assert_eq!(text.as_str(), "::error file=a%2Cb%3Ac\\n::50%25%0A\\u{3a}:error::x\\r\\u{1b}\n");
    }

    proptest! {
        #[test]
        fn any_text_is_escaped_and_json_stays_the_same(
            text in "(\\PC|\\p{Cc}|\\p{Cf}|::|##\\[|error|\n){0,20}"
        ) {
            let mut shown = Text::default();
            shown.line(&text);
            prop_assert_eq!(shown.as_str().matches('\n').count(), 1);
            prop_assert!(!shown.as_str().trim_end_matches('\n').contains(is_hidden));
            prop_assert!(!gives_command(shown.as_str()), "{}", shown);
            prop_assert_eq!(escape(&escape(&text)), escape(&text));

            let document = json!({ "a": text, text.clone(): [1] });
            let shown = Text::of_json(&document);
            prop_assert_eq!(shown.as_str().matches('\n').count(), 1);
            prop_assert!(!shown.as_str().trim_end_matches('\n').contains(is_hidden));
            prop_assert!(!gives_command(shown.as_str()), "{}", shown);
            prop_assert_eq!(&serde_json::from_str::<Value>(shown.as_str()).unwrap(), &document);
            let pretty = Text::pretty_json(&document).unwrap();
            prop_assert!(!gives_command(pretty.as_str()), "{}", pretty);
            prop_assert_eq!(&serde_json::from_str::<Value>(pretty.as_str()).unwrap(), &document);
        }
    }
}
