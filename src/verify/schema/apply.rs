//! Applies a statement to the model of the schema. What a statement of unknown effect names becomes unknown.

use std::sync::Arc;

use squawk_syntax::SyntaxKind;

use super::alter::{alter, alter_values, define_column};
use super::like::copy_like;
use super::parts::{add_constraint, column_ref, constraint_text, index, name_of, names_in, names_of, words};
use super::query_columns::columns_of_query;
use super::schema_ref::SchemaRef;
use super::signature::{may_match, signature};
use super::table::{Attached, Column, Found, Table};
use super::{Key, Relation, Routine, Schema, TypeDef, View};
use crate::sql::{Name, NameRole, Node, Scope, Script, Statement};

/// A statement to apply.
#[derive(Clone, Copy)]
pub(super) struct Step<'a> {
    pub(super) statement: &'a Statement,
    pub(super) node: Node<'a>,
    pub(super) scope: Option<Scope>,
}

impl<'a> Step<'a> {
    fn made(&self) -> Option<&'a Name> {
        self.statement.names.iter().find(|name| name.role == NameRole::Created)
    }

    fn target(&self) -> Option<&'a Name> {
        self.targets().next()
    }

    fn targets(&self) -> impl Iterator<Item = &'a Name> + use<'a> {
        self.statement.names.iter().filter(|name| name.role == NameRole::Target)
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
        self.run_code(script, statement, scope);
        self.apply_node(statement, statement.node(script), scope);
    }

    /// Applies the effect of the text of `statement`, whose tree is `node`.
    pub(super) fn apply_node(&mut self, statement: &Statement, node: Node<'_>, scope: Option<Scope>) {
        let step = Step { statement, node, scope };
        self.apply_search_path(statement, node);
        match statement.kind {
            SyntaxKind::CREATE_TABLE | SyntaxKind::CREATE_FOREIGN_TABLE => self.create_table(step),
            SyntaxKind::CREATE_TABLE_AS | SyntaxKind::SELECT_INTO => self.create_filled(step),
            SyntaxKind::CREATE_VIEW | SyntaxKind::CREATE_MATERIALIZED_VIEW => self.create_view(step),
            SyntaxKind::CREATE_SEQUENCE => {
                self.add_relation(step, Relation::Sequence);
            }
            SyntaxKind::CREATE_TYPE | SyntaxKind::CREATE_DOMAIN => self.create_type(step),
            SyntaxKind::CREATE_FUNCTION | SyntaxKind::CREATE_PROCEDURE | SyntaxKind::CREATE_AGGREGATE => {
                self.create_routine(step);
            }
            SyntaxKind::CREATE_INDEX => self.create_index(step),
            SyntaxKind::CREATE_TRIGGER | SyntaxKind::CREATE_POLICY | SyntaxKind::CREATE_RULE => {
                self.create_attached(step);
            }
            SyntaxKind::CREATE_SCHEMA => self.create_schema(step),
            SyntaxKind::GRANT | SyntaxKind::REVOKE => self.note_privileges(step),
            SyntaxKind::CREATE_EXTENSION => self.with_extensions(step, true),
            SyntaxKind::DROP_EXTENSION => self.with_extensions(step, false),
            SyntaxKind::ALTER_TABLE | SyntaxKind::ALTER_FOREIGN_TABLE => self.alter_table(step),
            SyntaxKind::IMPORT_FOREIGN_SCHEMA => {
                for name in &statement.names {
                    let home = self.home_of(name);
                    self.knowledge.mark_incomplete(&home);
                }
            }
            kind if format!("{kind:?}").starts_with("DROP_") => self.drop(step),
            kind if format!("{kind:?}").starts_with("ALTER_") => self.alter_other(step),
            _ => {}
        }
    }

    /// The schema that `name` names.
    fn home_of(&self, name: &Name) -> SchemaRef {
        if name.in_tenant_schema() { SchemaRef::Tenant } else { self.named(&name.name) }
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
            self.knowledge.forget(&name.name);
        }
        Some((home?, name.name))
    }

    /// Adds the relation that the statement creates; returns its key.
    fn add_relation(&mut self, step: Step<'_>, relation: Relation) -> Option<Key> {
        let key = self.new_key(step)?;
        let unproven = step.says(SyntaxKind::IF_NOT_EXISTS);
        let is_absent = !self.relations.all().has(&key) && self.knowledge.proves_absence(&key.0, &key.1);
        if unproven && !is_absent {
            return None;
        }
        self.touched.insert(key.clone());
        self.knowledge.show(&key.1);
        self.relations.insert(key.clone(), Arc::new(relation));
        Some(key)
    }

    fn create_table(&mut self, step: Step<'_>) {
        let Some(name) = step.made() else { return };
        let mut table = Table { is_complete: true, ..Table::default() };
        for kind in [SyntaxKind::INHERITS, SyntaxKind::PARTITION_OF, SyntaxKind::OF_TYPE] {
            if let Some(part) = step.node.child(kind) {
                table.is_complete = false;
                let others: Vec<&Table> = self.tables_in(step, part).collect();
                let columns = others.into_iter().flat_map(|other| &other.columns);
                table.columns.extend(columns.map(|column| Column { new: false, ..column.clone() }));
                table.parents.extend(names_in(step.statement, part).map(|name| name.name.clone()));
            }
        }
        let parts =
            step.node.child(SyntaxKind::TABLE_ARG_LIST).map(|list| list.children().collect::<Vec<_>>());
        for part in parts.unwrap_or_default() {
            match part.kind() {
                SyntaxKind::COLUMN => define_column(&mut table, &name.name, part),
                SyntaxKind::LIKE_CLAUSE => match self.tables_in(step, part).next() {
                    Some(source) => copy_like(&mut table, &name.name, part, source),
                    None => table.is_complete = false,
                },
                _ => add_constraint(&mut table, &name.name, part, None),
            }
        }
        if let Some(key) = self.add_relation(step, Relation::Table(table)) {
            self.add_sequences(&key);
        }
    }

    /// Adds the sequences of the table's serial and identity columns.
    fn add_sequences(&mut self, key: &Key) {
        let Some(Relation::Table(table)) = self.relations.all().get(&key.0, &key.1).map(Arc::as_ref) else {
            return;
        };
        let names: Vec<String> = table.sequences.iter().map(|(_, sequence)| sequence.clone()).collect();
        for name in names {
            let sequence = (key.0.clone(), name);
            if !self.relations.all().has(&sequence) {
                self.touched.insert(sequence.clone());
                self.relations.insert(sequence, Arc::new(Relation::Sequence));
            }
        }
    }

    /// The known tables that `part` of the statement names: parents, or the source of LIKE.
    fn tables_in<'s>(&'s self, step: Step<'s>, part: Node<'_>) -> impl Iterator<Item = &'s Table> {
        names_in(step.statement, part).filter_map(move |name| self.table(name, step.scope).present())
    }

    /// A table that is created from a query.
    fn create_filled(&mut self, step: Step<'_>) {
        let source = |name: &Name| self.table(name, step.scope).present();
        let table = columns_of_query(step.statement, step.node, &source)
            .map_or_else(Table::default, |columns| Table { columns, is_complete: true, ..Table::default() });
        self.add_relation(step, Relation::Table(table));
    }

    fn create_view(&mut self, step: Step<'_>) {
        self.add_relation(step, Relation::View(View::of(step.node)));
    }

    fn create_type(&mut self, step: Step<'_>) {
        let Some(key) = self.new_key(step) else { return };
        let def = if step.statement.kind == SyntaxKind::CREATE_DOMAIN {
            TypeDef::Domain {
                refuses_null: step.says(SyntaxKind::NOT_NULL_CONSTRAINT),
                base: super::SqlType::of(step.node),
                checks: checks(step.node),
            }
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
        self.knowledge.show(&key.1);
        self.types.insert(key, Arc::new(def));
    }

    fn create_routine(&mut self, step: Step<'_>) {
        let Some(key) = self.new_key(step) else { return };
        let routine = Routine::of(step.node);
        let mut routines =
            self.routines.get(&key.0, &key.1).map(|held| held.as_ref().clone()).unwrap_or_default();
        routines.retain(|own| !may_match(&own.inputs, &routine.inputs));
        routines.push(routine);
        self.routines.insert(key, Arc::new(routines));
    }

    fn attach_to_view(&mut self, step: Step<'_>) {
        if let Some(view) = step.target().and_then(|name| self.key_of(self.relations.all(), name, step.scope))
        {
            self.relations.attach_to_view(&view, || words(step.node).join(" "));
        }
    }

    fn create_index(&mut self, step: Step<'_>) {
        self.attach_to_view(step);
        let made = step.node.child(SyntaxKind::INDEX).map(|index| words(index).last().cloned());
        if let Some(name) = made.flatten() {
            self.knowledge.show(&name);
        }
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
        // Both words have the same meaning (manual, CREATE TRIGGER).
        let text = words(step.node).join(" ").replace(" execute procedure ", " execute function ");
        self.attach_to_view(step);
        self.with_table(step, |table, _, _| {
            table.attached.retain(|own| Some(&own.name) != name.as_ref());
            table.attached.extend(name.map(|name| Attached { name, text }));
        });
    }

    fn create_schema(&mut self, step: Step<'_>) {
        let Some(name) = step.made() else { return };
        let home = self.home_of(name);
        let exists = self.knowledge.schema(&home);
        let unproven = step.says(SyntaxKind::IF_NOT_EXISTS);
        if !(unproven && matches!(exists, Found::Present(()))) {
            // The elements of CREATE SCHEMA have unqualified names.
            let is_empty = step.statement.names.len() == 1 && (exists.is_absent() || !unproven);
            self.knowledge.create_schema(&home, is_empty);
        }
    }

    fn with_extensions(&mut self, step: Step<'_>, exists: bool) {
        let kinds = [SyntaxKind::EXTENSION, SyntaxKind::EXTENSION_REF];
        for name in step.node.descendants().filter(|part| kinds.contains(&part.kind())) {
            self.knowledge.create_extension(&name_of(name), exists);
        }
    }

    fn note_privileges(&mut self, step: Step<'_>) {
        let all = words(step.node)
            .windows(2)
            .any(|pair| pair[0] == "all" && pair[1].ends_with('s') && pair[1] != "privileges");
        for name in step.targets() {
            self.knowledge.note_privileges(&name.name, all);
        }
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
        let key = step.target().and_then(|name| self.key_of(self.relations.all(), name, step.scope));
        let before = key.as_ref().map(|key| self.sequences_of(key)).unwrap_or_default();
        self.with_table(step, |table, of, step| {
            for action in step.node.children() {
                alter(table, of, action);
            }
        });
        if let Some(key) = key {
            let is_only_one = self.relations.all().with_name(&key.1).len() == 1;
            let actions = step.node.children();
            let renames = actions.filter(|action| is_only_one && action.kind() == SyntaxKind::RENAME_COLUMN);
            for action in renames {
                let new = names_of(action, SyntaxKind::COLUMN_NAME).concat();
                self.rename_references(&key.1, &column_ref(action).unwrap_or_default(), &new);
            }
            let after = self.sequences_of(&key);
            for name in before.into_iter().filter(|name| !after.contains(name)) {
                self.relations.remove(&(key.0.clone(), name));
            }
            self.add_sequences(&key);
        }
        self.move_relation(step);
    }

    /// The names of the sequences of the table's columns.
    fn sequences_of(&self, key: &Key) -> Vec<String> {
        match self.relations.all().get(&key.0, &key.1).map(Arc::as_ref) {
            Some(Relation::Table(table)) => table.sequences.iter().map(|(_, name)| name.clone()).collect(),
            _ => Vec::new(),
        }
    }

    /// The key that the object with the key `old` gets by RENAME or SET SCHEMA; `None` if the statement does neither.
    fn moved(&self, step: Step<'_>, old: &Key) -> Option<Key> {
        let target = step.target()?;
        let moved = step.node.child(SyntaxKind::SET_SCHEMA);
        let renamed = step.node.children().any(|part| format!("{:?}", part.kind()).ends_with("_RENAME_TO"));
        if moved.is_none() && !renamed {
            return None;
        }
        let new_name = step.made().map(|name| name.name.clone());
        let new_home = moved.and_then(|part| {
            let schema = part.child(SyntaxKind::SCHEMA_REF).map(|node| name_of(node))?;
            let name = Name { schema: Some(schema), ..target.clone() };
            self.creation_schema(&name, step.scope)
        });
        Some((new_home.unwrap_or_else(|| old.0.clone()), new_name.unwrap_or_else(|| old.1.clone())))
    }

    /// Applies RENAME and SET SCHEMA.
    fn move_relation(&mut self, step: Step<'_>) {
        let Some(target) = step.target() else { return };
        let Some(old) = self.key_of(self.relations.all(), target, step.scope) else {
            if let Some(new) = self.moved(step, &(SchemaRef::Bare, target.name.clone())) {
                self.knowledge.forget(&new.1);
            }
            return;
        };
        if let Some(new) = self.moved(step, &old)
            && let Some(relation) = self.relations.remove(&old)
        {
            self.touched.insert(new.clone());
            self.knowledge.show(&new.1);
            let new_name = new.1.clone();
            self.relations.insert(new, relation);
            if self.relations.all().with_name(&old.1).is_empty() {
                self.rename_references(&old.1, &old.1, &new_name);
            }
        }
    }

    /// Foreign keys that reference the table `table` get its new name, or that of its column; `old` is the one that changes.
    fn rename_references(&mut self, table: &str, old: &str, new: &str) {
        let has = |relation: &Relation| matches!(relation, Relation::Table(own) if own.references(table));
        let all = self.relations.all().iter();
        let keys: Vec<Key> = all.filter(|(_, relation)| has(relation)).map(|(key, _)| key).collect();
        for key in keys {
            self.relations.change_table(&key, |own| own.rename_reference(table, old, new));
        }
    }

    fn alter_other(&mut self, step: Step<'_>) {
        match step.statement.kind {
            SyntaxKind::ALTER_INDEX => self.rename_index(step),
            SyntaxKind::ALTER_VIEW | SyntaxKind::ALTER_MATERIALIZED_VIEW | SyntaxKind::ALTER_SEQUENCE => {
                self.move_relation(step);
            }
            SyntaxKind::ALTER_TYPE | SyntaxKind::ALTER_DOMAIN => self.alter_type(step),
            SyntaxKind::ALTER_POLICY | SyntaxKind::ALTER_RULE | SyntaxKind::ALTER_TRIGGER => {
                // Its definition is no longer known, and its name may be another one.
                let renamed = words(step.node).windows(2).any(|pair| pair == ["rename", "to"]);
                let last = words(step.node).pop().filter(|_| renamed);
                let tokens = words(step.node);
                self.with_table(step, |table, _, _| {
                    for own in table.attached.iter_mut().filter(|own| tokens.get(2) == Some(&own.name)) {
                        own.text.clear();
                        own.name = last.clone().unwrap_or_else(|| own.name.clone());
                    }
                });
            }
            SyntaxKind::ALTER_FUNCTION
            | SyntaxKind::ALTER_PROCEDURE
            | SyntaxKind::ALTER_ROUTINE
            | SyntaxKind::ALTER_AGGREGATE => self.alter_routine(step),
            SyntaxKind::ALTER_SCHEMA => {
                if let (Some(old), Some(new)) = (step.target(), step.made()) {
                    let (old, new) = (self.home_of(old), self.home_of(new));
                    self.relations.rename_home(&old, &new);
                    self.types.rename_home(&old, &new);
                    self.routines.rename_home(&old, &new);
                    self.knowledge.rename_schema(&old, &new);
                }
            }
            _ => {}
        }
    }

    fn alter_routine(&mut self, step: Step<'_>) {
        let Some(name) = step.target() else { return };
        let inputs = signature(name, step.node);
        let Some(key) = self.key_of(&self.routines, name, step.scope) else {
            if let Some(new) = self.moved(step, &(SchemaRef::Bare, name.name.clone())) {
                self.knowledge.forget(&new.1);
            }
            return;
        };
        let is_it = |own: &Routine| inputs.as_ref().is_none_or(|inputs| may_match(&own.inputs, inputs));
        let Some(held) = self.routines.remove(&key) else { return };
        let (mut changed, others): (Vec<Routine>, Vec<Routine>) =
            held.as_ref().clone().into_iter().partition(is_it);
        let moved = self.moved(step, &key);
        if moved.is_none() && step.says(SyntaxKind::FUNC_OPTION_LIST) {
            for routine in &mut changed {
                routine.pure = false;
                routine.text.push_str(&words(step.node).join(" "));
                routine.altered.push_str(&words(step.node).join(" "));
            }
        }
        let new_key = moved.unwrap_or_else(|| key.clone());
        for (key, mut routines) in [(key, others), (new_key, changed)] {
            routines.extend(self.routines.remove(&key).iter().flat_map(|held| held.as_ref().clone()));
            if !routines.is_empty() {
                self.routines.insert(key, Arc::new(routines));
            }
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
        let Some(key) = self.key_of(&self.types, name, step.scope) else {
            // ALTER TYPE may rename the row type of a table.
            self.move_relation(step);
            return;
        };
        if let Some(new) = self.moved(step, &key) {
            if let Some(def) = self.types.remove(&key) {
                self.rename_type_of_columns(&key.1, &new.1);
                self.types.insert(new, def);
            }
        } else if let Some(def) = self.types.get_mut(&key) {
            match def {
                TypeDef::Domain { refuses_null, checks: own, .. } => {
                    own.extend(checks(step.node));
                    *refuses_null |=
                        step.node.contains(&[SyntaxKind::SET_NOT_NULL, SyntaxKind::ADD_CONSTRAINT]);
                    *refuses_null &= !step.node.contains(&[SyntaxKind::DROP_NOT_NULL]);
                }
                TypeDef::Enum(values) => alter_values(values, step.node),
                TypeDef::Other => {}
            }
        }
    }

    fn rename_type_of_columns(&mut self, old: &str, new: &str) {
        let has = |relation: &Relation| matches!(relation, Relation::Table(table) if table.uses_type(old));
        let all = self.relations.all().iter();
        let keys: Vec<Key> = all.filter(|(_, relation)| has(relation)).map(|(key, _)| key).collect();
        for key in keys {
            self.relations.change_table(&key, |table| table.rename_type(old, new));
        }
    }

    fn drop(&mut self, step: Step<'_>) {
        let kind = step.statement.kind;
        let targets = step.targets();
        match kind {
            SyntaxKind::DROP_TABLE
            | SyntaxKind::DROP_FOREIGN_TABLE
            | SyntaxKind::DROP_VIEW
            | SyntaxKind::DROP_MATERIALIZED_VIEW
            | SyntaxKind::DROP_SEQUENCE => {
                for name in targets {
                    if let Some(key) = self.key_of(self.relations.all(), name, step.scope) {
                        for sequence in self.sequences_of(&key) {
                            self.relations.remove(&(key.0.clone(), sequence));
                        }
                        self.relations.remove(&key);
                    }
                    self.knowledge.show(&name.name);
                }
            }
            SyntaxKind::DROP_TYPE | SyntaxKind::DROP_DOMAIN => {
                for name in targets {
                    if let Some(key) = self.key_of(&self.types, name, step.scope) {
                        self.types.remove(&key);
                    }
                    self.knowledge.show(&name.name);
                }
            }
            SyntaxKind::DROP_FUNCTION
            | SyntaxKind::DROP_PROCEDURE
            | SyntaxKind::DROP_ROUTINE
            | SyntaxKind::DROP_AGGREGATE => targets.for_each(|name| self.drop_routine(step, name)),
            SyntaxKind::DROP_INDEX => {
                for name in targets {
                    self.with_index(&name.name, |table| {
                        table.indexes.retain(|index| index.name != name.name);
                    });
                    self.knowledge.show(&name.name);
                }
            }
            SyntaxKind::DROP_TRIGGER | SyntaxKind::DROP_POLICY | SyntaxKind::DROP_RULE => {
                let parts = [SyntaxKind::TRIGGER_REF, SyntaxKind::POLICY_REF, SyntaxKind::RULE_REF];
                let name =
                    step.node.children().find(|part| parts.contains(&part.kind())).map(|part| name_of(part));
                self.with_table(step, |table, _, _| {
                    table.attached.retain(|own| Some(&own.name) != name.as_ref());
                });
            }
            SyntaxKind::DROP_SCHEMA => {
                for name in targets {
                    let home = self.home_of(name);
                    for key in self.relations.all().keys_in(&home) {
                        self.relations.remove(&key);
                    }
                    self.types.remove_home(&home);
                    self.routines.remove_home(&home);
                    self.knowledge.drop_schema(&home);
                }
            }
            _ => {}
        }
    }

    fn drop_routine(&mut self, step: Step<'_>, name: &Name) {
        let Some(key) = self.key_of(&self.routines, name, step.scope) else { return };
        let Some(held) = self.routines.remove(&key) else { return };
        let mut left = held.as_ref().clone();
        if let Some(inputs) = signature(name, step.node) {
            left.retain(|own| !may_match(&own.inputs, &inputs));
        } else {
            left.clear();
        }
        if !left.is_empty() {
            self.routines.insert(key, Arc::new(left));
        }
    }
}

/// The CHECK constraints of a domain.
fn checks(node: Node<'_>) -> Vec<String> {
    let found = node.descendants().filter(|part| part.kind() == SyntaxKind::CHECK_CONSTRAINT);
    found.map(|check| constraint_text(check, None)).collect()
}
