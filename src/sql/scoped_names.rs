//! Maps the unqualified names of a project to scopes, from the statements that create and drop them, and derives the
//! scope of a statement from its names. If the names do not determine the scope, that is an error; it is never guessed.

use std::collections::{BTreeSet, HashMap, HashSet};

use squawk_syntax::SyntaxKind;

use super::error::{ONE_TENANT, OTHER_SCHEMA};
use super::own::VERSION_TABLE;
use super::scope::ObjectLocation;
use super::unreadable::UnreadableFiles;
use super::{Lookup, Name, NameRole, Scope, ScopeClue, Statement};
use crate::error::did_you_mean;

/// The unqualified names that earlier files create, by scope.
#[derive(Debug, Clone)]
pub struct ScopedNames {
    platform: Names,
    tenant: Names,
    /// Temporary relations and types of the current file. They take precedence over all others.
    temporary: HashSet<(Scope, String)>,
    /// Names that code may have created as temporary.
    temporary_by_code: HashSet<(Scope, String)>,
    /// The temporary names that each function creates.
    temporary_by_function: HashMap<String, Vec<String>>,
    pub(super) unreadable: UnreadableFiles,
    /// The prefix of tenant schemas, unless it is empty.
    prefix: Option<String>,
}

/// Names of one scope.
#[derive(Debug, Clone, Default)]
struct Names {
    existing: HashSet<(Space, String)>,
    /// Dropped since. A down migration may still refer to one, unless the other scope has the name.
    dropped: HashSet<(Space, String)>,
}

/// A namespace: names of different namespaces do not collide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Space {
    /// Tables, views, indexes, sequences and types (each table is a type).
    Relation,
    Routine,
    Other,
}

impl Space {
    pub(super) fn of(kind: SyntaxKind) -> Self {
        let kind = format!("{kind:?}");
        let begins = |words: &[&str]| words.iter().any(|word| kind.starts_with(word));
        if begins(&["AGGREGATE", "CALL_EXPR", "FUNCTION", "PROCEDURE", "ROUTINE"]) {
            Self::Routine
        } else if begins(&["COLLATION", "CONVERSION", "OP", "STATISTICS", "TEXT_SEARCH"]) {
            Self::Other
        } else {
            Self::Relation
        }
    }
}

impl Default for ScopedNames {
    /// Only the one table of Tenure's own that files name without a schema.
    fn default() -> Self {
        let mut platform = Names::default();
        platform.add((Space::Relation, VERSION_TABLE.to_owned()));
        Self {
            platform,
            tenant: Names::default(),
            temporary: HashSet::new(),
            temporary_by_code: HashSet::new(),
            temporary_by_function: HashMap::new(),
            unreadable: UnreadableFiles::default(),
            prefix: None,
        }
    }
}

impl Names {
    fn add(&mut self, key: (Space, String)) {
        self.dropped.remove(&key);
        self.existing.insert(key);
    }

    fn remove(&mut self, key: &(Space, String)) {
        if let Some(key) = self.existing.take(key) {
            self.dropped.insert(key);
        }
    }
}

impl ScopedNames {
    /// For a project whose tenant schemas begin with `prefix`.
    pub fn for_project(prefix: &str) -> Self {
        Self { prefix: Some(prefix.to_owned()).filter(|prefix| !prefix.is_empty()), ..Self::default() }
    }

    /// Adds the names that `statement` creates in `scope`, and removes those that it drops or renames. Bare names of
    /// temporary objects stay unqualified in it.
    pub fn apply(&mut self, statement: &mut Statement, scope: Scope) {
        let kind = format!("{:?}", statement.kind);
        let is_new_name = |name: &Name| (name.role, name.lookup) == (NameRole::Created, Lookup::Path);
        let renames = kind.starts_with("ALTER_") && statement.names.iter().any(is_new_name);
        let is_temporary = self.resolve_temporary(statement, scope);
        let made =
            || statement.names.iter().filter(|name| name.role == NameRole::Created && !is_schema(name));
        if statement.drops_targets() || renames {
            for name in statement.names.iter().filter(|name| name.role == NameRole::Target) {
                // After DROP of a temporary table its name refers to the permanent one.
                if !self.remove_temporary(name, scope) {
                    self.names(scope).remove(&(Space::of(name.kind), name.name.clone()));
                }
            }
        }
        for name in made() {
            let key = (Space::of(name.kind), name.name.clone());
            match key.0 {
                Space::Relation if is_temporary => {
                    self.temporary.insert((scope, key.1));
                }
                _ if is_temporary => {}
                _ => self.names(scope).add(key),
            }
        }
        self.apply_code(statement, scope);
        if statement.kind == SyntaxKind::DISCARD {
            self.temporary.retain(|(of, _)| *of != scope);
            self.temporary_by_code.retain(|(of, _)| *of != scope);
        }
    }

    fn names(&mut self, scope: Scope) -> &mut Names {
        match scope {
            Scope::Platform => &mut self.platform,
            Scope::Tenant => &mut self.tenant,
        }
    }

    /// Adds the temporary objects that code run by the statement creates.
    fn apply_code(&mut self, statement: &Statement, scope: Scope) {
        let code = &statement.temporary_by_code;
        let mut made: Vec<String> = Vec::new();
        if statement.kind == SyntaxKind::DO {
            made.extend(code.iter().cloned());
        } else if !code.is_empty()
            && let Some(function) = statement.names.iter().find(|name| name.role == NameRole::Created)
        {
            self.temporary_by_function.insert(function.name.clone(), code.clone());
        }
        if !self.temporary_by_function.is_empty() {
            let is_call =
                |name: &&Name| name.kind == SyntaxKind::CALL_EXPR || statement.kind == SyntaxKind::CALL;
            let called = statement.names.iter().filter(is_call);
            made.extend(
                called.filter_map(|name| self.temporary_by_function.get(&name.name)).flatten().cloned(),
            );
        }
        for name in made {
            // If a permanent table has the same name, the text does not show which one is meant.
            if !self.names(scope).existing.contains(&(Space::Relation, name.clone())) {
                self.temporary_by_code.insert((scope, name));
            }
        }
    }

    /// Whether a bare name certainly refers to a temporary object.
    fn is_temporary(&self, name: &Name, scope: Scope) -> bool {
        is_bare_relation(name) && self.temporary.contains(&(scope, name.name.clone()))
    }

    /// Whether a bare name may refer to a temporary object: one that code creates, or an index or sequence of a
    /// temporary table.
    fn may_be_temporary(&self, name: &Name, scope: Scope) -> bool {
        if !is_bare_relation(name) || (self.temporary.is_empty() && self.temporary_by_code.is_empty()) {
            return false;
        }
        let by_code = |name: &str| self.temporary_by_code.contains(&(scope, name.to_owned()));
        let has = |name: &str| self.temporary.contains(&(scope, name.to_owned())) || by_code(name);
        let names = match scope {
            Scope::Platform => &self.platform,
            Scope::Tenant => &self.tenant,
        };
        let is_part_of_temporary = || {
            let ends = ["_seq", "_pkey", "_key", "_idx", "_excl"].iter().any(|end| name.name.ends_with(end));
            ends && !names.existing.contains(&(Space::Relation, name.name.clone()))
                && name.name.match_indices('_').any(|(at, _)| has(&name.name[..at]))
        };
        by_code(&name.name) || is_part_of_temporary()
    }

    fn remove_temporary(&mut self, name: &Name, scope: Scope) -> bool {
        let is_bare = name.schema.is_none() && name.lookup == Lookup::Path;
        if is_bare_relation(name) && self.temporary_by_code.remove(&(scope, name.name.clone())) {
            return true;
        }
        let known = self.temporary.take(&(scope, name.name.clone()));
        match known {
            Some(_) if is_bare || is_temporary_schema(name) => true,
            Some(known) => {
                self.temporary.insert(known);
                false
            }
            None => is_temporary_schema(name),
        }
    }

    /// Keeps the bare names in `statement` unqualified that refer to temporary objects. Returns whether it creates a
    /// temporary object.
    fn resolve_temporary(&self, statement: &mut Statement, scope: Scope) -> bool {
        for name in statement.names.iter_mut().filter(|name| name.role != NameRole::Created) {
            if self.is_temporary(name, scope) {
                name.lookup = Lookup::Path;
            } else if name.lookup == Lookup::Own && self.may_be_temporary(name, scope) {
                name.lookup = Lookup::Temporary;
            }
        }
        // A view of a temporary table is temporary (manual, CREATE VIEW), as is an index on it.
        let by_reference = statement.kind == SyntaxKind::CREATE_VIEW;
        let means_temporary = |name: &Name| match name.role {
            NameRole::Created => is_temporary_schema(name),
            NameRole::Referenced if !by_reference => false,
            NameRole::Target | NameRole::Referenced => {
                is_temporary_schema(name)
                    || self.is_temporary(name, scope)
                    || name.lookup == Lookup::Temporary
            }
        };
        let is_temporary =
            statement.location == ObjectLocation::Session || statement.names.iter().any(means_temporary);
        if is_temporary {
            let made = statement.names.iter_mut().filter(|name| name.role == NameRole::Created);
            made.for_each(|name| name.lookup = Lookup::Path);
        }
        is_temporary
    }

    /// Removes the temporary names, which end with their file.
    pub fn end_of_file(&mut self) {
        self.temporary.clear();
        self.temporary_by_code.clear();
    }

    /// The scope of an unqualified `schema_version`; `None` if both scopes may have one.
    pub fn version_table(&self) -> Option<Scope> {
        let tenants = self.tenant.existing.contains(&(Space::Relation, VERSION_TABLE.to_owned()));
        (!tenants).then_some(Scope::Platform)
    }

    /// The scope that a name belongs to; `None` if that is unknown or both have the name.
    pub(super) fn scope_of(&self, name: &Name, platform: &str) -> Option<Scope> {
        match name.schema.as_deref() {
            Some(_) if name.in_tenant_schema() => Some(Scope::Tenant),
            Some(schema) if schema == platform => Some(Scope::Platform),
            Some(_) => None,
            None => {
                let key = (Space::of(name.kind), name.name.clone());
                let one_of = |platform: bool, tenant: bool| match (platform, tenant) {
                    (true, false) => Some(Scope::Platform),
                    (false, true) => Some(Scope::Tenant),
                    (true, true) | (false, false) => None,
                };
                if key.0 == Space::Relation {
                    let temporary = |scope| self.temporary.contains(&(scope, key.1.clone()));
                    let (platform, tenant) = (temporary(Scope::Platform), temporary(Scope::Tenant));
                    if platform || tenant {
                        return one_of(platform, tenant);
                    }
                }
                let existing = (self.platform.existing.contains(&key), self.tenant.existing.contains(&key));
                match existing {
                    (false, false) if name.role != NameRole::Created => {
                        one_of(self.platform.dropped.contains(&key), self.tenant.dropped.contains(&key))
                    }
                    (platform, tenant) => one_of(platform, tenant),
                }
            }
        }
    }

    /// Derives the scope of `statement` from its names; `platform` is the platform schema.
    pub fn scope_clue(&self, statement: &Statement, platform: &str) -> ScopeClue {
        let scope_of = |name: &Name| self.scope_of(name, platform);
        // Names of indexes, triggers and policies are ignored: they belong to the table's schema.
        let acts_on = |name: &&Name| name.role != NameRole::Referenced && !PARTS.contains(&name.kind);
        let targets: Vec<_> = statement.names.iter().filter(acts_on).collect();
        let of_targets: HashSet<Scope> = targets.iter().filter_map(|name| scope_of(name)).collect();
        let of_references = |weak: bool| -> HashSet<Scope> {
            let mentions = statement.names.iter().filter(|name| name.role == NameRole::Referenced);
            mentions.filter(|name| may_be_builtin(name) == weak).filter_map(scope_of).collect()
        };
        let reads = of_references(false);
        let platforms = of_targets.contains(&Scope::Platform);
        match (platforms, of_targets.contains(&Scope::Tenant)) {
            (true, true) => return ScopeClue::Unclear("it acts on both".to_owned()),
            (true, false) if reads.contains(&Scope::Tenant) => {
                return ScopeClue::Unclear("it acts on the platform and reads tables of a tenant".to_owned());
            }
            (true, false) if statement.has_placeholder => {
                return ScopeClue::Unclear(
                    "it acts on the platform and contains a placeholder of a tenant".to_owned(),
                );
            }
            (true, false) => return ScopeClue::Certain(Scope::Platform),
            (false, true) => return ScopeClue::Certain(Scope::Tenant),
            (false, false) if statement.has_placeholder => return ScopeClue::Certain(Scope::Tenant),
            (false, false) => {}
        }
        if statement.location == ObjectLocation::Database {
            return ScopeClue::Certain(Scope::Platform);
        }
        if matches!(statement.kind, SyntaxKind::SET | SyntaxKind::RESET | SyntaxKind::SET_CONSTRAINTS) {
            return ScopeClue::Inherited;
        }
        // `SELECT set_config('search_path', '', false)`, or another setting.
        let only_sets = !statement.names.is_empty() && statement.names.iter().all(is_set_config);
        if statement.kind == SyntaxKind::SELECT && only_sets {
            return ScopeClue::Inherited;
        }
        if reads.contains(&Scope::Tenant) {
            return ScopeClue::Certain(Scope::Tenant);
        }
        if !targets.is_empty() {
            return ScopeClue::Unclear(self.unclear_reason(&targets));
        }
        let weak = of_references(true);
        match (
            reads.contains(&Scope::Platform),
            weak.contains(&Scope::Platform),
            weak.contains(&Scope::Tenant),
        ) {
            (true, _, _) | (false, true, false) => ScopeClue::Certain(Scope::Platform),
            (false, false, true) => ScopeClue::Certain(Scope::Tenant),
            (false, true, true) => ScopeClue::Unclear("it calls functions of both".to_owned()),
            (false, false, false) => {
                ScopeClue::Unclear("it names no object of the platform or of a tenant".to_owned())
            }
        }
    }

    /// The names of the existing objects, in order.
    fn known(&self, space: Space) -> BTreeSet<&str> {
        let existing = self.platform.existing.iter().chain(&self.tenant.existing);
        existing.filter(|(of, _)| *of == space).map(|(_, name)| name.as_str()).collect()
    }

    fn unclear_reason(&self, targets: &[&Name]) -> String {
        let both = |name: &&&Name| {
            let key = (Space::of(name.kind), name.name.clone());
            name.schema.is_none()
                && self.platform.existing.contains(&key)
                && self.tenant.existing.contains(&key)
        };
        if let Some(name) = targets.iter().find(both) {
            return format!("the platform and the tenants have a {:?}", name.name);
        }
        let is_tenant_schema =
            |schema: &str| self.prefix.as_deref().is_some_and(|prefix| schema.starts_with(prefix));
        match targets.first() {
            Some(Name { schema: Some(schema), .. }) if is_tenant_schema(schema) => {
                format!("{ONE_TENANT}, {schema:?}")
            }
            Some(Name { schema: Some(schema), .. }) => {
                format!("{OTHER_SCHEMA} {schema:?} is neither the platform's nor a tenant's")
            }
            Some(name) if name.role == NameRole::Created => format!("{:?} is a new name", name.name),
            Some(name) => {
                let near = did_you_mean(&name.name, self.known(Space::of(name.kind)));
                let near = near.map(|near| format!("; {near}")).unwrap_or_default();
                format!("no file creates {:?}{near}", name.name)
            }
            None => "it names no object".to_owned(),
        }
    }
}

fn is_set_config(name: &Name) -> bool {
    let built_in = name.schema.as_deref().is_none_or(|schema| schema == "pg_catalog");
    name.kind == SyntaxKind::CALL_EXPR && name.name == "set_config" && built_in
}

fn is_bare_relation(name: &Name) -> bool {
    name.schema.is_none() && Space::of(name.kind) == Space::Relation
}

/// Names of objects that belong to a table.
const PARTS: &[SyntaxKind] = &[
    SyntaxKind::CONSTRAINT_NAME_REF,
    SyntaxKind::INDEX,
    SyntaxKind::POLICY_REF,
    SyntaxKind::RULE_REF,
    SyntaxKind::TRIGGER_REF,
];

/// Whether the name is qualified with the session's temporary schema: `pg_temp` or `pg_temp_N`.
fn is_temporary_schema(name: &Name) -> bool {
    name.schema.as_deref().is_some_and(|schema| schema.starts_with("pg_temp"))
}

fn is_schema(name: &Name) -> bool {
    name.kind == SyntaxKind::SCHEMA
}

/// Whether the name may be a built-in function or type, since `pg_catalog` is searched first (manual, chapter 5.10.5).
/// Such names decide the scope only if no other name does.
fn may_be_builtin(name: &Name) -> bool {
    name.schema.is_none() && matches!(name.kind, SyntaxKind::CALL_EXPR | SyntaxKind::PATH_TYPE)
}

#[cfg(test)]
mod tests;
