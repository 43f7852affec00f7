//! The result of `migrate up --branch`: that of `migrate up`, and what the branch showed.

use serde::Serialize;

use crate::executor::SlowTenant;
use crate::migrate::Migrated;
use crate::sql::Scope;

/// The whole. It may hold a URL with a password, where the branch was to be kept: that is what was asked for then.
#[derive(Clone, Serialize)]
pub struct DryRun {
    /// What the run did, all of it on the branch.
    #[serde(flatten)]
    pub migrated: Migrated,
    /// Where, and what was seen there.
    pub branch: BranchReport,
}

/// The branch, and what was seen on it.
#[derive(Clone, Serialize)]
pub struct BranchReport {
    /// What people call it.
    pub name: String,
    /// Who made it.
    pub provider: &'static str,
    /// What it is a copy of, as the provider calls that.
    pub parent: Option<String>,
    /// Whether it is gone again.
    pub deleted: bool,
    /// When it ends by itself, where it is not gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Where it is, where it was to be kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_url: Option<String>,
    /// What each statement did, in the order of the files.
    pub statements: Vec<MeasuredStatement>,
    /// The tenants that took longest, the longest first, without what measuring took.
    pub slowest: Vec<SlowTenant>,
    /// What is different in the catalog.
    pub changes: Vec<ObjectChange>,
    /// What became of the queries of the running release, where some were given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queries: Option<QueriesAsked>,
}

/// One statement, on all schemas that it ran on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MeasuredStatement {
    /// Its file.
    pub file: String,
    /// Its first line, from 1.
    pub line: usize,
    /// Its text as one line, cut where it is long.
    pub statement: String,
    /// Whose it is.
    pub scope: Scope,
    /// On how many schemas it ran.
    pub units: usize,
    /// In all, in milliseconds.
    pub duration_ms: f64,
    /// Where it took longest.
    pub slowest_ms: f64,
    /// On which schema that was.
    pub slowest_schema: String,
    /// The tables that were there before it, and that it locked, rewrote or read whole; the strongest lock first.
    pub tables: Vec<MeasuredTable>,
    /// Whether it ran outside of a transaction, where nobody can ask what it locks.
    pub alone: bool,
}

/// What a statement did to a table, at worst.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MeasuredTable {
    /// Its schema; that of a tenant is `{org_schema}`.
    pub schema: String,
    /// Its name.
    pub table: String,
    /// The strongest lock on it that the statement took (manual, chapter 13.3.1).
    pub lock: Option<String>,
    /// How long that was held at most: until the COMMIT, without what measuring took.
    pub held_ms: f64,
    /// On how many schemas it was written anew.
    pub rewritten: usize,
    /// Whether it was read from one end to the other.
    pub scanned: bool,
}

/// One difference in the catalog between before and after.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ObjectChange {
    /// Whose it is.
    pub scope: Scope,
    /// What changed: `table workspaces`.
    pub object: String,
    /// How: `column added: settings jsonb`.
    pub change: String,
    /// Of how many schemas.
    pub schemas: usize,
}

/// What became of the queries of the running release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QueriesAsked {
    /// How many there are.
    pub asked: usize,
    /// How many say nothing, since they did not work before either.
    pub unchecked: usize,
    /// Those that are another thing after the migration.
    pub broken: Vec<QueryBreak>,
}

/// A query that does not work as before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QueryBreak {
    /// Its name, or its place.
    pub query: String,
    /// `fails`, `changed` or `warn`.
    pub kind: &'static str,
    /// What changed.
    pub what: String,
    /// Whether an Allow line of what is pending accepts it.
    pub allowed: bool,
}

impl BranchReport {
    /// Whether a query of the release breaks that nobody accepted.
    pub fn breaks_queries(&self) -> bool {
        let mut all = self.queries.iter().flat_map(|queries| &queries.broken);
        all.any(|broken| broken.kind != "warn" && !broken.allowed)
    }
}
