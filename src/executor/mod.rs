//! Runs a plan over many schemas: workers, batches, retries, statements outside of a transaction. It reports
//! events and never prints. A unit that fails is rolled back completely; a new run continues with the rest.
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

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) use catch_up::catch_up;
pub use observer::{Measured, StatementObserver, UnitTrace};
pub use request::{OnFailure, Prepared, Request, unknown_tenant};
pub use result::{Migrated, SlowTenant, TenantCounts, UnitFailure, VersionChange};
pub use retry_policy::RetryPolicy;
pub use run::{Allowed, migrate};

use crate::error::{Code, Failure};

/// A cancellation flag: running units are finished, no unit is started.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Sets the flag.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Fails if the flag is set.
    pub fn check(&self) -> Result<(), Failure> {
        if self.asked() {
            Err(Failure::new(Code::Interrupted, "the command was interrupted"))
        } else {
            Ok(())
        }
    }

    /// Whether the flag is set.
    pub fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
