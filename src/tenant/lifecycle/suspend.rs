//! `tenant suspend` and `tenant resume`: changes the tenant's state and its role's LOGIN attribute in one transaction. A
//! suspended tenant is still migrated.

use crate::error::Failure;
use crate::ident::{Slug, literal};
use crate::postgres::batch::{SessionState, SqlBatch};
use crate::postgres::metadata::{RunStatus, Tenant, TenantState, roles};
use crate::postgres::{Connection, Row};
use crate::tenant::operation::{self, TenantOperation};
use crate::tenant::roles::{role, sessions};
use crate::tenant::{Changed, LoginChange};

/// Suspends the tenant. Its role, if any, can no longer log in, and its sessions are ended.
pub async fn suspend(
    connection: &mut Connection,
    operation: &TenantOperation<'_>,
    slug: &Slug,
) -> Result<LoginChange, Failure> {
    let mut turned = turn(connection, operation, slug, (TenantState::Active, TenantState::Suspended)).await?;
    if turned.changed.outcome == RunStatus::Nothing {
        // An earlier run may have been stopped before it ended the sessions.
        turned.role =
            roles::own_of(connection, &operation.settings.platform_schema(), &turned.changed.tenant.schema)
                .await?;
    }
    // After the commit: until then the role may log in again.
    if let Some(role) = &turned.role {
        turned.sessions = Some(sessions::end(connection, role).await?);
    }
    Ok(turned)
}

/// Resumes the tenant. The role can log in if it could before the suspension.
pub async fn resume(
    connection: &mut Connection,
    operation: &TenantOperation<'_>,
    slug: &Slug,
) -> Result<LoginChange, Failure> {
    turn(connection, operation, slug, (TenantState::Suspended, TenantState::Active)).await
}

async fn turn(
    connection: &mut Connection,
    operation: &TenantOperation<'_>,
    slug: &Slug,
    (from, to): (TenantState, TenantState),
) -> Result<LoginChange, Failure> {
    let (tenant, _state) = operation.find(connection, slug).await?;
    if tenant.status == to {
        let changed = Changed { outcome: RunStatus::Nothing, tenant, in_use: Vec::new() };
        return Ok(LoginChange { changed, role: None, sessions: None });
    }
    let opens = to == TenantState::Active;
    let doing = if opens { "resuming" } else { "suspending" };
    let counts = serde_json::json!({ "slug": tenant.slug, "schema": tenant.schema });
    let sets = operation.recorded(connection, &counts, async |connection, run| {
        let mut message = SqlBatch::default();
        // Either state is accepted, so that concurrent runs both succeed.
        operation::begin(&mut message, run, &tenant.schema, &[from, to]);
        operation::enter(&mut message, operation.settings, &tenant.schema, to);
        message.push(&roles::enable(&run.platform, &literal(tenant.schema.as_str()), opens));
        message.commit(SessionState::None);
        let sent = connection.send(&message).await;
        sent.map_err(|server_error| operation::refused(&server_error, doing, &tenant, operation.settings))
    });
    let sets: Vec<Vec<Row>> = sets.await?;
    let role = role::name(&sets);
    let changed =
        Changed { outcome: RunStatus::Done, tenant: Tenant { status: to, ..tenant }, in_use: Vec::new() };
    Ok(LoginChange { changed, role, sessions: None })
}
