//! Which objects a text names: in statements, in bodies and in strings, but not in comments.

use std::collections::HashSet;

use squawk_lexer::TokenKind;

use super::mentions::tokens;
use super::normalized;

/// The names in a text, as the server would store them.
#[derive(Debug, Clone, Default)]
pub struct Named {
    words: HashSet<String>,
    qualified: HashSet<(String, String)>,
}

impl Named {
    /// Reads `text`; a string may be code, so what stands in it counts too.
    pub fn of(text: &str) -> Self {
        let mut named = Self::default();
        named.read(text);
        named
    }

    fn read(&mut self, text: &str) {
        // Whether the name before ends with a dot, and the name.
        let mut before: (Option<String>, bool) = (None, false);
        for token in tokens(text) {
            before = match token.kind {
                TokenKind::Ident | TokenKind::QuotedIdent { .. } => {
                    let word = normalized(token.text);
                    self.words.insert(word.clone());
                    if let (Some(schema), true) = before {
                        self.qualified.insert((schema, word.clone()));
                    }
                    (Some(word), false)
                }
                TokenKind::Dot => (before.0, true),
                TokenKind::Literal { .. } => {
                    if let Some((_, content)) = content(token.text) {
                        self.read(content);
                    }
                    (None, false)
                }
                _ => (None, false),
            };
        }
    }

    /// Whether `schema.name` stands in the text.
    pub fn has(&self, schema: &str, name: &str) -> bool {
        self.qualified.contains(&(schema.to_owned(), name.to_owned()))
    }

    /// Whether `name` stands in the text, with a schema or without.
    pub fn has_word(&self, name: &str) -> bool {
        self.words.contains(name)
    }

    /// All names in the text.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.words.iter().map(String::as_str)
    }
}

/// Where the content of a string begins, and the content; none of what is a number, or not ended.
pub(super) fn content(literal: &str) -> Option<(usize, &str)> {
    if let Some(rest) = literal.strip_prefix('$') {
        let start = rest.find('$')? + 2;
        let tag = &literal[..start];
        let inner = literal[start..].strip_suffix(tag)?;
        return Some((start, inner));
    }
    let start = literal.find('\'')? + 1;
    literal[start..].strip_suffix('\'').map(|inner| (start, inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_code_and_strings_and_not_in_comments() {
        let named = Named::of(
            "DO $$ BEGIN DELETE FROM \"Public\".Imports; -- x.y\nEXECUTE 'DROP TABLE a . b, ''c.d'''; END $$; SELECT e.f.g",
        );
        for (schema, name) in [("Public", "imports"), ("a", "b"), ("c", "d"), ("e", "f"), ("f", "g")] {
            assert!(named.has(schema, name), "{schema}.{name}");
        }
        assert!(named.has_word("imports") && !named.has("x", "y") && !named.has_word("x"));
        assert!(!named.has("public", "imports") && !named.has("from", "Public"));
    }

    #[test]
    fn a_string_has_a_content() {
        assert_eq!(content("$a$x$a$"), Some((3, "x")));
        assert_eq!(content("E'x'"), Some((2, "x")));
        assert_eq!(content("''"), Some((1, "")));
        assert_eq!(content("12"), None);
        assert_eq!(content("'x"), None);
    }
}
