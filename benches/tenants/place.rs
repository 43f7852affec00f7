//! Where it is measured: a private server, and the seeds' project on it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;
use tenure::postgres::server::{DATABASE, Environment, Throwaway};
use tokio::runtime::Builder;

/// A project, and its server, which ends with the process.
pub(super) struct Place {
    project: TempDir,
    url: String,
    _server: Throwaway,
}

impl Place {
    /// The seeds' project with these settings, migrated, and so many tenants: t1, t2, ….
    pub(super) fn with_tenants(settings: &str, tenants: usize) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let environment = Environment {
            bindir: std::env::var_os("TENURE_PG_BINDIR").map(PathBuf::from),
            path: std::env::var_os("PATH"),
            temp: Some(std::env::var_os("TMPDIR").map_or_else(|| "/var/tmp".into(), PathBuf::from)),
        };
        let server = runtime.block_on(Throwaway::start(&environment))?;
        let place = Self { project: tempfile::tempdir()?, url: server.url(DATABASE), _server: server };
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

    fn file(&self, path: &str, text: &str) -> Result<()> {
        Ok(std::fs::write(self.project.path().join(path), text)?)
    }

    /// Runs the program, which must succeed; what it printed, and how long it took.
    pub(super) fn tenure(&self, arguments: &[&str]) -> Result<(String, Duration)> {
        let began = Instant::now();
        let output = Command::new(env!("CARGO_BIN_EXE_tenure"))
            .args(arguments)
            .current_dir(self.project.path())
            .env("DATABASE_URL", &self.url)
            .stdin(Stdio::null())
            .output()
            .with_context(|| arguments.join(" "))?;
        let took = began.elapsed();
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{}: {said}", arguments.join(" "));
        Ok((String::from_utf8(output.stdout)?, took))
    }
}
