//! A difference between a tenant's schema and the expected one, as it is reported.

use serde::Serialize;

use crate::ident::SchemaName;

/// One difference of one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SchemaDifference {
    /// The tenant's schema.
    pub schema: SchemaName,
    /// What in it: `table workspaces`.
    pub object: String,
    /// How it differs from what it should be: `column removed: settings`.
    pub change: String,
}
