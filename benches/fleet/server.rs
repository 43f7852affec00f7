//! The private server of all measurements, and queries outside of the measured work.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Connection as _, Row as _};
use tenure::postgres::server::{DATABASE, Environment, Throwaway};
use tokio::runtime::{Builder, Runtime};

/// A folder on a disk: the folder for temporary files may be in memory.
const ON_DISK: &str = "/var/tmp";

/// The program's private server. It ends with this process, even after a crash.
#[derive(Debug)]
pub(super) struct Server {
    throwaway: Throwaway,
    runtime: Runtime,
}

impl Server {
    /// Starts a server.
    pub(super) fn start() -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let environment = Environment {
            bindir: std::env::var_os("TENURE_PG_BINDIR").map(PathBuf::from),
            path: std::env::var_os("PATH"),
            temp: Some(std::env::var_os("TMPDIR").map_or_else(|| ON_DISK.into(), PathBuf::from)),
        };
        let throwaway = runtime.block_on(Throwaway::start(&environment))?;
        Ok(Self { throwaway, runtime })
    }

    /// The runtime of the benchmark's own connections.
    pub(super) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// The folder with its socket and data.
    pub(super) fn folder(&self) -> PathBuf {
        self.throwaway.address().folder().to_owned()
    }

    /// The URL of a database.
    pub(super) fn url(&self, database: &str) -> String {
        self.throwaway.url(database)
    }

    /// Runs SQL as one message. Returns the rows of its queries, with values as text.
    pub(super) fn run(&self, database: &str, sql: &str) -> Result<Vec<Vec<String>>> {
        let text = |row: &PgRow| (0..row.len()).map(|column| row.try_get(column)).collect::<Result<_, _>>();
        let rows = self.runtime.block_on(async {
            let mut connection = PgConnection::connect(&self.url(database)).await?;
            let rows = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_all(&mut connection).await?;
            connection.close().await?;
            rows.iter().map(text).collect::<Result<_, sqlx::Error>>()
        });
        rows.with_context(|| sql.to_owned())
    }

    /// The first value of a query.
    pub(super) fn value(&self, database: &str, sql: &str) -> Result<String> {
        let rows = self.run(database, sql)?;
        rows.into_iter().flatten().next().with_context(|| format!("no row: {sql}"))
    }

    /// The shortest of several round trips to `url`.
    pub(super) fn round_trip(&self, url: &str) -> Result<Duration> {
        self.runtime.block_on(async {
            let mut connection = PgConnection::connect(url).await?;
            let mut shortest = Duration::MAX;
            for _question in 0..10 {
                let began = Instant::now();
                sqlx::raw_sql("SELECT 1").execute(&mut connection).await?;
                shortest = shortest.min(began.elapsed());
            }
            connection.close().await?;
            Ok(shortest)
        })
    }

    /// Creates a database, as a copy of `template` if given. No database is dropped: after the deletion of thousands of files,
    /// ext4 creates files slowly for five minutes, since it skips their inodes.
    pub(super) fn create(&self, database: &str, template: Option<&str>) -> Result<()> {
        let template = template.map_or_else(String::new, |template| format!(" TEMPLATE {template}"));
        self.run(DATABASE, &format!("CREATE DATABASE {database}{template}")).map(drop)
    }

    /// Runs a checkpoint, so that the next measurement does not include earlier writes.
    pub(super) fn settle(&self) -> Result<()> {
        self.run(DATABASE, "CHECKPOINT").map(drop)
    }
}
