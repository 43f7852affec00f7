//! The results of operations on tenants.

use schemars::JsonSchema;
use serde::Serialize;

use super::Password;
use super::lifecycle::SessionInUse;
use crate::chain::Version;
use crate::error::{Code, Failure};
use crate::ident::{Identifier, SchemaName};
use crate::output::{shown_value, without_credentials};
use crate::postgres::metadata::{ListedTenant, RunStatus, Tenant};

/// The result of `tenant create`.
#[derive(Debug, Clone, Default, JsonSchema, Serialize)]
pub struct Created {
    /// The new tenants.
    pub created: Vec<CreatedTenant>,
    /// The existing tenants, if accepted.
    pub existing: Vec<CreatedTenant>,
    /// The tenants that could not be created.
    pub failures: Vec<FailedTenant>,
}

impl Created {
    /// The outcome of the run.
    pub fn ending(&self) -> RunStatus {
        if self.failures.iter().any(|failed| failed.failure.code == Code::Interrupted) {
            return RunStatus::Interrupted;
        }
        match (self.failures.is_empty(), self.created.is_empty(), self.existing.is_empty()) {
            (true, false, _) => RunStatus::Done,
            (true, true, _) => RunStatus::Nothing,
            (false, true, true) => RunStatus::Failed,
            (false, _, _) => RunStatus::Partial,
        }
    }
}

/// The result of an operation on one tenant.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Changed {
    /// `done`, or `nothing` if no change was necessary.
    pub outcome: RunStatus,
    /// The tenant after the operation.
    pub tenant: Tenant,
    /// After a rename, the sessions that still use its schema.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub in_use: Vec<SessionInUse>,
}

/// A created or existing tenant.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct CreatedTenant {
    /// The id in the registry.
    pub id: Option<String>,
    /// Its slug.
    pub slug: String,
    /// Its schema.
    pub schema: SchemaName,
    /// Its version.
    pub version: Option<Version>,
    /// Its new role, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Identifier>,
    /// The role's password, which is shown only here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Password>,
}

/// A tenant that failed.
#[derive(Debug, Clone, JsonSchema, Serialize)]
#[serde(into = "FailedTenantJson")]
#[schemars(from = "FailedTenantJson")]
pub struct FailedTenant {
    /// The requested slug, which may be invalid.
    pub slug: String,
    /// The failure.
    pub failure: Failure,
}

#[derive(JsonSchema, Serialize)]
struct FailedTenantJson {
    slug: String,
    code: &'static str,
    message: String,
}

impl From<FailedTenant> for FailedTenantJson {
    fn from(FailedTenant { slug, failure }: FailedTenant) -> Self {
        Self {
            slug: shown_value(&slug).into_owned(),
            code: failure.code.as_str(),
            message: without_credentials(&failure.message),
        }
    }
}

/// The result of `tenant list`.
#[derive(Debug, Clone, JsonSchema, Serialize)]
pub struct TenantList {
    /// In the order of their slugs.
    pub tenants: Vec<ListedTenant>,
    /// The last slug of this page, if there are more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The number of registry rows without a schema, which are not listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without_schema: Option<usize>,
}
