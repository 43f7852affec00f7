//! The units' search path: schemas that do not exist, and extensions outside of it. And tables that a migration would create
//! again.

use super::Connection;
use crate::error::Failure;
use crate::ident::{SharedPath, literal};

/// Returns those extensions of `names` that are, or by their control file will be, in a schema which `path`
/// does not contain, each with that schema.
pub async fn outside_search_path(
    connection: &mut Connection,
    names: &[&str],
    path: &SharedPath,
) -> Result<Vec<(String, String)>, Failure> {
    let list = |names: &mut dyn Iterator<Item = &str>| names.map(literal).collect::<Vec<_>>().join(", ");
    let sql = format!(
        "SELECT name, home FROM (SELECT a.name::text AS name, coalesce(n.nspname, (SELECT min(v.schema) \
         FROM pg_catalog.pg_available_extension_versions v WHERE v.name = a.name AND v.version = a.default_version))::text AS home \
         FROM pg_catalog.pg_available_extensions a LEFT JOIN pg_catalog.pg_extension e ON e.extname = a.name \
         LEFT JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE a.name IN ({})) found \
         WHERE home NOT IN ('pg_catalog', {}) ORDER BY name",
        list(&mut names.iter().copied()),
        list(&mut path.names()),
    );
    let sets = connection
        .query_batch(&sql)
        .await
        .map_err(|server_error| server_error.failure("reading the extensions"))?;
    sets.iter().flatten().map(|row| Ok((row.text("name")?, row.text("home")?))).collect()
}

/// Returns the first of these tables, each with its schema, that exists.
pub async fn first_existing_table(
    connection: &mut Connection,
    tables: &[(&str, &str)],
) -> Result<Option<(String, String)>, Failure> {
    if tables.is_empty() {
        return Ok(None);
    }
    let list: Vec<String> = tables
        .iter()
        .enumerate()
        .map(|(nth, (schema, table))| format!("({nth}, {}, {})", literal(schema), literal(table)))
        .collect();
    let sql = format!(
        "SELECT schema, name FROM (VALUES {}) made (nth, schema, name) WHERE EXISTS (SELECT FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = schema AND c.relname = name) \
         ORDER BY nth LIMIT 1",
        list.join(", ")
    );
    let sets = connection.query_batch(&sql).await;
    let sets = sets.map_err(|server_error| server_error.failure("reading the tables of the database"))?;
    let first = sets.iter().flatten().next();
    first.map(|row| Ok((row.text("schema")?, row.text("name")?))).transpose()
}

/// Returns those schemas of `names` that do not exist.
pub async fn missing_schemas(connection: &mut Connection, names: &[&str]) -> Result<Vec<String>, Failure> {
    let list = names.iter().copied().map(literal).collect::<Vec<_>>().join(", ");
    let sql = format!(
        "SELECT name FROM pg_catalog.unnest(ARRAY[{list}]::pg_catalog.text[]) name \
         WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = name)"
    );
    let sets = connection.query_batch(&sql).await;
    let sets = sets.map_err(|server_error| server_error.failure("reading the schemas of the search path"))?;
    sets.iter().flatten().map(|row| row.text("name")).collect()
}
