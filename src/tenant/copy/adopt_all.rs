//! `tenant adopt --all`: every registry row without a version whose schema is what the files create at some version becomes a
//! tenant. A schema's fingerprint finds its version.

use std::collections::{BTreeMap, HashSet};

use super::adopt::{VersionEntry, may_be_at};
use super::result::{AdoptedAll, NotAdopted};
use crate::chain::Version;
use crate::error::{Class, Code, Failure};
use crate::ident::{SchemaName, Slug};
use crate::postgres::Connection;
use crate::postgres::batch::{Run, SessionState, SqlBatch};
use crate::postgres::catalog::{
    self, Fingerprint, PAGE, SchemaDifference, SchemaSnapshot, Snapshots, Transaction,
};
use crate::postgres::metadata::state::{self, State};
use crate::postgres::metadata::{RunStatus, Tenant, tenant_registry, version_rows};
use crate::project::Project;
use crate::sql::Scope;
use crate::template::{BoundParameters, Template};
use crate::tenant::create::ready;
use crate::tenant::operation::{self, TenantOperation};
use crate::tenant::{name_ownership, reference};

/// Which versions the schemas may have.
#[derive(Debug, Clone)]
pub struct AdoptAll {
    /// This version; all of the chain if missing.
    pub version: Option<Version>,
    /// This template; all if missing.
    pub template: Option<String>,
}

/// A schema that the files create.
struct Candidate<'p> {
    template: &'p Template,
    version: Version,
    filled: BoundParameters,
    print: Fingerprint,
    snapshot: SchemaSnapshot,
}

/// Adopts the schemas that match the files.
pub async fn adopt_all(
    connection: &mut Connection,
    project: &Project,
    request: &AdoptAll,
    operation: &TenantOperation<'_>,
) -> Result<AdoptedAll, Failure> {
    let state = ready(connection, project).await?;
    if let Some(version) = &request.version {
        may_be_at(project, version, &state.platform)?;
    }
    let all = state::tenants(connection, &project.settings, state.presence, &[]).await?;
    let (mut waiting, mut not_adopted) = (Vec::new(), Vec::new());
    let sql = "SELECT nspname::text AS name FROM pg_catalog.pg_namespace";
    let sets = connection.query_batch(sql).await;
    let sets = sets.map_err(|server_error| server_error.failure("reading the schemas"))?;
    let schemas: HashSet<String> =
        sets.iter().flatten().map(|row| row.text("name")).collect::<Result<_, _>>()?;
    let mut missing = Vec::new();
    let platform = project.settings.platform_schema();
    // The registry may have a row of the platform itself.
    let is_tenant = |tenant: &Tenant| tenant.version.is_none() && tenant.schema != platform;
    for tenant in all.into_iter().filter(is_tenant) {
        if !schemas.contains(tenant.schema.as_str()) {
            missing.push(tenant.schema);
            continue;
        }
        match unfit(project, &tenant) {
            None => waiting.push(tenant),
            Some(because) => not_adopted.push(NotAdopted::of(tenant, because)),
        }
    }
    let mut adopted = Vec::new();
    if !waiting.is_empty() {
        let counts = serde_json::json!({ "rows": waiting.len() });
        adopted = operation
            .recorded(connection, &counts, async |connection, run| {
                let candidates = candidates(connection, project, (request, &state.platform), run).await?;
                let work = Work { project, run, state: &state, candidates: &candidates };
                work.adopt(connection, waiting, &mut not_adopted).await
            })
            .await?;
    }
    let unregistered =
        tenant_registry::unregistered_schemas(connection, &project.settings, state.presence).await?;
    let known = |schema: &String| {
        not_adopted.iter().any(|one: &NotAdopted| one.schema.as_str() == schema)
            || project.settings.tenants.schema_prefix.is_empty()
    };
    Ok(AdoptedAll {
        outcome: match (adopted.is_empty(), not_adopted.is_empty()) {
            (true, true) => RunStatus::Nothing,
            (_, true) => RunStatus::Done,
            (false, false) => RunStatus::Partial,
            (true, false) => RunStatus::Failed,
        },
        tenants: adopted,
        missing_schemas: missing,
        unregistered_schemas: unregistered.into_iter().filter(|schema| !known(schema)).collect(),
        not_adopted,
    })
}

impl NotAdopted {
    fn of(tenant: Tenant, because: String) -> Self {
        let Tenant { slug, schema, .. } = tenant;
        Self { slug, schema, because, nearest: None, template: None, differences: Vec::new() }
    }
}

/// Why the row cannot become a tenant, whatever its schema contains.
fn unfit(project: &Project, tenant: &Tenant) -> Option<String> {
    let settings = &project.settings;
    let name = Slug::new(&tenant.slug).and_then(|slug| {
        let prefix = &settings.tenants.schema_prefix;
        SchemaName::adopted(tenant.schema.as_str(), prefix, &slug, &settings.platform_schema())
    });
    name.err().map(|error| Failure::from(error).message)
}

/// The schemas that the files create, the newest version first and the default template before others. A version whose next step
/// has no tenant part has the schema of that next version.
async fn candidates<'p>(
    connection: &mut Connection,
    project: &'p Project,
    (request, platform): (&AdoptAll, &Version),
    run: &Run,
) -> Result<Vec<Candidate<'p>>, Failure> {
    let mut templates: Vec<&Template> = match &request.template {
        Some(name) => vec![project.template(Some(name))?],
        None => project.templates.values().collect(),
    };
    templates.sort_by_key(|template| template.name != project.settings.tenants.template);
    let mut versions = vec![request.version.clone().unwrap_or_else(|| platform.clone())];
    if request.version.is_none() {
        let steps = project.chain.migrations().iter().rev();
        let changing = steps.filter(|step| step.to() <= platform && step.has(Scope::Tenant));
        versions.extend(changing.map(|step| step.from().clone()));
    }
    let (mut found, mut first) = (Vec::new(), None);
    for version in &versions {
        for template in templates.iter().filter(|template| template.version <= *version) {
            let filled = template.parameters.bind(&template.parameters.samples(), &template.name)?;
            let made = reference::snapshot(connection, project, (template, version, &filled), run).await;
            match operation::or_rollback(connection, made).await {
                Ok((print, snapshot)) => {
                    found.push(Candidate { template, version: version.clone(), filled, print, snapshot });
                }
                // The files may no longer create an old version on the platform of today.
                Err(failure) if failure.class() == Class::Refused => first = first.or(Some(failure)),
                Err(failure) => return Err(failure),
            }
        }
    }
    match (found.is_empty(), first) {
        (true, Some(failure)) => Err(failure),
        (true, None) => {
            let at = versions.first().unwrap_or(platform);
            Err(Failure::new(
                Code::TemplateMissing,
                format!("no template creates a tenant at {at}, so no schema can be compared"),
            )
            .hint("`tenure template from-schema SCHEMA` writes a template; `tenure tenant adopt SCHEMA --version` adopts one schema"))
        }
        _ => Ok(found),
    }
}

struct Work<'a> {
    project: &'a Project,
    run: &'a Run,
    state: &'a State,
    candidates: &'a [Candidate<'a>],
}

impl Work<'_> {
    /// Adopts those of `waiting` that fit, in pages of one transaction each; the others go to `not_adopted`.
    async fn adopt(
        &self,
        connection: &mut Connection,
        waiting: Vec<Tenant>,
        not_adopted: &mut Vec<NotAdopted>,
    ) -> Result<Vec<Tenant>, Failure> {
        let mut adopted = Vec::new();
        let mut snapshots = Snapshots::new(Transaction::Current, |_| false);
        let mut waiting = waiting.into_iter().peekable();
        while waiting.peek().is_some() {
            let page: Vec<Tenant> = waiting.by_ref().take(PAGE).collect();
            let done = self.page(connection, page, &mut snapshots).await;
            let (fitting, others) = operation::or_rollback(connection, done).await?;
            adopted.extend(fitting);
            not_adopted.extend(others);
        }
        Ok(adopted)
    }

    /// Compares and writes in one transaction. The platform cannot change until it ends.
    async fn page(
        &self,
        connection: &mut Connection,
        page: Vec<Tenant>,
        snapshots: &mut Snapshots,
    ) -> Result<(Vec<Tenant>, Vec<NotAdopted>), Failure> {
        let run = self.run;
        let refused = |server_error: crate::postgres::ServerError| {
            let schema = page.first().map_or_else(|| run.platform.clone(), |tenant| tenant.schema.clone());
            name_ownership::refused(&server_error, "adopting tenants", &schema)
        };
        let mut begin = SqlBatch::default();
        begin.begin(run.limits, &version_rows::expect_platform(&run.platform, &self.state.platform));
        connection.send(&begin).await.map_err(&refused)?;
        let schemas: Vec<SchemaName> = page.iter().map(|tenant| tenant.schema.clone()).collect();
        let prints = catalog::fingerprints_as(connection, &schemas, Transaction::Current).await?;
        let (mut message, mut fitting, mut others) = (SqlBatch::default(), Vec::new(), Vec::new());
        let mut nearest_of: BTreeMap<Fingerprint, (usize, Vec<SchemaDifference>)> = BTreeMap::new();
        for tenant in &page {
            let Some(print) = prints.get(&tenant.schema) else {
                others.push(NotAdopted::of(tenant.clone(), "the schema does not exist".to_owned()));
                continue;
            };
            let equal = self.candidates.iter().position(|one| one.print.definition == print.definition);
            let (nearest, differences) = match (equal, nearest_of.get(print)) {
                (Some(equal), _) => (equal, Vec::new()),
                (None, Some((nearest, known))) => {
                    let own = |line: &SchemaDifference| SchemaDifference {
                        schema: tenant.schema.clone(),
                        ..line.clone()
                    };
                    (*nearest, known.iter().map(own).collect())
                }
                (None, None) => {
                    let seen = snapshots.of(connection, &tenant.schema, Some(print)).await?;
                    let compared = self.candidates.iter().enumerate().map(|(number, candidate)| {
                        let names = (&tenant.schema, None);
                        (number, reference::differences(&candidate.snapshot, &seen, names).definitions)
                    });
                    let Some(nearest) = compared.min_by_key(|(_, lines)| lines.len()) else { continue };
                    if !nearest.1.is_empty() {
                        nearest_of.insert(print.clone(), nearest.clone());
                    }
                    nearest
                }
            };
            let Candidate { template, version, filled, .. } = &self.candidates[nearest];
            if differences.is_empty() {
                let entry =
                    VersionEntry { schema: &tenant.schema, template, version, values: &filled.schema_values };
                entry.write(&mut message, (self.project, run), &self.state.platform)?;
                fitting.push(tenant.schema.clone());
            } else {
                others.push(NotAdopted {
                    nearest: Some(version.clone()),
                    template: Some(template.name.clone()),
                    differences,
                    ..NotAdopted::of(
                        tenant.clone(),
                        format!(
                            "it fits no version; {version} of the template {:?} is nearest",
                            template.name
                        ),
                    )
                });
            }
        }
        message.commit(SessionState::None);
        connection.send(&message).await.map_err(refused)?;
        let settings = &self.project.settings;
        let all = state::tenants(connection, settings, self.state.presence, &[]).await?;
        Ok((all.into_iter().filter(|tenant| fitting.contains(&tenant.schema)).collect(), others))
    }
}
