//! What a run is asked for.

use super::RetryPolicy;
use crate::chain::{Reach, Version};
use crate::error::{Code, Failure};
use crate::ident::Slug;
use crate::settings::Migrate;

/// What `migrate up` was asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// The version to reach; the chain's end if none is named.
    pub to: Option<Version>,
    /// Only these tenants, if any are named.
    pub tenants: Vec<Slug>,
    /// Which schemas may be touched.
    pub reach: Reach,
    /// The limits of a unit.
    pub limits: Migrate,
    /// How many connections work on tenants; chosen by what the server has free if not said.
    pub jobs: Option<usize>,
    /// So many tenants go first, alone; 0 is none.
    pub canary: usize,
    /// What a tenant that fails means for the others.
    pub on_failure: OnFailure,
    /// How often a unit is tried again.
    pub retry_policy: RetryPolicy,
}

impl Request {
    /// To bring all that `reach` says to a version, over one connection.
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

/// What a tenant that fails means for the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// No further tenant is begun.
    Stop,
    /// The others go on; the platform waits all the same.
    Continue,
}

/// No such tenant, or none with a version.
pub fn unknown_tenant(slug: &Slug) -> Failure {
    Failure::new(Code::TenantUnknown, format!("there is no tenant {:?} with a version", slug.as_str()))
        .hint("`tenure tenant list` shows the tenants")
}
