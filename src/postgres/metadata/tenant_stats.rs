//! Statistics of a tenant: its size on disk, its tables with row counts, its role. Reads only catalogs, so a role without
//! privileges on the tenant's tables can call it; only counting rows requires SELECT.

use schemars::JsonSchema;
use serde::Serialize;

use crate::error::Failure;
use crate::ident::{Identifier, SchemaName, literal};
use crate::postgres::{Connection, Row};

/// Statistics of a tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq, JsonSchema, Serialize)]
pub struct TenantStats {
    /// The total size on disk: tables, indexes and TOAST tables.
    pub size_bytes: u64,
    /// Its tables and materialized views, by name.
    pub tables: Vec<TableSize>,
    /// Whether rows were counted; otherwise the numbers are the server's estimates.
    pub counted: bool,
    /// The role with the name of its schema, if any.
    pub role: Option<String>,
    /// Whether the role may log in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_log_in: Option<bool>,
}

/// Statistics of a table.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct TableSize {
    /// Its name.
    pub name: String,
    /// Its rows; `None` if the server has no estimate.
    pub rows: Option<u64>,
    /// The size with indexes and TOAST table.
    pub bytes: u64,
}

/// The number of tables per counting transaction: each holds locks until its end.
const TOGETHER: usize = 50;

/// The lock timeout for a table in use.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '5s'";

/// The source of row counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// The server's estimates.
    Estimated,
    /// Counted with a scan.
    Counted,
}

/// Reads the statistics.
pub async fn read(
    connection: &mut Connection,
    (schema, role): (&SchemaName, &str),
    rows: Rows,
) -> Result<TenantStats, Failure> {
    let (named, role) = (literal(schema.as_str()), literal(role));
    let sql = format!(
        "BEGIN READ ONLY; {LOCK_TIMEOUT}; \
         SELECT relname::text AS name, \
             CASE WHEN reltuples >= 0 AND relkind <> 'p' THEN reltuples::int8 END AS rows, pg_total_relation_size(c.oid) AS bytes \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace \
         WHERE nspname = {named} AND relkind IN ('r', 'p', 'm') ORDER BY relname; \
         SELECT rolname::text AS name, rolcanlogin AS login FROM pg_catalog.pg_roles WHERE rolname = {role}; COMMIT"
    );
    let doing = format!("looking at what {schema} holds");
    let sets = connection.query_batch(&sql).await.map_err(|server_error| server_error.failure(&doing))?;
    let mut stats = TenantStats::default();
    for row in sets.iter().flatten() {
        if let Ok(login) = row.get_bool("login") {
            (stats.role, stats.can_log_in) = (Some(row.text("name")?), Some(login));
        } else {
            let table = table(row)?;
            stats.size_bytes += table.bytes;
            stats.tables.push(table);
        }
    }
    if rows == Rows::Counted {
        for page in stats.tables.chunks_mut(TOGETHER) {
            count(connection, schema, page).await?;
        }
        stats.counted = true;
    }
    Ok(stats)
}

fn table(row: &Row) -> Result<TableSize, Failure> {
    Ok(TableSize {
        name: row.text("name")?,
        // The server has no estimate for a partitioned table as a whole.
        rows: row.optional_integer("rows")?.and_then(|rows| u64::try_from(rows).ok()),
        bytes: u64::try_from(row.integer("bytes")?).unwrap_or_default(),
    })
}

async fn count(
    connection: &mut Connection,
    schema: &SchemaName,
    tables: &mut [TableSize],
) -> Result<(), Failure> {
    let mut statements = vec!["BEGIN READ ONLY".to_owned(), LOCK_TIMEOUT.to_owned()];
    for table in tables.iter() {
        let name = Identifier::new(table.name.as_str())?;
        let from = format!("{}.{}", schema.quoted(), name.quoted());
        statements.push(format!("SELECT count(*)::int8 AS rows FROM {from}"));
    }
    statements.push("COMMIT".to_owned());
    let sql = statements.join("; ");
    let sets = connection
        .query_batch(&sql)
        .await
        .map_err(|server_error| server_error.failure(&format!("counting the rows of {schema}")))?;
    let counts = sets.iter().flatten().map(|row| row.integer("rows"));
    for (table, rows) in tables.iter_mut().zip(counts) {
        table.rows = u64::try_from(rows?).ok();
    }
    Ok(())
}
