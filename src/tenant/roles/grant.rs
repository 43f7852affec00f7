//! `tenant grant`: creates missing roles of tenants and grants missing privileges, in one transaction per tenant. Revokes
//! nothing, except from the role of another database that a copied database refers to.

use super::role::{self, Owner, Reach};
use crate::chain::Version;
use crate::error::{Code, Failure};
use crate::ident::{Identifier, Slug};
use crate::isolation::{Kind, audit};
use crate::postgres::Connection;
use crate::postgres::batch::{Run, SessionState, SqlBatch};
use crate::postgres::metadata::{self, Tenant, TenantState, state, unknown_tenant};
use crate::project::Project;
use crate::tenant::operation::{self, TenantOperation};
use crate::tenant::{FailedTenant, Granted, GrantedTenant};

/// The findings that `tenant grant` fixes.
const MENDED: &[Kind] = &[Kind::RoleMissing, Kind::RoleLacks, Kind::RoleElsewhere];

/// The states in which a tenant has its role.
const STATES: &[TenantState] = &[TenantState::Active, TenantState::Suspended, TenantState::Creating];

/// A tenant with missing privileges, and the name of its role.
struct Task {
    tenant: Tenant,
    template: String,
    role: Identifier,
    /// The platform's version.
    at: Version,
}

/// Fixes the roles of all tenants, or of those in `only`.
pub async fn grant(
    connection: &mut Connection,
    operation: &TenantOperation<'_>,
    project: &Project,
    only: &[Slug],
) -> Result<Granted, Failure> {
    if !operation.settings.tenants.roles {
        return Err(Failure::new(Code::Settings, "tenants have no roles in this project")
            .hint("set roles = true under [tenants] in tenure.toml"));
    }
    let (tenants, at) = tenants(connection, operation, only).await?;
    let (tasks, mut granted) = find_tasks(connection, operation, project, (tenants, at)).await?;
    if tasks.is_empty() {
        return Ok(granted);
    }
    let counts = serde_json::json!({ "tenants": tasks.len() });
    operation
        .recorded(connection, &counts, async |connection, run| {
            for task in tasks {
                let slug = task.tenant.slug.clone();
                match one(connection, operation, project, run, &task).await {
                    Ok(()) => {
                        granted.granted.push(GrantedTenant {
                            slug,
                            schema: task.tenant.schema,
                            role: task.role,
                        });
                    }
                    Err(failure) => granted.failures.push(FailedTenant { slug, failure }),
                }
            }
            Ok(granted)
        })
        .await
}

/// The selected tenants; upgrades Tenure's own tables if necessary.
async fn tenants(
    connection: &mut Connection,
    operation: &TenantOperation<'_>,
    only: &[Slug],
) -> Result<(Vec<Tenant>, Version), Failure> {
    let state = state::read(connection, operation.settings).await?;
    let rows = state::tenants(connection, operation.settings, state.presence, only).await?;
    let tenants: Vec<_> = rows.into_iter().filter(|row| row.version.is_some()).collect();
    for slug in only {
        if !tenants.iter().any(|tenant| tenant.slug == slug.as_str()) {
            return Err(unknown_tenant(connection, operation.settings, slug).await);
        }
    }
    if !state.presence.own_tables_current && !tenants.is_empty() {
        metadata::ensure(
            connection,
            &operation.settings.platform_schema(),
            operation.settings.migrate.lock_timeout,
        )
        .await?;
    }
    Ok((tenants, state.platform))
}

/// Separates the tenants that lack nothing and those whose role cannot be named.
async fn find_tasks(
    connection: &mut Connection,
    operation: &TenantOperation<'_>,
    project: &Project,
    (tenants, at): (Vec<Tenant>, Version),
) -> Result<(Vec<Task>, Granted), Failure> {
    let audited_tenants = audit::audited_tenants(connection, operation.settings).await?;
    let facts = audit::missing_privileges(connection, project, &audited_tenants).await?;
    let missing_privileges = audit::schemas_of(&facts, MENDED);
    let elsewhere = audit::schemas_of(&facts, &[Kind::RoleElsewhere]);
    let (mut tasks, mut granted) = (Vec::new(), Granted::default());
    for tenant in tenants {
        let who = audited_tenants.iter().find(|who| who.schema == tenant.schema);
        let Some(who) = who.filter(|_| missing_privileges.contains(&tenant.schema)) else {
            granted.unchanged += 1;
            continue;
        };
        // A role keeps its name if the prefix changes; a role of another database is replaced.
        let kept = who.role.clone().filter(|_| !elsewhere.contains(&tenant.schema));
        let role = match kept {
            Some(kept) => Identifier::new(kept).map_err(Failure::from),
            None => operation.settings.tenant_role(&tenant.schema).map_err(Failure::from),
        };
        match role {
            Ok(role) => tasks.push(Task { tenant, template: who.template.clone(), role, at: at.clone() }),
            Err(failure) => granted.failures.push(FailedTenant { slug: tenant.slug, failure }),
        }
    }
    Ok((tasks, granted))
}

async fn one(
    connection: &mut Connection,
    operation: &TenantOperation<'_>,
    project: &Project,
    run: &Run,
    task: &Task,
) -> Result<(), Failure> {
    let template = project.template(Some(&task.template))?;
    let mut message = SqlBatch::default();
    operation::begin(&mut message, run, &task.tenant.schema, STATES);
    let owner = Owner { schema: &task.tenant.schema, template, version: &task.at, reach: Reach::Filled };
    role::make(&mut message, project, &owner, (&task.role, None))?;
    message.commit(SessionState::None);
    let sent = connection.send(&message).await;
    sent.map(drop).map_err(|server_error| {
        operation::refused(&server_error, "granting", &task.tenant, operation.settings)
    })
}
