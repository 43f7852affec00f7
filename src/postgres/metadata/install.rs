//! Tenure's own tables, in the platform schema: made and later changed by refinery, whose runner works
//! over a thin adapter on our connection. All of it happens in one transaction under an advisory lock
//! of that transaction, so two first runs at once make them once.

use std::borrow::Cow;

use super::adapter::Adapter;

use crate::error::{Code, Failure};
use crate::ident::{SchemaName, literal};
use crate::postgres::Connection;
use crate::postgres::batch::BEGIN;
use crate::settings::LockTimeout;

/// The migrations of Tenure's own tables.
mod embedded {
    refinery::embed_migrations!("src/postgres/metadata/sql");
}

/// Where refinery keeps what it did, in the platform schema.
pub const MIGRATIONS_TABLE: &str = "tenure_schema_history";

/// The version of the own tables that this program needs.
pub fn needed() -> i64 {
    embedded::migrations::runner()
        .get_migrations()
        .iter()
        .map(|migration| i64::from(migration.version()))
        .max()
        .unwrap_or(0)
}

/// Makes the platform schema if it is missing, and brings Tenure's own tables to what this program
/// needs. To change one of them waits for units that are under way, and everybody behind it; so no longer than `limit`.
pub async fn ensure(
    connection: &mut Connection,
    platform: &SchemaName,
    limit: LockTimeout,
) -> Result<(), Failure> {
    let doing = "making Tenure's own tables";
    let schema = platform.quoted();
    let named = literal(platform.as_str());
    let open = format!(
        "{BEGIN}; SELECT pg_advisory_xact_lock(hashtext('tenure'), hashtext({named})); \
         SELECT 1 FROM pg_namespace WHERE nspname = {named}"
    );
    let sets = connection.query_batch(&open).await.map_err(|server_error| server_error.failure(doing))?;
    // `IF NOT EXISTS` would ask for the right to create schemas even where there is nothing to create.
    let is_there = sets.last().is_some_and(|rows| !rows.is_empty());
    let create = if is_there { String::new() } else { format!("CREATE SCHEMA {schema}; ") };
    connection
        .run(&format!(
            "{create}SET LOCAL search_path = {schema}, pg_temp; SET LOCAL lock_timeout = {}",
            limit.milliseconds()
        ))
        .await
        .map_err(|server_error| server_error.failure(doing))?;
    let mut runner = embedded::migrations::runner();
    runner.set_migration_table_name(MIGRATIONS_TABLE);
    let outcome = runner.run_async(&mut Adapter(connection)).await;
    match outcome {
        Ok(_report) => connection.run("COMMIT").await.map_err(|server_error| server_error.failure(doing)),
        Err(error) => {
            // The first error is the one to tell.
            let _rolled_back = connection.run("ROLLBACK").await;
            Err(explain(&error, doing, platform))
        }
    }
}

fn explain(error: &refinery::Error, doing: &str, platform: &SchemaName) -> Failure {
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(sqlx::Error::Database(server)) = error.downcast_ref::<sqlx::Error>() {
            let mut failure =
                Failure::new(Code::StatementFailed, format!("{doing} in {platform}: {}", server.message()));
            failure.sqlstate = server.code().map(Cow::into_owned);
            return failure.hint(match server.code().as_deref() {
                Some("55P03") => {
                    "a session holds one of these tables, as a long unit does; try again when it is done, or raise the lock timeout"
                }
                _ => "Tenure needs these names for itself: see docs/operations.md, \"In the database\"",
            });
        }
        cause = error.source();
    }
    Failure::new(Code::StatementFailed, format!("{doing} in {platform}: {error}"))
        .hint("another version of tenure may have made them: use the newest")
}
