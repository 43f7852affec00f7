//! What went wrong, as a value: a stable code, the place, what the server said, what to do next.
//! Every module's own error becomes a [`Failure`] by `From`, where its hint is written; only `cli`
//! prints one, and the exit code follows from its code alone.

mod codes;
mod nearest;
mod place;

use std::fmt;

pub use codes::{Class, Code};
pub use nearest::nearest;
pub use place::{Place, Position, Source};

/// A failure as programs and people get it. The message is lower case, has no full stop, and never
/// holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The stable name.
    pub code: Code,
    /// What was being done, to what, and what went wrong.
    pub message: String,
    /// One next step.
    pub hint: Option<String>,
    /// Where in a file.
    pub place: Option<Place>,
    /// What the server called it.
    pub sqlstate: Option<String>,
    /// The tenant or platform schema that it happened to.
    pub schema: Option<String>,
    /// What of the message the server took from rows, or may have.
    pub rows: Vec<String>,
}

/// What the server says last in a session that it ends: it goes or comes, or the session was idle or in one transaction for
/// longer than a setting lets it (manual, appendix A).
const SESSION_ENDS: &[&str] = &["25P03", "25P04", "57P01", "57P02", "57P03", "57P05"];

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
            rows: Vec::new(),
        }
    }

    /// The message for where everybody can read it: without what may be somebody's data.
    pub fn public_message(&self) -> String {
        let rows = self.rows.iter().filter(|row| !row.is_empty());
        rows.fold(self.message.clone(), |message, row| message.replace(row.as_str(), "…"))
    }

    /// With one next step.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With the file, or the span of one, that it is about.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Whether the session is gone with it, so that only the database knows what was committed.
    pub fn session_ended(&self) -> bool {
        self.code == Code::ConnectionLost
            || self.sqlstate.as_deref().is_some_and(|state| SESSION_ENDS.contains(&state))
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
    fn what_is_public_is_the_message_without_rows() {
        let mut failure = Failure::new(Code::UnitFailed, "key (id)=(7) is there already");
        assert_eq!(failure.public_message(), "key (id)=(7) is there already");
        failure.rows = vec![String::new(), "(id)=(7)".to_owned()];
        assert_eq!(failure.public_message(), "key … is there already");
    }

    #[test]
    fn a_session_ends_by_what_the_server_says() {
        let mut failure = Failure::new(Code::UnitFailed, "x");
        for (state, ended) in [
            ("57P01", true),
            ("25P03", true),
            ("25P04", true),
            ("57P05", true),
            ("57014", false),
            ("25P02", false),
        ] {
            failure.sqlstate = Some(state.to_owned());
            assert_eq!(failure.session_ended(), ended, "{state}");
        }
    }
}
