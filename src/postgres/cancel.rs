//! Cancels the running statements of this process's sessions when the command is aborted. Otherwise the server
//! would finish and commit them.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use uuid::Uuid;

use super::batch::BEGIN;
use super::{Connection, Connector, Row};
use crate::error::{Code, Failure};
use crate::ident::literal;

/// How long to wait for a session to end its statement, and for each answer.
const LIMIT: Duration = Duration::from_secs(5);

const PAUSE: Duration = Duration::from_millis(100);

/// The minimum number of polls: a statement that was just sent may not have started.
const MIN_POLLS: u32 = 3;

/// The `application_name` of all sessions of this process and of no other. A transaction pooler sets it with
/// each transaction.
pub(super) fn application_name() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let nonce = Uuid::new_v4().simple().to_string();
        format!("tenure {}", &nonce[..12])
    })
}

/// The outcome of a session's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionOutcome {
    /// Its transaction was rolled back.
    RolledBack,
    /// Its transaction was committed before the cancellation.
    Committed,
    /// It had written nothing, or ran outside of a transaction block: it was cancelled or had just ended.
    Ended,
    /// It still runs.
    Runs,
    /// It was not cancelled, since it may belong to another client: behind a pooler, or because the unit set
    /// `application_name`.
    Unverified,
}

/// A session with a running statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CancelledSession {
    /// The process id of its backend.
    pub pid: i64,
    /// The outcome.
    pub outcome: SessionOutcome,
}

/// The last poll of a session.
#[derive(Debug, Clone, Copy)]
struct Polled {
    is_own: bool,
    activity: Activity,
    /// The 64-bit id of the last transaction in which it wrote.
    xid: Option<i64>,
}

/// The result of `pg_xact_status` (manual, chapter Transaction ID and Snapshot Information Functions).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Committed,
    Aborted,
    /// In progress, or too old to be known.
    Open,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Activity {
    Statement,
    /// A transaction block is open; the server rolls it back when the connection closes.
    InTransaction,
    Idle,
    Disconnected,
}

/// Cancels the statements of this process's sessions in the database of `connector`, over a new connection, and
/// waits until they end.
pub async fn cancel(connector: &Connector) -> Result<Vec<CancelledSession>, Failure> {
    let mut connection = tokio::time::timeout(LIMIT, connector.open_without_retry())
        .await
        .map_err(|_| timeout_failure())??;
    let sql = cancel_query(connection.pooler_evidence().is_some());
    let mut polls = 0;
    let mut sessions: BTreeMap<i64, Polled> = BTreeMap::new();
    loop {
        let answer =
            tokio::time::timeout(LIMIT, connection.query_batch(&sql)).await.map_err(|_| timeout_failure())?;
        let sets =
            answer.map_err(|server_error| server_error.failure("cancelling the running statements"))?;
        let mut now = sets.iter().flatten().map(read).collect::<Result<BTreeMap<_, _>, _>>()?;
        polls += 1;
        let is_busy = now.values().any(|session| session.is_own && session.activity == Activity::Statement);
        for (pid, before) in &mut sessions {
            let last = *before;
            before.activity = Activity::Disconnected;
            if let Some(session) = now.remove(pid) {
                *before = Polled { xid: session.xid.or(last.xid), ..session };
            }
        }
        let begun = now.into_iter().filter(|(_, session)| session.activity == Activity::Statement);
        sessions.extend(begun);
        if (!is_busy && polls >= MIN_POLLS) || PAUSE * polls >= LIMIT {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    let mut ended = Vec::new();
    for (pid, session) in sessions {
        let status = match session.xid {
            None => Status::Open,
            Some(number) => status(&mut connection, number).await?,
        };
        ended.push(CancelledSession { pid, outcome: outcome(session, status) });
    }
    connection.close().await;
    Ok(ended)
}

/// The status of a transaction. Only this function is reliable: after a COMMIT and after a cancelled one the
/// session is idle.
async fn status(connection: &mut Connection, number: i64) -> Result<Status, Failure> {
    let sql = format!("SELECT pg_catalog.pg_xact_status('{number}') AS status");
    let answer =
        tokio::time::timeout(LIMIT, connection.query_batch(&sql)).await.map_err(|_| timeout_failure())?;
    let sets = answer.map_err(|server_error| server_error.failure("reading the status of a transaction"))?;
    Ok(
        match sets
            .iter()
            .flatten()
            .next()
            .map(|row| row.optional_text("status"))
            .transpose()?
            .flatten()
            .as_deref()
        {
            Some("committed") => Status::Committed,
            Some("aborted") => Status::Aborted,
            _ => Status::Open,
        },
    )
}

fn outcome(session: Polled, status: Status) -> SessionOutcome {
    match (status, session.activity) {
        (Status::Committed, _) => SessionOutcome::Committed,
        // The client is gone, so the block receives no COMMIT.
        (Status::Aborted, _) | (Status::Open, Activity::InTransaction) => SessionOutcome::RolledBack,
        // Its last transaction may have written after the last poll.
        (Status::Open, Activity::Disconnected) => SessionOutcome::Ended,
        (Status::Open, _) if !session.is_own => SessionOutcome::Unverified,
        (Status::Open, Activity::Statement) => SessionOutcome::Runs,
        (Status::Open, Activity::Idle) => SessionOutcome::Ended,
    }
}

/// Finds and cancels the active sessions of this process in one statement. Behind a pooler, the statement's
/// text must match too, since the pooler keeps the application name for the next client. A session that runs a
/// unit under another name, set by the unit, may belong to another command: it is reported and not cancelled.
fn cancel_query(pooled: bool) -> String {
    let begun = literal(&format!("{BEGIN}%"));
    let own_query = if pooled { format!("query LIKE {begun}") } else { "true".to_owned() };
    // `backend_xid` has the lower 32 of 64 bits: choose the id that is nearest to those in progress.
    format!(
        "SELECT pid::int8 AS pid, ours, active, open, \
             CASE WHEN ours THEN near + ((xid - near + 2147483648) & 4294967295) - 2147483648 END AS writes, \
             CASE WHEN ours AND active THEN pg_catalog.pg_cancel_backend(pid) END AS cancelled \
         FROM (SELECT pid, {own_query} AND application_name = {name} AS ours, state = 'active' AS active, state LIKE 'idle in transaction%' AS open, \
                   backend_xid::text::int8 AS xid, \
                   pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::int8 AS near \
               FROM pg_catalog.pg_stat_activity \
               WHERE (application_name = {name} OR (query LIKE {begun} AND usename = current_user \
                   AND application_name NOT LIKE 'tenure %')) AND datname = current_database() AND pid <> pg_catalog.pg_backend_pid() \
                   AND backend_type = 'client backend' AND state IS NOT NULL) sessions",
        name = literal(application_name()),
    )
}

fn read(row: &Row) -> Result<(i64, Polled), Failure> {
    let activity = match (row.get_bool("active")?, row.get_bool("open")?) {
        (true, _) => Activity::Statement,
        (false, true) => Activity::InTransaction,
        (false, false) => Activity::Idle,
    };
    let xid = row.optional_integer("writes")?;
    Ok((row.integer("pid")?, Polled { is_own: row.get_bool("ours")?, activity, xid }))
}

fn timeout_failure() -> Failure {
    let message = format!("cancelling the running statements: no answer for {} s", LIMIT.as_secs());
    Failure::new(Code::ConnectionLost, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outcome_follows_from_status_and_last_poll() {
        let at = |is_own, activity| Polled { is_own, activity, xid: None };
        for (session, status, expected) in [
            (at(true, Activity::Statement), Status::Open, SessionOutcome::Runs),
            (at(true, Activity::InTransaction), Status::Open, SessionOutcome::RolledBack),
            (at(true, Activity::Idle), Status::Open, SessionOutcome::Ended),
            (at(true, Activity::Disconnected), Status::Open, SessionOutcome::Ended),
            (at(false, Activity::Statement), Status::Open, SessionOutcome::Unverified),
            (at(true, Activity::Idle), Status::Committed, SessionOutcome::Committed),
            (at(true, Activity::Disconnected), Status::Committed, SessionOutcome::Committed),
            (at(true, Activity::Idle), Status::Aborted, SessionOutcome::RolledBack),
            (at(false, Activity::Statement), Status::Aborted, SessionOutcome::RolledBack),
        ] {
            assert_eq!(outcome(session, status), expected, "{session:?} {status:?}");
        }
    }
}
