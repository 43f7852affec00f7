//! A PgBouncer per test, in transaction mode. It ends with the value, even if the process crashes.

use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

use super::{Database, Finish as _, wait_until};

/// Runs the program until stdin is closed.
const WATCH: &str = r#""$@" & cat >/dev/null; kill "$!"; wait"#;

/// The number of server sessions.
pub const POOL: usize = 2;

/// The number of server sessions of the shared pooler. It must be larger, since a transaction may wait for another session.
const SHARED: usize = 20;

/// Whether all tests go through one pooler.
pub fn is_pooled() -> bool {
    std::env::var_os("TENURE_TEST_POOLED").is_some()
}

/// Whether a test must be skipped because a pooler rejects or hides what it checks. Prints that it is skipped.
#[expect(clippy::print_stderr, reason = "a skipped test must be visible")]
pub fn needs_the_server_itself(why: &str) -> bool {
    if is_pooled() {
        eprintln!("SKIPPED behind a pooler: {why}");
    }
    is_pooled()
}

/// A pooler in front of the server of one database.
#[derive(Debug)]
pub struct Pooler {
    dir: TempDir,
    watcher: Child,
    port: u16,
}

impl Pooler {
    /// Starts a pooler. If PgBouncer is not installed, prints that; in CI, fails.
    pub fn start(db: &Database) -> Option<Self> {
        Self::with(db, &format!("default_pool_size = {POOL}"))
    }

    /// The pooler for all tests, if `TENURE_TEST_POOLED` is set.
    pub fn shared(db: &Database) -> Option<&'static Self> {
        static POOLER: OnceLock<Option<Pooler>> = OnceLock::new();
        if !is_pooled() {
            return None;
        }
        POOLER.get_or_init(|| Self::with(db, &format!("default_pool_size = {SHARED}"))).as_ref()
    }

    /// Starts a pooler with additional settings.
    pub fn with(db: &Database, more: &str) -> Option<Self> {
        let Some(program) = program() else {
            assert!(std::env::var_os("CI").is_none(), "PgBouncer is not installed: script/setup --for-tests");
            #[expect(clippy::print_stderr, reason = "a skipped test must be visible")]
            {
                eprintln!("SKIPPED: PgBouncer is not installed; `script/setup --for-tests` does it");
            }
            return None;
        };
        let dir = tempfile::tempdir().unwrap();
        // If it also listens on TCP, the port must be free.
        let port = if more.contains("tls") { free_port() } else { 6432 };
        let folder = dir.path().display();
        let server = db.url.split("host=").nth(1).and_then(|rest| rest.split('&').next()).unwrap();
        let log = dir.path().join("pgbouncer.log");
        let prepared = if takes_prepared_statements(&program) { "max_prepared_statements = 0" } else { "" };
        let settings = format!(
            "[databases]\n* = host={server} port=5432\n[pgbouncer]\nlisten_addr = {}\nlisten_port = {port}\n\
             unix_socket_dir = {folder}\nunix_socket_mode = 0777\nlogfile = {}\nauth_type = trust\n\
             auth_file = {folder}/users\npool_mode = transaction\n{prepared}\n{more}\n",
            if more.contains("tls") { "127.0.0.1" } else { "" },
            log.display()
        );
        std::fs::write(dir.path().join("pgbouncer.ini"), settings).unwrap();
        std::fs::write(dir.path().join("users"), "\"tenure\" \"\"\n").unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", WATCH, "sh"]).arg(program);
        // PgBouncer refuses to run as root, and only the server's account can access the folder of its socket.
        if id(&["-u"]) == 0 {
            chown(dir.path(), Some(id(&["-u", "postgres"])), Some(id(&["-g", "postgres"]))).unwrap();
            command.args(["-u", "postgres"]);
        }
        let watcher = command
            .arg(dir.path().join("pgbouncer.ini"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let pooler = Self { dir, watcher, port };
        wait_until("PgBouncer's socket", || pooler.dir.path().join(format!(".s.PGSQL.{port}")).exists());
        Some(pooler)
    }

    /// The folder of its socket.
    pub fn folder(&self) -> String {
        self.dir.path().display().to_string()
    }

    /// The port of its TCP listener and of its socket.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of `db` through the pooler.
    pub fn url(&self, db: &Database) -> String {
        let folder = self.dir.path().display();
        format!("postgresql://tenure@localhost:{}/{}?host={folder}&sslmode=disable", self.port, db.name)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        drop(self.watcher.stdin.take());
        // The exit status does not matter.
        let _ended = self.watcher.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// On Debian it is not on the PATH of ordinary users.
fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/bin"].map(PathBuf::from))
        .map(|folder| folder.join("pgbouncer"))
        .find(|program| program.is_file())
}

/// Whether the version is at least 1.21: older versions have no such setting and no prepared statements.
fn takes_prepared_statements(program: &Path) -> bool {
    let output = Command::new(program).arg("--version").finish();
    let text = String::from_utf8(output.stdout).unwrap();
    let version = text.lines().next().and_then(|line| line.split_whitespace().nth(1)).unwrap();
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(1), Some(21))
}

fn id(arguments: &[&str]) -> u32 {
    let output = Command::new("id").args(arguments).finish();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}
