//! The recorded runs with their units and failures, for display.

use schemars::JsonSchema;
use serde::Serialize;

use super::failures::{KeptFailure, kept};
use super::runs::RFC3339;
use crate::error::Failure;
use crate::ident::{SchemaName, literal};
use crate::postgres::batch::Kind;
use crate::postgres::{Connection, Row, ServerError};

/// A recorded run.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct RecordedRun {
    /// Its id.
    pub id: String,
    /// The command.
    pub command: String,
    /// The outcome; `None` if the run is under way or was killed.
    pub outcome: Option<String>,
    /// The start, as RFC 3339 in UTC.
    pub started_at: String,
    /// The end, as RFC 3339 in UTC.
    pub finished_at: Option<String>,
    /// The duration in milliseconds.
    pub duration_ms: Option<i64>,
    /// The role.
    pub started_by: String,
    /// The version of Tenure.
    pub tool_version: String,
    /// The number of units: that of the run, or else of its rows in the history.
    pub units: i64,
    /// The number of schemas on which a unit failed.
    pub failed: i64,
}

/// A unit of a run.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct RecordedUnit {
    /// The schema.
    pub schema: String,
    /// The name of the migration file or template.
    pub migration: String,
    /// The version before.
    pub from: String,
    /// The version after.
    pub to: String,
    /// The kind of the history's row, such as `migrate`.
    pub kind: String,
    /// When it was committed, as RFC 3339 in UTC.
    pub applied_at: String,
    /// The role.
    pub applied_by: String,
    /// The duration in milliseconds.
    pub duration_ms: i64,
}

/// A selection of runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runs<'a> {
    /// The newest ones.
    Newest(u32),
    /// Those whose id begins with this text, which contains only hexadecimal digits and hyphens.
    Id(&'a str),
}

/// Asks with the table of failures, and without it on own tables of an earlier release, which lack it.
async fn query(
    connection: &mut Connection,
    sql: impl Fn(bool) -> String,
) -> Result<Vec<Vec<Row>>, ServerError> {
    match connection.query_batch(&sql(true)).await {
        Err(server_error) if server_error.sqlstate() == Some("42P01") => {
            connection.query_batch(&sql(false)).await
        }
        answer => answer,
    }
}

/// The selected runs, newest first.
pub async fn runs(
    connection: &mut Connection,
    platform: &SchemaName,
    selected: Runs<'_>,
) -> Result<Vec<RecordedRun>, Failure> {
    let schema = platform.quoted();
    let (filter, limit) = match selected {
        Runs::Newest(limit) => ("true".to_owned(), limit),
        // A second one shows that the text is ambiguous.
        Runs::Id(start) => (format!("id::text LIKE {}", literal(&format!("{start}%"))), 2),
    };
    let time = |column: &str| format!("to_char({column} AT TIME ZONE 'UTC', '{RFC3339}') AS {column}");
    let begun = Kind::BEGUN.as_str();
    let sql = |has_failures: bool| {
        let failed = if has_failures {
            format!("SELECT run_id, count(*) AS failed FROM {schema}.migration_failure GROUP BY 1")
        } else {
            "SELECT NULL::uuid AS run_id, 0 AS failed WHERE false".to_owned()
        };
        format!(
            "WITH r AS (SELECT * FROM {schema}.run WHERE {filter} ORDER BY started_at DESC, id LIMIT {limit}) \
             SELECT id::text AS id, command, outcome, {}, {}, started_by, tool_version, \
                 round(extract(epoch FROM finished_at - started_at) * 1000)::int8 AS duration_ms, \
                 coalesce((counts ->> 'units')::int8, h.units, 0)::int8 AS units, greatest(coalesce(f.failed, 0), coalesce((counts ->> 'failed')::int8, 0), (outcome = 'failed')::int)::int8 AS failed \
             FROM r LEFT JOIN (SELECT run_id, count(*) AS units FROM {schema}.migration_history \
                     WHERE kind <> '{begun}' AND run_id IN (SELECT id FROM r) GROUP BY 1) h ON h.run_id = r.id \
                 LEFT JOIN ({failed}) f ON f.run_id = r.id ORDER BY r.started_at DESC, r.id",
            time("started_at"),
            time("finished_at"),
        )
    };
    let sets =
        query(connection, sql).await.map_err(|server_error| server_error.failure("reading the runs"))?;
    sets.iter().flatten().map(recorded_run).collect()
}

fn recorded_run(row: &Row) -> Result<RecordedRun, Failure> {
    Ok(RecordedRun {
        id: row.text("id")?,
        command: row.text("command")?,
        outcome: row.optional_text("outcome")?,
        started_at: row.text("started_at")?,
        finished_at: row.optional_text("finished_at")?,
        duration_ms: row.optional_integer("duration_ms")?,
        started_by: row.text("started_by")?,
        tool_version: row.text("tool_version")?,
        units: row.integer("units")?,
        failed: row.integer("failed")?,
    })
}

/// The units of a run in order, and its failures by schema.
pub async fn details(
    connection: &mut Connection,
    platform: &SchemaName,
    run: &RecordedRun,
) -> Result<(Vec<RecordedUnit>, Vec<KeptFailure>), Failure> {
    let (schema, id) = (platform.quoted(), literal(&run.id));
    let sql = |has_failures: bool| {
        let units = format!(
            "SELECT schema_name, name, from_version, to_version, kind, applied_by, duration_ms::int8 AS duration_ms, \
                 to_char(applied_at AT TIME ZONE 'UTC', '{RFC3339}') AS applied_at \
             FROM {schema}.migration_history WHERE run_id = {id} AND kind <> '{}' ORDER BY id",
            Kind::BEGUN.as_str(),
        );
        let failures = if has_failures {
            format!(
                "SELECT schema_name, name, line::int8 AS line, code, sqlstate, message, attempts::int8 AS attempts, \
                     run_id::text AS run, failed_by, to_char(failed_at AT TIME ZONE 'UTC', '{RFC3339}') AS failed_at \
                 FROM {schema}.migration_failure WHERE run_id = {id} ORDER BY schema_name"
            )
        } else {
            "SELECT WHERE false".to_owned()
        };
        format!("{units}; {failures}")
    };
    let sets = query(connection, sql)
        .await
        .map_err(|server_error| server_error.failure("reading the units of the run"))?;
    let [units, failures] = sets.as_slice() else { return Ok((Vec::new(), Vec::new())) };
    let units = units.iter().map(|row| {
        Ok(RecordedUnit {
            schema: row.text("schema_name")?,
            migration: row.text("name")?,
            from: row.text("from_version")?,
            to: row.text("to_version")?,
            kind: row.text("kind")?,
            applied_at: row.text("applied_at")?,
            applied_by: row.text("applied_by")?,
            duration_ms: row.integer("duration_ms")?,
        })
    });
    Ok((units.collect::<Result<_, Failure>>()?, failures.iter().map(kept).collect::<Result<_, _>>()?))
}

/// The durations of a migration's units.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct MigrationTimes {
    /// The name of the file.
    pub migration: String,
    /// The version before.
    pub from: String,
    /// The version after.
    pub to: String,
    /// `platform` or `tenant`.
    pub scope: String,
    /// The number of units.
    pub units: i64,
    /// The median in milliseconds.
    pub p50_ms: i64,
    /// The 90th percentile.
    pub p90_ms: i64,
    /// The 99th percentile.
    pub p99_ms: i64,
    /// The longest unit.
    pub max_ms: i64,
}

/// The durations of the units by migration and scope, in the order of the first unit.
pub async fn migration_times(
    connection: &mut Connection,
    platform: &SchemaName,
) -> Result<Vec<MigrationTimes>, Failure> {
    let sql = format!(
        "SELECT name, from_version, to_version, scope, units, p[1]::int8 AS p50, p[2]::int8 AS p90, p[3]::int8 AS p99, longest \
         FROM (SELECT name, from_version, to_version, \
                 CASE WHEN schema_name = {} THEN 'platform' ELSE 'tenant' END AS scope, count(*)::int8 AS units, \
                 percentile_disc(ARRAY[0.5, 0.9, 0.99]) WITHIN GROUP (ORDER BY duration_ms) AS p, \
                 max(duration_ms)::int8 AS longest, min(id) AS first \
             FROM {}.migration_history WHERE kind = '{}' GROUP BY 1, 2, 3, 4) t ORDER BY first",
        literal(platform.as_str()),
        platform.quoted(),
        Kind::MIGRATE.as_str(),
    );
    let sets = connection
        .query_batch(&sql)
        .await
        .map_err(|server_error| server_error.failure("reading the durations of the migrations"))?;
    let times = sets.iter().flatten().map(|row| {
        Ok(MigrationTimes {
            migration: row.text("name")?,
            from: row.text("from_version")?,
            to: row.text("to_version")?,
            scope: row.text("scope")?,
            units: row.integer("units")?,
            p50_ms: row.integer("p50")?,
            p90_ms: row.integer("p90")?,
            p99_ms: row.integer("p99")?,
            max_ms: row.integer("longest")?,
        })
    });
    times.collect()
}
