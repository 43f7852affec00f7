//! A table as far as the text that made it says: columns, constraints, indexes, and what hangs on it.
//! Each knows whether the file that is being judged made it.

use super::types::SqlType;

/// What is known of a thing that a name means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::verify) enum Found<T> {
    /// It is there, and this is it.
    There(T),
    /// It is not, and that is certain.
    Absent,
    /// Nobody knows.
    Unknown,
}

impl<T> Found<T> {
    /// It, if it is known to be there.
    pub(in crate::verify) fn there(self) -> Option<T> {
        match self {
            Self::There(found) => Some(found),
            Self::Absent | Self::Unknown => None,
        }
    }

    /// Whether it is certain that there is none.
    pub(in crate::verify) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

/// A table, or a part of one that we know.
#[derive(Debug, Clone, Default)]
pub(in crate::verify) struct Table {
    pub(in crate::verify) columns: Vec<Column>,
    pub(in crate::verify) constraints: Vec<Constraint>,
    pub(in crate::verify) indexes: Vec<Index>,
    /// Triggers, rules and policies by name.
    pub(super) hangs_on: Vec<String>,
    /// Whether this is all of it.
    pub(super) whole: bool,
}

/// A column.
#[derive(Debug, Clone)]
pub(in crate::verify) struct Column {
    pub(in crate::verify) name: String,
    pub(in crate::verify) of_type: Option<SqlType>,
    pub(in crate::verify) not_null: bool,
    pub(in crate::verify) filled: Filled,
    pub(in crate::verify) new: bool,
}

/// Where the value comes from that an INSERT leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::verify) enum Filled {
    /// From nowhere: it is NULL.
    Not,
    /// From this expression.
    Default(String),
    /// From the column's own sequence or expression.
    Itself,
}

/// A constraint.
#[derive(Debug, Clone)]
pub(in crate::verify) struct Constraint {
    pub(in crate::verify) name: String,
    pub(in crate::verify) kind: ConstraintKind,
    pub(in crate::verify) columns: Vec<String>,
    /// Whether the rows that are there were looked at.
    pub(in crate::verify) validated: bool,
    pub(in crate::verify) new: bool,
}

/// What a constraint demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::verify) enum ConstraintKind {
    /// A condition; its columns are those that it proves to be not NULL.
    Check,
    /// Rows that differ: UNIQUE, PRIMARY KEY, EXCLUDE.
    Unique,
    /// The same, and not NULL.
    Primary,
    /// A row of another table, and what happens here when that one goes.
    Foreign {
        /// Whether deleting or changing the other row acts on this table.
        acts: bool,
    },
    /// A value.
    NotNull,
}

/// An index.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is one word of the text")]
pub(in crate::verify) struct Index {
    pub(in crate::verify) name: String,
    pub(in crate::verify) unique: bool,
    /// In order; `None` where one is an expression.
    pub(in crate::verify) columns: Option<Vec<String>>,
    pub(in crate::verify) partial: bool,
    /// Whether a constraint stands behind it.
    pub(in crate::verify) of_constraint: bool,
    pub(in crate::verify) new: bool,
}

impl Table {
    fn found<T>(&self, found: Option<T>) -> Found<T> {
        match found {
            Some(found) => Found::There(found),
            None if self.whole => Found::Absent,
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
    pub(in crate::verify) fn hanger(&self, name: &str) -> Found<&String> {
        self.found(self.hangs_on.iter().find(|hanger| *hanger == name))
    }

    /// Whether no row can hold NULL there.
    pub(in crate::verify) fn proves_not_null(&self, column: &str) -> bool {
        let proven = |constraint: &Constraint| {
            constraint.validated
                && matches!(
                    constraint.kind,
                    ConstraintKind::Check | ConstraintKind::Primary | ConstraintKind::NotNull
                )
                && constraint.columns.iter().any(|name| name == column)
        };
        self.columns.iter().any(|found| found.name == column && found.not_null)
            || self.constraints.iter().any(proven)
    }

    /// Whether rows must already differ in some of `columns`, so that a demand that they differ in all of
    /// them is none.
    pub(in crate::verify) fn is_unique_over(&self, columns: &[String], besides: Option<&str>) -> bool {
        self.indexes.iter().any(|index| {
            let part = |own: &[String]| !own.is_empty() && own.iter().all(|name| columns.contains(name));
            index.unique
                && !index.partial
                && besides != Some(index.name.as_str())
                && index.columns.as_deref().is_some_and(part)
        })
    }

    /// A name that no constraint and no index of the table has yet; `None` where the server would cut it.
    pub(super) fn free_name(&self, wanted: String) -> Option<String> {
        let taken = |name: &str| {
            self.constraints.iter().any(|own| own.name == name)
                || self.indexes.iter().any(|own| own.name == name)
        };
        let name = if taken(&wanted) {
            (1..100).map(|number| format!("{wanted}{number}")).find(|name| !taken(name))?
        } else {
            wanted
        };
        (name.len() <= 63).then_some(name)
    }

    /// Forgets what made it new: another file begins.
    pub(super) fn age(&mut self) {
        self.columns.iter_mut().for_each(|column| column.new = false);
        self.constraints.iter_mut().for_each(|constraint| constraint.new = false);
        self.indexes.iter_mut().for_each(|index| index.new = false);
    }

    pub(super) fn has_new(&self) -> bool {
        self.columns.iter().any(|column| column.new)
            || self.constraints.iter().any(|constraint| constraint.new)
            || self.indexes.iter().any(|index| index.new)
    }
}
