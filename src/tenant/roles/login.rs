//! `tenant login`: the role of a tenant may log in with a new password, or no longer.

use super::role::{self, Secret};
use super::sessions;
use crate::error::Failure;
use crate::ident::{SchemaName, Slug};
use crate::postgres::Connection;
use crate::postgres::batch::{SessionState, SqlBatch};
use crate::postgres::metadata::{TenantState, roles};
use crate::tenant::operation::{self, TenantOperation};
use crate::tenant::{LoggedIn, cleanup};

/// Whether a role may log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// With a new password; an old one is worth nothing any more.
    Given,
    /// No longer.
    Revoked,
}

/// Takes away the passwords of new logins that nobody has seen.
pub async fn withdraw(
    connection: &mut Connection,
    operation: &TenantOperation<'_>,
    schemas: &[SchemaName],
) -> Result<(), Failure> {
    let counts = serde_json::json!({ "tenants": schemas.len() });
    operation
        .noted(connection, &counts, async |connection, run| {
            for some in schemas.chunks(AT_ONCE) {
                let mut message = SqlBatch::default();
                let mut statements = some.iter().map(|schema| roles::login(&run.platform, schema, "NULL"));
                message.begin(run.limits, &statements.next().unwrap_or_default());
                statements.for_each(|statement| message.push(&statement));
                message.commit(SessionState::None);
                let sent = connection.send(&message).await;
                sent.map_err(|server_error| {
                    server_error.failure("taking away passwords that nobody has seen")
                })?;
            }
            Ok(())
        })
        .await
}

/// So many roles are changed in one transaction.
const AT_ONCE: usize = 100;

/// Gives the tenant's role a password, or takes it away.
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
    let noted = operation.noted(connection, &counts, async |connection, run| {
        let mut message = SqlBatch::default();
        // What is closed is not opened that way.
        let states: &[_] = match login {
            Login::Given => &[TenantState::Active],
            Login::Revoked => &[TenantState::Active, TenantState::Suspended],
        };
        operation::begin(&mut message, run, &tenant.schema, states);
        let verifier = Secret::literal(secret.as_ref());
        message.push(&roles::login(&run.platform, &tenant.schema, &verifier));
        message.commit(SessionState::None);
        // Where the answer is lost, the same password is given again.
        let sets = cleanup::send(connection, &message, |_| false).await.map_err(|server_error| {
            operation::refused(&server_error, "the login of", &tenant, operation.settings)
        })?;
        role = Some(role::name(&sets).unwrap_or_default());
        Ok(())
    });
    let noted = noted.await;
    let role = match role {
        // A password that the role has must be shown, also where the run's end could not be noted.
        Some(role) if login == Login::Given => role,
        role => noted.map(|()| role.unwrap_or_default())?,
    };
    let sessions = match login {
        Login::Given => None,
        Login::Revoked => Some(sessions::end(connection, &role).await?),
    };
    Ok(LoggedIn { tenant, role, password: secret.map(|secret| secret.password), sessions })
}
