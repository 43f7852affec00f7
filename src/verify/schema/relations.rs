//! What shares one space of names: tables, views, sequences; and the indexes of the tables, which are found
//! by names of their own.

use std::sync::Arc;

use super::name_map::NameMap;
use super::table::Table;
use super::{Key, Relation};

/// So many bytes of a table's name begin each name that the server makes from it (`makeObjectName`).
const SURELY_KEPT: usize = 24;

/// The relations that are known.
#[derive(Debug, Clone, Default)]
pub(super) struct Relations {
    held: NameMap<Relation>,
    /// The table of each index.
    tables: NameMap<Key>,
    /// How the names begin of tables of which not all is known: they may have indexes that the server named.
    sketchy: NameMap<()>,
}

impl Relations {
    pub(super) fn held(&self) -> &NameMap<Relation> {
        &self.held
    }

    /// The tables by the names of their indexes.
    pub(super) fn tables_of_indexes(&self) -> &NameMap<Key> {
        &self.tables
    }

    /// Whether an index that nobody has seen made may have that name.
    pub(super) fn may_have_index(&self, name: &str) -> bool {
        (1..=name.len().min(SURELY_KEPT))
            .any(|end| name.get(..end).is_some_and(|beginning| !self.sketchy.called(beginning).is_empty()))
    }

    pub(super) fn insert(&mut self, key: Key, relation: Arc<Relation>) {
        self.remove(&key);
        self.index(&key, &relation);
        self.held.insert(key, relation);
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<Arc<Relation>> {
        let gone = self.held.remove(key)?;
        for name in index_names(&gone) {
            self.tables.remove(&(key.0.clone(), name.to_owned()));
        }
        Some(gone)
    }

    /// Lets `change` at the table `key`, if it is one.
    pub(super) fn change_table(&mut self, key: &Key, change: impl FnOnce(&mut Table)) {
        let Some(relation) = self.held.get_mut(key) else { return };
        let old: Vec<String> = index_names(relation).map(str::to_owned).collect();
        let Relation::Table(table) = relation else { return };
        change(table);
        let same = table.whole && index_names(relation).eq(old.iter().map(String::as_str));
        if !same {
            for name in old {
                self.tables.remove(&(key.0.clone(), name));
            }
            if let Some(relation) = self.held.get(&key.0, &key.1).cloned() {
                self.index(key, &relation);
            }
        }
    }

    /// A new file begins: nothing of the table is new.
    pub(super) fn age(&mut self, key: &Key) {
        if let Some(Relation::Table(table)) = self.held.get_mut(key) {
            table.age();
        }
    }

    /// Takes from `other` all that is in the tenant's schema, and gives up its own there.
    pub(super) fn adopt_tenant(&mut self, other: &Self) {
        self.held.adopt_tenant(&other.held);
        self.tables.adopt_tenant(&other.tables);
        self.sketchy.adopt_tenant(&other.sketchy);
    }

    fn index(&mut self, key: &Key, relation: &Relation) {
        for name in index_names(relation) {
            self.tables.insert((key.0.clone(), name.to_owned()), Arc::new(key.clone()));
        }
        if matches!(relation, Relation::Table(table) if !table.whole) {
            self.sketchy.insert((key.0.clone(), kept(&key.1).to_owned()), Arc::new(()));
        }
    }
}

fn index_names(relation: &Relation) -> impl Iterator<Item = &str> {
    let table = if let Relation::Table(table) = relation { Some(table) } else { None };
    table.into_iter().flat_map(|table| &table.indexes).map(|index| index.name.as_str())
}

fn kept(name: &str) -> &str {
    let end = (0..=name.len().min(SURELY_KEPT)).rev().find(|end| name.is_char_boundary(*end));
    &name[..end.unwrap_or_default()]
}
