//! Lists all foreign keys of a restored schema whose rows are missing, not only the first. No value of a row is reported.

use crate::error::{Code, Failure};
use crate::ident::literal;
use crate::output::plural;
use crate::postgres::{Connection, ForeignKey, ServerError};

const QUERIES: &str = include_str!("foreign_keys.sql");

/// The failure that names the missing rows of `keys`, which are in the open transaction, unchecked; `None` if none are missing.
pub(super) async fn missing_rows(
    connection: &mut Connection,
    keys: &[ForeignKey],
) -> Result<Option<Failure>, Failure> {
    if keys.is_empty() {
        return Ok(None);
    }
    let keys: Vec<String> =
        keys.iter().map(|key| format!("({}, {})", literal(&key.table), literal(&key.name))).collect();
    let missing = missing(connection, &keys.join(", ")).await?;
    if missing.is_empty() {
        return Ok(None);
    }
    let message = format!("the database lacks rows of shared tables: {}", missing.join("; "));
    let hint = "insert them into the shared tables, then run the command again";
    Ok(Some(Failure::new(Code::ImportNeeds, message).hint(hint)))
}

async fn missing(connection: &mut Connection, keys: &str) -> Result<Vec<String>, Failure> {
    let doing = |server_error: ServerError| server_error.failure("counting the missing rows of foreign keys");
    let sets = connection.query_batch(&QUERIES.replace("/*KEYS*/", keys)).await.map_err(doing)?;
    let queries = sets.iter().flatten().map(|row| row.text("query")).collect::<Result<Vec<_>, _>>()?;
    let counted = connection.query_batch(&queries.join("; ")).await.map_err(doing)?;
    let mut missing = Vec::new();
    for row in counted.iter().flatten() {
        let count = usize::try_from(row.integer("keys")?).unwrap_or(usize::MAX);
        if count > 0 {
            let (key, table) = (row.text("key")?, row.text("referenced")?);
            missing.push(format!("{key} refers to {} of {table}", plural(count, "missing row")));
        }
    }
    Ok(missing)
}
