//! Names that are used in SQL: slugs, schemas, roles, other identifiers and the search path. Each constructor validates
//! its input, so a value of these types can be inserted into a statement safely.
//! No settings, files or database access belong here.

mod path;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use path::SharedPath;

use crate::error::{Code, Failure};

/// The maximum length of an identifier in PostgreSQL, in bytes (`NAMEDATALEN - 1`; manual, chapter 4.1.1).
pub const MAX_IDENTIFIER_BYTES: usize = 63;

/// The prefix of pool schemas.
const POOLED: &str = "tenure_pool_";

/// Why a name is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not `[a-z][a-z0-9_]*`.
    #[error(
        "{name:?} is not a slug: a slug is a lower-case letter followed by lower-case letters, digits and _"
    )]
    NotASlug {
        /// The given name.
        name: String,
    },
    /// A slug with a hyphen in a project whose slugs have none.
    #[error(
        "{name:?} is not a slug: a slug is a lower-case letter followed by lower-case letters, digits and _"
    )]
    Hyphen {
        /// The given name.
        name: String,
    },
    /// The server would truncate the schema name.
    #[error("the schema name {schema:?} has {bytes} bytes; PostgreSQL allows {MAX_IDENTIFIER_BYTES}")]
    TooLong {
        /// The schema that the slug makes.
        schema: String,
        /// Its length.
        bytes: usize,
    },
    /// The server would truncate the role name.
    #[error("the role name {role:?} has {bytes} bytes; PostgreSQL allows {MAX_IDENTIFIER_BYTES}")]
    RoleTooLong {
        /// The role.
        role: String,
        /// Its length.
        bytes: usize,
    },
    /// A name that is reserved by the server or for the platform.
    #[error("the schema name {schema:?}, or its slug, is reserved {by}")]
    Reserved {
        /// The schema that the slug makes.
        schema: String,
        /// The reservation, for the message.
        by: &'static str,
    },
    /// A display name with a NUL character.
    #[error("the name {name:?} contains a NUL character, which text in PostgreSQL cannot contain")]
    NotAText {
        /// The given name.
        name: String,
    },
    /// A schema whose name belongs to another slug.
    #[error("the schema name {schema:?} belongs to the slug {other:?}, so the slug {slug:?} cannot use it")]
    OtherSlug {
        /// The schema.
        schema: String,
        /// The slug that it belongs to.
        other: String,
        /// The requested slug.
        slug: String,
    },
    /// An identifier that PostgreSQL does not allow.
    #[error(
        "{name:?} is not an identifier: it is empty, contains a NUL character, or is longer than {MAX_IDENTIFIER_BYTES} bytes"
    )]
    NotAnIdentifier {
        /// The given name.
        name: String,
    },
}

impl From<NameError> for Failure {
    fn from(error: NameError) -> Self {
        let (code, hint) = match &error {
            NameError::NotASlug { .. } => {
                (Code::SlugInvalid, "for example: acme_corp; give the full name with --name")
            }
            NameError::Hyphen { .. } => (
                Code::SlugInvalid,
                "for example: acme_corp; [tenants] slug = \"dns\" in tenure.toml allows hyphens in slugs",
            ),
            NameError::TooLong { .. } => (Code::SchemaNameTooLong, "choose a shorter slug"),
            NameError::RoleTooLong { .. } => {
                (Code::RoleNameTooLong, "choose a shorter slug, or a shorter [tenants] role_prefix")
            }
            NameError::Reserved { .. } => (Code::SchemaNameReserved, "choose another slug"),
            NameError::NotAText { .. } => (Code::NameInvalid, "remove it from the name"),
            NameError::OtherSlug { .. } => {
                (Code::SlugInvalid, "use that slug, or rename the schema first: ALTER SCHEMA … RENAME TO …")
            }
            NameError::NotAnIdentifier { .. } => (Code::SlugInvalid, "use a name that PostgreSQL allows"),
        };
        Self::new(code, error.to_string()).hint(hint)
    }
}

/// Any identifier that PostgreSQL allows: not empty, without NUL, at most 63 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, JsonSchema, Serialize)]
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

    /// The unquoted name, as in the system catalog.
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

/// The display name of a tenant: any text without a NUL character (manual, chapter 8.3).
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

/// A tenant's short name, `[a-z][a-z0-9_-]*`, as in the registry. The settings say whether a new one may have hyphens.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, JsonSchema, Serialize)]
#[serde(transparent)]
pub struct Slug(String);

impl Slug {
    /// Checks `name`. [`SchemaName::of`] checks the resulting schema name.
    pub fn new(name: &str) -> Result<Self, NameError> {
        let mut letters = name.bytes();
        let first = letters.next().is_some_and(|b| b.is_ascii_lowercase());
        let rest = letters.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'));
        if first && rest && !name.ends_with('-') {
            Ok(Self(name.to_owned()))
        } else {
            // A URL given instead of a name may contain a password.
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

    /// Whether it contains a hyphen.
    pub fn has_hyphen(&self) -> bool {
        self.0.contains('-')
    }

    /// The slug in a schema's name, with `_` for `-`. Two slugs may have the same.
    pub fn in_schema(&self) -> String {
        self.0.replace('-', "_")
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a schema.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, JsonSchema, Serialize)]
#[serde(transparent)]
pub struct SchemaName(Identifier);

impl SchemaName {
    /// The schema of the tenant `slug`: `prefix` and the slug, with `_` for `-`. An error if the name is too long or reserved.
    pub fn of(prefix: &str, slug: &Slug, platform: &Self) -> Result<Self, NameError> {
        let schema = format!("{prefix}{}", slug.in_schema());
        if schema.len() > MAX_IDENTIFIER_BYTES {
            return Err(NameError::TooLong { bytes: schema.len(), schema });
        }
        // The slug is checked too: a reserved name would be misleading even with a prefix.
        match [schema.as_str(), slug.as_str()].iter().find_map(|name| reserved_for(name, platform)) {
            Some(by) => Err(NameError::Reserved { schema, by }),
            None => Ok(Self(Identifier::new(schema)?)),
        }
    }

    /// An existing schema to adopt as the tenant `slug`. Its name must not be reserved, nor be that of another slug, whose
    /// tenant could then not be created.
    pub fn adopted(name: &str, prefix: &str, slug: &Slug, platform: &Self) -> Result<Self, NameError> {
        let schema = Self::existing(name)?;
        if let Some(by) = [name, slug.as_str()].iter().find_map(|name| reserved_for(name, platform)) {
            return Err(NameError::Reserved { schema: name.to_owned(), by });
        }
        match name.strip_prefix(prefix).map(Slug::new) {
            Some(Ok(other)) if other.in_schema() != slug.in_schema() => {
                Err(NameError::OtherSlug { schema: name.to_owned(), other: other.0, slug: slug.0.clone() })
            }
            _ => Ok(schema),
        }
    }

    /// A schema that a file names. An error if the name is reserved.
    pub fn foreign(name: &str, platform: &Self) -> Result<Self, NameError> {
        match reserved_for(name, platform) {
            Some(by) => Err(NameError::Reserved { schema: name.to_owned(), by }),
            None => Self::existing(name),
        }
    }

    /// A schema from the catalog, a version row or the settings.
    pub fn existing(name: impl Into<String>) -> Result<Self, NameError> {
        Identifier::new(name).map(Self)
    }

    /// A pool schema; `key` must be unique.
    pub fn pooled(key: u128) -> Self {
        Self(Identifier(format!("{POOLED}{key:032x}")))
    }

    /// The text with `{org_schema}`, the placeholder of files, for each word that is this name.
    pub fn hidden_in(&self, text: &str) -> String {
        with_other_word(text, self.as_str(), "{org_schema}")
    }

    /// Whether it is a pool schema. No tenant has such a name.
    pub fn is_pooled(&self) -> bool {
        self.as_str().starts_with(POOLED)
    }

    /// The role name that consists of `prefix` and this name.
    pub fn role(&self, prefix: &str) -> Result<Identifier, NameError> {
        let role = format!("{prefix}{self}");
        if role.len() > MAX_IDENTIFIER_BYTES {
            return Err(NameError::RoleTooLong { bytes: role.len(), role });
        }
        Identifier::new(role)
    }

    /// The unquoted name, as in the system catalog.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The name as SQL, always in double quotes.
    pub fn quoted(&self) -> String {
        self.0.quoted()
    }

    /// The name as it replaces `{org_schema}`: quoted only if necessary, since the placeholder may be inside a string or
    /// a function body.
    pub fn in_text(&self) -> String {
        in_text(self.as_str())
    }

    /// The name of the tenant's role with this prefix as it replaces `{org_role}`.
    pub fn role_in_text(&self, prefix: &str) -> String {
        in_text(&format!("{prefix}{self}"))
    }
}

/// The key words that are no name of a schema without quotes (manual, appendix C), also in a body in PL/pgSQL (chapter 43.2).
const KEY_WORDS: &[&str] = &[
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "begin",
    "binary",
    "both",
    "by",
    "case",
    "cast",
    "check",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "declare",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "execute",
    "false",
    "fetch",
    "for",
    "foreach",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "group",
    "having",
    "if",
    "ilike",
    "in",
    "initially",
    "inner",
    "intersect",
    "into",
    "is",
    "isnull",
    "join",
    "lateral",
    "leading",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "loop",
    "natural",
    "not",
    "notnull",
    "null",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "outer",
    "overlaps",
    "placing",
    "primary",
    "references",
    "returning",
    "right",
    "select",
    "session_user",
    "similar",
    "some",
    "strict",
    "symmetric",
    "system_user",
    "table",
    "tablesample",
    "then",
    "to",
    "trailing",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "variadic",
    "verbose",
    "when",
    "where",
    "while",
    "window",
    "with",
];

/// The name, quoted only if necessary.
fn in_text(name: &str) -> String {
    let plain = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b == b'_')
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && !KEY_WORDS.contains(&name);
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
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

/// The reservation of a name that tenants cannot have.
fn reserved_for(name: &str, platform: &SchemaName) -> Option<&'static str> {
    // The manual, chapter 5.9.6: names that begin with pg_ are reserved for the system.
    if name.starts_with("pg_") || name == "information_schema" {
        Some("by PostgreSQL")
    } else if name == "public" {
        Some("for extensions and shared objects")
    } else if name.starts_with(POOLED) {
        Some("for the pool")
    } else if name == platform.as_str() {
        Some("for the platform")
    } else {
        None
    }
}

/// The text with `other` for each word `word`.
pub fn with_other_word(text: &str, word: &str, other: &str) -> String {
    let is_letter = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '$';
    let (mut shown, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(word).filter(|_| !word.is_empty()) {
        let (before, after) = (&rest[..at], &rest[at + word.len()..]);
        let follows_letter = before.chars().next_back().is_some_and(is_letter);
        let is_part = follows_letter || after.chars().next().is_some_and(is_letter);
        shown.push_str(before);
        shown.push_str(if is_part { word } else { other });
        rest = after;
    }
    shown + rest
}

/// The text with `other` for `word` where it is not part of a longer word. Quotes around it are removed.
pub fn without_word(text: &str, word: &str, other: &str, is_in_word: impl Fn(char) -> bool) -> String {
    let (mut written, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find(word) {
        let (before, after) = (&rest[..at], &rest[at + word.len()..]);
        let last = before.chars().next_back().or_else(|| written.chars().next_back());
        if last.is_some_and(&is_in_word) || after.starts_with(&is_in_word) {
            written.push_str(&rest[..at + word.len()]);
            rest = after;
            continue;
        }
        let quoted = before.strip_suffix('"').zip(after.strip_prefix('"'));
        let (before, after) = quoted.unwrap_or((before, after));
        written.push_str(before);
        written.push_str(other);
        rest = after;
    }
    written + rest
}

/// Quotes `text` as an SQL string literal. A text with backslashes becomes an escape string, so the result does not depend
/// on `standard_conforming_strings` (manual, chapter 4.1.2.1).
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
