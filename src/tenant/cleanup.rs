//! A tenant that is being made in more than one transaction. Its version row says which attempt makes it and until when; where the
//! answer to a COMMIT is lost, that row says whether the server committed. An attempt that failed, or that is gone, is taken
//! back whole: schema, role, version row, registry row. The history keeps its rows and says that they were undone.

use std::convert::Infallible;
use std::time::Duration;

use crate::error::Failure;
use crate::ident::{SchemaName, literal};
use crate::postgres::batch::{Run, SessionState, SqlBatch};
use crate::postgres::metadata::attempts::{self, Attempt};
use crate::postgres::metadata::{TenantState, state};
use crate::postgres::{Connection, Connector, Row, ServerError, error};
use crate::settings::Settings;

/// How often a message that may be sent twice is sent, each time on a new connection where the old one broke.
const TRIES: usize = 3;

/// How long an attempt that says nothing counts as alive.
const ALIVE: Duration = Duration::from_mins(1);

/// How often it says that it is.
const BEAT: Duration = Duration::from_secs(15);

/// Writes into the tenant's version row that this run makes it.
pub(super) fn mark(message: &mut SqlBatch, run: &Run, schema: &SchemaName) {
    message.push(&attempts::mark(&run.platform, schema, run.id, ALIVE));
}

/// Does `work` on a tenant that this run is making, and says meanwhile that the run is alive: on a connection of its own, and
/// without waiting for a unit that has the version row.
pub(super) async fn while_alive<T>(
    connector: Connector,
    run: &Run,
    schema: &SchemaName,
    work: impl Future<Output = T>,
) -> T {
    let sql = attempts::extend(run, schema, ALIVE);
    let beats = async || -> Infallible {
        let mut open: Option<Connection> = None;
        loop {
            tokio::time::sleep(BEAT).await;
            let connection = match open.take() {
                Some(connection) => Some(connection),
                None => connector.open_now().await.ok(),
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
        never = beats() => match never {},
    }
}

/// Sends the message that commits the tenant of `schema`, which this run makes, in the state `state`. Where the answer is lost, the
/// version row is asked on a new connection, once the server is done with the message.
pub(super) async fn commit(
    connection: &mut Connection,
    (run, schema, state): (&Run, &SchemaName, TenantState),
    message: &SqlBatch,
    explained: impl Fn(&ServerError) -> Failure,
) -> Result<(), Failure> {
    let Err(server_error) = connection.send(message).await else { return Ok(()) };
    let mut failure = explained(&server_error);
    if !failure.ended_the_session() {
        return Err(failure);
    }
    let found = match connection.another().await {
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
                format!("{}; whether it was committed is not known: {}", failure.message, unknown.message);
            failure.hint = Some(format!(
                "`tenure tenant list` shows whether it is active; if it is in the state creating, the same command takes it \
                 back and begins anew {} seconds later",
                ALIVE.as_secs()
            ));
            Err(failure)
        }
    }
}

/// In which state the tenant is that this run makes, if it is there. Whoever writes its row is waited for: the server may still be
/// at work on what a connection that broke had sent. The row that this needs where there is none is rolled back.
async fn found(
    connection: &mut Connection,
    run: &Run,
    schema: &SchemaName,
) -> Result<Option<TenantState>, Failure> {
    let mut message = SqlBatch::default();
    message.begin_each(run.limits, &attempts::status(&run.platform, schema, run.id));
    message.roll_back(SessionState::None);
    let sets = connection.send(&message).await;
    let sets = sets.map_err(|server_error| server_error.failure("asking whether the tenant was made"))?;
    let status = sets.iter().flatten().find_map(|row| row.text("status").ok());
    Ok(status.as_deref().map(TenantState::named))
}

/// The message that takes a tenant back.
pub(super) fn unmaking(settings: &Settings, run: &Run, schema: &SchemaName, attempt: Attempt) -> SqlBatch {
    let mut message = SqlBatch::default();
    message.begin_each(run.limits, &attempts::undo(run, schema, attempt));
    message.push(&format!(
        "DELETE FROM {} WHERE {} = {}",
        state::registry(settings),
        settings.tenants.columns.schema.quoted(),
        literal(schema.as_str()),
    ));
    message.commit(SessionState::None);
    message
}

/// Takes back what an attempt at the tenant of `schema` left, if its time is over.
pub(super) async fn take_back(
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

/// Takes back the tenant of `schema` that this run was making. Where that does not succeed, the failure that led here says so too.
pub(super) async fn undo(
    connection: &mut Connection,
    settings: &Settings,
    run: &Run,
    schema: &SchemaName,
    failure: Failure,
) -> Failure {
    if failure.ended_the_session() {
        match connection.another().await {
            Ok(other) => *connection = other,
            Err(_) => return left_behind(failure, schema, "the database cannot be reached"),
        }
    }
    let message = unmaking(settings, run, schema, Attempt::Of(run.id));
    let is_gone = |server_error: &ServerError| server_error.sqlstate() == Some(error::NO_VERSION_ROW);
    match send(connection, &message, is_gone).await {
        Ok(_sets) => failure,
        // Another attempt has taken it back, and may be making it.
        Err(server_error) if is_gone(&server_error) || server_error.sqlstate() == Some(error::NOT_OURS) => {
            failure
        }
        Err(server_error) => {
            let why = server_error.failure("undoing it").message;
            left_behind(failure, schema, &why)
        }
    }
}

fn left_behind(mut failure: Failure, schema: &SchemaName, why: &str) -> Failure {
    failure.message =
        format!("{}; the tenant of schema {schema} is left in the state creating ({why})", failure.message);
    failure.hint = Some(format!(
        "`tenure tenant drop` takes it away, and so does the same command {} seconds later, which begins anew",
        ALIVE.as_secs()
    ));
    failure
}

/// Sends a message that may be sent again: on another connection, where this one broke. `is_done` says which refusal
/// tells that it was done before.
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
        if tries == TRIES || !server_error.failure("").ended_the_session() {
            return Err(server_error);
        }
        tries += 1;
        match connection.another().await {
            Ok(fresh) => *connection = fresh,
            Err(_) => return Err(server_error),
        }
    }
}
