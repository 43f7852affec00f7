//! The progress of a branch's operations. Pure: an unknown status means in progress.

use std::time::Duration;

use super::answer::{Operation, OperationStatus};
use crate::error::{Code, Failure};

/// How long a failed operation may take to start again: Neon repeats some.
const RETRY_WINDOW: Duration = Duration::from_secs(30);

/// The state of an operation.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum OperationState {
    /// Finished or skipped.
    Done,
    /// In progress.
    Running,
    /// It failed and may start again.
    Retrying,
    /// It failed permanently.
    Failed(Failure),
}

/// The state of an operation that has been in status `failed` for `failed_for`.
pub(super) fn operation_state(operation: &Operation, failed_for: Duration) -> OperationState {
    match operation.status {
        OperationStatus::Finished | OperationStatus::Skipped => OperationState::Done,
        OperationStatus::Other => OperationState::Running,
        OperationStatus::Failed if failed_for < RETRY_WINDOW => OperationState::Retrying,
        OperationStatus::Failed => OperationState::Failed(operation_failure(operation, "failed")),
        OperationStatus::Error => OperationState::Failed(operation_failure(operation, "ended with an error")),
        OperationStatus::Cancelled => OperationState::Failed(operation_failure(operation, "was cancelled")),
    }
}

fn operation_failure(operation: &Operation, how: &str) -> Failure {
    let Operation { id, action, error, failures_count, .. } = operation;
    let error = error.as_deref().filter(|error| !error.is_empty());
    let error = error.map(|error| format!(": {error}")).unwrap_or_default();
    Failure::new(
        Code::BranchNotReady,
        format!("Neon's operation {action} {how} after {failures_count} failures{error} (operation {id})"),
    )
    .hint("run it again; the branch is recreated")
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
    fn statuses_are_mapped_and_unknown_ones_are_in_progress() {
        let now = |status| operation_state(&operation(status), Duration::ZERO);
        for done in ["finished", "skipped"] {
            assert_eq!(now(done), OperationState::Done, "{done}");
        }
        for running in ["scheduling", "running", "cancelling", "meditating"] {
            assert_eq!(now(running), OperationState::Running, "{running}");
        }
        for operation_failure in ["error", "cancelled"] {
            assert!(matches!(now(operation_failure), OperationState::Failed(_)), "{operation_failure}");
        }
    }

    #[test]
    fn a_failed_operation_may_start_again_once() {
        assert_eq!(operation_state(&operation("failed"), Duration::from_secs(29)), OperationState::Retrying);
        let OperationState::Failed(failure) = operation_state(&operation("failed"), RETRY_WINDOW) else {
            panic!()
        };
        assert_eq!(failure.code, Code::BranchNotReady);
        assert_eq!(
            failure.message,
            "Neon's operation start_compute failed after 2 failures: no room (operation o-1)"
        );
    }
}
