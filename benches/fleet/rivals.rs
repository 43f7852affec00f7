//! The other migrators: the program of the package `tenure-rivals`, which Cargo builds with the same profile.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::fleet::{Fleet, TABLE};
use super::measure;
use super::server::Server;

/// The path of the program.
#[derive(Debug)]
pub(super) struct Rivals(PathBuf);

impl Rivals {
    /// Builds the program.
    pub(super) fn build() -> Result<Self> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .args(["build", "--release", "--locked", "--package", "tenure-rivals"])
            .arg("--message-format=json-render-diagnostics")
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
            .stderr(Stdio::inherit());
        let output = command.output()?;
        measure::must_have_succeeded(&command, &output)?;
        let text = String::from_utf8(output.stdout)?;
        let messages = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let mut programs = messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from));
        Ok(Self(programs.next_back().context("cargo built no program")?))
    }

    /// Runs one of the migrators on all tenants: the table, then all steps.
    pub(super) fn run(&self, rival: &str, server: &Server, fleet: &Fleet) -> Result<Duration> {
        let mut command = Command::new(&self.0);
        command.arg(rival).arg(server.folder()).arg(&fleet.database);
        command.arg(format!("CREATE TABLE IF NOT EXISTS {TABLE}"));
        command.args(fleet.steps().map(|step| step.sql("items")));
        measure::succeed(&mut command)
    }
}
