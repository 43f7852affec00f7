//! A statement that says `IF NOT EXISTS` is run a second time, right after the first: it must change nothing.

use super::look::Look;
use crate::catalog::Asked;
use crate::chain::Migration;
use crate::error::Failure;
use crate::ident::SchemaName;
use crate::postgres::Connection;
use crate::postgres::message::Message;
use crate::sql::Statement;

/// Why `statement` cannot be run again, after which everything looks like `look`; `None` where it can, or does
/// not say so. What the second run did is taken back.
pub(super) async fn failing(
    connection: &mut Connection,
    migration: &Migration,
    statement: &Statement,
    schema: &SchemaName,
    look: &Look,
) -> Result<Option<String>, Failure> {
    if !statement.promises_to_repeat(&migration.script) {
        return Ok(None);
    }
    let mut message = Message::default();
    message.push("SAVEPOINT tenure_repeat");
    message.search_path(schema);
    message.push_file(&migration.script, std::iter::once(statement), schema);
    let why = match connection.send_within(&message).await {
        Ok(_) => {
            let now = look.again(connection, Asked::Within).await?;
            let changes = look.changes(&now);
            let first = changes.iter().flat_map(|(_, changes)| changes).next();
            first.map(|change| format!("changes `{}: {}`", change.object, change.line()))
        }
        Err(refusal) => {
            let failure = refusal.failure("running a statement again");
            // A lost connection is no verdict.
            if failure.sqlstate.is_none() {
                return Err(failure);
            }
            Some(format!("fails: {}", failure.message))
        }
    };
    let back = "ROLLBACK TO SAVEPOINT tenure_repeat; RELEASE SAVEPOINT tenure_repeat";
    connection.run(back).await.map_err(|refusal| refusal.failure("taking a second run back"))?;
    Ok(why)
}
