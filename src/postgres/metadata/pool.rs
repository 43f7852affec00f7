//! The pool: schemas that are created in advance, from their version rows.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{TenantState, version_rows};
use crate::chain::{Checksum, Version};
use crate::error::{Code, Failure};
use crate::ident::{SchemaName, literal};
use crate::postgres::batch::Run;
use crate::postgres::{Connection, Row};

/// The template that a pool schema is created from.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The template's name.
    pub template: &'a str,
    /// The template's checksum.
    pub checksum: &'a Checksum,
}

/// A pool schema that no tenant has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pooled {
    /// The schema's name.
    pub schema: SchemaName,
    /// The template's name.
    pub template: String,
    /// The template's checksum at creation.
    pub made_from: Option<String>,
    /// The schema's version.
    pub version: Version,
    /// The version at which a rename of the schema was tested.
    pub proved_at: Option<String>,
    /// The slot in the template's pool.
    pub slot: Option<u32>,
    /// Whether the schema exists.
    pub is_there: bool,
    /// The time of creation.
    pub created_at: String,
}

/// The pool schemas, or those of one template, by template and slot, without unfinished ones.
pub async fn read(
    connection: &mut Connection,
    platform: &SchemaName,
    template: Option<&str>,
) -> Result<Vec<Pooled>, Failure> {
    let only = template.map(|name| format!(" AND template = {}", literal(name))).unwrap_or_default();
    let sql = format!(
        "SELECT schema_name, coalesce(template, '') AS template, version, made_from, proved_at, pool_slot::int8 AS slot, \
         to_regnamespace(quote_ident(schema_name)) IS NOT NULL AS is_there, created_at::text AS created_at \
         FROM {}.tenant_version WHERE status = 'pooled'{only} \
         AND coalesce(making_until < clock_timestamp(), true) ORDER BY template, slot, schema_name",
        platform.quoted()
    );
    let sets = connection
        .query_batch(&sql)
        .await
        .map_err(|server_error| server_error.failure("reading the pool"))?;
    sets.iter().flatten().map(pooled).collect()
}

/// At most `most` schemas that a tenant at `version` may take, created from the template with that name and checksum. The order
/// is random, so concurrent runs mostly try different schemas.
pub async fn free(
    connection: &mut Connection,
    platform: &SchemaName,
    (template, made_from): (&str, &str),
    version: &Version,
    most: usize,
) -> Result<Vec<SchemaName>, Failure> {
    let sql = format!(
        "SELECT schema_name FROM {}.tenant_version WHERE pool_slot IS NOT NULL AND template = {} AND status = 'pooled' \
         AND version = '{version}' AND made_from = {} AND proved_at = '{version}' ORDER BY random() LIMIT {most}",
        platform.quoted(),
        literal(template),
        literal(made_from),
    );
    let sets = connection
        .query_batch(&sql)
        .await
        .map_err(|server_error| server_error.failure("reading the pool"))?;
    sets.iter().flatten().map(|row| Ok(SchemaName::existing(row.text("schema_name")?)?)).collect()
}

/// Inserts the row of a schema at `version` in the slot `slot`. No tenant takes a schema without a slot. With `unfinished`, more
/// transactions follow, and the schema is not removed for that time.
pub fn insert(
    platform: &SchemaName,
    (schema, slot): (&SchemaName, Option<u32>),
    (version, origin): (&Version, Origin<'_>),
    values: &BTreeMap<String, String>,
    unfinished: Option<Duration>,
) -> String {
    let null = || "NULL".to_owned();
    let (made_from, proved_at, until) = match unfinished {
        None => (literal(origin.checksum.as_str()), format!("'{version}'"), null()),
        Some(limit) => {
            (null(), null(), format!("clock_timestamp() + interval '{} seconds'", limit.as_secs()))
        }
    };
    format!(
        "INSERT INTO {}.tenant_version \
         (schema_name, version, template, status, parameters, pool_slot, made_from, proved_at, making_until) \
         VALUES ({}, '{version}', {}, 'pooled', {}, {}, {made_from}, {proved_at}, {until})",
        platform.quoted(),
        literal(schema.as_str()),
        literal(origin.template),
        version_rows::parameters(values),
        slot.map_or_else(null, |slot| slot.to_string()),
    )
}

/// Makes a schema available after its steps up to `version`. The caller has locked the row. If a migration has advanced the
/// schema further, its test result is discarded.
pub fn finish(platform: &SchemaName, schema: &SchemaName, checksum: &Checksum, version: &Version) -> String {
    let set = format!(
        "made_from = {}, making_until = NULL, proved_at = CASE WHEN version = '{version}' THEN version END",
        literal(checksum.as_str())
    );
    version_rows::update(platform, schema, &set)
}

/// Records that the template's schemas at `version` can be renamed.
pub fn prove(platform: &SchemaName, origin: Origin<'_>, version: &Version) -> String {
    format!(
        "UPDATE {}.tenant_version SET proved_at = '{version}' WHERE status = 'pooled' AND template = {} \
         AND version = '{version}' AND made_from = {} AND proved_at IS DISTINCT FROM '{version}'",
        platform.quoted(),
        literal(origin.template),
        literal(origin.checksum.as_str()),
    )
}

/// Assigns the row of `pooled` to the tenant of `schema`, with a row in the history, and renames the schema.
pub fn take(
    run: &Run,
    pooled: &SchemaName,
    (origin, version): (Origin<'_>, &Version),
    schema: &SchemaName,
) -> [String; 3] {
    let named = literal(schema.as_str());
    let follow = version_rows::follow_settings(&run.platform, schema, pooled, schema);
    [
        format!(
            "SELECT {}.tenure_take({}, {}, '{version}', {}, {}, '{}', '{}')",
            run.platform.quoted(),
            literal(pooled.as_str()),
            literal(origin.template),
            literal(origin.checksum.as_str()),
            literal(schema.as_str()),
            run.id,
            env!("CARGO_PKG_VERSION"),
        ),
        format!("ALTER SCHEMA {} RENAME TO {}", pooled.quoted(), schema.quoted()),
        // PL/pgSQL is loaded only if a function has settings.
        format!(
            "{follow} WHERE EXISTS (SELECT FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_proc p ON p.oid = d.objid \
             WHERE d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass \
                 AND d.refobjid = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = {named}) AND p.proconfig IS NOT NULL)"
        ),
    ]
}

/// Drops a pool schema.
pub fn remove(platform: &SchemaName, schema: &SchemaName) -> Vec<String> {
    let mut statements = vec![version_rows::hold_still(platform, schema, &[TenantState::Pooled])];
    statements.extend(version_rows::drop_schema(platform, schema));
    statements.push(version_rows::delete(platform, schema));
    statements
}

fn pooled(row: &Row) -> Result<Pooled, Failure> {
    let version = Version::stored(&row.text("version")?).map_err(|error| {
        Failure::new(
            Code::DatabaseVersionUnknown,
            format!("a schema of the pool is at a version that is none: {error}"),
        )
    })?;
    Ok(Pooled {
        schema: SchemaName::existing(row.text("schema_name")?)?,
        template: row.text("template")?,
        made_from: row.optional_text("made_from")?,
        version,
        proved_at: row.optional_text("proved_at")?,
        slot: row.integer("slot").ok().and_then(|slot| u32::try_from(slot).ok()),
        is_there: row.get_bool("is_there")?,
        created_at: row.text("created_at")?,
    })
}
