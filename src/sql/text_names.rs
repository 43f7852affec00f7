//! Finds the object names in a text: in statements, bodies and strings, but not in comments.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::iter::Peekable;

use squawk_lexer::TokenKind;
use squawk_syntax::SyntaxKind;

use super::mentions::{Piece, tokens};
use super::normalized;
use super::tree::Node;

/// The names in a text, folded as the server stores them.
#[derive(Debug, Clone, Default)]
pub struct TextNames {
    words: HashSet<String>,
    bare: HashSet<String>,
    qualified: HashSet<(String, String)>,
    targets: BTreeMap<String, TargetKind>,
    routines: BTreeSet<(String, String)>,
    parts: BTreeSet<(String, TablePart, String)>,
    temporary: BTreeSet<String>,
}

/// A part of a table that a statement drops or alters by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TablePart {
    /// A column.
    Column,
    /// A constraint.
    Constraint,
    /// A policy.
    Policy,
    /// A rule.
    Rule,
    /// A trigger.
    Trigger,
}

/// The kind of object of a bare name, by the words before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetKind {
    /// A table, or an object of unknown kind that may be one.
    Table,
    /// A view.
    View,
    /// A materialized view.
    MaterializedView,
    /// A sequence.
    Sequence,
    /// A type.
    Type,
    /// A domain.
    Domain,
    /// A function, or a routine of either kind.
    Function,
    /// A procedure.
    Procedure,
    /// An aggregate.
    Aggregate,
    /// An index.
    Index,
}

/// Words that may precede the name.
const BETWEEN: &[&str] = &["concurrently", "exists", "if", "not", "only", "table"];

/// Whether the words before a name create a temporary object.
fn creates_temporary(words: &[String]) -> bool {
    let mut words = words.iter().rev().map(String::as_str).skip_while(|word| BETWEEN.contains(word));
    match words.next() {
        Some("view" | "sequence") => matches!(words.next(), Some("temp" | "temporary")),
        Some("temp" | "temporary") => words.any(|word| ["create", "into"].contains(&word)),
        _ => false,
    }
}

impl TablePart {
    /// The part and its name, if the next name is its table: the words before that are `DROP POLICY name ON`.
    fn before_table(words: &[String]) -> Option<(Self, String)> {
        let (on, words) = words.split_last()?;
        let (name, words) = words.split_last()?;
        let kind = match Self::dropped(words)? {
            "policy" => Self::Policy,
            "rule" => Self::Rule,
            "trigger" => Self::Trigger,
            _ => return None,
        };
        (on == "on").then(|| (kind, name.clone()))
    }

    /// The table and the kind of the part, if the next name is the part: the words before that are `ALTER TABLE name DROP COLUMN`.
    fn after_table(words: &[String]) -> Option<(String, Self)> {
        let kind = match Self::dropped(words)? {
            "column" => Self::Column,
            "constraint" => Self::Constraint,
            _ => return None,
        };
        let verb = words.iter().rposition(|word| word == "drop" || word == "alter")?;
        let (table, words) = words[..verb].split_last()?;
        (TargetKind::after(words) == Some(TargetKind::Table)).then(|| (table.clone(), kind))
    }

    /// The word after DROP or ALTER.
    fn dropped(words: &[String]) -> Option<&str> {
        let mut words = words.iter().rev().map(String::as_str).skip_while(|word| BETWEEN.contains(word));
        let kind = words.next()?;
        matches!(words.next()?, "drop" | "alter").then_some(kind)
    }
}

impl TargetKind {
    fn is_routine(self) -> bool {
        matches!(self, Self::Function | Self::Procedure | Self::Aggregate)
    }

    /// The kind of object that a statement drops, alters, truncates or writes to, by the `words` before its name.
    fn after(words: &[String]) -> Option<Self> {
        let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
        let is_table = words.contains(&"table");
        while words.last().is_some_and(|word| BETWEEN.contains(word)) {
            words.pop();
        }
        let kind = match words.as_slice() {
            [.., "for" | "do" | "key", "update"] => return None,
            [.., "update" | "truncate"] | [.., "insert" | "merge", "into"] | [.., "delete", "from"] => {
                return Some(Self::Table);
            }
            [.., "drop" | "alter"] if is_table => return Some(Self::Table),
            [.., "drop" | "alter", "materialized", "view"] => return Some(Self::MaterializedView),
            [.., "drop" | "alter", kind] => *kind,
            _ => return None,
        };
        match kind {
            "view" => Some(Self::View),
            "sequence" => Some(Self::Sequence),
            "type" => Some(Self::Type),
            "domain" => Some(Self::Domain),
            "function" | "routine" => Some(Self::Function),
            "procedure" => Some(Self::Procedure),
            "aggregate" => Some(Self::Aggregate),
            "index" => Some(Self::Index),
            _ => None,
        }
    }
}

impl TextNames {
    /// Reads `text`. Strings may be code, so names in them count too.
    pub fn of(text: &str) -> Self {
        let mut named = Self::default();
        named.read(text);
        named
    }

    fn read(&mut self, text: &str) {
        // The previous name, and whether a dot follows it.
        let mut before: (Option<String>, bool) = (None, false);
        // The words since the last token that is not a word.
        let mut words: Vec<String> = Vec::new();
        // The kind of the target before this token, and of the next one in its list.
        let (mut target, mut listed) = (None, None);
        let mut tokens = tokens(text).into_iter().peekable();
        while let Some(token) = tokens.next() {
            let is_qualifier = tokens.peek().is_some_and(|next| next.kind == TokenKind::Dot);
            let (after_target, in_list) = (target.take(), listed.take());
            before = match token.kind {
                TokenKind::Ident | TokenKind::QuotedIdent { .. } => {
                    let word = normalized(token.text);
                    self.words.insert(word.clone());
                    if !is_qualifier && !before.1 {
                        self.bare.insert(word.clone());
                    }
                    if let (Some(schema), true) = before {
                        self.qualified.insert((schema, word.clone()));
                    } else if is_qualifier {
                        // The schema, or an alias.
                    } else if creates_temporary(&words) && !BETWEEN.contains(&word.as_str()) {
                        self.temporary.insert(word.clone());
                    } else if BETWEEN.contains(&word.as_str()) {
                        // The name follows.
                    } else if let Some((part, name)) = TablePart::before_table(&words) {
                        self.targets.insert(word.clone(), TargetKind::Table);
                        self.parts.insert((word.clone(), part, name));
                    } else if let Some((table, part)) = TablePart::after_table(&words) {
                        self.parts.insert((table, part, word.clone()));
                    } else if let Some(kind) = in_list.or_else(|| TargetKind::after(&words)) {
                        self.targets.insert(word.clone(), kind);
                        target = Some(kind);
                        if kind.is_routine()
                            && let Some(arguments) = arguments(text, &mut tokens)
                        {
                            self.routines.insert((word.clone(), arguments.to_owned()));
                        }
                    }
                    words.push(word.clone());
                    (Some(word), false)
                }
                TokenKind::Dot => (before.0, true),
                TokenKind::Literal { .. } => {
                    words.clear();
                    if let Some((_, content)) = content(token.text) {
                        self.read(content);
                    }
                    (None, false)
                }
                _ => {
                    words.clear();
                    listed = after_target.filter(|_| token.kind == TokenKind::Comma);
                    (None, false)
                }
            };
        }
    }

    /// Whether the text contains `schema.name`.
    pub fn contains_qualified(&self, schema: &str, name: &str) -> bool {
        self.qualified.contains(&(schema.to_owned(), name.to_owned()))
    }

    /// Whether the text contains `name`, qualified or not.
    pub fn contains(&self, name: &str) -> bool {
        self.words.contains(name)
    }

    /// The unqualified names in the text.
    pub fn bare_names(&self) -> impl Iterator<Item = &str> {
        self.bare.iter().map(String::as_str)
    }

    /// The unqualified names of objects that the text drops, alters, truncates or writes to.
    pub fn targets(&self) -> &BTreeMap<String, TargetKind> {
        &self.targets
    }

    /// The routines among the targets that are named with arguments, and these.
    pub fn routines(&self) -> &BTreeSet<(String, String)> {
        &self.routines
    }

    /// The parts of unqualified tables that the text drops or alters: the table, the kind and the name.
    pub fn parts(&self) -> &BTreeSet<(String, TablePart, String)> {
        &self.parts
    }

    /// All names in the text.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.words.iter().map(String::as_str)
    }
}

/// The text between the brackets at the front of `tokens`, which it takes.
fn arguments<'t>(
    text: &'t str,
    tokens: &mut Peekable<impl Iterator<Item = Piece<'t>> + Clone>,
) -> Option<&'t str> {
    let start = tokens.next_if(|next| next.kind == TokenKind::OpenParen)?.start + 1;
    let mut depth = 1;
    for token in tokens.clone() {
        match token.kind {
            TokenKind::OpenParen => depth += 1,
            TokenKind::CloseParen => depth -= 1,
            TokenKind::Semi => return None,
            _ => {}
        }
        if depth == 0 {
            while tokens.next_if(|next| next.start <= token.start).is_some() {}
            return text.get(start..token.start);
        }
    }
    None
}

/// The names of temporary objects that code in the statement creates.
pub(super) fn temporary_by_code(statement: Node<'_>) -> Vec<String> {
    let is_code = matches!(
        statement.kind(),
        SyntaxKind::DO | SyntaxKind::CREATE_FUNCTION | SyntaxKind::CREATE_PROCEDURE
    );
    if !is_code || !statement.text().to_ascii_lowercase().contains("temp") {
        return Vec::new();
    }
    TextNames::of(statement.text()).temporary.into_iter().collect()
}

/// The byte offset of a string literal's content, and the content; `None` for numbers and unterminated strings.
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
        let named = TextNames::of(
            "DO $$ BEGIN DELETE FROM \"Public\".Imports; -- x.y\nEXECUTE 'DROP TABLE a . b, ''c.d'''; END $$; SELECT e.f.g",
        );
        for (schema, name) in [("Public", "imports"), ("a", "b"), ("c", "d"), ("e", "f"), ("f", "g")] {
            assert!(named.contains_qualified(schema, name), "{schema}.{name}");
        }
        assert!(named.contains("imports") && !named.contains_qualified("x", "y") && !named.contains("x"));
        assert!(
            !named.contains_qualified("public", "imports") && !named.contains_qualified("from", "Public")
        );
    }

    #[test]
    fn the_bare_names_of_targets_are_found() {
        let named = TextNames::of(
            "DO $$ BEGIN DROP VIEW IF EXISTS v; EXECUTE 'drop materialized view m, n'; DELETE FROM ONLY d; \
             IF true THEN UPDATE public.u SET a = 1; TRUNCATE TABLE t; ALTER SEQUENCE IF EXISTS \"S\" OWNED BY NONE; END IF; END $$",
        );
        let found: Vec<_> = named.targets().iter().map(|(name, kind)| (name.as_str(), *kind)).collect();
        assert_eq!(
            found,
            [
                ("S", TargetKind::Sequence),
                ("d", TargetKind::Table),
                ("m", TargetKind::MaterializedView),
                ("n", TargetKind::MaterializedView),
                ("t", TargetKind::Table),
                ("v", TargetKind::View)
            ]
        );
    }

    #[test]
    fn routines_lists_and_parts_of_tables_are_found() {
        let named = TextNames::of(
            "DO $$ BEGIN DROP FUNCTION IF EXISTS f(int, numeric(1, 2)), g(), h; DROP PROCEDURE p(text); TRUNCATE a, b; \
             EXECUTE 'DROP POLICY IF EXISTS own ON docs'; ALTER TABLE IF EXISTS t DROP COLUMN IF EXISTS c; \
             DROP TRIGGER x ON public.y; ALTER TABLE u DROP CONSTRAINT k CASCADE; ALTER FUNCTION broken(int; END $$",
        );
        let routines: Vec<_> =
            named.routines().iter().map(|(name, args)| (name.as_str(), args.as_str())).collect();
        assert_eq!(routines, [("f", "int, numeric(1, 2)"), ("g", ""), ("p", "text")]);
        for name in ["a", "b"] {
            assert_eq!(named.targets().get(name), Some(&TargetKind::Table), "{name}");
        }
        assert_eq!(named.targets().get("h"), Some(&TargetKind::Function));
        let parts: Vec<_> =
            named.parts().iter().map(|(table, part, name)| (table.as_str(), *part, name.as_str())).collect();
        assert_eq!(
            parts,
            [
                ("docs", TablePart::Policy, "own"),
                ("t", TablePart::Column, "c"),
                ("u", TablePart::Constraint, "k")
            ]
        );
    }

    #[test]
    fn the_content_of_a_string_is_found() {
        assert_eq!(content("$a$x$a$"), Some((3, "x")));
        assert_eq!(content("E'x'"), Some((2, "x")));
        assert_eq!(content("''"), Some((1, "")));
        assert_eq!(content("12"), None);
        assert_eq!(content("'x"), None);
    }
}
