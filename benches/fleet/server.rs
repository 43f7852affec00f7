//! The private server that everything is measured on, and what is asked of it besides the measured work.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Connection as _, Row as _};
use tenure::postgres::server::{DATABASE, Environment, Throwaway};
use tokio::runtime::{Builder, Runtime};

/// Where a disk is, also where the folder for temporary files is memory.
const ON_DISK: &str = "/var/tmp";

/// The product's own throwaway server. It ends with the process, however that ends.
#[derive(Debug)]
pub(super) struct Server {
    throwaway: Throwaway,
    runtime: Runtime,
}

impl Server {
    /// Starts one.
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

    /// The runtime that the benchmark's own connections are driven by.
    pub(super) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// The folder of its socket and its data.
    pub(super) fn folder(&self) -> PathBuf {
        self.throwaway.address().folder().to_owned()
    }

    /// The URL of a database.
    pub(super) fn url(&self, database: &str) -> String {
        self.throwaway.url(database)
    }

    /// Runs SQL as one message; the rows of its queries, each value as text.
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

    /// How long the shortest of some questions takes at `url`.
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

    /// Makes a database, an equal of `template` if one is named. None is ever dropped: where thousands of files
    /// were deleted, ext4 is slow to make new ones for five minutes, since it passes over their inodes.
    pub(super) fn create(&self, database: &str, template: Option<&str>) -> Result<()> {
        let template = template.map_or_else(String::new, |template| format!(" TEMPLATE {template}"));
        self.run(DATABASE, &format!("CREATE DATABASE {database}{template}")).map(drop)
    }

    /// Writes out what others have changed, so that it does not fall into the time of what comes next.
    pub(super) fn settle(&self) -> Result<()> {
        self.run(DATABASE, "CHECKPOINT").map(drop)
    }
}
