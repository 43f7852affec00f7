//! Effects of a statement outside of its unit's schema, on objects that the file does not name.

use std::collections::BTreeMap;

use super::database_snapshot::DatabaseSnapshot;
use super::shadow_run::ShadowRun;
use super::watch::{RowUsage, Table};
use crate::chain::Migration;
use crate::ident::SchemaName;
use crate::postgres::catalog::{Change, Kind};
use crate::sql::{OWN_TABLES, Scope, TextNames};
use crate::verify::RuleId;

/// An effect outside of the unit's schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OutsideEffect {
    /// The rule that reports it.
    pub(super) rule: RuleId,
    /// The effect and its place.
    pub(super) message: String,
    /// The names that an Allow line may use.
    pub(super) words: Vec<String>,
}

/// The unit in which a statement ran: scope, schema, and the names in its file, rendered for that schema.
#[derive(Debug, Clone, Copy)]
pub(super) struct Execution<'a> {
    pub(super) scope: Scope,
    pub(super) schema: &'a SchemaName,
    pub(super) named: &'a TextNames,
}

/// The names in `migration`, rendered for `schema`.
pub(super) fn named(migration: &Migration, schema: &SchemaName) -> TextNames {
    TextNames::of(&migration.script.source.text.replace(crate::sql::ORG_SCHEMA, schema.as_str()))
}

impl Execution<'_> {
    /// Whether the file names `name` in `schema`. A platform step may omit the schema.
    fn names(&self, schema: &str, name: &str) -> bool {
        self.named.contains_qualified(schema, name)
            || (self.scope == Scope::Platform && self.named.contains(name))
    }

    /// The same, also for an object that was created with a table: its name begins with the table's (a sequence, an index).
    fn names_whole(&self, schema: &str, name: &str) -> bool {
        let beginnings = name.match_indices('_').map(|(at, _)| &name[..at]);
        self.names(schema, name) || beginnings.into_iter().any(|table| self.names(schema, table))
    }

    fn rule(&self) -> RuleId {
        match self.scope {
            Scope::Platform => RuleId::BeyondPlatform,
            Scope::Tenant => RuleId::BeyondTenant,
        }
    }

    /// The statement may change an object of this name in `schema`, if one exists.
    pub(super) fn possible_target(&self, schema: &str, name: &str) -> OutsideEffect {
        let words = vec![schema.to_owned(), name.to_owned()];
        self.beyond(name, &format!("may mean an object of schema {schema}"), words)
    }

    fn beyond(&self, what: &str, place: &str, words: Vec<String>) -> OutsideEffect {
        let own = match self.scope {
            Scope::Platform => "the platform's schema",
            Scope::Tenant => "the tenant's schema",
        };
        let message = format!("`{what}` {place}, outside of {own}, but the file does not name it");
        OutsideEffect { rule: self.rule(), message, words }
    }
}

impl ShadowRun<'_> {
    /// The effects of a statement outside of its unit's schema: changed definitions between two snapshots, and written rows.
    pub(super) fn beyond(
        &self,
        execution: Execution<'_>,
        snapshots: (&DatabaseSnapshot, &DatabaseSnapshot),
        uses: &BTreeMap<Table, RowUsage>,
    ) -> Vec<OutsideEffect> {
        self.beyond_units(execution, std::slice::from_ref(execution.schema), snapshots, uses)
    }

    /// The effects of a step without a transaction outside of its units' schemas. Its statements run only as `migrate up` runs them,
    /// so no statement is known to cause an effect.
    pub(super) fn beyond_step(
        &self,
        migration: &Migration,
        (before, now): (&DatabaseSnapshot, &DatabaseSnapshot),
    ) -> Vec<(Scope, OutsideEffect)> {
        let platform = self.project.settings.platform_schema();
        let mut own = Vec::new();
        let mut last = None;
        if migration.has(Scope::Platform) {
            last = Some((Scope::Platform, platform.clone()));
            own.push(platform);
        }
        if let Some(first) = self.tenants.first().filter(|_| migration.has(Scope::Tenant)) {
            last = Some((Scope::Tenant, first.clone()));
            own.extend(self.tenants.iter().chain(&self.control_tenant).cloned());
        }
        let Some((scope, schema)) = last else { return Vec::new() };
        let written = |table| (table, RowUsage { touched: 1, ..RowUsage::default() });
        let uses = before.rows.changed_tables(&now.rows).map(written).collect();
        let named = named(migration, &schema);
        let execution = Execution { scope, schema: &schema, named: &named };
        let found = self.beyond_units(execution, &own, (before, now), &uses);
        found.into_iter().map(|effect| (scope, effect)).collect()
    }

    /// The effects outside of the schemas `own`.
    fn beyond_units(
        &self,
        execution: Execution<'_>,
        own: &[SchemaName],
        (before, now): (&DatabaseSnapshot, &DatabaseSnapshot),
        uses: &BTreeMap<Table, RowUsage>,
    ) -> Vec<OutsideEffect> {
        let mut found = Vec::new();
        for (schema, changes) in before.changes(now) {
            if !own.contains(&schema) {
                let is_dropped =
                    execution.named.contains(schema.as_str()) && !now.schemas().any(|kept| *kept == schema);
                let reported =
                    changes.iter().filter(|change| !is_dropped && !is_named(execution, &schema, change));
                found.extend(reported.map(|change| {
                    let what = format!("{}: {}", change.object, change.line());
                    let words = vec![schema.as_str().to_owned(), change.object.bare_name().to_owned()];
                    execution.beyond(&what, &format!("happens in {}", self.shown(&schema)), words)
                }));
            }
        }
        for ((schema, table), used) in uses {
            let is_own_table = OWN_TABLES.contains(&table.as_str());
            let is_written = used.touched > 0 || used.rewritten;
            let Ok(home) = SchemaName::existing(schema.as_str()) else { continue };
            if !own.contains(&home) && is_written && !is_own_table && !execution.names_whole(schema, table) {
                let words = vec![schema.clone(), table.clone()];
                let place = format!("is written to in {}", self.shown(&home));
                found.push(execution.beyond(&format!("table {table}"), &place, words));
            }
        }
        if execution.scope == Scope::Tenant {
            found.extend(of_database(execution, own, (before, now)));
        }
        found
    }

    /// The schema for a message; independent of which sample tenant it is.
    fn shown(&self, schema: &SchemaName) -> String {
        if self.tenants.contains(schema) || self.control_tenant.as_ref() == Some(schema) {
            "the schema of a tenant".to_owned()
        } else {
            format!("schema {schema}")
        }
    }
}

fn is_named(execution: Execution<'_>, schema: &SchemaName, change: &Change) -> bool {
    match change.object.kind {
        // A snapshot of a schema contains the extensions of the whole database.
        Kind::Extension => true,
        // An operator has no name of letters.
        Kind::Schema | Kind::Operator => execution.named.contains(schema.as_str()),
        _ => execution.names_whole(schema.as_str(), change.object.bare_name()),
    }
}

/// Changes of objects that no schema contains, and of schemas.
fn of_database(
    execution: Execution<'_>,
    own: &[SchemaName],
    (before, now): (&DatabaseSnapshot, &DatabaseSnapshot),
) -> Vec<OutsideEffect> {
    let mut found = Vec::new();
    for thing in before.changed_outside_except(own, now) {
        if thing.what == "extension" {
            let why = "acts on an extension, and a database has an extension once, not once per tenant";
            let message = format!("`extension {}` {why}", thing.names.join(" "));
            found.push(OutsideEffect { rule: RuleId::TenantExtension, message, words: thing.names.clone() });
        } else if thing.names.is_empty() || !thing.names.iter().all(|name| execution.named.contains(name)) {
            let what = format!("{} {}", thing.what, thing.names.join(" "));
            found.push(execution.beyond(what.trim_end(), "is changed", thing.names.clone()));
        }
    }
    for schema in
        before.created_or_dropped_schemas(now).filter(|schema| !execution.named.contains(schema.as_str()))
    {
        let words = vec![schema.as_str().to_owned()];
        found.push(execution.beyond(&format!("schema {schema}"), "is created or dropped", words));
    }
    found
}
