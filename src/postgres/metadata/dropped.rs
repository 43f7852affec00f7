//! Dropped tenants that are not purged, from the version rows and the registry.

use super::registry;
use super::{Tenant, TenantState};
use crate::chain::Version;
use crate::error::{Code, Failure};
use crate::ident::{SchemaName, Slug, literal};
use crate::postgres::{Connection, Row};
use crate::settings::Settings;

/// A dropped tenant.
#[derive(Debug, Clone)]
pub struct DroppedTenant {
    /// The tenant in its current state; its slug and schema are `dropped_…`.
    pub tenant: Tenant,
    /// The former slug.
    pub former_slug: String,
    /// The former schema.
    pub former_schema: SchemaName,
    /// The former state.
    pub former_status: TenantState,
    /// Whether a purge has begun.
    pub purging: bool,
    /// Whether the retention period has ended.
    pub due: bool,
}

impl DroppedTenant {
    /// The failure to restore a tenant with an invalid version.
    pub fn invalid_version(&self) -> Failure {
        let message = format!("the row of {} in tenant_version has an invalid version", self.tenant.schema);
        Failure::new(Code::DatabaseVersionUnknown, message)
            .hint("put the version that its schema has into that row, then run the command again")
    }
}

/// The dropped tenants with that former or current slug, or all; the newest first. `seconds` is the retention period.
pub async fn read(
    connection: &mut Connection,
    settings: &Settings,
    slug: Option<&Slug>,
    seconds: u64,
) -> Result<Vec<DroppedTenant>, Failure> {
    let which = slug.map_or_else(String::new, |slug| {
        let slug = literal(slug.as_str());
        format!("AND ({slug} IN (former_slug, schema_name)) ")
    });
    let sql = format!(
        "SELECT r.id, r.name, t.schema_name, t.version, t.template, t.created_at::text AS created_at, former_slug, \
             former_schema, coalesce(former_status, 'active') AS former_status, purge_began_at IS NOT NULL AS purging, \
             dropped_at <= now() - make_interval(secs => {seconds}) AS due \
         FROM {}.tenant_version t LEFT JOIN \
             ({}) r ON r.schema = t.schema_name \
         WHERE status = 'dropped' AND former_slug IS NOT NULL AND purged_at IS NULL {which}\
         ORDER BY dropped_at DESC, schema_name DESC",
        settings.platform_schema().quoted(),
        registry::tenants(settings),
    );
    let sets = connection
        .query_batch(&sql)
        .await
        .map_err(|server_error| registry::failure(&server_error, settings))?;
    sets.iter().flatten().map(aside).collect()
}

fn aside(row: &Row) -> Result<DroppedTenant, Failure> {
    let schema = row.text("schema_name")?;
    Ok(DroppedTenant {
        tenant: Tenant {
            id: row.optional_text("id")?,
            slug: schema.clone(),
            name: row.optional_text("name")?,
            version: Version::stored(&row.text("version")?).ok(),
            schema: SchemaName::existing(schema)?,
            template: row.optional_text("template")?,
            status: TenantState::Dropped,
            created_at: row.optional_text("created_at")?,
            schema_missing: false,
        },
        former_slug: row.text("former_slug")?,
        former_schema: SchemaName::existing(row.text("former_schema")?)?,
        former_status: TenantState::named(&row.text("former_status")?),
        purging: row.get_bool("purging")?,
        due: row.get_bool("due")?,
    })
}
