//! Ends what the sessions of this process are doing at the server, when the command is given up: without that the server goes on, and
//! commits, while nobody waits for its answer.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use uuid::Uuid;

use super::batch::BEGIN;
use super::{Connection, Connector, Row};
use crate::error::{Code, Failure};
use crate::ident::literal;

/// How long a session may take to end what it is doing.
const LIMIT: Duration = Duration::from_secs(5);

/// How long is waited between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// So often is looked in any case: what was sent a moment ago may not have been begun.
const LOOKS: u32 = 3;

/// The `application_name` of all sessions of this process, and of no other. A transaction pooler passes it on with each transaction.
pub(super) fn application_name() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let nonce = Uuid::new_v4().simple().to_string();
        format!("tenure {}", &nonce[..12])
    })
}

/// What became of what a session was doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Its transaction is rolled back.
    RolledBack,
    /// Its transaction was committed first.
    Committed,
    /// What had written nothing yet, or ran outside of a transaction block, was cancelled, or was done first.
    Ended,
    /// It goes on.
    Runs,
    /// It may be another client's: behind a pooler, or because its unit has set `application_name`. So it was left alone.
    Unproved,
}

/// A session that was at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// The number of its process at the server.
    pub pid: i64,
    /// What became of it.
    pub fate: Fate,
}

/// What a session was seen doing.
#[derive(Debug, Clone, Copy)]
struct Seen {
    is_ours: bool,
    doing: Doing,
    /// The transaction in which it was last seen writing, by its 64-bit number.
    writes: Option<i64>,
}

/// What the server says of a transaction (manual, chapter Transaction ID and Snapshot Information Functions).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Committed,
    Aborted,
    /// It goes on, or is so old that nobody knows.
    Open,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    /// A statement runs.
    Statement,
    /// A transaction block is open, and is rolled back when its connection is closed.
    Block,
    /// Nothing.
    Nothing,
    /// The session has ended.
    Gone,
}

/// Cancels what the sessions of this process are doing in the database behind `connector`, over another connection, and waits for it to end.
pub async fn cancel(connector: &Connector) -> Result<Vec<Ended>, Failure> {
    let mut connection = tokio::time::timeout(LIMIT, connector.open_now()).await.map_err(|_| silence())??;
    let sql = question(connection.pooled().is_some());
    let mut looks = 0;
    let mut seen: BTreeMap<i64, Seen> = BTreeMap::new();
    loop {
        let answer =
            tokio::time::timeout(LIMIT, connection.query_batch(&sql)).await.map_err(|_| silence())?;
        let sets = answer.map_err(|server_error| server_error.failure("cancelling what is under way"))?;
        let mut now = sets.iter().flatten().map(read).collect::<Result<BTreeMap<_, _>, _>>()?;
        looks += 1;
        let is_busy = now.values().any(|session| session.is_ours && session.doing == Doing::Statement);
        for (pid, before) in &mut seen {
            let last = *before;
            before.doing = Doing::Gone;
            if let Some(session) = now.remove(pid) {
                *before = Seen { writes: session.writes.or(last.writes), ..session };
            }
        }
        let begun = now.into_iter().filter(|(_, session)| session.doing == Doing::Statement);
        seen.extend(begun);
        if (!is_busy && looks >= LOOKS) || PAUSE * looks >= LIMIT {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    let mut ended = Vec::new();
    for (pid, session) in seen {
        let status = match session.writes {
            None => Status::Open,
            Some(number) => status(&mut connection, number).await?,
        };
        ended.push(Ended { pid, fate: fate(session, status) });
    }
    connection.close().await;
    Ok(ended)
}

/// Whether the transaction of that number was committed. Of what a session is doing nothing else says so for certain: a cancellation
/// that meets a COMMIT leaves the session as idle as the COMMIT does.
async fn status(connection: &mut Connection, number: i64) -> Result<Status, Failure> {
    let sql = format!("SELECT pg_catalog.pg_xact_status('{number}') AS status");
    let answer = tokio::time::timeout(LIMIT, connection.query_batch(&sql)).await.map_err(|_| silence())?;
    let sets = answer.map_err(|server_error| server_error.failure("asking what became of a transaction"))?;
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

fn fate(session: Seen, status: Status) -> Fate {
    match (status, session.doing) {
        (Status::Committed, _) => Fate::Committed,
        // A block that waits for a client which is gone has no COMMIT to come.
        (Status::Aborted, _) | (Status::Open, Doing::Block) => Fate::RolledBack,
        // Its last transaction may have begun to write after the last look.
        (Status::Open, Doing::Gone) => Fate::Ended,
        (Status::Open, _) if !session.is_ours => Fate::Unproved,
        (Status::Open, Doing::Statement) => Fate::Runs,
        (Status::Open, Doing::Nothing) => Fate::Ended,
    }
}

/// Cancels each session of ours that is at work, in the same statement that finds it at work. A session behind a pooler is proved
/// to be ours by its text too: the pooler leaves our name to who has none. One that runs a unit under a name which the unit gave it may be
/// another command's, so it is told and left alone.
fn question(pooled: bool) -> String {
    let begun = literal(&format!("{BEGIN}%"));
    let ours = if pooled { format!("query LIKE {begun}") } else { "true".to_owned() };
    // The server numbers transactions with 64 bits and shows the lower 32 of them: it is the one with these that is nearest to those
    // that go on now.
    format!(
        "SELECT pid::int8 AS pid, ours, active, open, \
             CASE WHEN ours THEN near + ((xid - near + 2147483648) & 4294967295) - 2147483648 END AS writes, \
             CASE WHEN ours AND active THEN pg_catalog.pg_cancel_backend(pid) END AS cancelled \
         FROM (SELECT pid, {ours} AND application_name = {name} AS ours, state = 'active' AS active, state LIKE 'idle in transaction%' AS open, \
                   backend_xid::text::int8 AS xid, \
                   pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::int8 AS near \
               FROM pg_catalog.pg_stat_activity \
               WHERE (application_name = {name} OR (query LIKE {begun} AND usename = current_user \
                   AND application_name NOT LIKE 'tenure %')) AND datname = current_database() AND pid <> pg_catalog.pg_backend_pid() \
                   AND backend_type = 'client backend' AND state IS NOT NULL) sessions",
        name = literal(application_name()),
    )
}

fn read(row: &Row) -> Result<(i64, Seen), Failure> {
    let doing = match (row.get_bool("active")?, row.get_bool("open")?) {
        (true, _) => Doing::Statement,
        (false, true) => Doing::Block,
        (false, false) => Doing::Nothing,
    };
    let writes = row.optional_integer("writes")?;
    Ok((row.integer("pid")?, Seen { is_ours: row.get_bool("ours")?, doing, writes }))
}

fn silence() -> Failure {
    let message = format!("cancelling what is under way: no answer for {} s", LIMIT.as_secs());
    Failure::new(Code::ConnectionLost, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_and_the_last_look_say_what_became_of_it() {
        let at = |is_ours, doing| Seen { is_ours, doing, writes: None };
        for (session, status, expected) in [
            (at(true, Doing::Statement), Status::Open, Fate::Runs),
            (at(true, Doing::Block), Status::Open, Fate::RolledBack),
            (at(true, Doing::Nothing), Status::Open, Fate::Ended),
            (at(true, Doing::Gone), Status::Open, Fate::Ended),
            (at(false, Doing::Statement), Status::Open, Fate::Unproved),
            (at(true, Doing::Nothing), Status::Committed, Fate::Committed),
            (at(true, Doing::Gone), Status::Committed, Fate::Committed),
            (at(true, Doing::Nothing), Status::Aborted, Fate::RolledBack),
            (at(false, Doing::Statement), Status::Aborted, Fate::RolledBack),
        ] {
            assert_eq!(fate(session, status), expected, "{session:?} {status:?}");
        }
    }
}
