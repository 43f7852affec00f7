//! The versions of the platform and of tenants in one message, for a client that waits for a version.

use schemars::JsonSchema;
use serde::Serialize;

use super::state::{Whose, registry, registry_failure, version as version_of};
use crate::chain::Version;
use crate::error::Failure;
use crate::ident::{Slug, literal};
use crate::postgres::{Connection, Row};
use crate::settings::Settings;

/// The number of tenants that are named of those with one version.
const NAMED: usize = 100;

/// The versions at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The platform's version, if its table exists. Only for the whole fleet.
    pub platform: Option<Version>,
    /// The tenants, by version; those of a requested tenant that does not exist have none.
    pub tenants: Vec<AtVersion>,
    /// The server's `wal_writer_delay` in milliseconds.
    pub wal_writer_delay_ms: u64,
}

/// Tenants with one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtVersion {
    /// Their version.
    pub version: Option<Version>,
    /// Their number.
    pub count: usize,
    /// Some of them.
    pub named: Vec<NamedTenant>,
}

/// A tenant by its names, as far as they are known.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct NamedTenant {
    /// Its slug, if it was requested by slug.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    /// Its schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
}

const DOING: &str = "reading the versions of the database";

/// Reads the versions of the platform and all tenants, or of the tenants in `only`, with one message. Returns an empty value before
/// the first migration. Needs SELECT on `schema_version` and `tenant_version`, for `only` also on the registry.
pub async fn read(connection: &mut Connection, settings: &Settings, only: &[Slug]) -> Result<Seen, Failure> {
    let question = if only.is_empty() { of_fleet(settings) } else { of_tenants(settings, only) };
    let sql = format!(
        "BEGIN READ ONLY; SET LOCAL lock_timeout = '5s'; \
         SELECT setting::int8 AS delay FROM pg_catalog.pg_settings WHERE name = 'wal_writer_delay'; {question}; COMMIT"
    );
    let sets = match connection.query_batch(&sql).await {
        Ok(sets) => sets,
        // Nothing was migrated yet: a schema or a table does not exist.
        Err(server_error) if matches!(server_error.sqlstate(), Some("42P01" | "3F000")) => {
            return Ok(Seen::default());
        }
        Err(server_error) if only.is_empty() => return Err(server_error.failure(DOING)),
        Err(server_error) => return Err(registry_failure(&server_error, settings)),
    };
    let mut seen = Seen::default();
    for row in sets.iter().flatten() {
        if let Ok(delay) = row.integer("delay") {
            seen.wal_writer_delay_ms = u64::try_from(delay).unwrap_or_default();
        } else if row.get_bool("is_platform")? {
            seen.platform = Some(version_of(&row.text("version")?, Whose::Platform)?);
        } else {
            seen.tenants.push(at_version(row)?);
        }
    }
    Ok(seen)
}

fn at_version(row: &Row) -> Result<AtVersion, Failure> {
    let slug = row.optional_text("slug")?;
    let schemas: Vec<String> = serde_json::from_str(&row.text("schemas")?).unwrap_or_default();
    let owner = schemas.first().cloned().unwrap_or_default();
    let version = row.optional_text("version")?;
    let version = version.map(|text| version_of(&text, Whose::Tenant(&owner))).transpose()?;
    let named = if slug.is_some() {
        vec![NamedTenant { slug, schema: schemas.into_iter().next() }]
    } else {
        schemas.into_iter().map(|schema| NamedTenant { slug: None, schema: Some(schema) }).collect()
    };
    Ok(AtVersion { version, count: usize::try_from(row.integer("tenants")?).unwrap_or_default(), named })
}

fn of_fleet(settings: &Settings) -> String {
    let platform = settings.platform_schema().quoted();
    // One statement, and so one snapshot.
    format!(
        "SELECT true AS is_platform, NULL::text AS slug, version::text AS version, 1::int8 AS tenants, '[]'::text AS schemas \
         FROM {platform}.schema_version \
         UNION ALL SELECT false, NULL, version, count(*)::int8, \
             array_to_json((array_agg(schema_name ORDER BY schema_name))[1:{NAMED}])::text \
         FROM {platform}.tenant_version WHERE status NOT IN ('dropped', 'pooled') GROUP BY version"
    )
}

fn of_tenants(settings: &Settings, only: &[Slug]) -> String {
    let platform = settings.platform_schema().quoted();
    let slugs = only.iter().map(|slug| format!("({})", literal(slug.as_str())));
    let columns = &settings.tenants.columns;
    format!(
        "SELECT false AS is_platform, wanted.slug, t.version, 1::int8 AS tenants, \
             CASE WHEN t.schema_name IS NULL THEN '[]' ELSE json_build_array(t.schema_name)::text END AS schemas \
         FROM (VALUES {}) wanted (slug) LEFT JOIN {} r ON r.{}::text = wanted.slug \
         LEFT JOIN {platform}.tenant_version t ON t.schema_name = r.{}::text AND t.status NOT IN ('dropped', 'pooled')",
        slugs.collect::<Vec<_>>().join(", "),
        registry(settings),
        columns.slug.quoted(),
        columns.schema.quoted(),
    )
}
