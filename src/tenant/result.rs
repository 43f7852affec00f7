//! The results of the verbs on tenants.

use serde::Serialize;
use serde::ser::SerializeStruct;

use super::Password;
use crate::chain::Version;
use crate::error::{Code, Failure};
use crate::ident::{Identifier, SchemaName};
use crate::postgres::metadata::{ListedTenant, RunStatus, Tenant};

/// What `tenant create` did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Created {
    /// The new ones.
    pub created: Vec<CreatedTenant>,
    /// Those that were there already and may be.
    pub existing: Vec<CreatedTenant>,
    /// Those that could not be made.
    pub failures: Vec<FailedTenant>,
}

impl Created {
    /// How the run ended.
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

/// What a verb on one tenant did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// `done`, or `nothing` where it was so already.
    pub outcome: RunStatus,
    /// The tenant as it is now.
    pub tenant: Tenant,
}

/// A tenant as `tenant create` reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CreatedTenant {
    /// The registry's id.
    pub id: Option<String>,
    /// Its slug.
    pub slug: String,
    /// Its schema.
    pub schema: SchemaName,
    /// Its version.
    pub version: Option<Version>,
    /// Its role, if it was given one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Identifier>,
    /// The role's password, which is never shown again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Password>,
}

/// A tenant that could not be made.
#[derive(Debug, Clone)]
pub struct FailedTenant {
    /// What was asked for; it may be no slug at all.
    pub slug: String,
    /// Why.
    pub failure: Failure,
}

impl Serialize for FailedTenant {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("FailedTenant", 3)?;
        out.serialize_field("slug", &self.slug)?;
        out.serialize_field("code", self.failure.code.as_str())?;
        out.serialize_field("message", &self.failure.message)?;
        out.end()
    }
}

/// What `tenant list` shows.
#[derive(Debug, Clone, Serialize)]
pub struct TenantList {
    /// In order of their slugs.
    pub tenants: Vec<ListedTenant>,
    /// Where there are more: the slug behind which they begin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Rows of the registry that name no schema, which are in no list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without_schema: Option<usize>,
}
