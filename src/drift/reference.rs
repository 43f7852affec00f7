//! Creates the expected schemas: a tenant from the template and the later steps, on a throwaway server. The platform is
//! migrated version by version, and a reference tenant is created at each version in use.

use std::collections::BTreeMap;

use tokio_util::sync::CancellationToken;

use super::{Key, References, ServerObjects};
use crate::chain::Version;
use crate::error::{Code, Failure};
use crate::event::Silent;
use crate::executor::RetryPolicy;
use crate::ident::{SchemaName, Slug};
use crate::migrate;
use crate::postgres::Connection;
use crate::postgres::catalog::{self, Fingerprint, Kind, SchemaSnapshot};
use crate::postgres::server::{Binaries, Environment};
use crate::project::Project;
use crate::shadow::{MissingExtension, Shadow, ShadowRequest, is_own};
use crate::tenant::{self, After, Creation, IfExists, NewRole, NewTenant, RegistryValues};

/// The slug of a reference, before its number.
const SLUG: &str = "tenure_reference_";

/// The command in the run's row on the throwaway server.
const COMMAND: &str = "tenure drift";

/// The expected schema of a tenant.
#[derive(Debug, Clone)]
pub(super) struct Reference {
    pub(super) print: Fingerprint,
    pub(super) snapshot: SchemaSnapshot,
}

/// The schemas to create.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected<'a> {
    /// Those of tenants, in order of versions.
    pub(super) keys: &'a [Key],
    /// The platform's at that version, if it is needed.
    pub(super) platform: Option<&'a Version>,
}

/// Creates a reference for each key, or the reason for its absence, and the platform's snapshot if that is possible. Needs a server
/// of the same major version, since others print definitions differently.
pub(super) async fn create(
    project: &Project,
    expected: Expected<'_>,
    server_objects: &ServerObjects,
    server: (u32, &Environment),
) -> (References, Option<SchemaSnapshot>) {
    let mut references = References::new();
    let made =
        Box::pin(create_on_private_server(project, expected, server_objects, server, &mut references)).await;
    let why = made.as_ref().err().map_or("it could not be created", |failure| failure.message.as_str());
    for key in expected.keys {
        references.entry(key.clone()).or_insert_with(|| Err(why.to_owned()));
    }
    (references, made.ok().flatten())
}

async fn create_on_private_server(
    project: &Project,
    Expected { keys, platform }: Expected<'_>,
    server_objects: &ServerObjects,
    (major, environment): (u32, &Environment),
    references: &mut References,
) -> Result<Option<SchemaSnapshot>, Failure> {
    project.chain.check_starts_at_zero()?;
    let binaries = Binaries::find_major(environment, major).map_err(|failure| Failure {
        message: format!("PostgreSQL {major} is not installed here"),
        ..failure
    })?;
    let environment = Environment { bindir: Some(binaries.folder().to_owned()), ..environment.clone() };
    // The extensions of the database are not a file's choice.
    let extensions = server_objects.extension_names();
    let request = ShadowRequest {
        url: None,
        extensions: &extensions,
        missing: MissingExtension::Ignored,
        environment: &environment,
    };
    let mut shadow = Box::pin(Shadow::for_chain(project, request)).await?;
    let schemas = (0..keys.len()).map(|number| schema(project, number)).collect::<Result<Vec<_>, _>>()?;
    let has_roles = project.settings.tenants.roles;
    let roles = if has_roles { tenant::role_names(project, &schemas)? } else { Vec::new() };
    server_objects.create(&mut shadow, &roles).await?;
    let connection = &mut shadow.connection;
    for (key, schema) in keys.iter().zip(&schemas) {
        let (version, template, values) = key;
        let reference = match migrate(connection, project, version).await {
            // Later versions cannot be reached either.
            Err(failure) => return Err(failure),
            Ok(()) => create_reference(connection, project, (version, schema), (template, values)).await,
        };
        references.insert(key.clone(), reference.map_err(|failure| failure.message));
    }
    let platform = match platform {
        Some(version) => {
            migrate(connection, project, version).await?;
            Some(platform_snapshot(connection, project).await?)
        }
        None => None,
    };
    shadow.close().await?;
    Ok(platform)
}

/// The schema of the reference of that number.
fn schema(project: &Project, number: usize) -> Result<SchemaName, Failure> {
    let slug = Slug::new(&format!("{SLUG}{number}"))?;
    Ok(project.settings.tenant_schema(&slug)?)
}

/// The snapshot of the platform schema, without Tenure's own objects and the extensions of the database.
pub(super) async fn platform_snapshot(
    connection: &mut Connection,
    project: &Project,
) -> Result<SchemaSnapshot, Failure> {
    let snapshot = catalog::snapshot(connection, &project.settings.platform_schema()).await?;
    Ok(snapshot.without(|key| key.kind == Kind::Extension || is_own(key)))
}

async fn migrate(connection: &mut Connection, project: &Project, to: &Version) -> Result<(), Failure> {
    let how = (to, RetryPolicy::USUAL);
    match migrate::replay_on_throwaway_database(connection, project, how, COMMAND).await? {
        Some(failure) => {
            Err(Failure { message: format!("on an empty database, {}", failure.message), ..failure })
        }
        None => Ok(()),
    }
}

async fn create_reference(
    connection: &mut Connection,
    project: &Project,
    (version, schema): (&Version, &SchemaName),
    (template, values): (&str, &BTreeMap<String, String>),
) -> Result<Reference, Failure> {
    let creation = Creation {
        if_exists: IfExists::Fail,
        limits: project.settings.migrate,
        jobs: Some(1),
        retry_policy: RetryPolicy::USUAL,
        after: After::Nothing,
        role: NewRole::None,
        registry_values: RegistryValues::Samples,
        command: COMMAND.to_owned(),
    };
    let found = project.template(Some(template))?;
    let mut set = found.parameters.samples();
    // Ignore values of parameters that no longer exist.
    for (key, value) in values {
        set.entry(key.clone()).and_modify(|sample| sample.clone_from(value));
    }
    let prefix = project.settings.tenants.schema_prefix.len();
    let slug = schema.as_str()[prefix..].to_owned();
    let wanted =
        [NewTenant { slug, name: None, template: Some(template.to_owned()), set, columns: BTreeMap::new() }];
    let how = (&mut Silent as &mut dyn crate::event::Sink, &CancellationToken::new());
    let created = tenant::create(connection, project, &wanted, &creation, how).await?;
    if let Some(failed) = created.failures.into_iter().next() {
        return Err(failed.failure);
    }
    if project.settings.tenants.roles {
        tenant::give_existing_role(connection, project, schema, (found, version)).await?;
    }
    let prints = catalog::fingerprints(connection, std::slice::from_ref(schema)).await?;
    // Extensions belong to the database.
    let snapshot = catalog::snapshot(connection, schema).await?.without(|key| key.kind == Kind::Extension);
    match prints.into_values().next() {
        Some(print) => Ok(Reference { print, snapshot }),
        None => Err(Failure::new(Code::StatementFailed, "the reference tenant has no schema")),
    }
}
