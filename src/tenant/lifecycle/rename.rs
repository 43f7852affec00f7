//! `tenant rename`: schema, role, registry, version row and history in one transaction. What holds the old name in its text
//! is found inside that transaction, and then nothing is renamed.

use super::name_references;
use crate::error::Failure;
use crate::ident::{SchemaName, Slug, literal};
use crate::postgres::Connection;
use crate::postgres::batch::{Kind, NO_IDLE_TIMEOUT, SessionState, SqlBatch};
use crate::postgres::metadata::{RunStatus, Tenant, TenantState};
use crate::tenant::Changed;
use crate::tenant::operation::{self, TenantOperation};
use crate::tenant::roles::{role, sessions};

/// A tenant's schema got another name: the row has the new one, and as its name the one before.
const RENAME: Kind = Kind::of_verb("rename");

/// What a tenant is to be called.
#[derive(Debug, Clone)]
pub struct NewName {
    /// Its slug.
    pub slug: Slug,
    /// Its display name, if that changes too.
    pub name: Option<String>,
}

/// Gives the tenant `slug` another slug, and its schema the name that follows from it.
pub async fn rename(
    connection: &mut Connection,
    operation: &TenantOperation<'_>,
    slug: &Slug,
    new: &NewName,
) -> Result<Changed, Failure> {
    let settings = operation.settings;
    let platform = settings.platform_schema();
    let schema = SchemaName::of(&settings.tenants.schema_prefix, &new.slug, &platform)?;
    let (tenant, _state) = operation.find(connection, slug).await?;
    // Whom the registry does not know is called by the schema.
    let has_slug = tenant.id.is_none() || tenant.slug == new.slug.as_str();
    if tenant.schema == schema && has_slug && new.name.is_none() {
        return Ok(Changed { outcome: RunStatus::Nothing, tenant });
    }
    // What has a role needs a name for it.
    let role = match sessions::role_of(connection, settings, &tenant.schema).await? {
        Some(_) if tenant.schema != schema => Some(settings.tenant_role(&schema)?),
        _ => None,
    };
    let counts = serde_json::json!({ "slug": tenant.slug, "to": new.slug, "schema": schema });
    let version = operation
        .noted(connection, &counts, async |connection, run| {
            let explained = |server_error| operation::refused(&server_error, "renaming", &tenant, settings);
            let is_new = tenant.schema != schema;
            let mut message = SqlBatch::default();
            operation::begin_still(
                &mut message,
                run,
                &tenant.schema,
                &[TenantState::Active, TenantState::Suspended],
            );
            // The server's time between our messages is ours.
            message.push(NO_IDLE_TIMEOUT);
            operation::expect_free_but(&mut message, settings, &tenant, (&schema, &new.slug));
            operation::in_turn(connection, &message, run.limits).await.map_err(explained)?;
            if is_new {
                let held = name_references::of(connection, &tenant.schema, &schema).await?;
                if !held.is_empty() {
                    connection.run("ROLLBACK").await.map_err(explained)?;
                    return Err(name_references::server_error(&tenant.schema, &held));
                }
            }
            let mut message = SqlBatch::default();
            let named = literal(schema.as_str());
            if is_new {
                message.push(&format!(
                    "UPDATE {}.tenant_version SET schema_name = {named} WHERE schema_name = {}",
                    run.platform.quoted(),
                    literal(tenant.schema.as_str())
                ));
            }
            if let Some(role) = &role {
                message.push(&role::renaming(&run.platform, &schema, role));
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
    // Whom the registry does not know is called by the schema.
    let slug = if tenant.id.is_some() { new.slug.to_string() } else { schema.to_string() };
    let tenant = Tenant {
        slug,
        name: new.name.clone().filter(|_| tenant.id.is_some()).or(tenant.name),
        schema,
        version: version.or(tenant.version),
        ..tenant
    };
    Ok(Changed { outcome: RunStatus::Done, tenant })
}
