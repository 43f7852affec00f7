//! Readiness of a server: it is ready when it answers a query. Log texts differ between versions, and a process
//! that runs may still be in recovery.

use std::future::Future;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tokio::time::{sleep, timeout};

use super::log::Log;
use super::{Address, INITIAL_DATABASE, server_failure};
use crate::error::Failure;
use crate::ident::{Identifier, literal};
use crate::postgres::Backoff;

/// The limit for a server's start.
pub(super) const START_LIMIT: Duration = Duration::from_secs(30);

const PROBE_LIMIT: Duration = Duration::from_secs(3);

/// The pauses between polls.
pub(super) fn backoff() -> Backoff {
    Backoff::steady(Duration::from_millis(5), Duration::from_millis(50))
}

pub(super) async fn is_ready(address: &Address) -> bool {
    let probe = async {
        let options = address.options(INITIAL_DATABASE).ok()?;
        let mut connection = PgConnection::connect_with(&options).await.ok()?;
        connection.execute("SELECT 1").await.ok()?;
        connection.close().await.ok()
    };
    timeout(PROBE_LIMIT, probe).await.ok().flatten().is_some()
}

/// Waits until the server answers. It fails if the process has `ended` first or after [`START_LIMIT`]; the error
/// quotes the end of the log.
pub(super) async fn wait(
    server: &str,
    address: &Address,
    ended: impl Future<Output = ()>,
    log: &Log,
) -> Result<(), Failure> {
    let ready = async {
        let mut backoff = backoff();
        while !is_ready(address).await {
            backoff.pause().await;
        }
    };
    let error = tokio::select! {
        () = ready => return Ok(()),
        () = ended => "it ended".to_owned(),
        () = sleep(START_LIMIT) => format!("it did not answer within {START_LIMIT:?}"),
    };
    Err(server_failure(format!("starting {server}: {error}{}", log.tail())))
}

/// Creates `database` if it does not exist.
pub(super) async fn ensure_database(address: &Address, database: &str) -> Result<(), Failure> {
    let failed = |error: sqlx::Error| server_failure(format!("creating the database {database}: {error}"));
    let name = Identifier::new(database)?;
    let mut connection =
        PgConnection::connect_with(&address.options(INITIAL_DATABASE)?).await.map_err(failed)?;
    let exists = format!("SELECT FROM pg_database WHERE datname = {}", literal(name.as_str()));
    // Safe: `Identifier` and `literal` quote both.
    if connection.fetch_optional(AssertSqlSafe(exists)).await.map_err(failed)?.is_none() {
        let create = format!("CREATE DATABASE {}", name.quoted());
        connection.execute(AssertSqlSafe(create)).await.map_err(failed)?;
    }
    connection.close().await.map_err(failed)
}
