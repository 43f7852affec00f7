//! Sample rows, so that what a migration does to rows is seen.

use crate::error::Failure;
use crate::ident::{SchemaName, literal};
use crate::postgres::Connection;
use crate::postgres::message::BEGIN;
use crate::sql::OWN_TABLES;

const FILL: &str = include_str!("sample.sql");

/// Puts a few rows into every table of these schemas that has none and takes some; not into `but`, nor
/// into Tenure's own.
pub(super) async fn fill(
    connection: &mut Connection,
    schemas: &[SchemaName],
    but: &[&str],
) -> Result<(), Failure> {
    let skip = OWN_TABLES.iter().chain(but).copied().collect::<Vec<_>>();
    let skip = literal(&serde_json::Value::from(skip).to_string());
    let mut message = String::new();
    for schema in schemas {
        message.push_str(&format!(
            "{BEGIN}; SET LOCAL client_min_messages = error; SELECT set_config('tenure.sample_schema', {}, true), \
             set_config('tenure.sample_skip', {skip}, true);\n{FILL}\nCOMMIT;\n",
            literal(schema.as_str()),
        ));
    }
    connection.run(&message).await.map_err(|refusal| refusal.failure("making sample rows"))
}

/// Takes all sample rows away again: what a migration does must not depend on rows that we invented.
pub(super) async fn clear(connection: &mut Connection, schemas: &[SchemaName], but: &[&str]) -> Result<(), Failure> {
    let names: Vec<String> = schemas.iter().map(|schema| literal(schema.as_str())).collect();
    let skip: Vec<String> = OWN_TABLES.iter().chain(but).map(|name| literal(name)).collect();
    let sql = format!(
        "DO $$ DECLARE all_tables text; BEGIN \
         SELECT string_agg(c.oid::regclass::text, ', ') INTO all_tables FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p') AND n.nspname IN ({}) AND c.relname NOT IN ({}); \
         IF all_tables IS NOT NULL THEN SET LOCAL session_replication_role = replica; \
         EXECUTE 'DELETE FROM ' || replace(all_tables, ', ', '; DELETE FROM '); END IF; END $$",
        names.join(", "),
        skip.join(", ")
    );
    connection.run(&sql).await.map_err(|refusal| refusal.failure("taking the sample rows away"))
}
