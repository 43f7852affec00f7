//! A statement that says `IF NOT EXISTS` is run a second time, right after the first: it must change nothing.

use super::database_snapshot::DatabaseSnapshot;
use crate::chain::Migration;
use crate::error::Failure;
use crate::ident::{SchemaName, SharedPath};
use crate::postgres::batch::SqlBatch;
use crate::postgres::catalog::Transaction;
use crate::postgres::{Connection, Row};
use crate::sql::Statement;

/// How much this transaction has written to the catalogs.
const WRITTEN: &str = "SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::int8 AS written \
    FROM pg_catalog.pg_stat_xact_sys_tables";

/// Why `statement`, which has just run, cannot be run again; `None` where it can, or does not say so. What the
/// second run did is taken back. `known` is any earlier look.
pub(super) async fn failing(
    connection: &mut Connection,
    migration: &Migration,
    statement: &Statement,
    (schema, path): (&SchemaName, &SharedPath),
    known: &DatabaseSnapshot,
) -> Result<Option<String>, Failure> {
    if !statement.promises_to_repeat(&migration.script) {
        return Ok(None);
    }
    let mut message = SqlBatch::default();
    message.push("SAVEPOINT tenure_repeat");
    message.search_path(schema, path);
    message.push(WRITTEN);
    message.push_file(&migration.script, std::iter::once(statement), schema);
    message.push(WRITTEN);
    let why = match connection.send_in_transaction(&message).await {
        Ok(sets) => {
            let written = |set: &[Row]| set.first().and_then(|row| row.integer("written").ok());
            let mut written = sets.iter().filter_map(|set| written(set));
            let (first, last) = (written.next(), written.next_back());
            // Most second runs write nothing, and nothing need be looked at.
            if first.is_some() && first == last {
                None
            } else {
                back(connection).await?;
                let before = known.again(connection, Transaction::Current).await?;
                connection
                    .send_in_transaction(&message)
                    .await
                    .map_err(|server_error| server_error.failure("running a statement again"))?;
                let changes = before.changes(&before.again(connection, Transaction::Current).await?);
                let first = changes.iter().flat_map(|(_, changes)| changes).next();
                first.map(|change| format!("changes `{}: {}`", change.object, change.line()))
            }
        }
        Err(server_error) => {
            let failure = server_error.failure("running a statement again");
            // A lost connection is no verdict.
            if failure.sqlstate.is_none() {
                return Err(failure);
            }
            Some(format!("fails: {}", failure.message))
        }
    };
    back(connection).await?;
    Ok(why)
}

async fn back(connection: &mut Connection) -> Result<(), Failure> {
    let back = "ROLLBACK TO SAVEPOINT tenure_repeat; RELEASE SAVEPOINT tenure_repeat";
    connection.run(back).await.map_err(|server_error| server_error.failure("taking a second run back"))
}
