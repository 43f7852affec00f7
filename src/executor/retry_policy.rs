//! Which failures are transient, and the pause before the next attempt.

use std::time::Duration;

use crate::error::{Code, Failure};
use crate::postgres::Backoff;

/// The first pause; each further pause is about twice as long, up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// How often an operation is retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts after the first; 0 disables retries.
    pub retries: u32,
}

impl RetryPolicy {
    /// The default.
    pub const USUAL: Self = Self { retries: 5 };

    /// The pause after `attempts` attempts, or `None` if `failure` is final. Jitter keeps workers from colliding at the
    /// same lock again.
    pub(crate) fn pause(self, failure: &Failure, attempts: u32) -> Option<Duration> {
        if attempts > self.retries || !is_transient(failure) {
            return None;
        }
        let mut pauses = Backoff::jittered(FIRST_PAUSE, MAX_PAUSE);
        (0..attempts.max(1)).map(|_| pauses.next_pause()).last()
    }
}

/// Whether the next attempt may succeed: the server's error is transient, or there is no connection.
fn is_transient(failure: &Failure) -> bool {
    failure.is_transient() || matches!(failure.code, Code::ConnectionLost | Code::ServerUnreachable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(sqlstate: &str) -> Failure {
        let mut failure = Failure::new(Code::UnitFailed, "x");
        failure.sqlstate = Some(sqlstate.to_owned());
        failure
    }

    #[test]
    fn only_transient_failures_are_retried() {
        let retry_policy = RetryPolicy { retries: 3 };
        for state in ["55P03", "40P01", "40001", "57P01", "57P05", "25P03", "08006", "TN008"] {
            assert!(retry_policy.pause(&failure(state), 1).is_some(), "{state}");
            assert!(retry_policy.pause(&failure(state), 3).is_some(), "{state}");
            assert_eq!(retry_policy.pause(&failure(state), 4), None, "{state}");
        }
        for state in ["42P01", "23505", "57014", "25P02", "25P04"] {
            assert_eq!(retry_policy.pause(&failure(state), 1), None, "{state}");
        }
        assert_eq!(RetryPolicy { retries: 0 }.pause(&failure("55P03"), 1), None);
    }

    #[test]
    fn pauses_grow_up_to_a_maximum() {
        let retry_policy = RetryPolicy { retries: 100 };
        let pause = |attempts| retry_policy.pause(&failure("40001"), attempts).unwrap();
        assert!(pause(1) >= FIRST_PAUSE && pause(1) <= FIRST_PAUSE * 3);
        assert!(pause(5) > pause(1));
        assert!(pause(90) <= MAX_PAUSE * 2);
    }
}
