//! Proves that the versions of a template lead to the same tenant: creates tenants of each at the end of the chain and compares
//! their snapshots and rows. Rows that differ between two tenants of one template are not compared.

use std::collections::BTreeMap;

use serde_json::Value;

use super::data::{Record, Rows};
use super::database::Shadow;
use super::database_snapshot::DatabaseSnapshot;
use super::{prepared, setup};
use crate::error::Failure;
use crate::ident::SchemaName;
use crate::postgres::catalog::{self, Change, Kind, Object, Property, SchemaSnapshot, Transaction};
use crate::postgres::{Connection, metadata};
use crate::project::Project;
use crate::sql::TextNames;
use crate::template::{Proof, Template};
use crate::tenant::{After, NewTenant};

/// The rows of a tenant, by table.
type Seeds = BTreeMap<String, Vec<Record>>;

/// Two tenants of one template. Comparing them shows which values are the same each time.
#[derive(Debug)]
pub(super) struct TenantPair {
    pub(super) schema: SchemaName,
    snapshot: SchemaSnapshot,
    rows: Seeds,
    other_rows: Seeds,
}

/// Migrates the platform to the end of the chain.
pub(super) async fn migrate_to_latest(connection: &mut Connection, project: &Project) -> Result<(), Failure> {
    metadata::ensure(connection, &project.settings.platform_schema(), project.settings.migrate.lock_timeout)
        .await?;
    setup::migrate(connection, project, &project.chain.latest()).await?.map_or(Ok(()), Err)
}

impl TenantPair {
    /// Creates two tenants of `template`. `number` must be unique on this shadow.
    pub(super) async fn make(
        connection: &mut Connection,
        project: &Project,
        (template, after): (&str, After),
        number: usize,
    ) -> Result<Self, Failure> {
        let set = project.template(Some(template))?.parameters.samples();
        let requested = ["a", "b"].map(|letter| NewTenant {
            slug: setup::sample_slug(number, letter),
            name: None,
            template: Some(template.to_owned()),
            set: set.clone(),
        });
        let schemas = setup::tenants(connection, project, &requested, after).await?;
        let schema = schemas[0].clone();
        let snapshot = catalog::snapshot(connection, &schema).await?;
        let mut seeds = Vec::new();
        for schema in &schemas {
            let rows = Rows::read(connection, std::slice::from_ref(schema), None).await?;
            seeds.push(rows.with_sequences().collect::<Seeds>());
        }
        let (other_rows, rows) = (seeds.pop().unwrap_or_default(), seeds.pop().unwrap_or_default());
        Ok(Self { schema, snapshot, rows, other_rows })
    }

    /// Whether a new tenant has rows.
    pub(super) fn has_rows(&self) -> bool {
        self.rows.values().any(|rows| !rows.is_empty())
    }

    /// The names of the materialized views with rows.
    pub(super) fn filled_views(&self) -> Vec<&str> {
        let is_filled = |object: &Object| object.properties.get(Property::Populated).is_none();
        let views = self.snapshot.objects.iter();
        let views = views.filter(|(key, object)| key.kind == Kind::MaterializedView && is_filled(object));
        views.map(|(key, _)| key.name.as_str()).collect()
    }

    /// The differences to `other`, a line each.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        let changes = Change::between(&self.snapshot, &other.snapshot);
        let mut lines: Vec<String> =
            changes.iter().map(|change| format!("{}: {}", change.object, change.line())).collect();
        for (table, rows) in &self.rows {
            // The snapshot shows a missing table.
            let (Some(other_rows), Some(now)) = (self.other_rows.get(table), other.rows.get(table)) else {
                continue;
            };
            if rows.len() != now.len() {
                lines.push(format!("table {table}: rows: {} instead of {}", now.len(), rows.len()));
                continue;
            }
            for column in rows.first().into_iter().flat_map(Record::keys) {
                let values = values(rows, column);
                // Random values and times differ each time.
                let is_fixed = values == self::values(other_rows, column);
                if is_fixed && values != self::values(now, column) {
                    lines.push(format!("table {table}: column {column} holds other values"));
                }
            }
        }
        lines
    }
}

fn values(rows: &[Record], column: &str) -> Vec<String> {
    let mut values: Vec<String> =
        rows.iter().filter_map(|row| row.get(column)).map(Value::to_string).collect();
    values.sort_unstable();
    values
}

/// Creates tenants of every template at the end of the chain, and compares those of the versions of one template.
pub async fn prove(project: &Project, mut shadow: Shadow) -> Result<Vec<Proof>, Failure> {
    prepared::create_named_roles(project, &shadow).await?;
    let proofs = Box::pin(prove_on(&mut shadow.connection, project)).await;
    let closed = shadow.close().await;
    let proofs = proofs.map_err(super::of_shadow)?;
    closed?;
    Ok(proofs)
}

/// The changes outside of the new tenants' schemas on objects that neither the template nor a step after it names.
fn beyond(
    project: &Project,
    template: &Template,
    before: &DatabaseSnapshot,
    now: &DatabaseSnapshot,
) -> Vec<String> {
    let of_template = template.files.iter().chain(&template.after_create).map(|(script, _)| script);
    let steps = template.steps_to(&project.chain, &project.chain.latest()).unwrap_or_default();
    let scripts = of_template.chain(steps.iter().map(|step| &step.script));
    let named: Vec<TextNames> = scripts.map(|script| TextNames::of(&script.source.text)).collect();
    let mut lines = Vec::new();
    for (schema, changes) in before.changes(now) {
        let is_named = |change: &&Change| {
            let name = change.object.bare_name();
            change.object.kind == Kind::Extension
                || named.iter().any(|named| named.contains_qualified(schema.as_str(), name))
        };
        lines.extend(changes.iter().filter(|change| !is_named(change)).map(|change| {
            format!("`{}: {}` in schema {schema}, outside of the tenant", change.object, change.line())
        }));
    }
    lines
}

async fn prove_on(connection: &mut Connection, project: &Project) -> Result<Vec<Proof>, Failure> {
    migrate_to_latest(connection, project).await?;
    let mut proofs = Vec::new();
    let mut families: BTreeMap<&str, Vec<&Template>> = BTreeMap::new();
    for template in project.templates.values() {
        families.entry(template.family()).or_insert_with(|| project.versions_of(template));
    }
    let mut number = 0;
    for versions in families.into_values() {
        // Each version is compared with the one before it, so a difference is reported where it began.
        let mut made: Vec<(&Template, TenantPair)> = Vec::new();
        for template in versions {
            number += 1;
            let before = made.last();
            let mut proof = Proof {
                template: template.name.clone(),
                version: template.version.clone(),
                against: before.map(|(older, _)| older.name.clone()),
                at: project.chain.latest(),
                proved: false,
                differences: Vec::new(),
            };
            let snapshot = DatabaseSnapshot::default().refreshed(connection, Transaction::Own).await?;
            match TenantPair::make(connection, project, (&template.name, After::Rows), number).await {
                Ok(pair) => {
                    proof.differences = before.map(|(_, older)| older.differences(&pair)).unwrap_or_default();
                    let now = snapshot.refreshed(connection, Transaction::Own).await?;
                    proof.differences.extend(beyond(project, template, &snapshot, &now));
                    proof.proved = proof.differences.is_empty();
                    made.push((template, pair));
                }
                Err(failure) => proof.differences.push(format!("a tenant cannot be created: {failure}")),
            }
            proofs.push(proof);
        }
    }
    Ok(proofs)
}
