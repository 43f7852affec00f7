//! A persistent map of objects by name. Each file of a chain keeps a copy of the model; copies share their contents, and a lookup
//! does not depend on the length of the chain.

use std::sync::Arc;

use rpds::HashTrieMapSync;

use super::Key;
use super::schema_ref::SchemaRef;

/// Objects of one kind.
#[derive(Debug, Clone)]
pub(super) struct NameMap<T>(HashTrieMapSync<String, Vec<(SchemaRef, Arc<T>)>>);

impl<T> Default for NameMap<T> {
    fn default() -> Self {
        Self(HashTrieMapSync::new_sync())
    }
}

impl<T> NameMap<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The objects with the name `name`, in all schemas.
    pub(super) fn with_name(&self, name: &str) -> &[(SchemaRef, Arc<T>)] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// The schemas that contain an object with the name `name`.
    pub(super) fn homes_of(&self, name: &str) -> Vec<SchemaRef> {
        self.with_name(name).iter().map(|(home, _)| home.clone()).collect()
    }

    pub(super) fn get(&self, home: &SchemaRef, name: &str) -> Option<&Arc<T>> {
        self.with_name(name).iter().find(|(own, _)| own == home).map(|(_, thing)| thing)
    }

    pub(super) fn has(&self, key: &Key) -> bool {
        self.get(&key.0, &key.1).is_some()
    }

    pub(super) fn insert(&mut self, (home, name): Key, thing: Arc<T>) {
        let Some(called) = self.0.get_mut(&name) else {
            self.0.insert_mut(name, vec![(home, thing)]);
            return;
        };
        match called.iter_mut().find(|(own, _)| *own == home) {
            Some((_, held)) => *held = thing,
            None => called.push((home, thing)),
        }
    }

    /// Removes the objects in a schema.
    pub(super) fn remove_home(&mut self, home: &SchemaRef) {
        for key in self.keys_in(home) {
            self.remove(&key);
        }
    }

    pub(super) fn remove(&mut self, (home, name): &Key) -> Option<Arc<T>> {
        let called = self.0.get_mut(name)?;
        let at = called.iter().position(|(own, _)| own == home)?;
        let (_, thing) = called.remove(at);
        if called.is_empty() {
            self.0.remove_mut(name);
        }
        Some(thing)
    }

    /// All objects.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, &Arc<T>)> {
        self.0.iter().flat_map(|(name, called)| {
            called.iter().map(move |(home, thing)| ((home.clone(), name.clone()), thing))
        })
    }

    /// The keys of the objects that are not the same in `other`, or only in one of both.
    pub(super) fn changed(&self, other: &Self) -> Vec<Key> {
        let differs = |(key, thing): &(Key, &Arc<T>), other: &Self| {
            other.get(&key.0, &key.1).is_none_or(|theirs| !Arc::ptr_eq(theirs, thing))
        };
        let own = self.iter().filter(|entry| differs(entry, other)).map(|(key, _)| key);
        let theirs = other.iter().map(|(key, _)| key).filter(|key| !self.has(key));
        own.chain(theirs).collect()
    }

    /// The keys of the objects in `home`.
    pub(super) fn keys_in(&self, home: &SchemaRef) -> Vec<Key> {
        self.iter().map(|(key, _)| key).filter(|key| key.0 == *home).collect()
    }

    /// Moves the objects in the schema `old` to `new`.
    pub(super) fn rename_home(&mut self, old: &SchemaRef, new: &SchemaRef) {
        for key in self.keys_in(old) {
            if let Some(thing) = self.remove(&key) {
                self.insert((new.clone(), key.1), thing);
            }
        }
    }

    /// Replaces the objects in the tenant's schema with those of `other`.
    pub(super) fn replace_tenant(&mut self, other: &Self) {
        let in_tenant = |(name, called): (&String, &Vec<(SchemaRef, Arc<T>)>)| {
            let thing = called.iter().find(|(home, _)| *home == SchemaRef::Tenant)?.1.clone();
            Some(((SchemaRef::Tenant, name.clone()), thing))
        };
        let removed: Vec<_> = self.0.iter().filter_map(in_tenant).collect();
        for (key, _) in removed {
            self.remove(&key);
        }
        for (key, thing) in other.0.iter().filter_map(in_tenant) {
            self.insert(key, thing);
        }
    }
}

impl<T: Clone> NameMap<T> {
    /// The object, mutably; copies of the map keep the old value.
    pub(super) fn get_mut(&mut self, (home, name): &Key) -> Option<&mut T> {
        let called = self.0.get_mut(name)?;
        called.iter_mut().find(|(own, _)| own == home).map(|(_, thing)| Arc::make_mut(thing))
    }
}
