//! Questions that a run asks between its units. They change nothing, so one whose connection broke is asked again on another.

use super::RetryPolicy;
use crate::error::Failure;
use crate::postgres::{Connection, Row};

/// The answers to `sql`, with as many tries as patience has where connections break.
pub(super) async fn ask(
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
        if !failure.ended_the_session() {
            return Err(failure);
        }
        let Some(pause) = retry_policy.pause(&failure, attempts) else { return Err(failure) };
        // What idled too long needs no pause, only another connection.
        if attempts > 1 {
            tokio::time::sleep(pause).await;
        }
        if let Ok(fresh) = connection.open_another().await {
            *connection = fresh;
        }
    }
}
