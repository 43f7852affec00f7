//! The request of a run.

use super::RetryPolicy;
use crate::chain::{Reach, Version};
use crate::ident::Slug;
use crate::settings::Migrate;

/// The request of a run.
#[derive(Debug, Clone)]
pub struct Request {
    /// The target version; `None` is the latest.
    pub to: Option<Version>,
    /// Only these tenants; empty means all.
    pub tenants: Vec<Slug>,
    /// The schemas to migrate.
    pub reach: Reach,
    /// The limits of a unit.
    pub limits: Migrate,
    /// Number of parallel tenant connections; `None` is the default of `executor::jobs`.
    pub jobs: Option<usize>,
    /// Number of tenants to migrate first; 0 disables the canary.
    pub canary: usize,
    /// How to proceed after a tenant fails.
    pub on_failure: OnFailure,
    /// The retries of a unit.
    pub retry_policy: RetryPolicy,
}

impl Request {
    /// A request to migrate all schemas in `reach` to a version over one connection.
    pub fn plain(to: &Version, reach: Reach, limits: Migrate, retry_policy: RetryPolicy) -> Self {
        Self {
            to: Some(to.clone()),
            tenants: Vec::new(),
            reach,
            limits,
            jobs: Some(1),
            canary: 0,
            on_failure: OnFailure::Stop,
            retry_policy,
        }
    }
}

/// How to proceed after a tenant fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// Start no further tenants.
    Stop,
    /// Continue with the other tenants; the platform's next step still waits.
    Continue,
}
