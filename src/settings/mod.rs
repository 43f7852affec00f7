//! The settings in `tenure.toml`, with defaults and validation: text in, values out. Flags and environment variables
//! override them in `cli`. No file access belongs here.

mod base;
mod branch;
mod duration;

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

pub use base::Replaced;
pub use branch::{Age, BranchSettings, BranchSslMode, Expiry, ReadyWithin, RetryPolicy};
pub use duration::{HookTimeout, LockTimeout, Retention, StatementTimeout, WaitTimeout};

use crate::error::{Code, Failure, Place, Source, did_you_mean};
use crate::ident::{Identifier, NameError, SchemaName, SharedPath, Slug};
use crate::sql::Condition;

/// The settings of a project.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// `[platform]`
    pub platform: Platform,
    /// `[tenants]`
    pub tenants: Tenants,
    /// `[extensions]`
    pub extensions: Extensions,
    /// `[migrate]`
    pub migrate: Migrate,
    /// `[verify]`
    pub verify: Verify,
    /// `[shadow]`
    pub shadow: Shadow,
    /// `[audit]`
    pub audit: Audit,
    /// `[branch]`
    pub branch: BranchSettings,
    /// `[django]`
    pub django: Django,
}

/// `[django]`: the Django project whose migrations become files.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Django {
    /// The command that runs `manage.py`, in the project's folder: the program and its arguments.
    pub manage: Vec<String>,
    /// Whether a file from a Django migration also records it in `django_migrations`.
    pub record: bool,
}

impl Default for Django {
    fn default() -> Self {
        Self { manage: vec!["python3".to_owned(), "manage.py".to_owned()], record: false }
    }
}

/// `[platform]`: the shared schema.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Platform {
    #[schemars(with = "String")]
    schema: Identifier,
}

/// `[tenants]`: the tenants and their registry.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tenants {
    /// The prefix of a tenant's schema, before the slug.
    pub schema_prefix: String,
    /// The template of a new tenant if none is requested.
    pub template: String,
    /// The table of tenants, in the platform schema.
    #[schemars(with = "String")]
    pub registry: Identifier,
    /// A condition on the registry's rows: an SQL expression over its columns. A row that it excludes is no tenant.
    #[serde(rename = "where", deserialize_with = "condition")]
    #[schemars(with = "Option<String>")]
    pub condition: Option<Condition>,
    /// The characters of slugs.
    pub slug: SlugStyle,
    /// How long a dropped tenant is kept.
    #[schemars(with = "String")]
    pub retention: Retention,
    /// The columns of the registry.
    pub columns: Columns,
    /// The command to run after a tenant is created: the program and its arguments.
    pub after_create: Vec<String>,
    /// The time limit of that command.
    #[schemars(with = "String")]
    pub after_create_timeout: HookTimeout,
    /// Whether every new tenant gets its own role.
    pub roles: bool,
    /// The shared schemas in a unit's search path, after its own schema.
    #[schemars(with = "Vec<String>")]
    pub search_path: Vec<Identifier>,
    /// The prefix of a tenant's role, before the schema name. Roles belong to the whole server, whose databases may have
    /// tenants with the same name.
    pub role_prefix: String,
}

/// `[tenants] slug`: the characters of slugs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SlugStyle {
    /// A lower-case letter, then lower-case letters, digits and `_`.
    #[default]
    Identifier,
    /// Also `-`, but not at the end. In the schema's name, `-` becomes `_`.
    Dns,
}

impl SlugStyle {
    /// The value in `tenure.toml`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identifier => "identifier",
            Self::Dns => "dns",
        }
    }
}

/// `[tenants.columns]`: the registry's columns that Tenure writes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Columns {
    /// The id, of any type. Its default fills it; a UUID column without a default gets a random UUID.
    #[schemars(with = "String")]
    pub id: Identifier,
    /// The display name. May be the slug's column.
    #[schemars(with = "String")]
    pub name: Identifier,
    /// The slug. If it is the schema's column, the slug is the schema's name without `schema_prefix`.
    #[schemars(with = "String")]
    pub slug: Identifier,
    /// The schema's name.
    #[schemars(with = "String")]
    pub schema: Identifier,
    /// The state, such as `active` or `suspended`, if the registry has such a column.
    #[schemars(with = "Option<String>")]
    pub status: Option<Identifier>,
}

/// `[extensions]`: the schema of extensions.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Extensions {
    /// The schema of an extension without a SCHEMA clause.
    #[schemars(with = "String")]
    pub schema: Identifier,
}

/// `[shadow]`: the throwaway database of a verification.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Shadow {
    /// The extensions that need a superuser and may be created on a shadow. Only those of the base count (`--policy-from`).
    #[schemars(with = "Vec<String>")]
    pub extensions: Vec<Identifier>,
}

/// `[migrate]`: the limits of a unit, and what a run accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Migrate {
    /// How long a statement waits for a lock.
    #[schemars(with = "String")]
    pub lock_timeout: LockTimeout,
    /// How long a statement may run.
    #[schemars(with = "String")]
    pub statement_timeout: StatementTimeout,
    /// Whether `migrate up` succeeds without changes on a database that is ahead of the chain.
    pub allow_newer: bool,
}

/// `[verify]`: the policy.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Verify {
    /// Rule id → `deny`, `warn` or `off`, for rules that differ from their default level.
    pub levels: BTreeMap<String, String>,
    /// The position of each level in the file.
    #[serde(skip)]
    pub places: BTreeMap<String, Place>,
    /// How contract steps are accepted.
    pub contract: Contract,
}

/// `[audit]`: the policy of `tenure tenant audit`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    /// Rule id → `deny`, `warn` or `off`, for rules that differ from their default level.
    pub levels: BTreeMap<String, String>,
}

/// `[verify] contract`: how a contract step is accepted. It removes something that a running release may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Contract {
    /// An `-- Allow:` line.
    #[default]
    Allow,
    /// An `-- Allow:` line, or the queries of all given releases if none of them uses the removed object.
    Queries,
}

impl Default for Platform {
    fn default() -> Self {
        Self { schema: constant_identifier("datalinx_platform") }
    }
}

impl Default for Extensions {
    fn default() -> Self {
        Self { schema: constant_identifier("public") }
    }
}

impl Default for Tenants {
    fn default() -> Self {
        Self {
            schema_prefix: "org_".to_owned(),
            template: "default".to_owned(),
            registry: constant_identifier("organizations"),
            condition: None,
            slug: SlugStyle::default(),
            retention: Retention::default(),
            columns: Columns::default(),
            after_create: Vec::new(),
            after_create_timeout: HookTimeout::default(),
            roles: false,
            search_path: Vec::new(),
            role_prefix: String::new(),
        }
    }
}

impl Default for Columns {
    fn default() -> Self {
        Self {
            id: constant_identifier("id"),
            name: constant_identifier("name"),
            slug: constant_identifier("slug"),
            schema: constant_identifier("schema_name"),
            status: None,
        }
    }
}

/// An identifier from a constant in this file.
#[expect(clippy::expect_used, reason = "only called with constants, in every test")]
fn constant_identifier(name: &'static str) -> Identifier {
    Identifier::new(name).expect("a constant identifier")
}

impl Settings {
    /// The JSON Schema of `tenure.toml`, for editors.
    pub fn json_schema() -> Value {
        schemars::schema_for!(Self).to_value()
    }

    /// Reads the text of `tenure.toml`.
    pub fn read(source: &Arc<Source>) -> Result<Self, Failure> {
        let mut settings: Self = toml::from_str(&source.text).map_err(|error| {
            let place = match error.span() {
                Some(span) => Place::at(source, span),
                None => Place::File(source.file.clone()),
            };
            Failure::new(Code::Settings, error.message().to_owned()).at(place).hint(
                meant_key(error.message())
                    .unwrap_or_else(|| "docs/reference.md lists the settings".to_owned()),
            )
        })?;
        settings.verify.places = places(source);
        let invalid =
            |message: String| Err(Failure::new(Code::Settings, message).at(Place::File(source.file.clone())));
        let prefix = &settings.tenants.schema_prefix;
        if !is_valid_prefix(prefix) {
            return invalid(format!(
                "tenants.schema_prefix is {prefix:?}; it may only contain lower-case letters, digits and _"
            ));
        }
        let prefix = &settings.tenants.role_prefix;
        // The _ separates the prefix from the schema name.
        if !(prefix.is_empty() || (is_valid_prefix(prefix) && prefix.ends_with('_'))) {
            return invalid(format!(
                "tenants.role_prefix is {prefix:?}; it may only contain lower-case letters, digits and _, and must end with _"
            ));
        }
        if let Some(message) = settings.tenants.columns.conflict() {
            return invalid(message);
        }
        if settings.tenants.slug == SlugStyle::Dns && settings.tenants.columns.slug_is_schema() {
            return invalid(format!(
                "tenants.slug is \"dns\", but tenants.columns.slug is the schema's column {:?}, whose names have _ for -",
                settings.tenants.columns.slug.as_str()
            ));
        }
        let (tenants, extensions) = (&settings.tenants, &settings.extensions.schema);
        let shared = tenants.search_path.iter().map(|schema| ("tenants.search_path", schema));
        for (key, schema) in shared.chain([("extensions.schema", extensions)]) {
            if let Some(why) = settings.not_shared(schema) {
                return invalid(format!("{key} contains {schema:?}: {why}", schema = schema.as_str()));
            }
        }
        let invalid = if tenants.after_create.first().is_some_and(String::is_empty) {
            Some("the program in tenants.after_create is empty")
        } else if tenants.after_create.iter().any(|word| word.contains('\0')) {
            Some("tenants.after_create contains a NUL character")
        } else if tenants.after_create_timeout.duration().is_zero() {
            Some("tenants.after_create_timeout is 0; it must be a finite limit")
        } else {
            None
        };
        if let Some(message) = invalid {
            return Err(Failure::new(Code::Settings, message).at(Place::File(source.file.clone())));
        }
        Ok(settings)
    }

    /// Why `schema` cannot be a shared schema.
    fn not_shared(&self, schema: &Identifier) -> Option<&'static str> {
        let (name, prefix) = (schema.as_str(), &self.tenants.schema_prefix);
        if name.starts_with("pg_") || name == "information_schema" {
            Some("it is a schema of the server")
        } else if !prefix.is_empty() && name.starts_with(prefix.as_str()) && *schema != self.platform.schema {
            Some("a schema that starts with tenants.schema_prefix belongs to a tenant")
        } else {
            None
        }
    }

    /// The schemas in a unit's search path after its own schema.
    pub fn shared_path(&self) -> SharedPath {
        SharedPath::new(&self.tenants.search_path, &self.extensions.schema)
    }

    /// The schema of the tenant `slug`: the prefix and the slug, with `_` for `-`.
    pub fn tenant_schema(&self, slug: &Slug) -> Result<SchemaName, NameError> {
        let slug = self.expect_style(slug)?;
        SchemaName::of(&self.tenants.schema_prefix, slug, &self.platform_schema())
    }

    /// The existing schema `name` as that of the tenant `slug`.
    pub fn adopted_schema(&self, name: &str, slug: &Slug) -> Result<SchemaName, NameError> {
        let slug = self.expect_style(slug)?;
        SchemaName::adopted(name, &self.tenants.schema_prefix, slug, &self.platform_schema())
    }

    fn expect_style<'s>(&self, slug: &'s Slug) -> Result<&'s Slug, NameError> {
        match self.tenants.slug {
            SlugStyle::Identifier if slug.has_hyphen() => {
                Err(NameError::Hyphen { name: slug.as_str().to_owned() })
            }
            SlugStyle::Identifier | SlugStyle::Dns => Ok(slug),
        }
    }

    /// The name of the role of the tenant with this schema.
    pub fn tenant_role(&self, schema: &SchemaName) -> Result<Identifier, NameError> {
        schema.role(&self.tenants.role_prefix)
    }

    /// The platform schema.
    pub fn platform_schema(&self) -> SchemaName {
        SchemaName::from(self.platform.schema.clone())
    }
}

impl Columns {
    /// Whether the slug is read from the schema's column.
    pub fn slug_is_schema(&self) -> bool {
        self.slug == self.schema
    }

    /// Why these columns cannot be those of a registry. Each value needs a column of its own, except that the slug may be the
    /// schema's name, and the id and the name may be the slug.
    fn conflict(&self) -> Option<String> {
        let status = self.status.as_ref();
        let pairs = [
            ("id", Some(&self.id), "schema", &self.schema),
            ("name", Some(&self.name), "schema", &self.schema),
            ("id", Some(&self.id), "name", &self.name),
            ("status", status, "id", &self.id),
            ("status", status, "name", &self.name),
            ("status", status, "slug", &self.slug),
            ("status", status, "schema", &self.schema),
        ];
        // With one column for slug and schema, the name and the id may be that column too.
        let is_allowed = |one: &str, other: &str| match (one, other) {
            ("id" | "name", "schema") => self.slug_is_schema(),
            ("id", "name") => self.id == self.slug,
            _ => false,
        };
        let mut pairs = pairs.into_iter();
        let (one, column, other, _) =
            pairs.find(|(one, column, other, taken)| *column == Some(*taken) && !is_allowed(one, other))?;
        Some(format!(
            "tenants.columns.{one} and tenants.columns.{other} are both {:?}: each needs a column of its own",
            column.map(Identifier::as_str).unwrap_or_default()
        ))
    }
}

/// Reads a condition.
fn condition<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Condition>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Condition::parse(&text).map(Some).map_err(serde::de::Error::custom)
}

/// The hint with the known keys that are similar to an unknown one, or with its table. serde's message has the unknown key and
/// then the known ones in backticks.
fn meant_key(message: &str) -> Option<String> {
    let mut quoted = message.strip_prefix("unknown ")?.split('`').skip(1).step_by(2);
    let unknown = quoted.next()?;
    let schema = Settings::json_schema();
    let has_key = |key: &&String| key.rsplit_once('.').is_some_and(|(_, last)| last == unknown);
    let keys = setting_keys(&schema);
    if message.ends_with("expected `identifier` or `dns`") {
        let column =
            "the characters of slugs are \"identifier\" or \"dns\"; the column is slug in [tenants.columns]";
        return did_you_mean(unknown, quoted).or_else(|| Some(column.to_owned()));
    }
    let elsewhere = keys.iter().find(has_key).and_then(|key| key.rsplit_once('.'));
    did_you_mean(unknown, quoted)
        .or_else(|| elsewhere.map(|(table, key)| format!("{key} belongs to [{table}]")))
}

/// The keys of all settings, such as `tenants.columns.id`.
pub fn setting_keys(schema: &Value) -> Vec<String> {
    fn collect(schema: &Value, root: &Value, path: &str, keys: &mut Vec<String>) {
        let target = schema["$ref"].as_str().and_then(|reference| root.pointer(reference.strip_prefix('#')?));
        let Some(properties) = target.unwrap_or(schema)["properties"].as_object() else {
            return keys.push(path.to_owned());
        };
        for (name, inner) in properties {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            collect(inner, root, &path, keys);
        }
    }
    let mut keys = Vec::new();
    collect(schema, schema, "", &mut keys);
    keys
}

/// The positions of the rules' levels in the file. Unknown rules are reported elsewhere, with these positions.
fn places(source: &Arc<Source>) -> BTreeMap<String, Place> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Places {
        verify: Levels,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Levels {
        levels: BTreeMap<String, toml::Spanned<String>>,
    }
    let read: Places = toml::from_str(&source.text).unwrap_or_default();
    let place = |level: toml::Spanned<String>| Place::at(source, level.span());
    read.verify.levels.into_iter().map(|(rule, level)| (rule, place(level))).collect()
}

/// Whether an unquoted name may start with `prefix`.
fn is_valid_prefix(prefix: &str) -> bool {
    prefix.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && !prefix.starts_with(|c: char| c.is_ascii_digit())
        && !prefix.starts_with("pg_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_schemas_cannot_belong_to_a_tenant() {
        let settings =
            read("[extensions]\nschema = \"extensions\"\n[tenants]\nsearch_path = [\"lookup\"]").unwrap();
        assert_eq!(settings.shared_path().names().collect::<Vec<_>>(), ["lookup", "extensions", "public"]);
        assert_eq!(read("").unwrap().shared_path(), SharedPath::default());
        for invalid in [
            "[extensions]\nschema = \"org_acme\"",
            "[extensions]\nschema = \"\"",
            "[extensions]\nschema = \"pg_catalog\"",
            "[extensions]\nschemas = \"x\"",
            "[tenants]\nsearch_path = [\"lookup\", \"org_b\"]",
            "[tenants]\nsearch_path = [\"information_schema\"]",
            "[tenants]\nsearch_path = \"lookup\"",
        ] {
            assert_eq!(read(invalid).unwrap_err().code, Code::Settings, "{invalid}");
        }
        // The platform's schema may start with the tenants' prefix and be on the search path.
        let own = "[platform]\nschema = \"org_platform\"\n[tenants]\nsearch_path = [\"org_platform\"]";
        assert!(read(own).is_ok());
    }

    fn read(text: &str) -> Result<Settings, Failure> {
        Settings::read(&Source::new("tenure.toml", text))
    }

    #[test]
    fn every_key_has_a_default() {
        let settings = read("").unwrap();
        assert_eq!(settings, Settings::default());
        assert_eq!(settings.platform_schema().as_str(), "datalinx_platform");
    }

    #[test]
    fn given_values_are_used_and_unknown_keys_are_errors() {
        let settings = read("[migrate]\nlock_timeout = \"2s\"\n[tenants]\nschema_prefix = \"t_\"").unwrap();
        assert_eq!(settings.migrate.lock_timeout.to_string(), "2s");
        assert_eq!(settings.tenants.schema_prefix, "t_");
        let failure = read("[migrate]\nlock_timout = \"2s\"").unwrap_err();
        assert_eq!(failure.code, Code::Settings);
        assert_eq!(failure.place.unwrap().to_string(), "tenure.toml:2:1");
        let queries =
            read("[verify]\ncontract = \"queries\"\n[verify.levels]\ndrop-table = \"warn\"").unwrap();
        assert_eq!((queries.verify.contract, queries.verify.levels.len()), (Contract::Queries, 1));
        assert_eq!(read("").unwrap().verify.contract, Contract::Allow);
        assert!(read("[verify]\ncontract = \"hope\"").is_err());
        assert!(read("[tenants]\nschema_prefix = \"Org-\"").is_err());
        assert!(read("[tenants]\nafter_create = [\"\"]").is_err());
        assert!(read("[tenants]\nafter_create = [\"a\", \"\\u0000\"]").is_err());
        assert!(read("[tenants]\nafter_create_timeout = \"0s\"").is_err());
        assert!(read("[migrate]\nlock_timeout = \"soon\"").is_err());
        let kept =
            |text: &str| read(&format!("[tenants]\nretention = {text:?}")).map(|read| read.tenants.retention);
        assert_eq!(kept("7d").unwrap().seconds(), 604_800);
        assert!(kept("a while").is_err() && kept("101years").is_err());
        let roles = read("[tenants]\nroles = true\nrole_prefix = \"staging_\"").unwrap().tenants;
        assert!(roles.roles && roles.role_prefix == "staging_");
        for invalid in ["staging", "pg_", "Staging_", "1_", "a-_"] {
            assert!(read(&format!("[tenants]\nrole_prefix = \"{invalid}\"")).is_err(), "{invalid}");
        }
    }
}
