//! The rows of runs: start, end, and the position in the write-ahead log before the first unit.

use uuid::Uuid;

use crate::error::Failure;
use crate::ident::{SchemaName, literal};
use crate::postgres::Connection;
use crate::postgres::batch::{BEGIN, Run, SqlBatch};

/// The format of a UTC time as RFC 3339.
pub(super) const RFC3339: &str = r#"YYYY-MM-DD"T"HH24:MI:SS.US"Z""#;

/// The condition on runs that a restore can target.
const MIGRATES: &str = "r.command LIKE 'tenure migrate up%'";

/// The maximum number of listed runs.
const LISTED: u32 = 10;

/// The selected run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The run with this id.
    Run(Uuid),
    /// The newest run that changed something. A restore to before a run that failed at once would still contain the earlier
    /// change.
    Newest,
}

/// A run, with the server's settings on which a restore depends.
#[derive(Debug, Clone)]
pub struct RunRow {
    /// Its id.
    pub id: String,
    /// The command.
    pub command: String,
    /// The outcome.
    pub outcome: Option<String>,
    /// The start, as RFC 3339 in UTC.
    pub started_at: String,
    /// The position in the write-ahead log before the first unit.
    pub wal_lsn: Option<String>,
    /// The name of the restore point, if the role may create one.
    pub restore_point: Option<String>,
    /// The timeline.
    pub timeline: Option<String>,
    /// Whether the server archives its write-ahead log.
    pub archiving: bool,
    /// Whether the server is Neon.
    pub neon: bool,
    /// Neon's project.
    pub project: Option<String>,
    /// Neon's branch.
    pub branch: Option<String>,
}

/// Records the start of `command`.
pub async fn begin(connection: &mut Connection, run: &Run, command: &str) -> Result<(), Failure> {
    let sql = format!("{BEGIN}; {}; COMMIT", insert(run, command));
    connection.run(&sql).await.map_err(|server_error| server_error.failure("noting the run"))
}

/// Like [`begin`], as statements for a message, with the position in the write-ahead log before the first unit. The position is read
/// before the row is committed, so a server that is recovered to it does not contain the run.
pub fn begin_marked(run: &Run, command: &str) -> SqlBatch {
    let mark = format!("SELECT {}.tenure_mark_run('{}')", run.platform.quoted(), run.id);
    let mut message = SqlBatch::default();
    message.push_each(&[BEGIN, &insert(run, command), &mark, "COMMIT"]);
    message
}

fn insert(run: &Run, command: &str) -> String {
    format!(
        "INSERT INTO {}.run (id, command, tool_version) VALUES ('{}', {}, '{}')",
        run.platform.quoted(),
        run.id,
        literal(command),
        env!("CARGO_PKG_VERSION"),
    )
}

/// Records the outcome; `counts` is JSON.
pub async fn end(connection: &mut Connection, run: &Run, outcome: &str, counts: &str) -> Result<(), Failure> {
    let sent = connection.run(ended(run, outcome, counts).sql()).await;
    sent.map_err(|server_error| server_error.failure("noting the run's end"))
}

/// The statements of [`end`].
pub fn ended(run: &Run, outcome: &str, counts: &str) -> SqlBatch {
    let update = format!(
        "UPDATE {}.run SET finished_at = clock_timestamp(), outcome = {}, counts = {} WHERE id = '{}'",
        run.platform.quoted(),
        literal(outcome),
        literal(counts),
        run.id,
    );
    let mut message = SqlBatch::default();
    message.push_each(&[BEGIN, &update, "COMMIT"]);
    message
}

/// Reads a run.
pub async fn read(
    connection: &mut Connection,
    platform: &SchemaName,
    which: Which,
) -> Result<Option<RunRow>, Failure> {
    let filter = match which {
        Which::Run(id) => format!("id = '{id}'"),
        // A non-transactional unit has a history row before it starts, since its effects remain after a failure.
        Which::Newest => format!(
            "{MIGRATES} AND EXISTS (SELECT FROM {}.migration_history h WHERE h.run_id = r.id)",
            platform.quoted()
        ),
    };
    let sql = format!(
        "SELECT id::text AS run, command, outcome, \
         to_char(started_at AT TIME ZONE 'UTC', '{RFC3339}') AS started_at, \
         wal_lsn::text AS wal_lsn, restore_point, timeline::text AS timeline, \
         current_setting('archive_mode') <> 'off' AS archiving, current_setting('neon.timeline_id', true) IS NOT NULL AS neon, \
         current_setting('neon.project_id', true) AS project, current_setting('neon.branch_id', true) AS branch \
         FROM {}.run r WHERE {filter} ORDER BY r.started_at DESC LIMIT 1",
        platform.quoted()
    );
    let sets =
        connection.query_batch(&sql).await.map_err(|server_error| server_error.failure("reading the run"))?;
    let Some(row) = sets.first().and_then(|rows| rows.first()) else { return Ok(None) };
    Ok(Some(RunRow {
        id: row.text("run")?,
        command: row.text("command")?,
        outcome: row.optional_text("outcome")?,
        started_at: row.text("started_at")?,
        wal_lsn: row.optional_text("wal_lsn")?,
        restore_point: row.optional_text("restore_point")?,
        timeline: row.optional_text("timeline")?,
        archiving: row.get_bool("archiving")?,
        neon: row.get_bool("neon")?,
        project: row.optional_text("project")?,
        branch: row.optional_text("branch")?,
    }))
}

/// The newest runs, one per line, including failed ones: a killed run may have changed the database without a record.
pub async fn newest(connection: &mut Connection, platform: &SchemaName) -> Result<Vec<String>, Failure> {
    let sql = format!(
        "SELECT concat(id, ' of ', to_char(started_at AT TIME ZONE 'UTC', '{RFC3339}'), ' by `', command, '`: ', \
         coalesce(outcome, 'not ended')) AS line FROM {}.run r WHERE {MIGRATES} ORDER BY r.started_at DESC LIMIT {LISTED}",
        platform.quoted()
    );
    let sets = connection
        .query_batch(&sql)
        .await
        .map_err(|server_error| server_error.failure("reading the runs"))?;
    sets.iter().flatten().map(|row| row.text("line")).collect()
}
