//! `{org_schema}`, the one placeholder of a migration. For parsing it is replaced by an identifier of
//! the same length, so that every span of the parsed text is a span of the user's text.

use std::ops::Range;

use super::parameter::{ParameterUse, ParameterValues};
use super::{Lookup, Name, Origin, Script, Statement};

/// What people write where a tenant's schema goes.
pub const ORG_SCHEMA: &str = "{org_schema}";

/// What the parser sees in its place: as long, and an identifier.
pub(super) const STAND_IN: &str = "_org_schema_";

/// Whether a name that was read from a parsed text is the placeholder.
pub fn is_org_schema(name: &str) -> bool {
    name == STAND_IN
}

/// The same where the placeholder is only the beginning: `{org_schema}_reader`.
pub fn names_org_schema(name: &str) -> bool {
    name.starts_with(STAND_IN)
}

/// `text` with every placeholder replaced by the stand-in; same length, same line breaks.
pub(super) fn masked(text: &str) -> String {
    text.replace(ORG_SCHEMA, STAND_IN)
}

/// What stands in a statement instead of its placeholders.
#[derive(Debug, Clone, Copy)]
pub struct Substitution<'a> {
    /// The schema as it takes the place of `{org_schema}`, which may be inside a string.
    pub in_text: &'a str,
    /// The schema as a quoted identifier, before a name that is sent qualified.
    pub quoted: &'a str,
    /// The values of a template's parameters.
    pub values: &'a ParameterValues,
}

/// Piece by piece a text for the server, and for each piece where it came from, so that a position in
/// a server's error leads back into the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rendered {
    /// The SQL.
    pub sql: String,
    /// For each piece: where it begins in `sql`, in characters, and the file's bytes that it shows.
    pieces: Vec<Piece>,
    chars: usize,
}

/// A piece of a rendered text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece {
    /// Where it begins, in characters.
    start: usize,
    /// The bytes of the file that it shows.
    origin: Origin,
    /// Whether it stands there instead of those bytes.
    is_substituted: bool,
}

impl Rendered {
    /// Adds text that stands in no file.
    pub fn push(&mut self, text: &str) {
        self.sql.push_str(text);
        self.chars += text.chars().count();
    }

    /// Adds the bytes `range` of `text`, with `{org_schema}` replaced by `schema`.
    pub fn push_from(&mut self, text: &str, origin: Origin, schema: &str) {
        let mut at = origin.range.start;
        for (start, found) in text[origin.range.clone()].match_indices(ORG_SCHEMA) {
            let start = origin.range.start + start;
            self.push_piece(&text[at..start], origin.file, at..start, false);
            self.push_piece(schema, origin.file, start..start + found.len(), true);
            at = start + found.len();
        }
        self.push_piece(&text[at..origin.range.end], origin.file, at..origin.range.end, false);
    }

    /// The same, with each of `uses` that stands there replaced by its value, in which nothing is replaced.
    fn push_substituted(
        &mut self,
        text: &str,
        origin: Origin,
        schema: &str,
        uses: &[ParameterUse],
        values: &ParameterValues,
    ) {
        let Origin { file, range } = origin;
        let mut at = range.start;
        let within = |one: &&ParameterUse| range.start <= one.range.start && one.range.end <= range.end;
        for one in uses.iter().filter(within) {
            self.push_from(text, Origin { file, range: at..one.range.start }, schema);
            self.push_piece(values.of(&one.name), file, one.range.clone(), true);
            at = one.range.end;
        }
        self.push_from(text, Origin { file, range: at..range.end }, schema);
    }

    /// Adds the bytes `part` of a statement as it is run in a schema: its own names are qualified, and placeholders are
    /// filled in.
    pub fn push_part(
        &mut self,
        (script, file): (&Script, usize),
        statement: &Statement,
        part: Range<usize>,
        substitution: Substitution<'_>,
    ) {
        let Substitution { in_text, quoted, values } = substitution;
        let (own, operator) = (format!("{quoted}."), format!("OPERATOR({quoted}."));
        let (text, uses) = (&script.source.text, &script.uses);
        let mut at = part.start;
        let mut insert = |until: usize, inserted: &str| {
            self.push_substituted(text, Origin { file, range: at..until }, in_text, uses, values);
            self.push_piece(inserted, file, until..until, true);
            at = until;
        };
        let within = |name: &&Name| part.start <= name.range.start && name.range.end <= part.end;
        for name in statement.names.iter().filter(|name| name.schema.is_none()).filter(within) {
            match name.lookup {
                Lookup::Path | Lookup::Expected => {}
                Lookup::Own => insert(name.range.start, &own),
                Lookup::Temporary => insert(name.range.start, "pg_temp."),
                Lookup::OwnOperator => {
                    insert(name.range.start, &operator);
                    insert(name.range.end, ")");
                }
            }
        }
        insert(part.end, "");
    }

    /// Adds text that stands for these bytes of a file.
    pub fn push_substitute(&mut self, shown: &str, origin: Origin) {
        self.push_piece(shown, origin.file, origin.range, true);
    }

    /// Adds one query that fails where an object that these statements expect is not in the schema `quoted`; nothing
    /// where they expect none. Says whether it did. An error leads to the name in the file (manual, chapter 8.19).
    pub fn push_expectations<'a>(
        &mut self,
        file: usize,
        statements: impl Iterator<Item = &'a Statement>,
        quoted: &str,
    ) -> bool {
        let mut done: Vec<[String; 3]> = Vec::new();
        let expected = |name: &&Name| name.lookup == Lookup::Expected;
        for name in statements.flat_map(|statement| &statement.names).filter(expected) {
            let Some(proof) = name.existence_check(quoted).filter(|proof| !done.contains(proof)) else {
                continue;
            };
            self.push(if done.is_empty() { "SELECT " } else { ", " });
            let [before, object, behind] = &proof;
            self.push(before);
            self.push_piece(object, file, name.range.clone(), true);
            self.push(behind);
            done.push(proof);
        }
        !done.is_empty()
    }

    fn push_piece(&mut self, shown: &str, file: usize, range: Range<usize>, is_substituted: bool) {
        if !shown.is_empty() {
            let origin = Origin { file, range };
            self.pieces.push(Piece { start: self.chars, origin, is_substituted });
            self.push(shown);
        }
    }

    /// Adds another rendered text, its pieces shifted to where it now stands and its files to where they
    /// stand in the joined list.
    pub fn append(&mut self, other: &Self, files_before: usize) {
        self.pieces.extend(other.pieces.iter().map(|piece| {
            let origin = Origin { file: piece.origin.file + files_before, range: piece.origin.range.clone() };
            Piece { start: piece.start + self.chars, origin, is_substituted: piece.is_substituted }
        }));
        self.sql.push_str(&other.sql);
        self.chars += other.chars;
    }

    /// How many characters the text has.
    pub fn chars(&self) -> usize {
        self.chars
    }

    /// The file and byte offset of character `position` of the text, counted from 1 as PostgreSQL
    /// counts (manual, chapter 55.8, field `P`); `None` where the text is Tenure's own.
    pub fn origin(&self, position: usize, texts: &[&str]) -> Option<(usize, usize)> {
        let at = position.checked_sub(1)?;
        let index = self.pieces.partition_point(|piece| piece.start <= at).checked_sub(1)?;
        let Piece { start, origin, is_substituted } = &self.pieces[index];
        if *is_substituted {
            return Some((origin.file, origin.range.start));
        }
        let piece = texts.get(origin.file)?.get(origin.range.clone())?;
        let inside = at - start;
        let offset = piece.char_indices().nth(inside).map(|(offset, _)| offset)?;
        Some((origin.file, origin.range.start + offset))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_stand_in_is_as_long_as_the_placeholder() {
        assert_eq!(ORG_SCHEMA.len(), STAND_IN.len());
    }

    #[test]
    fn a_position_leads_back_through_a_longer_name() {
        let text = "ä {org_schema}.t x";
        let mut rendered = Rendered::default();
        rendered.push("BEGIN; ");
        rendered.push_from(text, Origin { file: 0, range: 0..text.len() }, "org_a_much_longer_name");
        let position = rendered.sql.chars().position(|c| c == 'x').unwrap() + 1;
        assert_eq!(rendered.origin(position, &[text]), Some((0, text.find('x').unwrap())));
        let inside_name = rendered.sql.find("longer").unwrap();
        assert_eq!(rendered.origin(inside_name, &[text]), Some((0, text.find('{').unwrap())));
        assert_eq!(rendered.origin(3, &[text]), None);
    }

    #[test]
    fn a_position_leads_back_through_a_value_in_which_nothing_is_replaced() {
        let text = "SELECT {plan}, {org_schema}.x";
        let at = text.find("{plan}").unwrap();
        let kind = super::super::ParameterKind::Literal;
        let uses = [ParameterUse { name: "plan".to_owned(), kind, range: at..at + 6 }];
        let mut values = ParameterValues::default();
        values.insert("plan", "'a {org_schema} \u{e4} {plan}'".to_owned());
        let mut rendered = Rendered::default();
        rendered.push_substituted(text, Origin { file: 0, range: 0..text.len() }, "org_a", &uses, &values);
        assert_eq!(rendered.sql, "SELECT 'a {org_schema} \u{e4} {plan}', org_a.x");
        let position = rendered.sql.chars().position(|letter| letter == 'x').unwrap() + 1;
        assert_eq!(rendered.origin(position, &[text]), Some((0, text.find('x').unwrap())));
        assert_eq!(rendered.origin(12, &[text]), Some((0, at)));
    }

    proptest! {
        #[test]
        fn every_character_finds_its_way_home(parts in prop::collection::vec("[a-zäß🦀 ]{0,5}", 1..6)) {
            let text = parts.join(ORG_SCHEMA);
            let mut rendered = Rendered::default();
            rendered.push("é;");
            rendered.push_from(&text, Origin { file: 0, range: 0..text.len() }, "org_x");
            for (index, shown) in rendered.sql.chars().enumerate().skip(2) {
                let (_, offset) = rendered.origin(index + 1, &[&text]).unwrap();
                let original = text[offset..].chars().next().unwrap();
                let at_placeholder = original == '{';
                prop_assert!(original == shown || at_placeholder);
            }
        }
    }
}
