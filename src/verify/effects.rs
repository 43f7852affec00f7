//! The effects of each statement on existing tables, observed on a shadow.

use schemars::JsonSchema;
use serde::Serialize;

use crate::sql::Scope;

/// The effects of a statement.
#[derive(Debug, Clone, JsonSchema, Serialize)]
pub struct StatementEffect {
    /// The file of the statement.
    pub file: String,
    /// The first line of the statement, from 1.
    pub line: usize,
    /// The scope of the statement.
    pub scope: Scope,
    /// The tables that it locked, rewrote or scanned.
    pub tables: Vec<TableEffect>,
    /// The time on the shadow, in milliseconds.
    pub duration_ms: f64,
    /// Bytes of WAL, including those of other sessions on the server.
    pub wal_bytes: i64,
}

/// The effects on a table.
#[derive(Debug, Clone, JsonSchema, Serialize)]
pub struct TableEffect {
    /// The schema on the shadow.
    pub schema: String,
    /// The name of the table.
    pub table: String,
    /// The strongest lock (manual, chapter 13.3.1).
    pub lock: Option<String>,
    /// Whether the table was rewritten.
    pub rewritten: bool,
    /// Whether the table was scanned sequentially.
    pub scanned: bool,
}
