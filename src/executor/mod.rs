//! Runs a plan over many schemas: workers, batches, retries, statements outside of a transaction. It reports
//! events and never prints. A unit that fails is rolled back completely; a new run continues with the rest.
#![expect(clippy::disallowed_methods, reason = "this layer measures real time")]

mod batch;
mod catch_up;
pub(crate) mod jobs;
mod non_transactional;
mod notices;
mod observer;
pub(crate) mod queue;
mod renamed_tenants;
mod request;
mod result;
pub(crate) mod retry;
mod retry_policy;
mod tenant_executor;
mod unit;
mod watch;
mod worker;
pub(crate) mod worker_pool;

use std::collections::HashMap;

use tokio_util::sync::CancellationToken;

pub(crate) use catch_up::catch_up;
pub use notices::Notices;
pub use observer::{Measured, StatementObserver, UnitTrace};
pub use request::{OnFailure, Request};
pub use result::{SlowTenant, UnitFailure};
pub use retry_policy::RetryPolicy;
pub(crate) use watch::Watch;

use crate::error::{Code, Failure};

/// A failure if `stop` is cancelled.
pub(crate) fn unless_cancelled(stop: &CancellationToken) -> Result<(), Failure> {
    if stop.is_cancelled() {
        return Err(Failure::new(Code::Interrupted, "the command was interrupted"));
    }
    Ok(())
}

/// Accepted findings by file, as the JSON that goes into the history.
pub type Allowed = HashMap<String, String>;

/// Runs units, whether or not they were verified. Only `migrate` names this module, behind its `ApprovedPlan`
/// (`tests/it/layers.rs`).
pub(crate) mod unverified {
    pub(crate) use super::non_transactional::send as send_non_transactional;
    pub(crate) use super::tenant_executor::{Started, TenantExecutor};
    pub(crate) use super::unit::{Part, Unit, UnitOutcome};
}
