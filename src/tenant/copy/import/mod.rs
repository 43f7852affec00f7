//! `tenant import`: restores a tenant from a file, in one transaction. The restored schema must equal the exported one. An older
//! tenant is migrated afterwards, and removed if that fails. `tenant restore` does the same in place of an existing tenant.

mod foreign_keys;
pub(super) mod in_place;
mod restore;

use std::fs::File;
use std::io::Read;

use tokio_util::sync::CancellationToken;

use self::restore::{Outcome, Restore};
use super::adopt::{self, IfDifferent};
use super::archive::{self, Manifest};
use super::fingerprint;
use crate::chain::Version;
use crate::error::{Code, Failure};
use crate::event::Sink;
use crate::executor::unless_cancelled;
use crate::ident::{SchemaName, Slug, literal};
use crate::migrate;
use crate::postgres::batch::{Run, SessionState, SqlBatch};
use crate::postgres::catalog::server_major;
use crate::postgres::metadata::{RunStatus, TenantState, attempts, registry, state, unknown_tenant};
use crate::postgres::server::Environment;
use crate::postgres::{Archive, Connection, Keys, ServerError};
use crate::project::Project;
use crate::tenant::create::ready;
use crate::tenant::name_ownership::NameOwnership;
use crate::tenant::operation::{self, TenantOperation};
use crate::tenant::{Imported, cleanup};

/// An export that was read from a file.
#[derive(Debug)]
pub struct ExportFile {
    manifest: Manifest,
    dump: File,
}

impl ExportFile {
    /// Reads a file.
    pub fn read(input: impl Read) -> Result<Self, Failure> {
        let dump = tempfile::tempfile();
        let mut dump = dump.map_err(|error| Failure::new(Code::Io, format!("a temporary file: {error}")))?;
        Ok(Self { manifest: archive::read(input, &mut dump)?, dump })
    }

    /// The version of the tenant.
    pub fn version(&self) -> Result<Version, Failure> {
        self.manifest.version.parse().map_err(|error| invalid_manifest(&error))
    }

    /// The names and schemas of the extensions that the tenant requires.
    pub fn extensions(&self) -> impl Iterator<Item = (&str, &str)> {
        self.manifest.extensions.iter().map(|extension| (extension.name.as_str(), extension.schema.as_str()))
    }

    /// The roles that the tenant requires.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.manifest.roles.iter().chain(&self.manifest.own_role).map(String::as_str)
    }
}

/// Whether the database has the rows of shared tables that the tenant refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SharedRows {
    Required,
    Missing,
}

/// Imports a tenant from a file, under its own slug or another one.
pub async fn import(
    connection: &mut Connection,
    project: &Project,
    (input, other, if_different): (impl Read, Option<&Slug>, IfDifferent),
    operation: &TenantOperation<'_>,
    how: (&Environment, &mut dyn Sink, &CancellationToken),
) -> Result<Imported, Failure> {
    let file = ExportFile::read(input)?;
    run(connection, project, (file, other, if_different), (operation, SharedRows::Required), how).await
}

/// Imports a tenant into a throwaway database, to prove that its file can be imported. Such a database has no rows of shared tables, no
/// publications and no tablespaces.
pub async fn import_on_throwaway_database(
    connection: &mut Connection,
    project: &Project,
    mut file: ExportFile,
    operation: &TenantOperation<'_>,
    how: (&Environment, &mut dyn Sink, &CancellationToken),
) -> Result<Imported, Failure> {
    let manifest = &mut file.manifest;
    manifest.registry = None;
    manifest.publications.clear();
    manifest.tablespaces.clear();
    run(connection, project, (file, None, IfDifferent::Refuse), (operation, SharedRows::Missing), how).await
}

async fn run(
    connection: &mut Connection,
    project: &Project,
    (file, other, if_different): (ExportFile, Option<&Slug>, IfDifferent),
    (operation, shared_rows): (&TenantOperation<'_>, SharedRows),
    (environment, sink, stop): (&Environment, &mut dyn Sink, &CancellationToken),
) -> Result<Imported, Failure> {
    let ExportFile { manifest, dump } = file;
    let identity = ImportIdentity::of(project, &manifest, other)?;
    let state = ready(connection, project).await?;
    adopt::may_be_at(project, &identity.version, &state.platform)?;
    identity.expect_free(connection, project, operation).await?;
    fingerprint::expect(connection, &manifest).await?;
    let mut archive = open(connection, dump, &manifest, environment).await?;
    if shared_rows == SharedRows::Missing {
        archive.ignore_tablespaces();
    }
    let is_older = identity.version < state.platform;
    let shape = state.registry.clone().unwrap_or_default();
    shape.expect_insertable(&project.settings)?;
    let counts =
        serde_json::json!({ "slug": identity.slug, "schema": identity.schema, "version": identity.version });
    let restore = Restore {
        project,
        shape: &shape,
        manifest: &manifest,
        identity: &identity,
        platform: &state.platform,
        state: if is_older { TenantState::Creating } else { identity.state },
        archive: &archive,
        stop,
        if_different,
        keys: match shared_rows {
            SharedRows::Required => Keys::Checked,
            SharedRows::Missing => Keys::Unchecked(&identity.former),
        },
        replaced: None,
    };
    let mut units = 0;
    let Outcome { rows, differences, .. } = operation
        .recorded(connection, &counts, async |connection, run| {
            let restored = restore.run(connection, run).await;
            let restored = operation::or_rollback(connection, restored).await?;
            if is_older {
                let (connector, how) = (connection.connector(), (operation, &mut *sink, stop));
                let migrating = migrate(connection, project, &identity, how);
                let migrated =
                    cleanup::with_heartbeat(connector, run, &identity.schema, Box::pin(migrating)).await;
                match finish(connection, project, run, &identity, migrated).await {
                    Ok(count) => units = count,
                    Err(failure) => {
                        let settings = &project.settings;
                        return Err(
                            cleanup::clean_up(connection, settings, run, &identity.schema, failure).await
                        );
                    }
                }
            }
            Ok(restored)
        })
        .await?;
    let only = std::slice::from_ref(&identity.slug);
    let tenants = state::tenants(connection, &project.settings, state.presence, only).await?;
    let Some(tenant) = tenants.into_iter().next() else {
        return Err(unknown_tenant(connection, &project.settings, &identity.slug).await);
    };
    Ok(Imported { outcome: RunStatus::Done, tenant, from: identity.version, rows, units, differences })
}

async fn open(
    connection: &mut Connection,
    dump: File,
    manifest: &Manifest,
    environment: &Environment,
) -> Result<Archive, Failure> {
    let major = server_major(connection).await?;
    if manifest.postgresql > major {
        return Err(Failure::new(
            Code::ImportNeeds,
            format!("the tenant was exported from PostgreSQL {}, and this is {major}", manifest.postgresql),
        )
        .hint("import it on a server of that release or a newer one"));
    }
    Archive::new(dump, major, environment)
}

fn invalid_manifest(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Code::ExportInvalid, format!("the manifest in the file: {error}"))
}

/// The identity of the imported tenant.
#[derive(Debug)]
struct ImportIdentity {
    slug: Slug,
    schema: SchemaName,
    /// The schema's name in the dump.
    former: SchemaName,
    /// The id in the registry, if it is kept.
    id: Option<String>,
    name: String,
    version: Version,
    /// The final state.
    state: TenantState,
}

impl ImportIdentity {
    /// Validates all values of the manifest.
    fn of(project: &Project, manifest: &Manifest, other: Option<&Slug>) -> Result<Self, Failure> {
        let sent = &manifest.tenant;
        let settings = &project.settings;
        let platform = settings.platform_schema();
        let former =
            SchemaName::foreign(&sent.schema, &platform).map_err(|error| invalid_manifest(&error))?;
        let version = manifest.version.parse().map_err(|error| invalid_manifest(&error))?;
        let old = Slug::new(&sent.slug).map_err(|error| invalid_manifest(&error))?;
        let slug = other.unwrap_or(&old).clone();
        let is_itself = slug == old;
        let schema = if is_itself {
            settings.adopted_schema(&sent.schema, &slug)
        } else {
            settings.tenant_schema(&slug)
        }
        .map_err(|error| Failure::from(error).hint("give it a slug of this project with --as"))?;
        let id = sent.id.clone().filter(|_| is_itself);
        let name = sent.name.clone().unwrap_or_else(|| slug.as_str().to_owned());
        let state = match TenantState::named(&sent.status) {
            TenantState::Suspended => TenantState::Suspended,
            _ => TenantState::Active,
        };
        Ok(Self { slug, schema, former, id, name, version, state })
    }

    async fn expect_free(
        &self,
        connection: &mut Connection,
        project: &Project,
        operation: &TenantOperation<'_>,
    ) -> Result<(), Failure> {
        let settings = &project.settings;
        let mut ownership = NameOwnership::read(connection, settings, &self.slug, &self.schema).await?;
        if ownership.state == Some(TenantState::Creating) {
            let doing = format!("importing {}", self.slug);
            cleanup::remove_expired(connection, settings, &operation.run(), (&self.schema, &doing)).await?;
            ownership = NameOwnership::read(connection, settings, &self.slug, &self.schema).await?;
        }
        ownership.expect_free(&self.slug, &self.schema).map_err(|failure| match failure.code {
            Code::TenantExists => failure.hint("give it another slug with --as"),
            _ => failure,
        })?;
        let Some(id) = &self.id else { return Ok(()) };
        let sql =
            format!("SELECT r.slug FROM ({}) r WHERE r.id = {}", registry::tenants(settings), literal(id));
        let sets = connection.query_batch(&sql).await;
        let sets = sets.map_err(|server_error| registry::failure(&server_error, settings))?;
        match sets.iter().flatten().next() {
            None => Ok(()),
            Some(row) => Err(Failure::new(
                Code::TenantExists,
                format!(
                    "the tenant of the file already exists as {}",
                    row.optional_text("slug")?.unwrap_or_default()
                ),
            )
            .hint("import it as another tenant with --as, or delete a dropped one with `tenure tenant drop --purge`")),
        }
    }
}

/// Migrates the tenant to the platform's version and returns the number of units. The steps were verified when the platform was
/// migrated.
async fn migrate(
    connection: &mut Connection,
    project: &Project,
    identity: &ImportIdentity,
    (operation, sink, stop): (&TenantOperation<'_>, &mut dyn Sink, &CancellationToken),
) -> Result<usize, Failure> {
    // A separate run, inside of the import's.
    let command = format!("{}: migrate", operation.command);
    let what = (&identity.slug, operation.limits);
    let migrated = migrate::follow_platform(connection, project, what, &command, (sink, stop)).await?;
    match migrated.failures.into_iter().next() {
        Some(failed) => Err(Failure {
            message: format!("{}: {}", failed.migration, failed.failure.message),
            schema: Some(failed.schema.as_str().to_owned()),
            ..failed.failure
        }),
        None => unless_cancelled(stop).map(|()| migrated.units),
    }
}

/// Marks the tenant as usable.
async fn finish(
    connection: &mut Connection,
    project: &Project,
    run: &Run,
    identity: &ImportIdentity,
    migrated: Result<usize, Failure>,
) -> Result<usize, Failure> {
    let units = migrated?;
    let mut message = SqlBatch::default();
    message.begin(run.limits, &attempts::hold(&run.platform, &identity.schema, run.id));
    operation::enter(&mut message, &project.settings, &identity.schema, identity.state);
    message.commit(SessionState::None);
    let explained =
        |server_error: &ServerError| server_error.failure(&format!("importing {}", identity.slug));
    cleanup::commit(connection, (run, &identity.schema, identity.state), &message, explained).await?;
    Ok(units)
}
