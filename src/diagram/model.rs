//! The contents of a diagram.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::sql::OWN_TABLES;
use crate::verify::{Entity, EntityColumn, EntitySchema, Schema};

/// The tables and their references.
#[derive(Debug, Clone, Default, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Diagram {
    /// The tables, by schema: shared schemas, the platform, the tenant.
    pub clusters: Vec<Cluster>,
    /// The foreign keys.
    pub references: Vec<Reference>,
}

/// The tables of a schema.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Cluster {
    /// `platform`, `tenant`, or `shared`.
    pub kind: &'static str,
    /// The schema's name; a tenant's is a placeholder.
    pub name: String,
    /// Its tables, by name.
    pub tables: Vec<Table>,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns, in order.
    pub columns: Vec<Column>,
    /// The number of its partitions and child tables, which are not drawn.
    #[serde(skip_serializing_if = "is_zero")]
    pub partitions: usize,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Column {
    /// Its name, type and properties.
    #[serde(flatten)]
    pub column: EntityColumn,
    /// The keys of which it is a part.
    pub keys: Vec<Key>,
}

/// A key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize)]
pub enum Key {
    /// The primary key.
    #[serde(rename = "PK")]
    Primary,
    /// A foreign key.
    #[serde(rename = "FK")]
    Foreign,
    /// Another unique key.
    #[serde(rename = "UK")]
    Unique,
}

/// A foreign key between two tables, each by the indexes of its cluster and in it.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Reference {
    /// The referencing table.
    pub from: (usize, usize),
    /// Its columns.
    pub columns: Vec<String>,
    /// The referenced table.
    pub to: (usize, usize),
    /// Whether a row may reference none.
    pub optional: bool,
    /// Whether at most one row references a row.
    pub one_to_one: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Key {
    /// The usual abbreviation.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "PK",
            Self::Foreign => "FK",
            Self::Unique => "UK",
        }
    }
}

impl Diagram {
    /// The diagram of a model, without Tenure's own tables.
    pub(super) fn of(schema: &Schema, platform: &str) -> Self {
        let entities = schema.entities().into_iter().filter(|entity| {
            let is_own = entity.home == EntitySchema::Platform && OWN_TABLES.contains(&entity.name.as_str());
            !is_own
        });
        let entities: Vec<Entity> = entities.collect();
        let mut diagram = Self::default();
        let mut places = HashMap::new();
        for entity in &entities {
            let (kind, name) = match &entity.home {
                EntitySchema::Platform => ("platform", platform.to_owned()),
                EntitySchema::Tenant => ("tenant", "tenant".to_owned()),
                EntitySchema::Named(name) => ("shared", name.clone()),
            };
            let found =
                diagram.clusters.iter().position(|cluster| cluster.kind == kind && cluster.name == name);
            let at = found.unwrap_or_else(|| {
                diagram.clusters.push(Cluster { kind, name, tables: Vec::new() });
                diagram.clusters.len() - 1
            });
            let tables = &mut diagram.clusters[at].tables;
            places.insert((entity.home.clone(), entity.name.as_str()), (at, tables.len()));
            tables.push(table(entity));
        }
        for entity in &entities {
            let Some(&from) = places.get(&(entity.home.clone(), entity.name.as_str())) else { continue };
            for key in &entity.foreign_keys {
                let Some(&to) = places.get(&(key.home.clone(), key.table.as_str())) else { continue };
                let is_not_null = |name: &String| {
                    entity.columns.iter().any(|column| column.name == *name && column.not_null)
                };
                diagram.references.push(Reference {
                    from,
                    to,
                    optional: !key.columns.iter().all(is_not_null),
                    one_to_one: entity.unique.iter().any(|unique| {
                        !unique.is_empty() && unique.iter().all(|name| key.columns.contains(name))
                    }),
                    columns: key.columns.clone(),
                });
            }
        }
        diagram
    }

    /// All tables with their clusters.
    pub(super) fn tables(&self) -> impl Iterator<Item = (&Cluster, &Table)> {
        self.clusters.iter().flat_map(|cluster| cluster.tables.iter().map(move |table| (cluster, table)))
    }

    /// The index of a table in [`Self::tables`].
    pub(super) fn index(&self, (cluster, table): (usize, usize)) -> usize {
        self.clusters[..cluster].iter().map(|cluster| cluster.tables.len()).sum::<usize>() + table
    }
}

fn table(entity: &Entity) -> Table {
    let columns = entity.columns.iter().map(|column| {
        let is_foreign = entity.foreign_keys.iter().any(|key| key.columns.contains(&column.name));
        // A column that is unique by itself.
        let is_unique = !column.primary && entity.unique.iter().any(|key| *key == [column.name.as_str()]);
        let keys = [(column.primary, Key::Primary), (is_foreign, Key::Foreign), (is_unique, Key::Unique)];
        let keys = keys.into_iter().filter_map(|(has, key)| has.then_some(key)).collect();
        Column { column: column.clone(), keys }
    });
    Table { name: entity.name.clone(), columns: columns.collect(), partitions: entity.children }
}
