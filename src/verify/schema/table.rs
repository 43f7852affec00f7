//! The model of a table: columns, constraints, indexes, triggers, rules, policies. Each part records whether the current file
//! created it.

use super::types::SqlType;
use crate::sql::MAX_NAME_BYTES;

/// The result of a lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::verify) enum Found<T> {
    /// The object exists.
    Present(T),
    /// The object certainly does not exist.
    Absent,
    /// The model does not contain the object, but is incomplete.
    Unknown,
}

impl<T> Found<T> {
    /// The object, if it exists.
    pub(in crate::verify) fn present(self) -> Option<T> {
        match self {
            Self::Present(found) => Some(found),
            Self::Absent | Self::Unknown => None,
        }
    }

    /// The same with another value.
    pub(in crate::verify) fn map<U>(self, change: impl FnOnce(T) -> U) -> Found<U> {
        match self {
            Self::Present(found) => Found::Present(change(found)),
            Self::Absent => Found::Absent,
            Self::Unknown => Found::Unknown,
        }
    }

    /// Whether the object certainly does not exist.
    pub(in crate::verify) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

/// A table, possibly incompletely known.
#[derive(Debug, Clone, Default)]
pub(in crate::verify) struct Table {
    pub(in crate::verify) columns: Vec<Column>,
    pub(in crate::verify) constraints: Vec<Constraint>,
    pub(in crate::verify) indexes: Vec<Index>,
    /// Its triggers, rules and policies.
    pub(in crate::verify) attached: Vec<Attached>,
    /// What DISABLE TRIGGER and DISABLE RULE turned off, or ENABLE ALWAYS and REPLICA changed.
    pub(in crate::verify) disabled: Vec<String>,
    /// Whether row security is enabled, and forced.
    pub(super) row_security: [bool; 2],
    /// The names of the tables after INHERITS and PARTITION OF.
    pub(in crate::verify) parents: Vec<String>,
    /// The sequences of its serial and identity columns: the column, then the sequence.
    pub(super) sequences: Vec<(String, String)>,
    /// Whether all parts are known.
    pub(super) is_complete: bool,
}

/// A trigger, rule or policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::verify) struct Attached {
    pub(in crate::verify) name: String,
    /// Its definition; empty if unknown.
    pub(in crate::verify) text: String,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::verify) struct Column {
    pub(in crate::verify) name: String,
    pub(in crate::verify) of_type: Option<SqlType>,
    pub(in crate::verify) not_null: bool,
    pub(in crate::verify) omitted_value: OmittedValue,
    pub(in crate::verify) new: bool,
}

/// The source of a value that an INSERT omits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::verify) enum OmittedValue {
    /// None: it is NULL.
    Null,
    /// A default expression.
    Default(String),
    /// The column's own sequence or generation expression.
    Generated,
}

/// A constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::verify) struct Constraint {
    pub(in crate::verify) name: String,
    pub(in crate::verify) kind: ConstraintKind,
    pub(in crate::verify) columns: Vec<String>,
    /// Its definition without its name.
    pub(in crate::verify) text: String,
    /// Whether existing rows were checked.
    pub(in crate::verify) validated: bool,
    pub(in crate::verify) new: bool,
}

/// The kind of a constraint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::verify) enum ConstraintKind {
    /// A condition. Its columns are those that it proves to be not NULL.
    Check,
    /// UNIQUE or EXCLUDE.
    Unique,
    /// PRIMARY KEY: unique and not NULL.
    PrimaryKey,
    /// A foreign key.
    ForeignKey {
        /// Whether deleting or updating the referenced row changes this table.
        has_action: bool,
    },
    /// NOT NULL.
    NotNull,
}

/// An index.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one word of the text")]
pub(in crate::verify) struct Index {
    pub(in crate::verify) name: String,
    pub(in crate::verify) unique: bool,
    /// In order; `None` for an expression.
    pub(in crate::verify) columns: Option<Vec<String>>,
    pub(in crate::verify) partial: bool,
    /// Whether it belongs to a constraint.
    pub(in crate::verify) of_constraint: bool,
    pub(in crate::verify) new: bool,
}

impl Constraint {
    /// Replaces the identifier `old` in the definition, after its first `skipped` words.
    pub(super) fn rename_words(&mut self, old: &str, new: &str, skipped: usize) {
        let words = self.text.split(' ').enumerate();
        let renamed = words.map(|(at, word)| if at >= skipped && word == old { new } else { word });
        self.text = renamed.collect::<Vec<_>>().join(" ");
    }

    /// The place of the referenced table in the words of the definition, if it is `table`.
    fn reference_to(&self, table: &str) -> Option<usize> {
        let words: Vec<&str> = self.text.split(' ').collect();
        let at = words.iter().position(|word| *word == "references")? + 1;
        let is_foreign_key = matches!(self.kind, ConstraintKind::ForeignKey { .. });
        let qualified = words.get(at + 1).is_some_and(|word| *word == ".");
        let name = if qualified { at + 2 } else { at };
        (is_foreign_key && words.get(name) == Some(&table)).then_some(name)
    }
}

impl Table {
    /// The table `table`, which foreign keys reference, or its column, gets another name.
    pub(super) fn rename_reference(&mut self, table: &str, old: &str, new: &str) {
        for constraint in &mut self.constraints {
            if let Some(at) = constraint.reference_to(table) {
                constraint.rename_words(old, new, at);
            }
        }
    }

    /// Whether a foreign key references `table`.
    pub(super) fn references(&self, table: &str) -> bool {
        self.constraints.iter().any(|constraint| constraint.reference_to(table).is_some())
    }

    fn found<T>(&self, found: Option<T>) -> Found<T> {
        match found {
            Some(found) => Found::Present(found),
            None if self.is_complete => Found::Absent,
            None => Found::Unknown,
        }
    }

    /// The column `name`.
    pub(in crate::verify) fn column(&self, name: &str) -> Found<&Column> {
        self.found(self.columns.iter().find(|column| column.name == name))
    }

    /// The constraint `name`.
    pub(in crate::verify) fn constraint(&self, name: &str) -> Found<&Constraint> {
        self.found(self.constraints.iter().find(|constraint| constraint.name == name))
    }

    /// The trigger, rule or policy `name`.
    pub(in crate::verify) fn attached_object(&self, name: &str) -> Found<&Attached> {
        self.found(self.attached.iter().find(|attached| attached.name == name))
    }

    /// Whether row security is enabled, and whether it is forced, if known.
    pub(in crate::verify) fn row_security(&self) -> Option<[bool; 2]> {
        self.is_complete.then_some(self.row_security)
    }

    /// Whether no row can have NULL in `column`.
    pub(in crate::verify) fn proves_not_null(&self, column: &str) -> bool {
        let proven = |constraint: &Constraint| {
            constraint.validated
                && matches!(
                    constraint.kind,
                    ConstraintKind::Check | ConstraintKind::PrimaryKey | ConstraintKind::NotNull
                )
                && constraint.columns.iter().any(|name| name == column)
        };
        self.columns.iter().any(|found| found.name == column && found.not_null)
            || self.constraints.iter().any(proven)
    }

    /// Whether rows are already unique over a subset of `columns`, so that uniqueness over all of them adds nothing.
    pub(in crate::verify) fn is_unique_over(&self, columns: &[String], besides: Option<&str>) -> bool {
        self.indexes.iter().any(|index| {
            let part = |own: &[String]| !own.is_empty() && own.iter().all(|name| columns.contains(name));
            index.unique
                && !index.partial
                && besides != Some(index.name.as_str())
                && index.columns.as_deref().is_some_and(part)
        })
    }

    /// The name that the server gives to a new part of the table, whose name is `of` (`ChooseRelationName`).
    pub(super) fn generated_name(&self, of: &str, columns: &str, label: &str) -> Option<String> {
        let taken = |name: &String| {
            self.constraints.iter().any(|own| own.name == *name)
                || self.indexes.iter().any(|own| own.name == *name)
        };
        let numbers = (1..100).map(|number| number.to_string());
        let labels = std::iter::once(String::new()).chain(numbers).map(|number| format!("{label}{number}"));
        labels.map(|label| object_name(of, columns, &label)).find(|name| !taken(name))
    }

    /// Whether the column `name` has a sequence of its own.
    pub(in crate::verify) fn has_sequence(&self, name: &str) -> bool {
        self.sequences.iter().any(|(column, _)| column == name)
    }

    /// Whether a column has the type `name`.
    pub(super) fn uses_type(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column.of_type.as_ref().is_some_and(|own| own.bare_name() == name))
    }

    /// The type `old` is renamed.
    pub(super) fn rename_type(&mut self, old: &str, new: &str) {
        let types = self.columns.iter_mut().filter_map(|column| column.of_type.as_mut());
        types.filter(|own| own.bare_name() == old).for_each(|own| new.clone_into(&mut own.name));
    }

    /// Keeps what is true both of `self` and of `other`, the same table with or without the effect of a statement.
    pub(super) fn retain_common(&mut self, other: &Self) {
        let before = (self.columns.len(), self.constraints.len(), self.indexes.len(), self.attached.len());
        self.columns.retain(|own| other.columns.contains(own));
        self.constraints.retain(|own| other.constraints.contains(own));
        self.indexes.retain(|own| other.indexes.contains(own));
        self.attached.retain(|own| other.attached.contains(own));
        let after = (self.columns.len(), self.constraints.len(), self.indexes.len(), self.attached.len());
        let others =
            (other.columns.len(), other.constraints.len(), other.indexes.len(), other.attached.len());
        let is_same = before == after && after == others && self.row_security == other.row_security;
        self.is_complete &= other.is_complete && is_same;
    }

    /// Marks all parts as not new, for the next file.
    pub(super) fn mark_old(&mut self) {
        self.columns.iter_mut().for_each(|column| column.new = false);
        self.constraints.iter_mut().for_each(|constraint| constraint.new = false);
        self.indexes.iter_mut().for_each(|index| index.new = false);
    }
}

/// The name that the server composes (`makeObjectName`): the longer of the first two parts is cut.
pub(super) fn object_name(of: &str, columns: &str, label: &str) -> String {
    let separators = usize::from(!columns.is_empty()) + 1;
    let available = MAX_NAME_BYTES.saturating_sub(separators + label.len());
    let (mut first, mut second) = (of.len(), columns.len());
    while first + second > available && first + second > 0 {
        if first > second { first -= 1 } else { second -= 1 }
    }
    let cut = |text: &str, end: usize| text[..text.floor_char_boundary(end)].to_owned();
    let parts = [cut(of, first), cut(columns, second), label.to_owned()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("_")
}
