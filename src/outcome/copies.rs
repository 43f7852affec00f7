//! The results of the verbs that make a tenant of what is there: adopt, clone, export, import.

use serde::Serialize;

use super::{DriftLine, Ending, Tenant};

/// What `tenant adopt` did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Adopted {
    /// `done`.
    pub outcome: Ending,
    /// The tenant as it is now.
    pub tenant: Tenant,
    /// How its schema differs from what the files make; not empty only where that was accepted.
    pub differences: Vec<DriftLine>,
    /// How owners and privileges differ, which refuses nothing.
    pub access: Vec<DriftLine>,
}

/// What `tenant clone` did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cloned {
    /// `done`.
    pub outcome: Ending,
    /// The slug of the tenant that was cloned.
    pub source: String,
    /// The new tenant.
    pub tenant: Tenant,
    /// How many tables were copied.
    pub tables: usize,
    /// How many rows were copied.
    pub rows: u64,
    /// How owners and privileges of the source differ from the new tenant's.
    pub access: Vec<DriftLine>,
    /// What was not copied, and why.
    pub notes: Vec<String>,
}
