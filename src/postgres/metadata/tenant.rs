//! A tenant as the registry and its version row describe it.

use serde::Serialize;

use crate::chain::Version;
use crate::ident::SchemaName;

/// Where in its life a tenant is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TenantState {
    /// In use.
    Active,
    /// Its role may not connect; its schema is migrated all the same.
    Suspended,
    /// Made, while what has to be done after that is not done yet.
    Creating,
    /// Made in advance, and nobody's yet.
    Pooled,
    /// Put aside, to be deleted for good later.
    Dropped,
    /// In the registry, with a version that nobody knows; or a word that this program does not know.
    Unknown,
}

impl TenantState {
    const ALL: [Self; 6] =
        [Self::Active, Self::Suspended, Self::Creating, Self::Pooled, Self::Dropped, Self::Unknown];

    /// The word in the table and in the JSON.
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

    /// The state of that word.
    pub fn named(word: &str) -> Self {
        Self::ALL.into_iter().find(|state| state.as_str() == word).unwrap_or(Self::Unknown)
    }
}

/// A tenant in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedTenant {
    /// The tenant.
    #[serde(flatten)]
    pub tenant: Tenant,
    /// Of a dropped one: the slug that it had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub former_slug: Option<String>,
    /// Of a dropped one: when that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropped_at: Option<String>,
}

/// One tenant, as the registry and its version row know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tenant {
    /// The registry's id, as text.
    pub id: Option<String>,
    /// Its slug; the schema's name where the registry has no row.
    pub slug: String,
    /// Its display name.
    pub name: Option<String>,
    /// Its schema.
    pub schema: SchemaName,
    /// Its version, if it has one.
    pub version: Option<Version>,
    /// The template that it was made from.
    pub template: Option<String>,
    /// Where in its life it is.
    pub status: TenantState,
    /// When it was made.
    pub created_at: Option<String>,
}
