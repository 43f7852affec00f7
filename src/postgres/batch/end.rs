//! The end of a unit's transaction.

use super::SqlBatch;
use crate::sql::Statement;

/// The parts of `DISCARD ALL` that are allowed in a transaction (manual, DISCARD).
const CLEAN_UP: &[&str] = &[
    "CLOSE ALL",
    "UNLISTEN *",
    "DEALLOCATE ALL",
    "DISCARD TEMP",
    "RESET ALL",
    "SELECT pg_catalog.pg_advisory_unlock_all()",
];

/// Whether the statements of a unit may leave session state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionState {
    /// A setting, role, temporary table, prepared statement or lock is possible.
    Possible,
    /// No state is possible.
    None,
}

impl SessionState {
    /// The state that any of these statements may leave.
    pub fn of<'a>(mut statements: impl Iterator<Item = &'a Statement>) -> Self {
        if statements.all(|statement| statement.session_neutral) { Self::None } else { Self::Possible }
    }
}

impl SqlBatch {
    /// Resets the session's role, so that Tenure's following statements run with it.
    pub fn reset_role(&mut self) {
        // Deferred constraints are checked now, with the unit's search path, timeouts and role (manual, SET
        // CONSTRAINTS).
        if let Some(file) = self.sources.len().checked_sub(1) {
            self.commits.push((self.statements.len(), file));
        }
        self.push("SET CONSTRAINTS ALL IMMEDIATE");
        self.push("RESET SESSION AUTHORIZATION");
        self.push("RESET ROLE");
    }

    /// Ends the unit's transaction. If its statements may have left session state, that is reset first, inside
    /// the transaction: behind a pooler the next transaction may use another session.
    pub fn commit(&mut self, state: SessionState) {
        self.clean_up(state);
        if let Some(file) = self.sources.len().checked_sub(1) {
            self.commits.push((self.statements.len(), file));
        }
        self.push("COMMIT");
    }

    /// Rolls the transaction back. Session state that a rollback does not revert is reset first.
    pub fn roll_back(&mut self, state: SessionState) {
        self.clean_up(state);
        self.push("ROLLBACK");
    }

    fn clean_up(&mut self, state: SessionState) {
        if state == SessionState::Possible {
            for statement in CLEAN_UP {
                self.push(statement);
            }
        }
    }
}
