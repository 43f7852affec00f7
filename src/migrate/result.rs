//! The results of `migrate up --plan` and `status`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::chain::{Step, Version};
use crate::error::Failure;
use crate::ident::SchemaName;
use crate::postgres::metadata::TenantState;

/// The result of `migrate up --plan`.
#[derive(Debug, Clone, Serialize)]
pub struct Planned {
    /// The steps, in order.
    pub steps: Vec<Step>,
}

/// The result of `status`.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// The platform.
    pub platform: PlatformStatus,
    /// The numbers of tenants.
    pub tenants: TenantStatus,
    /// The list of tenants, if requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list: Option<Vec<TenantLine>>,
    /// Problems found while reading the state.
    #[serde(skip)]
    pub trouble: Vec<Failure>,
}

impl Status {
    /// Whether the platform or a tenant is behind or has a problem.
    pub fn is_behind(&self) -> bool {
        let is_at_the_end = self.platform.version.as_ref() == Some(&self.platform.latest);
        !is_at_the_end || self.tenants.behind > 0 || !self.trouble.is_empty()
    }
}

/// The state of the platform.
#[derive(Debug, Clone, Serialize)]
pub struct PlatformStatus {
    /// Its schema.
    pub schema: SchemaName,
    /// Its version, if it can be read.
    pub version: Option<Version>,
    /// The latest version of the chain.
    pub latest: Version,
    /// The pending files, in order.
    pub pending: Vec<String>,
}

/// The numbers of tenants.
#[derive(Debug, Clone, Default, Serialize)]
pub struct TenantStatus {
    /// All tenants, including unknown ones.
    pub total: usize,
    /// Tenants at the latest version.
    pub current: usize,
    /// Tenants at another version.
    pub behind: usize,
    /// Registry rows without a version row, and tenants with an invalid version.
    pub unknown: usize,
    /// Number of tenants per version.
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
    /// Its state.
    pub status: TenantState,
}
