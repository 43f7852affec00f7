//! The result of `migrate up --branch`.

use schemars::JsonSchema;
use serde::Serialize;

use crate::executor::SlowTenant;
use crate::migrate::Migrated;
use crate::sql::Scope;
use crate::verify::Lowered;

/// The result. Contains a URL with a password if the branch is kept.
#[derive(Clone, JsonSchema, Serialize)]
pub struct DryRun {
    /// The result of the run on the branch.
    #[serde(flatten)]
    pub migrated: Migrated,
    /// The lowered settings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lowered: Vec<Lowered>,
    /// The branch and the measurements.
    pub branch: BranchReport,
}

/// The branch and the measurements on it.
#[derive(Clone, JsonSchema, Serialize)]
pub struct BranchReport {
    /// Its name.
    pub name: String,
    /// The provider.
    pub provider: &'static str,
    /// The provider's name of the branch's parent.
    pub parent: Option<String>,
    /// Whether it was deleted.
    pub deleted: bool,
    /// When the provider deletes it, unless it was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Its URL, if it is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_url: Option<String>,
    /// The measured statements, in the order of the files.
    pub statements: Vec<MeasuredStatement>,
    /// The slowest tenants, slowest first, without the time for measuring.
    pub slowest: Vec<SlowTenant>,
    /// The changes of the catalog.
    pub changes: Vec<ObjectChange>,
    /// The results of the application's queries, if they were given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queries: Option<QueriesAsked>,
}

/// A statement, measured over all its schemas.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct MeasuredStatement {
    /// Its file.
    pub file: String,
    /// Its first line, from 1.
    pub line: usize,
    /// Its text on one line, truncated.
    pub statement: String,
    /// Whether it belongs to the platform part or the tenant part of its file.
    pub scope: Scope,
    /// Number of schemas on which it ran.
    pub units: usize,
    /// Total duration in milliseconds.
    pub duration_ms: f64,
    /// Longest duration in milliseconds.
    pub slowest_ms: f64,
    /// The schema with the longest duration.
    pub slowest_schema: String,
    /// The existing tables that it locked, rewrote or scanned; strongest lock first.
    pub tables: Vec<MeasuredTable>,
    /// The lock on its table that an earlier statement of the same file took, if it takes no new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_since: Option<HeldLock>,
    /// Whether it ran outside of a transaction, where locks cannot be measured.
    pub alone: bool,
}

/// A lock that an earlier statement of a file took; it lasts until COMMIT.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct HeldLock {
    /// The table's schema; `{org_schema}` for a tenant's.
    pub schema: String,
    /// The table.
    pub table: String,
    /// The lock.
    pub lock: String,
    /// The line of the statement that took it.
    pub line: usize,
}

/// The worst effects of a statement on a table.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct MeasuredTable {
    /// Its schema; `{org_schema}` for a tenant's.
    pub schema: String,
    /// Its name.
    pub table: String,
    /// The strongest lock taken (manual, chapter 13.3.1).
    pub lock: Option<String>,
    /// Longest time that the lock was held until COMMIT, in milliseconds, without the time for measuring.
    pub held_ms: f64,
    /// Number of schemas in which it was rewritten.
    pub rewritten: usize,
    /// Whether a sequential scan read it.
    pub scanned: bool,
}

/// A change of the catalog.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, JsonSchema, Serialize)]
pub struct ObjectChange {
    /// Whether the change is in the platform schema or in tenant schemas.
    pub scope: Scope,
    /// The object, such as `table workspaces`.
    pub object: String,
    /// The change, such as `column added: settings jsonb`.
    pub change: String,
    /// Number of schemas with this change.
    pub schemas: usize,
}

/// The results of the queries of the application's running release.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct QueriesAsked {
    /// Number of queries.
    pub asked: usize,
    /// Number of unchecked queries: they failed before the migration too.
    pub unchecked: usize,
    /// Queries with another result after the migration.
    pub broken: Vec<QueryBreak>,
}

/// A query whose result changed.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct QueryBreak {
    /// Its name or location.
    pub query: String,
    /// `fails`, `changed` or `warn`. A `warn` does not count as a break.
    pub kind: &'static str,
    /// The change.
    pub what: String,
    /// Whether an `-- Allow:` line of a pending file accepts it.
    pub allowed: bool,
}

impl BranchReport {
    /// Whether a query of the release breaks and is not allowed.
    pub fn breaks_queries(&self) -> bool {
        let mut all = self.queries.iter().flat_map(|queries| &queries.broken);
        all.any(|broken| broken.kind != "warn" && !broken.allowed)
    }
}
