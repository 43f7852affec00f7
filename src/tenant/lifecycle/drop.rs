//! `tenant drop` and `tenant undrop`: a tenant is put aside whole under a name of its own, so that its slug is free and
//! nothing is lost, and is brought back from there.

use super::name_references;
use crate::error::{Code, Failure};
use crate::ident::{Identifier, SchemaName, Slug, literal};
use crate::postgres::batch::{Kind, NO_IDLE_TIMEOUT, Run, SessionState, SqlBatch};
use crate::postgres::metadata::dropped::{self, DroppedTenant};
use crate::postgres::metadata::version_rows::{self, DROPPED};
use crate::postgres::metadata::{self, RunStatus, Tenant, TenantState, checks, roles, state};
use crate::postgres::{Connection, Row, ServerError};
use crate::tenant::operation::{self, TenantOperation};
use crate::tenant::roles::{role, sessions};
use crate::tenant::{Changed, Dropped};

/// States that a tenant may have when it is dropped, and gets back.
const IN_USE: &[TenantState] = &[TenantState::Active, TenantState::Suspended, TenantState::Creating];

/// Puts the tenant aside.
pub async fn drop(
    connection: &mut Connection,
    operation: &TenantOperation<'_>,
    slug: &Slug,
) -> Result<Dropped, Failure> {
    let (tenant, _state) = operation.find(connection, slug).await?;
    let settings = operation.settings;
    let counts = serde_json::json!({ "slug": tenant.slug, "schema": tenant.schema });
    let sets = operation
        .noted(connection, &counts, async |connection, run| {
            let mut message = SqlBatch::default();
            operation::begin_still(&mut message, run, &tenant.schema, IN_USE);
            message.push(&version_rows::drop(&run.platform, &tenant.schema, &tenant.slug));
            message.push(&roles::enable(&run.platform, DROPPED, false));
            operation::reregister(&mut message, settings, &tenant, (DROPPED, DROPPED), None);
            operation::say(&mut message, settings, DROPPED, TenantState::Dropped);
            message.push(&checks::dependents(&run.platform, DROPPED));
            message.name_history(run, DROPPED, &tenant.schema, Kind::Drop);
            message.commit(SessionState::None);
            operation::in_turn(connection, &message, run.limits)
                .await
                .map_err(|server_error| operation::refused(&server_error, "dropping", &tenant, settings))
        })
        .await?;
    let texts = |column| -> Vec<String> {
        sets.iter().flatten().filter_map(|row: &Row| row.text(column).ok()).collect()
    };
    let aside = texts("dropped").pop().unwrap_or_default();
    let role = role::name(&sets);
    // Not before the commit: until then the role may log in again.
    let sessions = match &role {
        Some(role) => Some(sessions::end(connection, role).await?),
        None => None,
    };
    Ok(Dropped {
        role,
        sessions,
        outcome: RunStatus::Done,
        former_slug: tenant.slug.clone(),
        former_schema: tenant.schema.clone(),
        dependents: texts("dependent"),
        tenant: Tenant {
            schema: SchemaName::existing(aside.as_str())?,
            slug: aside,
            version: operation::version(&sets).or(tenant.version),
            status: TenantState::Dropped,
            ..tenant
        },
    })
}

/// Brings back the tenant that had the slug and was dropped last, in the state that it had; under another slug, if said.
pub async fn undrop(
    connection: &mut Connection,
    operation: &TenantOperation<'_>,
    slug: &Slug,
    new: Option<&Slug>,
) -> Result<Changed, Failure> {
    let settings = operation.settings;
    let state = state::read(connection, settings).await?;
    if !state.presence.own_tables || !state.presence.registry {
        return Err(unknown(slug));
    }
    if !state.presence.own_tables_current {
        metadata::ensure(connection, &settings.platform_schema(), settings.migrate.lock_timeout).await?;
    }
    let all = dropped::read(connection, settings, Some(slug), 0).await?;
    let Some(found) = all.iter().find(|aside| !aside.purging).or(all.first()) else {
        return Err(unknown(slug));
    };
    if found.tenant.version.is_none() {
        return Err(found.invalid_version());
    }
    let (schema, slug) = match new {
        Some(new) => {
            let platform = settings.platform_schema();
            (SchemaName::of(&settings.tenants.schema_prefix, new, &platform)?, new.clone())
        }
        // A tenant that the registry does not know was called by its schema.
        None => (found.former_schema.clone(), Slug::new(&found.former_slug)?),
    };
    // A role keeps its name with the schema, unless another tenant was given that meanwhile; that of a copy's original is left
    // alone.
    let role = match roles::own_of(connection, &settings.platform_schema(), &found.tenant.schema).await? {
        Some(role) if schema != found.former_schema || role.starts_with("dropped_") => {
            Some(settings.tenant_role(&schema)?)
        }
        _ => None,
    };
    let counts = serde_json::json!({ "slug": slug, "schema": schema });
    let version = operation
        .noted(connection, &counts, async |connection, run| {
            back(connection, operation, run, found, (&schema, &slug), role.as_ref()).await
        })
        .await?;
    let tenant = Tenant {
        slug: if found.tenant.id.is_some() { slug.to_string() } else { schema.to_string() },
        schema,
        version: version.or_else(|| found.tenant.version.clone()),
        status: found.former_status,
        ..found.tenant.clone()
    };
    Ok(Changed { outcome: RunStatus::Done, tenant })
}

async fn back(
    connection: &mut Connection,
    operation: &TenantOperation<'_>,
    run: &Run,
    found: &DroppedTenant,
    (schema, slug): (&SchemaName, &Slug),
    role: Option<&Identifier>,
) -> Result<Option<crate::chain::Version>, Failure> {
    let (settings, aside) = (operation.settings, &found.tenant.schema);
    let explained = |server_error: ServerError| {
        operation::refused(&server_error, "bringing back", &found.tenant, settings)
    };
    let mut message = SqlBatch::default();
    operation::begin_still(&mut message, run, aside, &[TenantState::Dropped]);
    message.push(NO_IDLE_TIMEOUT);
    message.push(&checks::expect_free(settings, schema, slug, None));
    // Under its old name its texts are right again.
    if *schema != found.former_schema {
        operation::in_turn(connection, &message, run.limits).await.map_err(explained)?;
        let held = name_references::holding(connection, aside, &found.former_schema).await?;
        if !held.is_empty() {
            connection.run("ROLLBACK").await.map_err(explained)?;
            return Err(name_references::server_error(&found.former_schema, &held));
        }
        message = SqlBatch::default();
    }
    let named = literal(schema.as_str());
    message.push_each(&version_rows::undrop(&run.platform, aside, schema));
    if let Some(role) = role {
        message.push(&roles::rename(&run.platform, schema, role));
    }
    message.push(&roles::enable(&run.platform, &named, found.former_status != TenantState::Suspended));
    let to = (named.as_str(), &*literal(slug.as_str()));
    operation::reregister(&mut message, settings, &found.tenant, to, None);
    operation::say(&mut message, settings, &named, found.former_status);
    message.name_history(run, &named, aside, Kind::Undrop);
    message.commit(SessionState::None);
    let sets = operation::in_turn(connection, &message, run.limits).await.map_err(explained)?;
    Ok(operation::version(&sets))
}

/// Nobody of that slug was dropped, or what was is deleted.
pub(in crate::tenant) fn unknown(slug: &Slug) -> Failure {
    Failure::new(Code::TenantUnknown, format!("no tenant {:?} was dropped", slug.as_str()))
        .hint("`tenure tenant list --status dropped` shows those that were")
}
