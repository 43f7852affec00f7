//! What a unique constraint or index demands, read from its definition.

use crate::postgres::catalog::model::{Object, PartKind, Properties, Property};

/// The columns and expressions that must be unique together, and for which rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    columns: Vec<String>,
    predicate: Option<String>,
    /// Whether two NULLs are equal.
    one_null: bool,
}

impl Key {
    /// The key of a unique constraint or index; `None` for anything else.
    pub(super) fn of(part: &Properties) -> Option<Self> {
        let is_key = matches!(part.get(Property::Type), Some("primary key" | "unique"));
        if !is_key && !part.has(Property::Unique) {
            return None;
        }
        let text = part.get(Property::Definition)?;
        let list = &text[if is_key { text.find('(')? } else { text.find(" USING btree (")? + 13 }..];
        let (mut depth, mut columns) = (0_usize, vec![String::new()]);
        let mut end = list.len();
        for (at, letter) in list.char_indices() {
            match letter {
                '(' => depth += 1,
                ')' if depth == 1 => {
                    end = at + 1;
                    break;
                }
                ')' => depth -= 1,
                ',' if depth == 1 => {
                    columns.push(String::new());
                    continue;
                }
                _ => {}
            }
            if let Some(column) = columns.last_mut().filter(|_| depth > 1 || letter != '(') {
                column.push(letter);
            }
        }
        Some(Self {
            columns: columns.into_iter().map(|column| column.trim().to_owned()).collect(),
            predicate: list[end..].split_once(" WHERE ").map(|(_, predicate)| predicate.to_owned()),
            one_null: text.contains("NULLS NOT DISTINCT"),
        })
    }

    /// Whether rows that satisfy `self` satisfy `other` too.
    pub(super) fn implies(&self, other: &Self) -> bool {
        self.columns.iter().all(|column| other.columns.contains(column))
            && (self.predicate.is_none() || self.predicate == other.predicate)
            && (!other.one_null || (self.one_null && self.columns.len() == other.columns.len()))
    }

    /// Whether ON CONFLICT finds `other` where it found `self`.
    pub(super) fn is_as_target(&self, other: &Self) -> bool {
        let has_all =
            |one: &Self, other: &Self| one.columns.iter().all(|column| other.columns.contains(column));
        has_all(self, other)
            && has_all(other, self)
            && (other.predicate.is_none() || self.predicate == other.predicate)
    }
}

/// The keys of a table.
pub(super) fn keys(table: &Object) -> impl Iterator<Item = Key> {
    let parts = table.parts.iter().filter(|(part, own)| {
        matches!(part.kind, PartKind::Constraint | PartKind::Index) && !own.has(Property::Valid)
    });
    parts.filter_map(|(_, own)| Key::of(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(definition: &str) -> Key {
        Key::of(&Properties::from([(Property::Definition, definition), (Property::Unique, "yes")])).unwrap()
    }

    #[test]
    fn a_key_implies_a_wider_or_partial_one() {
        let one = index("CREATE UNIQUE INDEX i ON t USING btree (a)");
        let two =
            index("CREATE UNIQUE INDEX j ON t USING btree (lower(b, 'x'), a) INCLUDE (c) WHERE (a > 0)");
        assert_eq!(two.columns, ["lower(b, 'x')", "a"]);
        assert_eq!(two.predicate.as_deref(), Some("(a > 0)"));
        let constraint = Key::of(&Properties::from([
            (Property::Definition, "UNIQUE NULLS NOT DISTINCT (a)"),
            (Property::Type, "unique"),
        ]));
        let constraint = constraint.unwrap();
        assert_eq!(constraint.columns, ["a"]);
        assert!(one.implies(&two) && constraint.implies(&one));
        assert!(!two.implies(&one) && !one.implies(&constraint));
        assert!(one.is_as_target(&constraint) && !one.is_as_target(&two));
    }
}
