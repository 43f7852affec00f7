//! The tables of the model with their keys, for a diagram.

use schemars::JsonSchema;
use serde::Serialize;

use super::schema_ref::SchemaRef;
use super::table::{Constraint, ConstraintKind, Table};
use super::{Relation, Schema};
use crate::sql::is_org_schema;

/// The words that can follow the name of a referenced table.
const END: [&str; 7] = ["(", "match", "on", "deferrable", "not", "initially", "using"];

/// The schema of a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntitySchema {
    /// The platform's schema.
    Platform,
    /// The tenant's schema.
    Tenant,
    /// Another schema.
    Named(String),
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity {
    /// Its schema.
    pub home: EntitySchema,
    /// Its name.
    pub name: String,
    /// Its columns, in order.
    pub columns: Vec<EntityColumn>,
    /// Its foreign keys.
    pub foreign_keys: Vec<ForeignKey>,
    /// The columns of its unique keys, the primary key first.
    pub unique: Vec<Vec<String>>,
    /// The number of its partitions and child tables.
    pub children: usize,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct EntityColumn {
    /// Its name.
    pub name: String,
    /// Its type, with the server's short names.
    #[serde(rename = "type")]
    pub of_type: String,
    /// Whether it does not accept NULL.
    pub not_null: bool,
    /// Whether it is a part of the primary key.
    pub primary: bool,
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    /// Its columns.
    pub columns: Vec<String>,
    /// The schema of the referenced table.
    pub home: EntitySchema,
    /// The referenced table.
    pub table: String,
}

impl EntitySchema {
    fn of(home: &SchemaRef) -> Option<Self> {
        match home {
            SchemaRef::Platform => Some(Self::Platform),
            SchemaRef::Tenant => Some(Self::Tenant),
            SchemaRef::Named(name) => Some(Self::Named(name.clone())),
            SchemaRef::Temporary | SchemaRef::Bare => None,
        }
    }
}

impl Schema {
    /// The tables of all schemas, by schema and name. Partitions and child tables are counted only.
    pub fn entities(&self) -> Vec<Entity> {
        let tables = self.relations.all().iter().filter_map(|((home, name), relation)| {
            let Relation::Table(table) = relation.as_ref() else { return None };
            Some((EntitySchema::of(&home)?, name, table))
        });
        let mut entities: Vec<_> = tables
            .filter(|(_, _, table)| table.parents.is_empty())
            .map(|(home, name, table)| self.entity(home, name, table))
            .collect();
        entities.sort_by(|one, other| (&one.home, &one.name).cmp(&(&other.home, &other.name)));
        entities
    }

    fn entity(&self, home: EntitySchema, name: String, table: &Table) -> Entity {
        let keys = |kind| table.constraints.iter().filter(move |own| own.kind == kind);
        let primary = keys(ConstraintKind::PrimaryKey).next();
        let unique = primary.into_iter().chain(keys(ConstraintKind::Unique));
        let of_indexes = table.indexes.iter().filter(|index| index.unique && !index.partial);
        let of_indexes = of_indexes.filter_map(|index| index.columns.clone());
        let columns = table.columns.iter().map(|column| EntityColumn {
            name: column.name.clone(),
            of_type: column.of_type.as_ref().map_or_else(|| "?".to_owned(), super::SqlType::text),
            not_null: table.proves_not_null(&column.name),
            primary: primary.is_some_and(|key| key.columns.contains(&column.name)),
        });
        let foreign_keys = table.constraints.iter().filter_map(|own| self.foreign_key(&home, own));
        Entity {
            columns: columns.collect(),
            foreign_keys: foreign_keys.collect(),
            unique: unique.map(|key| key.columns.clone()).chain(of_indexes).collect(),
            children: self.children_of(&name).count(),
            home,
            name,
        }
    }

    /// The foreign key of a constraint; its definition names the referenced table after `references`.
    fn foreign_key(&self, home: &EntitySchema, constraint: &Constraint) -> Option<ForeignKey> {
        if !matches!(constraint.kind, ConstraintKind::ForeignKey { .. }) {
            return None;
        }
        // A name may contain spaces.
        let words = constraint.text.split(' ').skip_while(|word| *word != "references").skip(1);
        let words: Vec<&str> = words.take_while(|word| !END.contains(word)).collect();
        let (named, table) = match words.iter().position(|word| *word == ".") {
            Some(dot) => (Some(words[..dot].join(" ")), words[dot + 1..].join(" ")),
            None => (None, words.join(" ")),
        };
        let home = match named {
            Some(named) if is_org_schema(&named) => EntitySchema::Tenant,
            Some(named) => EntitySchema::of(&self.named(&named))?,
            // A bare name: the own schema, else another one that has such a table.
            None => {
                let mut homes: Vec<_> =
                    self.relations.all().homes_of(&table).iter().filter_map(EntitySchema::of).collect();
                homes.sort();
                let other = homes.first().unwrap_or(home);
                if homes.contains(home) { home.clone() } else { other.clone() }
            }
        };
        Some(ForeignKey { columns: constraint.columns.clone(), home, table })
    }
}
