//! `tenant import`: a tenant out of a file, in one transaction of ours. Only what is proved to be what went into the
//! file is committed; one of an older version is migrated then, and is taken back where that fails.

mod restore;

use std::fs::File;
use std::io::Read;

use uuid::Uuid;

use self::restore::Restore;
use super::adopt::{self, IfDifferent};
use super::archive::{self, Manifest};
use super::fingerprint;
use crate::chain::{Reach, Version};
use crate::error::{Code, Failure};
use crate::event::Sink;
use crate::executor::{self, Allowed, Prepared, Request, RetryPolicy, Stop, unknown_tenant};
use crate::ident::{SchemaName, Slug, literal};
use crate::postgres::batch::{Run, SessionState, SqlBatch};
use crate::postgres::catalog::server_major;
use crate::postgres::metadata::{RunStatus, TenantState, attempts, state};
use crate::postgres::server::Environment;
use crate::postgres::{Archive, Connection, ServerError};
use crate::project::Project;
use crate::tenant::create::ready;
use crate::tenant::name_ownership::NameOwnership;
use crate::tenant::operation::{self, TenantOperation};
use crate::tenant::{Imported, cleanup};

/// Imports the tenant of a file, under its own slug or another one.
pub async fn import(
    connection: &mut Connection,
    project: &Project,
    (input, other, if_different): (impl Read, Option<&Slug>, IfDifferent),
    operation: &TenantOperation<'_>,
    (environment, sink, stop): (&Environment, &mut dyn Sink, &Stop),
) -> Result<Imported, Failure> {
    let mut dump =
        tempfile::tempfile().map_err(|error| Failure::new(Code::Io, format!("a temporary file: {error}")))?;
    let manifest = archive::read(input, &mut dump)?;
    let wanted = Wanted::of(project, &manifest, other)?;
    let state = ready(connection, project).await?;
    adopt::may_be_at(project, &wanted.version, &state.platform)?;
    wanted.expect_nobody(connection, project, operation).await?;
    fingerprint::expect(connection, (&manifest.extensions, &manifest.roles)).await?;
    let archive = open(connection, dump, &manifest, environment).await?;
    let is_older = wanted.version < state.platform;
    let counts =
        serde_json::json!({ "slug": wanted.slug, "schema": wanted.schema, "version": wanted.version });
    let restore = Restore {
        project,
        manifest: &manifest,
        wanted: &wanted,
        platform: &state.platform,
        state: if is_older { TenantState::Creating } else { wanted.state },
        archive: &archive,
        stop,
        if_different,
    };
    let mut units = 0;
    let (rows, differences) = operation
        .noted(connection, &counts, async |connection, run| {
            let restored = restore.run(connection, run).await;
            let restored = operation::or_rollback(connection, restored).await?;
            if is_older {
                let (connector, how) = (connection.connector(), (operation, &mut *sink, stop));
                let migrating = migrate(connection, project, &wanted, &state.platform, how);
                let migrated =
                    cleanup::while_alive(connector, run, &wanted.schema, Box::pin(migrating)).await;
                match finish(connection, project, run, &wanted, migrated).await {
                    Ok(count) => units = count,
                    Err(failure) => {
                        let settings = &project.settings;
                        return Err(cleanup::undo(connection, settings, run, &wanted.schema, failure).await);
                    }
                }
            }
            Ok(restored)
        })
        .await?;
    let only = std::slice::from_ref(&wanted.slug);
    let tenants = state::tenants(connection, &project.settings, state.presence, only).await?;
    let tenant = tenants.into_iter().next().ok_or_else(|| unknown_tenant(&wanted.slug))?;
    Ok(Imported { outcome: RunStatus::Done, tenant, from: wanted.version, rows, units, differences })
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
        .hint("import it into a server of that release or a newer one"));
    }
    Archive::new(dump, major, environment)
}

/// Who the tenant is to be.
#[derive(Debug)]
struct Wanted {
    slug: Slug,
    schema: SchemaName,
    /// What the dump calls it.
    former: SchemaName,
    id: String,
    name: String,
    version: Version,
    /// What it is when all is done.
    state: TenantState,
}

impl Wanted {
    /// Nothing that the description says is believed without a look.
    fn of(project: &Project, manifest: &Manifest, other: Option<&Slug>) -> Result<Self, Failure> {
        let sent = &manifest.tenant;
        let settings = &project.settings;
        let (prefix, platform) = (&settings.tenants.schema_prefix, settings.platform_schema());
        let lie = |error: &dyn std::fmt::Display| {
            Failure::new(Code::ExportInvalid, format!("the description in the file: {error}"))
        };
        let former = SchemaName::foreign(&sent.schema, &platform).map_err(|error| lie(&error))?;
        let version = manifest.version.parse().map_err(|error| lie(&error))?;
        let old = Slug::new(&sent.slug).map_err(|error| lie(&error))?;
        let slug = other.unwrap_or(&old).clone();
        let is_itself = slug == old;
        let schema = if is_itself {
            SchemaName::adopted(&sent.schema, prefix, &slug, &platform)
        } else {
            SchemaName::of(prefix, &slug, &platform)
        }
        .map_err(|error| Failure::from(error).hint("give it a slug of this project with --as"))?;
        let id = sent.id.clone().filter(|_| is_itself).unwrap_or_else(|| Uuid::new_v4().to_string());
        let name = sent.name.clone().unwrap_or_else(|| slug.as_str().to_owned());
        let state = match TenantState::named(&sent.status) {
            TenantState::Suspended => TenantState::Suspended,
            _ => TenantState::Active,
        };
        Ok(Self { slug, schema, former, id, name, version, state })
    }

    async fn expect_nobody(
        &self,
        connection: &mut Connection,
        project: &Project,
        operation: &TenantOperation<'_>,
    ) -> Result<(), Failure> {
        let settings = &project.settings;
        let mut ownership = NameOwnership::look(connection, settings, &self.slug, &self.schema).await?;
        if ownership.state == Some(TenantState::Creating) {
            let doing = format!("importing {}", self.slug);
            cleanup::take_back(connection, settings, &operation.run(), (&self.schema, &doing)).await?;
            ownership = NameOwnership::look(connection, settings, &self.slug, &self.schema).await?;
        }
        ownership.expect_nobody(&self.slug, &self.schema).map_err(|failure| match failure.code {
            Code::TenantExists => failure.hint("give it another slug with --as"),
            _ => failure,
        })?;
        let columns = &settings.tenants.columns;
        let sql = format!(
            "SELECT {}::text AS slug FROM {} WHERE {}::text = {}",
            columns.slug.quoted(),
            state::registry(settings),
            columns.id.quoted(),
            literal(&self.id),
        );
        let sets = connection.query_batch(&sql).await;
        let sets = sets.map_err(|server_error| state::registry_failure(&server_error, settings))?;
        match sets.iter().flatten().next() {
            None => Ok(()),
            Some(row) => Err(Failure::new(
                Code::TenantExists,
                format!("the tenant of the file is here already, as {}", row.text("slug")?),
            )
            .hint("give it another slug with --as: it is another tenant then; one that was dropped goes with `tenure tenant drop --purge`")),
        }
    }
}

/// Brings the tenant along to where the platform is; how many units that took. Those steps were judged when the platform
/// took them.
async fn migrate(
    connection: &mut Connection,
    project: &Project,
    wanted: &Wanted,
    platform: &Version,
    (operation, sink, stop): (&TenantOperation<'_>, &mut dyn Sink, &Stop),
) -> Result<usize, Failure> {
    let request = Request {
        tenants: vec![wanted.slug.clone()],
        ..Request::plain(platform, Reach::Tenants, operation.limits, RetryPolicy::USUAL)
    };
    let prepared = Prepared::look(connection, project, request).await?;
    let how = (sink, stop);
    // A run of its own, inside of the import's.
    let command = format!("{}: migrate", operation.command);
    let migrated =
        executor::migrate(connection, project, &prepared, &Allowed::default(), &command, how).await?;
    match migrated.failures.into_iter().next() {
        Some(failed) => Err(Failure {
            message: format!("{}: {}", failed.migration, failed.failure.message),
            schema: Some(failed.schema.as_str().to_owned()),
            ..failed.failure
        }),
        None => stop.check().map(|()| migrated.units),
    }
}

/// The tenant is whole, and may be used.
async fn finish(
    connection: &mut Connection,
    project: &Project,
    run: &Run,
    wanted: &Wanted,
    migrated: Result<usize, Failure>,
) -> Result<usize, Failure> {
    let units = migrated?;
    let mut message = SqlBatch::default();
    message.begin(run.limits, &attempts::hold(&run.platform, &wanted.schema, run.id));
    operation::enter(&mut message, &project.settings, &wanted.schema, wanted.state);
    message.commit(SessionState::None);
    let explained = |server_error: &ServerError| server_error.failure(&format!("importing {}", wanted.slug));
    cleanup::commit(connection, (run, &wanted.schema, wanted.state), &message, explained).await?;
    Ok(units)
}
