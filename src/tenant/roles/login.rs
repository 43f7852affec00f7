//! `tenant login`: gives a tenant's role a new password, or revokes its login.

use super::role::{self, Secret};
use super::sessions;
use crate::error::Failure;
use crate::ident::{SchemaName, Slug};
use crate::postgres::Connection;
use crate::postgres::batch::{SessionState, SqlBatch};
use crate::postgres::metadata::{TenantState, roles};
use crate::tenant::operation::{self, TenantOperation};
use crate::tenant::{LoggedIn, cleanup};

/// The change of a role's login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// Log in with a new password, which replaces the old one.
    Given,
    /// No login.
    Revoked,
}

/// Revokes new logins whose passwords could not be shown.
pub async fn withdraw(
    connection: &mut Connection,
    operation: &TenantOperation<'_>,
    schemas: &[SchemaName],
) -> Result<(), Failure> {
    let counts = serde_json::json!({ "tenants": schemas.len() });
    operation
        .recorded(connection, &counts, async |connection, run| {
            for some in schemas.chunks(AT_ONCE) {
                let mut message = SqlBatch::default();
                let mut statements = some.iter().map(|schema| roles::login(&run.platform, schema, "NULL"));
                message.begin(run.limits, &statements.next().unwrap_or_default());
                statements.for_each(|statement| message.push(&statement));
                message.commit(SessionState::None);
                let sent = connection.send(&message).await;
                sent.map_err(|server_error| server_error.failure("revoking passwords that were not shown"))?;
            }
            Ok(())
        })
        .await
}

/// The number of roles that are changed in one transaction.
const AT_ONCE: usize = 100;

/// Sets a new password for the tenant's role, or revokes its login.
pub async fn login(
    connection: &mut Connection,
    operation: &TenantOperation<'_>,
    slug: &Slug,
    login: Login,
) -> Result<LoggedIn, Failure> {
    let (tenant, _state) = operation.find(connection, slug).await?;
    let secret = (login == Login::Given).then(Secret::make);
    let counts = serde_json::json!({ "slug": tenant.slug, "schema": tenant.schema });
    let mut role = None;
    let recorded = operation.recorded(connection, &counts, async |connection, run| {
        let mut message = SqlBatch::default();
        // A suspended tenant stays closed.
        let states: &[_] = match login {
            Login::Given => &[TenantState::Active],
            Login::Revoked => &[TenantState::Active, TenantState::Suspended],
        };
        operation::begin(&mut message, run, &tenant.schema, states);
        let verifier = Secret::literal(secret.as_ref());
        message.push(&roles::login(&run.platform, &tenant.schema, &verifier));
        message.commit(SessionState::None);
        // If the answer is lost, the same password is set again.
        let sets = cleanup::send(connection, &message, |_| false).await.map_err(|server_error| {
            operation::refused(&server_error, "the login of", &tenant, operation.settings)
        })?;
        role = Some(role::name(&sets).unwrap_or_default());
        Ok(())
    });
    let recorded = recorded.await;
    let role = match role {
        // A new password must be shown even if the run's end was not recorded.
        Some(role) if login == Login::Given => role,
        role => recorded.map(|()| role.unwrap_or_default())?,
    };
    let sessions = match login {
        Login::Given => None,
        Login::Revoked => Some(sessions::end(connection, &role).await?),
    };
    Ok(LoggedIn { tenant, role, password: secret.map(|secret| secret.password), sessions })
}
