//! `{org_schema}` and `{org_role}`, the placeholders of a migration, and the rendering of statements for a schema. For parsing, a
//! placeholder is replaced by an identifier of the same length, so spans are valid in the user's text.

use std::ops::Range;

use super::parameter::{ParameterUse, ParameterValues};
use super::{Lookup, Name, Origin, Script, Statement};

/// The placeholder for the schema of a tenant.
pub const ORG_SCHEMA: &str = "{org_schema}";

/// The identifier of the same length that the parser gets instead.
pub const STAND_IN: &str = "_org_schema_";

/// The placeholder for the role of a tenant.
pub const ORG_ROLE: &str = "{org_role}";

/// The identifier of the same length that the parser gets instead.
pub(super) const ROLE_STAND_IN: &str = "_org_role_";

/// Whether a name in parsed text is the placeholder for a schema.
pub fn is_org_schema(name: &str) -> bool {
    name == STAND_IN
}

/// Whether a name in parsed text starts with the placeholder: `{org_schema}_reader`.
pub fn names_org_schema(name: &str) -> bool {
    name.starts_with(STAND_IN)
}

/// Replaces every placeholder by its stand-in. Length and line breaks are unchanged.
pub(super) fn mask(text: &str) -> String {
    text.replace(ORG_SCHEMA, STAND_IN).replace(ORG_ROLE, ROLE_STAND_IN)
}

/// Replaces the stand-ins in a message by the placeholders that the user wrote.
pub(super) fn unmask(text: &str) -> String {
    text.replace(STAND_IN, ORG_SCHEMA).replace(ROLE_STAND_IN, ORG_ROLE)
}

/// Whether a text contains a placeholder.
pub(super) fn contains(text: &str) -> bool {
    text.contains(ORG_SCHEMA) || text.contains(ORG_ROLE)
}

/// What replaces the placeholders, which may be inside a string.
#[derive(Debug, Clone, Copy)]
pub struct TenantNames<'a> {
    /// The schema.
    pub schema: &'a str,
    /// The role.
    pub role: &'a str,
}

/// The values for the placeholders of a statement.
#[derive(Debug, Clone, Copy)]
pub struct Substitution<'a> {
    /// The names of the tenant.
    pub names: TenantNames<'a>,
    /// The schema as a quoted identifier, for names that are sent qualified.
    pub quoted: &'a str,
    /// The values of a template's parameters.
    pub values: &'a ParameterValues,
}

/// A text for the server, with the origin of each piece, so that a position in a server error can be mapped to the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rendered {
    /// The SQL.
    pub sql: String,
    /// In the order of `sql`.
    pieces: Vec<Piece>,
    chars: usize,
}

/// A piece of rendered text that comes from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece {
    /// Its start in the rendered text, in characters.
    start: usize,
    /// The bytes of the file that it renders.
    origin: Origin,
    /// Whether its text replaces those bytes.
    is_substituted: bool,
}

impl Rendered {
    /// Adds text that comes from no file.
    pub fn push(&mut self, text: &str) {
        self.sql.push_str(text);
        self.chars += text.chars().count();
    }

    /// Adds the bytes `range` of `text`, with the placeholders replaced.
    pub fn push_from(&mut self, text: &str, origin: Origin, names: TenantNames<'_>) {
        let mut at = origin.range.start;
        for (start, _) in text[origin.range.clone()].match_indices("{org_") {
            let start = origin.range.start + start;
            let rest = &text[start..origin.range.end];
            let (found, name) = if rest.starts_with(ORG_SCHEMA) {
                (ORG_SCHEMA, names.schema)
            } else if rest.starts_with(ORG_ROLE) {
                (ORG_ROLE, names.role)
            } else {
                continue;
            };
            let end = start + found.len();
            // A string of nothing else is compared with names; an input function for names accepts a key word without quotes.
            let is_whole_string = text[..start].ends_with('\'') && text[end..].starts_with('\'');
            let bare = name.trim_matches('"');
            let is_key_word = bare.bytes().all(|letter| letter.is_ascii_lowercase() || letter == b'_');
            let name = if is_whole_string && is_key_word { bare } else { name };
            self.push_piece(&text[at..start], origin.file, at..start, false);
            self.push_piece(name, origin.file, start..end, true);
            at = end;
        }
        self.push_piece(&text[at..origin.range.end], origin.file, at..origin.range.end, false);
    }

    /// Like [`Self::push_from`], and replaces each of `uses` by its value. Placeholders in values are not replaced.
    fn push_substituted(
        &mut self,
        text: &str,
        origin: Origin,
        names: TenantNames<'_>,
        uses: &[ParameterUse],
        values: &ParameterValues,
    ) {
        let Origin { file, range } = origin;
        let mut at = range.start;
        let within = |one: &&ParameterUse| range.start <= one.range.start && one.range.end <= range.end;
        for one in uses.iter().filter(within) {
            self.push_from(text, Origin { file, range: at..one.range.start }, names);
            self.push_piece(values.get(&one.name), file, one.range.clone(), true);
            at = one.range.end;
        }
        self.push_from(text, Origin { file, range: at..range.end }, names);
    }

    /// Adds the bytes `part` of a statement for execution in a schema: its own names are qualified and placeholders are
    /// replaced.
    pub fn push_part(
        &mut self,
        (script, file): (&Script, usize),
        statement: &Statement,
        part: Range<usize>,
        substitution: Substitution<'_>,
    ) {
        let Substitution { names, quoted, values } = substitution;
        let (own, operator) = (format!("{quoted}."), format!("OPERATOR({quoted}."));
        let (text, uses) = (&script.source.text, &script.uses);
        let mut at = part.start;
        let mut insert = |until: usize, inserted: &str| {
            self.push_substituted(text, Origin { file, range: at..until }, names, uses, values);
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

    /// Adds text that replaces these bytes of a file.
    pub fn push_substitute(&mut self, shown: &str, origin: Origin) {
        self.push_piece(shown, origin.file, origin.range, true);
    }

    /// Adds one query that fails if an object that these statements expect is not in the schema `quoted` (manual, chapter
    /// 8.19). Adds nothing and returns `false` if they expect none. An error position maps to the name in the file.
    pub fn push_expectations<'a>(
        &mut self,
        file: usize,
        statements: impl Iterator<Item = &'a Statement>,
        quoted: &str,
    ) -> bool {
        let mut added: Vec<[String; 3]> = Vec::new();
        let expected = |name: &&Name| name.lookup == Lookup::Expected;
        for name in statements.flat_map(|statement| &statement.names).filter(expected) {
            let Some(check) = name.existence_check(quoted).filter(|check| !added.contains(check)) else {
                continue;
            };
            self.push(if added.is_empty() { "SELECT " } else { ", " });
            let [before, object, after] = &check;
            self.push(before);
            self.push_piece(object, file, name.range.clone(), true);
            self.push(after);
            added.push(check);
        }
        !added.is_empty()
    }

    fn push_piece(&mut self, shown: &str, file: usize, range: Range<usize>, is_substituted: bool) {
        if !shown.is_empty() {
            let origin = Origin { file, range };
            self.pieces.push(Piece { start: self.chars, origin, is_substituted });
            self.push(shown);
        }
    }

    /// Appends another rendered text. Its file indexes are shifted by `files_before`.
    pub fn append(&mut self, other: &Self, files_before: usize) {
        self.pieces.extend(other.pieces.iter().map(|piece| {
            let origin = Origin { file: piece.origin.file + files_before, range: piece.origin.range.clone() };
            Piece { start: piece.start + self.chars, origin, is_substituted: piece.is_substituted }
        }));
        self.sql.push_str(&other.sql);
        self.chars += other.chars;
    }

    /// The length of the text in characters.
    pub fn chars(&self) -> usize {
        self.chars
    }

    /// Maps `position`, a character counted from 1 as in a server error (manual, chapter 55.8, field `P`), to a file index
    /// and byte offset; `None` if the text comes from no file.
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

    fn names(schema: &str) -> TenantNames<'_> {
        TenantNames { schema, role: "role_x" }
    }

    #[test]
    fn both_placeholders_are_replaced_and_others_stay() {
        let text = "ä {org_role} {org_{org_schema}}.t '{org_roles}' {org_role";
        let mut rendered = Rendered::default();
        rendered.push_from(text, Origin { file: 0, range: 0..text.len() }, names("org_a"));
        assert_eq!(rendered.sql, "ä role_x {org_org_a}.t '{org_roles}' {org_role");
    }

    #[test]
    fn a_string_of_the_name_alone_has_no_quotes() {
        let text = "SELECT * FROM {org_schema}.t WHERE s = '{org_schema}' OR t = '{org_schema}.t'";
        for (name, expected) in [
            ("zed", "SELECT * FROM zed.t WHERE s = 'zed' OR t = 'zed.t'"),
            ("\"order\"", "SELECT * FROM \"order\".t WHERE s = 'order' OR t = '\"order\".t'"),
            ("\"Odd n\"", "SELECT * FROM \"Odd n\".t WHERE s = '\"Odd n\"' OR t = '\"Odd n\".t'"),
        ] {
            let mut rendered = Rendered::default();
            rendered.push_from(text, Origin { file: 0, range: 0..text.len() }, names(name));
            assert_eq!(rendered.sql, expected);
        }
    }

    #[test]
    fn the_stand_in_is_as_long_as_the_placeholder() {
        assert_eq!(ORG_SCHEMA.len(), STAND_IN.len());
        assert_eq!(ORG_ROLE.len(), ROLE_STAND_IN.len());
    }

    #[test]
    fn a_position_behind_a_longer_name_maps_to_the_file() {
        let text = "ä {org_schema}.t x";
        let mut rendered = Rendered::default();
        rendered.push("BEGIN; ");
        rendered.push_from(text, Origin { file: 0, range: 0..text.len() }, names("org_a_much_longer_name"));
        let position = rendered.sql.chars().position(|c| c == 'x').unwrap() + 1;
        assert_eq!(rendered.origin(position, &[text]), Some((0, text.find('x').unwrap())));
        let inside_name = rendered.sql.find("longer").unwrap();
        assert_eq!(rendered.origin(inside_name, &[text]), Some((0, text.find('{').unwrap())));
        assert_eq!(rendered.origin(3, &[text]), None);
    }

    #[test]
    fn placeholders_in_values_are_not_replaced() {
        let text = "SELECT {plan}, {org_schema}.x";
        let at = text.find("{plan}").unwrap();
        let kind = crate::sql::ParameterKind::Literal;
        let uses = [ParameterUse { name: "plan".to_owned(), kind, range: at..at + 6 }];
        let mut values = ParameterValues::default();
        values.insert("plan", "'a {org_schema} \u{e4} {plan}'".to_owned());
        let mut rendered = Rendered::default();
        rendered.push_substituted(
            text,
            Origin { file: 0, range: 0..text.len() },
            names("org_a"),
            &uses,
            &values,
        );
        assert_eq!(rendered.sql, "SELECT 'a {org_schema} \u{e4} {plan}', org_a.x");
        let position = rendered.sql.chars().position(|letter| letter == 'x').unwrap() + 1;
        assert_eq!(rendered.origin(position, &[text]), Some((0, text.find('x').unwrap())));
        assert_eq!(rendered.origin(12, &[text]), Some((0, at)));
    }

    proptest! {
        #[test]
        fn every_character_maps_to_its_origin(parts in prop::collection::vec("[a-zäß🦀 ]{0,5}", 1..6)) {
            let text = parts.join(ORG_SCHEMA);
            let mut rendered = Rendered::default();
            rendered.push("é;");
            rendered.push_from(&text, Origin { file: 0, range: 0..text.len() }, names("org_x"));
            for (index, shown) in rendered.sql.chars().enumerate().skip(2) {
                let (_, offset) = rendered.origin(index + 1, &[&text]).unwrap();
                let original = text[offset..].chars().next().unwrap();
                let at_placeholder = original == '{';
                prop_assert!(original == shown || at_placeholder);
            }
        }
    }
}
