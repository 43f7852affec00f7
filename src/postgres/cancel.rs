//! Ends what the sessions of this process are doing at the server, when the command is given up: without that the server goes on, and
//! commits, while nobody waits for its answer.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use uuid::Uuid;

use super::message::BEGIN;
use super::{Door, Row};
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
    /// Its transaction ended first: it was committed, or a cancellation met its COMMIT, which leaves a session as idle as that.
    LeftBlock,
    /// A statement outside of a transaction block was cancelled, or was done first.
    Ended,
    /// It goes on.
    Runs,
    /// It may be a stranger's, to whom a pooler has given the session, so it was left alone.
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
    /// Whether what it does, or did last, is in a transaction block.
    in_block: bool,
    doing: Doing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    /// A statement runs.
    Statement,
    /// A transaction block is open, and is rolled back when its connection is closed.
    Block,
    /// Nothing.
    Nothing,
}

/// Cancels what the sessions of this process are doing in the database behind `door`, over another connection, and waits for it to end.
pub async fn cancel(door: &Door) -> Result<Vec<Ended>, Failure> {
    let mut connection = tokio::time::timeout(LIMIT, door.open_now()).await.map_err(|_| silence())??;
    let sql = question(connection.pooled().is_some());
    let mut looks = 0;
    let mut seen: BTreeMap<i64, Option<Seen>> = BTreeMap::new();
    loop {
        let answer = tokio::time::timeout(LIMIT, connection.sets(&sql)).await.map_err(|_| silence())?;
        let sets = answer.map_err(|refusal| refusal.failure("cancelling what is under way"))?;
        let mut now = sets.iter().flatten().map(read).collect::<Result<BTreeMap<_, _>, _>>()?;
        looks += 1;
        let is_busy = now.values().any(|session| session.doing == Doing::Statement);
        for (pid, before) in &mut seen {
            // The last look at a session that ended says whether it was in a block.
            *before = now.remove(pid).map(|session| match before {
                Some(before) if session.doing != Doing::Statement => {
                    Seen { in_block: before.in_block, is_ours: before.is_ours, ..session }
                }
                _ => session,
            });
        }
        let begun = now.into_iter().filter(|(_, session)| session.doing == Doing::Statement);
        seen.extend(begun.map(|(pid, session)| (pid, Some(session))));
        if (!is_busy && looks >= LOOKS) || PAUSE * looks >= LIMIT {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    connection.close().await;
    Ok(seen.into_iter().map(|(pid, session)| Ended { pid, fate: fate(session) }).collect())
}

fn fate(session: Option<Seen>) -> Fate {
    // A session that is gone has no transaction.
    let Some(session) = session else { return Fate::RolledBack };
    match session.doing {
        _ if !session.is_ours => Fate::Unproved,
        Doing::Statement => Fate::Runs,
        Doing::Block => Fate::RolledBack,
        Doing::Nothing if session.in_block => Fate::LeftBlock,
        Doing::Nothing => Fate::Ended,
    }
}

/// Cancels each session of ours that is at work, in the same statement that finds it at work. A session behind a pooler is proved
/// to be ours by its text too: the pooler leaves our name to who has none.
fn question(pooled: bool) -> String {
    let ours =
        if pooled { format!("query LIKE {}", literal(&format!("{BEGIN}%"))) } else { "true".to_owned() };
    format!(
        "SELECT pid::int8 AS pid, ours, active, in_block, open, \
             CASE WHEN ours AND active THEN pg_catalog.pg_cancel_backend(pid) END AS cancelled \
         FROM (SELECT pid, {ours} AS ours, state = 'active' AS active, \
                   query LIKE 'BEGIN%' OR coalesce(xact_start < query_start, false) AS in_block, \
                   state LIKE 'idle in transaction%' AS open \
               FROM pg_catalog.pg_stat_activity \
               WHERE application_name = {} AND datname = current_database() AND pid <> pg_catalog.pg_backend_pid() \
                   AND backend_type = 'client backend' AND state IS NOT NULL) sessions",
        literal(application_name()),
    )
}

fn read(row: &Row) -> Result<(i64, Seen), Failure> {
    let doing = match (row.truth("active")?, row.truth("open")?) {
        (true, _) => Doing::Statement,
        (false, true) => Doing::Block,
        (false, false) => Doing::Nothing,
    };
    let seen = Seen { is_ours: row.truth("ours")?, in_block: row.truth("in_block")?, doing };
    Ok((row.integer("pid")?, seen))
}

fn silence() -> Failure {
    let message = format!("cancelling what is under way: no answer for {} s", LIMIT.as_secs());
    Failure::new(Code::ConnectionLost, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_look_at_a_session_says_what_became_of_it() {
        let at = |is_ours, in_block, doing| Some(Seen { is_ours, in_block, doing });
        for (session, expected) in [
            (at(true, true, Doing::Statement), Fate::Runs),
            (at(true, true, Doing::Block), Fate::RolledBack),
            (at(true, true, Doing::Nothing), Fate::LeftBlock),
            (at(true, false, Doing::Nothing), Fate::Ended),
            (at(false, false, Doing::Statement), Fate::Unproved),
            (None, Fate::RolledBack),
        ] {
            assert_eq!(fate(session), expected, "{session:?}");
        }
    }
}
