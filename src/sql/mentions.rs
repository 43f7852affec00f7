//! Finds references to a schema in text that is not parsed, such as a function body.

use squawk_lexer::{TokenKind, tokenize};

use super::normalized;

/// How a text names a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mention {
    /// In a string, where it may have another meaning.
    InString,
    /// As a qualifier, or in a search path.
    AsSchema,
}

/// Returns the strongest mention of the schema `name` in `text`. Comments and names of other objects do not count.
pub fn mention(text: &str, name: &str) -> Option<Mention> {
    let tokens: Vec<_> = tokens(text).into_iter().map(|token| (token.kind, token.text)).collect();
    let mut strongest = None;
    let mut sets_path = false;
    for (index, (kind, word)) in tokens.iter().enumerate() {
        let found = match kind {
            TokenKind::Semi => {
                sets_path = false;
                continue;
            }
            TokenKind::Ident | TokenKind::QuotedIdent { .. } => {
                let word = normalized(word);
                sets_path |= word == "search_path";
                let qualifies = matches!(tokens.get(index + 1), Some((TokenKind::Dot, _)));
                (word == name && (qualifies || sets_path)).then_some(Mention::AsSchema)
            }
            TokenKind::Literal { .. } => {
                sets_path |= word.contains("search_path");
                in_string(word, name).map(|found| if sets_path { Mention::AsSchema } else { found })
            }
            _ => None,
        };
        strongest = strongest.max(found);
    }
    strongest
}

/// A token of a text that is not parsed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'t> {
    pub(super) kind: TokenKind,
    /// The byte offset of its start.
    pub(super) start: usize,
    pub(super) text: &'t str,
}

/// Returns all tokens except white space and comments.
pub(super) fn tokens(text: &str) -> Vec<Piece<'_>> {
    let mut start = 0;
    let mut found = Vec::new();
    for token in tokenize(text) {
        let end = start + token.len as usize;
        let is_empty = matches!(
            token.kind,
            TokenKind::Whitespace | TokenKind::LineComment | TokenKind::BlockComment { .. }
        );
        if let (false, Some(text)) = (is_empty, text.get(start..end)) {
            found.push(Piece { kind: token.kind, start, text });
        }
        start = end;
    }
    found
}

/// Finds the name as a word of a string, which may contain a statement.
fn in_string(text: &str, name: &str) -> Option<Mention> {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '$';
    let found = text.match_indices(name).filter_map(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + name.len()..]);
        if before.chars().next_back().is_some_and(is_part) || after.chars().next().is_some_and(is_part) {
            return None;
        }
        let after = after.strip_prefix('"').unwrap_or(after).trim_start();
        // A dot may end a sentence; in a qualified name, another name follows.
        let names_more =
            |rest: &str| rest.chars().next().is_some_and(|letter| is_part(letter) || "\"%{".contains(letter));
        let qualifies = after.strip_prefix('.').is_some_and(names_more);
        Some(if qualifies { Mention::AsSchema } else { Mention::InString })
    });
    found.max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qualifiers_and_search_paths_name_a_schema() {
        for text in [
            "SELECT * FROM org_b.t",
            "select * from ORG_B . t",
            "SELECT \"org_b\".f()",
            "BEGIN EXECUTE 'DELETE FROM org_b.t'; END",
            "BEGIN EXECUTE $q$ DELETE FROM \"org_b\".t $q$; END",
            "EXECUTE format('org_b.%I', t)",
            "SET search_path TO a, org_b",
            "PERFORM set_config('search_path', 'org_b', true)",
            "EXECUTE 'SET LOCAL search_path = org_b'",
        ] {
            assert_eq!(mention(text, "org_b"), Some(Mention::AsSchema), "{text}");
        }
    }

    #[test]
    fn strings_are_weaker_and_comments_do_not_count() {
        for text in ["EXECUTE format('%I.t', 'org_b')", "RAISE NOTICE 'not for org_b.'", "SELECT 'a,org_b,c'"]
        {
            assert_eq!(mention(text, "org_b"), Some(Mention::InString), "{text}");
        }
        for text in [
            "-- like org_b.t\nSELECT 1",
            "/* org_b.t */ SELECT 1",
            "SELECT org_b FROM t",
            "SELECT * FROM org_b2.t, xorg_b.t, t.org_b",
            "SELECT 'org_b2.t' || 'my_org_b'",
            "SET search_path = x; SELECT org_b",
            "",
        ] {
            assert_eq!(mention(text, "org_b"), None, "{text}");
        }
    }
}
