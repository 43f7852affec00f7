//! Sample rows, which make effects on rows visible.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::data::Rows;
use super::watch::Table;
use crate::error::Failure;
use crate::ident::{SchemaName, literal};
use crate::postgres::Connection;
use crate::postgres::batch::BEGIN;
use crate::sql::OWN_TABLES;

const FILL: &str = include_str!("sample.sql");

/// The tables that the transaction has written to.
const WRITTEN: &str = "SELECT n.nspname::pg_catalog.text AS written_schema, c.relname::pg_catalog.text AS name \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE pg_catalog.pg_stat_get_xact_tuples_inserted(c.oid) + pg_catalog.pg_stat_get_xact_tuples_updated(c.oid) \
        + pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid) > 0";

/// Inserts a few rows into every empty table of these schemas that accepts some, except the tables `but` and Tenure's own. `known`
/// says which tables have rows. Returns the tables that got rows or were changed by a trigger.
pub(super) async fn fill(
    connection: &mut Connection,
    schemas: &[SchemaName],
    but: &[&str],
    known: &Rows,
) -> Result<BTreeSet<Table>, Failure> {
    let mut message = String::new();
    for schema in schemas {
        let skip: Vec<&str> = OWN_TABLES.iter().chain(but).copied().chain(known.filled(schema)).collect();
        let skip = literal(&serde_json::Value::from(skip).to_string());
        let _ = write!(
            message,
            "{BEGIN}; SET LOCAL client_min_messages = error; SELECT set_config('tenure.sample_schema', {}, true), \
             set_config('tenure.sample_skip', {skip}, true);\n{FILL}\n{WRITTEN};\nCOMMIT;\n",
            literal(schema.as_str()),
        );
    }
    let sets = connection.query_batch(&message).await;
    let sets = sets.map_err(|server_error| server_error.failure("inserting sample rows"))?;
    let written = sets.iter().flatten().filter_map(|row| row.text("written_schema").ok().map(|of| (of, row)));
    written.map(|(of, row)| Ok((of, row.text("name")?))).collect()
}
