//! `tenant login`: the role of a tenant may log in with a new password, or no longer.

use super::act::{self, Act};
use super::role::Secret;
use super::sessions;
use crate::error::Failure;
use crate::ident::{Slug, literal};
use crate::outcome::{LoggedIn, TenantState};
use crate::postgres::Connection;
use crate::postgres::message::{Leftovers, Message};

/// Whether a role may log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// With a new password; an old one is worth nothing any more.
    Given,
    /// No longer.
    Revoked,
}

/// The column of the role's name.
const ROLE: &str = "tenure_role";

/// Gives the tenant's role a password, or takes it away.
pub async fn login(
    connection: &mut Connection,
    act: &Act<'_>,
    slug: &Slug,
    login: Login,
) -> Result<LoggedIn, Failure> {
    let (tenant, _state) = act.find(connection, slug).await?;
    let secret = (login == Login::Given).then(Secret::make);
    let counts = serde_json::json!({ "slug": tenant.slug, "schema": tenant.schema });
    let role = act.noted(connection, &counts, async |connection, run| {
        let mut message = Message::default();
        // What is closed is not opened that way.
        let states: &[_] = match login {
            Login::Given => &[TenantState::Active],
            Login::Revoked => &[TenantState::Active, TenantState::Suspended],
        };
        act::begin(&mut message, run, &tenant.schema, states);
        message.push(&format!(
            "SELECT {}.tenure_role_login({}, {}) AS {ROLE}",
            run.platform.quoted(),
            literal(tenant.schema.as_str()),
            Secret::literal(secret.as_ref()),
        ));
        message.commit(Leftovers::None);
        let sets = connection
            .send(&message)
            .await
            .map_err(|refusal| act::refused(&refusal, "the login of", &tenant, act.settings))?;
        Ok(sets.iter().flatten().find_map(|row| row.text(ROLE).ok()).unwrap_or_default())
    });
    let role = role.await?;
    let sessions = match login {
        Login::Given => None,
        Login::Revoked => Some(sessions::end(connection, &role).await?),
    };
    Ok(LoggedIn { tenant, role, password: secret.map(|secret| secret.password), sessions })
}
