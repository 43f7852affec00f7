//! Tenants: made from a template and the steps after it, listed, shown. One tenant is one message in one
//! transaction: it is there whole or not at all.
#![expect(clippy::disallowed_methods, reason = "a pause between two tries is real time")]

mod act;
mod audit;
mod create;
mod grant;
mod login;
mod role;
mod script;
mod sessions;
mod suspend;
mod wanted;

pub use act::Act;
pub use audit::audit;
pub use create::{Creation, IfExists, create};
pub use grant::grant;
pub use login::{Login, login};
pub use role::NewRole;
pub use suspend::{resume, suspend};
pub use wanted::{NewTenant, from_csv};

use crate::error::Failure;
use crate::fleet::unknown_tenant;
use crate::ident::Slug;
use crate::outcome::{HistoryEntry, Tenant, TenantList};
use crate::postgres::{Connection, history, state};
use crate::settings::Settings;

/// All tenants, in order of their schemas.
pub async fn list(connection: &mut Connection, settings: &Settings) -> Result<TenantList, Failure> {
    let presence = state::presence(connection, settings).await?;
    Ok(TenantList { tenants: state::tenants(connection, settings, presence, &[]).await? })
}

/// One tenant, with its history.
pub async fn show(
    connection: &mut Connection,
    settings: &Settings,
    slug: &Slug,
) -> Result<(Tenant, Vec<HistoryEntry>), Failure> {
    let presence = state::presence(connection, settings).await?;
    let rows = state::tenants(connection, settings, presence, std::slice::from_ref(slug)).await?;
    let tenant = rows.into_iter().next().ok_or_else(|| unknown_tenant(slug))?;
    let entries = if presence.own_tables {
        history::read(connection, &settings.platform_schema(), &tenant.schema).await?
    } else {
        Vec::new()
    };
    Ok((tenant, entries))
}
