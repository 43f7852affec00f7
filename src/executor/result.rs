//! The result of a run: the JSON of `migrate up`.

use std::collections::HashMap;
use std::time::Duration;

use serde::Serialize;
use serde::ser::SerializeStruct;

use crate::chain::Version;
use crate::error::Failure;
use crate::ident::SchemaName;
use crate::postgres::metadata::RunStatus;

/// The result of `migrate up`.
#[derive(Debug, Clone, Serialize)]
pub struct Migrated {
    /// How it ended.
    pub outcome: RunStatus,
    /// The platform's version change.
    pub platform: VersionChange,
    /// The numbers of tenants.
    pub tenants: TenantCounts,
    /// Number of completed units.
    pub units: usize,
    /// Duration of the run in milliseconds.
    pub duration_ms: u128,
    /// The units that failed.
    pub failures: Vec<UnitFailure>,
    /// The slowest tenants, slowest first; empty for a small number of tenants.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub slowest: Vec<SlowTenant>,
}

/// A change of version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VersionChange {
    /// The version before.
    pub from: Version,
    /// The version after.
    pub to: Version,
}

/// The numbers of tenants of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct TenantCounts {
    /// Tenants with a version.
    pub total: usize,
    /// Tenants that were migrated.
    pub migrated: usize,
    /// Tenants that did not change.
    pub unchanged: usize,
    /// Tenants with a failed unit.
    pub failed: usize,
    /// Registry rows without a version; they are not migrated. Omitted if 0.
    #[serde(skip_serializing_if = "is_zero")]
    pub unknown: usize,
    /// Tenants that are still behind, after a run that did not finish.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<usize>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// A slow tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SlowTenant {
    /// Its schema.
    pub schema: String,
    /// Duration of its units in milliseconds.
    pub duration_ms: u128,
}

impl SlowTenant {
    /// The `most` slowest tenants, slowest first.
    pub fn longest(all: &HashMap<String, Duration>, most: usize) -> Vec<Self> {
        let mut all: Vec<(&String, &Duration)> =
            all.iter().filter(|(_, elapsed)| !elapsed.is_zero()).collect();
        all.sort_unstable_by_key(|(schema, elapsed)| (std::cmp::Reverse(**elapsed), *schema));
        let longest = all.into_iter().take(most);
        longest
            .map(|(schema, elapsed)| Self { schema: schema.clone(), duration_ms: elapsed.as_millis() })
            .collect()
    }
}

/// A unit that failed and was rolled back.
#[derive(Debug, Clone)]
pub struct UnitFailure {
    /// The schema.
    pub schema: SchemaName,
    /// The name of the migration file.
    pub migration: String,
    /// The failure, with its place in the file.
    pub failure: Failure,
    /// Number of attempts.
    pub attempts: u32,
}

impl Serialize for UnitFailure {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let start = self.failure.place.as_ref().and_then(crate::error::Place::start);
        let mut out = serializer.serialize_struct("UnitFailure", 8)?;
        out.serialize_field("schema", &self.schema)?;
        out.serialize_field("migration", &self.migration)?;
        out.serialize_field("code", self.failure.code.as_str())?;
        if let Some(sqlstate) = &self.failure.sqlstate {
            out.serialize_field("sqlstate", sqlstate)?;
        }
        out.serialize_field("message", &self.failure.message)?;
        if let Some(start) = start {
            out.serialize_field("line", &start.line)?;
            out.serialize_field("column", &start.column)?;
        }
        out.serialize_field("attempts", &self.attempts)?;
        out.end()
    }
}
