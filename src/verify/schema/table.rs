//! The model of a table: columns, constraints, indexes, triggers, rules, policies. Each part records whether the current file
//! created it.

use super::types::SqlType;

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
    /// The names of its triggers, rules and policies.
    pub(super) attached: Vec<String>,
    /// Whether all parts are known.
    pub(super) is_complete: bool,
}

/// A column.
#[derive(Debug, Clone)]
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
#[derive(Debug, Clone)]
pub(in crate::verify) struct Constraint {
    pub(in crate::verify) name: String,
    pub(in crate::verify) kind: ConstraintKind,
    pub(in crate::verify) columns: Vec<String>,
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
#[derive(Debug, Clone)]
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

impl Table {
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
    pub(in crate::verify) fn attached_object(&self, name: &str) -> Found<&String> {
        self.found(self.attached.iter().find(|attached| *attached == name))
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

    /// A name that no constraint or index of the table has; `None` if the server would truncate it.
    pub(super) fn unused_name(&self, base: String) -> Option<String> {
        let taken = |name: &str| {
            self.constraints.iter().any(|own| own.name == name)
                || self.indexes.iter().any(|own| own.name == name)
        };
        let name = if taken(&base) {
            (1..100).map(|number| format!("{base}{number}")).find(|name| !taken(name))?
        } else {
            base
        };
        (name.len() <= 63).then_some(name)
    }

    /// Marks all parts as not new, for the next file.
    pub(super) fn mark_old(&mut self) {
        self.columns.iter_mut().for_each(|column| column.new = false);
        self.constraints.iter_mut().for_each(|constraint| constraint.new = false);
        self.indexes.iter_mut().for_each(|index| index.new = false);
    }
}
