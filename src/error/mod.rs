//! [`Failure`]: the error type of all operations, with a stable code, a position, the SQLSTATE and a hint. The errors of
//! other modules are converted to it by `From`, where the hint is added. The code alone decides the exit code.
//! No printing belongs here: only `cli` prints failures.

mod codes;
mod explanation;
mod nearest;
mod place;

use std::fmt;

pub use codes::{Class, Code, Retry};
pub use explanation::Explanation;
pub use nearest::{did_you_mean, nearest};
pub use place::{Place, Position, Source};

/// A failure. The message is lower case, has no full stop, and never
/// contains a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The stable name.
    pub code: Code,
    /// The failed operation, its object, and the reason.
    pub message: String,
    /// One next step.
    pub hint: Option<String>,
    /// Where in a file.
    pub place: Option<Place>,
    /// The server's SQLSTATE.
    pub sqlstate: Option<String>,
    /// The tenant or platform schema.
    pub schema: Option<String>,
    /// The parts of the message that public output leaves out: texts of the server that may contain data from rows.
    pub unpublished: Vec<String>,
}

/// The SQLSTATEs of transient errors: a lock timeout, a deadlock, a serialization failure, a server that starts, stops or has no
/// free connection, an idle timeout, a lost connection (manual, appendix A), and a running non-transactional unit. Timeouts of a
/// statement or a transaction (`57014`, `25P04`) would occur again.
const TRANSIENT: &[&str] = &[
    "08000", "08003", "08006", "25P03", "40001", "40P01", "53300", "55P03", "57P01", "57P02", "57P03",
    "57P05", "TN008",
];

/// The SQLSTATEs with which the server or a proxy ends a session: the connection to the server is lost, it shuts down or starts up, or a timeout of the session expired
/// (manual, appendix A).
const SESSION_ENDS: &[&str] =
    &["08000", "08003", "08006", "25P03", "25P04", "57P01", "57P02", "57P03", "57P05"];

impl Failure {
    /// A failure with only its code and message.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: None,
            place: None,
            sqlstate: None,
            schema: None,
            unpublished: Vec::new(),
        }
    }

    /// The message for public output, such as a comment on a pull request.
    pub fn public_message(&self) -> String {
        let left_out = self.unpublished.iter().filter(|text| !text.is_empty());
        let message =
            left_out.fold(self.message.clone(), |message, text| message.replace(text.as_str(), "…"));
        message.replace("……", "…")
    }

    /// The failure for public output. A hint may be of the server, too.
    #[must_use]
    pub fn published(self) -> Self {
        let message = self.public_message();
        let hint = if message == self.message { self.hint } else { None };
        Self { message, hint, unpublished: Vec::new(), ..self }
    }

    /// With one next step.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With its position: a file, or a span in one.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Whether the session ended. If so, only the database shows whether the transaction was committed.
    pub fn session_ended(&self) -> bool {
        self.code == Code::ConnectionLost
            || self.sqlstate.as_deref().is_some_and(|state| SESSION_ENDS.contains(&state))
    }

    /// Whether the error is transient by its SQLSTATE.
    pub fn is_transient(&self) -> bool {
        self.sqlstate.as_deref().is_some_and(|state| TRANSIENT.contains(&state))
    }

    /// Whether the same command may succeed later, without another change.
    pub fn is_retryable(&self) -> bool {
        match self.code.retry() {
            Retry::Helps => true,
            // A server that cannot be reached gave no SQLSTATE.
            Retry::BySqlstate => {
                self.is_transient() || (self.code == Code::ServerUnreachable && self.sqlstate.is_none())
            }
            Retry::Useless => false,
        }
    }

    /// The class, and with it the exit code.
    pub fn class(&self) -> Class {
        self.code.class()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_message_leaves_texts_of_the_server_out() {
        let mut failure = Failure::new(Code::UnitFailed, "key (id)=(7) is there already");
        assert_eq!(failure.public_message(), "key (id)=(7) is there already");
        failure.unpublished = vec![String::new(), "(id)=(7)".to_owned()];
        assert_eq!(failure.public_message(), "key … is there already");
    }

    #[test]
    fn a_retry_helps_by_code_or_sqlstate() {
        for (code, state, expected) in [
            (Code::UnitFailed, Some("55P03"), true),
            (Code::UnitFailed, Some("23505"), false),
            (Code::StatementFailed, Some("08006"), true),
            (Code::UnitFailed, None, false),
            (Code::ServerUnreachable, None, true),
            (Code::ServerUnreachable, Some("53300"), true),
            (Code::ServerUnreachable, Some("3D000"), false),
            (Code::AuthenticationFailed, Some("28P01"), false),
            (Code::ConnectionLost, None, true),
            (Code::FindingDenied, None, false),
        ] {
            let failure = Failure { sqlstate: state.map(str::to_owned), ..Failure::new(code, "x") };
            assert_eq!(failure.is_retryable(), expected, "{code:?} {state:?}");
        }
    }

    #[test]
    fn certain_sqlstates_end_the_session() {
        let mut failure = Failure::new(Code::UnitFailed, "x");
        for (state, ended) in [
            ("57P01", true),
            ("25P03", true),
            ("25P04", true),
            ("57P05", true),
            ("08006", true),
            ("08003", true),
            ("57014", false),
            ("25P02", false),
        ] {
            failure.sqlstate = Some(state.to_owned());
            assert_eq!(failure.session_ended(), ended, "{state}");
        }
    }
}
