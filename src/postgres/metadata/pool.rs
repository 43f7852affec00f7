//! The schemas that were made in advance, as their version rows say.

use crate::chain::Version;
use crate::error::{Code, Failure};
use crate::ident::{SchemaName, literal};
use crate::postgres::{Connection, Row};

/// A schema that nobody has taken yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pooled {
    /// Its name.
    pub schema: SchemaName,
    /// The template that it was made from.
    pub template: String,
    /// The checksum of the template as it was then.
    pub made_from: Option<String>,
    /// Its version.
    pub version: Version,
    /// The version at which it was proved that it can have another name.
    pub proved_at: Option<String>,
    /// Its place in the pool of the template.
    pub slot: Option<u32>,
    /// Whether there is a schema of that name.
    pub is_there: bool,
    /// When it was made.
    pub created_at: String,
}

/// All of them, or those of one template, by template and place, but for those that a run is making. The own tables may be
/// older than the pool.
pub async fn read(
    connection: &mut Connection,
    platform: &SchemaName,
    template: Option<&str>,
) -> Result<Vec<Pooled>, Failure> {
    let only = template.map(|name| format!(" AND template = {}", literal(name))).unwrap_or_default();
    let sql = format!(
        "SELECT schema_name, coalesce(template, '') AS template, version, to_jsonb(t) ->> 'made_from' AS made_from, \
         to_jsonb(t) ->> 'proved_at' AS proved_at, (to_jsonb(t) ->> 'pool_slot')::int8 AS slot, \
         to_regnamespace(quote_ident(schema_name)) IS NOT NULL AS is_there, created_at::text AS created_at \
         FROM {}.tenant_version t WHERE status = 'pooled'{only} \
         AND coalesce((to_jsonb(t) ->> 'making_until')::timestamptz < clock_timestamp(), true) ORDER BY template, slot, schema_name",
        platform.quoted()
    );
    let sets = connection
        .query_batch(&sql)
        .await
        .map_err(|server_error| server_error.failure("reading the pool"))?;
    sets.iter().flatten().map(pooled).collect()
}

/// The names of at most `most` that a tenant at `version` may take, of the template of that name and checksum; in no
/// order, so that of two who ask at once each mostly tries another first.
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
