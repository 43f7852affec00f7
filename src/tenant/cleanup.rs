//! A tenant that is being made in more than one transaction. Its version row says which attempt makes it and until when; where the
//! answer to a COMMIT is lost, that row says whether the server committed. An attempt that failed, or that is gone, is taken
//! back whole: schema, role, version row, registry row. The history keeps its rows and says that they were undone.

use std::convert::Infallible;
use std::time::Duration;

use uuid::Uuid;

use crate::error::Failure;
use crate::ident::{SchemaName, literal};
use crate::postgres::batch::{BEGIN, Run, SessionState, SqlBatch};
use crate::postgres::metadata::{TenantState, state};
use crate::postgres::{Connection, Connector, Row, ServerError, error};
use crate::settings::Settings;

/// How often a message that may be sent twice is sent, each time on a new connection where the old one broke.
const TRIES: usize = 3;

/// How long an attempt that says nothing counts as alive, in seconds.
const ALIVE: u64 = 60;

/// How often it says that it is.
const BEAT: Duration = Duration::from_secs(ALIVE / 4);

/// Whose tenant is taken back.
#[derive(Debug, Clone, Copy)]
pub(super) enum Attempt {
    /// That of this attempt.
    Of(Uuid),
    /// That of an attempt whose time is over.
    Stale,
}

/// Writes into the tenant's version row that this run makes it.
pub(super) fn mark(message: &mut SqlBatch, run: &Run, schema: &SchemaName) {
    message.push(&format!(
        "UPDATE {}.tenant_version SET making = '{}', making_until = clock_timestamp() + interval '{ALIVE} seconds' \
         WHERE schema_name = {}",
        run.platform.quoted(),
        run.id,
        literal(schema.as_str()),
    ));
}

/// The statement that takes the version row of a tenant that this run is making.
pub(super) fn holding(run: &Run, schema: &SchemaName) -> String {
    let (platform, named) = (run.platform.quoted(), literal(schema.as_str()));
    format!("SELECT {platform}.tenure_hold_making({named}, '{}')", run.id)
}

/// Does `work` on a tenant that this run is making, and says meanwhile that the run is alive: on a connection of its own, and
/// without waiting for a unit that has the version row.
pub(super) async fn while_alive<T>(
    connector: Connector,
    run: &Run,
    schema: &SchemaName,
    work: impl Future<Output = T>,
) -> T {
    let table = format!("{}.tenant_version", run.platform.quoted());
    let sql = format!(
        "{BEGIN}; UPDATE {table} SET making_until = clock_timestamp() + interval '{ALIVE} seconds' WHERE schema_name = \
         (SELECT schema_name FROM {table} WHERE schema_name = {} AND making = '{}' FOR UPDATE SKIP LOCKED); COMMIT",
        literal(schema.as_str()),
        run.id,
    );
    let beats = async || -> Infallible {
        let mut open: Option<Connection> = None;
        loop {
            tokio::time::sleep(BEAT).await;
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
                format!("{}; whether it was committed is not known: {}", failure.message, unknown.message);
            failure.hint = Some(format!(
                "`tenure tenant list` shows whether it is active; if it is in the state creating, the same command takes it \
                 back and begins anew {ALIVE} seconds later"
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
    let (table, named) = (format!("{}.tenant_version", run.platform.quoted()), literal(schema.as_str()));
    let mut message = SqlBatch::default();
    message.begin(
        run.limits,
        &format!(
            "INSERT INTO {table} (schema_name, version, status) VALUES ({named}, '0.0.0', 'creating') \
             ON CONFLICT (schema_name) DO NOTHING"
        ),
    );
    message.push("SET LOCAL lock_timeout = 0");
    message.push(&format!(
        "SELECT status FROM {table} WHERE schema_name = {named} AND making = '{}' FOR UPDATE",
        run.id
    ));
    message.roll_back(SessionState::None);
    let sets = connection.send(&message).await;
    let sets = sets.map_err(|server_error| server_error.failure("asking whether the tenant was made"))?;
    let status = sets.iter().flatten().find_map(|row| row.text("status").ok());
    Ok(status.as_deref().map(TenantState::named))
}

/// The message that takes a tenant back.
pub(super) fn unmaking(settings: &Settings, run: &Run, schema: &SchemaName, attempt: Attempt) -> SqlBatch {
    let (platform, named) = (run.platform.quoted(), literal(schema.as_str()));
    let attempt = match attempt {
        Attempt::Of(id) => format!("'{id}'"),
        Attempt::Stale => "NULL".to_owned(),
    };
    let mut message = SqlBatch::default();
    let unmake = format!(
        "SELECT {platform}.tenure_unmake({named}, {attempt}, '{}', '{}')",
        run.id,
        env!("CARGO_PKG_VERSION")
    );
    message.begin(run.limits, &unmake);
    message.push(&format!(
        "DELETE FROM {} WHERE {} = {named}",
        state::registry(settings),
        settings.tenants.columns.schema.quoted(),
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
        match connection.open_another().await {
            Ok(other) => *connection = other,
            Err(_) => return left_behind(failure, schema, "the database cannot be reached"),
        }
    }
    let message = unmaking(settings, run, schema, Attempt::Of(run.id));
    let is_gone = |server_error: &ServerError| server_error.sqlstate() == Some(error::NO_VERSION_ROW);
    match send(connection, &message, is_gone).await {
        Ok(_sets) => failure,
        // Another attempt has taken it back, and may be making it.
        Err(server_error)
            if is_gone(&server_error) || server_error.sqlstate() == Some(error::NOT_OWNED_BY_RUN) =>
        {
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
        "`tenure tenant drop` takes it away, and so does the same command {ALIVE} seconds later, which begins anew"
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
        match connection.open_another().await {
            Ok(fresh) => *connection = fresh,
            Err(_) => return Err(server_error),
        }
    }
}
