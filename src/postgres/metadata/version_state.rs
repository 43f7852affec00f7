//! The rows that say at which versions a database is, and how it came there. A copy of a database that has
//! its schemas without rows has these tables empty: to a migrator it would look new.

use std::fmt::Write as _;

use super::install::MIGRATIONS_TABLE;
use crate::error::Failure;
use crate::ident::{SchemaName, literal};
use crate::postgres::{Connection, ServerError};

/// What there is of those rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionState {
    /// The platform has no version table: nobody migrated it yet.
    Absent,
    /// It has one without a row.
    Empty,
    /// It has a version.
    There,
}

/// The tables of which the rows are copied, in this order. What runs there were is not needed.
const TABLES: [&str; 4] = ["schema_version", MIGRATIONS_TABLE, "tenant_version", "migration_history"];

/// Whether the database knows its version. One round trip, two where there is a table.
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

/// Copies those rows from one database into another whose tables are the same and empty. Only reads the first one.
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
    // One snapshot for all of them: the parent is a database at work.
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
