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
use crate::postgres::catalog::{self, Fingerprint, Kind, SchemaSnapshot};
use crate::postgres::server::{Binaries, DATABASE, Environment, Throwaway};
use crate::postgres::{Connection, DatabaseUrl};
use crate::project::Project;
use crate::tenant::{self, After, Creation, IfExists, NewRole, NewTenant};

/// The command in the run's row on the throwaway server.
const COMMAND: &str = "tenure drift";

/// The expected schema of a tenant.
#[derive(Debug, Clone)]
pub(super) struct Reference {
    pub(super) print: Fingerprint,
    pub(super) snapshot: SchemaSnapshot,
}

/// Creates a reference for each of `keys`, which are in order of versions, or the reason for its absence. Needs a server
/// of the same major version, since others print definitions differently.
pub(super) async fn create(
    project: &Project,
    keys: &[Key],
    server_objects: &ServerObjects,
    server: (u32, &Environment),
) -> References {
    let mut references = References::new();
    let made = create_on_private_server(project, keys, server_objects, server, &mut references).await;
    let why = made.map_or_else(|failure| failure.message, |()| "it could not be created".to_owned());
    for key in keys {
        references.entry(key.clone()).or_insert_with(|| Err(why.clone()));
    }
    references
}

async fn create_on_private_server(
    project: &Project,
    keys: &[Key],
    server_objects: &ServerObjects,
    (major, environment): (u32, &Environment),
    references: &mut References,
) -> Result<(), Failure> {
    project.chain.check_starts_at_zero()?;
    let binaries = Binaries::find_major(environment, major).map_err(|failure| Failure {
        message: format!("PostgreSQL {major} is not installed here"),
        ..failure
    })?;
    let environment = Environment { bindir: Some(binaries.folder().to_owned()), ..environment.clone() };
    let server = Throwaway::start(&environment).await?;
    let mut connection = Connection::open(&DatabaseUrl::parse(&server.url(DATABASE))?).await?;
    server_objects.create(&mut connection).await?;
    for (number, key) in keys.iter().enumerate() {
        let (version, template, values) = key;
        let reference = match migrate(&mut connection, project, version).await {
            // Later versions cannot be reached either.
            Err(failure) => return Err(failure),
            Ok(()) => create_reference(&mut connection, project, number, (template, values)).await,
        };
        references.insert(key.clone(), reference.map_err(|failure| failure.message));
    }
    connection.close().await;
    Ok(())
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
    number: usize,
    (template, values): (&str, &BTreeMap<String, String>),
) -> Result<Reference, Failure> {
    let slug = format!("tenure_reference_{number}");
    let platform = project.settings.platform_schema();
    let schema = SchemaName::of(&project.settings.tenants.schema_prefix, &Slug::new(&slug)?, &platform)?;
    let creation = Creation {
        if_exists: IfExists::Fail,
        limits: project.settings.migrate,
        jobs: Some(1),
        retry_policy: RetryPolicy::USUAL,
        after: After::Nothing,
        // The server is not shared.
        role: if project.settings.tenants.roles { NewRole::Closed } else { NewRole::None },
        command: COMMAND.to_owned(),
    };
    let mut set = project.template(Some(template))?.parameters.samples();
    // Ignore values of parameters that no longer exist.
    for (key, value) in values {
        set.entry(key.clone()).and_modify(|sample| sample.clone_from(value));
    }
    let wanted = [NewTenant { slug, name: None, template: Some(template.to_owned()), set }];
    let how = (&mut Silent as &mut dyn crate::event::Sink, &CancellationToken::new());
    let created = tenant::create(connection, project, &wanted, &creation, how).await?;
    if let Some(failed) = created.failures.into_iter().next() {
        return Err(failed.failure);
    }
    let prints = catalog::fingerprints(connection, std::slice::from_ref(&schema)).await?;
    // Extensions belong to the database.
    let snapshot = catalog::snapshot(connection, &schema).await?.without(|key| key.kind == Kind::Extension);
    match prints.into_values().next() {
        Some(print) => Ok(Reference { print, snapshot }),
        None => Err(Failure::new(Code::StatementFailed, "the reference tenant has no schema")),
    }
}
