//! The results of what looks after a database: the way back to before a run, and the doctor's.

use serde::Serialize;

/// The way back to just before a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RestorePoint {
    /// The run.
    pub run: String,
    /// What it was.
    pub command: String,
    /// When it began: RFC 3339, in UTC.
    pub started_at: String,
    /// How it ended, if it did.
    pub outcome: Option<String>,
    /// Where the write-ahead log was before its first unit.
    pub wal_lsn: Option<String>,
    /// The name of the restore point, where the role could make one.
    pub restore_point: Option<String>,
    /// Whether the server keeps its log for good, so that there is something to restore from.
    pub archiving: bool,
    /// The settings of a server that recovers to there, in order (manual, chapter 20.5.6).
    pub recovery: Vec<Setting>,
    /// On Neon: the call that does it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub neon: Option<NeonRestore>,
}

/// A line of `postgresql.conf`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// Its value, as it is written between quotes.
    pub value: String,
}

/// A restore at Neon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NeonRestore {
    /// The path of the API's call.
    pub path: String,
    /// Its body.
    pub body: serde_json::Value,
    /// The same with Neon's own command line.
    pub command: String,
}
