//! The JSON results of `init --from-database` and `template from-schema`.

use schemars::JsonSchema;
use serde::Serialize;

use super::NotCarried;
use crate::chain::Version;
use crate::drift::DriftCounts;
use crate::ident::SchemaName;
use crate::postgres::catalog::SchemaDifference;
use crate::postgres::metadata::RunStatus;
use crate::template::NewFile;

/// The result of `init --from-database`.
#[derive(Debug, Clone, JsonSchema, Serialize)]
pub struct Initialized {
    /// `done` if the files are proved, else `failed`.
    pub outcome: RunStatus,
    /// The files that were written.
    pub files: Vec<String>,
    /// The platform's schema.
    pub platform: SchemaName,
    /// The table of tenants.
    pub registry: String,
    /// The prefix of the tenants' schemas.
    pub schema_prefix: String,
    /// The version that the baseline leads to.
    pub version: Version,
    /// Whether the database already has that version.
    #[serde(skip)]
    pub has_version: bool,
    /// The template's name.
    pub template: String,
    /// The schema that it was written from.
    pub from_schema: SchemaName,
    /// Whether a fresh database of the files has the given platform and that schema.
    pub proved: bool,
    /// The tenants that were compared with the template.
    pub tenants: DriftCounts,
    /// Tenants with one shape each, the largest group first.
    pub groups: Vec<TenantGroup>,
    /// The differences of the shared schemas and of the tenants.
    pub differences: Vec<SchemaDifference>,
    /// The objects that the files do not create.
    pub not_carried: Vec<NotCarried>,
    /// Shared tables that tenants reference: a fresh database needs their rows, which are not in the files.
    pub rows_needed: Vec<String>,
    /// The schemas of registry rows that do not exist.
    pub missing_schemas: Vec<String>,
    /// Schemas like those of tenants that the registry does not have.
    pub unregistered_schemas: Vec<SchemaName>,
    /// Whether the database got the baseline.
    pub baseline: bool,
}

impl Initialized {
    /// The commands to run next.
    pub fn next(&self) -> Vec<String> {
        if !self.proved {
            return vec!["tenure verify --shadow".to_owned()];
        }
        let baseline = format!("tenure migrate baseline {}", self.version);
        let needed = (!self.baseline && !self.has_version).then_some(baseline);
        needed
            .into_iter()
            .chain(["tenure tenant adopt --all --detect".to_owned(), "tenure drift".to_owned()])
            .collect()
    }
}

/// Tenants with equal definitions.
#[derive(Debug, Clone, JsonSchema, Serialize)]
pub struct TenantGroup {
    /// Their number.
    pub tenants: usize,
    /// Whether they equal the template.
    pub equal: bool,
    /// Their schemas.
    pub schemas: Vec<SchemaName>,
}

/// The result of `template from-schema`.
#[derive(Debug, Clone, JsonSchema, Serialize)]
pub struct FromSchema {
    /// `done` if the template is proved, else `failed`.
    pub outcome: RunStatus,
    /// The template's name.
    pub template: String,
    /// Its version.
    pub version: Version,
    /// The schema that it was written from.
    pub from_schema: SchemaName,
    /// Whether it creates that schema.
    pub proved: bool,
    /// The differences between that schema and the one that it creates.
    pub differences: Vec<SchemaDifference>,
    /// The objects that the files do not create.
    pub not_carried: Vec<NotCarried>,
    /// The files to write.
    #[serde(skip)]
    pub new_files: Vec<NewFile>,
    /// The files that were written.
    pub files: Vec<String>,
}
