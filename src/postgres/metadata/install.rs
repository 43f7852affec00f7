//! Tenure's own tables, in the platform schema: made and later changed by refinery, whose runner works
//! over a thin adapter on our connection. All of it happens in one transaction under an advisory lock
//! of that transaction, so two first runs at once make them once.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::adapter::Adapter;

use crate::error::{Code, Failure};
use crate::ident::{SchemaName, literal};
use crate::postgres::batch::BEGIN;
use crate::postgres::{Connection, Row};
use crate::settings::LockTimeout;

/// The migrations of Tenure's own tables. A released file is never changed.
mod embedded {
    refinery::embed_migrations!("src/postgres/metadata/sql");
}

/// Where refinery records them, in the platform schema.
pub(super) const MIGRATIONS_TABLE: &str = "tenure_schema_history";

/// Of which version Tenure's own tables are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnTables {
    /// There are none.
    Absent,
    /// Of an older version: the next command that writes changes them.
    Older,
    /// Of this program's.
    Current,
    /// Of a newer program's.
    Newer,
    /// Of a build from before the first release, which had other migrations.
    Unsupported,
}

/// Asks which of those migrations were run; fails where refinery's table is not there.
pub(super) fn applied(platform: &SchemaName) -> String {
    format!(
        "SELECT version::int8 AS version, name::text AS name, checksum::text AS checksum FROM {}.{MIGRATIONS_TABLE} ORDER BY 1",
        platform.quoted()
    )
}

/// The condition that refinery's table is there and the role may read it.
pub fn is_readable(platform: &SchemaName) -> String {
    format!(
        "EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace \
             WHERE nspname = {} AND relname = '{MIGRATIONS_TABLE}' \
             AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'))",
        literal(platform.as_str())
    )
}

impl OwnTables {
    /// Reads it, where the role may.
    pub async fn read(connection: &mut Connection, platform: &SchemaName) -> Result<Self, Failure> {
        let sets = connection.query_batch(&applied(platform)).await;
        let sets =
            sets.map_err(|server_error| server_error.failure("reading the version of Tenure's own tables"))?;
        Self::of(sets.first().map(Vec::as_slice).unwrap_or_default())
    }

    /// As the rows of [`applied`] say.
    pub(super) fn of(rows: &[Row]) -> Result<Self, Failure> {
        let runner = embedded::migrations::runner();
        let ours = runner.get_migrations();
        let newest = ours.iter().map(|migration| i64::from(migration.version())).max().unwrap_or_default();
        let mut version = 0;
        for row in rows {
            version = row.integer("version")?;
            let (name, checksum) = (row.text("name")?, row.text("checksum")?);
            let is_ours = ours.iter().any(|migration| {
                i64::from(migration.version()) == version
                    && migration.name() == name
                    && migration.checksum().to_string() == checksum
            });
            if !is_ours && version <= newest {
                return Ok(Self::Unsupported);
            }
        }
        Ok(match version.cmp(&newest) {
            _ if rows.is_empty() => Self::Absent,
            Ordering::Less => Self::Older,
            Ordering::Equal => Self::Current,
            Ordering::Greater => Self::Newer,
        })
    }

    /// Refused where they are unsupported.
    pub(super) fn supported(self) -> Result<Self, Failure> {
        if self == Self::Unsupported { Err(unsupported()) } else { Ok(self) }
    }
}

/// Why a database of a build from before the first release is refused.
pub const UNSUPPORTED: &str =
    "Tenure's own tables in this database were made by a build from before the first release";

/// The next step there.
pub const UNSUPPORTED_HELP: &str = "go on with the build that made them, or move: `tenure tenant export` with that build, then \
     `tenure migrate up` and `tenure tenant import` with this one on a new database";

fn unsupported() -> Failure {
    Failure::new(Code::MetadataUnsupported, UNSUPPORTED).hint(UNSUPPORTED_HELP)
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
    if matches!(error.kind(), refinery::error::Kind::DivergentVersion(..)) {
        return unsupported();
    }
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
