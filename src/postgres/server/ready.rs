//! Whether a server answers. A query is the only witness: a log has other words in other versions,
//! and a process that runs may still be replaying its log.

use std::future::Future;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tokio::time::{sleep, timeout};

use super::{Address, broken};
use crate::error::Failure;
use crate::ident::{Identifier, literal};
use crate::postgres::Backoff;

/// How long a server may take to answer.
pub(super) const START_LIMIT: Duration = Duration::from_secs(30);

/// How long one question may take.
const PROBE_LIMIT: Duration = Duration::from_secs(3);

/// The database that initdb makes, and that is there before ours.
const FIRST_DATABASE: &str = "postgres";

/// Short pauses that grow.
pub(super) fn pauses() -> Backoff {
    Backoff::steady(Duration::from_millis(5), Duration::from_millis(50))
}

/// Whether the server answers now.
pub(super) async fn answers(address: &Address) -> bool {
    let ask = async {
        let options = address.options(FIRST_DATABASE).ok()?;
        let mut connection = PgConnection::connect_with(&options).await.ok()?;
        connection.execute("SELECT 1").await.ok()?;
        connection.close().await.ok()
    };
    timeout(PROBE_LIMIT, ask).await.ok().flatten().is_some()
}

/// What became of a server that was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It answers.
    Ready,
    /// Its process ended first.
    Ended,
    /// Neither, within [`START_LIMIT`].
    Silent,
}

/// Waits until the server answers, or its process has `ended`, or the time is over.
pub(super) async fn outcome(address: &Address, ended: impl Future<Output = ()>) -> Outcome {
    let ready = async {
        let mut pauses = pauses();
        while !answers(address).await {
            pauses.pause().await;
        }
    };
    tokio::select! {
        () = ready => Outcome::Ready,
        () = ended => Outcome::Ended,
        () = sleep(START_LIMIT) => Outcome::Silent,
    }
}

/// Creates `database` unless it is there. Of two who do it at once, one is refused by the server.
pub(super) async fn ensure_database(address: &Address, database: &str) -> Result<(), Failure> {
    let failed = |error: sqlx::Error| broken(format!("creating the database {database}: {error}"));
    let name = Identifier::new(database)?;
    let mut connection =
        PgConnection::connect_with(&address.options(FIRST_DATABASE)?).await.map_err(failed)?;
    let there = format!("SELECT FROM pg_database WHERE datname = {}", literal(name.as_str()));
    // Safe: a literal and an identifier, quoted by their types.
    if connection.fetch_optional(AssertSqlSafe(there)).await.map_err(failed)?.is_none() {
        let create = format!("CREATE DATABASE {}", name.quoted());
        connection.execute(AssertSqlSafe(create)).await.map_err(failed)?;
    }
    connection.close().await.map_err(failed)
}
