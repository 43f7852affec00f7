//! Reads `pg_stat_statements` and the names of the objects that a query may use.

use std::collections::BTreeSet;

use crate::error::{Code, Failure};
use crate::ident::{Identifier, literal};
use crate::postgres::metadata::state;
use crate::postgres::{Connection, ServerError};
use crate::queries::capture::{CaptureScope, Statistic};
use crate::settings::Settings;

const EXTENSION: &str = "pg_stat_statements";

/// The extension's schema.
const EXTENSION_SCHEMA: &str = "SELECT n.nspname::text AS home FROM pg_catalog.pg_extension e \
    JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'";

/// Reads the statistics of this database. Statements inside of functions are excluded.
pub async fn statistics(
    connection: &mut Connection,
    settings: &Settings,
) -> Result<(Vec<Statistic>, CaptureScope), Failure> {
    let failure = |server_error: ServerError| unavailable(&server_error);
    let schema = connection.query_batch(EXTENSION_SCHEMA).await.map_err(failure)?;
    let Some(schema) = schema.first().and_then(|rows| rows.first()) else {
        return Err(missing(format!("the extension {EXTENSION} does not exist in this database")));
    };
    let schema = Identifier::new(schema.text("home")?)?.quoted();
    let around = surroundings(connection, settings).await?;
    // The column `toplevel` exists from version 1.9 on.
    let sql = format!(
        "SELECT query::text AS query, calls::int8 AS calls FROM {schema}.{EXTENSION} s \
         WHERE dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()) \
         AND coalesce((to_jsonb(s) ->> 'toplevel')::boolean, true)"
    );
    let sets = connection.query_batch(&sql).await.map_err(failure)?;
    let statistics = sets.iter().flatten().map(|row| {
        let calls = u64::try_from(row.integer("calls")?).unwrap_or_default();
        Ok(Statistic { query: row.optional_text("query")?, calls })
    });
    Ok((statistics.collect::<Result<_, Failure>>()?, around))
}

/// The schemas of the platform and the tenants, and the names of their objects.
async fn surroundings(connection: &mut Connection, settings: &Settings) -> Result<CaptureScope, Failure> {
    let platform = settings.platform_schema();
    let presence = state::presence(connection, settings).await?;
    let registered = state::tenants(connection, settings, presence, &[]).await?;
    let tenants: BTreeSet<String> =
        registered.iter().map(|tenant| tenant.schema.as_str().to_owned()).collect();
    let schemas: Vec<_> =
        tenants.iter().map(String::as_str).chain([platform.as_str()]).map(literal).collect();
    let in_schemas = format!("n.nspname IN ({})", schemas.join(", "));
    let sql = format!(
        "SELECT DISTINCT c.relname::text AS name FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND {in_schemas} \
         UNION SELECT p.proname::text FROM pg_catalog.pg_proc p \
         JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE {in_schemas}"
    );
    let sets = connection.query_batch(&sql).await.map_err(|server_error| unavailable(&server_error))?;
    let objects = sets.iter().flatten().map(|row| row.text("name")).collect::<Result<_, _>>()?;
    Ok(CaptureScope { platform: platform.as_str().to_owned(), tenants, objects })
}

fn unavailable(server_error: &ServerError) -> Failure {
    let failure = server_error.failure("reading the server's statistics");
    // The extension exists, but its library is not loaded.
    if server_error.sqlstate() == Some("55000") { missing(failure.message) } else { failure }
}

fn missing(message: String) -> Failure {
    Failure::new(Code::NoStatistics, message).hint(
        "add pg_stat_statements to shared_preload_libraries, restart the server, and run CREATE EXTENSION \
         pg_stat_statements; then run the release for a while",
    )
}
