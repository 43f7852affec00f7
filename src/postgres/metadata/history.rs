//! The history: statements that add rows, and queries.

use schemars::JsonSchema;
use serde::Serialize;

use super::version_rows;
use crate::chain::{Checksum, Divergence, Version};
use crate::error::Failure;
use crate::ident::{SchemaName, literal};
use crate::postgres::batch::{BEGIN, DURATION_COLUMN, HistoryRow, Kind, Run, SqlBatch, VERSION_COLUMN};
use crate::postgres::{Connection, Row};

/// The condition on rows that record a renamed schema.
const MOVES: &str = "kind IN ('rename', 'drop', 'undrop')";

/// One row of the history, for display.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct HistoryEntry {
    /// The run.
    pub run_id: String,
    /// The schema.
    pub schema: String,
    /// The version before.
    pub from: String,
    /// The version after.
    pub to: String,
    /// The name of the file or template.
    pub name: String,
    /// `migrate`, `template`, `baseline`, `repair`; for `rename`, `drop`, `undrop`, `purge`, the `name` is the schema's former
    /// name.
    pub kind: String,
    /// The checksum of the file.
    pub checksum: Option<String>,
    /// The time, in the server's text format.
    pub applied_at: String,
    /// The role.
    pub applied_by: String,
    /// The duration of the unit.
    pub duration_ms: i64,
    /// The version of Tenure.
    pub tool_version: String,
    /// The accepted findings, as JSON.
    pub allowed: serde_json::Value,
}

/// Adds a row. The unit's milliseconds are in the column [`DURATION_COLUMN`].
pub(in crate::postgres) fn record(run: &Run, row: &HistoryRow<'_>) -> String {
    let checksum = row.checksum.map_or_else(|| "NULL".to_owned(), |checksum| literal(checksum.as_str()));
    format!(
        "SELECT {}.tenure_record('{}', {}, '{}', '{}', {}, {checksum}, '{}', {}, '{}') AS {DURATION_COLUMN}",
        run.platform.quoted(),
        run.id,
        literal(row.schema.as_str()),
        row.from,
        row.to,
        literal(row.name),
        env!("CARGO_PKG_VERSION"),
        literal(row.allowed),
        row.kind.as_str(),
    )
}

/// Adds a row that records a renamed schema at its current version, which is in the column [`VERSION_COLUMN`]. `schema` is an
/// expression, since the server may choose the name.
pub(in crate::postgres) fn record_name(run: &Run, schema: &str, former: &SchemaName, kind: Kind) -> String {
    record_of_row(run, schema, "version", &literal(former.as_str()), kind)
}

/// Adds a row that records the removal of an unfinished tenant.
pub(super) fn undone(run: &Run, schema: &SchemaName) -> String {
    record_of_row(run, &literal(schema.as_str()), "'0.0.0'", "coalesce(template, '')", Kind::UNDONE)
}

/// Adds a row about the schema with an existing version row: `schema`, `to` and `name` are expressions.
fn record_of_row(run: &Run, schema: &str, to: &str, name: &str, kind: Kind) -> String {
    let platform = run.platform.quoted();
    format!(
        "SELECT version AS {VERSION_COLUMN}, {platform}.tenure_record('{}', schema_name, version, {to}, {name}, NULL, '{}', '[]', '{}') \
         FROM {platform}.tenant_version WHERE schema_name = {schema}",
        run.id,
        env!("CARGO_PKG_VERSION"),
        kind.as_str(),
    )
}

/// Whether the newest non-transactional attempt at the file on the schema had its checksum, in the column `same`; no row if there
/// was no attempt.
pub fn begun(platform: &SchemaName, schema: &SchemaName, (file, checksum): (&str, &Checksum)) -> String {
    format!(
        "SELECT coalesce(checksum = {}, false) AS same FROM {}.migration_history \
         WHERE schema_name = {} AND name = {} AND kind = '{}' ORDER BY id DESC LIMIT 1",
        literal(checksum.as_str()),
        platform.quoted(),
        literal(schema.as_str()),
        literal(file),
        Kind::BEGUN.as_str(),
    )
}

/// An index of the schema, if it exists: whether it is valid, is newer than the first attempt at the file (`ours`), and is newer
/// than the first attempt with this checksum (`of_this_text`).
pub fn index_of_attempt(
    platform: &SchemaName,
    (schema, index): (&SchemaName, &str),
    (file, checksum): (&str, &Checksum),
) -> String {
    let attempts = format!(
        "FROM {}.migration_history h WHERE h.schema_name = n.nspname AND h.name = {} AND h.kind = '{}'",
        platform.quoted(),
        literal(file),
        Kind::BEGUN.as_str(),
    );
    let other_text = format!("h.checksum IS DISTINCT FROM {}", literal(checksum.as_str()));
    format!(
        "SELECT i.indisvalid AS valid, age(i.xmin) < (SELECT age(h.xmin) {attempts} ORDER BY h.id LIMIT 1) AS ours, \
         age(i.xmin) < (SELECT age(h.xmin) {attempts} \
             AND h.id > coalesce((SELECT max(h.id) {attempts} AND {other_text}), 0) ORDER BY h.id LIMIT 1) AS of_this_text \
         FROM pg_catalog.pg_index i \
         JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = {} AND c.relname = {}",
        literal(schema.as_str()),
        literal(index),
    )
}

/// The current name and version of the schema that was once named `schema`, unless its tenant was dropped or purged.
pub async fn renamed(
    connection: &mut Connection,
    platform: &SchemaName,
    schema: &SchemaName,
) -> Result<Option<(String, String)>, Failure> {
    let (platform, named) = (platform.quoted(), literal(schema.as_str()));
    // Each name maps to its latest successor.
    let sql = format!(
        "WITH RECURSIVE way AS ( \
             SELECT {named}::text AS schema_name, 0::int8 AS id \
             UNION ALL SELECT next.schema_name, next.id FROM way, LATERAL ( \
                 SELECT h.schema_name, h.id FROM {platform}.migration_history h \
                 WHERE h.{MOVES} AND h.name = way.schema_name AND h.id > way.id \
                 ORDER BY h.id DESC LIMIT 1) next \
         ) SELECT t.schema_name, t.version FROM way JOIN {platform}.tenant_version t USING (schema_name) \
         WHERE t.status <> 'dropped' ORDER BY way.id DESC"
    );
    let sets = connection
        .query_batch(&sql)
        .await
        .map_err(|server_error| server_error.failure("reading the history"))?;
    sets.iter().flatten().next().map(version_rows::version_of).transpose()
}

/// Whether the run recorded an event of this kind on the schema.
pub async fn was_recorded(
    connection: &mut Connection,
    run: &Run,
    (schema, kind): (&SchemaName, Kind),
    doing: &str,
) -> Result<bool, Failure> {
    let sql = format!(
        "SELECT true AS noted FROM {}.migration_history WHERE run_id = '{}' AND schema_name = {} AND kind = '{}'",
        run.platform.quoted(),
        run.id,
        literal(schema.as_str()),
        kind.as_str(),
    );
    let sets = connection.query_batch(&sql).await.map_err(|server_error| server_error.failure(doing))?;
    Ok(sets.iter().flatten().next().is_some())
}

/// The contents of `schema_version` before a baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// One row at 0.0.0: the database was never migrated.
    Zero,
    /// No row, several rows, or an invalid version.
    Unreadable,
}

/// Sets the platform to `version`, in one transaction. A row at 0.0.0 is advanced as by a unit, so a concurrent migration is not
/// overwritten.
pub async fn baseline(
    connection: &mut Connection,
    run: &Run,
    before: Before,
    version: &Version,
) -> Result<(), Failure> {
    let mut message = SqlBatch::default();
    message.push(BEGIN);
    match before {
        Before::Zero => {
            message.push(&version_rows::advance_platform(&run.platform, &Version::ZERO, version));
        }
        Before::Unreadable => {
            let table = format!("{}.schema_version", run.platform.quoted());
            message.push(&format!("LOCK TABLE {table} IN EXCLUSIVE MODE"));
            // The remaining row keeps the values of columns that users added.
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

/// Accepts divergences: adds a row with the current file for each, in one transaction.
pub async fn repair(connection: &mut Connection, run: &Run, found: &[Divergence]) -> Result<(), Failure> {
    let mut message = SqlBatch::default();
    message.push(BEGIN);
    for divergence in found {
        let (applied, name, checksum) = match divergence {
            Divergence::Edited { applied, file, now } => (applied, file, Some(now)),
            Divergence::Missing { applied } => (applied, &applied.name, None),
            Divergence::OtherHistory { .. } => continue,
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

/// The history of the tenant or platform whose schema is now named `schema`, oldest first. Follows renames back; of each former
/// name it includes only the rows of this tenant, since another tenant may have had the name before or after.
pub async fn read(
    connection: &mut Connection,
    platform: &SchemaName,
    schema: &SchemaName,
) -> Result<Vec<HistoryEntry>, Failure> {
    let (platform, named) = (platform.quoted(), literal(schema.as_str()));
    // A name ends with a row that has it as the former name, or that records its tenant's purge or removal.
    let given_up = |name: &str, before: &str| {
        format!(
            "(SELECT coalesce(max(id), 0) FROM {platform}.migration_history \
              WHERE ((name = {name} AND {MOVES}) OR (schema_name = {name} AND kind IN ('purge', 'undone'))) AND id < {before})"
        )
    };
    let newest = "9223372036854775807";
    let sql = format!(
        "WITH RECURSIVE span AS ( \
             SELECT {named}::text AS called, {} AS after, {newest}::int8 AS before \
             UNION ALL SELECT got.name, {}, got.id FROM span, LATERAL ( \
                 SELECT h.name, h.id FROM {platform}.migration_history h WHERE h.schema_name = called AND h.{MOVES} \
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
