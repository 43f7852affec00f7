//! The results of drop and purge.

use schemars::JsonSchema;
use serde::Serialize;

use super::in_use::SessionInUse;
use crate::error::Code;
use crate::ident::SchemaName;
use crate::postgres::metadata::{RunStatus, Tenant};
use crate::tenant::{FailedTenant, Sessions};

/// The result of `tenant drop`.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Dropped {
    /// `done`.
    pub outcome: RunStatus,
    /// The dropped tenant.
    pub tenant: Tenant,
    /// The former slug, which is free now.
    pub former_slug: String,
    /// The former name of the schema.
    pub former_schema: SchemaName,
    /// Objects outside of its schema that depend on it, such as `view public.v`.
    pub dependents: Vec<String>,
    /// Its role, if any, which can no longer log in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The role's sessions that were ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions: Option<Sessions>,
    /// The sessions that still use its schema.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub in_use: Vec<SessionInUse>,
}

/// The result of `tenant drop --purge`.
#[derive(Debug, Clone, JsonSchema, Serialize)]
pub struct Purged {
    /// The outcome of the run.
    pub outcome: RunStatus,
    /// The deleted tenants.
    pub purged: Vec<PurgedTenant>,
    /// The tenants whose retention period has not ended.
    pub kept: Vec<Kept>,
    /// The tenants that could not be deleted completely.
    pub failures: Vec<FailedTenant>,
}

/// A deleted tenant.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct PurgedTenant {
    /// Its former slug.
    pub slug: String,
    /// The last name of its schema.
    pub schema: SchemaName,
    /// The number of objects that were dropped one by one.
    pub objects: u64,
    /// The number of transactions.
    pub transactions: u64,
    /// The new name of its role, which could not be dropped, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept_role: Option<String>,
}

/// A dropped tenant that was kept.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Kept {
    /// Its former slug.
    pub slug: String,
    /// Its schema.
    pub schema: SchemaName,
}

impl Purged {
    /// Derives the outcome.
    pub fn of(purged: Vec<PurgedTenant>, kept: Vec<Kept>, failed: Vec<FailedTenant>) -> Self {
        let outcome = if failed.iter().any(|failed| failed.failure.code == Code::Interrupted) {
            RunStatus::Interrupted
        } else {
            match (failed.is_empty(), purged.is_empty()) {
                (true, true) => RunStatus::Nothing,
                (true, false) => RunStatus::Done,
                (false, true) => RunStatus::Failed,
                (false, false) => RunStatus::Partial,
            }
        };
        Self { outcome, purged, kept, failures: failed }
    }
}
