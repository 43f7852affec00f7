//! The results of the verbs that put tenants aside and delete them.

use serde::Serialize;

use crate::error::Code;
use crate::ident::SchemaName;
use crate::postgres::metadata::{RunStatus, Tenant};
use crate::tenant::{FailedTenant, Sessions};

/// What `tenant drop` did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dropped {
    /// `done`.
    pub outcome: RunStatus,
    /// The tenant as it is now.
    pub tenant: Tenant,
    /// The slug that it had, which is free again.
    pub former_slug: String,
    /// The schema that it had.
    pub former_schema: SchemaName,
    /// What is outside of its schema and depends on something in it: `view public.v`.
    pub dependents: Vec<String>,
    /// Its role, if it has one, which may no longer log in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// What became of the role's sessions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions: Option<Sessions>,
}

/// What `tenant drop --purge` did.
#[derive(Debug, Clone, Serialize)]
pub struct Purged {
    /// How it ended.
    pub outcome: RunStatus,
    /// Those that are deleted.
    pub purged: Vec<PurgedTenant>,
    /// Those that were not dropped long enough ago.
    pub kept: Vec<Kept>,
    /// Those that could not be deleted, or only in part.
    pub failures: Vec<FailedTenant>,
}

/// A tenant that is no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PurgedTenant {
    /// The slug that it had.
    pub slug: String,
    /// The schema that it had last.
    pub schema: SchemaName,
    /// How many things were dropped one by one.
    pub objects: u64,
    /// In how many transactions.
    pub transactions: u64,
}

/// A dropped tenant that stays for now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// The slug that it had.
    pub slug: String,
    /// The schema that it has.
    pub schema: SchemaName,
}

impl Purged {
    /// From what became of each.
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
