//! Template parameters, written `{name}`, whose values differ per tenant. For parsing, a literal is masked as `'name'`
//! and an identifier as `"name"`. The mask has the same length, so spans are valid in the user's text, and a text parses
//! only if a quoted value can replace the parameter.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use squawk_lexer::{TokenKind, tokenize};

use super::SqlError;
use crate::error::{Place, Source};

/// A declared parameter of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateParameter {
    /// The name, without braces.
    pub name: String,
    /// How its value is quoted.
    pub kind: ParameterKind,
}

/// How a parameter's value is quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterKind {
    /// As a string literal.
    Literal,
    /// As an identifier in double quotes.
    Identifier,
}

/// One use of a parameter in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterUse {
    /// The parameter's name.
    pub name: String,
    /// How its value is quoted.
    pub kind: ParameterKind,
    /// The bytes in the file, including the braces.
    pub range: Range<usize>,
}

/// The values of parameters by name, each as the SQL that replaces `{name}`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParameterValues(BTreeMap<String, String>);

impl ParameterValues {
    /// Adds the value of `name`; `sql` is a literal or a quoted identifier.
    pub fn insert(&mut self, name: &str, sql: String) {
        self.0.insert(name.to_owned(), sql);
    }

    /// The value of `name`. Templates declare every parameter and every parameter has a value; without one, nothing is
    /// sent and the server reports a syntax error.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default()
    }
}

/// Masks the parameters in `text` and returns their uses. Comments are ignored.
pub(super) fn mask(
    source: &Arc<Source>,
    mut text: String,
    parameters: &[TemplateParameter],
) -> Result<(String, Vec<ParameterUse>), SqlError> {
    if parameters.is_empty() {
        return Ok((text, Vec::new()));
    }
    let mut uses: Vec<ParameterUse> = Vec::new();
    let mut at = 0;
    // The two preceding tokens with their start offsets.
    let mut before = [(0, TokenKind::Eof); 2];
    for token in tokenize(&text) {
        let range = at..at + token.len as usize;
        at = range.end;
        let word = &text[range.clone()];
        let is_comment = matches!(token.kind, TokenKind::LineComment | TokenKind::BlockComment { .. });
        let is_named = |parameter: &&TemplateParameter| word.contains(&format!("{{{}}}", parameter.name));
        if let Some(parameter) = parameters.iter().filter(|_| !is_comment).find(is_named) {
            let place = Place::at(source, range);
            return Err(SqlError::ParameterInString { name: parameter.name.clone(), place });
        }
        if let [(start, TokenKind::OpenCurly), (_, TokenKind::Ident)] = before
            && token.kind == TokenKind::CloseCurly
            && let Some(parameter) = parameters.iter().find(|one| one.name == text[start + 1..range.start])
        {
            let (name, kind) = (parameter.name.clone(), parameter.kind);
            uses.push(ParameterUse { name, kind, range: start..range.end });
        }
        before = [before[1], (range.start, token.kind)];
    }
    for one in &uses {
        if is_part_of_word(&text, &one.range) {
            let place = Place::at(source, one.range.clone());
            return Err(SqlError::ParameterInWord { name: one.name.clone(), place });
        }
    }
    for ParameterUse { kind, range, .. } in &uses {
        let quote = match kind {
            ParameterKind::Literal => "'",
            ParameterKind::Identifier => "\"",
        };
        text.replace_range(range.start..=range.start, quote);
        text.replace_range(range.end - 1..range.end, quote);
    }
    Ok((text, uses))
}

/// Whether the text next to the braces would form one word with the value: `E{plan}`, `{name}_id`.
fn is_part_of_word(text: &str, range: &Range<usize>) -> bool {
    let joins = |letter: char| letter.is_alphanumeric() || !letter.is_ascii() || "_$'\"&{}".contains(letter);
    text[..range.start].chars().next_back().is_some_and(joins)
        || text[range.end..].chars().next().is_some_and(joins)
}

/// The line comments before the first code of a text, each with its range and its content without `--`.
pub fn opening_lines(text: &str) -> Vec<(Range<usize>, &str)> {
    let (mut lines, mut at) = (Vec::new(), 0);
    for token in tokenize(text) {
        let range = at..at + token.len as usize;
        at = range.end;
        match token.kind {
            TokenKind::LineComment => {
                let line = text[range.clone()].trim_end();
                lines.push((range.start..range.start + line.len(), line.trim_start_matches("--").trim()));
            }
            TokenKind::Whitespace | TokenKind::BlockComment { .. } | TokenKind::Semi => {}
            _ => break,
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sql::Script;

    fn declared() -> Vec<TemplateParameter> {
        let of = |name: &str, kind| TemplateParameter { name: name.to_owned(), kind };
        vec![of("plan", ParameterKind::Literal), of("owner_table", ParameterKind::Identifier)]
    }

    fn parse(text: &str) -> Result<Script, SqlError> {
        Script::parse_with(Source::new("t.sql", text), &declared())
    }

    #[test]
    fn a_mask_has_the_length_of_the_parameter() {
        let text =
            "CREATE TABLE {owner_table} (plan text DEFAULT {plan}, note text DEFAULT '{}' -- {plan}\n)";
        let script = parse(text).unwrap();
        assert_eq!(
            script.masked(),
            "CREATE TABLE \"owner_table\" (plan text DEFAULT 'plan', note text DEFAULT '{}' -- {plan}\n)"
        );
        let uses: Vec<_> = script.uses.iter().map(|one| &text[one.range.clone()]).collect();
        assert_eq!(uses, ["{owner_table}", "{plan}"]);
        assert_eq!(script.statements[0].names[0].name, "owner_table");
        assert!(parse("CREATE TABLE \u{e4} (a text DEFAULT {plan}, b text DEFAULT ( {plan} ))").is_ok());
    }

    #[test]
    fn a_parameter_that_cannot_be_quoted_is_an_error() {
        for text in [
            "SELECT '{plan}'",
            "SELECT 'a {plan} b'",
            "SELECT E'{plan}'",
            "SELECT \"{owner_table}\"",
            "DO $$ BEGIN PERFORM {plan}; END $$",
            "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $f$ SELECT {plan} $f$",
        ] {
            assert!(matches!(parse(text), Err(SqlError::ParameterInString { .. })), "{text}");
        }
        for text in [
            "SELECT E{plan}",
            "SELECT U&{plan}",
            "SELECT {plan}{plan}",
            "SELECT {plan}'a'",
            "SELECT 'a'{plan}",
            "SELECT 1{plan}",
            "CREATE TABLE {owner_table}_old (id int)",
            "CREATE TABLE old_{owner_table} (id int)",
        ] {
            assert!(matches!(parse(text), Err(SqlError::ParameterInWord { .. })), "{text}");
        }
        for text in ["SELECT {other}", "SELECT {plan }", "SELECT { plan}", "SELECT {PLAN}"] {
            assert!(matches!(parse(text), Err(SqlError::Syntax { .. })), "{text}");
        }
        for text in ["SELECT '{other}', '{\"plan\": 1}'", "SELECT 1 /* {plan} */ -- '{plan}'"] {
            assert!(parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_header_ends_where_code_begins() {
        let lines = |text| opening_lines(text).into_iter().map(|(_, line)| line).collect::<Vec<_>>();
        assert_eq!(lines("-- a: b\r\n/* c */\n;-- d\nSELECT 1; -- e"), ["a: b", "d"]);
        assert_eq!(lines("SELECT 1; -- a"), [""; 0]);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_or_shifts_a_span(text in "[{}a-z'\"$E\\- \n\u{e4}]{0,12}(\\{plan\\}[{}'\"$ ]{0,3}){0,3}") {
            let parameters = declared();
            if let Ok((masked, uses)) = mask(&Source::new("t.sql", text.as_str()), text.clone(), &parameters) {
                prop_assert_eq!(masked.len(), text.len());
                for one in uses {
                    prop_assert_eq!(&text[one.range.clone()], "{plan}");
                    prop_assert_eq!(&masked[one.range], "'plan'");
                }
            }
        }
    }
}
