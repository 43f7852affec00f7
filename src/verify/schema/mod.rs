//! The schema that a statement meets, built from the text of what ran before it: tables with their
//! columns, constraints and indexes, views, routines, types. It knows what it does not know: after code
//! whose effect no text shows, and where the history before is not all here, a thing that it does not hold
//! is [`Found::Unknown`], never [`Found::Absent`].

mod alter;
mod code;
mod home;
mod learn;
mod objects;
mod parts;
mod table;
#[cfg(test)]
mod tests;
mod types;

use std::collections::HashMap;
use std::sync::Arc;

use code::runs_unseen;
pub(super) use code::{calls, executed};
pub(super) use home::Home;
use home::Path;
pub(super) use home::changes_search_path;
pub(super) use objects::Change;
pub(super) use parts::{
    child, column_ref, filled_by, is_serial, mentioned, name_of, names_of, proven, words,
};
pub(super) use table::{Column, Constraint, ConstraintKind, Filled, Found, Index, Table};
pub(super) use types::{Conversion, SqlType};

use squawk_syntax::{SyntaxKind, SyntaxNode};

use crate::sql::{Name, Role, Scope, Statement};

/// What is known of a database's schemas at one point of its history.
#[derive(Debug, Clone)]
pub struct Schema {
    platform: String,
    relations: HashMap<Key, Arc<Relation>>,
    types: HashMap<Key, Arc<TypeDef>>,
    routines: HashMap<Key, Arc<Vec<Routine>>>,
    knows: Knows,
    path: Path,
}

/// Of which schemas everything is known, so that what is not held is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Knows {
    platform: bool,
    tenant: bool,
    others: bool,
}

type Key = (Home, String);

/// So many bytes of a table's name begin each name that the server makes from it (`makeObjectName`).
const SURELY_KEPT: usize = 24;

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
    columns: Vec<Vec<String>>,
    /// All else that its text says.
    rest: Vec<String>,
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
    pub(super) text: Vec<String>,
}

impl Schema {
    /// An empty database of which everything is known.
    pub fn empty(platform: &str) -> Self {
        Self::with(platform, Knows { platform: true, tenant: true, others: true })
    }

    /// A database of which nothing is known.
    pub fn unknown(platform: &str) -> Self {
        Self::with(platform, Knows { platform: false, tenant: false, others: false })
    }

    /// The beginning of a project's history. The tenant's schema is a template's; other schemas than these two
    /// belong to others.
    pub fn of_project(platform: &str, from_the_start: bool) -> Self {
        Self::with(platform, Knows { platform: from_the_start, tenant: false, others: false })
    }

    fn with(platform: &str, knows: Knows) -> Self {
        Self {
            platform: platform.to_owned(),
            relations: HashMap::new(),
            types: HashMap::new(),
            routines: HashMap::new(),
            knows,
            path: Path::Usual,
        }
    }

    /// A new file begins: nothing is new, temporary things and settings are gone.
    pub fn begin_file(&mut self) {
        self.path = Path::Usual;
        self.relations.retain(|(home, _), _| *home != Home::Temporary);
        self.types.retain(|(home, _), _| *home != Home::Temporary);
        for relation in self.relations.values_mut() {
            if matches!(relation.as_ref(), Relation::Table(table) if table.has_new())
                && let Relation::Table(table) = Arc::make_mut(relation)
            {
                table.age();
            }
        }
    }

    /// Whether no relation is held.
    pub(super) fn is_empty(&self) -> bool {
        self.relations.is_empty()
    }

    /// Whether it is certain that what the statement makes was not there before.
    pub(super) fn certainly_makes(
        &self,
        statement: &Statement,
        node: &SyntaxNode,
        scope: Option<Scope>,
    ) -> bool {
        let Some(name) = statement.names.iter().find(|name| name.role == Role::Made) else { return false };
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
            _ => self.find_own(&self.relations, name, scope).is_absent(),
        }
    }

    /// What a statement that makes `name` would find there.
    pub(super) fn own_relation(&self, name: &Name, scope: Option<Scope>) -> Found<&Relation> {
        self.find_own(&self.relations, name, scope)
    }

    /// The routines among which a statement that makes `name` would put its own.
    pub(super) fn own_routines(&self, name: &Name, scope: Option<Scope>) -> Found<&Vec<Routine>> {
        self.find_own(&self.routines, name, scope)
    }

    /// Takes all that this knows of the tenant's schema from `other`.
    pub fn adopt_tenant(&mut self, other: &Self) {
        fn swap<T>(own: &mut HashMap<Key, Arc<T>>, theirs: &HashMap<Key, Arc<T>>) {
            own.retain(|(home, _), _| *home != Home::Tenant);
            let of_tenant = theirs.iter().filter(|((home, _), _)| *home == Home::Tenant);
            own.extend(of_tenant.map(|(key, value)| (key.clone(), Arc::clone(value))));
        }
        swap(&mut self.relations, &other.relations);
        swap(&mut self.types, &other.types);
        swap(&mut self.routines, &other.routines);
        self.knows.tenant = other.knows.tenant;
    }

    /// The table or view or sequence `name`.
    pub(super) fn relation(&self, name: &Name, scope: Option<Scope>) -> Found<&Relation> {
        self.find(&self.relations, name, scope)
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
        self.routines.iter().find(|((_, own), _)| own == name).map(|(_, routines)| routines.as_ref())
    }

    /// The index `name`, and its table.
    pub(super) fn index(&self, name: &Name, scope: Option<Scope>) -> Found<(&Table, &Index)> {
        let mut held: HashMap<Key, (&Table, &Index)> = HashMap::new();
        let mut perhaps = false;
        for ((home, of), relation) in &self.relations {
            let Relation::Table(table) = relation.as_ref() else { continue };
            match table.indexes.iter().find(|index| index.name == name.name) {
                Some(index) => drop(held.insert((home.clone(), name.name.clone()), (table, index))),
                // The server calls after the table what it makes by itself, and cuts long names.
                None => perhaps |= !table.whole && name.name.starts_with(kept(of)),
            }
        }
        match self.find_in(&held, name, scope) {
            Found::There(found) => Found::There(*found),
            Found::Absent if !perhaps => Found::Absent,
            Found::Absent | Found::Unknown => Found::Unknown,
        }
    }
}

fn kept(name: &str) -> &str {
    let end = (0..=name.len().min(SURELY_KEPT)).rev().find(|end| name.is_char_boundary(*end));
    &name[..end.unwrap_or_default()]
}
