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
