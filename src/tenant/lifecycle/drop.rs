//! `tenant drop` and `tenant undrop`: renames a tenant's schema and registry row, which frees its slug and keeps its data, and
//! renames them back.

use super::{in_use, name_references};
use crate::error::Failure;
use crate::ident::{Identifier, SchemaName, Slug, literal};
use crate::postgres::batch::{Kind, NO_IDLE_TIMEOUT, Run, SessionState, SqlBatch};
use crate::postgres::metadata::dropped::{self, DroppedTenant};
use crate::postgres::metadata::version_rows::{self, DROPPED};
use crate::postgres::metadata::{self, RunStatus, Tenant, TenantState, checks, not_dropped, roles, state};
use crate::postgres::{Connection, Row, ServerError};
use crate::tenant::operation::{self, TenantOperation};
use crate::tenant::roles::{role, sessions};
use crate::tenant::{Changed, Dropped};

/// A tenant's schema was renamed when the tenant was dropped.
const DROP: Kind = Kind::of_verb("drop");

/// A tenant's schema was renamed when the tenant was restored.
const UNDROP: Kind = Kind::of_verb("undrop");

/// The states in which a tenant can be dropped; undrop restores them.
const IN_USE: &[TenantState] = &[TenantState::Active, TenantState::Suspended, TenantState::Creating];

/// Drops a tenant: renames its schema and keeps it.
pub async fn drop(
    connection: &mut Connection,
    operation: &TenantOperation<'_>,
    slug: &Slug,
) -> Result<Dropped, Failure> {
    let (tenant, _state) = operation.find(connection, slug).await?;
    let settings = operation.settings;
    let counts = serde_json::json!({ "slug": tenant.slug, "schema": tenant.schema });
    let sets = operation
        .recorded(connection, &counts, async |connection, run| {
            let mut message = SqlBatch::default();
            operation::begin_still(&mut message, run, &tenant.schema, IN_USE);
            message.push(&version_rows::drop(&run.platform, &tenant.schema, &tenant.slug));
            message.push(&roles::enable(&run.platform, DROPPED, false));
            operation::reregister(&mut message, settings, &tenant, (DROPPED, DROPPED), None);
            operation::say(&mut message, settings, DROPPED, TenantState::Dropped);
            message.push(&checks::dependents(&run.platform, DROPPED));
            message.name_history(run, DROPPED, &tenant.schema, DROP);
            message.commit(SessionState::None);
            operation::in_turn(connection, &message, run.limits)
                .await
                .map_err(|server_error| operation::refused(&server_error, "dropping", &tenant, settings))
        })
        .await?;
    let texts = |column| -> Vec<String> {
        sets.iter().flatten().filter_map(|row: &Row| row.text(column).ok()).collect()
    };
    let dropped_schema = texts("dropped").pop().unwrap_or_default();
    let role = role::name(&sets);
    // After the commit: until then the role may log in again.
    let sessions = match &role {
        Some(role) => Some(sessions::end(connection, role).await?),
        None => None,
    };
    let schema = SchemaName::existing(dropped_schema.as_str())?;
    let in_use = in_use::read(connection, &schema, role.as_deref()).await;
    Ok(Dropped {
        role,
        sessions,
        in_use,
        outcome: RunStatus::Done,
        former_slug: tenant.slug.clone(),
        former_schema: tenant.schema.clone(),
        dependents: texts("dependent"),
        tenant: Tenant {
            schema,
            slug: dropped_schema,
            version: operation::version(&sets).or(tenant.version),
            status: TenantState::Dropped,
            ..tenant
        },
    })
}

/// Restores the tenant that had the slug and was dropped last, in its former state; under another slug if `new` is given.
pub async fn undrop(
    connection: &mut Connection,
    operation: &TenantOperation<'_>,
    slug: &Slug,
    new: Option<&Slug>,
) -> Result<Changed, Failure> {
    let settings = operation.settings;
    let state = state::read(connection, settings).await?;
    if !state.presence.own_tables || !state.presence.registry {
        return Err(not_dropped(connection, settings, slug).await);
    }
    if !state.presence.own_tables_current {
        metadata::ensure(connection, &settings.platform_schema(), settings.migrate.lock_timeout).await?;
    }
    let all = dropped::read(connection, settings, Some(slug), 0).await?;
    let Some(found) = all.iter().find(|dropped| !dropped.purging).or(all.first()) else {
        return Err(not_dropped(connection, settings, slug).await);
    };
    if found.tenant.version.is_none() {
        return Err(found.invalid_version());
    }
    let (schema, slug) = match new {
        Some(new) => (settings.tenant_schema(new)?, new.clone()),
        // A tenant without a registry row has its schema's name.
        None => (found.former_schema.clone(), Slug::new(&found.former_slug)?),
    };
    // A role is renamed with the schema, unless another tenant has that name now. The role of a copied database's original is not
    // changed.
    let role = match roles::own_of(connection, &settings.platform_schema(), &found.tenant.schema).await? {
        Some(role) if schema != found.former_schema || role.starts_with("dropped_") => {
            Some(settings.tenant_role(&schema)?)
        }
        _ => None,
    };
    let counts = serde_json::json!({ "slug": slug, "schema": schema });
    let version = operation
        .recorded(connection, &counts, async |connection, run| {
            restore(connection, operation, run, found, (&schema, &slug), role.as_ref()).await
        })
        .await?;
    let tenant = Tenant {
        slug: if found.tenant.id.is_some() { slug.to_string() } else { schema.to_string() },
        schema,
        version: version.or_else(|| found.tenant.version.clone()),
        status: found.former_status,
        ..found.tenant.clone()
    };
    Ok(Changed { outcome: RunStatus::Done, tenant, in_use: Vec::new() })
}

async fn restore(
    connection: &mut Connection,
    operation: &TenantOperation<'_>,
    run: &Run,
    found: &DroppedTenant,
    (schema, slug): (&SchemaName, &Slug),
    role: Option<&Identifier>,
) -> Result<Option<crate::chain::Version>, Failure> {
    let (settings, dropped_schema) = (operation.settings, &found.tenant.schema);
    let explained =
        |server_error: ServerError| operation::refused(&server_error, "restoring", &found.tenant, settings);
    let mut message = SqlBatch::default();
    operation::begin_still(&mut message, run, dropped_schema, &[TenantState::Dropped]);
    message.push(NO_IDLE_TIMEOUT);
    message.push(&checks::expect_free(settings, schema, slug, None));
    // Under the former name, its texts are valid again.
    if *schema != found.former_schema {
        operation::in_turn(connection, &message, run.limits).await.map_err(explained)?;
        let names = (&found.former_schema, schema);
        name_references::follow_settings(connection, &run.platform, dropped_schema, names).await?;
        let references = name_references::holding(connection, dropped_schema, &found.former_schema).await?;
        if !references.is_empty() {
            connection.run("ROLLBACK").await.map_err(explained)?;
            return Err(name_references::failure(&found.former_schema, &references));
        }
        message = SqlBatch::default();
    }
    let named = literal(schema.as_str());
    message.push_each(&version_rows::undrop(&run.platform, dropped_schema, schema));
    message.push(&roles::follow(&run.platform, schema, &found.former_schema));
    if let Some(role) = role {
        message.push(&roles::rename(&run.platform, schema, role));
    }
    message.push(&roles::enable(&run.platform, &named, found.former_status != TenantState::Suspended));
    let to = (named.as_str(), &*literal(slug.as_str()));
    operation::reregister(&mut message, settings, &found.tenant, to, None);
    operation::say(&mut message, settings, &named, found.former_status);
    message.name_history(run, &named, dropped_schema, UNDROP);
    message.commit(SessionState::None);
    let sets = operation::in_turn(connection, &message, run.limits).await.map_err(explained)?;
    Ok(operation::version(&sets))
}
