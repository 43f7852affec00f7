//! How a tenant should be: one that is made from the template and the steps after it, on a private server
//! that nobody else sees. The platform is moved from version to version, and at each that some tenant is at
//! its like is made, fingerprinted and photographed.

use std::collections::BTreeMap;

use super::{Key, References, Surroundings};
use crate::chain::{Reach, Version};
use crate::error::{Code, Failure};
use crate::event::Silent;
use crate::executor::{self, Allowed, Prepared, Request, RetryPolicy, Stop};
use crate::ident::{SchemaName, Slug};
use crate::postgres::catalog::{self, Fingerprint, SchemaSnapshot};
use crate::postgres::server::{Binaries, DATABASE, Environment, Throwaway};
use crate::postgres::{Connection, DatabaseUrl};
use crate::project::Project;
use crate::tenant::{self, After, Creation, IfExists, NewRole, NewTenant};

/// For the row of the run, which is thrown away with its server.
const COMMAND: &str = "tenure drift";

/// A tenant as it should be.
#[derive(Debug, Clone)]
pub(super) struct Reference {
    pub(super) print: Fingerprint,
    pub(super) snapshot: SchemaSnapshot,
}

/// Makes a reference for each of `keys`, which are in order of versions, or says why there is none. Only a server
/// of the same major version prints definitions alike.
pub(super) async fn make(
    project: &Project,
    keys: &[Key],
    surroundings: &Surroundings,
    server: (u32, &Environment),
) -> References {
    let mut references = References::new();
    let made = make_on_a_private_server(project, keys, surroundings, server, &mut references).await;
    let why = made.map_or_else(|failure| failure.message, |()| "it could not be made".to_owned());
    for key in keys {
        references.entry(key.clone()).or_insert_with(|| Err(why.clone()));
    }
    references
}

async fn make_on_a_private_server(
    project: &Project,
    keys: &[Key],
    surroundings: &Surroundings,
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
    surroundings.make(&mut connection).await?;
    for (number, key) in keys.iter().enumerate() {
        let (version, template, values) = key;
        let reference = match migrate(&mut connection, project, version).await {
            // What cannot be reached now cannot be reached later.
            Err(failure) => return Err(failure),
            Ok(()) => one(&mut connection, project, number, (template, values)).await,
        };
        references.insert(key.clone(), reference.map_err(|failure| failure.message));
    }
    connection.close().await;
    Ok(())
}

async fn migrate(connection: &mut Connection, project: &Project, to: &Version) -> Result<(), Failure> {
    project.check_server_host(to)?;
    let request = Request::plain(to, Reach::Fleet, project.settings.migrate, RetryPolicy::USUAL);
    let prepared = Prepared::look(connection, project, request).await?;
    let how = (&mut Silent as &mut dyn crate::event::Sink, &Stop::default());
    let migrated =
        executor::migrate(connection, project, &prepared, &Allowed::default(), COMMAND, how).await?;
    match migrated.failures.into_iter().next() {
        Some(failed) => Err(Failure {
            message: format!("on an empty database, {}", failed.failure.message),
            ..failed.failure
        }),
        None => Ok(()),
    }
}

async fn one(
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
        // The server is nobody else's.
        role: if project.settings.tenants.roles { NewRole::Closed } else { NewRole::None },
        command: COMMAND.to_owned(),
    };
    let mut set = project.template(Some(template))?.parameters.samples();
    // A value of a parameter that is no more shapes nothing.
    for (key, value) in values {
        set.entry(key.clone()).and_modify(|sample| sample.clone_from(value));
    }
    let wanted = [NewTenant { slug, name: None, template: Some(template.to_owned()), set }];
    let how = (&mut Silent as &mut dyn crate::event::Sink, &Stop::default());
    let created = tenant::create(connection, project, &wanted, &creation, how).await?;
    if let Some(failed) = created.failures.into_iter().next() {
        return Err(failed.failure);
    }
    let prints = catalog::fingerprints(connection, std::slice::from_ref(&schema)).await?;
    let snapshot = catalog::snapshot(connection, &schema).await?;
    match prints.into_values().next() {
        Some(print) => Ok(Reference { print, snapshot }),
        None => Err(Failure::new(Code::StatementFailed, "the tenant to compare with has no schema")),
    }
}
