//! Resolves a name to a schema, by the search path of a unit, or of a plain session for a file outside of a project.

use squawk_syntax::SyntaxKind;

use super::name_map::NameMap;
use super::table::Found;
use super::{Key, Schema};
use crate::sql::{Lookup, Name, Node, Scope, Statement, normalized};

/// A schema, as far as the text identifies it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::verify) enum SchemaRef {
    /// The tenant's schema.
    Tenant,
    /// The platform's schema.
    Platform,
    /// The temporary schema, which is searched first (manual, chapter 19.11.1, `search_path`).
    Temporary,
    /// Another schema.
    Named(String),
    /// Unknown: an unqualified name in a file of unknown scope. It only matches another unqualified name.
    Bare,
}

/// The search path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Path {
    /// The default of a unit, or of a plain session.
    Usual,
    /// This schema first.
    To(SchemaRef),
    /// Unknown.
    Anywhere,
}

impl Schema {
    pub(super) fn named(&self, schema: &str) -> SchemaRef {
        match schema {
            "pg_temp" => SchemaRef::Temporary,
            _ if schema == self.platform => SchemaRef::Platform,
            _ => SchemaRef::Named(schema.to_owned()),
        }
    }

    /// The schema in which `name` is created; `None` if unknown.
    pub(super) fn creation_schema(&self, name: &Name, scope: Option<Scope>) -> Option<SchemaRef> {
        Some(match (name.schema.as_deref(), &self.path, scope) {
            (Some(_), _, _) if name.in_tenant_schema() => SchemaRef::Tenant,
            (Some(schema), _, _) => self.named(schema),
            (None, Path::Anywhere, _) => return None,
            (None, Path::To(home), _) => home.clone(),
            (None, Path::Usual, Some(Scope::Tenant)) => SchemaRef::Tenant,
            (None, Path::Usual, Some(Scope::Platform)) => SchemaRef::Platform,
            (None, Path::Usual, None) => public(),
        })
    }

    /// The key of the object to which `name` resolves, if it is known.
    pub(super) fn key_of<T>(&self, held: &NameMap<T>, name: &Name, scope: Option<Scope>) -> Option<Key> {
        Some((self.search(held, name, scope).present()?, name.name.clone()))
    }

    /// The object to which `name` resolves on the search path.
    pub(super) fn find<'a, T>(
        &self,
        held: &'a NameMap<T>,
        name: &Name,
        scope: Option<Scope>,
    ) -> Found<&'a T> {
        match self.search(held, name, scope) {
            Found::Present(home) => {
                held.get(&home, &name.name).map_or(Found::Unknown, |found| Found::Present(found.as_ref()))
            }
            Found::Absent => Found::Absent,
            Found::Unknown => Found::Unknown,
        }
    }

    /// The object with the name that a statement gives to a new one. New objects are created in one schema, whatever else is on
    /// the search path.
    pub(super) fn find_own<'a, T>(
        &self,
        held: &'a NameMap<T>,
        name: &Name,
        scope: Option<Scope>,
    ) -> Found<&'a T> {
        if scope.is_none() || self.ignores_scope {
            return self.find(held, name, scope);
        }
        let Some(home) = self.creation_schema(name, scope) else { return Found::Unknown };
        let is_complete = self.knowledge.proves_absence(&home, &name.name);
        match held.get(&home, &name.name) {
            Some(found) => Found::Present(found.as_ref()),
            None if is_complete => Found::Absent,
            None => Found::Unknown,
        }
    }

    /// The schema in which the server finds `name`.
    fn search<T>(&self, held: &NameMap<T>, name: &Name, scope: Option<Scope>) -> Found<SchemaRef> {
        let Some(first) = self.creation_schema(name, scope) else { return Found::Unknown };
        let called = held.with_name(&name.name);
        let is_bare = name.schema.is_none();
        let before = is_bare.then_some(SchemaRef::Temporary);
        // Targets of a unit's statement are qualified with the unit's schema.
        let looks_further = is_bare && (scope.is_none() || name.lookup != Lookup::Own);
        let shared = self.shared.iter().filter(|home| looks_further && **home != first).cloned();
        for home in before.into_iter().chain([first.clone()]).chain(shared) {
            if called.iter().any(|(own, _)| *own == home) {
                return Found::Present(home);
            }
            if !self.knowledge.proves_absence(&home, &name.name) {
                return Found::Unknown;
            }
        }
        // Outside of a project, an unqualified name or the placeholder may refer to an object of that name in any schema.
        if (scope.is_none() || self.ignores_scope) && (is_bare || name.in_tenant_schema()) {
            let mut others =
                called.iter().map(|(home, _)| home).filter(|home| **home != SchemaRef::Temporary);
            return match (others.next(), others.next()) {
                (Some(only), None) => Found::Present(only.clone()),
                (Some(_), Some(_)) => Found::Unknown,
                (None, _) => Found::Absent,
            };
        }
        Found::Absent
    }

    /// Applies a statement's change of the search path.
    pub(super) fn apply_search_path(&mut self, statement: &Statement, node: Node<'_>) {
        if !statement.changes_search_path {
            return;
        }
        let values: Vec<Node<'_>> = node
            .descendants()
            .filter(|part| part.kind() == SyntaxKind::TO_CONFIG_VALUE)
            .flat_map(Node::children)
            .collect();
        let first = values.first().map(|value| normalized(value.text().trim_matches('\'')));
        self.path = match first {
            Some(schema)
                if statement.kind == SyntaxKind::SET
                    && !schema.is_empty()
                    && !schema.contains([',', '$']) =>
            {
                let name = Name {
                    schema: Some(schema),
                    name: String::new(),
                    role: crate::sql::NameRole::Referenced,
                    kind: SyntaxKind::SCHEMA_REF,
                    range: 0..0,
                    lookup: Lookup::Path,
                };
                self.creation_schema(&name, None).map_or(Path::Anywhere, Path::To)
            }
            _ => Path::Anywhere,
        };
    }
}

pub(super) fn public() -> SchemaRef {
    SchemaRef::Named("public".to_owned())
}
