//! Which schema a name leads to: what the search path of a unit, or of a plain session for a file that
//! belongs to no project, finds.

use squawk_syntax::SyntaxKind;

use super::name_map::NameMap;
use super::table::Found;
use super::{Key, Schema};
use crate::sql::{Lookup, Name, Node, Scope, Statement, normalized};

/// A schema, as far as the text says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::verify) enum SchemaRef {
    /// The tenant's.
    Tenant,
    /// The platform's.
    Platform,
    /// Found before all others under its bare name (manual, chapter 19.11.1, `search_path`).
    Temporary,
    /// Another.
    Named(String),
    /// Bare, in a file whose scope nobody knows: the same as another bare name only.
    Bare,
}

/// Where bare names lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Path {
    /// Where they lead in a unit, or in a plain session.
    Usual,
    /// First to this schema.
    To(SchemaRef),
    /// Nobody knows.
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

    /// Where something is made under `name`; `None` where nobody can say.
    pub(super) fn home(&self, name: &Name, scope: Option<Scope>) -> Option<SchemaRef> {
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

    /// The key under which `name` is held now, if it is known which thing it means.
    pub(super) fn key_of<T>(&self, held: &NameMap<T>, name: &Name, scope: Option<Scope>) -> Option<Key> {
        Some((self.search(held, name, scope).there()?, name.name.clone()))
    }

    /// What is held under `name`, where the server would look for it.
    pub(super) fn find<'a, T>(
        &self,
        held: &'a NameMap<T>,
        name: &Name,
        scope: Option<Scope>,
    ) -> Found<&'a T> {
        match self.search(held, name, scope) {
            Found::There(home) => {
                held.get(&home, &name.name).map_or(Found::Unknown, |found| Found::There(found.as_ref()))
            }
            Found::Absent => Found::Absent,
            Found::Unknown => Found::Unknown,
        }
    }

    /// What is held where a statement would make `name`: bare names are made in one place, whatever other
    /// places are looked at.
    pub(super) fn find_own<'a, T>(
        &self,
        held: &'a NameMap<T>,
        name: &Name,
        scope: Option<Scope>,
    ) -> Found<&'a T> {
        if scope.is_none() {
            return self.find(held, name, scope);
        }
        let Some(home) = self.home(name, scope) else { return Found::Unknown };
        let knows = self.knows_all_of(&home);
        match held.get(&home, &name.name) {
            Some(found) => Found::There(found.as_ref()),
            None if knows => Found::Absent,
            None => Found::Unknown,
        }
    }

    /// The schema in which the server would find `name`.
    fn search<T>(&self, held: &NameMap<T>, name: &Name, scope: Option<Scope>) -> Found<SchemaRef> {
        let Some(first) = self.home(name, scope) else { return Found::Unknown };
        let called = held.called(&name.name);
        let is_bare = name.schema.is_none();
        let before = is_bare.then_some(SchemaRef::Temporary);
        // A unit's statement names what it changes with the unit's schema.
        let looks_further = is_bare && (scope.is_none() || name.lookup != Lookup::Own);
        let shared = self.shared.iter().filter(|home| looks_further && **home != first).cloned();
        for home in before.into_iter().chain([first.clone()]).chain(shared) {
            if called.iter().any(|(own, _)| *own == home) {
                return Found::There(home);
            }
            if !self.knows_all_of(&home) {
                return Found::Unknown;
            }
        }
        // A file outside of any project may mean by its bare name, or by the placeholder, whatever the
        // given schema has of that name.
        if scope.is_none() && (is_bare || name.in_tenant_schema()) {
            let mut others =
                called.iter().map(|(home, _)| home).filter(|home| **home != SchemaRef::Temporary);
            return match (others.next(), others.next()) {
                (Some(only), None) => Found::There(only.clone()),
                (Some(_), Some(_)) => Found::Unknown,
                (None, _) => Found::Absent,
            };
        }
        Found::Absent
    }

    pub(super) fn knows_all_of(&self, home: &SchemaRef) -> bool {
        match home {
            SchemaRef::Temporary => true,
            SchemaRef::Tenant => self.knows.tenant,
            SchemaRef::Platform => self.knows.platform,
            SchemaRef::Named(_) | SchemaRef::Bare => self.knows.others,
        }
    }

    /// Follows what a statement does to the search path.
    pub(super) fn follow_path(&mut self, statement: &Statement, node: Node<'_>) {
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
                self.home(&name, None).map_or(Path::Anywhere, Path::To)
            }
            _ => Path::Anywhere,
        };
    }
}

pub(super) fn public() -> SchemaRef {
    SchemaRef::Named("public".to_owned())
}
