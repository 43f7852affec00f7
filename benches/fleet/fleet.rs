//! A fleet for measurements: a project in a temporary folder, and a database with many small tenants. The server creates them in
//! sets, since the template is not measured.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::rc::Rc;

use anyhow::{Result, ensure};
use tempfile::TempDir;

use super::measure;
use super::server::Server;

/// The smallest platform that Tenure accepts.
const PLATFORM: &str = "\
CREATE TABLE datalinx_platform.organizations (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL,
    slug text NOT NULL UNIQUE,
    schema_name text NOT NULL UNIQUE,
    created_at timestamp with time zone NOT NULL DEFAULT now()
);";

/// The single table of a tenant; the columns of the steps follow.
pub(super) const TABLE: &str = "items (id bigint PRIMARY KEY, name text NOT NULL, note text)";

/// Tenants per transaction when a fleet is created: each takes slots of the lock table.
const BATCH: u32 = 500;

/// One additive step of the chain.
#[derive(Debug, Clone)]
pub(super) struct Step {
    /// The version before the step.
    pub(super) from: String,
    /// The version after the step.
    pub(super) to: String,
    /// The migration's file.
    pub(super) file: String,
    /// The added column.
    pub(super) column: String,
}

impl Step {
    fn number(number: u32) -> Self {
        let (from, to) = (format!("1.0.{}", number - 1), format!("1.0.{number}"));
        let column = format!("added_{number}");
        Self { file: format!("v{from}_to_v{to}_add_{number}.sql"), from, to, column }
    }

    /// The statement for the table with that name.
    pub(super) fn sql(&self, table: &str) -> String {
        format!("ALTER TABLE {table} ADD COLUMN {} text", self.column)
    }
}

/// A project and its database.
#[derive(Debug)]
pub(super) struct Fleet {
    server: Rc<Server>,
    project: TempDir,
    /// The database.
    pub(super) database: String,
    /// The number of tenants.
    pub(super) tenants: u32,
    /// The number of steps in the chain.
    steps: u32,
}

impl Fleet {
    /// Creates a fleet with `tenants` tenants at 1.0.0.
    pub(super) fn make(server: &Rc<Server>, database: &str, tenants: u32) -> Result<Self> {
        server.create(database, None)?;
        let fleet = Self::with_project(server, database, tenants)?;
        measure::succeed(&mut fleet.tenure(&["migrate", "up"]))?;
        for first in (1..=tenants).step_by(BATCH as usize) {
            server.run(database, &make_tenants(first, tenants.min(first + BATCH - 1)))?;
        }
        // Autovacuum is disabled on the server.
        server.run(database, "VACUUM (ANALYZE)")?;
        Ok(fleet)
    }

    /// A copy of this fleet.
    pub(super) fn copy(&self, database: &str) -> Result<Self> {
        self.server.create(database, Some(&self.database))?;
        Self::with_project(&self.server, database, self.tenants)
    }

    fn with_project(server: &Rc<Server>, database: &str, tenants: u32) -> Result<Self> {
        let project = tempfile::tempdir()?;
        let server = Rc::clone(server);
        let fleet = Self { server, project, database: database.to_owned(), tenants, steps: 0 };
        fleet.write_migration("0.0.0", "1.0.0", "v0.0.0_to_v1.0.0_create_platform.sql", PLATFORM)?;
        let template = format!("-- Template: v1.0.0\nCREATE TABLE {{org_schema}}.{TABLE};\n");
        fleet.write("tenant_templates/default/010_items.sql", &template)?;
        fleet.write("tenure.toml", "")?;
        Ok(fleet)
    }

    fn write(&self, path: &str, text: &str) -> Result<()> {
        let path = self.project.path().join(path);
        path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        Ok(std::fs::write(path, text)?)
    }

    fn write_migration(&self, from: &str, to: &str, file: &str, sql: &str) -> Result<()> {
        let text = format!("-- Migration: v{from} to v{to}\n-- Description: {file}\n{sql}\n");
        self.write(&format!("migrations/{file}"), &text)
    }

    /// Writes the next steps of the chain.
    pub(super) fn add_steps(&mut self, count: u32) -> Result<Vec<Step>> {
        let steps: Vec<Step> = (self.steps + 1..=self.steps + count).map(Step::number).collect();
        self.steps += count;
        for step in &steps {
            let sql = format!("{};", step.sql("items"));
            self.write_migration(&step.from, &step.to, &step.file, &sql)?;
        }
        Ok(steps)
    }

    /// The steps so far.
    pub(super) fn steps(&self) -> impl Iterator<Item = Step> {
        (1..=self.steps).map(Step::number)
    }

    /// The database's URL.
    pub(super) fn url(&self) -> String {
        self.server.url(&self.database)
    }

    /// The program under test on this fleet.
    pub(super) fn tenure(&self, words: &[&str]) -> Command {
        self.tenure_at(&self.url(), words)
    }

    /// The program under test on this fleet, with another URL.
    pub(super) fn tenure_at(&self, url: &str, words: &[&str]) -> Command {
        tenure(self.project.path(), url, words)
    }

    /// Checks that the last steps were applied, so that no failed run is measured.
    pub(super) fn check(&self, steps: &[Step]) -> Result<()> {
        self.check_columns(steps)?;
        for step in steps {
            let sql = format!(
                "SELECT count(*)::text FROM datalinx_platform.migration_history \
                 WHERE to_version = '{}' AND kind = 'migrate'",
                step.to
            );
            let rows = self.server.value(&self.database, &sql)?;
            // The platform has a row too.
            ensure!(rows == (self.tenants + 1).to_string(), "{}: {rows} rows for {}", self.database, step.to);
        }
        let sql = "SELECT count(*)::text FROM datalinx_platform.tenant_version t \
                   JOIN datalinx_platform.schema_version s ON s.version = t.version AND s.version = ";
        let Some(last) = steps.last() else { return Ok(()) };
        let there = self.server.value(&self.database, &format!("{sql}'{}'", last.to))?;
        ensure!(there == self.tenants.to_string(), "{}: {there} are at {}", self.database, last.to);
        Ok(())
    }

    /// Checks that every tenant has the columns of these steps.
    pub(super) fn check_columns(&self, steps: &[Step]) -> Result<()> {
        for step in steps {
            let sql = format!("SELECT count(*)::text FROM pg_attribute WHERE attname = '{}'", step.column);
            let columns = self.server.value(&self.database, &sql)?;
            ensure!(columns == self.tenants.to_string(), "{}: {columns} of {}", self.database, step.column);
        }
        Ok(())
    }
}

/// The program under test, in a project, on a database.
pub(super) fn tenure(project: &Path, url: &str, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenure"));
    command
        .args(words)
        .args(["--format", "json"])
        .current_dir(project)
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("DATABASE_URL", url)
        .stdin(Stdio::null());
    command
}

/// A transaction that creates some tenants: schema, table, registry row, version row, history.
fn make_tenants(first: u32, last: u32) -> String {
    let mut sql = format!(
        "DO $$ BEGIN FOR n IN {first}..{last} LOOP \
           EXECUTE format('CREATE SCHEMA %1$I; CREATE TABLE %1$I.{TABLE}', 'org_t' || lpad(n::text, 5, '0')); \
         END LOOP; END $$;"
    );
    let rows = format!(
        "FROM (SELECT 't' || lpad(n::text, 5, '0') AS slug FROM generate_series({first}, {last}) n) t"
    );
    let into = "INSERT INTO datalinx_platform";
    let _ = write!(
        sql,
        "{into}.organizations (name, slug, schema_name) SELECT slug, slug, 'org_' || slug {rows}; \
         {into}.tenant_version (schema_name, version, template) SELECT 'org_' || slug, '1.0.0', 'default' {rows}; \
         {into}.migration_history (run_id, schema_name, from_version, to_version, name, tool_version, kind) \
           SELECT gen_random_uuid(), 'org_' || slug, '0.0.0', '1.0.0', 'default', 'bench', 'template' {rows}"
    );
    sql
}
