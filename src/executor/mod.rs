//! A plan run over many schemas. The runner says what happens as events and never prints; a unit that
//! fails is rolled back whole, and running the command again does just what is left.
#![expect(clippy::disallowed_methods, reason = "this layer measures real time")]

mod batch;
mod catch_up;
pub(crate) mod jobs;
mod non_transactional;
mod observer;
mod renamed_tenants;
mod request;
mod result;
mod retry;
mod retry_policy;
mod run;
mod slowest;
mod tenant_executor;
mod unit;
mod worker;
pub(crate) mod worker_pool;

use tokio_util::sync::CancellationToken;

pub(crate) use catch_up::catch_up;
pub use observer::{Measured, StatementObserver, UnitTrace};
pub use request::{OnFailure, Prepared, Request, unknown_tenant};
pub use result::{Migrated, SlowTenant, TenantCounts, UnitFailure, VersionChange};
pub use retry_policy::RetryPolicy;
pub use run::{Allowed, migrate};

use crate::error::{Code, Failure};

/// A failure if `stop` is cancelled.
pub(crate) fn unless_cancelled(stop: &CancellationToken) -> Result<(), Failure> {
    if stop.is_cancelled() {
        return Err(Failure::new(Code::Interrupted, "the command was interrupted"));
    }
    Ok(())
}
