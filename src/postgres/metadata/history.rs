//! The history: the statements that add its rows, and what is read of it.

use serde::Serialize;

use super::version_rows;
use crate::chain::{Checksum, Divergence, Version};
use crate::error::Failure;
use crate::ident::{SchemaName, literal};
use crate::postgres::batch::{BEGIN, DURATION_COLUMN, HistoryRow, Kind, Run, SqlBatch, VERSION_COLUMN};
use crate::postgres::{Connection, Row};

/// The condition on rows that record another name of a schema.
const MOVES: &str = "kind IN ('rename', 'drop', 'undrop')";

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

/// Adds a row; the unit's milliseconds are in the column [`DURATION_COLUMN`].
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

/// Adds a row that says that a schema got another name, at the version that it has, which is in the column [`VERSION_COLUMN`]. `schema` is an
/// expression, since the server may choose the name.
pub(in crate::postgres) fn record_name(run: &Run, schema: &str, former: &SchemaName, kind: Kind) -> String {
    record_of_row(run, schema, "version", &literal(former.as_str()), kind)
}

/// Adds a row that says that a tenant which was being made was removed.
pub(super) fn undone(run: &Run, schema: &SchemaName) -> String {
    record_of_row(run, &literal(schema.as_str()), "'0.0.0'", "coalesce(template, '')", Kind::UNDONE)
}

/// Adds a row about the schema whose version row is there: `schema`, `to` and `name` are expressions.
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

/// Whether the newest attempt at the file on the schema outside of a transaction had its checksum, in the column `same`; no row if
/// there was none.
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

/// An index of the schema, if it is there: whether it is valid, is newer than the first attempt at the file (`ours`), and is newer than
/// the first one with this checksum (`of_this_text`).
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

/// The name and version that a schema has now whose name was `schema`, unless its tenant was dropped or deleted.
pub async fn renamed(
    connection: &mut Connection,
    platform: &SchemaName,
    schema: &SchemaName,
) -> Result<Option<(String, String)>, Failure> {
    let (platform, named) = (platform.quoted(), literal(schema.as_str()));
    // Each name leads to the one that it was given up for last.
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
    let mut message = SqlBatch::default();
    message.push(BEGIN);
    match before {
        Before::Zero => {
            message.push(&version_rows::advance_platform(&run.platform, &Version::ZERO, version));
        }
        Before::Unreadable => {
            let table = format!("{}.schema_version", run.platform.quoted());
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
            Divergence::Missing { applied } => (applied, &applied.name, None),
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
    // A name was given up by a row that has it as the one before, or that says that its tenant is deleted or was taken back.
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
