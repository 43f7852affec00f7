//! How far the operations of a branch are. Pure: a word that nobody knows means that it goes on.

use std::time::Duration;

use super::answer::{Operation, OperationStatus};
use crate::error::{Code, Failure};

/// How long one that failed is given to begin again: the platform tries some a second time.
const SECOND_CHANCE: Duration = Duration::from_secs(30);

/// How an operation stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum OperationState {
    /// It is done, or was not needed.
    Done,
    /// It goes on.
    Going,
    /// It failed, and may begin again.
    Faltering,
    /// It will never be done.
    Dead(Failure),
}

/// How an operation stands that has been seen failed for so long.
pub(super) fn operation_state(operation: &Operation, failed_for: Duration) -> OperationState {
    match operation.status {
        OperationStatus::Finished | OperationStatus::Skipped => OperationState::Done,
        OperationStatus::Other => OperationState::Going,
        OperationStatus::Failed if failed_for < SECOND_CHANCE => OperationState::Faltering,
        OperationStatus::Failed => OperationState::Dead(dead(operation, "failed")),
        OperationStatus::Error => OperationState::Dead(dead(operation, "ended with an error")),
        OperationStatus::Cancelled => OperationState::Dead(dead(operation, "was cancelled")),
    }
}

fn dead(operation: &Operation, how: &str) -> Failure {
    let Operation { id, action, error, failures_count, .. } = operation;
    let error = error.as_deref().filter(|error| !error.is_empty());
    let error = error.map(|error| format!(": {error}")).unwrap_or_default();
    Failure::new(
        Code::BranchNotReady,
        format!("Neon's operation {action} {how} after {failures_count} failures{error} (operation {id})"),
    )
    .hint("run it again; the branch is made anew")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(status: &str) -> Operation {
        let json = format!(
            r#"{{"id":"o-1","action":"start_compute","status":"{status}","failures_count":2,"error":"no room"}}"#
        );
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn each_word_has_its_meaning_and_an_unknown_one_goes_on() {
        let now = |status| operation_state(&operation(status), Duration::ZERO);
        for done in ["finished", "skipped"] {
            assert_eq!(now(done), OperationState::Done, "{done}");
        }
        for going in ["scheduling", "running", "cancelling", "meditating"] {
            assert_eq!(now(going), OperationState::Going, "{going}");
        }
        for dead in ["error", "cancelled"] {
            assert!(matches!(now(dead), OperationState::Dead(_)), "{dead}");
        }
    }

    #[test]
    fn one_that_failed_gets_a_second_chance_and_no_third() {
        assert_eq!(operation_state(&operation("failed"), Duration::from_secs(29)), OperationState::Faltering);
        let OperationState::Dead(failure) = operation_state(&operation("failed"), SECOND_CHANCE) else {
            panic!()
        };
        assert_eq!(failure.code, Code::BranchNotReady);
        assert_eq!(
            failure.message,
            "Neon's operation start_compute failed after 2 failures: no room (operation o-1)"
        );
    }
}
