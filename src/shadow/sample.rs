//! Sample rows, which make effects on rows visible.

use std::fmt::Write as _;

use crate::error::Failure;
use crate::ident::{SchemaName, literal};
use crate::postgres::Connection;
use crate::postgres::batch::BEGIN;
use crate::sql::OWN_TABLES;

const FILL: &str = include_str!("sample.sql");

/// Inserts a few rows into every empty table of these schemas that accepts some, except the tables `but` and Tenure's own.
pub(super) async fn fill(
    connection: &mut Connection,
    schemas: &[SchemaName],
    but: &[&str],
) -> Result<(), Failure> {
    let skip = OWN_TABLES.iter().chain(but).copied().collect::<Vec<_>>();
    let skip = literal(&serde_json::Value::from(skip).to_string());
    let mut message = String::new();
    for schema in schemas {
        let _ = write!(
            message,
            "{BEGIN}; SET LOCAL client_min_messages = error; SELECT set_config('tenure.sample_schema', {}, true), \
             set_config('tenure.sample_skip', {skip}, true);\n{FILL}\nCOMMIT;\n",
            literal(schema.as_str()),
        );
    }
    connection.run(&message).await.map_err(|server_error| server_error.failure("inserting sample rows"))
}
