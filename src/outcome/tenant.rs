//! The results of the verbs on tenants.

use serde::Serialize;
use serde::ser::SerializeStruct;

use super::{Ending, Password};
use crate::chain::Version;
use crate::error::{Code, Failure};
use crate::ident::{Identifier, SchemaName};

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

/// What `tenant create` did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Created {
    /// The new ones.
    pub created: Vec<CreatedTenant>,
    /// Those that were there already and may be.
    pub existing: Vec<CreatedTenant>,
    /// Those that could not be made.
    pub failed: Vec<FailedTenant>,
}

impl Created {
    /// How the run ended.
    pub fn ending(&self) -> Ending {
        if self.failed.iter().any(|failed| failed.failure.code == Code::Interrupted) {
            return Ending::Interrupted;
        }
        match (self.failed.is_empty(), self.created.is_empty(), self.existing.is_empty()) {
            (true, false, _) => Ending::Done,
            (true, true, _) => Ending::Nothing,
            (false, true, true) => Ending::Failed,
            (false, _, _) => Ending::Partial,
        }
    }
}

/// What a verb on one tenant did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// `done`, or `nothing` where it was so already.
    pub outcome: Ending,
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

/// What a tenant holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Holdings {
    /// All of it on disk: tables, their indexes, what is stored beside them.
    pub size_bytes: u64,
    /// Its tables and materialized views, in order of their names.
    pub tables: Vec<TableSize>,
    /// Whether the rows were counted; otherwise they are the server's estimates.
    pub counted: bool,
    /// The role that is called like its schema, if there is one.
    pub role: Option<TenantRole>,
}

/// A table in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableSize {
    /// Its name.
    pub name: String,
    /// Its rows; `None` where the server has no estimate yet.
    pub rows: Option<u64>,
    /// With its indexes and what is stored beside it.
    pub bytes: u64,
}

/// A tenant's role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TenantRole {
    /// Its name.
    pub name: String,
    /// Whether it may log in.
    pub login: bool,
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
