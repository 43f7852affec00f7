//! Rows that no unit writes: a run's beginning and end, a baseline, a repair; and the history as read.

use serde::Serialize;

use crate::chain::{Divergence, Version};
use crate::error::Failure;
use crate::ident::{SchemaName, literal};
use crate::postgres::batch::{BEGIN, HistoryRow, Kind, Run, SqlBatch};
use crate::postgres::{Connection, Row};

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

/// Notes that `command` begins.
pub async fn begin_run(connection: &mut Connection, run: &Run, command: &str) -> Result<(), Failure> {
    let sql = format!("{BEGIN}; {}; COMMIT", noted(run, command));
    connection.run(&sql).await.map_err(|server_error| server_error.failure("noting the run"))
}

/// The same, with the place in the write-ahead log that leads back to before its first unit. It is taken before the
/// row is committed, so a server that was recovered to there knows nothing of the run.
pub async fn begin_marked_run(connection: &mut Connection, run: &Run, command: &str) -> Result<(), Failure> {
    let mark = format!("SELECT {}.tenure_mark_run('{}')", run.platform.quoted(), run.id);
    let sql = format!("{BEGIN}; {}; {mark}; COMMIT", noted(run, command));
    connection.run(&sql).await.map_err(|server_error| server_error.failure("noting the run"))
}

fn noted(run: &Run, command: &str) -> String {
    format!(
        "INSERT INTO {}.run (id, command, tool_version) VALUES ('{}', {}, '{}')",
        run.platform.quoted(),
        run.id,
        literal(command),
        env!("CARGO_PKG_VERSION"),
    )
}

/// Notes how it ended; `counts` is JSON.
pub async fn end_run(
    connection: &mut Connection,
    run: &Run,
    outcome: &str,
    counts: &str,
) -> Result<(), Failure> {
    let sql = format!(
        "{BEGIN}; UPDATE {}.run SET finished_at = clock_timestamp(), outcome = {}, counts = {} WHERE id = '{}'; \
         COMMIT",
        run.platform.quoted(),
        literal(outcome),
        literal(counts),
        run.id,
    );
    connection.run(&sql).await.map_err(|server_error| server_error.failure("noting the run's end"))
}

/// What a baseline finds in `schema_version`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// The one row of a database that nobody migrated yet.
    Zero,
    /// No row, several, or one that holds no version.
    Unreadable,
}

/// Declares that the platform is at `version`, in one transaction. A row at 0.0.0 is moved as a unit
/// moves it, so a migration that began meanwhile is not undone.
pub async fn baseline(
    connection: &mut Connection,
    run: &Run,
    before: Before,
    version: &Version,
) -> Result<(), Failure> {
    let platform = run.platform.quoted();
    let mut message = SqlBatch::default();
    message.push(BEGIN);
    match before {
        Before::Zero => {
            message.push(&format!("SELECT {platform}.tenure_advance_platform('0.0.0', '{version}')"));
        }
        Before::Unreadable => {
            let table = format!("{platform}.schema_version");
            message.push(&format!("LOCK TABLE {table} IN EXCLUSIVE MODE"));
            // Columns that others added keep their values in the row that stays.
            message.push(&format!("DELETE FROM {table} WHERE ctid <> (SELECT min(ctid) FROM {table})"));
            message.push(&format!("UPDATE {table} SET version = '{version}', applied_at = now()"));
            message.push(&format!(
                "INSERT INTO {table} (version, applied_at) SELECT '{version}', now() \
                 WHERE NOT EXISTS (SELECT FROM {table})"
            ));
        }
    }
    message.history(
        run,
        &HistoryRow {
            schema: &run.platform,
            from: &Version::ZERO,
            to: version,
            name: "baseline",
            checksum: None,
            kind: Kind::BASELINE,
            allowed: "[]",
        },
    );
    message.push("COMMIT");
    connection.run(message.sql()).await.map_err(|server_error| server_error.failure("declaring the baseline"))
}

/// Accepts divergences: appends a row for each with what the file is now, in one transaction.
pub async fn repair(connection: &mut Connection, run: &Run, found: &[Divergence]) -> Result<(), Failure> {
    let mut message = SqlBatch::default();
    message.push(BEGIN);
    for divergence in found {
        let (applied, name, checksum) = match divergence {
            Divergence::Edited { applied, file, now } => (applied, file, Some(now)),
            Divergence::Gone { applied } => (applied, &applied.name, None),
        };
        message.history(
            run,
            &HistoryRow {
                schema: &run.platform,
                from: &applied.from,
                to: &applied.to,
                name,
                checksum,
                kind: Kind::REPAIR,
                allowed: "[]",
            },
        );
    }
    message.push("COMMIT");
    connection.run(message.sql()).await.map_err(|server_error| server_error.failure("repairing the history"))
}

/// The history of the tenant, or of the platform, whose schema is called `schema` now, oldest first. It follows the
/// tenant back through its names: of each only the rows from when it got that name to when it gave it up, since
/// somebody else may have had it before and after.
pub async fn read(
    connection: &mut Connection,
    platform: &SchemaName,
    schema: &SchemaName,
) -> Result<Vec<HistoryEntry>, Failure> {
    let (platform, named) = (platform.quoted(), literal(schema.as_str()));
    let moves = "kind IN ('rename', 'drop', 'undrop')";
    // A name was given up by a row that has it as the one before, or that says that its tenant is deleted or was taken back.
    let given_up = |name: &str, before: &str| {
        format!(
            "(SELECT coalesce(max(id), 0) FROM {platform}.migration_history \
              WHERE ((name = {name} AND {moves}) OR (schema_name = {name} AND kind IN ('purge', 'undone'))) AND id < {before})"
        )
    };
    let newest = "9223372036854775807";
    let sql = format!(
        "WITH RECURSIVE span AS ( \
             SELECT {named}::text AS called, {} AS after, {newest}::int8 AS before \
             UNION ALL SELECT got.name, {}, got.id FROM span, LATERAL ( \
                 SELECT h.name, h.id FROM {platform}.migration_history h WHERE h.schema_name = called AND {moves} \
                 AND h.id > span.after AND h.id < span.before ORDER BY h.id LIMIT 1) got) \
         SELECT run_id::text AS run_id, schema_name, from_version, to_version, name, kind, checksum, \
         applied_at::text AS applied_at, applied_by, duration_ms::int8 AS duration_ms, tool_version, allowed::text AS allowed \
         FROM span JOIN {platform}.migration_history h \
             ON h.schema_name = called AND h.id > span.after AND h.id < span.before ORDER BY h.id",
        given_up(&named, newest),
        given_up("got.name", "got.id"),
    );
    let sets = connection
        .query_batch(&sql)
        .await
        .map_err(|server_error| server_error.failure("reading the history"))?;
    sets.iter().flatten().map(entry).collect()
}

fn entry(row: &Row) -> Result<HistoryEntry, Failure> {
    Ok(HistoryEntry {
        run_id: row.text("run_id")?,
        schema: row.text("schema_name")?,
        from: row.text("from_version")?,
        to: row.text("to_version")?,
        name: row.text("name")?,
        kind: row.text("kind")?,
        checksum: row.optional_text("checksum")?,
        applied_at: row.text("applied_at")?,
        applied_by: row.text("applied_by")?,
        duration_ms: row.integer("duration_ms")?,
        tool_version: row.text("tool_version")?,
        allowed: serde_json::from_str(&row.text("allowed")?).unwrap_or_default(),
    })
}
