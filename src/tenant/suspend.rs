//! `tenant suspend` and `tenant resume`: the tenant's state, in one transaction. The schema is migrated all the same.

use super::act::{self, Act};
use crate::error::Failure;
use crate::ident::Slug;
use crate::outcome::{Changed, Ending, Tenant, TenantState};
use crate::postgres::Connection;
use crate::postgres::message::{Leftovers, Message};

/// Suspends the tenant: nobody is to work in it until it is resumed.
pub async fn suspend(connection: &mut Connection, act: &Act<'_>, slug: &Slug) -> Result<Changed, Failure> {
    turn(connection, act, slug, (TenantState::Active, TenantState::Suspended)).await
}

/// Takes a suspension back.
pub async fn resume(connection: &mut Connection, act: &Act<'_>, slug: &Slug) -> Result<Changed, Failure> {
    turn(connection, act, slug, (TenantState::Suspended, TenantState::Active)).await
}

async fn turn(
    connection: &mut Connection,
    act: &Act<'_>,
    slug: &Slug,
    (from, to): (TenantState, TenantState),
) -> Result<Changed, Failure> {
    let (tenant, _state) = act.find(connection, slug).await?;
    if tenant.status == to {
        return Ok(Changed { outcome: Ending::Nothing, tenant });
    }
    let doing = if to == TenantState::Active { "resuming" } else { "suspending" };
    let counts = serde_json::json!({ "slug": tenant.slug, "schema": tenant.schema });
    act.noted(connection, &counts, async |connection, run| {
        let mut message = Message::default();
        // Two who do the same at once have both done it.
        act::begin(&mut message, run, &tenant.schema, &[from, to]);
        act::enter(&mut message, act.settings, &tenant.schema, to);
        message.commit(Leftovers::None);
        let sent = connection.send(&message).await;
        sent.map_err(|refusal| act::refused(&refusal, doing, &tenant, act.settings))
    })
    .await?;
    Ok(Changed { outcome: Ending::Done, tenant: Tenant { status: to, ..tenant } })
}
