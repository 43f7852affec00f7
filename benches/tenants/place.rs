//! The setup of a measurement: a private server with the seeds' project.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;
use tenure::postgres::server::{DATABASE, Environment, Throwaway};
use tokio::runtime::Builder;

/// A session that holds locks.
pub(super) struct Crowd(Child);

impl Drop for Crowd {
    fn drop(&mut self) {
        // It ends at the end of its input.
        drop(self.0.stdin.take());
        let _ended = self.0.wait();
    }
}

/// A project and its server, which ends with this process.
pub(super) struct Place {
    project: TempDir,
    url: String,
    server: Throwaway,
}

impl Place {
    /// The seeds' project with these settings, migrated, with that number of tenants: t1, t2, ….
    pub(super) fn with_tenants(settings: &str, tenants: usize) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let environment = Environment {
            bindir: std::env::var_os("TENURE_PG_BINDIR").map(PathBuf::from),
            path: std::env::var_os("PATH"),
            temp: Some(std::env::var_os("TMPDIR").map_or_else(|| "/var/tmp".into(), PathBuf::from)),
        };
        let server = runtime.block_on(Throwaway::start(&environment))?;
        let place = Self { project: tempfile::tempdir()?, url: server.url(DATABASE), server };
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for folder in ["migrations", "tenant_templates/default"] {
            std::fs::create_dir_all(place.project.path().join(folder))?;
            for entry in std::fs::read_dir(root.join(folder))? {
                let entry = entry?;
                std::fs::copy(entry.path(), place.project.path().join(folder).join(entry.file_name()))?;
            }
        }
        place.file("tenure.toml", settings)?;
        place.tenure(&["migrate", "up"])?;
        let slugs: Vec<String> = (1..=tenants).map(|number| format!("t{number}")).collect();
        place.file("tenants.csv", &format!("slug\n{}\n", slugs.join("\n")))?;
        place.tenure(&["tenant", "create", "--from", "tenants.csv"])?;
        Ok(place)
    }

    /// Runs SQL. Returns psql's output without headers or alignment.
    pub(super) fn sql(&self, sql: &str) -> Result<String> {
        self.sql_on(DATABASE, sql)
    }

    /// Like [`Self::sql`], on another database of the server.
    pub(super) fn sql_on(&self, database: &str, sql: &str) -> Result<String> {
        let url = self.server.url(database);
        let output = Command::new("psql")
            .args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", &url, "-c", sql])
            .stdin(Stdio::null())
            .output()
            .context("psql")?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// Leaves that number of entries free in the server's lock table, until the returned session is dropped.
    pub(super) fn crowd(&self, free: usize) -> Result<Crowd> {
        let mut psql = Command::new("psql")
            .args(["-XAtq", "-d", &self.url])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        // A session keeps these locks when the block that took them fails.
        let fill = format!(
            "DO $$ BEGIN FOR n IN 1..10000000 LOOP PERFORM pg_advisory_lock(n); END LOOP; EXCEPTION WHEN out_of_memory THEN NULL; END $$;\n\
             SELECT count(pg_advisory_unlock(n)) FROM generate_series(1, {free}) n;\n"
        );
        psql.stdin.as_mut().context("psql has no stdin")?.write_all(fill.as_bytes())?;
        let mut answer = String::new();
        BufReader::new(psql.stdout.as_mut().context("psql has no stdout")?).read_line(&mut answer)?;
        ensure!(answer.trim() == free.to_string(), "the table of locks could not be filled: {answer}");
        Ok(Crowd(psql))
    }

    /// The server's log so far.
    pub(super) fn log(&self) -> Result<String> {
        let bytes = std::fs::read(self.server.address().folder().join("server.log"))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The server's URL, for PostgreSQL's client programs.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Writes a file of the project.
    pub(super) fn file(&self, path: &str, text: &str) -> Result<()> {
        Ok(std::fs::write(self.project.path().join(path), text)?)
    }

    /// Runs the program, which must succeed. Returns its output and duration.
    pub(super) fn tenure(&self, arguments: &[&str]) -> Result<(String, Duration)> {
        self.tenure_on(DATABASE, arguments)
    }

    /// Like [`Self::tenure`], on another database of the server.
    pub(super) fn tenure_on(&self, database: &str, arguments: &[&str]) -> Result<(String, Duration)> {
        let began = Instant::now();
        let output = Command::new(env!("CARGO_BIN_EXE_tenure"))
            .args(arguments)
            .current_dir(self.project.path())
            .env("DATABASE_URL", self.server.url(database))
            .stdin(Stdio::null())
            .output()
            .with_context(|| arguments.join(" "))?;
        let took = began.elapsed();
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{}: {said}", arguments.join(" "));
        Ok((String::from_utf8(output.stdout)?, took))
    }
}
