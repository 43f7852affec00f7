//! `tenant rename`: renames schema, role, registry row, version row and history in one transaction. If a text contains the old
//! name, nothing is renamed.

use super::{in_use, name_references};
use crate::error::Failure;
use crate::ident::{Identifier, Slug, literal};
use crate::postgres::Connection;
use crate::postgres::batch::{Kind, NO_IDLE_TIMEOUT, SessionState, SqlBatch};
use crate::postgres::metadata::{RunStatus, Tenant, TenantState, checks, roles, version_rows};
use crate::tenant::Changed;
use crate::tenant::operation::{self, TenantOperation};

/// A tenant's schema was renamed: the row has the new name, and the old one as its name.
const RENAME: Kind = Kind::of_verb("rename");

/// The new name of a tenant.
#[derive(Debug, Clone)]
pub struct NewName {
    /// The new slug.
    pub slug: Slug,
    /// The new display name, if it changes.
    pub name: Option<String>,
}

/// Changes the slug of the tenant `slug`, and its schema's name with it.
pub async fn rename(
    connection: &mut Connection,
    operation: &TenantOperation<'_>,
    slug: &Slug,
    new: &NewName,
) -> Result<Changed, Failure> {
    let settings = operation.settings;
    let platform = settings.platform_schema();
    let schema = settings.tenant_schema(&new.slug)?;
    let (tenant, _state) = operation.find(connection, slug).await?;
    // A tenant without a registry row has its schema's name.
    let has_slug = tenant.id.is_none() || tenant.slug == new.slug.as_str();
    if tenant.schema == schema && has_slug && new.name.is_none() {
        return Ok(Changed { outcome: RunStatus::Nothing, tenant, in_use: Vec::new() });
    }
    // The new name must also be valid for the role.
    let role = match roles::of(connection, &platform, &tenant.schema).await? {
        Some(_) if tenant.schema != schema => Some(settings.tenant_role(&schema)?),
        _ => None,
    };
    let counts = serde_json::json!({ "slug": tenant.slug, "to": new.slug, "schema": schema });
    let version = operation
        .recorded(connection, &counts, async |connection, run| {
            let explained = |server_error| operation::refused(&server_error, "renaming", &tenant, settings);
            let is_new = tenant.schema != schema;
            let mut message = SqlBatch::default();
            operation::begin_still(
                &mut message,
                run,
                &tenant.schema,
                &[TenantState::Active, TenantState::Suspended],
            );
            // The session is idle between our messages.
            message.push(NO_IDLE_TIMEOUT);
            if is_new || tenant.slug != new.slug.as_str() {
                message.push(&checks::expect_free(settings, &schema, &new.slug, Some(&tenant.schema)));
            }
            operation::in_turn(connection, &message, run.limits).await.map_err(explained)?;
            if is_new {
                let references = name_references::of(connection, &platform, &tenant.schema, &schema).await?;
                if !references.is_empty() {
                    connection.run("ROLLBACK").await.map_err(explained)?;
                    return Err(name_references::failure(&tenant.schema, &references));
                }
            }
            let mut message = SqlBatch::default();
            let named = literal(schema.as_str());
            if is_new {
                message.push(&version_rows::rename(&run.platform, &tenant.schema, &schema));
                message.push(&roles::follow(&run.platform, &schema, &tenant.schema));
            }
            if let Some(role) = &role {
                message.push(&roles::rename(&run.platform, &schema, role));
            }
            let (to, name) = ((named.as_str(), &*literal(new.slug.as_str())), new.name.as_deref());
            operation::reregister(&mut message, settings, &tenant, to, name);
            if is_new {
                message.name_history(run, &named, &tenant.schema, RENAME);
            }
            message.commit(SessionState::None);
            let sets = connection.send(&message).await.map_err(explained)?;
            Ok(operation::version(&sets))
        })
        .await?;
    // A tenant without a registry row has its schema's name.
    let slug = if tenant.id.is_some() { new.slug.to_string() } else { schema.to_string() };
    let former = tenant.schema.clone();
    let tenant = Tenant {
        slug,
        name: new.name.clone().filter(|_| tenant.id.is_some()).or(tenant.name),
        schema,
        version: version.or(tenant.version),
        ..tenant
    };
    let in_use = if former == tenant.schema {
        Vec::new()
    } else {
        in_use::read(connection, &tenant.schema, role.as_ref().map(Identifier::as_str)).await
    };
    Ok(Changed { outcome: RunStatus::Done, tenant, in_use })
}
