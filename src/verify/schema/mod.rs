//! The model of the schema before a statement, built from the statements before it: tables with their columns, constraints and
//! indexes, views, routines, types. The model records its own gaps: after code whose effects are unknown, and if the history is
//! incomplete, a missing object is [`Found::Unknown`], not [`Found::Absent`].

mod alter;
mod apply;
mod catalog;
mod code;
mod entities;
mod knowledge;
mod like;
mod name_map;
mod objects;
mod parts;
mod query_columns;
mod relations;
mod run;
mod schema_ref;
mod script_replay;
mod signature;
mod table;
#[cfg(test)]
mod tests;
mod types;

use std::collections::HashSet;
use std::sync::Arc;

pub use catalog::{CatalogObject, CatalogSchema, CatalogTenant, DatabaseCatalog};
pub(super) use code::{calls, executed, is_server_function, is_strict};
pub use code::{is_builtin_function, is_plain_row_write};
pub use entities::{Entity, EntityColumn, EntitySchema, ForeignKey};
use knowledge::Knowledge;
use name_map::NameMap;
pub use objects::appends_columns;
pub(super) use objects::{Change, is_for_planner};
pub(super) use parts::{
    column_ref, constraint_text, default_value, is_serial, last_word, mentioned, name_of, names_of, proven,
    words,
};
use relations::Relations;
use schema_ref::Path;
pub(super) use schema_ref::SchemaRef;
pub use script_replay::{CodeReplay, CodeStep, Effect, ScriptReplay, StatementContext};
pub(super) use signature::{may_match, signature};
pub(super) use table::{Attached, Column, Constraint, ConstraintKind, Found, Index, OmittedValue, Table};
pub use types::Conversion;
pub(super) use types::SqlType;

use squawk_syntax::SyntaxKind;

use crate::sql::{Name, NameRole, Node, Scope, Statement};

/// The schemas of a database at one point of its history, as far as they are known.
#[derive(Debug, Clone)]
pub struct Schema {
    platform: String,
    /// The schemas on a unit's search path after its own, in order.
    shared: Arc<[SchemaRef]>,
    relations: Relations,
    types: NameMap<TypeDef>,
    routines: NameMap<Vec<Routine>>,
    /// The relations that may contain new parts.
    touched: HashSet<Key>,
    knowledge: Knowledge,
    path: Path,
    /// Whether an unqualified name may refer to an object of that name in any schema, also in a file with a scope.
    ignores_scope: bool,
}

type Key = (SchemaRef, String);

/// An object in the namespace of relations.
#[derive(Debug, Clone)]
pub(super) enum Relation {
    Table(Table),
    View(View),
    Sequence,
}

/// A view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct View {
    /// The columns of its query.
    columns: Vec<String>,
    /// The rest of its definition.
    rest: String,
    pub(super) materialized: bool,
    /// The definitions of its triggers, rules and indexes.
    pub(super) attached: Vec<String>,
}

/// A type other than a table's row type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TypeDef {
    Enum(Vec<String>),
    Domain {
        refuses_null: bool,
        /// The type that it restricts.
        base: Option<SqlType>,
        /// Its CHECK constraints.
        checks: Vec<String>,
    },
    Other,
}

impl TypeDef {
    /// Whether it is a domain that does not allow NULL.
    fn refuses_null(&self) -> bool {
        // Most expressions are NULL for NULL, which a CHECK accepts (manual, CREATE DOMAIN).
        let refuses = |check: &String| {
            let tests = [" is ", "coalesce", "concat", "num_"].iter().any(|word| check.contains(word));
            let plain = check.replace(['(', ')'], "");
            let plain = plain.split_whitespace().collect::<Vec<_>>().join(" ");
            tests && !plain.contains("value is null or ") && !plain.ends_with(" or value is null")
        };
        matches!(self, Self::Domain { refuses_null, checks, .. } if *refuses_null || checks.iter().any(refuses))
    }
}

/// A routine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Routine {
    /// The types of the input parameters, in order.
    pub(super) inputs: Vec<String>,
    /// The number of parameters with a default.
    pub(super) optional: usize,
    /// Whether the server prevents it from changing data (manual, chapter 36.7).
    pub(super) pure: bool,
    /// Its whole definition.
    pub(super) text: String,
    /// What ALTER statements changed.
    altered: String,
    /// The statement that creates it.
    pub(super) definition: Arc<str>,
}

impl Schema {
    /// An empty, completely known database.
    pub fn empty(platform: &str) -> Self {
        Self::with(platform, Knowledge::complete())
    }

    /// A database about which nothing is known.
    pub fn unknown(platform: &str) -> Self {
        Self::with(platform, Knowledge::none())
    }

    /// A project's database before its first migration. The tenant's schema comes from a template; other schemas do not belong to
    /// the project.
    pub fn of_project(platform: &str, from_the_start: bool) -> Self {
        Self::with(platform, Knowledge::of_project(from_the_start))
    }

    fn with(platform: &str, knowledge: Knowledge) -> Self {
        Self {
            platform: platform.to_owned(),
            shared: [schema_ref::public()].into(),
            relations: Relations::default(),
            types: NameMap::default(),
            routines: NameMap::default(),
            touched: HashSet::new(),
            knowledge,
            path: Path::Usual,
            ignores_scope: false,
        }
    }

    /// An empty database to which the files of `--base` are applied. Nothing says in which schema of a unit their unqualified
    /// objects are.
    pub fn of_base(platform: &str) -> Self {
        Self { ignores_scope: true, ..Self::empty(platform) }
    }

    /// Sets the schemas on a unit's search path after its own.
    #[must_use]
    pub fn with_shared_schemas<'a>(mut self, shared: impl Iterator<Item = &'a str>) -> Self {
        self.shared = shared.map(|schema| self.named(schema)).collect();
        self
    }

    /// Begins a new file: no object is new, temporary objects and settings are removed.
    pub fn begin_file(&mut self) {
        self.path = Path::Usual;
        for key in std::mem::take(&mut self.touched) {
            if key.0 == SchemaRef::Temporary {
                self.relations.remove(&key);
            } else {
                self.relations.mark_old(&key);
            }
        }
    }

    /// Whether the model contains no relation.
    pub(super) fn is_empty(&self) -> bool {
        self.relations.all().is_empty()
    }

    /// Whether the object that the statement creates certainly did not exist before.
    pub(super) fn certainly_makes(
        &self,
        statement: &Statement,
        node: Node<'_>,
        scope: Option<Scope>,
    ) -> bool {
        self.made_object(statement, node, scope).is_absent()
    }

    /// The object that has the name which the statement gives to a new one.
    fn made_object(&self, statement: &Statement, node: Node<'_>, scope: Option<Scope>) -> Found<()> {
        let Some(name) = statement.names.iter().find(|name| name.role == NameRole::Created) else {
            return Found::Unknown;
        };
        match statement.kind {
            SyntaxKind::CREATE_FUNCTION | SyntaxKind::CREATE_PROCEDURE => {
                match self.find_own(&self.routines, name, scope) {
                    Found::Present(own) => {
                        let inputs = Routine::of(node).inputs;
                        let exists = own.iter().any(|routine| may_match(&routine.inputs, &inputs));
                        if exists { Found::Present(()) } else { Found::Absent }
                    }
                    other => other.map(|_| ()),
                }
            }
            SyntaxKind::CREATE_INDEX => self.index(name, scope).map(|_| ()),
            SyntaxKind::CREATE_SCHEMA => self.schema(&name.name),
            SyntaxKind::CREATE_TYPE | SyntaxKind::CREATE_DOMAIN => {
                self.find_own(&self.types, name, scope).map(|_| ())
            }
            _ => self.find_own(self.relations.all(), name, scope).map(|_| ()),
        }
    }

    /// The relation that has the name which the statement gives to a new object.
    pub(super) fn own_relation(&self, name: &Name, scope: Option<Scope>) -> Found<&Relation> {
        self.find_own(self.relations.all(), name, scope)
    }

    /// The routines with the name that the statement gives to a new routine.
    pub(super) fn own_routines(&self, name: &Name, scope: Option<Scope>) -> Found<&Vec<Routine>> {
        self.find_own(&self.routines, name, scope)
    }

    /// Replaces the tenant's schema with that of `other`.
    pub fn replace_tenant(&mut self, other: &Self) {
        self.relations.replace_tenant(&other.relations);
        self.types.replace_tenant(&other.types);
        self.routines.replace_tenant(&other.routines);
        self.touched.extend(other.touched.iter().cloned());
        self.knowledge.tenant = other.knowledge.tenant;
    }

    /// The table, view or sequence `name`.
    pub(super) fn relation(&self, name: &Name, scope: Option<Scope>) -> Found<&Relation> {
        self.find(self.relations.all(), name, scope)
    }

    /// The table `name`; absent for a view.
    pub(super) fn table(&self, name: &Name, scope: Option<Scope>) -> Found<&Table> {
        match self.relation(name, scope) {
            Found::Present(Relation::Table(table)) => Found::Present(table),
            Found::Present(_) | Found::Absent => Found::Absent,
            Found::Unknown => Found::Unknown,
        }
    }

    /// The type `name`.
    pub(super) fn type_def(&self, name: &Name, scope: Option<Scope>) -> Found<&TypeDef> {
        self.find(&self.types, name, scope)
    }

    /// The routines with the name `name`.
    pub(super) fn routines(&self, name: &Name, scope: Option<Scope>) -> Found<&Vec<Routine>> {
        self.find(&self.routines, name, scope)
    }

    /// The routines with this unqualified name, in any schema.
    pub(super) fn has_routine(&self, name: &str) -> Option<&Vec<Routine>> {
        self.routines.with_name(name).first().map(|(_, routines)| routines.as_ref())
    }

    /// The schema `name`.
    pub(super) fn schema(&self, name: &str) -> Found<()> {
        self.knowledge.schema(&self.named(name))
    }

    /// Whether privileges on an object `name` were granted or revoked.
    pub(super) fn has_privileges(&self, name: &str) -> bool {
        self.knowledge.has_privileges(name)
    }

    /// The tables that were created as children or partitions of a table `name`, in any schema.
    pub(super) fn children_of(&self, name: &str) -> impl Iterator<Item = &Table> {
        self.relations.all().iter().filter_map(move |(_, relation)| match relation.as_ref() {
            Relation::Table(table) if table.parents.iter().any(|parent| parent == name) => Some(table),
            _ => None,
        })
    }

    /// Whether a relation with this name is known, in any schema.
    pub(super) fn has_relation(&self, name: &str) -> bool {
        !self.relations.all().with_name(name).is_empty()
    }

    /// The only type with this unqualified name.
    pub(super) fn type_named(&self, name: &str) -> Option<&TypeDef> {
        let [(_, def)] = self.types.with_name(name) else { return None };
        Some(def.as_ref())
    }

    /// The domain with this name, in any schema.
    pub(super) fn domain(&self, name: &str) -> Option<&TypeDef> {
        let name = name.rsplit('.').next().unwrap_or(name);
        self.types
            .with_name(name)
            .iter()
            .map(|(_, def)| def.as_ref())
            .find(|def| matches!(def, TypeDef::Domain { .. }))
    }

    /// Whether it is a domain that does not allow NULL, or is based on such a domain.
    pub(super) fn refuses_null(&self, def: &TypeDef) -> bool {
        let base = match def {
            TypeDef::Domain { base, .. } => base.as_ref().and_then(|base| self.domain(&base.name)),
            _ => None,
        };
        def.refuses_null() || base.is_some_and(|base| base != def && self.refuses_null(base))
    }

    /// The extension `name`.
    pub(super) fn extension(&self, name: &str) -> Found<()> {
        self.knowledge.extension(name)
    }

    /// The index `name`, and its table.
    pub(super) fn index(&self, name: &Name, scope: Option<Scope>) -> Found<(&Table, &Index)> {
        let key = match self.find(self.relations.tables_of_indexes(), name, scope) {
            Found::Present(key) => key,
            Found::Absent if !self.relations.may_have_index(&name.name) => return Found::Absent,
            Found::Absent | Found::Unknown => return Found::Unknown,
        };
        let Some(Relation::Table(table)) = self.relations.all().get(&key.0, &key.1).map(Arc::as_ref) else {
            return Found::Unknown;
        };
        let index = table.indexes.iter().find(|index| index.name == name.name);
        index.map_or(Found::Unknown, |index| Found::Present((table, index)))
    }
}
