//! The results of the verbs that put tenants aside and delete them.

use serde::Serialize;

use super::{Ending, Tenant};
use crate::ident::SchemaName;

/// What `tenant drop` did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dropped {
    /// `done`.
    pub outcome: Ending,
    /// The tenant as it is now.
    pub tenant: Tenant,
    /// The slug that it had, which is free again.
    pub former_slug: String,
    /// The schema that it had.
    pub former_schema: SchemaName,
    /// What is outside of its schema and depends on something in it: `view public.v`.
    pub dependents: Vec<String>,
}
