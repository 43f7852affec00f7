//! Which failures pass by themselves, and how long to wait before the next try.

use std::time::Duration;

use crate::error::{Code, Failure};
use crate::postgres::{Backoff, error};

/// The first pause; each further one is about twice as long, up to [`LONGEST`].
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// How often a unit is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Further tries after the first; 0 is none.
    pub retries: u32,
}

impl RetryPolicy {
    /// Where nobody says otherwise.
    pub const USUAL: Self = Self { retries: 5 };

    /// The pause before the next try after `attempts` tries, or `None` if `failure` is to stand. Jitter
    /// keeps workers that met at a lock from meeting there again.
    pub(crate) fn pause(self, failure: &Failure, attempts: u32) -> Option<Duration> {
        if attempts > self.retries || !passes_by_itself(failure) {
            return None;
        }
        let mut pauses = Backoff::jittered(FIRST, LONGEST);
        (0..attempts.max(1)).map(|_| pauses.next_pause()).last()
    }
}

/// Somebody else's lock, a unit that runs alone, a deadlock, a serialization failure, a server that is going or coming, a session that it ended for
/// its idleness, a broken connection (manual, appendix A). What takes longer than a limit (`57014`, `25P04`) takes as long the
/// next time.
fn passes_by_itself(failure: &Failure) -> bool {
    let by_state = failure.sqlstate.as_deref().is_some_and(|state| {
        matches!(
            state,
            "55P03"
                | "40P01"
                | "40001"
                | "57P01"
                | "57P02"
                | "57P03"
                | "57P05"
                | "25P03"
                | "53300"
                | error::ALONE
        )
    });
    by_state || matches!(failure.code, Code::ConnectionLost | Code::ServerUnreachable)
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
    fn only_what_passes_by_itself_is_tried_again() {
        let retry_policy = RetryPolicy { retries: 3 };
        for state in ["55P03", "40P01", "40001", "57P01", "57P05", "25P03"] {
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
    fn pauses_grow_and_end() {
        let retry_policy = RetryPolicy { retries: 100 };
        let pause = |attempts| retry_policy.pause(&failure("40001"), attempts).unwrap();
        assert!(pause(1) >= FIRST && pause(1) <= FIRST * 3);
        assert!(pause(5) > pause(1));
        assert!(pause(90) <= LONGEST * 2);
    }
}
