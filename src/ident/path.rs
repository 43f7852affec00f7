//! The search path of a unit (manual, chapter 5.9.3).

use super::{Identifier, SchemaName};

/// The schemas after a unit's own schema in its search path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedPath {
    schemas: Vec<Identifier>,
    extensions: Identifier,
}

impl SharedPath {
    /// `shared`, then the schema of extensions, then `public`, without duplicates.
    pub fn new(shared: &[Identifier], extensions: &Identifier) -> Self {
        let public = Identifier("public".to_owned());
        let mut schemas: Vec<Identifier> = Vec::new();
        for schema in shared.iter().chain([extensions, &public]) {
            if !schemas.contains(schema) {
                schemas.push(schema.clone());
            }
        }
        Self { schemas, extensions: extensions.clone() }
    }

    /// The search path of a unit on `schema`, as SQL.
    pub fn of(&self, schema: &SchemaName) -> String {
        self.starting_with(&[schema])
    }

    /// The search path that starts with `first`, as SQL.
    pub fn starting_with(&self, first: &[&SchemaName]) -> String {
        let shared = self.schemas.iter().filter(|it| !first.iter().any(|own| own.as_str() == it.as_str()));
        let shared = shared.map(|it| if it.0 == "public" { it.0.clone() } else { it.quoted() });
        first.iter().map(|own| own.quoted()).chain(shared).collect::<Vec<_>>().join(", ")
    }

    /// The names of the schemas, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.schemas.iter().map(Identifier::as_str)
    }

    /// The schema in which extensions are created.
    pub fn extensions(&self) -> &Identifier {
        &self.extensions
    }
}

impl Default for SharedPath {
    /// Only `public`.
    fn default() -> Self {
        let public = Identifier("public".to_owned());
        Self { schemas: vec![public.clone()], extensions: public }
    }
}
