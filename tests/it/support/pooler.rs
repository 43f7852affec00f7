//! A PgBouncer of a story's own, in transaction mode. It ends with the value, however the process ends.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::{Database, wait_until};

/// Runs the program behind us until our input closes.
const WATCH: &str = r#""$@" & cat >/dev/null; kill "$!"; wait"#;

/// How many sessions of the server it keeps.
pub const POOL: usize = 2;

/// A pooler in front of the server of one database.
#[derive(Debug)]
pub struct Pooler {
    dir: TempDir,
    watcher: Child,
}

impl Pooler {
    /// Starts one, or says on stderr that it is not installed; in CI it must be.
    pub fn start(db: &Database) -> Option<Self> {
        let Some(program) = program() else {
            assert!(std::env::var_os("CI").is_none(), "PgBouncer is not installed: script/setup --for-tests");
            #[expect(
                clippy::print_stderr,
                reason = "a story that is passed over must not look like one that ran"
            )]
            {
                eprintln!("SKIPPED: PgBouncer is not installed; `script/setup --for-tests` does it");
            }
            return None;
        };
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().display();
        let server = db.url.split("host=").nth(1).and_then(|rest| rest.split('&').next()).unwrap();
        let log = dir.path().join("pgbouncer.log");
        let prepared = if takes_prepared_statements(&program) { "max_prepared_statements = 0" } else { "" };
        let settings = format!(
            "[databases]\n* = host={server} port=5432\n[pgbouncer]\nlisten_addr =\nlisten_port = 6432\n\
             unix_socket_dir = {folder}\nunix_socket_mode = 0777\nlogfile = {}\nauth_type = trust\n\
             auth_file = {folder}/users\npool_mode = transaction\ndefault_pool_size = {POOL}\n{prepared}\n",
            log.display()
        );
        std::fs::write(dir.path().join("pgbouncer.ini"), settings).unwrap();
        std::fs::write(dir.path().join("users"), "\"tenure\" \"\"\n").unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", WATCH, "sh"]).arg(program);
        // It refuses to be root, and the server's socket is in a folder of the server's account.
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
        let pooler = Self { dir, watcher };
        wait_until("PgBouncer's socket", || pooler.dir.path().join(".s.PGSQL.6432").exists());
        Some(pooler)
    }

    /// The folder of its socket.
    pub fn folder(&self) -> String {
        self.dir.path().display().to_string()
    }

    /// The URL of `db` through it.
    pub fn url(&self, db: &Database) -> String {
        let folder = self.dir.path().display();
        format!("postgresql://tenure@localhost:6432/{}?host={folder}&sslmode=disable", db.name)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        drop(self.watcher.stdin.take());
        // It is thrown away: how it ended is nobody's concern.
        let _ended = self.watcher.wait();
    }
}

/// Debian keeps it off the PATH of ordinary users.
fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/bin"].map(PathBuf::from))
        .map(|folder| folder.join("pgbouncer"))
        .find(|program| program.is_file())
}

/// From 1.21 on; older ones do not know the setting and have no prepared statements.
fn takes_prepared_statements(program: &Path) -> bool {
    let output = Command::new(program).arg("--version").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let version = text.lines().next().and_then(|line| line.split_whitespace().nth(1)).unwrap();
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(1), Some(21))
}

fn id(arguments: &[&str]) -> u32 {
    let output = Command::new("id").args(arguments).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}
