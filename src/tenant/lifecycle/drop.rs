//! `tenant drop` and `tenant undrop`: a tenant is put aside whole under a name of its own, so that its slug is free and
//! nothing is lost, and is brought back from there.

use super::name_references;
use crate::error::{Code, Failure};
use crate::ident::{Identifier, SchemaName, Slug, literal};
use crate::postgres::batch::{Kind, NO_IDLE_TIMEOUT, Run, SessionState, SqlBatch};
use crate::postgres::metadata::dropped::{self, DroppedTenant};
use crate::postgres::metadata::{self, RunStatus, Tenant, TenantState, state};
use crate::postgres::{Connection, Row, ServerError};
use crate::tenant::operation::{self, TenantOperation};
use crate::tenant::roles::{role, sessions};
use crate::tenant::{Changed, Dropped};

/// A schema got another name when its tenant was put aside.
const DROP: Kind = Kind::of_verb("drop");

/// The same, when the tenant was brought back.
const UNDROP: Kind = Kind::of_verb("undrop");

/// What the server called a tenant that it put aside.
const ASIDE: &str = "current_setting('tenure.aside')";

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
            message.push(&format!(
                "SELECT {}.tenure_put_aside({}, {}) AS aside",
                run.platform.quoted(),
                literal(tenant.schema.as_str()),
                literal(&tenant.slug)
            ));
            message.push(&role::turning(&run.platform, ASIDE, false));
            operation::reregister(&mut message, settings, &tenant, (ASIDE, ASIDE), None);
            operation::say(&mut message, settings, ASIDE, TenantState::Dropped);
            message.push(&format!(
                "SELECT dependent FROM {}.tenure_dependents({ASIDE}) AS dependent",
                run.platform.quoted()
            ));
            message.name_history(run, ASIDE, &tenant.schema, DROP);
            message.commit(SessionState::None);
            operation::in_turn(connection, &message, run.limits)
                .await
                .map_err(|server_error| operation::refused(&server_error, "dropping", &tenant, settings))
        })
        .await?;
    let texts = |column| -> Vec<String> {
        sets.iter().flatten().filter_map(|row: &Row| row.text(column).ok()).collect()
    };
    let aside = texts("aside").pop().unwrap_or_default();
    let role = role::turned(&sets);
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
        let message = format!("the row of {} in tenant_version has an invalid version", found.tenant.schema);
        return Err(Failure::new(Code::DatabaseVersionUnknown, message)
            .hint("put the version that its schema has into that row, then run the command again"));
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
    let role = match sessions::own_role_of(connection, settings, &found.tenant.schema).await? {
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
    operation::expect_free(&mut message, settings, schema, slug);
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
    message.push(&format!(
        "SELECT {}.tenure_bring_back({}, {named})",
        run.platform.quoted(),
        literal(aside.as_str())
    ));
    if let Some(role) = role {
        message.push(&role::renaming(&run.platform, schema, role));
    }
    message.push(&role::turning(&run.platform, &named, found.former_status != TenantState::Suspended));
    let to = (named.as_str(), &*literal(slug.as_str()));
    operation::reregister(&mut message, settings, &found.tenant, to, None);
    operation::say(&mut message, settings, &named, found.former_status);
    message.name_history(run, &named, aside, UNDROP);
    message.commit(SessionState::None);
    let sets = operation::in_turn(connection, &message, run.limits).await.map_err(explained)?;
    Ok(operation::version(&sets))
}

/// Nobody of that slug was dropped, or what was is deleted.
pub(in crate::tenant) fn unknown(slug: &Slug) -> Failure {
    Failure::new(Code::TenantUnknown, format!("no tenant {:?} was dropped", slug.as_str()))
        .hint("`tenure tenant list --status dropped` shows those that were")
}
