//! `tenant export`: writes a tenant to a file. Writes nothing to the database, and holds no lock of its own while `pg_dump` runs:
//! the fingerprints are read before and after it, and if they differ no file is written.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use super::archive::{self, Manifest, Print, Sent, Sum};
use super::fingerprint::{self, Needs};
use super::not_copied::{self, CopyKind};
use super::publications;
use crate::error::{Code, Failure, Place};
use crate::ident::{SchemaName, Slug, literal};
use crate::postgres::catalog::{Transaction, server_major};
use crate::postgres::metadata::{
    RunStatus, Tenant, TenantState, registry, roles, state, unknown_tenant, version_rows,
};
use crate::postgres::server::Environment;
use crate::postgres::{Connection, dump_archive};
use crate::settings::Settings;
use crate::tenant::Exported;

/// The destination of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A file, written completely or not at all. An existing file is replaced.
    File(PathBuf),
    /// Standard output.
    Stdout,
}

/// Exports a tenant.
pub async fn export(
    connection: &mut Connection,
    settings: &Settings,
    slug: &Slug,
    target: &Target,
    (environment, stop): (&Environment, &CancellationToken),
) -> Result<Exported, Failure> {
    // pg_dump's session settings would reach the pooler's next client.
    connection.require_session("an export, by pg_dump,")?;
    let presence = state::presence(connection, settings).await?;
    let tenants = state::tenants(connection, settings, presence, std::slice::from_ref(slug)).await?;
    let Some(tenant) = tenants.into_iter().find(|row| row.version.is_some()) else {
        return Err(unknown_tenant(connection, settings, slug).await);
    };
    if !matches!(tenant.status, TenantState::Active | TenantState::Suspended) {
        return Err(Failure::new(
            Code::TenantState,
            format!("{slug} is {}, so it is not complete", tenant.status.as_str()),
        ));
    }
    let major = server_major(connection).await?;
    let Needs { extensions, mut roles, tablespaces, owner } =
        fingerprint::needs(connection, &tenant.schema).await?;
    let own_role = roles::of(connection, &settings.platform_schema(), &tenant.schema).await?;
    roles.retain(|role| own_role.as_ref() != Some(role));
    if let Some(inside) = extensions.iter().find(|extension| extension.schema == tenant.schema.as_str()) {
        let why = format!(
            "the extension {} is in the tenant's schema, and a dump does not include it",
            inside.name
        );
        return Err(Failure::new(Code::ImportNeeds, why).hint("move it: ALTER EXTENSION … SET SCHEMA public"));
    }
    not_copied::refuse(connection, &tenant.schema, CopyKind::Dump).await?;
    let publications = publications::of(connection, &tenant.schema, major).await?;
    let seen = read_state(connection, settings, &tenant.schema).await?;
    let registry = registry_row(connection, settings, &tenant).await?;
    let mut dump = unnamed(target)?;
    dump_archive(connection, (&tenant.schema, major), &dump, environment, || stop.is_cancelled()).await?;
    let again = read_state(connection, settings, &tenant.schema).await;
    if again.as_ref() != Ok(&seen) {
        let mut failure = Failure::new(
            Code::TenantMoved,
            format!("{slug} was migrated or changed while it was exported; the file was not kept"),
        )
        .hint("run the command again");
        failure.schema = Some(tenant.schema.as_str().to_owned());
        // A lost connection is reported as such.
        return Err(again.err().filter(Failure::session_ended).unwrap_or(failure));
    }
    let mut parameters = state::parameters(connection, settings).await?;
    let (format, format_version) = Manifest::format();
    let sent = Sent {
        id: tenant.id.clone(),
        slug: tenant.slug.clone(),
        name: tenant.name.clone(),
        schema: tenant.schema.as_str().to_owned(),
        status: tenant.status.as_str().to_owned(),
    };
    let manifest = Manifest {
        format,
        format_version,
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        tenant: sent,
        version: tenant.version.as_ref().map(ToString::to_string).unwrap_or_default(),
        template: tenant.template.clone(),
        parameters: parameters.remove(tenant.schema.as_str()).unwrap_or_default(),
        registry,
        fingerprint: seen.1,
        postgresql: major,
        extensions,
        roles,
        tablespaces,
        publications,
        own_role,
        owner,
        dump: Sum::of(&mut dump).map_err(|error| writing(target, &error))?,
    };
    let bytes = manifest.dump.bytes;
    deliver(&manifest, &mut dump, target).map_err(|error| writing(target, &error))?;
    let file = match target {
        Target::File(path) => path.display().to_string(),
        Target::Stdout => "-".to_owned(),
    };
    Ok(Exported { outcome: RunStatus::Done, tenant, file, bytes, checked: false })
}

/// The values that must not change during the dump: the version row, and the fingerprints of the schema.
async fn read_state(
    connection: &mut Connection,
    settings: &Settings,
    schema: &SchemaName,
) -> Result<(String, Print), Failure> {
    let row = version_rows::stamp(connection, &settings.platform_schema(), schema).await?;
    Ok((row, fingerprint::print(connection, schema, Transaction::Own).await?))
}

async fn registry_row(
    connection: &mut Connection,
    settings: &Settings,
    tenant: &Tenant,
) -> Result<Option<serde_json::Map<String, serde_json::Value>>, Failure> {
    let sql = format!(
        "SELECT to_jsonb(r) AS row FROM {} r WHERE r.{}::text = {}",
        registry::table(settings),
        settings.tenants.columns.schema.quoted(),
        literal(tenant.schema.as_str()),
    );
    let sets = connection.query_batch(&sql).await;
    let sets = sets.map_err(|server_error| registry::failure(&server_error, settings))?;
    let row = sets.iter().flatten().next().map(|row| row.document("row")).transpose()?;
    Ok(row.and_then(|row| row.as_object().cloned()))
}

/// An anonymous temporary file, in the folder of the target if possible.
fn unnamed(target: &Target) -> Result<File, Failure> {
    let file = match target {
        Target::File(path) => tempfile::tempfile_in(folder(path)),
        Target::Stdout => tempfile::tempfile(),
    };
    file.map_err(|error| writing(target, &error))
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes the file under a temporary name, readable only by its owner, and renames it when it is complete.
fn deliver(manifest: &Manifest, dump: &mut File, target: &Target) -> io::Result<()> {
    match target {
        Target::Stdout => archive::write(manifest, dump, io::stdout().lock()),
        Target::File(path) => {
            let mut file = tempfile::Builder::new().prefix(".tenure-").tempfile_in(folder(path))?;
            archive::write(manifest, dump, io::BufWriter::new(file.as_file_mut()))?;
            file.as_file_mut().flush()?;
            file.as_file().sync_all()?;
            file.persist(path).map(drop).map_err(|error| error.error)
        }
    }
}

fn writing(target: &Target, error: &io::Error) -> Failure {
    let failure = |name: &str| Failure::new(Code::Io, format!("writing {name}: {error}"));
    match target {
        Target::File(path) => {
            let name = path.display().to_string();
            failure(&name).at(Place::File(name))
        }
        Target::Stdout => failure("stdout"),
    }
}
