//! Tenants: creates them from a template and its later steps, copies, changes, lists and shows them. A tenant is created in one
//! transaction if the result equals a migrated tenant; otherwise it is in the state `creating` until its steps are done.
//! Migrations of existing tenants are in `migrate` and `executor`.
#![expect(clippy::disallowed_methods, reason = "a pause between two tries is real time")]

mod cleanup;
pub mod copy;
pub mod create;
pub mod lifecycle;
mod name_ownership;
mod operation;
pub mod pool;
mod provisioning;
mod reference;
mod result;
pub mod roles;
mod scratch;
pub mod text;

pub use copy::{
    AdoptAll, Adopted, AdoptedAll, Adoption, Cloned, Cloning, Differs, ExportFile, Exported, Extent,
    IfDifferent, Imported, NotAdopted, Restored, Target, adopt, adopt_all, clone, export, import,
    import_on_throwaway_database, restore,
};
pub use create::{
    After, Creation, Hook, IfExists, NewTenant, RegistryValues, create, from_csv, without_schema,
};
pub use lifecycle::{
    Dropped, Kept, NewName, Purge, Purged, PurgedTenant, RegistryRow, candidates, drop, purge, rename,
    resume, suspend, undrop,
};
pub use operation::TenantOperation;
pub use reference::expected_schema;
pub use result::{Changed, Created, CreatedTenant, FailedTenant, TenantList};
pub(crate) use roles::Secret;
pub use roles::{
    Granted, GrantedTenant, LoggedIn, Login, LoginChange, NewRole, Password, Sessions, give_existing_role,
    grant, login, role_names, withdraw,
};

use crate::error::Failure;
use crate::ident::Slug;
use crate::postgres::Connection;
use crate::postgres::metadata::tenant_registry::{self, Wanted};
use crate::postgres::metadata::{self, HistoryEntry, ListedTenant, Tenant, history, state, unknown_tenant};
use crate::settings::Settings;

/// The selected tenants, in the order of their slugs.
pub async fn list(
    connection: &mut Connection,
    settings: &Settings,
    wanted: &Wanted,
) -> Result<TenantList, Failure> {
    let presence = state::presence(connection, settings).await?;
    // One row more shows whether there are more.
    let limit = wanted.limit.map(|limit| limit.saturating_add(1));
    let one_more = Wanted { limit, ..wanted.clone() };
    let (mut tenants, without_schema) =
        tenant_registry::read_and_count(connection, settings, presence, &one_more).await?;
    let is_cut = wanted.limit.is_some_and(|limit| tenants.len() > limit);
    tenants.truncate(wanted.limit.unwrap_or(tenants.len()));
    let next = tenants.last().filter(|_| is_cut).map(|last| last.tenant.slug.clone());
    Ok(TenantList { tenants, next, without_schema: (without_schema > 0).then_some(without_schema) })
}

/// A tenant in any state, with its history.
pub async fn show(
    connection: &mut Connection,
    settings: &Settings,
    slug: &Slug,
) -> Result<(Tenant, Vec<HistoryEntry>), Failure> {
    let presence = state::presence(connection, settings).await?;
    let wanted = Wanted { slugs: vec![slug.clone()], every_state: true, ..Wanted::default() };
    let rows = tenant_registry::read(connection, settings, presence, &wanted).await?;
    let Some(ListedTenant { tenant, .. }) = rows.into_iter().next() else {
        return Err(unknown_tenant(connection, settings, slug).await);
    };
    let entries = if presence.own_tables {
        history::read(connection, &settings.platform_schema(), &tenant.schema).await?
    } else {
        Vec::new()
    };
    Ok((tenant, entries))
}

/// The name of a tenant's role: that in the version row, or else the default name.
pub async fn called(
    connection: &mut Connection,
    settings: &Settings,
    tenant: &Tenant,
) -> Result<String, Failure> {
    let schema = &tenant.schema;
    let usual = || settings.tenant_role(schema).map_or_else(|_| schema.to_string(), |name| name.to_string());
    // Without a version there is no version row.
    let role = match tenant.version {
        Some(_) => metadata::roles::of(connection, &settings.platform_schema(), schema).await?,
        None => None,
    };
    Ok(role.unwrap_or_else(usual))
}
