//! The private server: it starts, stops, keeps its data, survives what happens to servers, and
//! leaves nothing behind.

use std::collections::HashSet;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use tempfile::TempDir;
use tenure::error::{Code, Failure};
use tenure::postgres::server::{DATABASE, Environment, Persistent, Started, Stopped, Throwaway};

use crate::support::{
    Finish as _, Running, environment, is_process, send_signal, send_signal_to_group, temporary_folder,
};

/// A project whose server is reset, so that nothing is left, when the test ends in whatever way.
struct Project {
    folder: PathBuf,
    _whole: TempDir,
}

impl Project {
    /// A project in the folder `below` of a fresh one that everybody can reach.
    fn new(below: &str) -> Self {
        let whole = tempfile::tempdir_in(temporary_folder()).unwrap();
        std::fs::set_permissions(whole.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let folder = whole.path().join(below);
        std::fs::create_dir_all(&folder).unwrap();
        Self { folder, _whole: whole }
    }

    fn server(&self) -> Persistent {
        Persistent::of(&self.folder, &environment()).unwrap()
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let server = self.server();
        let reset = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(server.reset())
        };
        // A thread of its own: a runtime cannot be started inside the test's.
        let result = std::thread::spawn(reset).join();
        let home = self.server().address().folder().parent().unwrap().to_owned();
        std::fs::remove_dir_all(&home).unwrap_or_default();
        if !std::thread::panicking() {
            result.unwrap().unwrap();
        }
    }
}

async fn ask(url: &str, sql: &str) -> Result<Option<String>, sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    let row = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_optional(&mut connection).await?;
    let value = row.map(|row| row.try_get_unchecked::<String, _>(0)).transpose()?;
    connection.close().await?;
    Ok(value)
}

/// The server's first process, as its data folder names it.
fn postmaster(folder: &Path) -> u32 {
    let text = std::fs::read_to_string(folder.join("data/postmaster.pid")).unwrap();
    text.lines().next().unwrap().parse().unwrap()
}

/// Waits for what must happen soon. The events here are ends of processes that are not our children.
async fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    for _ in 0..400 {
        if happened() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("this did not happen within ten seconds: {what}");
}

#[tokio::test]
async fn a_server_keeps_its_data_until_it_is_reset() {
    let project = Project::new("");
    let server = project.server();
    assert!(!server.is_running().await);
    assert!(!project.folder.join(".tenure").exists(), "looking has written");
    assert_eq!(server.stop().await, Ok(Stopped::Already));

    assert_eq!(server.start().await, Ok(Started::Now));
    assert_eq!(server.start().await, Ok(Started::Already));
    assert!(server.is_running().await);
    let url = server.url();
    ask(&url, "CREATE TABLE kept AS SELECT 'yes' AS value").await.unwrap();

    assert_eq!(server.stop().await, Ok(Stopped::Now));
    assert_eq!(server.stop().await, Ok(Stopped::Already));
    assert!(!server.is_running().await);
    // Another process, later, sees it only through what is on the disk.
    assert_eq!(project.server().start().await, Ok(Started::Now));
    assert_eq!(ask(&url, "SELECT value FROM kept").await.unwrap().as_deref(), Some("yes"));

    server.reset().await.unwrap();
    assert!(!server.is_running().await);
    server.start().await.unwrap();
    let gone = ask(&url, "SELECT to_regclass('kept') IS NULL AND current_user = 'tenure_dev'").await;
    assert_eq!(gone.unwrap().as_deref(), Some("t"));
}

#[tokio::test]
async fn a_server_is_private_and_set_up_the_same_everywhere() {
    let project = Project::new("josé's \"project\", 100% & more?");
    let server = project.server();
    server.start().await.unwrap();
    let folder = server.address().folder();
    assert_eq!(folder.metadata().unwrap().mode() & 0o777, 0o700);
    let settings = "SELECT string_agg(setting, ' ' ORDER BY name) FROM pg_settings WHERE name IN \
        ('fsync', 'listen_addresses', 'server_encoding', 'synchronous_commit', 'unix_socket_permissions')";
    assert_eq!(ask(&server.url(), settings).await.unwrap().unwrap(), "on  UTF8 off 0700");

    // libpq reads the same URL, whatever else its environment says.
    let psql = Command::new(server.binaries().psql().unwrap())
        .args(["-XAtc", "SELECT current_database() || ' ' || current_user", &server.url()])
        .envs([("PGPORT", "1"), ("PGHOST", "elsewhere.invalid"), ("PGSSLMODE", "require")])
        .finish();
    assert_eq!(String::from_utf8_lossy(&psql.stdout), "tenure tenure_dev\n", "{psql:?}");
}

#[tokio::test]
async fn a_project_with_an_easy_path_keeps_everything_in_its_own_folder() {
    let project = Project::new("my prøject");
    project.server().start().await.unwrap();
    let home = project.folder.canonicalize().unwrap().join(".tenure");
    assert_eq!(project.server().address().folder(), home.join("server"));
    assert_eq!(std::fs::read_to_string(home.join(".gitignore")).unwrap(), "*\n");
}

#[tokio::test]
async fn many_who_start_at_once_get_one_server() {
    let project = Project::new("");
    let servers = [(); 4].map(|()| project.server());
    let [a, b, c, d] = &servers;
    let started = tokio::join!(a.start(), b.start(), c.start(), d.start());
    let started = [started.0, started.1, started.2, started.3];
    assert_eq!(started.iter().filter(|it| **it == Ok(Started::Now)).count(), 1, "{started:?}");
    assert_eq!(started.iter().filter(|it| **it == Ok(Started::Already)).count(), 3, "{started:?}");
}

#[tokio::test]
async fn a_server_that_was_killed_starts_again_at_once() {
    let project = Project::new("");
    let server = project.server();
    server.start().await.unwrap();
    let url = server.url();
    ask(&url, "CREATE TABLE kept AS SELECT 'yes' AS value").await.unwrap();
    // A commit may wait a moment in memory, since the server does not wait for the disk.
    ask(&server.address().url(DATABASE), "CHECKPOINT").await.unwrap();
    send_signal(postmaster(server.address().folder()), "KILL");
    assert_eq!(server.start().await, Ok(Started::Now));
    assert_eq!(ask(&url, "SELECT value FROM kept").await.unwrap().as_deref(), Some("yes"));
}

#[tokio::test]
async fn a_reused_process_number_is_not_taken_for_the_server() {
    let project = Project::new("");
    let server = project.server();
    server.start().await.unwrap();
    let folder = server.address().folder();
    let pid_file = folder.join("data/postmaster.pid");
    let old = std::fs::read_to_string(&pid_file).unwrap();
    let owner = folder.metadata().unwrap();
    server.stop().await.unwrap();

    // A program of the server's own account, so that PostgreSQL cannot tell that it is not a server.
    let mut stranger = Command::new("sleep");
    stranger.arg("60").current_dir("/");
    if project.folder.metadata().unwrap().uid() != owner.uid() {
        stranger.uid(owner.uid());
    }
    let mut stranger = stranger.spawn().unwrap();
    let (_, rest) = old.split_once('\n').unwrap();
    for file in [pid_file, folder.join(".s.PGSQL.5432.lock")] {
        std::fs::write(&file, format!("{}\n{rest}", stranger.id())).unwrap();
        std::os::unix::fs::chown(&file, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    assert_eq!(server.stop().await, Ok(Stopped::Already));
    let started = server.start().await;
    assert!(stranger.try_wait().unwrap().is_none(), "the stranger was harmed");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    assert_eq!(started, Ok(Started::Now));
}

#[tokio::test]
async fn a_project_that_the_account_cannot_reach_has_its_server_elsewhere() {
    let whole = Project::new("private");
    std::fs::set_permissions(&whole.folder, PermissionsExt::from_mode(0o700)).unwrap();
    let app = whole.folder.join("app");
    std::fs::DirBuilder::new().mode(0o700).create(&app).unwrap();
    let project = Project { folder: app, _whole: tempfile::tempdir().unwrap() };
    let server = project.server();
    assert_eq!(server.start().await, Ok(Started::Now));
    assert_eq!(ask(&server.url(), "SELECT 'here'").await.unwrap().as_deref(), Some("here"));
    let root = project.folder.metadata().unwrap().uid() == 0;
    assert_eq!(server.address().folder().starts_with(&project.folder), !root);
}

#[tokio::test]
async fn a_project_with_a_long_path_has_its_server_elsewhere() {
    let project = Project::new(&["deep"; 30].join("/"));
    let server = project.server();
    assert_eq!(server.start().await, Ok(Started::Now));
    assert!(!server.address().folder().starts_with(&project.folder));
    assert!(server.is_running().await);
    let other = Project::new(&["deep"; 30].join("/"));
    assert_ne!(other.server().address(), server.address());
}

#[tokio::test]
async fn a_start_that_fails_quotes_the_log() {
    let project = Project::new("");
    let server = project.server();
    server.start().await.unwrap();
    server.stop().await.unwrap();
    let settings = server.address().folder().join("data/postgresql.conf");
    std::fs::write(&settings, "nonsense = 1\n").unwrap();
    let Failure { code, message, hint, .. } = server.start().await.unwrap_err();
    assert_eq!(code, Code::PrivateServer);
    assert!(message.contains("unrecognized configuration parameter \"nonsense\""), "{message}");
    assert!(hint.unwrap().contains("server.log"));
    assert!(!server.is_running().await);
}

#[tokio::test]
async fn data_of_another_version_are_refused_and_can_be_reset() {
    let project = Project::new("");
    project.server().start().await.unwrap();
    project.server().stop().await.unwrap();
    std::fs::write(project.server().address().folder().join("data/PG_VERSION"), "99\n").unwrap();
    let failure = project.server().start().await.unwrap_err();
    assert!(failure.message.contains("PostgreSQL 99"), "{failure}");
    assert!(failure.hint.unwrap().contains("tenure dev reset"));
    project.server().reset().await.unwrap();
    assert_eq!(project.server().start().await, Ok(Started::Now));
}

#[tokio::test]
async fn without_programs_the_hint_says_how_to_get_them() {
    let nowhere = Environment { bindir: Some("/nowhere".into()), ..environment() };
    let failure = Throwaway::start(&nowhere).await.unwrap_err();
    assert_eq!(failure.code, Code::NoServerBinaries);
    assert!(failure.message.contains("/nowhere"), "{failure}");
    assert!(failure.hint.unwrap().contains("apt-get install postgresql"));
}

#[tokio::test]
async fn throwaways_are_many_and_leave_nothing() {
    let nothing = environment();
    let (a, b, c) =
        tokio::join!(Throwaway::start(&nothing), Throwaway::start(&nothing), Throwaway::start(&nothing));
    let servers = [a.unwrap(), b.unwrap(), c.unwrap()];
    let folders: HashSet<_> = servers.iter().map(|server| server.address().folder().to_owned()).collect();
    assert_eq!(folders.len(), 3);
    for (n, server) in servers.iter().enumerate() {
        ask(&server.url(DATABASE), &format!("CREATE TABLE own AS SELECT 'number {n}' AS value"))
            .await
            .unwrap();
    }
    for (n, server) in servers.into_iter().enumerate() {
        let value = ask(&server.url(DATABASE), "SELECT value FROM own").await.unwrap();
        assert_eq!(value, Some(format!("number {n}")));
        let folder = server.address().folder().to_owned();
        assert_eq!(folder.metadata().unwrap().mode() & 0o777, 0o700);
        server.stop().await.unwrap();
        assert!(!folder.exists());
    }
}

#[tokio::test]
async fn a_dropped_throwaway_goes_too() {
    let server = Throwaway::start(&environment()).await.unwrap();
    let folder = server.address().folder().to_owned();
    // An open connection does not keep it.
    let connection = PgConnection::connect(&server.url(DATABASE)).await.unwrap();
    drop(server);
    eventually("its folder is deleted", || !folder.exists()).await;
    drop(connection);
}

/// What the two tests below run as a process of its own, in a group of its own, and end.
#[tokio::test]
#[ignore = "a part of other tests"]
async fn hold_a_server_for_ever() {
    let told = std::env::var("TENURE_TEST_TELL").unwrap();
    let project = std::env::var_os("TENURE_TEST_PROJECT");
    let (folder, _throwaway) = if let Some(project) = project {
        let server = Persistent::of(Path::new(&project), &environment()).unwrap();
        server.start().await.unwrap();
        (server.address().folder().to_owned(), None)
    } else {
        let server = Throwaway::start(&environment()).await.unwrap();
        (server.address().folder().to_owned(), Some(server))
    };
    std::fs::write(format!("{told}.new"), folder.to_str().unwrap()).unwrap();
    std::fs::rename(format!("{told}.new"), told).unwrap();
    std::future::pending::<()>().await;
}

/// Starts that process, waits until it has its server, and ends its whole group, as a terminal does
/// with Ctrl-C. What it told is the server's folder.
async fn end_a_holder(name: &str, project: Option<&Path>) -> (PathBuf, u32) {
    let shared = tempfile::tempdir().unwrap();
    let told = shared.path().join("told");
    let mut holder = Command::new(std::env::current_exe().unwrap());
    holder.args(["--ignored", "--exact", "server::hold_a_server_for_ever"]).env("TENURE_TEST_TELL", &told);
    holder.envs(project.map(|project| ("TENURE_TEST_PROJECT", project)));
    let holder = Running::start(holder.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()));
    eventually("the other process has its server", || told.exists()).await;
    let folder = PathBuf::from(std::fs::read_to_string(&told).unwrap());
    let pid = postmaster(&folder);
    send_signal_to_group(holder.id(), name);
    assert!(!holder.finish().status.success());
    (folder, pid)
}

#[tokio::test]
async fn a_killed_process_takes_its_throwaway_along() {
    for name in ["KILL", "INT"] {
        let (folder, pid) = end_a_holder(name, None).await;
        eventually("its folder is deleted", || !folder.exists()).await;
        assert!(!is_process(pid));
    }
}

#[tokio::test]
async fn the_server_of_a_project_outlives_who_started_it() {
    let project = Project::new("");
    for name in ["INT", "HUP", "KILL"] {
        end_a_holder(name, Some(&project.folder)).await;
        // Long enough for a server that was hit to have gone.
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(project.server().is_running().await, "after {name}");
    }
    assert_eq!(project.server().start().await, Ok(Started::Already));
}
