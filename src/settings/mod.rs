//! `tenure.toml`: every key has a default that suits the seeds. Pure: the text comes in, settings go
//! out; flags and the environment are laid over them in `cli`.

mod branch;
mod duration;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

pub use branch::{Age, BranchSettings, BranchSslMode, Expiry, ReadyWithin, RetryPolicy};
pub use duration::{HookTimeout, LockTimeout, Retention, StatementTimeout};

use crate::error::{Code, Failure, Place, Source};
use crate::ident::{Identifier, NameError, SchemaName, SharedPath};

/// The settings of a project.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
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
    /// `[audit]`
    pub audit: Audit,
    /// `[branch]`
    pub branch: BranchSettings,
}

/// `[platform]`: the shared schema.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Platform {
    schema: Identifier,
}

/// `[tenants]`: the tenants and their registry.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tenants {
    /// What a tenant's schema begins with, before the slug.
    pub schema_prefix: String,
    /// The template of a new tenant that asks for none.
    pub template: String,
    /// The table of tenants, in the platform schema.
    pub registry: Identifier,
    /// How long a dropped tenant is kept.
    pub retention: Retention,
    /// Its columns.
    pub columns: Columns,
    /// The command that is run after a tenant is made: the program and its arguments.
    pub after_create: Vec<String>,
    /// How long it may run.
    pub after_create_timeout: HookTimeout,
    /// Whether every new tenant gets a role of its own.
    pub roles: bool,
    /// Shared schemas that a unit's search path names behind its own schema.
    pub search_path: Vec<Identifier>,
    /// What a tenant's role begins with, before the schema's name: roles belong to the whole server, and
    /// several databases of it may have a tenant of one name.
    pub role_prefix: String,
}

/// `[tenants.columns]`: the registry's columns that Tenure writes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Columns {
    /// The random UUID.
    pub id: Identifier,
    /// The display name.
    pub name: Identifier,
    /// The slug.
    pub slug: Identifier,
    /// The schema's name.
    pub schema: Identifier,
    /// Where it is in its life, such as `active` or `suspended`, where the registry has a column for it.
    pub status: Option<Identifier>,
}

/// `[extensions]`: where extensions are.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Extensions {
    /// The schema of an extension whose statement names none.
    pub schema: Identifier,
}

/// `[migrate]`: the limits of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Migrate {
    /// How long a statement waits for a lock.
    pub lock_timeout: LockTimeout,
    /// How long a statement may run.
    pub statement_timeout: StatementTimeout,
}

/// `[verify]`: the policy.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Verify {
    /// Rule id → `deny`, `warn` or `off`, where it is not the rule's own level.
    pub levels: BTreeMap<String, String>,
    /// Where each of them stands.
    #[serde(skip)]
    pub places: BTreeMap<String, Place>,
    /// Who may accept a step that takes something away.
    pub contract: Contract,
}

/// `[audit]`: the policy of `tenure tenant audit`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    /// Rule id → `deny`, `warn` or `off`, where it is not the rule's own level.
    pub levels: BTreeMap<String, String>,
}

/// `[verify] contract`: what accepts a step that takes something away from a release that may use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Contract {
    /// An `-- Allow:` line.
    #[default]
    Allow,
    /// That, or the queries of every release that was given, where none of them uses it.
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

/// An identifier that is written here, in this file.
#[expect(clippy::expect_used, reason = "a constant of this file that every test of it reads")]
fn constant_identifier(name: &'static str) -> Identifier {
    Identifier::new(name).expect("a constant identifier")
}

impl Settings {
    /// Reads the text of `tenure.toml`.
    pub fn read(source: &Arc<Source>) -> Result<Self, Failure> {
        let mut settings: Self = toml::from_str(&source.text).map_err(|error| {
            let place = match error.span() {
                Some(span) => Place::at(source, span),
                None => Place::File(source.file.clone()),
            };
            Failure::new(Code::Settings, error.message().to_owned())
                .at(place)
                .hint("README.md lists the settings")
        })?;
        settings.verify.places = places(source);
        let wrong =
            |message: String| Err(Failure::new(Code::Settings, message).at(Place::File(source.file.clone())));
        let prefix = &settings.tenants.schema_prefix;
        if !is_valid_prefix(prefix) {
            return wrong(format!(
                "tenants.schema_prefix is {prefix:?}; lower-case letters, digits and _ make a schema's name"
            ));
        }
        let prefix = &settings.tenants.role_prefix;
        // Without the _ nobody could tell where in a role's name the schema's begins.
        if !(prefix.is_empty() || (is_valid_prefix(prefix) && prefix.ends_with('_'))) {
            return wrong(format!(
                "tenants.role_prefix is {prefix:?}; lower-case letters, digits and _ make it, and a _ ends it"
            ));
        }
        let (tenants, extensions) = (&settings.tenants, &settings.extensions.schema);
        let shared = tenants.search_path.iter().map(|schema| ("tenants.search_path", schema));
        for (key, schema) in shared.chain([("extensions.schema", extensions)]) {
            if let Some(why) = settings.not_shared(schema) {
                return wrong(format!("{key} names {schema:?}: {why}", schema = schema.as_str()));
            }
        }
        let wrong = if tenants.after_create.first().is_some_and(String::is_empty) {
            Some("tenants.after_create names no program")
        } else if tenants.after_create.iter().any(|word| word.contains('\0')) {
            Some("tenants.after_create holds a NUL")
        } else if tenants.after_create_timeout.duration().is_zero() {
            Some("tenants.after_create_timeout is 0, and a tenant cannot be in the making for ever")
        } else {
            None
        };
        if let Some(message) = wrong {
            return Err(Failure::new(Code::Settings, message).at(Place::File(source.file.clone())));
        }
        Ok(settings)
    }

    /// Why `schema` cannot be one that all tenants share.
    fn not_shared(&self, schema: &Identifier) -> Option<&'static str> {
        let (name, prefix) = (schema.as_str(), &self.tenants.schema_prefix);
        if name.starts_with("pg_") || name == "information_schema" {
            Some("it is a schema of the server")
        } else if !prefix.is_empty() && name.starts_with(prefix.as_str()) && *schema != self.platform.schema {
            Some("a schema that begins with tenants.schema_prefix is a tenant's")
        } else {
            None
        }
    }

    /// What the search path of a unit names behind the unit's own schema.
    pub fn shared_path(&self) -> SharedPath {
        SharedPath::new(&self.tenants.search_path, &self.extensions.schema)
    }

    /// The name of the role of the tenant whose schema this is.
    pub fn tenant_role(&self, schema: &SchemaName) -> Result<Identifier, NameError> {
        schema.role(&self.tenants.role_prefix)
    }

    /// The platform schema.
    pub fn platform_schema(&self) -> SchemaName {
        SchemaName::from(self.platform.schema.clone())
    }
}

/// Where the levels of rules stand: whether there is such a rule is constant_identifier to others.
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

/// Whether a name may begin so that the server knows by that text.
fn is_valid_prefix(prefix: &str) -> bool {
    prefix.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && !prefix.starts_with(|c: char| c.is_ascii_digit())
        && !prefix.starts_with("pg_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_schemas_are_nobodys_own() {
        let settings =
            read("[extensions]\nschema = \"extensions\"\n[tenants]\nsearch_path = [\"lookup\"]").unwrap();
        assert_eq!(settings.shared_path().names().collect::<Vec<_>>(), ["lookup", "extensions", "public"]);
        assert_eq!(read("").unwrap().shared_path(), SharedPath::default());
        for wrong in [
            "[extensions]\nschema = \"org_acme\"",
            "[extensions]\nschema = \"\"",
            "[extensions]\nschema = \"pg_catalog\"",
            "[extensions]\nschemas = \"x\"",
            "[tenants]\nsearch_path = [\"lookup\", \"org_b\"]",
            "[tenants]\nsearch_path = [\"information_schema\"]",
            "[tenants]\nsearch_path = \"lookup\"",
        ] {
            assert_eq!(read(wrong).unwrap_err().code, Code::Settings, "{wrong}");
        }
        // The platform's schema may begin as tenants' do, and what was made in it is found.
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
    fn what_is_said_is_kept_and_what_is_unknown_is_refused() {
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
        for wrong in ["staging", "pg_", "Staging_", "1_", "a-_"] {
            assert!(read(&format!("[tenants]\nrole_prefix = \"{wrong}\"")).is_err(), "{wrong}");
        }
    }
}
