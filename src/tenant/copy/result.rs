//! The results of adopt, clone, export, import and restore.

use schemars::JsonSchema;
use serde::Serialize;

use crate::chain::Version;
use crate::ident::SchemaName;
use crate::postgres::catalog::SchemaDifference;
use crate::postgres::metadata::{RunStatus, Tenant};

/// The result of `tenant adopt`.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Adopted {
    /// `done`.
    pub outcome: RunStatus,
    /// The new tenant.
    pub tenant: Tenant,
    /// The accepted differences between its schema and the files.
    pub differences: Vec<SchemaDifference>,
    /// Differences in owners and privileges, which are always accepted.
    pub access: Vec<SchemaDifference>,
}

/// The result of `tenant adopt --all`.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct AdoptedAll {
    /// `done`; `partial` if some schemas fit no version, `failed` if none does.
    pub outcome: RunStatus,
    /// The new tenants, by schema.
    pub tenants: Vec<Tenant>,
    /// The rows of the registry that did not become tenants.
    pub not_adopted: Vec<NotAdopted>,
    /// The schemas of registry rows that do not exist.
    pub missing_schemas: Vec<SchemaName>,
    /// Schemas with the prefix of tenants that the registry does not have.
    pub unregistered_schemas: Vec<String>,
}

/// A row of the registry that did not become a tenant. Nothing was written for it.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct NotAdopted {
    /// The slug.
    pub slug: String,
    /// The schema.
    pub schema: SchemaName,
    /// Why.
    pub because: String,
    /// The nearest version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest: Option<Version>,
    /// The template of that version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// The differences from that version.
    pub differences: Vec<SchemaDifference>,
}

/// The result of `tenant clone`.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Cloned {
    /// `done`.
    pub outcome: RunStatus,
    /// The slug of the source.
    pub source: String,
    /// The new tenant.
    pub tenant: Tenant,
    /// The number of tables copied.
    pub tables: usize,
    /// The number of rows copied.
    pub rows: u64,
    /// Differences in owners and privileges between source and new tenant.
    pub access: Vec<SchemaDifference>,
    /// The rows and objects that were not copied, with the reason.
    pub notes: Vec<String>,
}

/// The result of `tenant export`.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Exported {
    /// `done`.
    pub outcome: RunStatus,
    /// The tenant.
    pub tenant: Tenant,
    /// The file; `-` for stdout.
    pub file: String,
    /// The size of the dump.
    pub bytes: u64,
    /// Whether the file was imported on a throwaway server.
    pub checked: bool,
}

/// The result of `tenant import`.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Imported {
    /// `done`.
    pub outcome: RunStatus,
    /// The new tenant.
    pub tenant: Tenant,
    /// The version at the export.
    pub from: Version,
    /// The number of rows restored.
    pub rows: u64,
    /// The number of units of its migration.
    pub units: usize,
    /// The accepted definitions that are printed differently.
    pub differences: Vec<SchemaDifference>,
}

/// The result of `tenant restore`.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Restored {
    /// `done`.
    pub outcome: RunStatus,
    /// The tenant, at the version of the file.
    pub tenant: Tenant,
    /// Its version before.
    pub from: Option<Version>,
    /// Whether the platform has a higher version.
    #[serde(rename = "behind")]
    pub is_behind: bool,
    /// The number of rows restored.
    pub rows: u64,
    /// The name of its former schema, which is that of a dropped tenant now.
    pub dropped_schema: Option<SchemaName>,
    /// Objects outside of the former schema that depend on it, such as `view public.v`.
    pub dependents: Vec<String>,
    /// The accepted definitions that are printed differently.
    pub differences: Vec<SchemaDifference>,
}
