//! A tenant, from the registry and its version row.

use schemars::JsonSchema;
use serde::Serialize;

use crate::chain::Version;
use crate::ident::SchemaName;

/// The state of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TenantState {
    /// In use.
    Active,
    /// Its role may not connect; its schema is still migrated.
    Suspended,
    /// Created, but not complete.
    Creating,
    /// A pool schema without a tenant.
    Pooled,
    /// Dropped, to be purged later.
    Dropped,
    /// In the registry without a version row, or with a status that this program does not support.
    Unknown,
}

impl TenantState {
    const ALL: [Self; 6] =
        [Self::Active, Self::Suspended, Self::Creating, Self::Pooled, Self::Dropped, Self::Unknown];

    /// The text in the table and in the JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Creating => "creating",
            Self::Pooled => "pooled",
            Self::Dropped => "dropped",
            Self::Unknown => "unknown",
        }
    }

    /// The state with that text.
    pub fn named(word: &str) -> Self {
        Self::ALL.into_iter().find(|state| state.as_str() == word).unwrap_or(Self::Unknown)
    }
}

/// A tenant in a list.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct ListedTenant {
    /// The tenant.
    #[serde(flatten)]
    pub tenant: Tenant,
    /// The former slug of a dropped tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub former_slug: Option<String>,
    /// The time at which a dropped tenant was dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropped_at: Option<String>,
}

/// A tenant, from the registry and its version row.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Tenant {
    /// The registry's id, as text.
    pub id: Option<String>,
    /// Its slug; the schema's name if the registry has no row.
    pub slug: String,
    /// Its display name.
    pub name: Option<String>,
    /// Its schema.
    pub schema: SchemaName,
    /// Its version, if it has one.
    pub version: Option<Version>,
    /// The template that it was created from.
    pub template: Option<String>,
    /// Its state.
    pub status: TenantState,
    /// The time of creation.
    pub created_at: Option<String>,
    /// Whether its schema does not exist, although it is in use.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub schema_missing: bool,
}

impl Tenant {
    /// Its state, for people.
    pub fn shown_state(&self) -> &'static str {
        if self.schema_missing { SCHEMA_MISSING } else { self.status.as_str() }
    }
}

/// The state of a tenant in use whose schema does not exist.
pub const SCHEMA_MISSING: &str = "schema missing";
