//! `tenant adopt`: registers an existing schema as a tenant, after comparing it with the result of the files at the given
//! version.

use std::collections::BTreeMap;

use crate::chain::Version;
use crate::error::{Code, Failure};
use crate::ident::{DisplayName, SchemaName, Slug};
use crate::postgres::Connection;
use crate::postgres::batch::{HistoryRow, Kind, Run, SessionState, SqlBatch};
use crate::postgres::catalog::{self, SchemaDifference, SchemaSnapshot, Transaction};
use crate::postgres::metadata::registry::{ExistingRow, RowValues};
use crate::postgres::metadata::state::{self, State};
use crate::postgres::metadata::{RunStatus, TenantState, unknown_tenant, version_rows};
use crate::project::Project;
use crate::template::{BoundParameters, Template};
use crate::tenant::Adopted;
use crate::tenant::create::ready;
use crate::tenant::name_ownership::{self, Entry, NameOwnership, Registration};
use crate::tenant::operation::{self, TenantOperation};
use crate::tenant::reference::{self, Differences};
use crate::tenant::roles::role::{self, Owner, Reach};

/// Event: an existing schema became a tenant.
const ADOPT: Kind = Kind::of_verb("adopt");

/// A schema to adopt.
#[derive(Debug, Clone)]
pub struct Adoption {
    /// The name of the schema.
    pub schema: String,
    /// The slug of the new tenant.
    pub slug: Slug,
    /// The version of the schema.
    pub version: Version,
    /// The display name in a new registry row; the slug if missing.
    pub name: Option<String>,
    /// The template to compare with; by default that of the settings.
    pub template: Option<String>,
    /// The values of the template's parameters.
    pub set: BTreeMap<String, String>,
    /// The action if the schema differs from the files.
    pub if_different: IfDifferent,
}

/// The action if the schema differs from the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfDifferent {
    /// Fail.
    Refuse,
    /// Adopt it.
    Accept,
}

/// A failure, with the differences that caused it, if any.
#[derive(Debug, Clone)]
pub struct Differs {
    /// The failure.
    pub failure: Failure,
    /// The differences of the schema.
    pub differences: Vec<SchemaDifference>,
}

impl From<Failure> for Differs {
    fn from(failure: Failure) -> Self {
        Self { failure, differences: Vec::new() }
    }
}

/// Adopts a schema as a tenant.
pub async fn adopt(
    connection: &mut Connection,
    project: &Project,
    adoption: &Adoption,
    operation: &TenantOperation<'_>,
) -> Result<Adopted, Differs> {
    let schema = project.settings.adopted_schema(&adoption.schema, &adoption.slug).map_err(Failure::from)?;
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
        .hint("name the template that it was created from with --template")
        .into());
    }
    let filled = filled(template, adoption)?;
    let adopting = Adopting { project, adoption, template, filled: &filled, schema: &schema, state: &state };
    let ownership = NameOwnership::read(connection, &project.settings, &adoption.slug, &schema).await?;
    let _has_row = adopting.judge(&ownership)?;
    let counts = serde_json::json!({ "slug": adoption.slug, "schema": schema, "version": adoption.version });
    let mut found = Differences::default();
    let adopted = operation
        .recorded(connection, &counts, async |connection, run| {
            let right =
                reference::snapshot(connection, project, (template, &adoption.version, &filled), run).await;
            let right = right.map(|(_, snapshot)| snapshot);
            let written = adopting.write(connection, run, right, &mut found).await;
            operation::or_rollback(connection, written).await
        })
        .await;
    if let Err(failure) = adopted {
        let is_reported = failure.code == Code::AdoptDiffers;
        return Err(Differs {
            differences: if is_reported { found.definitions } else { Vec::new() },
            failure,
        });
    }
    let only = std::slice::from_ref(&adoption.slug);
    let tenants = state::tenants(connection, &project.settings, state.presence, only).await?;
    let Some(tenant) = tenants.into_iter().next() else {
        return Err(unknown_tenant(connection, &project.settings, &adoption.slug).await.into());
    };
    Ok(Adopted { outcome: RunStatus::Done, tenant, differences: found.definitions, access: found.access })
}

/// The parameter values that affect the schema's structure. The schema has its own rows, so for other parameters any value will
/// do.
fn filled(template: &Template, adoption: &Adoption) -> Result<BoundParameters, Failure> {
    let mut given = template.parameters.samples();
    let shapes = |name: &String| {
        let mut all = template.parameters.iter();
        all.any(|declared| declared.parameter.name == *name && declared.affects_schema)
    };
    given.retain(|name, _| !shapes(name));
    given.extend(adoption.set.clone());
    template.parameters.bind(&given, &template.name)
}

/// Fails unless the version is in the chain and not later than the platform's.
pub(in crate::tenant) fn may_be_at(
    project: &Project,
    version: &Version,
    platform: &Version,
) -> Result<(), Failure> {
    project.chain.find(version)?;
    if version > platform {
        return Err(Failure::new(
            Code::NotMigrated,
            format!("the platform is at {platform}, and no tenant can be ahead of it at {version}"),
        )
        .hint("run `tenure migrate up` first"));
    }
    Ok(())
}

/// An adoption in progress.
struct Adopting<'a> {
    project: &'a Project,
    adoption: &'a Adoption,
    template: &'a Template,
    filled: &'a BoundParameters,
    schema: &'a SchemaName,
    state: &'a State,
}

/// A schema of the registry that becomes a tenant.
pub(super) struct VersionEntry<'a> {
    pub(super) schema: &'a SchemaName,
    pub(super) template: &'a Template,
    pub(super) version: &'a Version,
    /// The parameter values that affect the schema.
    pub(super) values: &'a BTreeMap<String, String>,
}

impl VersionEntry<'_> {
    /// Adds its version row, its role, if tenants have roles, and its history row.
    pub(super) fn write(
        &self,
        message: &mut SqlBatch,
        (project, run): (&Project, &Run),
        platform: &Version,
    ) -> Result<(), Failure> {
        let Self { schema, template, version, values } = *self;
        let made = (version, template.name.as_str());
        message.push(&version_rows::insert(
            &run.platform,
            (schema, None),
            made,
            (TenantState::Active, values),
        ));
        if let Some((role, _)) = role::usual(&project.settings, schema)? {
            let owner = Owner { schema, template, version: platform, reach: Reach::Filled };
            role::make(message, project, &owner, (&role, None))?;
        }
        let row = HistoryRow {
            schema,
            from: &Version::ZERO,
            to: version,
            name: &template.name,
            checksum: None,
            kind: ADOPT,
            allowed: "[]",
        };
        message.history(run, &row);
        Ok(())
    }
}

impl Adopting<'_> {
    /// Returns the registry's row for the schema, if it has one. Fails if the schema belongs to a tenant, or the slug to
    /// another schema.
    fn judge<'o>(&self, ownership: &'o NameOwnership) -> Result<Option<&'o Entry>, Failure> {
        let (slug, schema) = (&self.adoption.slug, self.schema);
        let exists = |message: String| Failure::new(Code::TenantExists, message);
        if let Some(state) = ownership.state {
            return Err(exists(format!(
                "the schema {schema} already belongs to a tenant, which is {}",
                state.as_str()
            ))
            .hint("`tenure tenant list` shows the tenants"));
        }
        for entry in &ownership.entries {
            if let Some(other) = entry.schema.as_ref().filter(|other| *other != schema.as_str()) {
                return Err(exists(format!("the slug {slug} belongs to the schema {other}"))
                    .hint("choose another slug"));
            }
            if entry.slug.as_deref() != Some(slug.as_str()) {
                let other = entry.slug.as_deref().unwrap_or("(no slug)");
                return Err(exists(format!("the schema {schema} is in the registry as {other}"))
                    .hint(format!("adopt it as --slug {other}")));
            }
        }
        if !ownership.schema {
            let hint = if ownership.entries.is_empty() {
                "`tenure tenant create` creates a new tenant"
            } else {
                NameOwnership::ROW_ALONE
            };
            return Err(Failure::new(Code::SchemaUnknown, format!("there is no schema {schema}")).hint(hint));
        }
        Ok(ownership.entries.first())
    }

    /// Begins the transaction of the adoption and compares in it. The platform cannot change until it ends.
    async fn compare(
        &self,
        connection: &mut Connection,
        run: &Run,
        right: Result<SchemaSnapshot, Failure>,
    ) -> Result<Differences, Failure> {
        let forced = self.adoption.if_different == IfDifferent::Accept;
        let mut message = SqlBatch::default();
        message.begin(run.limits, &version_rows::expect_platform(&run.platform, &self.state.platform));
        let begun = connection.send(&message).await;
        begun.map_err(|server_error| name_ownership::refused(&server_error, &self.doing(), self.schema))?;
        let seen = catalog::snapshot_as(connection, self.schema, Transaction::Current).await?;
        match right {
            Ok(right) => Ok(reference::differences(&right, &seen, (self.schema, None))),
            // If the files can no longer create this version, there is no reference.
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

    /// Compares and writes, in one transaction. `found` receives the differences even if the adoption fails.
    async fn write(
        &self,
        connection: &mut Connection,
        run: &Run,
        right: Result<SchemaSnapshot, Failure>,
        found: &mut Differences,
    ) -> Result<(), Failure> {
        *found = self.compare(connection, run, right).await?;
        if !found.definitions.is_empty() && self.adoption.if_different == IfDifferent::Refuse {
            return Err(self.difference_failure(found));
        }
        let settings = &self.project.settings;
        let (slug, version, template) = (&self.adoption.slug, &self.adoption.version, self.template);
        let ownership = NameOwnership::read(connection, settings, slug, self.schema).await?;
        let shape = self.state.registry.clone().unwrap_or_default();
        let mut message = SqlBatch::default();
        match self.judge(&ownership)? {
            None => {
                shape.expect_insertable(settings)?;
                let name = DisplayName::new(self.adoption.name.as_deref().unwrap_or(slug.as_str()))?;
                let new = Registration::of_new(settings, &shape, (slug, self.schema, &name));
                message.push_each(&new.statements);
            }
            // The application has inserted the row, but does not know the schema.
            Some(entry) if entry.schema.is_none() => {
                let (id, name, slug_text) = (entry.id.clone(), entry.name.clone(), slug.to_string());
                let row = ExistingRow { id, slug: slug_text, name, schema: None };
                let columns = BTreeMap::new();
                let values = RowValues { slug, schema: self.schema, name: None, id: None, columns: &columns };
                message.push_each(&Registration::new(settings, &shape, Some(&row), values).statements);
            }
            Some(_) => {}
        }
        let entry =
            VersionEntry { schema: self.schema, template, version, values: &self.filled.schema_values };
        entry.write(&mut message, (self.project, run), &self.state.platform)?;
        message.commit(SessionState::None);
        let written = connection.send(&message).await;
        written
            .map(drop)
            .map_err(|server_error| name_ownership::refused(&server_error, &self.doing(), self.schema))
    }

    fn difference_failure(&self, found: &Differences) -> Failure {
        let (version, template) = (&self.adoption.version, &self.template.name);
        let count = found.definitions.len();
        let mut failure = Failure::new(
            Code::AdoptDiffers,
            format!(
                "the schema {} differs from the template {template:?} at {version}: {}",
                self.schema,
                if count == 1 { "1 difference".to_owned() } else { format!("{count} differences") },
            ),
        )
        .hint("correct the schema, give its version, or accept the differences with --force");
        failure.schema = Some(self.schema.as_str().to_owned());
        failure
    }

    fn doing(&self) -> String {
        format!("adopting {}", self.schema)
    }
}
