//! Cleanup of a tenant that is created in more than one transaction. Its version row records the attempt and its deadline; if the
//! answer to a COMMIT is lost, the row shows whether the server committed. The cleanup of a failed or expired attempt removes
//! schema, role, version row and registry row. The history keeps its rows and records the cleanup.

use std::convert::Infallible;
use std::time::Duration;

use crate::error::Failure;
use crate::ident::SchemaName;
use crate::postgres::batch::{Run, SessionState, SqlBatch};
use crate::postgres::metadata::attempts::{self, Attempt};
use crate::postgres::metadata::{TenantState, registry};
use crate::postgres::{Connection, Connector, Row, ServerError, error};
use crate::settings::Settings;

/// How often an idempotent message is sent. After a lost connection it is sent on a new one.
const TRIES: usize = 3;

/// The lifetime of an attempt without a heartbeat.
const LEASE: Duration = Duration::from_mins(1);

/// The interval of the heartbeat.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Records in the tenant's version row that this run creates it.
pub(super) fn mark(message: &mut SqlBatch, run: &Run, schema: &SchemaName) {
    message.push(&attempts::mark(&run.platform, schema, run.id, LEASE));
}

/// Runs `work` on a tenant that this run creates, with a heartbeat on a separate connection. The heartbeat skips a version row
/// that a unit has locked.
pub(super) async fn with_heartbeat<T>(
    connector: Connector,
    run: &Run,
    schema: &SchemaName,
    work: impl Future<Output = T>,
) -> T {
    let sql = attempts::extend(run, schema, LEASE);
    let heartbeat = async || -> Infallible {
        let mut open: Option<Connection> = None;
        loop {
            tokio::time::sleep(HEARTBEAT).await;
            let connection = match open.take() {
                Some(connection) => Some(connection),
                None => connector.open_without_retry().await.ok(),
            };
            if let Some(mut connection) = connection
                && connection.run(&sql).await.is_ok()
            {
                open = Some(connection);
            }
        }
    };
    tokio::select! {
        done = work => done,
        never = heartbeat() => match never {},
    }
}

/// Sends the message that commits the tenant of `schema`, which this run creates, in state `state`. If the answer is lost, reads
/// the version row on a new connection after the server has finished the message.
pub(super) async fn commit(
    connection: &mut Connection,
    (run, schema, state): (&Run, &SchemaName, TenantState),
    message: &SqlBatch,
    explained: impl Fn(&ServerError) -> Failure,
) -> Result<(), Failure> {
    let Err(server_error) = connection.send(message).await else { return Ok(()) };
    let mut failure = explained(&server_error);
    if !failure.session_ended() {
        return Err(failure);
    }
    let found = match connection.open_another().await {
        Ok(fresh) => {
            *connection = fresh;
            found(connection, run, schema).await
        }
        Err(unreachable) => Err(unreachable),
    };
    match found {
        Ok(now) if now == Some(state) => Ok(()),
        Ok(_) => Err(failure),
        Err(unknown) => {
            failure.message =
                format!("{}; it is not known whether it was committed: {}", failure.message, unknown.message);
            failure.hint = Some(format!(
                "`tenure tenant list` shows whether it is active; if it is in the state creating, the same command removes it \
                 and starts over {} seconds later",
                LEASE.as_secs()
            ));
            Err(failure)
        }
    }
}

/// The state of the tenant that this run creates, if its row exists. Waits for a session that writes the row: the server may
/// still process what a lost connection had sent. The row that the INSERT may add is rolled back.
async fn found(
    connection: &mut Connection,
    run: &Run,
    schema: &SchemaName,
) -> Result<Option<TenantState>, Failure> {
    let mut message = SqlBatch::default();
    message.begin_each(run.limits, &attempts::status(&run.platform, schema, run.id));
    message.roll_back(SessionState::None);
    let sets = connection.send(&message).await;
    let sets = sets.map_err(|server_error| server_error.failure("reading whether the tenant was created"))?;
    let status = sets.iter().flatten().find_map(|row| row.text("status").ok());
    Ok(status.as_deref().map(TenantState::named))
}

/// The message that removes a tenant.
pub(super) fn unmaking(settings: &Settings, run: &Run, schema: &SchemaName, attempt: Attempt) -> SqlBatch {
    let mut message = SqlBatch::default();
    message.begin_each(run.limits, &attempts::undo(run, schema, attempt));
    message.push_each(&registry::unregister(settings, schema));
    message.commit(SessionState::None);
    message
}

/// Removes the remains of an expired attempt at the tenant of `schema`.
pub(super) async fn remove_expired(
    connection: &mut Connection,
    settings: &Settings,
    run: &Run,
    (schema, doing): (&SchemaName, &str),
) -> Result<(), Failure> {
    let message = unmaking(settings, run, schema, Attempt::Stale);
    connection.send(&message).await.map(drop).map_err(|server_error| {
        let mut failure = server_error.failure(doing);
        failure.schema = Some(schema.as_str().to_owned());
        failure
    })
}

/// Removes the tenant of `schema` that this run was creating. If that fails too, the failure includes it.
pub(super) async fn clean_up(
    connection: &mut Connection,
    settings: &Settings,
    run: &Run,
    schema: &SchemaName,
    failure: Failure,
) -> Failure {
    if failure.session_ended() {
        match connection.open_another().await {
            Ok(other) => *connection = other,
            Err(_) => return cleanup_failed(failure, schema, "the database cannot be reached"),
        }
    }
    let message = unmaking(settings, run, schema, Attempt::Of(run.id));
    let is_missing = |server_error: &ServerError| server_error.sqlstate() == Some(error::NO_VERSION_ROW);
    match send(connection, &message, is_missing).await {
        Ok(_sets) => failure,
        // Another attempt has removed it, and may be creating it.
        Err(server_error)
            if is_missing(&server_error) || server_error.sqlstate() == Some(error::NOT_OWNED_BY_RUN) =>
        {
            failure
        }
        Err(server_error) => {
            let why = server_error.failure("removing it").message;
            cleanup_failed(failure, schema, &why)
        }
    }
}

fn cleanup_failed(mut failure: Failure, schema: &SchemaName, why: &str) -> Failure {
    failure.message =
        format!("{}; the tenant of schema {schema} is left in the state creating ({why})", failure.message);
    failure.hint = Some(format!(
        "remove it with `tenure tenant drop`, or run the same command {} seconds later, which starts over",
        LEASE.as_secs()
    ));
    failure
}

/// Sends an idempotent message, on a new connection if the current one is lost. `is_done` recognizes the error that shows that it
/// was done before.
pub(super) async fn send(
    connection: &mut Connection,
    message: &SqlBatch,
    is_done: impl Fn(&ServerError) -> bool,
) -> Result<Vec<Vec<Row>>, ServerError> {
    let mut tries = 1;
    loop {
        let server_error = match connection.send(message).await {
            Ok(sets) => return Ok(sets),
            Err(server_error) if tries > 1 && is_done(&server_error) => return Ok(Vec::new()),
            Err(server_error) => server_error,
        };
        if tries == TRIES || !server_error.failure("").session_ended() {
            return Err(server_error);
        }
        tries += 1;
        match connection.open_another().await {
            Ok(fresh) => *connection = fresh,
            Err(_) => return Err(server_error),
        }
    }
}
