//! The roll of tenants: the registry and the version rows together, chosen and cut into pages in the server.

use super::state::{Presence, Whose, registry, registry_failure, version as version_of};
use super::{Connection, Row};
use crate::chain::Version;
use crate::error::Failure;
use crate::ident::{SchemaName, Slug, literal};
use crate::outcome::{ListedTenant, Tenant, TenantState};
use crate::settings::Settings;

/// Which tenants are asked for.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Only these; all if none is named.
    pub slugs: Vec<Slug>,
    /// Only in these states. If none is named, all but those that were dropped, and those that were made in advance:
    /// they are nobody's tenant.
    pub states: Vec<TenantState>,
    /// In every state there is.
    pub every_state: bool,
    /// Only those at this version.
    pub at: Option<Version>,
    /// Only those behind this one, in order of slugs.
    pub after: Option<Slug>,
    /// No more than so many.
    pub limit: Option<usize>,
    /// What is no version is none, instead of a failure.
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
        if let Some(after) = &self.after {
            conditions.push(format!("slug COLLATE \"C\" > {}", literal(after.as_str())));
        }
        if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") }
    }
}

/// Those tenants, in order of their slugs.
pub async fn read(
    connection: &mut Connection,
    settings: &Settings,
    presence: Presence,
    wanted: &Wanted,
) -> Result<Vec<ListedTenant>, Failure> {
    let columns = &settings.tenants.columns;
    let registry_rows = if presence.registry {
        format!(
            "SELECT {}::text AS id, {}::text AS slug, {}::text AS name, {}::text AS schema FROM {}",
            columns.id.quoted(),
            columns.slug.quoted(),
            columns.name.quoted(),
            columns.schema.quoted(),
            registry(settings),
        )
    } else {
        "SELECT NULL::text AS id, NULL::text AS slug, NULL::text AS name, NULL::text AS schema WHERE false"
            .to_owned()
    };
    // Looking does not bring Tenure's own tables to their newest version, so a column may not be there.
    let version_rows = if presence.own_tables {
        let newer = |column: &str| format!("to_jsonb(v)->>'{column}' AS {column}");
        format!(
            "SELECT schema_name, version, template, status, created_at::text AS created_at, {}, {} \
             FROM {}.tenant_version v",
            newer("former_slug"),
            newer("dropped_at"),
            settings.platform_schema().quoted(),
        )
    } else {
        "SELECT NULL::text AS schema_name, NULL::text AS version, NULL::text AS template, NULL::text AS status, \
         NULL::text AS created_at, NULL::text AS former_slug, NULL::text AS dropped_at WHERE false"
            .to_owned()
    };
    let limit = wanted.limit.map_or_else(String::new, |limit| format!(" LIMIT {limit}"));
    let sql = format!(
        "SELECT * FROM (SELECT r.id, coalesce(r.slug, t.schema_name) AS slug, r.name, \
                coalesce(t.schema_name, r.schema) AS schema, t.version, t.template, \
                coalesce(t.status, 'unknown') AS status, t.created_at, t.former_slug, \
                to_char(t.dropped_at::timestamptz, 'YYYY-MM-DD HH24:MI:SSOF') AS dropped_at \
             FROM ({registry_rows}) r FULL JOIN ({version_rows}) t ON t.schema_name = r.schema) roll \
         WHERE {} ORDER BY slug COLLATE \"C\"{limit}",
        wanted.condition(),
    );
    let sets = connection.sets(&sql).await.map_err(|refusal| registry_failure(&refusal, settings))?;
    sets.iter().flatten().map(|row| listed(row, wanted.lenient)).collect()
}

fn listed(row: &Row, lenient: bool) -> Result<ListedTenant, Failure> {
    let schema = row.text("schema")?;
    let version = row.optional_text("version")?;
    let version = match version.map(|text| version_of(&text, Whose::Tenant(&schema))).transpose() {
        Err(_) if lenient => None,
        read => read?,
    };
    Ok(ListedTenant {
        tenant: Tenant {
            id: row.optional_text("id")?,
            slug: row.text("slug")?,
            name: row.optional_text("name")?,
            version,
            schema: SchemaName::existing(schema)?,
            template: row.optional_text("template")?,
            status: TenantState::named(&row.text("status")?),
            created_at: row.optional_text("created_at")?,
        },
        former_slug: row.optional_text("former_slug")?,
        dropped_at: row.optional_text("dropped_at")?,
    })
}
