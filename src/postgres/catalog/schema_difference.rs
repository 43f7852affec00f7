//! A reported difference between a tenant's schema and the expected one.

use schemars::JsonSchema;
use serde::Serialize;

use crate::ident::SchemaName;

/// A difference in one object.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct SchemaDifference {
    /// The tenant's schema.
    pub schema: SchemaName,
    /// The object, such as `table workspaces`.
    pub object: String,
    /// The difference from the expected object, such as `column removed: settings`.
    pub change: String,
}
