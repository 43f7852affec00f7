//! Detects poolers in transaction mode and refuses operations that do not work through one. Behind such a
//! pooler each transaction may run in another session, so session state (settings, prepared statements, locks)
//! is lost or left for another client.

use uuid::Uuid;

use crate::error::{Code, Failure};
use crate::postgres::Connection;

/// How a pooler was detected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolerEvidence {
    /// The host's first label ends in `-pooler` (Neon).
    Host,
    /// It rejected a startup option that every server accepts.
    OptionRejected,
    /// It accepted the option and did not pass it on.
    OptionLost,
}

/// The startup option that detects a pooler. It can be set only at the start of a session (manual, chapter
/// 20.17), so a pooler cannot set it later.
pub(in crate::postgres) const PROBE_OPTION: &str = "post_auth_delay";
/// The default value.
pub(in crate::postgres) const PROBE_VALUE: &str = "0";
/// Whether the server received it from the client.
pub(in crate::postgres) const PROBE_QUERY: &str =
    "SELECT source = 'client' AS arrived FROM pg_catalog.pg_settings WHERE name = 'post_auth_delay'";

/// Parts of the messages of poolers that reject startup options: PgBouncer and Neon, RDS Proxy.
const REJECTION_MESSAGES: [&str; 3] =
    ["unsupported startup parameter", "command-line options", "cannot be set after connection start"];

impl PoolerEvidence {
    /// From a pooler's error for startup options.
    pub(in crate::postgres) fn from_error(message: &str) -> Option<Self> {
        REJECTION_MESSAGES.iter().any(|text| message.contains(text)).then_some(Self::OptionRejected)
    }

    /// A clause for messages.
    pub fn description(self) -> &'static str {
        match self {
            Self::Host => "by its host's name",
            Self::OptionRejected => "it rejects startup options",
            Self::OptionLost => "startup options do not reach the server",
        }
    }
}

impl Connection {
    /// Whether another connection leads to the same database of the same running server: that connection sees
    /// an advisory lock of this one. No identifier of the cluster proves this, since a copy of its files (a
    /// restored backup, a snapshot, a promoted replica) has the same ones. `false` if it cannot be proved.
    pub async fn is_same_database_as(&mut self, other: &mut Self) -> bool {
        // A transaction-level lock with a random key; a pooler keeps a transaction in one session.
        let (classid, objid) = Uuid::new_v4().as_u64_pair();
        let (classid, objid) = (classid >> 33, objid >> 33);
        let lock = format!("BEGIN READ ONLY; SELECT pg_catalog.pg_advisory_xact_lock({classid}, {objid})");
        let locked = self.run(&lock).await;
        let is_same = match locked {
            Ok(()) => other.sees_lock(classid, objid).await,
            Err(_) => false,
        };
        // If the rollback fails, the session and its transaction have ended.
        let _ended = self.run("ROLLBACK").await;
        is_same
    }

    async fn sees_lock(&mut self, classid: u64, objid: u64) -> bool {
        let sql = format!(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND granted \
             AND classid = {classid} AND objid = {objid} AND objsubid = 2 AND database = (SELECT oid FROM \
             pg_catalog.pg_database WHERE datname = pg_catalog.current_database())) AS seen"
        );
        let answer = self.query_batch(&sql).await.ok();
        let row = answer.as_ref().and_then(|sets| sets.first()).and_then(|rows| rows.first());
        row.is_some_and(|row| row.get_bool("seen").unwrap_or_default())
    }

    /// Fails if a transaction pooler was detected, for `action`, which needs a session of its own.
    pub fn require_session(&self, action: &str) -> Result<(), Failure> {
        let Some(evidence) = self.pooler_evidence() else { return Ok(()) };
        Err(Failure::new(
            Code::SessionRequired,
            format!("{action} needs a session of its own, but the connection uses a transaction pooler ({})", evidence.description()),
        )
        .hint("set DATABASE_URL_UNPOOLED or DIRECT_URL to the server's own address, or pass it as --database-url"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_poolers_are_detected() {
        for text in [
            "unsupported startup parameter: options",
            "unsupported startup parameter in options: post_auth_delay",
            "unsupported startup parameter in options: x. Please use unpooled connection or remove this parameter",
            "Feature not supported: RDS Proxy currently doesn't support command-line options.",
        ] {
            assert_eq!(PoolerEvidence::from_error(text), Some(PoolerEvidence::OptionRejected), "{text}");
        }
        assert_eq!(PoolerEvidence::from_error("password authentication failed for user \"x\""), None);
    }
}
