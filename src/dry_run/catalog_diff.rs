//! Compares the catalog before and after the run. Schemas with equal fingerprints share one snapshot, so with thousands of
//! tenants, few schemas must be read completely.

use std::collections::{BTreeMap, BTreeSet};

use super::ObjectChange;
use super::known_names::KnownNames;
use crate::error::Failure;
use crate::ident::SchemaName;
use crate::postgres::Connection;
use crate::postgres::catalog::{
    Change, Fingerprint, Fingerprints, SchemaSnapshot, Snapshots, Transaction, fingerprints,
};
use crate::shadow::is_own;
use crate::sql::Scope;

/// The state before the run.
#[derive(Debug)]
pub(super) struct CatalogDiff {
    platform: SchemaName,
    /// The fingerprint of each schema.
    prints: Fingerprints,
    /// One snapshot for each fingerprint, without Tenure's own objects.
    snapshots: Snapshots,
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
        let prints = fingerprints(connection, &all).await?;
        let mut snapshots = Snapshots::new(Transaction::Own, is_own);
        for (schema, print) in &prints {
            snapshots.of(connection, schema, Some(print)).await?;
        }
        Ok(Self { platform: platform.clone(), prints, snapshots })
    }

    /// The snapshots before the run.
    pub(super) fn before(&self) -> impl Iterator<Item = &SchemaSnapshot> {
        self.snapshots.all()
    }

    /// Reads the schemas again and returns the changes, without names that are not `known`.
    pub(super) async fn changes(
        &self,
        connection: &mut Connection,
        known: &KnownNames,
    ) -> Result<Vec<ObjectChange>, Failure> {
        let schemas: Vec<SchemaName> = self.prints.keys().cloned().collect();
        let now = fingerprints(connection, &schemas).await?;
        let mut snapshots = Snapshots::new(Transaction::Own, is_own);
        // Group the changed schemas that were equal before and are equal after.
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
        for ((before, after, scope), schemas) in groups {
            let (Some(before), Some(first)) = (self.snapshots.get(before), schemas.first()) else {
                continue;
            };
            let after = snapshots.of(connection, first, after).await?;
            let changes = Change::between(before, &after);
            // Several changes may have the same text if their names are replaced.
            let texts: BTreeSet<_> = changes.iter().map(|change| known.change(change)).collect();
            for (object, change) in texts {
                *counted.entry((scope, object, change)).or_default() += schemas.len();
            }
        }
        let summary = counted.into_iter();
        Ok(summary
            .map(|((scope, object, change), schemas)| ObjectChange { scope, object, change, schemas })
            .collect())
    }
}
