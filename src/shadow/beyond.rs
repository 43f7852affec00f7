//! What a statement did outside of the schema that it ran for, where its file does not name it.

use std::collections::BTreeMap;

use super::database_snapshot::DatabaseSnapshot;
use super::shadow_run::ShadowRun;
use super::watch::{Table, Use};
use crate::chain::Migration;
use crate::ident::SchemaName;
use crate::postgres::catalog::{Change, Kind};
use crate::sql::{OWN_TABLES, Scope, TextNames};

/// One such effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Beyond {
    /// The rule that says the same of a text.
    pub(super) rule: &'static str,
    /// What happened, and where.
    pub(super) message: String,
    /// The names that an Allow line may call it by.
    pub(super) words: Vec<String>,
}

/// A statement's scope, the schema that it ran for, and what its file names when it runs for that one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ran<'a> {
    pub(super) scope: Scope,
    pub(super) schema: &'a SchemaName,
    pub(super) named: &'a TextNames,
}

/// The names in `migration` as they are for `schema`.
pub(super) fn named(migration: &Migration, schema: &SchemaName) -> TextNames {
    TextNames::of(&migration.script.source.text.replace(crate::sql::ORG_SCHEMA, schema.as_str()))
}

impl Ran<'_> {
    /// Whether the file says that the statement acts on `name` of `schema`. A step of the platform may leave the schema out.
    fn names(&self, schema: &str, name: &str) -> bool {
        self.named.contains_qualified(schema, name)
            || (self.scope == Scope::Platform && self.named.contains(name))
    }

    /// The same of a thing that may have come with another: a sequence or an index has a name that begins with its table's.
    fn names_whole(&self, schema: &str, name: &str) -> bool {
        let beginnings = name.match_indices('_').map(|(at, _)| &name[..at]);
        self.names(schema, name) || beginnings.into_iter().any(|table| self.names(schema, table))
    }

    fn rule(&self) -> &'static str {
        match self.scope {
            Scope::Platform => "beyond-platform",
            Scope::Tenant => "beyond-tenant",
        }
    }

    /// That it may change an object of that name elsewhere, if there is one.
    pub(super) fn meant(&self, schema: &str, name: &str) -> Beyond {
        let words = vec![schema.to_owned(), name.to_owned()];
        self.beyond(name, &format!("may mean an object of schema {schema}"), words)
    }

    fn beyond(&self, what: &str, place: &str, words: Vec<String>) -> Beyond {
        let own = match self.scope {
            Scope::Platform => "the platform's schema",
            Scope::Tenant => "the tenant's schema",
        };
        let message = format!("`{what}` {place}, outside of {own}, and the file does not name it");
        Beyond { rule: self.rule(), message, words }
    }
}

impl ShadowRun<'_> {
    /// What a statement that ran so did elsewhere: to definitions, between two looks, and to rows.
    pub(super) fn beyond(
        &self,
        ran: Ran<'_>,
        (before, now): (&DatabaseSnapshot, &DatabaseSnapshot),
        uses: &BTreeMap<Table, Use>,
    ) -> Vec<Beyond> {
        let mut found = Vec::new();
        for (schema, changes) in before.changes(now) {
            if schema != *ran.schema {
                let told = changes.iter().filter(|change| !is_named(ran, &schema, change));
                found.extend(told.map(|change| {
                    let what = format!("{}: {}", change.object, change.line());
                    let words = vec![schema.as_str().to_owned(), change.object.bare_name().to_owned()];
                    ran.beyond(&what, &format!("happens in {}", self.shown(&schema)), words)
                }));
            }
        }
        for ((schema, table), used) in uses {
            let is_own_table = OWN_TABLES.contains(&table.as_str());
            let is_written = used.touched > 0 || used.rewritten;
            let Ok(home) = SchemaName::existing(schema.as_str()) else { continue };
            if home != *ran.schema && is_written && !is_own_table && !ran.names_whole(schema, table) {
                let words = vec![schema.clone(), table.clone()];
                let place = format!("is written to in {}", self.shown(&home));
                found.push(ran.beyond(&format!("table {table}"), &place, words));
            }
        }
        if ran.scope == Scope::Tenant {
            found.extend(of_database(ran, before, now));
        }
        found
    }

    /// A schema, so that it reads the same whichever tenant of the sample it is.
    fn shown(&self, schema: &SchemaName) -> String {
        if self.tenants.contains(schema) || self.control_tenant.as_ref() == Some(schema) {
            "the schema of a tenant".to_owned()
        } else {
            format!("schema {schema}")
        }
    }
}

fn is_named(ran: Ran<'_>, schema: &SchemaName, change: &Change) -> bool {
    match change.object.kind {
        // A photograph shows those of the whole database.
        Kind::Extension => true,
        Kind::Schema => ran.named.contains(schema.as_str()),
        _ => ran.names_whole(schema.as_str(), change.object.bare_name()),
    }
}

/// What no schema holds, and schemas.
fn of_database(ran: Ran<'_>, before: &DatabaseSnapshot, now: &DatabaseSnapshot) -> Vec<Beyond> {
    let mut found = Vec::new();
    for thing in before.outside_of(ran.schema, now) {
        if thing.what == "extension" {
            let why = "is about an extension, which a database has once and not once for each tenant";
            let message = format!("`extension {}` {why}", thing.names.join(" "));
            found.push(Beyond { rule: "tenant-extension", message, words: thing.names.clone() });
        } else if thing.names.is_empty() || !thing.names.iter().all(|name| ran.named.contains(name)) {
            let what = format!("{} {}", thing.what, thing.names.join(" "));
            found.push(ran.beyond(what.trim_end(), "is changed", thing.names.clone()));
        }
    }
    for schema in before.other_schemas(now).filter(|schema| !ran.named.contains(schema.as_str())) {
        let words = vec![schema.as_str().to_owned()];
        found.push(ran.beyond(&format!("schema {schema}"), "is made or dropped", words));
    }
    found
}
