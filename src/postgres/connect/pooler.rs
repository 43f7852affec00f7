//! Poolers in transaction mode: how one is recognised, and what is not done through one. Behind it each
//! transaction may have another session of the server, so what belongs to a session (a setting, a prepared
//! statement, a lock) is lost, or worse: left behind for a stranger.

use uuid::Uuid;

use crate::error::{Code, Failure};
use crate::postgres::Connection;

/// What gave a pooler away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolerEvidence {
    /// The host's first label ends in `-pooler`: Neon's.
    Host,
    /// It refused the options that a server takes at the start of a session.
    Refused,
    /// It took them, and the server never got them.
    Swallowed,
}

/// The option that a session is opened with to learn whether it arrives. It can be set at the start of a session only (manual, chapter
/// 20.17), so no pooler can make up for it later.
pub(in crate::postgres) const OPTION: &str = "post_auth_delay";
/// Its value, which is its default.
pub(in crate::postgres) const VALUE: &str = "0";
/// Whether it came from the client.
pub(in crate::postgres) const QUESTION: &str =
    "SELECT source = 'client' AS arrived FROM pg_catalog.pg_settings WHERE name = 'post_auth_delay'";

/// What poolers say that take no options, each a part of the message: PgBouncer and Neon, RDS Proxy.
const REFUSALS: [&str; 3] =
    ["unsupported startup parameter", "command-line options", "cannot be set after connection start"];

impl PoolerEvidence {
    /// By what it says to the options of a session.
    pub(in crate::postgres) fn of_refusal(message: &str) -> Option<Self> {
        REFUSALS.iter().any(|said| message.contains(said)).then_some(Self::Refused)
    }

    /// What was seen, for people.
    pub fn why(self) -> &'static str {
        match self {
            Self::Host => "by its host's name",
            Self::Refused => "it refuses the options of a session",
            Self::Swallowed => "the options of a session do not get through",
        }
    }
}

impl Connection {
    /// Whether another connection leads to the same database of the same running server: a lock that one takes is seen by the
    /// other. No number of the cluster says that, since a copy of its files (a restored backup, a snapshot, a promoted replica)
    /// has them all. What cannot be proved is not so.
    pub async fn shares_its_database_with(&mut self, other: &mut Self) -> bool {
        // A lock of a transaction, which a pooler gives one session; nobody else knows its number.
        let (classid, objid) = Uuid::new_v4().as_u64_pair();
        let (classid, objid) = (classid >> 33, objid >> 33);
        let lock = format!("BEGIN READ ONLY; SELECT pg_catalog.pg_advisory_xact_lock({classid}, {objid})");
        let taken = self.run(&lock).await;
        let seen = match taken {
            Ok(()) => other.sees_the_lock(classid, objid).await,
            Err(_) => false,
        };
        // A transaction that cannot be ended has ended with its session.
        let _ended = self.run("ROLLBACK").await;
        seen
    }

    async fn sees_the_lock(&mut self, classid: u64, objid: u64) -> bool {
        let sql = format!(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND granted \
             AND classid = {classid} AND objid = {objid} AND objsubid = 2 AND database = (SELECT oid FROM \
             pg_catalog.pg_database WHERE datname = pg_catalog.current_database())) AS seen"
        );
        let answer = self.query_batch(&sql).await.ok();
        let row = answer.as_ref().and_then(|sets| sets.first()).and_then(|rows| rows.first());
        row.is_some_and(|row| row.get_bool("seen").unwrap_or_default())
    }

    /// Makes sure that no pooler is in between, for what needs one session of the server for itself.
    pub fn needs_a_session(&self, what: &str) -> Result<(), Failure> {
        let Some(sign) = self.pooled() else { return Ok(()) };
        Err(Failure::new(
            Code::SessionRequired,
            format!("{what} needs a session of the server, and this is a transaction pooler ({})", sign.why()),
        )
        .hint("set DATABASE_URL_UNPOOLED or DIRECT_URL to the server's own address, or give it as --database-url"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_poolers_say_is_known() {
        for said in [
            "unsupported startup parameter: options",
            "unsupported startup parameter in options: post_auth_delay",
            "unsupported startup parameter in options: x. Please use unpooled connection or remove this parameter",
            "Feature not supported: RDS Proxy currently doesn't support command-line options.",
        ] {
            assert_eq!(PoolerEvidence::of_refusal(said), Some(PoolerEvidence::Refused), "{said}");
        }
        assert_eq!(PoolerEvidence::of_refusal("password authentication failed for user \"x\""), None);
    }
}
