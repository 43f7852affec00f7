//! The list of tenants: joins the registry and the version rows, and filters and pages in the server.

use super::registry::{self, ExistingRow};
use super::state::{Presence, Whose, version as version_of};
use super::{ListedTenant, Tenant, TenantState};
use crate::chain::Version;
use crate::error::{Code, Failure};
use crate::ident::{SchemaName, Slug, literal};
use crate::postgres::{Connection, Row};
use crate::settings::Settings;

/// A selection of tenants.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Only these; all if empty.
    pub slugs: Vec<Slug>,
    /// Only in these states. If empty, all except dropped tenants and pool schemas.
    pub states: Vec<TenantState>,
    /// In all states.
    pub every_state: bool,
    /// Only those at this version.
    pub at: Option<Version>,
    /// Only those behind this version, by slug.
    pub after: Option<Slug>,
    /// Only those whose slug begins with this text.
    pub prefix: Option<String>,
    /// The maximum number.
    pub limit: Option<usize>,
    /// Reads an invalid version as none instead of failing.
    pub lenient: bool,
}

impl Wanted {
    fn condition(&self) -> String {
        let list = |words: Vec<String>| words.join(", ");
        let mut conditions = Vec::new();
        if !self.slugs.is_empty() {
            let slugs = self.slugs.iter().map(|slug| literal(slug.as_str())).collect();
            conditions.push(format!("slug IN ({})", list(slugs)));
        }
        if !self.states.is_empty() {
            let states = self.states.iter().map(|state| literal(state.as_str())).collect();
            conditions.push(format!("status IN ({})", list(states)));
        } else if !self.every_state {
            conditions.push("status NOT IN ('dropped', 'pooled')".to_owned());
        }
        if let Some(version) = &self.at {
            conditions.push(format!("version = '{version}'"));
        }
        if let Some(prefix) = &self.prefix {
            conditions.push(format!("starts_with(slug, {})", literal(prefix)));
        }
        if let Some(after) = &self.after {
            conditions.push(format!("slug COLLATE \"C\" > {}", literal(after.as_str())));
        }
        if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") }
    }
}

/// The condition that a registry row names a schema.
const NAMES_A_SCHEMA: &str = "schema <> '' AND octet_length(schema) <= 63";

/// The selected tenants, by slug. A registry row without a schema, such as that of an unfinished signup, is left out; if it is
/// selected by slug, it is an error.
pub async fn read(
    connection: &mut Connection,
    settings: &Settings,
    presence: Presence,
    wanted: &Wanted,
) -> Result<Vec<ListedTenant>, Failure> {
    let sql = question(settings, presence, wanted);
    let sets = connection
        .query_batch(&sql)
        .await
        .map_err(|server_error| registry::failure(&server_error, settings))?;
    sets.iter().flatten().map(|row| listed(row, wanted.lenient, settings)).collect()
}

/// What the registry has for some slugs.
#[derive(Debug, Default)]
pub struct Lookup {
    /// Rows with a version row, and rows that name an existing schema.
    pub tenants: Vec<Tenant>,
    /// Rows without a version row that name no schema, or one that does not exist.
    pub waiting: Vec<ExistingRow>,
}

/// Reads what the registry has for these slugs.
pub async fn look_up(
    connection: &mut Connection,
    settings: &Settings,
    presence: Presence,
    slugs: &[Slug],
) -> Result<Lookup, Failure> {
    let wanted = Wanted { slugs: slugs.to_vec(), ..Wanted::default() };
    let sets = connection
        .query_batch(&question(settings, presence, &wanted))
        .await
        .map_err(|server_error| registry::failure(&server_error, settings))?;
    let mut found = Lookup::default();
    for row in sets.iter().flatten() {
        if row.get_bool("is_waiting")? {
            found.waiting.push(ExistingRow {
                id: row.optional_text("id")?,
                slug: row.text("slug")?,
                name: row.optional_text("name")?,
                schema: row.optional_text("schema")?.filter(|schema| !schema.is_empty()),
            });
        } else {
            found.tenants.push(listed(row, false, settings)?.tenant);
        }
    }
    Ok(found)
}

/// Like [`read`], with the number of registry rows without a schema.
pub async fn read_and_count(
    connection: &mut Connection,
    settings: &Settings,
    presence: Presence,
    wanted: &Wanted,
) -> Result<(Vec<ListedTenant>, usize), Failure> {
    let sql = format!(
        "SELECT count(*)::int8 AS without FROM ({}) r WHERE ({NAMES_A_SCHEMA}) IS NOT TRUE; {}",
        registered(settings, presence),
        question(settings, presence, wanted)
    );
    let mut sets = connection
        .query_batch(&sql)
        .await
        .map_err(|server_error| registry::failure(&server_error, settings))?;
    let rows = sets.split_off(1);
    let without = sets.iter().flatten().map(|row| row.integer("without")).next().transpose()?;
    let tenants =
        rows.iter().flatten().map(|row| listed(row, wanted.lenient, settings)).collect::<Result<_, _>>()?;
    Ok((tenants, without.and_then(|count| usize::try_from(count).ok()).unwrap_or_default()))
}

/// The schemas with the prefix of tenants that no version row names, by name.
pub async fn unregistered_schemas(
    connection: &mut Connection,
    settings: &Settings,
    presence: Presence,
) -> Result<Vec<String>, Failure> {
    let platform = settings.platform_schema();
    let registered = if presence.own_tables {
        format!("SELECT schema_name FROM {}.tenant_version", platform.quoted())
    } else {
        "SELECT NULL::text AS schema_name WHERE false".to_owned()
    };
    let sql = format!(
        "SELECT nspname::text AS schema FROM pg_catalog.pg_namespace WHERE starts_with(nspname, {}) AND nspname <> {} \
             AND NOT EXISTS (SELECT FROM ({registered}) t WHERE t.schema_name = nspname) ORDER BY nspname",
        literal(&settings.tenants.schema_prefix),
        literal(platform.as_str()),
    );
    let sets = connection.query_batch(&sql).await;
    let sets = sets.map_err(|server_error| server_error.failure("reading the schemas"))?;
    sets.iter().flatten().map(|row| row.text("schema")).collect()
}

/// The registry, with standard column names.
fn registered(settings: &Settings, presence: Presence) -> String {
    if !presence.registry {
        return "SELECT NULL::text AS id, NULL::text AS slug, NULL::text AS name, NULL::text AS schema WHERE false"
            .to_owned();
    }
    registry::tenants(settings)
}

fn question(settings: &Settings, presence: Presence, wanted: &Wanted) -> String {
    let version_rows = if presence.own_tables {
        format!(
            "SELECT schema_name, version, template, status, created_at::text AS created_at, former_slug, dropped_at \
             FROM {}.tenant_version",
            settings.platform_schema().quoted(),
        )
    } else {
        "SELECT NULL::text AS schema_name, NULL::text AS version, NULL::text AS template, NULL::text AS status, \
         NULL::text AS created_at, NULL::text AS former_slug, NULL::timestamptz AS dropped_at WHERE false"
            .to_owned()
    };
    let named = if wanted.slugs.is_empty() { NAMES_A_SCHEMA } else { "true" };
    let limit = wanted.limit.map_or_else(String::new, |limit| format!(" LIMIT {limit}"));
    format!(
        "SELECT roll.*, status IN ('active', 'suspended') AND NOT EXISTS ( \
             SELECT FROM pg_catalog.pg_namespace n WHERE n.nspname = roll.schema) AS schema_missing, \
             status = 'unknown' AND NOT EXISTS ( \
             SELECT FROM pg_catalog.pg_namespace n WHERE n.nspname = roll.schema) AS is_waiting \
         FROM (SELECT r.id, coalesce(r.slug, t.schema_name, r.schema) AS slug, r.name, \
                coalesce(t.schema_name, r.schema) AS schema, t.version, t.template, \
                coalesce(t.status, 'unknown') AS status, t.created_at, t.former_slug, \
                to_char(t.dropped_at, 'YYYY-MM-DD HH24:MI:SSOF') AS dropped_at \
             FROM (SELECT * FROM ({}) every WHERE {named}) r FULL JOIN ({version_rows}) t ON t.schema_name = r.schema) roll \
         WHERE {} ORDER BY slug COLLATE \"C\"{limit}",
        registered(settings, presence),
        wanted.condition(),
    )
}

fn listed(row: &Row, lenient: bool, settings: &Settings) -> Result<ListedTenant, Failure> {
    let Some(slug) = row.optional_text("slug")? else { return Err(without_slug(settings)) };
    let Some(schema) = row.optional_text("schema")?.and_then(|name| SchemaName::existing(name).ok()) else {
        return Err(nameless(&slug, settings));
    };
    let version = row.optional_text("version")?;
    let version = match version.map(|text| version_of(&text, Whose::Tenant(schema.as_str()))).transpose() {
        Err(_) if lenient => None,
        read => read?,
    };
    Ok(ListedTenant {
        tenant: Tenant {
            id: row.optional_text("id")?,
            slug,
            name: row.optional_text("name")?,
            version,
            schema,
            template: row.optional_text("template")?,
            status: TenantState::named(&row.text("status")?),
            created_at: row.optional_text("created_at")?,
            schema_missing: row.get_bool("schema_missing")?,
        },
        former_slug: row.optional_text("former_slug")?,
        dropped_at: row.optional_text("dropped_at")?,
    })
}

fn without_slug(settings: &Settings) -> Failure {
    let column = &settings.tenants.columns.slug;
    Failure::new(
        Code::RegistryInvalid,
        format!(
            "a row of the registry {} has no slug: its column {column} is NULL",
            registry::shown(settings)
        ),
    )
    .hint("give each tenant a slug, or exclude such rows with [tenants] where in tenure.toml")
}

fn nameless(slug: &str, settings: &Settings) -> Failure {
    let message =
        format!("the registry's row of {slug:?} names no schema: it is NULL, empty or longer than 63 bytes");
    Failure::new(Code::RegistryInvalid, message).hint(format!(
        "`tenure tenant create {slug}` creates its schema; if it has one, put its name into the column {} of {}",
        settings.tenants.columns.schema, settings.tenants.registry
    ))
}
