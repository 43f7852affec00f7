//! Read-only queries between units. After a lost connection they are repeated on a new one.

use super::RetryPolicy;
use crate::error::Failure;
use crate::postgres::{Connection, Row};

/// Runs the query `sql`; retries on a new connection if the connection is lost.
pub(crate) async fn query(
    connection: &mut Connection,
    sql: &str,
    doing: &str,
    retry_policy: RetryPolicy,
) -> Result<Vec<Vec<Row>>, Failure> {
    let mut attempts = 0;
    loop {
        let failure = match connection.query_batch(sql).await {
            Ok(sets) => return Ok(sets),
            Err(server_error) => server_error.failure(doing),
        };
        attempts += 1;
        if !failure.session_ended() {
            return Err(failure);
        }
        let Some(pause) = retry_policy.pause(&failure, attempts) else { return Err(failure) };
        // A connection closed after idling needs no pause, only a new connection.
        if attempts > 1 {
            tokio::time::sleep(pause).await;
        }
        if let Ok(fresh) = connection.open_another().await {
            *connection = fresh;
        }
    }
}
