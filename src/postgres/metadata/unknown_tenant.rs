//! The failure for a slug that no tenant has. It suggests similar slugs.

use super::tenant_registry::{self, Wanted};
use super::{dropped, state};
use crate::error::{Code, Failure, did_you_mean};
use crate::ident::Slug;
use crate::postgres::Connection;
use crate::settings::Settings;

/// The failure for a tenant that does not exist or has no version.
pub async fn unknown_tenant(connection: &mut Connection, settings: &Settings, slug: &Slug) -> Failure {
    let failure =
        Failure::new(Code::TenantUnknown, format!("no tenant {:?} with a version exists", slug.as_str()));
    let hint = suggestion(connection, settings, slug).await;
    failure.hint(hint.unwrap_or_else(|| "`tenure tenant list` shows the tenants".to_owned()))
}

/// `None` if no slug is similar, or if the tenants cannot be read.
async fn suggestion(connection: &mut Connection, settings: &Settings, slug: &Slug) -> Option<String> {
    let presence = state::presence(connection, settings).await.ok()?;
    let has_dropped = presence.own_tables && presence.registry;
    if has_dropped && !dropped::read(connection, settings, Some(slug), 0).await.ok()?.is_empty() {
        return Some(format!("it was dropped: `tenure tenant undrop {slug}` restores it"));
    }
    let wanted = Wanted { lenient: true, ..Wanted::default() };
    let tenants = tenant_registry::read(connection, settings, presence, &wanted).await.ok()?;
    if tenants.iter().any(|listed| listed.tenant.slug == slug.as_str()) {
        return Some(format!("it has no version yet: `tenure tenant show {slug}` shows its state"));
    }
    did_you_mean(slug.as_str(), tenants.iter().map(|listed| listed.tenant.slug.as_str()))
}

/// The failure for a tenant that was not dropped, or was purged.
pub async fn not_dropped(connection: &mut Connection, settings: &Settings, slug: &Slug) -> Failure {
    let failure = Failure::new(Code::TenantUnknown, format!("no tenant {:?} was dropped", slug.as_str()));
    let all = dropped::read(connection, settings, None, 0).await.unwrap_or_default();
    let near = did_you_mean(slug.as_str(), all.iter().map(|dropped| dropped.former_slug.as_str()));
    failure.hint(
        near.unwrap_or_else(|| "`tenure tenant list --status dropped` lists the dropped tenants".to_owned()),
    )
}
