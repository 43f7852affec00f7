//! `tenant suspend` and `tenant resume`: the tenant's state, and whether its role may log in, in one transaction. The
//! schema is migrated all the same.

use super::act::{self, Act};
use super::{role, sessions};
use crate::error::Failure;
use crate::ident::{Slug, literal};
use crate::outcome::{Changed, Ending, Tenant, TenantState, Turned};
use crate::postgres::message::{Leftovers, Message};
use crate::postgres::{Connection, Row};

/// Suspends the tenant: nobody is to work in it until it is resumed. Its role, if it has one, may no longer log in,
/// and its open sessions are ended.
pub async fn suspend(connection: &mut Connection, act: &Act<'_>, slug: &Slug) -> Result<Turned, Failure> {
    let mut turned = turn(connection, act, slug, (TenantState::Active, TenantState::Suspended)).await?;
    if turned.changed.outcome == Ending::Nothing {
        // Whoever suspended it may have been stopped before the sessions were ended.
        turned.role = sessions::own_role_of(connection, act.settings, &turned.changed.tenant.schema).await?;
    }
    // Not before the commit: until then the role may log in again.
    if let Some(role) = &turned.role {
        turned.sessions = Some(sessions::end(connection, role).await?);
    }
    Ok(turned)
}

/// Takes a suspension back: the role may log in if it could before.
pub async fn resume(connection: &mut Connection, act: &Act<'_>, slug: &Slug) -> Result<Turned, Failure> {
    turn(connection, act, slug, (TenantState::Suspended, TenantState::Active)).await
}

async fn turn(
    connection: &mut Connection,
    act: &Act<'_>,
    slug: &Slug,
    (from, to): (TenantState, TenantState),
) -> Result<Turned, Failure> {
    let (tenant, _state) = act.find(connection, slug).await?;
    if tenant.status == to {
        let changed = Changed { outcome: Ending::Nothing, tenant };
        return Ok(Turned { changed, role: None, sessions: None });
    }
    let opens = to == TenantState::Active;
    let doing = if opens { "resuming" } else { "suspending" };
    let counts = serde_json::json!({ "slug": tenant.slug, "schema": tenant.schema });
    let sets = act.noted(connection, &counts, async |connection, run| {
        let mut message = Message::default();
        // Two who do the same at once have both done it.
        act::begin(&mut message, run, &tenant.schema, &[from, to]);
        act::enter(&mut message, act.settings, &tenant.schema, to);
        message.push(&role::turning(&run.platform, &literal(tenant.schema.as_str()), opens));
        message.commit(Leftovers::None);
        let sent = connection.send(&message).await;
        sent.map_err(|refusal| act::refused(&refusal, doing, &tenant, act.settings))
    });
    let sets: Vec<Vec<Row>> = sets.await?;
    let role = role::turned(&sets);
    let changed = Changed { outcome: Ending::Done, tenant: Tenant { status: to, ..tenant } };
    Ok(Turned { changed, role, sessions: None })
}
