//! `tenant adopt`: a schema that was made by other means becomes a tenant, once it is known to be what the files
//! make at the version said.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::chain::Version;
use crate::error::{Code, Failure};
use crate::ident::{DisplayName, SchemaName, Slug};
use crate::postgres::Connection;
use crate::postgres::batch::{HistoryRow, Kind, Run, SessionState, SqlBatch};
use crate::postgres::catalog::{self, Asked, SchemaDifference, SchemaSnapshot};
use crate::postgres::metadata::state::{self, State};
use crate::postgres::metadata::{RunStatus, TenantState};
use crate::project::Project;
use crate::template::{Filled, Template};
use crate::tenant::Adopted;
use crate::tenant::create::ready;
use crate::tenant::name_ownership::{self, NameOwnership};
use crate::tenant::operation::{self, TenantOperation};
use crate::tenant::provisioning::TenantRecord;
use crate::tenant::reference::{self, Differences};
use crate::tenant::roles::role::{self, Owner, Reach};

/// A schema that was made by other means became a tenant.
const ADOPT: Kind = Kind::of_verb("adopt");

/// What is to be adopted, as what.
#[derive(Debug, Clone)]
pub struct Adoption {
    /// The schema as it is called.
    pub schema: String,
    /// The slug that it gets.
    pub slug: Slug,
    /// The version that it is said to be at.
    pub version: Version,
    /// The display name of a new registry row; the slug if not said.
    pub name: Option<String>,
    /// The template that it is compared with; the settings' if not said.
    pub template: Option<String>,
    /// The values of the template's parameters.
    pub set: BTreeMap<String, String>,
    /// What a difference means.
    pub if_different: IfDifferent,
}

/// What a schema's difference from the files means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfDifferent {
    /// It is not adopted.
    Refuse,
    /// It is adopted all the same.
    Accept,
}

/// A failure, and the differences that it is about, if it is about some.
#[derive(Debug, Clone)]
pub struct Differs {
    /// The failure.
    pub failure: Failure,
    /// How the schema differs from what it should be.
    pub differences: Vec<SchemaDifference>,
}

impl From<Failure> for Differs {
    fn from(failure: Failure) -> Self {
        Self { failure, differences: Vec::new() }
    }
}

/// Adopts a schema.
pub async fn adopt(
    connection: &mut Connection,
    project: &Project,
    adoption: &Adoption,
    operation: &TenantOperation<'_>,
) -> Result<Adopted, Differs> {
    let prefix = &project.settings.tenants.schema_prefix;
    let platform = project.settings.platform_schema();
    let schema =
        SchemaName::adopted(&adoption.schema, prefix, &adoption.slug, &platform).map_err(Failure::from)?;
    let template = project.template(adoption.template.as_deref())?;
    let state = ready(connection, project).await?;
    may_be_at(project, &adoption.version, &state.platform)?;
    if adoption.version < template.version {
        return Err(Failure::new(
            Code::VersionNotInChain,
            format!(
                "the template {:?} is at {}, so no tenant of it can be at {}",
                template.name, template.version, adoption.version
            ),
        )
        .hint("name the template that it was made from with --template")
        .into());
    }
    let filled = filled(template, adoption)?;
    let adopting = Adopting { project, adoption, template, filled: &filled, schema: &schema, state: &state };
    let ownership = NameOwnership::look(connection, &project.settings, &adoption.slug, &schema).await?;
    let _has_row = adopting.judge(&ownership)?;
    let counts = serde_json::json!({ "slug": adoption.slug, "schema": schema, "version": adoption.version });
    let mut found = Differences::default();
    let adopted = operation
        .noted(connection, &counts, async |connection, run| {
            let right =
                reference::snapshot(connection, project, (template, &adoption.version, &filled), run).await;
            let written = adopting.write(connection, run, right, &mut found).await;
            operation::or_rollback(connection, written).await
        })
        .await;
    if let Err(failure) = adopted {
        let is_told = failure.code == Code::AdoptDiffers;
        return Err(Differs { differences: if is_told { found.definitions } else { Vec::new() }, failure });
    }
    let only = std::slice::from_ref(&adoption.slug);
    let tenants = state::tenants(connection, &project.settings, state.presence, only).await?;
    let tenant = tenants.into_iter().next().ok_or_else(|| crate::executor::unknown_tenant(&adoption.slug))?;
    Ok(Adopted { outcome: RunStatus::Done, tenant, differences: found.definitions, access: found.access })
}

/// The values that the schema was made with, as far as they gave it its shape. Of rows it has its own: there any will do.
fn filled(template: &Template, adoption: &Adoption) -> Result<Filled, Failure> {
    let mut given = template.parameters.samples();
    let shapes = |name: &String| {
        let mut all = template.parameters.iter();
        all.any(|declared| declared.parameter.name == *name && declared.shapes)
    };
    given.retain(|name, _| !shapes(name));
    given.extend(adoption.set.clone());
    template.parameters.fill(&given, &template.name)
}

/// A version is one of the chain's, and no tenant is beyond its platform.
pub(in crate::tenant) fn may_be_at(
    project: &Project,
    version: &Version,
    platform: &Version,
) -> Result<(), Failure> {
    project.chain.find(version)?;
    if version > platform {
        return Err(Failure::new(
            Code::NotMigrated,
            format!("the platform is at {platform}, and no tenant can be beyond it at {version}"),
        )
        .hint("run `tenure migrate up` first"));
    }
    Ok(())
}

/// One adoption under way.
struct Adopting<'a> {
    project: &'a Project,
    adoption: &'a Adoption,
    template: &'a Template,
    filled: &'a Filled,
    schema: &'a SchemaName,
    state: &'a State,
}

impl Adopting<'_> {
    /// Whether the registry has the schema's row already; refused where the schema is a tenant's, or the slug
    /// another schema's.
    fn judge(&self, ownership: &NameOwnership) -> Result<bool, Failure> {
        let (slug, schema) = (&self.adoption.slug, self.schema);
        let exists = |message: String| Failure::new(Code::TenantExists, message);
        if let Some(state) = ownership.state {
            return Err(exists(format!(
                "the schema {schema} is a tenant's already: it is {}",
                state.as_str()
            ))
            .hint("`tenure tenant list` shows the tenants"));
        }
        for entry in &ownership.entries {
            if entry.schema != schema.as_str() {
                return Err(exists(format!("the slug {slug} is that of the schema {}", entry.schema))
                    .hint("choose another slug"));
            }
            if entry.slug != slug.as_str() {
                return Err(exists(format!("the registry knows the schema {schema} as {}", entry.slug))
                    .hint(format!("adopt it as --slug {}", entry.slug)));
            }
        }
        if !ownership.schema {
            let hint = if ownership.entries.is_empty() {
                "`tenure tenant create` makes a new tenant"
            } else {
                NameOwnership::ROW_ALONE
            };
            return Err(Failure::new(Code::SchemaUnknown, format!("there is no schema {schema}")).hint(hint));
        }
        Ok(!ownership.entries.is_empty())
    }

    /// Begins the transaction in which all is written, and compares in it. The platform cannot move until its end.
    async fn compare(
        &self,
        connection: &mut Connection,
        run: &Run,
        right: Result<SchemaSnapshot, Failure>,
    ) -> Result<Differences, Failure> {
        let forced = self.adoption.if_different == IfDifferent::Accept;
        let mut message = SqlBatch::default();
        let expect =
            format!("SELECT {}.tenure_expect_platform('{}')", run.platform.quoted(), self.state.platform);
        message.begin(run.limits, &expect);
        let begun = connection.send(&message).await;
        begun.map_err(|server_error| name_ownership::refused(&server_error, &self.doing(), self.schema))?;
        let seen = catalog::snapshot_as(connection, self.schema, Asked::Within).await?;
        match right {
            Ok(right) => Ok(reference::differences(&right, &seen, self.schema)),
            // A project that can no longer make what it made then has nothing to compare with.
            Err(failure) if forced && failure.class() == crate::error::Class::Refused => {
                let line = SchemaDifference {
                    schema: self.schema.clone(),
                    object: "schema".to_owned(),
                    change: format!("not compared: {}", failure.message),
                };
                Ok(Differences { definitions: vec![line], access: Vec::new() })
            }
            Err(failure) => Err(failure),
        }
    }

    /// All of it, in one transaction. What is different is told in `found` also where it is refused.
    async fn write(
        &self,
        connection: &mut Connection,
        run: &Run,
        right: Result<SchemaSnapshot, Failure>,
        found: &mut Differences,
    ) -> Result<(), Failure> {
        *found = self.compare(connection, run, right).await?;
        if !found.definitions.is_empty() && self.adoption.if_different == IfDifferent::Refuse {
            return Err(self.server_error(found));
        }
        let settings = &self.project.settings;
        let (slug, version, template) = (&self.adoption.slug, &self.adoption.version, self.template);
        let has_row = self.judge(&NameOwnership::look(connection, settings, slug, self.schema).await?)?;
        let mut message = SqlBatch::default();
        if !has_row {
            let name = DisplayName::new(self.adoption.name.as_deref().unwrap_or(slug.as_str()))?;
            let record = TenantRecord {
                id: Uuid::new_v4(),
                slug: slug.clone(),
                name,
                schema: self.schema.clone(),
                role: None,
            };
            name_ownership::register(settings, &record, &mut message);
        }
        let made = (version, template.name.as_str());
        let state = (TenantState::Active, &self.filled.shaping);
        name_ownership::enter_version(settings, (self.schema, None), made, state, &mut message);
        if let Some((role, _)) = role::usual(settings, self.schema)? {
            let (schema, version) = (self.schema, &self.state.platform);
            let owner = Owner { schema, template, version, reach: Reach::Filled };
            role::make(&mut message, self.project, &owner, (&role, None))?;
        }
        let row = HistoryRow {
            schema: self.schema,
            from: &Version::ZERO,
            to: version,
            name: &template.name,
            checksum: None,
            kind: ADOPT,
            allowed: "[]",
        };
        message.history(run, &row);
        message.commit(SessionState::None);
        let written = connection.send(&message).await;
        written
            .map(drop)
            .map_err(|server_error| name_ownership::refused(&server_error, &self.doing(), self.schema))
    }

    fn server_error(&self, found: &Differences) -> Failure {
        let (version, template) = (&self.adoption.version, &self.template.name);
        let count = found.definitions.len();
        let mut failure = Failure::new(
            Code::AdoptDiffers,
            format!(
                "the schema {} is not what the template {template:?} makes at {version}: {}",
                self.schema,
                if count == 1 { "1 difference".to_owned() } else { format!("{count} differences") },
            ),
        )
        .hint("mend the schema, say the version that it is at, or accept the differences with --force");
        failure.schema = Some(self.schema.as_str().to_owned());
        failure
    }

    fn doing(&self) -> String {
        format!("adopting {}", self.schema)
    }
}
