//! Applies a statement to the model of the schema. A statement that cannot be followed makes objects unknown.

use std::sync::Arc;

use squawk_syntax::SyntaxKind;

use super::alter::{alter, define_column};
use super::name_map::NameMap;
use super::parts::{add_constraint, index, name_of, words};
use super::relations::Relations;
use super::schema_ref::SchemaRef;
use super::table::{Column, Found, Table};
use super::{Completeness, Key, Relation, Routine, Schema, TypeDef, View, has_unknown_effects};
use crate::sql::{Name, NameRole, Node, Scope, Script, Statement};

/// A statement to apply.
#[derive(Clone, Copy)]
struct Step<'a> {
    statement: &'a Statement,
    node: Node<'a>,
    scope: Option<Scope>,
}

impl Step<'_> {
    fn made(&self) -> Option<&Name> {
        self.statement.names.iter().find(|name| name.role == NameRole::Created)
    }

    fn target(&self) -> Option<&Name> {
        self.statement.names.iter().find(|name| name.role == NameRole::Target)
    }

    fn says(&self, kind: SyntaxKind) -> bool {
        self.node.child(kind).is_some()
    }

    fn temporary(&self) -> bool {
        self.node.contains(&[SyntaxKind::TEMP])
    }
}

impl Schema {
    /// Applies all statements of `script`, whose scopes are unknown.
    pub fn apply_script(&mut self, script: &Script) {
        for statement in &script.statements {
            self.apply(script, statement, None);
        }
    }

    /// Applies `statement`.
    pub fn apply(&mut self, script: &Script, statement: &Statement, scope: Option<Scope>) {
        self.apply_node(statement, statement.node(script), scope);
    }

    /// Applies `statement`, whose tree is `node`.
    pub(in crate::verify) fn apply_node(
        &mut self,
        statement: &Statement,
        node: Node<'_>,
        scope: Option<Scope>,
    ) {
        let step = Step { statement, node, scope };
        if has_unknown_effects(statement, node, self, scope) {
            self.forget_all();
        }
        self.apply_search_path(statement, node);
        match statement.kind {
            SyntaxKind::CREATE_TABLE | SyntaxKind::CREATE_FOREIGN_TABLE => self.create_table(step),
            SyntaxKind::CREATE_TABLE_AS | SyntaxKind::SELECT_INTO => self.create_filled(step),
            SyntaxKind::CREATE_VIEW | SyntaxKind::CREATE_MATERIALIZED_VIEW => self.create_view(step),
            SyntaxKind::CREATE_SEQUENCE => self.add_relation(step, Relation::Sequence),
            SyntaxKind::CREATE_TYPE | SyntaxKind::CREATE_DOMAIN => self.create_type(step),
            SyntaxKind::CREATE_FUNCTION | SyntaxKind::CREATE_PROCEDURE | SyntaxKind::CREATE_AGGREGATE => {
                self.create_routine(step);
            }
            SyntaxKind::CREATE_INDEX => self.create_index(step),
            SyntaxKind::CREATE_TRIGGER | SyntaxKind::CREATE_POLICY | SyntaxKind::CREATE_RULE => {
                self.create_attached(step);
            }
            SyntaxKind::ALTER_TABLE | SyntaxKind::ALTER_FOREIGN_TABLE => self.alter_table(step),
            SyntaxKind::IMPORT_FOREIGN_SCHEMA => {
                self.completeness = Completeness { platform: false, tenant: false, others: false }
            }
            // The elements of CREATE SCHEMA have unqualified names.
            SyntaxKind::CREATE_SCHEMA if node.children().count() > 1 => self.completeness.others = false,
            kind if format!("{kind:?}").starts_with("DROP_") => self.drop(step),
            kind if format!("{kind:?}").starts_with("ALTER_") => self.alter_other(step),
            _ => {}
        }
    }

    /// Makes the whole model unknown.
    fn forget_all(&mut self) {
        self.relations = Relations::default();
        self.types = NameMap::default();
        self.routines = NameMap::default();
        self.touched.clear();
        self.completeness = Completeness { platform: false, tenant: false, others: false };
    }

    /// The key of the object that the statement creates.
    fn new_key(&mut self, step: Step<'_>) -> Option<Key> {
        let name = step.made()?.clone();
        let home = if step.temporary() {
            Some(SchemaRef::Temporary)
        } else {
            self.creation_schema(&name, step.scope)
        };
        if home.is_none() {
            // The schema of the object is unknown.
            self.completeness = Completeness { platform: false, tenant: false, others: false };
        }
        Some((home?, name.name))
    }

    fn add_relation(&mut self, step: Step<'_>, relation: Relation) {
        let Some(key) = self.new_key(step) else { return };
        let unproven = step.says(SyntaxKind::IF_NOT_EXISTS);
        if unproven && (self.relations.all().has(&key) || !self.knows_completely(&key.0)) {
            return;
        }
        self.touched.insert(key.clone());
        self.relations.insert(key, Arc::new(relation));
    }

    fn create_table(&mut self, step: Step<'_>) {
        let Some(name) = step.made() else { return };
        let mut table = Table { is_complete: true, ..Table::default() };
        for kind in [SyntaxKind::INHERITS, SyntaxKind::PARTITION_OF, SyntaxKind::OF_TYPE] {
            if let Some(part) = step.node.child(kind) {
                table.is_complete = false;
                self.take_columns(step, &mut table, part);
            }
        }
        let parts =
            step.node.child(SyntaxKind::TABLE_ARG_LIST).map(|list| list.children().collect::<Vec<_>>());
        for part in parts.unwrap_or_default() {
            match part.kind() {
                SyntaxKind::COLUMN => define_column(&mut table, &name.name, part),
                SyntaxKind::LIKE_CLAUSE => {
                    table.is_complete = false;
                    self.take_columns(step, &mut table, part);
                }
                _ => add_constraint(&mut table, &name.name, part, None),
            }
        }
        self.add_relation(step, Relation::Table(table));
    }

    /// Adds the columns of the tables that `part` of the statement names: parents, or the source of LIKE.
    fn take_columns(&self, step: Step<'_>, table: &mut Table, part: Node<'_>) {
        let range = part.range();
        let within = |name: &&Name| range.start <= name.range.start && name.range.end <= range.end;
        for name in step.statement.names.iter().filter(within) {
            if let Found::Present(other) = self.table(name, step.scope) {
                table
                    .columns
                    .extend(other.columns.iter().map(|column| Column { new: false, ..column.clone() }));
            }
        }
    }

    /// A table that is created from a query; its columns are unknown.
    fn create_filled(&mut self, step: Step<'_>) {
        self.add_relation(step, Relation::Table(Table::default()));
    }

    fn create_view(&mut self, step: Step<'_>) {
        self.add_relation(step, Relation::View(View::of(step.node)));
    }

    fn create_type(&mut self, step: Step<'_>) {
        let Some(key) = self.new_key(step) else { return };
        let def = if step.statement.kind == SyntaxKind::CREATE_DOMAIN {
            TypeDef::Domain { refuses_null: step.says(SyntaxKind::NOT_NULL_CONSTRAINT) }
        } else {
            match step.node.child(SyntaxKind::ENUM_TYPE) {
                Some(values) => TypeDef::Enum(
                    values
                        .descendants()
                        .filter(|part| part.kind() == SyntaxKind::VARIANT)
                        .map(|value| words(value).concat())
                        .collect(),
                ),
                None => TypeDef::Other,
            }
        };
        self.types.insert(key, Arc::new(def));
    }

    fn create_routine(&mut self, step: Step<'_>) {
        let Some(key) = self.new_key(step) else { return };
        let routine = Routine::of(step.node);
        let mut routines =
            self.routines.get(&key.0, &key.1).map(|held| held.as_ref().clone()).unwrap_or_default();
        routines.retain(|own| own.inputs != routine.inputs);
        routines.push(routine);
        self.routines.insert(key, Arc::new(routines));
    }

    fn create_index(&mut self, step: Step<'_>) {
        self.with_table(step, |table, of, step| {
            let Some(index) = index(table, of, step.node) else {
                table.is_complete = false;
                return;
            };
            let there = table.indexes.iter().any(|own| own.name == index.name);
            if !(there || step.says(SyntaxKind::IF_NOT_EXISTS) && !table.is_complete) {
                table.indexes.push(index);
            }
        });
    }

    fn create_attached(&mut self, step: Step<'_>) {
        let own = [SyntaxKind::TRIGGER, SyntaxKind::POLICY, SyntaxKind::RULE];
        let name = step.node.children().find(|part| own.contains(&part.kind())).map(|part| name_of(part));
        self.with_table(step, |table, _, _| table.attached.extend(name));
    }

    /// Applies `change` to the target table; it gets the table's name. A table that is not in the model is added to it, with the
    /// parts that the statement shows.
    fn with_table(&mut self, step: Step<'_>, change: impl FnOnce(&mut Table, &str, Step<'_>)) {
        let Some(name) = step.target() else { return };
        let held = self.key_of(self.relations.all(), name, step.scope).or_else(|| {
            let unknown = matches!(self.relation(name, step.scope), Found::Unknown);
            Some((self.creation_schema(name, step.scope).filter(|_| unknown)?, name.name.clone()))
        });
        let Some(key) = held else { return };
        let of = key.1.clone();
        self.touched.insert(key.clone());
        if !self.relations.all().has(&key) {
            self.relations.insert(key.clone(), Arc::new(Relation::Table(Table::default())));
        }
        self.relations.change_table(&key, |table| change(table, &of, step));
    }

    fn alter_table(&mut self, step: Step<'_>) {
        self.with_table(step, |table, of, step| {
            for action in step.node.children() {
                alter(table, of, action);
            }
        });
        self.move_relation(step);
    }

    /// Applies RENAME and SET SCHEMA.
    fn move_relation(&mut self, step: Step<'_>) {
        let Some(target) = step.target() else { return };
        let moved = step.node.child(SyntaxKind::SET_SCHEMA);
        let renamed = step.node.children().find(|part| format!("{:?}", part.kind()).ends_with("_RENAME_TO"));
        if moved.is_none() && renamed.is_none() {
            return;
        }
        let new_name = step.made().map(|name| name.name.clone());
        let new_home = moved.and_then(|part| {
            let schema = part.child(SyntaxKind::SCHEMA_REF).map(|node| name_of(node))?;
            let name = Name { schema: Some(schema), ..target.clone() };
            self.creation_schema(&name, step.scope)
        });
        if let Some(key) = self.key_of(self.relations.all(), target, step.scope)
            && let Some(relation) = self.relations.remove(&key)
        {
            let key = (new_home.unwrap_or(key.0), new_name.unwrap_or(key.1));
            self.touched.insert(key.clone());
            self.relations.insert(key, relation);
        }
    }

    fn alter_other(&mut self, step: Step<'_>) {
        match step.statement.kind {
            SyntaxKind::ALTER_INDEX => self.rename_index(step),
            SyntaxKind::ALTER_VIEW | SyntaxKind::ALTER_MATERIALIZED_VIEW | SyntaxKind::ALTER_SEQUENCE => {
                self.move_relation(step);
            }
            SyntaxKind::ALTER_TYPE | SyntaxKind::ALTER_DOMAIN => self.alter_type(step),
            SyntaxKind::ALTER_FUNCTION | SyntaxKind::ALTER_PROCEDURE | SyntaxKind::ALTER_ROUTINE => {
                // Its definition is no longer valid, and its name may not be.
                if let Some(name) = step.target()
                    && let Some(key) = self.key_of(&self.routines, name, step.scope)
                {
                    self.routines.remove(&key);
                    self.mark_incomplete(&key.0);
                }
            }
            SyntaxKind::ALTER_SCHEMA if step.made().is_some() => self.forget_all(),
            _ => {}
        }
    }

    /// Marks the schema as incompletely known.
    fn mark_incomplete(&mut self, home: &SchemaRef) {
        match home {
            SchemaRef::Tenant => self.completeness.tenant = false,
            SchemaRef::Platform => self.completeness.platform = false,
            SchemaRef::Temporary => {}
            SchemaRef::Named(_) | SchemaRef::Bare => self.completeness.others = false,
        }
    }

    fn rename_index(&mut self, step: Step<'_>) {
        let (Some(old), Some(new)) = (step.target().cloned(), step.made().map(|name| name.name.clone()))
        else {
            return;
        };
        self.with_index(&old.name, |table| {
            for index in table.indexes.iter_mut().filter(|index| index.name == old.name) {
                index.name.clone_from(&new);
            }
            for constraint in table.constraints.iter_mut().filter(|own| own.name == old.name) {
                constraint.name.clone_from(&new);
            }
        });
    }

    /// Applies `change` to each table with an index `name`.
    fn with_index(&mut self, name: &str, change: impl Fn(&mut Table)) {
        let of_name = self.relations.tables_of_indexes().with_name(name);
        let keys: Vec<Key> = of_name.iter().map(|(_, key)| key.as_ref().clone()).collect();
        for key in keys {
            self.relations.change_table(&key, &change);
        }
    }

    fn alter_type(&mut self, step: Step<'_>) {
        let Some(name) = step.target() else { return };
        let Some(key) = self.key_of(&self.types, name, step.scope) else { return };
        // ADD VALUE does not affect any rule.
        let adds = step.says(SyntaxKind::ADD_VALUE);
        if !adds {
            self.types.remove(&key);
            self.mark_incomplete(&key.0);
        }
    }

    fn drop(&mut self, step: Step<'_>) {
        let kind = step.statement.kind;
        let targets: Vec<Name> =
            step.statement.names.iter().filter(|name| name.role == NameRole::Target).cloned().collect();
        match kind {
            SyntaxKind::DROP_TABLE
            | SyntaxKind::DROP_FOREIGN_TABLE
            | SyntaxKind::DROP_VIEW
            | SyntaxKind::DROP_MATERIALIZED_VIEW
            | SyntaxKind::DROP_SEQUENCE => {
                for name in targets {
                    if let Some(key) = self.key_of(self.relations.all(), &name, step.scope) {
                        self.relations.remove(&key);
                    }
                }
            }
            SyntaxKind::DROP_TYPE | SyntaxKind::DROP_DOMAIN => {
                for name in targets {
                    if let Some(key) = self.key_of(&self.types, &name, step.scope) {
                        self.types.remove(&key);
                    }
                }
            }
            SyntaxKind::DROP_FUNCTION | SyntaxKind::DROP_PROCEDURE | SyntaxKind::DROP_ROUTINE => {
                for name in targets {
                    if let Some(key) = self.key_of(&self.routines, &name, step.scope) {
                        // It may be one of several overloads.
                        self.routines.remove(&key);
                        self.mark_incomplete(&key.0);
                    }
                }
            }
            SyntaxKind::DROP_INDEX => {
                for name in targets {
                    self.with_index(&name.name, |table| {
                        table.indexes.retain(|index| index.name != name.name);
                    });
                }
            }
            SyntaxKind::DROP_TRIGGER | SyntaxKind::DROP_POLICY | SyntaxKind::DROP_RULE => {
                let parts = [SyntaxKind::TRIGGER_REF, SyntaxKind::POLICY_REF, SyntaxKind::RULE_REF];
                let name =
                    step.node.children().find(|part| parts.contains(&part.kind())).map(|part| name_of(part));
                self.with_table(step, |table, _, _| table.attached.retain(|own| Some(own) != name.as_ref()));
            }
            SyntaxKind::DROP_SCHEMA | SyntaxKind::DROP_EXTENSION | SyntaxKind::DROP_OWNED => {
                self.forget_all();
            }
            _ => {}
        }
    }
}
