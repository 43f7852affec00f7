//! The failures of units: kept at the end of a run, and shown until the schema is past the step.

use schemars::JsonSchema;
use serde::Serialize;

use super::runs::RFC3339;
use crate::chain::Version;
use crate::error::{Failure, Place};
use crate::ident::{SchemaName, literal};
use crate::postgres::batch::{BEGIN, Run};
use crate::postgres::{Connection, Row};

/// A failed unit.
#[derive(Debug, Clone, Copy)]
pub struct FailedUnit<'a> {
    /// The schema.
    pub schema: &'a SchemaName,
    /// The version before the step.
    pub from: &'a Version,
    /// The version after it.
    pub to: &'a Version,
    /// The name of the migration file.
    pub migration: &'a str,
    /// The reason.
    pub failure: &'a Failure,
    /// Number of attempts.
    pub attempts: u32,
}

/// A failure of an earlier run.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct KeptFailure {
    /// The schema.
    pub schema: String,
    /// The name of the migration file.
    pub migration: String,
    /// The line of the statement that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<i64>,
    /// The error code.
    pub code: String,
    /// The server's SQLSTATE.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sqlstate: Option<String>,
    /// The reason.
    pub message: String,
    /// Number of attempts.
    pub attempts: i64,
    /// The run.
    pub run: String,
    /// When it failed, as RFC 3339 in UTC.
    pub failed_at: String,
    /// The role that ran it.
    pub failed_by: String,
}

/// What failures have in common that are equal but for the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, JsonSchema, Serialize)]
pub struct Cause {
    /// The name of the migration file.
    pub migration: String,
    /// The line of the statement that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<i64>,
    /// The error code.
    pub code: String,
    /// The server's SQLSTATE.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sqlstate: Option<String>,
    /// The reason, without the name of the schema.
    pub message: String,
}

impl KeptFailure {
    /// What it has in common with the same failure of other tenants.
    pub fn cause(&self) -> Cause {
        let message = SchemaName::existing(&self.schema).map(|schema| schema.hidden_in(&self.message));
        Cause {
            migration: self.migration.clone(),
            line: self.line,
            code: self.code.clone(),
            sqlstate: self.sqlstate.clone(),
            message: message.unwrap_or_else(|_| self.message.clone()),
        }
    }
}

impl Cause {
    /// The file, and the line if it is known.
    pub fn place(&self) -> String {
        self.line.map_or_else(|| self.migration.clone(), |line| format!("{}:{line}", self.migration))
    }
}

/// Keeps the failures of a run.
pub async fn keep(connection: &mut Connection, run: &Run, failed: &[FailedUnit<'_>]) -> Result<(), Failure> {
    if failed.is_empty() {
        return Ok(());
    }
    let rows = failed.iter().map(|unit| row(run, unit)).collect::<Vec<_>>().join(", ");
    let sql = format!(
        "{BEGIN}; INSERT INTO {}.migration_failure \
             (schema_name, run_id, from_version, to_version, name, line, code, sqlstate, message, attempts) \
         VALUES {rows} ON CONFLICT DO NOTHING; COMMIT",
        run.platform.quoted()
    );
    connection.run(&sql).await.map_err(|server_error| server_error.failure("keeping the failures of the run"))
}

fn row(run: &Run, unit: &FailedUnit<'_>) -> String {
    let FailedUnit { schema, from, to, migration, failure, attempts } = unit;
    let line = failure.place.as_ref().and_then(Place::start).map(|start| start.line.to_string());
    let sqlstate = failure.sqlstate.as_deref().map(literal);
    let or_null = |value: Option<String>| value.unwrap_or_else(|| "NULL".to_owned());
    format!(
        "({}, '{}', '{from}', '{to}', {}, {}, {}, {}, {}, {attempts})",
        literal(schema.as_str()),
        run.id,
        literal(migration),
        or_null(line),
        literal(failure.code.as_str()),
        or_null(sqlstate),
        literal(&without_literals(failure)),
    )
}

/// The message without texts that code of the database may have built from rows, and without a literal of the file, which a syntax
/// error repeats.
fn without_literals(failure: &Failure) -> String {
    let message = failure.public_message();
    let quote = |at: Option<usize>| at.filter(|_| failure.sqlstate.as_deref() == Some("42601"));
    match (quote(message.find("\"'")), message.rfind('"')) {
        (Some(start), Some(end)) if end > start => format!("{}…{}", &message[..=start], &message[end..]),
        _ => message,
    }
}

/// The newest failure of each schema that has not moved since, by schema.
pub async fn read(connection: &mut Connection, platform: &SchemaName) -> Result<Vec<KeptFailure>, Failure> {
    let (schema, named) = (platform.quoted(), literal(platform.as_str()));
    let sql = format!(
        "SELECT DISTINCT ON (f.schema_name) f.schema_name, f.name, f.line::int8 AS line, f.code, f.sqlstate, f.message, \
             f.attempts::int8 AS attempts, f.run_id::text AS run, f.failed_by, \
             to_char(f.failed_at AT TIME ZONE 'UTC', '{RFC3339}') AS failed_at \
         FROM {schema}.migration_failure f LEFT JOIN {schema}.tenant_version t USING (schema_name) \
         WHERE (f.schema_name = {named} AND f.from_version = (SELECT ltrim(version, 'vV') FROM {schema}.schema_version LIMIT 1)) \
             OR (t.status NOT IN ('dropped', 'pooled') AND f.from_version = t.version AND f.failed_at >= t.applied_at) \
         ORDER BY f.schema_name, f.failed_at DESC"
    );
    let sets = connection
        .query_batch(&sql)
        .await
        .map_err(|server_error| server_error.failure("reading the failures of earlier runs"))?;
    sets.iter().flatten().map(kept).collect()
}

pub(super) fn kept(row: &Row) -> Result<KeptFailure, Failure> {
    Ok(KeptFailure {
        schema: row.text("schema_name")?,
        migration: row.text("name")?,
        line: row.optional_integer("line")?,
        code: row.text("code")?,
        sqlstate: row.optional_text("sqlstate")?,
        message: row.text("message")?,
        attempts: row.integer("attempts")?,
        run: row.text("run")?,
        failed_at: row.text("failed_at")?,
        failed_by: row.text("failed_by")?,
    })
}
