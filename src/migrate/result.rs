//! The results of `migrate up --plan` and `status`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::chain::{Step, Version};
use crate::error::Failure;
use crate::ident::SchemaName;
use crate::postgres::metadata::TenantState;

/// What `migrate up --plan` shows.
#[derive(Debug, Clone, Serialize)]
pub struct Planned {
    /// The steps, in order.
    pub steps: Vec<Step>,
}

/// What `status` shows.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// The platform.
    pub platform: PlatformStatus,
    /// The tenants in numbers.
    pub tenants: TenantStatus,
    /// The tenants one by one, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list: Option<Vec<TenantLine>>,
    /// What kept something from being shown: the JSON shows them as it gives failures.
    #[serde(skip)]
    pub trouble: Vec<Failure>,
}

impl Status {
    /// Whether anything is behind the chain's end, or nobody can say that it is not.
    pub fn is_behind(&self) -> bool {
        let is_at_the_end = self.platform.version.as_ref() == Some(&self.platform.latest);
        !is_at_the_end || self.tenants.behind > 0 || !self.trouble.is_empty()
    }
}

/// Where the platform is.
#[derive(Debug, Clone, Serialize)]
pub struct PlatformStatus {
    /// Its schema.
    pub schema: SchemaName,
    /// Its version, if it can be read.
    pub version: Option<Version>,
    /// The chain's end.
    pub latest: Version,
    /// The files that are still to be run, in order.
    pub pending: Vec<String>,
}

/// Where the tenants are.
#[derive(Debug, Clone, Default, Serialize)]
pub struct TenantStatus {
    /// All of them, unknown ones included.
    pub total: usize,
    /// Those at the chain's end.
    pub current: usize,
    /// Those at another version.
    pub behind: usize,
    /// Rows of the registry without a version row, and tenants whose version is none.
    pub unknown: usize,
    /// How many are at which version.
    pub versions: BTreeMap<Version, usize>,
}

/// One tenant in the list of `status`.
#[derive(Debug, Clone, Serialize)]
pub struct TenantLine {
    /// Its slug.
    pub slug: String,
    /// Its schema.
    pub schema: SchemaName,
    /// Its version, if it has one.
    pub version: Option<Version>,
    /// Where in its life it is.
    pub status: TenantState,
}
