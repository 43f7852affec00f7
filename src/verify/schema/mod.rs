//! The schema that a statement meets, built from the text of what ran before it: tables with their
//! columns, constraints and indexes, views, routines, types. It knows what it does not know: after code
//! whose effect no text shows, and where the history before is not all here, a thing that it does not hold
//! is [`Found::Unknown`], never [`Found::Absent`].

mod alter;
mod code;
mod learn;
mod name_map;
mod objects;
mod parts;
mod relations;
mod schema_ref;
mod script_replay;
mod table;
#[cfg(test)]
mod tests;
mod types;

use std::collections::HashSet;
use std::sync::Arc;

pub use code::is_of_server;
use code::runs_unseen;
pub(super) use code::{calls, executed};
use name_map::NameMap;
pub(super) use objects::Change;
pub use objects::shows_more;
pub(super) use parts::{column_ref, filled_by, is_serial, mentioned, name_of, names_of, proven, words};
use relations::Relations;
use schema_ref::Path;
pub(super) use schema_ref::SchemaRef;
pub use script_replay::{ScriptReplay, StatementContext};
pub(super) use table::{Column, Constraint, ConstraintKind, Filled, Found, Index, Table};
pub(super) use types::{Conversion, SqlType};

use squawk_syntax::SyntaxKind;

use crate::sql::{Name, NameRole, Node, Scope, Statement};

/// What is known of a database's schemas at one point of its history.
#[derive(Debug, Clone)]
pub struct Schema {
    platform: String,
    /// Where bare names are looked for behind a unit's own schema, in order.
    shared: Arc<[SchemaRef]>,
    relations: Relations,
    types: NameMap<TypeDef>,
    routines: NameMap<Vec<Routine>>,
    /// The relations in which something may be new.
    touched: HashSet<Key>,
    knows: Completeness,
    path: Path,
}

/// Of which schemas everything is known, so that what is not held is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Completeness {
    platform: bool,
    tenant: bool,
    others: bool,
}

type Key = (SchemaRef, String);

/// What shares one space of names: tables, views, sequences.
#[derive(Debug, Clone)]
pub(super) enum Relation {
    Table(Table),
    View(View),
    Sequence,
}

/// A view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct View {
    /// What it shows, column by column.
    columns: Vec<String>,
    /// All else that its text says.
    rest: String,
    pub(super) materialized: bool,
}

/// A type that is no table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TypeDef {
    Enum(Vec<String>),
    Domain { refuses_null: bool },
    Other,
}

/// A routine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Routine {
    /// The types that a call gives, in order.
    pub(super) inputs: Vec<String>,
    /// How many of them a call may leave out.
    pub(super) optional: usize,
    /// Whether the server keeps it from changing anything (manual, chapter 36.7).
    pub(super) pure: bool,
    /// Its whole text.
    pub(super) text: String,
}

impl Schema {
    /// An empty database of which everything is known.
    pub fn empty(platform: &str) -> Self {
        Self::with(platform, Completeness { platform: true, tenant: true, others: true })
    }

    /// A database of which nothing is known.
    pub fn unknown(platform: &str) -> Self {
        Self::with(platform, Completeness { platform: false, tenant: false, others: false })
    }

    /// The beginning of a project's history. The tenant's schema is a template's; other schemas than these two
    /// belong to others.
    pub fn of_project(platform: &str, from_the_start: bool) -> Self {
        Self::with(platform, Completeness { platform: from_the_start, tenant: false, others: false })
    }

    fn with(platform: &str, knows: Completeness) -> Self {
        Self {
            platform: platform.to_owned(),
            shared: [schema_ref::public()].into(),
            relations: Relations::default(),
            types: NameMap::default(),
            routines: NameMap::default(),
            touched: HashSet::new(),
            knows,
            path: Path::Usual,
        }
    }

    /// The same, where a unit's search path names these schemas behind the unit's own.
    #[must_use]
    pub fn searching<'a>(mut self, shared: impl Iterator<Item = &'a str>) -> Self {
        self.shared = shared.map(|schema| self.named(schema)).collect();
        self
    }

    /// A new file begins: nothing is new, temporary things and settings are gone.
    pub fn begin_file(&mut self) {
        self.path = Path::Usual;
        for key in std::mem::take(&mut self.touched) {
            if key.0 == SchemaRef::Temporary {
                self.relations.remove(&key);
            } else {
                self.relations.age(&key);
            }
        }
    }

    /// Whether no relation is held.
    pub(super) fn is_empty(&self) -> bool {
        self.relations.held().is_empty()
    }

    /// Whether it is certain that what the statement makes was not there before.
    pub(super) fn certainly_makes(
        &self,
        statement: &Statement,
        node: Node<'_>,
        scope: Option<Scope>,
    ) -> bool {
        let Some(name) = statement.names.iter().find(|name| name.role == NameRole::Created) else {
            return false;
        };
        match statement.kind {
            SyntaxKind::CREATE_FUNCTION | SyntaxKind::CREATE_PROCEDURE => {
                match self.find_own(&self.routines, name, scope) {
                    Found::There(own) => {
                        let inputs = Routine::of(node).inputs;
                        own.iter().all(|routine| routine.inputs != inputs)
                    }
                    other => other.is_absent(),
                }
            }
            SyntaxKind::CREATE_INDEX => self.index(name, scope).is_absent(),
            SyntaxKind::CREATE_SCHEMA => false,
            _ => self.find_own(self.relations.held(), name, scope).is_absent(),
        }
    }

    /// What a statement that makes `name` would find there.
    pub(super) fn own_relation(&self, name: &Name, scope: Option<Scope>) -> Found<&Relation> {
        self.find_own(self.relations.held(), name, scope)
    }

    /// The routines among which a statement that makes `name` would put its own.
    pub(super) fn own_routines(&self, name: &Name, scope: Option<Scope>) -> Found<&Vec<Routine>> {
        self.find_own(&self.routines, name, scope)
    }

    /// Takes all that this knows of the tenant's schema from `other`.
    pub fn adopt_tenant(&mut self, other: &Self) {
        self.relations.adopt_tenant(&other.relations);
        self.types.adopt_tenant(&other.types);
        self.routines.adopt_tenant(&other.routines);
        self.touched.extend(other.touched.iter().cloned());
        self.knows.tenant = other.knows.tenant;
    }

    /// The table or view or sequence `name`.
    pub(super) fn relation(&self, name: &Name, scope: Option<Scope>) -> Found<&Relation> {
        self.find(self.relations.held(), name, scope)
    }

    /// The table `name`; a view of that name is none.
    pub(super) fn table(&self, name: &Name, scope: Option<Scope>) -> Found<&Table> {
        match self.relation(name, scope) {
            Found::There(Relation::Table(table)) => Found::There(table),
            Found::There(_) | Found::Absent => Found::Absent,
            Found::Unknown => Found::Unknown,
        }
    }

    /// The type `name`.
    pub(super) fn type_def(&self, name: &Name, scope: Option<Scope>) -> Found<&TypeDef> {
        self.find(&self.types, name, scope)
    }

    /// The routines that are called `name`.
    pub(super) fn routines(&self, name: &Name, scope: Option<Scope>) -> Found<&Vec<Routine>> {
        self.find(&self.routines, name, scope)
    }

    /// Whether a routine of that bare name is known in any schema.
    pub(super) fn has_routine(&self, name: &str) -> Option<&Vec<Routine>> {
        self.routines.called(name).first().map(|(_, routines)| routines.as_ref())
    }

    /// The index `name`, and its table.
    pub(super) fn index(&self, name: &Name, scope: Option<Scope>) -> Found<(&Table, &Index)> {
        let key = match self.find(self.relations.tables_of_indexes(), name, scope) {
            Found::There(key) => key,
            Found::Absent if !self.relations.may_have_index(&name.name) => return Found::Absent,
            Found::Absent | Found::Unknown => return Found::Unknown,
        };
        let Some(Relation::Table(table)) = self.relations.held().get(&key.0, &key.1).map(Arc::as_ref) else {
            return Found::Unknown;
        };
        let index = table.indexes.iter().find(|index| index.name == name.name);
        index.map_or(Found::Unknown, |index| Found::There((table, index)))
    }
}
