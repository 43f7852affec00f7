//! Names that end up inside SQL: a tenant's slug, a schema, a relation. Each type checks in its
//! constructor, so that a value of the type is always safe to print into a statement.
//! This module knows no project, no settings, no database.

mod path;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use path::SharedPath;

use crate::error::{Code, Failure};

/// The longest identifier that PostgreSQL keeps, in bytes (`NAMEDATALEN - 1`; manual, chapter 4.1.1).
pub const MAX_IDENTIFIER_BYTES: usize = 63;

/// What the schemas of the pool begin with.
const POOLED: &str = "tenure_pool_";

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not `[a-z][a-z0-9_]*`.
    #[error("{name:?} is not a slug: a slug is a lower-case letter, then lower-case letters, digits and _")]
    NotASlug {
        /// What was given.
        name: String,
    },
    /// The schema's name would be cut by the server.
    #[error("the schema name {schema:?} has {bytes} bytes; PostgreSQL keeps {MAX_IDENTIFIER_BYTES}")]
    TooLong {
        /// The schema that the slug makes.
        schema: String,
        /// Its length.
        bytes: usize,
    },
    /// A role's name would be cut by the server.
    #[error("the role name {role:?} has {bytes} bytes; PostgreSQL keeps {MAX_IDENTIFIER_BYTES}")]
    RoleTooLong {
        /// The role.
        role: String,
        /// Its length.
        bytes: usize,
    },
    /// A name that belongs to the server or to the platform.
    #[error("the schema name {schema:?}, or its slug, is reserved {by}")]
    Reserved {
        /// The schema that the slug makes.
        schema: String,
        /// Who holds it.
        by: &'static str,
    },
    /// A display name that PostgreSQL cannot hold.
    #[error("the name {name:?} holds a NUL, which no text of PostgreSQL can")]
    NotAText {
        /// What was given.
        name: String,
    },
    /// A schema that is called as another tenant's would be.
    #[error(
        "the schema {schema:?} is what the slug {other:?} makes; as {slug:?} it would stand in that one's way"
    )]
    OtherSlug {
        /// The schema.
        schema: String,
        /// The slug that makes it.
        other: String,
        /// The slug that it was to have.
        slug: String,
    },
    /// An identifier that PostgreSQL cannot hold at all.
    #[error(
        "{name:?} cannot be an identifier: it is empty, holds a NUL, or is longer than {MAX_IDENTIFIER_BYTES} bytes"
    )]
    NotAnIdentifier {
        /// What was given.
        name: String,
    },
}

impl From<NameError> for Failure {
    fn from(error: NameError) -> Self {
        let (code, hint) = match &error {
            NameError::NotASlug { .. } => {
                (Code::SlugInvalid, "for example: acme_corp; give the full name with --name")
            }
            NameError::TooLong { .. } => (Code::SchemaNameTooLong, "choose a shorter slug"),
            NameError::RoleTooLong { .. } => {
                (Code::RoleNameTooLong, "choose a shorter slug, or a shorter [tenants] role_prefix")
            }
            NameError::Reserved { .. } => (Code::SchemaNameReserved, "choose another slug"),
            NameError::NotAText { .. } => (Code::NameInvalid, "give the name without it"),
            NameError::OtherSlug { .. } => {
                (Code::SlugInvalid, "say that slug, or rename the schema first: ALTER SCHEMA … RENAME TO …")
            }
            NameError::NotAnIdentifier { .. } => (Code::SlugInvalid, "give a name that PostgreSQL can hold"),
        };
        Self::new(code, error.to_string()).hint(hint)
    }
}

/// Any identifier that PostgreSQL can hold: not empty, no NUL, at most 63 bytes. A column of the
/// registry or a table from the settings is one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Identifier(String);

impl Identifier {
    /// Checks `name`.
    pub fn new(name: impl Into<String>) -> Result<Self, NameError> {
        let name = name.into();
        if name.is_empty() || name.contains('\0') || name.len() > MAX_IDENTIFIER_BYTES {
            return Err(NameError::NotAnIdentifier { name });
        }
        Ok(Self(name))
    }

    /// The bare text, as the catalog holds it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as SQL, in double quotes.
    pub fn quoted(&self) -> String {
        format!("\"{}\"", self.0.replace('"', "\"\""))
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Identifier {
    type Error = NameError;

    fn try_from(name: String) -> Result<Self, NameError> {
        Self::new(name)
    }
}

impl<'de> Deserialize<'de> for Identifier {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// What people call a tenant: any text but one with a NUL (manual, chapter 8.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisplayName(String);

impl DisplayName {
    /// Checks `name`.
    pub fn new(name: impl Into<String>) -> Result<Self, NameError> {
        let name = name.into();
        if name.contains('\0') { Err(NameError::NotAText { name }) } else { Ok(Self(name)) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A tenant's short name, `[a-z][a-z0-9_]*`, as it stands in the registry.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Slug(String);

impl Slug {
    /// Checks `name`. Whether the schema that it makes is allowed is [`SchemaName::of`]'s question.
    pub fn new(name: &str) -> Result<Self, NameError> {
        let mut letters = name.bytes();
        let first = letters.next().is_some_and(|b| b.is_ascii_lowercase());
        let rest = letters.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if first && rest {
            Ok(Self(name.to_owned()))
        } else {
            // A URL in the place of a name may have a password.
            let name = match name.split_once("://") {
                Some((scheme, _)) => format!("{scheme}://***"),
                None => name.to_owned(),
            };
            Err(NameError::NotASlug { name })
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A schema: a tenant's, or the platform's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct SchemaName(Identifier);

impl SchemaName {
    /// The schema of the tenant `slug`: `prefix` and the slug. Refused when the server would cut it,
    /// or when it belongs to the server or is the platform's.
    pub fn of(prefix: &str, slug: &Slug, platform: &Self) -> Result<Self, NameError> {
        let schema = format!("{prefix}{slug}");
        if schema.len() > MAX_IDENTIFIER_BYTES {
            return Err(NameError::TooLong { bytes: schema.len(), schema });
        }
        // The slug too: a prefix must not make an innocent name of one that everybody takes for another's.
        match [schema.as_str(), slug.as_str()].iter().find_map(|name| reserved_for(name, platform)) {
            Some(by) => Err(NameError::Reserved { schema, by }),
            None => Ok(Self(Identifier::new(schema)?)),
        }
    }

    /// A schema that is there and is to be the tenant `slug`. It may have a name of its own, but none that is
    /// reserved, and not the one that another slug makes: that tenant could never be made.
    pub fn adopted(name: &str, prefix: &str, slug: &Slug, platform: &Self) -> Result<Self, NameError> {
        let schema = Self::existing(name)?;
        if let Some(by) = [name, slug.as_str()].iter().find_map(|name| reserved_for(name, platform)) {
            return Err(NameError::Reserved { schema: name.to_owned(), by });
        }
        match name.strip_prefix(prefix).map(Slug::new) {
            Some(Ok(other)) if other != *slug => {
                Err(NameError::OtherSlug { schema: name.to_owned(), other: other.0, slug: slug.0.clone() })
            }
            _ => Ok(schema),
        }
    }

    /// A schema that a file names: any but a reserved one.
    pub fn foreign(name: &str, platform: &Self) -> Result<Self, NameError> {
        match reserved_for(name, platform) {
            Some(by) => Err(NameError::Reserved { schema: name.to_owned(), by }),
            None => Self::existing(name),
        }
    }

    /// A schema that the catalog, a version row or the settings name.
    pub fn existing(name: impl Into<String>) -> Result<Self, NameError> {
        Identifier::new(name).map(Self)
    }

    /// The schema that is made in advance, for nobody yet; `key` is like no other.
    pub fn pooled(key: u128) -> Self {
        Self(Identifier(format!("{POOLED}{key:032x}")))
    }

    /// Whether it was made in advance and is nobody's yet. No tenant has such a name.
    pub fn is_pooled(&self) -> bool {
        self.as_str().starts_with(POOLED)
    }

    /// The role of this tenant, or of what else is named by `prefix` and this name.
    pub fn role(&self, prefix: &str) -> Result<Identifier, NameError> {
        let role = format!("{prefix}{self}");
        if role.len() > MAX_IDENTIFIER_BYTES {
            return Err(NameError::RoleTooLong { bytes: role.len(), role });
        }
        Identifier::new(role)
    }

    /// The bare text, as the catalog holds it.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The name as SQL, always in double quotes.
    pub fn quoted(&self) -> String {
        self.0.quoted()
    }

    /// The name as it takes the place of `{org_schema}`: bare where it can be, since the place may be
    /// inside a string or a function's body, quoted where it must be.
    pub fn in_text(&self) -> String {
        let name = self.as_str();
        let plain = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b == b'_')
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            // Of the reserved key words only these have an underscore (manual, appendix C).
            && name.contains('_')
            && !name.starts_with("current_")
            && !matches!(name, "session_user" | "system_user");
        if plain { name.to_owned() } else { self.quoted() }
    }
}

impl From<Identifier> for SchemaName {
    fn from(name: Identifier) -> Self {
        Self(name)
    }
}

impl fmt::Display for SchemaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Who holds a name that no tenant may have.
fn reserved_for(name: &str, platform: &SchemaName) -> Option<&'static str> {
    // The manual, chapter 5.9.6: names that begin with pg_ are reserved for the system.
    if name.starts_with("pg_") || name == "information_schema" {
        Some("by PostgreSQL")
    } else if name == "public" {
        Some("for extensions and shared objects")
    } else if name.starts_with(POOLED) {
        Some("for schemas that are made in advance")
    } else if name == platform.as_str() {
        Some("for the platform")
    } else {
        None
    }
}

/// `text` as a string literal of SQL. Safe with `standard_conforming_strings` on or off (manual,
/// chapter 4.1.2.1): a backslash makes it an escape string.
pub fn literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if doubled.contains('\\') {
        format!("E'{}'", doubled.replace('\\', "\\\\"))
    } else {
        format!("'{doubled}'")
    }
}

#[cfg(test)]
mod tests;
