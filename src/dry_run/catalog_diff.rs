//! Compares the catalog before and after the run. Schemas with equal fingerprints share one snapshot, so that thousands
//! of tenants cost little more than their fingerprints.

use std::collections::BTreeMap;

use super::ObjectChange;
use crate::error::Failure;
use crate::ident::SchemaName;
use crate::postgres::Connection;
use crate::postgres::catalog::{Change, Fingerprint, Fingerprints, SchemaSnapshot, fingerprints, snapshot};
use crate::shadow::is_own;
use crate::sql::Scope;

/// Schemas per query.
const PAGE: usize = 500;

/// The state before the run.
#[derive(Debug)]
pub(super) struct CatalogDiff {
    platform: SchemaName,
    prints: Fingerprints,
    snapshots: BTreeMap<Fingerprint, SchemaSnapshot>,
}

impl CatalogDiff {
    /// Reads the schemas of the platform and the tenants.
    pub(super) async fn take(
        connection: &mut Connection,
        platform: &SchemaName,
        tenants: &[SchemaName],
    ) -> Result<Self, Failure> {
        let mut all = vec![platform.clone()];
        all.extend(tenants.iter().cloned());
        let found = read_fingerprints(connection, &all).await?;
        let mut snapshots = BTreeMap::new();
        for (schema, print) in &found {
            if !snapshots.contains_key(print) {
                snapshots.insert(print.clone(), user_snapshot(connection, schema).await?);
            }
        }
        Ok(Self { platform: platform.clone(), prints: found, snapshots })
    }

    /// Reads the schemas again and returns the changes.
    pub(super) async fn changes(&self, connection: &mut Connection) -> Result<Vec<ObjectChange>, Failure> {
        let schemas: Vec<SchemaName> = self.prints.keys().cloned().collect();
        let now = read_fingerprints(connection, &schemas).await?;
        // Group the schemas that were equal before and are equal after.
        let mut groups: BTreeMap<(&Fingerprint, Option<&Fingerprint>, Scope), Vec<&SchemaName>> =
            BTreeMap::new();
        for (schema, before) in &self.prints {
            let scope = if *schema == self.platform { Scope::Platform } else { Scope::Tenant };
            let after = now.get(schema);
            if after != Some(before) {
                groups.entry((before, after, scope)).or_default().push(schema);
            }
        }
        let mut counted: BTreeMap<(Scope, String, String), usize> = BTreeMap::new();
        for ((before, _, scope), schemas) in groups {
            let (Some(before), Some(first)) = (self.snapshots.get(before), schemas.first()) else {
                continue;
            };
            let after = user_snapshot(connection, first).await?;
            for change in Change::between(before, &after) {
                let key = (scope, change.object.to_string(), change.line());
                *counted.entry(key).or_default() += schemas.len();
            }
        }
        let summary = counted.into_iter();
        Ok(summary
            .map(|((scope, object, change), schemas)| ObjectChange { scope, object, change, schemas })
            .collect())
    }
}

/// A snapshot without Tenure's own objects.
async fn user_snapshot(connection: &mut Connection, schema: &SchemaName) -> Result<SchemaSnapshot, Failure> {
    Ok(snapshot(connection, schema).await?.without(is_own))
}

async fn read_fingerprints(
    connection: &mut Connection,
    schemas: &[SchemaName],
) -> Result<Fingerprints, Failure> {
    let mut all = Fingerprints::new();
    for page in schemas.chunks(PAGE) {
        all.extend(fingerprints(connection, page).await?);
    }
    Ok(all)
}
