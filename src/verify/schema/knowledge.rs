//! Which missing objects certainly do not exist: the completely known schemas, the schemas and extensions that the statements
//! created or dropped, and the names that code of unknown effect may have created, changed or dropped.

use rpds::{HashTrieMapSync, HashTrieSetSync};

use super::schema_ref::SchemaRef;
use super::table::Found;

/// What is known about missing objects.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is about other schemas")]
pub(super) struct Knowledge {
    pub(super) platform: bool,
    pub(super) tenant: bool,
    /// Whether schemas that no statement created are known completely.
    others: bool,
    /// Whether schemas and extensions that no statement created do not exist.
    is_from_start: bool,
    schemas: HashTrieMapSync<String, SchemaState>,
    extensions: HashTrieMapSync<String, bool>,
    unknown_names: HashTrieSetSync<String>,
    /// The names of objects whose privileges were granted or revoked; an empty name stands for all.
    privileges: HashTrieSetSync<String>,
}

/// A schema that a statement created or dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SchemaState {
    Complete,
    Incomplete,
    Dropped,
}

impl Knowledge {
    /// All schemas are known completely.
    pub(super) fn complete() -> Self {
        Self { others: true, tenant: true, ..Self::of_project(true) }
    }

    /// Nothing is known.
    pub(super) fn none() -> Self {
        Self::of_project(false)
    }

    /// The platform's schema is known completely if the chain begins with an empty database. The tenant's comes from a template, and
    /// other schemas may contain objects that do not belong to the project.
    pub(super) fn of_project(is_from_start: bool) -> Self {
        Self {
            platform: is_from_start,
            tenant: false,
            others: false,
            is_from_start,
            schemas: HashTrieMapSync::new_sync(),
            extensions: HashTrieMapSync::new_sync(),
            unknown_names: HashTrieSetSync::new_sync(),
            privileges: HashTrieSetSync::new_sync(),
        }
    }

    /// Whether an object `name` that is not in the model does not exist in `home`.
    pub(super) fn proves_absence(&self, home: &SchemaRef, name: &str) -> bool {
        self.is_complete(home) && (*home == SchemaRef::Temporary || !self.unknown_names.contains(name))
    }

    fn is_complete(&self, home: &SchemaRef) -> bool {
        match home {
            SchemaRef::Temporary => true,
            SchemaRef::Tenant => self.tenant,
            SchemaRef::Platform => self.platform,
            SchemaRef::Bare => self.others,
            SchemaRef::Named(name) => self
                .schemas
                .get(name)
                .map_or(self.others, |state| matches!(state, SchemaState::Complete | SchemaState::Dropped)),
        }
    }

    pub(super) fn mark_incomplete(&mut self, home: &SchemaRef) {
        match home {
            SchemaRef::Tenant => self.tenant = false,
            SchemaRef::Platform => self.platform = false,
            SchemaRef::Temporary => {}
            SchemaRef::Bare => self.others = false,
            SchemaRef::Named(name) => self.schemas.insert_mut(name.clone(), SchemaState::Incomplete),
        }
    }

    /// The schema `name`.
    pub(super) fn schema(&self, home: &SchemaRef) -> Found<()> {
        const OF_SERVER: &[&str] = &["information_schema", "public"];
        let SchemaRef::Named(name) = home else { return Found::Present(()) };
        match self.schemas.get(name) {
            Some(SchemaState::Dropped) => Found::Absent,
            Some(_) => Found::Present(()),
            None if OF_SERVER.contains(&name.as_str()) || name.starts_with("pg_") => Found::Present(()),
            None if self.is_from_start && !self.unknown_names.contains(name) => Found::Absent,
            None => Found::Unknown,
        }
    }

    /// The extension `name`.
    pub(super) fn extension(&self, name: &str) -> Found<()> {
        match self.extensions.get(name) {
            Some(true) => Found::Present(()),
            Some(false) => Found::Absent,
            None if self.is_from_start && name != "plpgsql" && !self.unknown_names.contains(name) => {
                Found::Absent
            }
            None => Found::Unknown,
        }
    }

    pub(super) fn create_extension(&mut self, name: &str, exists: bool) {
        self.extensions.insert_mut(name.to_owned(), exists);
    }

    /// A statement creates the schema, with or without objects.
    pub(super) fn create_schema(&mut self, home: &SchemaRef, is_empty: bool) {
        if let SchemaRef::Named(name) = home {
            let state = if is_empty { SchemaState::Complete } else { SchemaState::Incomplete };
            self.schemas.insert_mut(name.clone(), state);
        }
    }

    pub(super) fn drop_schema(&mut self, home: &SchemaRef) {
        if let SchemaRef::Named(name) = home {
            self.schemas.insert_mut(name.clone(), SchemaState::Dropped);
        }
    }

    pub(super) fn rename_schema(&mut self, old: &SchemaRef, new: &SchemaRef) {
        let complete = self.is_complete(old);
        self.drop_schema(old);
        self.create_schema(new, complete);
    }

    /// Privileges on the object `name`, or on all objects of its schema, are granted or revoked.
    pub(super) fn note_privileges(&mut self, name: &str, all: bool) {
        self.privileges.insert_mut(if all { String::new() } else { name.to_owned() });
    }

    /// Adds the names of `other` whose privileges were granted or revoked.
    pub(super) fn add_privileges_of(&mut self, other: &Self) {
        for name in other.privileges.iter() {
            self.privileges.insert_mut(name.clone());
        }
    }

    /// Adds the unknown names of `other`.
    pub(super) fn add_unknown_of(&mut self, other: &Self) {
        for name in other.unknown_names.iter() {
            self.unknown_names.insert_mut(name.clone());
        }
    }

    pub(super) fn has_privileges(&self, name: &str) -> bool {
        self.privileges.contains(name) || self.privileges.contains("")
    }

    /// The objects of this name are unknown from here on.
    pub(super) fn forget(&mut self, name: &str) {
        self.unknown_names.insert_mut(name.to_owned());
        if self.schemas.contains_key(name) {
            self.schemas.insert_mut(name.to_owned(), SchemaState::Incomplete);
        }
        self.extensions.remove_mut(name);
    }

    /// A statement shows the object of this name.
    pub(super) fn show(&mut self, name: &str) {
        self.unknown_names.remove_mut(name);
    }

    /// What is true both of `self` and of `other`, which has the same history up to one statement.
    pub(super) fn retain_common(&mut self, other: &Self) {
        self.platform &= other.platform;
        self.tenant &= other.tenant;
        self.others &= other.others;
        let differs = |(name, state): &(&String, &SchemaState)| other.schemas.get(*name) != Some(state);
        let changed: Vec<String> =
            self.schemas.iter().filter(differs).map(|(name, _)| name.clone()).collect();
        let differs = |(name, exists): &(&String, &bool)| other.extensions.get(*name) != Some(exists);
        let extensions: Vec<String> =
            self.extensions.iter().filter(differs).map(|(name, _)| name.clone()).collect();
        for name in changed.iter().chain(&extensions) {
            self.schemas.remove_mut(name);
            self.forget(name);
        }
        for name in other.unknown_names.iter() {
            self.unknown_names.insert_mut(name.clone());
        }
    }
}
