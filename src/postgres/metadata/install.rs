//! Installs and upgrades Tenure's own tables in the platform schema. refinery runs the migrations through an adapter on our
//! connection, in one transaction; concurrent first runs install them once.

use std::cmp::Ordering;
use std::time::Duration;

use sqlx::postgres::PgDatabaseError;

use super::adapter::Adapter;

use crate::error::{Code, Failure};
use crate::ident::{SchemaName, literal};
use crate::postgres::batch::BEGIN;
use crate::postgres::server_text::ServerText;
use crate::postgres::{Connection, Row, ServerError, extensions};
use crate::settings::LockTimeout;
use crate::sql::OWN_TABLES;

/// The migrations of Tenure's own tables. A released file is never changed.
mod embedded {
    refinery::embed_migrations!("src/postgres/metadata/sql");
}

/// refinery's table in the platform schema, which records applied migrations.
pub(super) const MIGRATIONS_TABLE: &str = "tenure_schema_history";

/// The version of Tenure's own tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnTables {
    /// They do not exist.
    Absent,
    /// Older: the next command that writes upgrades them.
    Older,
    /// The version of this program.
    Current,
    /// The version of a newer program.
    Newer,
    /// The version of a build from before the first release, which had other migrations.
    Unsupported,
}

/// Selects the applied migrations. Fails if refinery's table does not exist.
pub(super) fn applied(platform: &SchemaName) -> String {
    format!(
        "SELECT version::int8 AS version, name::text AS name, checksum::text AS checksum FROM {}.{MIGRATIONS_TABLE} ORDER BY 1",
        platform.quoted()
    )
}

/// The condition that refinery's table exists and the role may read it.
pub fn is_readable(platform: &SchemaName) -> String {
    format!(
        "EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace \
             WHERE nspname = {} AND relname = '{MIGRATIONS_TABLE}' \
             AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'))",
        literal(platform.as_str())
    )
}

/// Selects the name of a publication whose updates of the platform's version row the server refuses, since the table has neither a
/// key nor a replica identity. Tenure's own table has one.
pub fn blocking_publication(platform: &SchemaName) -> String {
    format!(
        "SELECT p.pubname::text FROM pg_publication p JOIN pg_publication_tables t USING (pubname) \
         JOIN pg_namespace n ON n.nspname = t.schemaname JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.tablename \
         WHERE p.pubupdate AND n.nspname = {} AND c.relname = 'schema_version' AND (c.relreplident = 'n' \
             OR c.relreplident = 'd' AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = c.oid AND indisprimary)) LIMIT 1",
        literal(platform.as_str())
    )
}

/// What such a publication does.
pub const BLOCKED: &str = "contains schema_version, which has no replica identity, so no step can run";

/// The hint for it.
pub const BLOCKED_HELP: &str = "ALTER TABLE ….schema_version REPLICA IDENTITY FULL";

impl OwnTables {
    /// Reads the version, if the role has the privilege.
    pub async fn read(connection: &mut Connection, platform: &SchemaName) -> Result<Self, Failure> {
        let sets = connection.query_batch(&applied(platform)).await;
        let sets =
            sets.map_err(|server_error| server_error.failure("reading the version of Tenure's own tables"))?;
        Self::of(sets.first().map(Vec::as_slice).unwrap_or_default())
    }

    /// The version, from the rows of [`applied`].
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

    /// Fails if the version is not supported.
    pub(super) fn supported(self) -> Result<Self, Failure> {
        if self == Self::Unsupported { Err(unsupported()) } else { Ok(self) }
    }
}

/// The failure for a database of a build from before the first release.
pub const UNSUPPORTED: &str =
    "Tenure's own tables in this database were made by a build from before the first release";

/// The hint for it.
pub const UNSUPPORTED_HELP: &str = "go on with the build that made them, or move: `tenure tenant export` with that build, then \
     `tenure migrate up` and `tenure tenant import` with this one on a new database";

fn unsupported() -> Failure {
    Failure::new(Code::MetadataUnsupported, UNSUPPORTED).hint(UNSUPPORTED_HELP)
}

/// How often a first run that meets another one begins again, and the pause before that.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(50);

/// Creates the platform schema if it is missing, and upgrades Tenure's own tables. An upgrade waits for running units and blocks
/// sessions behind it, so it waits at most `limit`. Concurrent upgrades take turns by the lock of a row; before there is one, a
/// conflict of unique names says that another run was first.
pub async fn ensure(
    connection: &mut Connection,
    platform: &SchemaName,
    limit: LockTimeout,
) -> Result<(), Failure> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        match try_ensure(connection, platform, limit).await {
            Err(failure) if attempts < ATTEMPTS && is_conflict(&failure) => tokio::time::sleep(PAUSE).await,
            answer => return answer,
        }
    }
}

/// Whether another session has made an object of the same name, or changed the same row of a catalog.
fn is_conflict(failure: &Failure) -> bool {
    matches!(failure.sqlstate.as_deref(), Some("23505" | "42P06" | "42P07" | "42710" | "42723"))
}

async fn try_ensure(
    connection: &mut Connection,
    platform: &SchemaName,
    limit: LockTimeout,
) -> Result<(), Failure> {
    let doing = "making Tenure's own tables";
    let outcome = match prepare(connection, platform, limit).await {
        Ok(()) => {
            let mut runner = embedded::migrations::runner();
            runner.set_migration_table_name(MIGRATIONS_TABLE);
            let ran = runner.run_async(&mut Adapter(connection)).await;
            ran.map(|_report| ()).map_err(|error| explain(&error, doing, platform))
        }
        Err(server_error) => Err(server_error.failure(doing)),
    };
    match outcome {
        Ok(()) => connection.run("COMMIT").await.map_err(|server_error| server_error.failure(doing)),
        Err(failure) => {
            // Report the first error.
            let _rolled_back = connection.run("ROLLBACK").await;
            Err(failure)
        }
    }
}

/// Begins the transaction of an upgrade in the platform schema.
async fn prepare(
    connection: &mut Connection,
    platform: &SchemaName,
    limit: LockTimeout,
) -> Result<(), ServerError> {
    let (schema, named) = (platform.quoted(), literal(platform.as_str()));
    let begin = format!(
        "{BEGIN}; SET LOCAL lock_timeout = {}; \
         SELECT to_regclass({}) IS NOT NULL AS has_table FROM pg_namespace WHERE nspname = {named}",
        limit.milliseconds(),
        literal(&format!("{schema}.{MIGRATIONS_TABLE}")),
    );
    let sets = connection.query_batch(&begin).await?;
    // `IF NOT EXISTS` requires the CREATE privilege even if the schema exists.
    let first = match sets.last().and_then(|rows| rows.first()).map(|row| row.get_bool("has_table")) {
        None => format!("CREATE SCHEMA {schema}"),
        Some(Ok(true)) => format!("SELECT FROM {schema}.{MIGRATIONS_TABLE} WHERE version = 1 FOR UPDATE"),
        Some(_) => "SELECT 1".to_owned(),
    };
    connection.run(&format!("{first}; SET LOCAL search_path = {schema}, pg_temp")).await
}

fn explain(error: &refinery::Error, doing: &str, platform: &SchemaName) -> Failure {
    if matches!(error.kind(), refinery::error::Kind::DivergentVersion(..)) {
        return unsupported();
    }
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(error) = cause {
        let server = error.downcast_ref::<sqlx::Error>().and_then(sqlx::Error::as_database_error);
        if let Some(server) = server.and_then(|error| error.try_downcast_ref::<PgDatabaseError>()) {
            let message = ServerText::of(server).message;
            let mut failure =
                Failure::new(Code::StatementFailed, format!("{doing} in {platform}: {message}"));
            failure.sqlstate = Some(server.code().to_owned());
            return failure.hint(match server.code() {
                "55P03" => {
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

/// Fails if a table `schema_version` is the product's own, which Tenure cannot use.
pub async fn expect_version_columns(
    connection: &mut Connection,
    platform: &SchemaName,
) -> Result<(), Failure> {
    let table = literal(&format!("{}.schema_version", platform.quoted()));
    let sql = format!(
        "SELECT column_name AS name FROM (VALUES ('version'), ('applied_at')) needed (column_name) \
         WHERE pg_catalog.to_regclass({table}) IS NOT NULL AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute \
             WHERE attrelid = pg_catalog.to_regclass({table}) AND attname = column_name AND NOT attisdropped)"
    );
    let sets = connection.query_batch(&sql).await;
    let sets = sets.map_err(|server_error| server_error.failure("reading the columns of schema_version"))?;
    let Some(row) = sets.iter().flatten().next() else { return Ok(()) };
    let column = row.text("name")?;
    let message = format!(
        "the table {platform}.schema_version has no column {column}: it is not the one that Tenure needs"
    );
    Err(Failure::new(Code::BaselineRefused, message).hint(format!(
        "rename it, for example ALTER TABLE {}.schema_version RENAME TO product_version",
        platform.quoted()
    )))
}

/// Fails if a table of the platform, which has none of Tenure's own tables, has the name of one.
pub async fn expect_names_free(connection: &mut Connection, platform: &SchemaName) -> Result<(), Failure> {
    // A version table may be there already; it is used.
    let others = OWN_TABLES.iter().filter(|table| **table != "schema_version");
    let own: Vec<(&str, &str)> = others.map(|table| (platform.as_str(), *table)).collect();
    match extensions::first_existing_table(connection, &own).await? {
        None => Ok(()),
        Some((schema, table)) => Err(Failure::new(
            Code::BaselineRefused,
            format!("the table {schema}.{table} has the name of one of Tenure's own tables"),
        )
        .hint("rename it, or move it to another schema: ALTER TABLE … SET SCHEMA …")),
    }
}
