//! `tenant restore`: restores a tenant from its export, in one transaction. Its schema becomes that of a dropped tenant; the registry row,
//! its ID and the role stay. The tenant keeps the version of the file.

use std::io::Read;

use tokio_util::sync::CancellationToken;

use super::restore::{IN_USE, Outcome, Restore};
use super::{ExportFile, ImportIdentity, open};
use crate::error::{Code, Failure};
use crate::ident::{Identifier, Slug};
use crate::postgres::metadata::{RunStatus, Tenant, dropped, roles, state, unknown_tenant};
use crate::postgres::server::Environment;
use crate::postgres::{Connection, Keys};
use crate::project::Project;
use crate::tenant::copy::adopt::{self, IfDifferent};
use crate::tenant::copy::archive::Manifest;
use crate::tenant::copy::fingerprint;
use crate::tenant::operation::{self, TenantOperation};
use crate::tenant::{Restored, create};

/// Restores the tenant `slug` from a file.
pub async fn restore(
    connection: &mut Connection,
    project: &Project,
    (slug, input, if_different): (&Slug, impl Read, IfDifferent),
    operation: &TenantOperation<'_>,
    (environment, stop): (&Environment, &CancellationToken),
) -> Result<Restored, Failure> {
    let ExportFile { manifest, dump } = ExportFile::read(input)?;
    let ready = create::ready(connection, project).await?;
    let (platform, shape) = (ready.platform, ready.registry.unwrap_or_default());
    let (tenant, state) = operation.find(connection, slug).await?;
    expect_same(&tenant, &manifest)?;
    if !IN_USE.contains(&tenant.status) {
        let message = format!("{slug} is {}, so it cannot be restored", tenant.status.as_str());
        return Err(Failure::new(Code::TenantState, message));
    }
    let identity = ImportIdentity {
        schema: tenant.schema.clone(),
        state: tenant.status,
        ..ImportIdentity::of(project, &manifest, Some(slug))?
    };
    adopt::may_be_at(project, &identity.version, &platform)?;
    fingerprint::expect(connection, &manifest).await?;
    let settings = &project.settings;
    let role = roles::own_of(connection, &settings.platform_schema(), &tenant.schema).await?;
    let role = role.map(Identifier::new).transpose()?;
    let archive = open(connection, dump, &manifest, environment).await?;
    let restore = Restore {
        project,
        shape: &shape,
        manifest: &manifest,
        identity: &identity,
        platform: &platform,
        state: tenant.status,
        archive: &archive,
        stop,
        if_different,
        keys: Keys::Checked,
        replaced: Some((&tenant, role)),
    };
    let counts =
        serde_json::json!({ "slug": tenant.slug, "schema": tenant.schema, "version": identity.version });
    let Outcome { rows, differences, dependents } = operation
        .recorded(connection, &counts, async |connection, run| {
            let restored = Box::pin(restore.run(connection, run)).await;
            operation::or_rollback(connection, restored).await
        })
        .await?;
    let only = std::slice::from_ref(slug);
    let restored = state::tenants(connection, settings, state.presence, only).await?;
    let Some(restored) = restored.into_iter().next() else {
        return Err(unknown_tenant(connection, settings, slug).await);
    };
    let aside = dropped::read(connection, settings, Some(slug), 0).await?;
    Ok(Restored {
        outcome: RunStatus::Done,
        is_behind: identity.version < platform,
        tenant: restored,
        from: tenant.version,
        rows,
        dropped_schema: aside.into_iter().next().map(|dropped| dropped.tenant.schema),
        dependents,
        differences,
    })
}

/// Fails unless the file is the export of this tenant, whatever its names were then.
fn expect_same(tenant: &Tenant, manifest: &Manifest) -> Result<(), Failure> {
    let sent = &manifest.tenant;
    let is_same = match (&tenant.id, &sent.id) {
        (Some(own), Some(other)) => own == other,
        _ => tenant.slug == sent.slug,
    };
    if is_same {
        return Ok(());
    }
    let message =
        format!("the file is the export of another tenant, {:?}, not of {:?}", sent.slug, tenant.slug);
    Err(Failure::new(Code::ExportInvalid, message)
        .hint("import it as a tenant of its own: tenure tenant import FILE --as SLUG"))
}
