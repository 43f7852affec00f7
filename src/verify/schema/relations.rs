//! Tables, views and sequences by name, and the indexes of the tables by their own names.

use std::sync::Arc;

use super::name_map::NameMap;
use super::schema_ref::SchemaRef;
use super::table::Table;
use super::{Key, Relation};

/// The server keeps at least this many bytes of a table's name in the names that it generates (`makeObjectName`).
const MIN_PREFIX_BYTES: usize = 24;

/// The relations in the model.
#[derive(Debug, Clone, Default)]
pub(super) struct Relations {
    held: NameMap<Relation>,
    /// The table of each index, by the index's name.
    tables: NameMap<Key>,
    /// The beginnings of the names of incompletely known tables, which may have indexes with generated names.
    incomplete: NameMap<()>,
}

impl Relations {
    pub(super) fn all(&self) -> &NameMap<Relation> {
        &self.held
    }

    /// The tables, by the names of their indexes.
    pub(super) fn tables_of_indexes(&self) -> &NameMap<Key> {
        &self.tables
    }

    /// Whether an index that is not in the model may have this name.
    pub(super) fn may_have_index(&self, name: &str) -> bool {
        (1..=name.len().min(MIN_PREFIX_BYTES)).any(|end| {
            name.get(..end).is_some_and(|beginning| !self.incomplete.with_name(beginning).is_empty())
        })
    }

    pub(super) fn insert(&mut self, key: Key, relation: Arc<Relation>) {
        self.remove(&key);
        self.index(&key, &relation);
        self.held.insert(key, relation);
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<Arc<Relation>> {
        let removed = self.held.remove(key)?;
        for name in index_names(&removed) {
            self.tables.remove(&(key.0.clone(), name.to_owned()));
        }
        Some(removed)
    }

    /// A view gets a trigger, a rule or an index.
    pub(super) fn attach_to_view(&mut self, key: &Key, definition: impl FnOnce() -> String) {
        if let Some(Relation::View(view)) = self.held.get_mut(key) {
            view.attached.push(definition());
        }
    }

    /// Applies `change` if `key` is a table.
    pub(super) fn change_table(&mut self, key: &Key, change: impl FnOnce(&mut Table)) {
        let Some(relation) = self.held.get_mut(key) else { return };
        let old: Vec<String> = index_names(relation).map(str::to_owned).collect();
        let Relation::Table(table) = relation else { return };
        change(table);
        let same = table.is_complete && index_names(relation).eq(old.iter().map(String::as_str));
        if !same {
            for name in old {
                self.tables.remove(&(key.0.clone(), name));
            }
            if let Some(relation) = self.held.get(&key.0, &key.1).cloned() {
                self.index(key, &relation);
            }
        }
    }

    pub(super) fn rename_home(&mut self, old: &SchemaRef, new: &SchemaRef) {
        for key in self.held.keys_in(old) {
            if let Some(relation) = self.remove(&key) {
                self.insert((new.clone(), key.1), relation);
            }
        }
    }

    /// Begins a new file: no part of the table is new.
    pub(super) fn mark_old(&mut self, key: &Key) {
        if let Some(Relation::Table(table)) = self.held.get_mut(key) {
            table.mark_old();
        }
    }

    /// Replaces the relations in the tenant's schema with those of `other`.
    pub(super) fn replace_tenant(&mut self, other: &Self) {
        self.held.replace_tenant(&other.held);
        self.tables.replace_tenant(&other.tables);
        self.incomplete.replace_tenant(&other.incomplete);
    }

    fn index(&mut self, key: &Key, relation: &Relation) {
        for name in index_names(relation) {
            self.tables.insert((key.0.clone(), name.to_owned()), Arc::new(key.clone()));
        }
        if matches!(relation, Relation::Table(table) if !table.is_complete) {
            self.incomplete.insert((key.0.clone(), name_prefix(&key.1).to_owned()), Arc::new(()));
        }
    }
}

fn index_names(relation: &Relation) -> impl Iterator<Item = &str> {
    let table = if let Relation::Table(table) = relation { Some(table) } else { None };
    table.into_iter().flat_map(|table| &table.indexes).map(|index| index.name.as_str())
}

fn name_prefix(name: &str) -> &str {
    let end = (0..=name.len().min(MIN_PREFIX_BYTES)).rev().find(|end| name.is_char_boundary(*end));
    &name[..end.unwrap_or_default()]
}
