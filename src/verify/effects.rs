//! What each statement of a migration did on a shadow to tables that were there before it.

use serde::Serialize;

use crate::sql::Scope;

/// One statement.
#[derive(Debug, Clone, Serialize)]
pub struct StatementEffect {
    /// Its file.
    pub file: String,
    /// Its first line, from 1.
    pub line: usize,
    /// Whose it is.
    pub scope: Scope,
    /// The tables that it locked, rewrote or read whole.
    pub tables: Vec<TableEffect>,
    /// How long it took on the shadow, in milliseconds.
    pub duration_ms: f64,
    /// Bytes of write-ahead log; others on the same server may have added to it.
    pub wal_bytes: i64,
}

/// One table.
#[derive(Debug, Clone, Serialize)]
pub struct TableEffect {
    /// Its schema on the shadow.
    pub schema: String,
    /// Its name.
    pub table: String,
    /// The strongest lock on it (manual, chapter 13.3.1).
    pub lock: Option<String>,
    /// Whether it was written anew.
    pub rewritten: bool,
    /// Whether it was read from one end to the other.
    pub scanned: bool,
}
