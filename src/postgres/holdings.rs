//! What a tenant holds: its size on disk, its tables with their rows, its role. Catalogs only, so a role without any right
//! on the tenant's tables can ask; only to count rows needs the right to read them.

use super::{Connection, Row};
use crate::error::Failure;
use crate::ident::{Identifier, SchemaName, literal};
use crate::outcome::{Holdings, TableSize, TenantRole};

/// Tables that are counted in one message, and so in one transaction: each takes locks until its end.
const TOGETHER: usize = 50;

/// How long it waits for a table that somebody is changing.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '5s'";

/// How rows are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// As the server estimates them.
    Estimated,
    /// One by one.
    Counted,
}

/// Reads it.
pub async fn read(connection: &mut Connection, schema: &SchemaName, rows: Rows) -> Result<Holdings, Failure> {
    let named = literal(schema.as_str());
    let sql = format!(
        "BEGIN READ ONLY; {LOCK_TIMEOUT}; \
         SELECT relname::text AS name, \
             CASE WHEN reltuples >= 0 AND relkind <> 'p' THEN reltuples::int8 END AS rows, pg_total_relation_size(c.oid) AS bytes \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace \
         WHERE nspname = {named} AND relkind IN ('r', 'p', 'm') ORDER BY relname; \
         SELECT rolname::text AS name, rolcanlogin AS login FROM pg_catalog.pg_roles WHERE rolname = {named}; COMMIT"
    );
    let doing = format!("looking at what {schema} holds");
    let sets = connection.sets(&sql).await.map_err(|refusal| refusal.failure(&doing))?;
    let mut holdings = Holdings::default();
    for row in sets.iter().flatten() {
        if let Ok(login) = row.truth("login") {
            holdings.role = Some(TenantRole { name: row.text("name")?, login });
        } else {
            let table = table(row)?;
            holdings.size_bytes += table.bytes;
            holdings.tables.push(table);
        }
    }
    if rows == Rows::Counted {
        for page in holdings.tables.chunks_mut(TOGETHER) {
            count(connection, schema, page).await?;
        }
        holdings.counted = true;
    }
    Ok(holdings)
}

fn table(row: &Row) -> Result<TableSize, Failure> {
    Ok(TableSize {
        name: row.text("name")?,
        // The server does not estimate what its partitions hold together.
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
        .sets(&sql)
        .await
        .map_err(|refusal| refusal.failure(&format!("counting the rows of {schema}")))?;
    let counts = sets.iter().flatten().map(|row| row.integer("rows"));
    for (table, rows) in tables.iter_mut().zip(counts) {
        table.rows = u64::try_from(rows?).ok();
    }
    Ok(())
}
