//! Memory use per process on Linux: the program's peak, and the server's backends.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};
use tenure::postgres::server::DATABASE;
use tokio::runtime::Builder;

use super::measure;
use super::server::Server;

/// A field of `/proc/PID/status`, in KB; `None` after the end of the process.
fn status(process: u32, fields: &[&str]) -> Option<Vec<u64>> {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let field = |name: &&str| {
        let line = text.lines().find_map(|line| line.strip_prefix(*name)?.strip_prefix(':'))?;
        line.trim().trim_end_matches(" kB").parse().ok()
    };
    fields.iter().map(field).collect()
}

/// Runs a command. Returns its duration and peak memory in KB. The kernel records the peak, so only growth just before the end
/// can be missed.
pub(super) fn watched(command: &mut Command) -> Result<(Duration, u64)> {
    let began = Instant::now();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut peak = None;
    // The output is one short document, which fits into the pipe.
    while child.try_wait()?.is_none() {
        peak = peak.max(status(child.id(), &["VmHWM"]).and_then(|found| found.first().copied()));
        std::thread::sleep(Duration::from_millis(1));
    }
    let elapsed = began.elapsed();
    measure::must_have_succeeded(command, &child.wait_with_output()?)?;
    Ok((elapsed, peak.context("no VmHWM in /proc")?))
}

/// The peak memory of one backend, in KB.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Backend {
    /// Resident memory with the server's shared memory.
    pub(super) resident: u64,
    /// Resident memory without shared memory: the cost of each further backend.
    pub(super) private: u64,
}

/// Samples the backends of one database during other work.
#[derive(Debug)]
pub(super) struct Watcher {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Backend>>,
}

impl Watcher {
    /// Starts sampling.
    pub(super) fn start(server: &Server, database: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (asked, url) = (Arc::clone(&stop), server.url(DATABASE));
        let sql = format!("SELECT pid FROM pg_stat_activity WHERE datname = '{database}'");
        let thread = std::thread::spawn(move || {
            Builder::new_current_thread().enable_all().build()?.block_on(watch(&url, &sql, &asked))
        });
        Self { stop, thread }
    }

    /// Stops sampling.
    pub(super) fn stop(self) -> Result<Backend> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

async fn watch(url: &str, sql: &str, stop: &AtomicBool) -> Result<Backend> {
    let mut connection = PgConnection::connect(url).await?;
    let mut most = Backend::default();
    while !stop.load(Ordering::Relaxed) {
        for row in sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_all(&mut connection).await? {
            let process = u32::try_from(row.try_get::<i32, _>(0)?)?;
            if let Some([resident, shared]) = status(process, &["VmRSS", "RssShmem"]).as_deref() {
                most.resident = most.resident.max(*resident);
                most.private = most.private.max(resident.saturating_sub(*shared));
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    connection.close().await?;
    Ok(most)
}
