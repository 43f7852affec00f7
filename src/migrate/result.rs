//! The results of `migrate up`, `migrate up --plan` and `status`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::chain::{Step, Version};
use crate::error::{Code, Failure};
use crate::executor::{Notices, SlowTenant, UnitFailure};
use crate::ident::SchemaName;
use crate::postgres::metadata::platform_fingerprint::PlatformDrift;
use crate::postgres::metadata::{KeptFailure, RunStatus, TenantState};

/// The result of `migrate up`.
#[derive(Debug, Clone, JsonSchema, Serialize)]
pub struct Migrated {
    /// The final status.
    pub outcome: RunStatus,
    /// The id of the run's row for `run show`; none if there was nothing to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The platform's versions.
    pub platform: VersionChange,
    /// The numbers of tenants.
    pub tenants: TenantCounts,
    /// Whether the run stopped at a tenant's failure.
    #[serde(skip)]
    pub stopped_early: bool,
    /// Number of completed units.
    pub units: usize,
    /// Total duration in milliseconds, from the first query.
    pub duration_ms: u128,
    /// The units that failed.
    pub failures: Vec<UnitFailure>,
    /// The server's notices about the files' statements.
    #[serde(skip_serializing_if = "Notices::is_empty")]
    pub notices: Notices,
    /// The slowest tenants, slowest first; empty for few tenants.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub slowest: Vec<SlowTenant>,
}

/// The versions before and after.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct VersionChange {
    /// The version before.
    pub from: Version,
    /// The version after.
    pub to: Version,
}

/// The numbers of tenants in a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, JsonSchema, Serialize)]
pub struct TenantCounts {
    /// Tenants with a version.
    pub total: usize,
    /// Tenants that were migrated without a failure.
    pub migrated: usize,
    /// Tenants that were not migrated.
    pub unchanged: usize,
    /// Tenants with a failed unit.
    pub failed: usize,
    /// Registry rows without a version, which are not migrated; omitted if 0.
    #[serde(skip_serializing_if = "is_zero")]
    pub unknown: usize,
    /// After an incomplete run, the tenants that are still behind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<usize>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// The result of `migrate up --plan`.
#[derive(Debug, Clone, JsonSchema, Serialize)]
pub struct Planned {
    /// The steps, in order.
    pub steps: Vec<Step>,
}

/// The result of `status`.
#[derive(Debug, Clone, JsonSchema, Serialize)]
pub struct Status {
    /// The platform.
    pub platform: PlatformStatus,
    /// The numbers of tenants.
    pub tenants: TenantStatus,
    /// The list of tenants, if requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list: Option<Vec<TenantLine>>,
    /// The failures of earlier runs, of schemas that are not past the step.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<KeptFailure>,
    /// Problems found while reading the state.
    #[serde(skip)]
    pub trouble: Vec<Failure>,
    /// Whether a database that is ahead of the chain is accepted.
    #[serde(skip)]
    pub allow_newer: bool,
}

impl Status {
    /// Whether `migrate up` would do or refuse something, or the platform schema was changed by something else.
    pub fn is_behind(&self) -> bool {
        let PlatformStatus { version, latest, .. } = &self.platform;
        let is_newer = |version: &Version| self.allow_newer && version > latest;
        let is_at_the_end = version.as_ref().is_some_and(|version| version == latest || is_newer(version));
        let is_refused = |failure: &Failure| !(self.allow_newer && failure.code == Code::VersionBeyond);
        let is_changed = matches!(self.platform.drift, Some(PlatformDrift::Different { .. }));
        !is_at_the_end || is_changed || self.tenants.behind > 0 || self.trouble.iter().any(is_refused)
    }
}

/// The state of the platform.
#[derive(Debug, Clone, JsonSchema, Serialize)]
pub struct PlatformStatus {
    /// Its schema.
    pub schema: SchemaName,
    /// Its version, if it can be read.
    pub version: Option<Version>,
    /// The latest version of the chain.
    pub latest: Version,
    /// The pending files, in order.
    pub pending: Vec<String>,
    /// How its schema compares with what its last step left, if that was requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<PlatformDrift>,
}

/// The numbers of tenants.
#[derive(Debug, Clone, Default, JsonSchema, Serialize)]
pub struct TenantStatus {
    /// All tenants, including unknown ones.
    pub total: usize,
    /// Tenants at the latest version.
    pub current: usize,
    /// Tenants at an earlier version, or at one that is not in the chain.
    pub behind: usize,
    /// Tenants beyond the end of the chain.
    pub ahead: usize,
    /// Registry rows without a version row, and tenants with an invalid version.
    pub unknown: usize,
    /// Number of tenants per version.
    pub versions: BTreeMap<Version, usize>,
}

/// One tenant in the list of `status`.
#[derive(Debug, Clone, JsonSchema, Serialize)]
pub struct TenantLine {
    /// Its slug.
    pub slug: String,
    /// Its schema.
    pub schema: SchemaName,
    /// Its version, if it has one.
    pub version: Option<Version>,
    /// Its state.
    pub status: TenantState,
    /// Whether its schema does not exist, although it is in use.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub schema_missing: bool,
}
