//! Runs a statement with `IF NOT EXISTS` a second time: it must change nothing.

use super::database_snapshot::DatabaseSnapshot;
use crate::chain::Migration;
use crate::error::Failure;
use crate::ident::{SchemaName, SharedPath};
use crate::postgres::batch::SqlBatch;
use crate::postgres::catalog::Transaction;
use crate::postgres::{Connection, Row};
use crate::sql::Statement;

/// The number of catalog rows that this transaction has written.
const WRITTEN: &str = "SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::int8 AS written \
    FROM pg_catalog.pg_stat_xact_sys_tables";

/// Why `statement`, which has just run, cannot run a second time. `None` if it can, or if it does not claim to. The second run is
/// rolled back. `known` is any earlier snapshot.
pub(super) async fn repeat_failure(
    connection: &mut Connection,
    migration: &Migration,
    statement: &Statement,
    (schema, path): (&SchemaName, &SharedPath),
    known: &DatabaseSnapshot,
) -> Result<Option<String>, Failure> {
    if !statement.is_repeatable(&migration.script) {
        return Ok(None);
    }
    let mut message = SqlBatch::default();
    message.push("SAVEPOINT tenure_repeat");
    message.push_own_query(WRITTEN);
    message.search_path(schema, path);
    message.push_file(&migration.script, std::iter::once(statement), schema);
    message.push_own_query(WRITTEN);
    let why = match connection.send_in_transaction(&message).await {
        Ok(sets) => {
            let written = |set: &[Row]| set.first().and_then(|row| row.integer("written").ok());
            let mut written = sets.iter().filter_map(|set| written(set));
            let (first, last) = (written.next(), written.next_back());
            // Most second runs write nothing, so no snapshot is needed.
            if first.is_some() && first == last {
                None
            } else {
                roll_back(connection).await?;
                let before = known.refreshed(connection, Transaction::Current).await?;
                connection
                    .send_in_transaction(&message)
                    .await
                    .map_err(|server_error| server_error.failure("running a statement a second time"))?;
                let changes = before.changes(&before.refreshed(connection, Transaction::Current).await?);
                let first = changes.iter().flat_map(|(_, changes)| changes).next();
                first.map(|change| format!("changes `{}: {}`", change.object, change.line()))
            }
        }
        Err(server_error) => {
            let failure = server_error.failure("running a statement a second time");
            // A lost connection is not a result.
            if failure.sqlstate.is_none() {
                return Err(failure);
            }
            Some(format!("fails: {}", failure.message))
        }
    };
    roll_back(connection).await?;
    Ok(why)
}

async fn roll_back(connection: &mut Connection) -> Result<(), Failure> {
    let sql = "ROLLBACK TO SAVEPOINT tenure_repeat; RELEASE SAVEPOINT tenure_repeat";
    connection.run(sql).await.map_err(|server_error| server_error.failure("rolling back a second run"))
}
