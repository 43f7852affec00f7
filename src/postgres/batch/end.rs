//! How a unit's transaction ends.

use super::SqlBatch;
use crate::sql::Statement;

/// What `DISCARD ALL` does, in parts that may run inside a transaction (manual, its page).
const CLEAN_UP: &[&str] = &[
    "CLOSE ALL",
    "UNLISTEN *",
    "DEALLOCATE ALL",
    "DISCARD TEMP",
    "RESET ALL",
    "SELECT pg_catalog.pg_advisory_unlock_all()",
];

/// Whether the statements of a unit may have left something in the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionState {
    /// A setting, a role, a temporary table, a prepared statement, a lock.
    Possible,
    /// Certainly nothing.
    None,
}

impl SessionState {
    /// Of all these statements.
    pub fn of<'a>(mut statements: impl Iterator<Item = &'a Statement>) -> Self {
        if statements.all(|statement| statement.session_neutral) { Self::None } else { Self::Possible }
    }
}

impl SqlBatch {
    /// Puts the session's own role back, so that what follows is done, and noted, by who began.
    pub fn own_role(&mut self) {
        // What waits for COMMIT happens now, while the unit's search path, its limits and the role that its statements chose are
        // there (manual, page of SET CONSTRAINTS).
        if let Some(file) = self.sources.len().checked_sub(1) {
            self.commits.push((self.statements.len(), file));
        }
        self.push("SET CONSTRAINTS ALL IMMEDIATE");
        self.push("RESET SESSION AUTHORIZATION");
        self.push("RESET ROLE");
    }

    /// Ends the unit's transaction. Where its statements may have left something in the session, that is
    /// cleared away first, inside the transaction: behind a pooler there is no later for it.
    pub fn commit(&mut self, left: SessionState) {
        self.clean_up(left);
        if let Some(file) = self.sources.len().checked_sub(1) {
            self.commits.push((self.statements.len(), file));
        }
        self.push("COMMIT");
    }

    /// Ends a transaction of which nothing is to stay. What no rollback takes back is cleared away inside it.
    pub fn roll_back(&mut self, left: SessionState) {
        self.clean_up(left);
        self.push("ROLLBACK");
    }

    fn clean_up(&mut self, left: SessionState) {
        if left == SessionState::Possible {
            for statement in CLEAN_UP {
                self.push(statement);
            }
        }
    }
}
