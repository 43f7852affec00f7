//! The server's statistics of the queries that it ran, and what of the database a query may be about.

use std::collections::BTreeSet;

use crate::error::{Code, Failure};
use crate::ident::{Identifier, literal};
use crate::postgres::metadata::state;
use crate::postgres::{Connection, ServerError};
use crate::queries::capture::{CaptureScope, Statistic};
use crate::settings::Settings;

const EXTENSION: &str = "pg_stat_statements";

/// The schema that the extension was made in.
const HOME: &str = "SELECT n.nspname::text AS home FROM pg_catalog.pg_extension e \
    JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'";

/// Reads `pg_stat_statements` for this database. What ran inside of functions is the functions' own.
pub async fn statistics(
    connection: &mut Connection,
    settings: &Settings,
) -> Result<(Vec<Statistic>, CaptureScope), Failure> {
    let failed = |server_error: ServerError| unavailable(&server_error);
    let home = connection.query_batch(HOME).await.map_err(failed)?;
    let Some(home) = home.first().and_then(|rows| rows.first()) else {
        return Err(missing(format!("the extension {EXTENSION} is not in this database")));
    };
    let home = Identifier::new(home.text("home")?)?.quoted();
    let around = surroundings(connection, settings).await?;
    // Before version 1.9 of the extension nothing in a function was told apart.
    let sql = format!(
        "SELECT query::text AS query, calls::int8 AS calls FROM {home}.{EXTENSION} s \
         WHERE dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()) \
         AND coalesce((to_jsonb(s) ->> 'toplevel')::boolean, true)"
    );
    let sets = connection.query_batch(&sql).await.map_err(failed)?;
    let statistics = sets.iter().flatten().map(|row| {
        let calls = u64::try_from(row.integer("calls")?).unwrap_or_default();
        Ok(Statistic { query: row.optional_text("query")?, calls })
    });
    Ok((statistics.collect::<Result<_, Failure>>()?, around))
}

/// The schemas of the platform and the tenants, and what is in them.
async fn surroundings(connection: &mut Connection, settings: &Settings) -> Result<CaptureScope, Failure> {
    let platform = settings.platform_schema();
    let presence = state::presence(connection, settings).await?;
    let registered = state::tenants(connection, settings, presence, &[]).await?;
    let tenants: BTreeSet<String> =
        registered.iter().map(|tenant| tenant.schema.as_str().to_owned()).collect();
    let schemas: Vec<_> =
        tenants.iter().map(String::as_str).chain([platform.as_str()]).map(literal).collect();
    let there = format!("n.nspname IN ({})", schemas.join(", "));
    let sql = format!(
        "SELECT DISTINCT c.relname::text AS name FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND {there} \
         UNION SELECT p.proname::text FROM pg_catalog.pg_proc p \
         JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE {there}"
    );
    let sets = connection.query_batch(&sql).await.map_err(|server_error| unavailable(&server_error))?;
    let objects = sets.iter().flatten().map(|row| row.text("name")).collect::<Result<_, _>>()?;
    Ok(CaptureScope { platform: platform.as_str().to_owned(), tenants, objects })
}

fn unavailable(server_error: &ServerError) -> Failure {
    let failure = server_error.failure("reading the server's statistics");
    // The extension is made, and its library is not loaded.
    if server_error.sqlstate() == Some("55000") { missing(failure.message) } else { failure }
}

fn missing(message: String) -> Failure {
    Failure::new(Code::NoStatistics, message).hint(
        "put pg_stat_statements into shared_preload_libraries, restart the server, and run CREATE EXTENSION \
         pg_stat_statements; then let the release work for a while",
    )
}
