//! The result of `tenure restore-point`.

use schemars::JsonSchema;
use serde::Serialize;

/// How to restore the database to the moment before a run.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct RestorePoint {
    /// The id of the run.
    pub run: String,
    /// The command line of the run.
    pub command: String,
    /// When it began: RFC 3339, in UTC.
    pub started_at: String,
    /// The outcome of the run; `None` while it is running, or if it was killed.
    pub outcome: Option<String>,
    /// The WAL position before the first unit.
    pub wal_lsn: Option<String>,
    /// The name of the restore point, if the role could create one.
    pub restore_point: Option<String>,
    /// Whether WAL archiving is on; point-in-time recovery needs it.
    pub archiving: bool,
    /// The recovery settings, in order (manual, chapter 20.5.6).
    pub recovery: Vec<Setting>,
    /// The call of Neon's API, if the database is on Neon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub neon: Option<NeonRestore>,
}

/// A setting in `postgresql.conf`.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Setting {
    /// The parameter.
    pub name: &'static str,
    /// The value, without quotes.
    pub value: String,
}

/// A restore on Neon.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct NeonRestore {
    /// The path of the API request.
    pub path: String,
    /// The body of the API request.
    pub body: serde_json::Value,
    /// The equivalent command of Neon's command line.
    pub command: String,
}
