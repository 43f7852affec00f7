//! Other migrators, run on each tenant's schema in a loop, as their users do: one connection, the search path set to the schema,
//! and the migrator's own table in the schema. Usage: `tenure-rivals sqlx|refinery SOCKET_FOLDER DATABASE SQL…`, where each SQL
//! is one migration, the oldest first.

use anyhow::{Context as _, Result, bail};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, Row as _, SqlSafeStr as _};

/// Selects the tenants from Tenure's own table.
const TENANTS: &str = "SELECT schema_name FROM datalinx_platform.tenant_version ORDER BY schema_name";

/// The superuser of a private server.
const ROLE: &str = "tenure";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [rival, folder, database, migrations @ ..] if rival == "sqlx" => {
            sqlx(folder, database, migrations).await
        }
        [rival, folder, database, migrations @ ..] if rival == "refinery" => {
            refinery(folder, database, migrations).await
        }
        _ => bail!("usage: tenure-rivals sqlx|refinery SOCKET_FOLDER DATABASE SQL…"),
    }
}

/// Sets the search path to a schema. The benchmark's schema names contain no quotes.
fn search_path(schema: &str) -> String {
    format!("SET search_path TO \"{schema}\"")
}

async fn sqlx(folder: &str, database: &str, migrations: &[String]) -> Result<()> {
    let options =
        PgConnectOptions::new_without_pgpass().socket(folder).port(5432).username(ROLE).database(database);
    let mut connection: PgConnection = options.disable_statement_logging().connect().await?;
    let numbered = (1_i64..).zip(migrations).map(|(version, sql)| {
        let sql = AssertSqlSafe(sql.clone()).into_sql_str();
        Migration::new(version, format!("step {version}").into(), MigrationType::Simple, sql, false)
    });
    let migrator = Migrator::with_migrations(numbered.collect());
    for row in connection.fetch_all(TENANTS).await? {
        let schema: String = row.get(0);
        connection.execute(sqlx::raw_sql(AssertSqlSafe(search_path(&schema)))).await?;
        migrator.run(&mut connection).await.with_context(|| schema)?;
    }
    Ok(connection.close().await?)
}

async fn refinery(folder: &str, database: &str, migrations: &[String]) -> Result<()> {
    let mut config = tokio_postgres::Config::new();
    config.host_path(folder).port(5432).user(ROLE).dbname(database);
    let (mut client, connection) = config.connect(tokio_postgres::NoTls).await?;
    let driver = tokio::spawn(connection);
    let numbered = (1..)
        .zip(migrations)
        .map(|(version, sql)| refinery::Migration::unapplied(&format!("V{version}__step_{version}"), sql));
    let runner = refinery::Runner::new(&numbered.collect::<Result<Vec<_>, _>>()?);
    for row in client.query(TENANTS, &[]).await? {
        let schema: String = row.get(0);
        client.batch_execute(&search_path(&schema)).await?;
        runner.run_async(&mut client).await.with_context(|| schema)?;
    }
    drop(client);
    Ok(driver.await??)
}
