//! The table of results: printed during the run and written to RESULTS.md, with a generic description of the machine.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use tenure::postgres::server::DATABASE;

use super::rows::Bench;

/// The maximum or minimum of a row.
#[derive(Debug, Clone, Copy)]
pub(super) enum Limit {
    AtMost(f64),
    AtLeast(f64),
    /// Recorded without a limit.
    None,
}

/// One line of the table.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) number: u32,
    pub(super) what: String,
    /// Tenure's times.
    pub(super) tenure: String,
    /// The contender and its times.
    pub(super) against: String,
    pub(super) measured: f64,
    pub(super) unit: &'static str,
    pub(super) limit: Limit,
}

impl Row {
    fn is_missed(&self) -> bool {
        match self.limit {
            // NaN exceeds a limit too.
            Limit::AtMost(most) => !matches!(self.measured.partial_cmp(&most), Some(order) if order.is_le()),
            Limit::AtLeast(least) => {
                !matches!(self.measured.partial_cmp(&least), Some(order) if order.is_ge())
            }
            Limit::None => false,
        }
    }

    fn line(&self, is_judged: bool) -> String {
        let unit = self.unit;
        let digits = usize::from(unit.starts_with('×')) * 2;
        let limit = match self.limit {
            Limit::AtMost(most) => format!("≤ {most} {unit}"),
            Limit::AtLeast(least) => format!("≥ {least} {unit}"),
            Limit::None => "recorded".to_owned(),
        };
        let missed = if is_judged && self.is_missed() { ", **missed**" } else { "" };
        format!(
            "| {} | {} | {} | {} | {:.digits$} {unit} | {limit}{missed} |",
            self.number, self.what, self.tenure, self.against, self.measured
        )
    }
}

const HEAD: &str = "| | what | Tenure | against | measured | limit |\n| --- | --- | --- | --- | --- | --- |";

/// The measurements and the machine.
#[derive(Debug)]
pub(super) struct Results {
    machine: String,
    jobs: usize,
    is_judged: bool,
    rows: Vec<Row>,
}

impl Results {
    /// An empty table. The limits do not apply to a quick run.
    pub(super) fn of(bench: &Bench) -> Result<Self> {
        let (jobs, is_judged) = (bench.jobs, !bench.is_quick);
        Ok(Self { machine: machine(bench)?, jobs, is_judged, rows: Vec::new() })
    }

    /// Prints the machine and the head of the table.
    pub(super) fn print_head(&self) {
        println!("{}\n{HEAD}", self.machine);
    }

    /// Adds and prints rows.
    pub(super) fn add(&mut self, rows: Vec<Row>) {
        for row in rows {
            println!("{}", row.line(self.is_judged));
            self.rows.push(row);
        }
    }

    /// The rows that exceed their limits.
    pub(super) fn missed(&self) -> Vec<String> {
        self.rows
            .iter()
            .filter(|row| self.is_judged && row.is_missed())
            .map(|row| row.number.to_string())
            .collect()
    }

    /// Writes RESULTS.md.
    pub(super) fn write(&mut self) -> Result<()> {
        self.rows.sort_by_key(|row| row.number);
        let lines: Vec<String> = self.rows.iter().map(|row| row.line(true)).collect();
        let text = format!(
            "# How fast\n\nWritten by `cargo bench --bench fleet -- --bless`, never by hand: one run on one machine, in which \
             the\ncontenders take turns. Seconds are this machine's; the ratios are what is promised.\n\n{}\n{HEAD}\n{}\n\n{}",
            self.machine,
            lines.join("\n"),
            NOTES.replace("JOBS", &self.jobs.to_string()),
        );
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/RESULTS.md");
        std::fs::write(&path, text).context("writing benches/RESULTS.md")
    }
}

/// The explanation of the table.
const NOTES: &str = "\
## What is measured

- A time is the median of the rounds, with the shortest and the longest; a ratio is the median of the rounds' ratios.
  Contenders take turns, in an order that is turned around each round, each on a database of its own, equal to the others'; a
  first round with cold caches does not count (row 3 begins on a new database each time). Before each turn the
  server makes a checkpoint. After each turn the columns, version rows and history rows that must be there are counted.
- Tenure's time is the whole command's, from the start of the process to its end: reading and judging the files, looking,
  connecting, running. It is the program as it is released.
- Tenants: all rows but 3 use one small table a tenant, made by the server in sets, since they measure the fleet and
  not the template; row 3 makes the four tables and four more indexes of this repository's own template.
- **The direct loop** is what a capable person writes by hand (`benches/fleet/direct.rs`): JOBS connections, which is Tenure's own
  default here and is said to Tenure with `--jobs`; one message a tenant; a transaction a step, with the move of the version
  row, the statement and the history's row. It reads the list of tenants first and moves the platform's version last. It
  parses nothing, judges nothing, tries nothing again, and cannot say which statement of which file failed.
- Row 6: every chunk of bytes is held back for 10 ms in each direction by a proxy that neither reorders nor narrows, and a
  connection's beginning for 20 ms more, as a network's handshake would. \"Seen\" is the shortest of some questions through
  it. It is compared with the same proxy without delay.
- Row 7: `sqlx::migrate::Migrator` and `refinery` with their defaults, over one connection, with `SET search_path` and their own
  table in each schema (`benches/rivals`); one earlier migration is applied, one is pending.
- Row 8: the largest of the server's processes, as Linux counts it, looked at every 50 ms.
- Row 3: ext4 is slow to make files for some minutes after many were deleted, so no database is dropped during the run.
- The server is the throwaway one that the tests use. Its data are on a disk, but its settings are those of data that nobody
  will miss (above): no contender waits for the disk at a COMMIT.
";

fn machine(bench: &Bench) -> Result<String> {
    let ask = |sql: &str| bench.server.value(DATABASE, sql);
    let settings = "SELECT string_agg(name || ' = ' || current_setting(name), ', ' ORDER BY name) FROM pg_settings WHERE name IN \
                    ('fsync', 'synchronous_commit', 'full_page_writes', 'autovacuum', 'wal_level', 'shared_buffers')";
    let mut text = String::from("| | |\n| --- | --- |\n");
    for (what, value) in [
        ("date", ask("SELECT current_date::text")?),
        ("processor", processor()?),
        ("kernel", kernel()?),
        ("file system", file_system(&bench.server.folder())?),
        ("PostgreSQL", ask("SHOW server_version")?),
        ("its settings", ask(settings)?),
        ("Tenure", env!("CARGO_PKG_VERSION").to_owned()),
        ("other migrators", ["sqlx", "refinery"].map(locked).join(", ")),
    ] {
        let _ = writeln!(text, "| {what} | {value} |");
    }
    Ok(text)
}

fn read(path: &str) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| path.to_owned())
}

/// `2 × its model, 24 GB`.
fn processor() -> Result<String> {
    let value = |text: &str, key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key));
        line.and_then(|rest| rest.split_once(':')).map(|(_, value)| value.trim().to_owned())
    };
    let model =
        value(&read("/proc/cpuinfo")?, "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let memory = value(&read("/proc/meminfo")?, "MemTotal").unwrap_or_default();
    let memory: u64 = memory.trim_end_matches(" kB").parse().unwrap_or_default();
    let cores = std::thread::available_parallelism()?;
    Ok(format!("{cores} cores, {model}, {} GB of memory", memory.div_ceil(1 << 20)))
}

/// `Linux 6.1.0`, without the suffix of the distribution.
fn kernel() -> Result<String> {
    let release = read("/proc/sys/kernel/osrelease")?;
    Ok(format!("Linux {}", release.trim().split(['-', '+']).next().unwrap_or_default()))
}

/// The type of the file system of a folder.
fn file_system(folder: &Path) -> Result<String> {
    let mounts = read("/proc/mounts")?;
    let fields = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?, words.next()?))
    });
    let below = fields.filter(|(point, _)| folder.starts_with(point));
    Ok(below.max_by_key(|(point, _)| point.len()).context("no file system")?.1.to_owned())
}

/// A package's version from Cargo.lock: `sqlx 0.9.0`.
fn locked(name: &str) -> String {
    let lock: toml::Table = include_str!("../../Cargo.lock").parse().unwrap_or_default();
    let packages = lock.get("package").and_then(toml::Value::as_array).into_iter().flatten();
    let ours = |package: &&toml::Value| package.get("name").and_then(toml::Value::as_str) == Some(name);
    let version = packages.filter(ours).find_map(|package| package.get("version")?.as_str());
    format!("{name} {}", version.unwrap_or("of an unknown version"))
}

/// `10,000`.
pub(super) fn thousands(number: u32) -> String {
    if number < 1_000 { number.to_string() } else { format!("{},{:03}", number / 1_000, number % 1_000) }
}
