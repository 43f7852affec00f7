//! What `tenure doctor` reads about the registry: whether it exists, and whether its rows are such that each is one tenant.

use super::registry::{self, Shape};
use crate::error::Failure;
use crate::ident::literal;
use crate::postgres::Connection;
use crate::settings::Settings;

/// The registry in the catalog.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegistryFacts {
    /// Its columns, if it exists.
    pub shape: Option<Shape>,
    /// The schemas with a table or a view of its name.
    pub elsewhere: Vec<String>,
    /// Whether the slug's column has a unique index, if it is a table.
    pub slug_is_unique: bool,
    /// Whether the platform has tenants or was migrated, so that the registry should exist.
    pub is_expected: bool,
}

/// The registry's rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowFacts {
    /// All rows that are tenants.
    pub rows: usize,
    /// Rows without a slug.
    pub without_slug: usize,
    /// A slug of several rows.
    pub double_slug: Option<String>,
    /// A schema of several rows.
    pub double_schema: Option<String>,
    /// Rows without a schema.
    pub without_schema: usize,
    /// A schema without the prefix, if the slug is the rest of its name.
    pub without_prefix: Option<String>,
}

/// Reads the catalog.
pub async fn catalog(connection: &mut Connection, settings: &Settings) -> Result<RegistryFacts, Failure> {
    let platform = settings.platform_schema();
    let (name, slug) = (&settings.tenants.registry, &settings.tenants.columns.slug);
    let table = literal(&registry::table(settings));
    let sql = format!(
        "SELECT {} AS shape, to_regclass({version}) IS NOT NULL AS is_expected, \
             EXISTS (SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid \
                 AND a.attnum = i.indkey[0] WHERE i.indrelid = to_regclass({table}) AND i.indisunique AND i.indisvalid \
                 AND i.indnkeyatts = 1 AND a.attname = {}) AS slug_is_unique; \
         SELECT n.nspname::text AS schema FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relname = {} AND c.relkind IN ('r', 'p', 'v', 'f', 'm') AND n.nspname <> {} ORDER BY 1 LIMIT 3",
        registry::shape(settings),
        literal(slug.as_str()),
        literal(name.as_str()),
        literal(platform.as_str()),
        version = literal(&format!("{}.schema_version", platform.quoted())),
    );
    let sets = connection.query_batch(&sql).await;
    let sets = sets.map_err(|server_error| registry::failure(&server_error, settings))?;
    let Some(row) = sets.first().and_then(|rows| rows.first()) else { return Ok(RegistryFacts::default()) };
    let shape = row.optional_text("shape")?;
    let elsewhere = sets.iter().skip(1).flatten().map(|row| row.text("schema")).collect::<Result<_, _>>()?;
    Ok(RegistryFacts {
        shape: shape.as_deref().map(Shape::read).transpose()?,
        elsewhere,
        slug_is_unique: row.get_bool("slug_is_unique")?,
        is_expected: row.get_bool("is_expected")?,
    })
}

/// Reads the rows.
pub async fn rows(connection: &mut Connection, settings: &Settings) -> Result<RowFacts, Failure> {
    let (columns, prefix) = (&settings.tenants.columns, &settings.tenants.schema_prefix);
    let without_prefix = if columns.slug_is_schema() {
        format!(
            "min(schema) FILTER (WHERE NOT starts_with(schema, {}) AND NOT starts_with(schema, 'dropped_'))",
            literal(prefix)
        )
    } else {
        "NULL::text".to_owned()
    };
    let double = |column: &str| {
        format!(
            "(SELECT {column} FROM r WHERE {column} <> '' GROUP BY {column} HAVING count(*) > 1 ORDER BY 1 LIMIT 1)"
        )
    };
    let sql = format!(
        "WITH r AS MATERIALIZED ({}) SELECT count(*)::int8 AS rows, count(*) FILTER (WHERE slug IS NULL)::int8 AS without_slug, \
             count(*) FILTER (WHERE coalesce(schema, '') = '')::int8 AS without_schema, {without_prefix} AS without_prefix, \
             {} AS double_slug, {} AS double_schema FROM r",
        registry::tenants(settings),
        double("slug"),
        double("schema"),
    );
    let sets = connection.query_batch(&sql).await;
    let sets = sets.map_err(|server_error| registry::failure(&server_error, settings))?;
    let Some(row) = sets.iter().flatten().next() else { return Ok(RowFacts::default()) };
    let count = |column| row.integer(column).map(|count| usize::try_from(count).unwrap_or_default());
    Ok(RowFacts {
        rows: count("rows")?,
        without_slug: count("without_slug")?,
        double_slug: row.optional_text("double_slug")?,
        double_schema: row.optional_text("double_schema")?,
        without_schema: count("without_schema")?,
        without_prefix: row.optional_text("without_prefix")?,
    })
}
