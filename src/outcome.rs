//! The result of a verb, as a value: the JSON of the command line's contract. `report` makes text of
//! it for people; the exit code follows from it.

mod branch;
mod copies;
mod drift;
mod dry_run;
mod effects;
mod life;
mod pool;
mod restore;
mod template;
mod tenant;
mod walls;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde::Serialize;
use serde::ser::SerializeStruct;

pub use self::branch::{
    BranchDeleted, BranchFailure, BranchList, BranchMade, BranchRow, BranchesCollected, to_delete,
};
pub use self::copies::{Adopted, Cloned, Exported, Imported};
pub use self::drift::{Basis, ComparedWith, DriftCounts, DriftLine, Drifted};
pub use self::dry_run::{
    DryRun, MeasuredStatement, MeasuredTable, ObjectChange, QueriesAsked, QueryBreak, TriedOn,
};
pub use self::effects::{StatementEffect, TableEffect};
pub use self::life::{Dropped, Kept, Purged, PurgedTenant};
pub use self::pool::{PoolDrained, PoolFailure, PoolFilled, PoolList, PoolState, PooledSchema};
pub use self::restore::{Check, Diagnosis, Health, NeonRestore, RestorePoint, Setting};
pub use self::template::{Checked, CheckedTemplate, Proof, ShownKey, Squashed};
pub use self::tenant::{
    Changed, Created, CreatedTenant, FailedTenant, Holdings, ListedTenant, TableSize, Tenant, TenantList,
    TenantRole, TenantState,
};
pub use self::walls::{Granted, GrantedTenant, LoggedIn, Password, Sessions, Turned};
use crate::chain::{Step, Version};
use crate::error::{Class, Failure};
use crate::ident::SchemaName;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// All that was to be done is done.
    Done,
    /// There was nothing to do.
    Nothing,
    /// It failed, and nothing of the fleet moved.
    Failed,
    /// Some of it is done and some is not.
    Partial,
    /// It was interrupted between two units.
    Interrupted,
}

impl Ending {
    /// The word in the JSON and in the run's row.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Nothing => "nothing",
            Self::Failed => "failed",
            Self::Partial => "partial",
            Self::Interrupted => "interrupted",
        }
    }

    /// The exit code.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Done | Self::Nothing => 0,
            Self::Failed => Class::Refused.exit_code(),
            Self::Partial => Class::Partial.exit_code(),
            Self::Interrupted => Class::Interrupted.exit_code(),
        }
    }
}

/// What `migrate up` did.
#[derive(Debug, Clone, Serialize)]
pub struct Migrated {
    /// How it ended.
    pub outcome: Ending,
    /// The platform's way.
    pub platform: Way,
    /// The tenants in numbers.
    pub tenants: TenantCounts,
    /// Units done.
    pub units: usize,
    /// From the first look at the database to the end.
    pub elapsed_ms: u128,
    /// The units that failed.
    pub failures: Vec<UnitFailure>,
    /// Of many tenants, those that took longest, the longest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub slowest: Vec<Slow>,
}

/// From where to where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Way {
    /// The version before.
    pub from: Version,
    /// The version after.
    pub to: Version,
}

/// The tenants of a run in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct TenantCounts {
    /// All that have a version.
    pub total: usize,
    /// Those that moved and did not fail.
    pub migrated: usize,
    /// Those that did not move.
    pub unchanged: usize,
    /// Those with a unit that failed.
    pub failed: usize,
    /// Rows of the registry without a version, which nothing moves; left out where there are none.
    #[serde(skip_serializing_if = "is_zero")]
    pub unknown: usize,
    /// After a run that did not reach its end: those that are not where they should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<usize>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// A tenant that took longer than others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Slow {
    /// Its schema.
    pub schema: String,
    /// The time of its units.
    pub elapsed_ms: u128,
}

impl Slow {
    /// The `most` that took longest, the longest first.
    pub fn longest(all: &HashMap<String, Duration>, most: usize) -> Vec<Self> {
        let mut all: Vec<(&String, &Duration)> =
            all.iter().filter(|(_, elapsed)| !elapsed.is_zero()).collect();
        all.sort_unstable_by_key(|(schema, elapsed)| (std::cmp::Reverse(**elapsed), *schema));
        let longest = all.into_iter().take(most);
        longest
            .map(|(schema, elapsed)| Self { schema: schema.clone(), elapsed_ms: elapsed.as_millis() })
            .collect()
    }
}

/// A unit that failed and was rolled back.
#[derive(Debug, Clone)]
pub struct UnitFailure {
    /// The schema.
    pub schema: SchemaName,
    /// The file's name.
    pub migration: String,
    /// Why, and where in the file.
    pub failure: Failure,
    /// How often it was tried.
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

/// What `migrate up --plan` shows.
#[derive(Debug, Clone, Serialize)]
pub struct Planned {
    /// The steps, in order.
    pub steps: Vec<Step>,
}

/// What `status` shows.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// The platform.
    pub platform: PlatformStatus,
    /// The tenants in numbers.
    pub tenants: TenantStatus,
    /// The tenants one by one, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list: Option<Vec<TenantLine>>,
    /// What kept something from being shown: `report` gives it to programs as it gives failures.
    #[serde(skip)]
    pub trouble: Vec<Failure>,
}

impl Status {
    /// Whether anything is behind the chain's end, or nobody can say that it is not.
    pub fn is_behind(&self) -> bool {
        let is_at_the_end = self.platform.version.as_ref() == Some(&self.platform.latest);
        !is_at_the_end || self.tenants.behind > 0 || !self.trouble.is_empty()
    }
}

/// Where the platform is.
#[derive(Debug, Clone, Serialize)]
pub struct PlatformStatus {
    /// Its schema.
    pub schema: SchemaName,
    /// Its version, if it can be read.
    pub version: Option<Version>,
    /// The chain's end.
    pub latest: Version,
    /// The files that are still to be run, in order.
    pub pending: Vec<String>,
}

/// Where the tenants are.
#[derive(Debug, Clone, Default, Serialize)]
pub struct TenantStatus {
    /// All of them, unknown ones included.
    pub total: usize,
    /// Those at the chain's end.
    pub current: usize,
    /// Those at another version.
    pub behind: usize,
    /// Rows of the registry without a version row, and tenants whose version is none.
    pub unknown: usize,
    /// How many are at which version.
    pub versions: BTreeMap<Version, usize>,
}

/// One tenant in the list of `status`.
#[derive(Debug, Clone, Serialize)]
pub struct TenantLine {
    /// Its slug.
    pub slug: String,
    /// Its schema.
    pub schema: SchemaName,
    /// Its version, if it has one.
    pub version: Option<Version>,
    /// Where in its life it is.
    pub status: TenantState,
}

/// One row of the history, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HistoryEntry {
    /// The run that it belongs to.
    pub run_id: String,
    /// The schema.
    pub schema: String,
    /// Its version before.
    pub from: String,
    /// Its version after.
    pub to: String,
    /// The file's or template's name.
    pub name: String,
    /// `migrate`, `template`, `baseline`, `repair`; `rename`, `drop`, `undrop`, `purge`, whose name is the schema's before.
    pub kind: String,
    /// Of the file.
    pub checksum: Option<String>,
    /// When, as the server writes it.
    pub applied_at: String,
    /// By which role.
    pub applied_by: String,
    /// How long the unit took.
    pub duration_ms: i64,
    /// By which version of Tenure.
    pub tool_version: String,
    /// The findings that were accepted, as JSON.
    pub allowed: serde_json::Value,
}
