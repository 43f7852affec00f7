//! The rows with a database's versions and their history. If a database is copied without rows, these tables are empty and the
//! copy appears new to a migrator.

use std::fmt::Write as _;

use super::install::MIGRATIONS_TABLE;
use crate::error::Failure;
use crate::ident::{SchemaName, literal};
use crate::postgres::{Connection, ServerError};

/// The state of those rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionState {
    /// The platform has no version table: the database was never migrated.
    Absent,
    /// The version table is empty.
    Empty,
    /// It has a version.
    There,
}

/// The tables whose rows are copied, in this order. Runs are not needed.
const TABLES: [&str; 4] = ["schema_version", MIGRATIONS_TABLE, "tenant_version", "migration_history"];

/// Reads the state. One round trip, two if the version table exists.
pub async fn look(connection: &mut Connection, platform: &SchemaName) -> Result<VersionState, Failure> {
    let failure =
        |server_error: ServerError| server_error.failure("asking whether the database knows its version");
    let table = format!("{}.schema_version", platform.quoted());
    let there = format!("SELECT to_regclass({}) IS NOT NULL AS there", literal(&table));
    let sets = connection.query_batch(&there).await.map_err(failure)?;
    if !first(&sets, "there")? {
        return Ok(VersionState::Absent);
    }
    let filled = format!("SELECT EXISTS (SELECT FROM {table}) AS filled");
    let sets = connection.query_batch(&filled).await.map_err(failure)?;
    Ok(if first(&sets, "filled")? { VersionState::There } else { VersionState::Empty })
}

/// Copies those rows into another database with the same, empty tables. Only reads the source.
pub async fn seed(
    from: &mut Connection,
    to: &mut Connection,
    platform: &SchemaName,
) -> Result<VersionState, Failure> {
    let reading = |server_error: ServerError| server_error.failure("reading the parent's versions");
    let schema = platform.quoted();
    let there: Vec<_> = TABLES
        .iter()
        .map(|table| {
            let name = literal(&format!("{schema}.{table}"));
            format!("SELECT to_regclass({name}) IS NOT NULL AS there")
        })
        .collect();
    let sets = from.query_batch(&there.join("; ")).await.map_err(reading)?;
    let mut tables = Vec::new();
    for (table, set) in TABLES.iter().zip(&sets) {
        if first(std::slice::from_ref(set), "there")? {
            tables.push(*table);
        }
    }
    let rows = tables.iter().map(|table| {
        format!("SELECT coalesce(jsonb_agg(to_jsonb(one)), '[]')::text AS rows FROM {schema}.{table} one")
    });
    let question = rows.collect::<Vec<_>>().join("; ");
    // One snapshot for all tables, since the source may be in use.
    let question = format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {question}; COMMIT");
    let sets = from.query_batch(&question).await.map_err(reading)?;
    let mut message = String::from("BEGIN; SET LOCAL search_path = pg_catalog; ");
    for (table, set) in tables.iter().zip(sets.iter().skip(1)) {
        let Some(row) = set.first() else { continue };
        let rows = literal(&row.text("rows")?);
        let _written = write!(
            message,
            "INSERT INTO {schema}.{table} OVERRIDING SYSTEM VALUE \
             SELECT * FROM jsonb_populate_recordset(NULL::{schema}.{table}, {rows}); "
        );
        if *table == "migration_history" {
            let name = literal(&format!("{schema}.{table}"));
            let _written = write!(
                message,
                "SELECT setval(pg_get_serial_sequence({name}, 'id'), coalesce(max(id), 0) + 1, false) \
                 FROM {schema}.{table}; "
            );
        }
    }
    message.push_str("COMMIT");
    to.run(&message)
        .await
        .map_err(|server_error| server_error.failure("writing the parent's versions to the branch"))?;
    look(to, platform).await
}

fn first(sets: &[Vec<crate::postgres::Row>], column: &str) -> Result<bool, Failure> {
    sets.first().and_then(|rows| rows.first()).map_or(Ok(false), |row| row.get_bool(column))
}
