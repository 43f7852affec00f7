//! The server of a project: it starts on demand and outlives the process that started it.
//!
//! **Invariant:** start, stop and reset hold a lock on a file that is never deleted, so concurrent commands run
//! one after the other.
#![expect(clippy::disallowed_methods, reason = "reads PG_VERSION")]

use std::fs::{File, TryLockError};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::account::Account;
use super::layout::Layout;
use super::log::Log;
use super::options::{self, Lifetime};
use super::postmaster::{self, PidFile};
use super::ready;
use super::{Address, Binaries, DATABASE, Environment, io_failure, no_link, server_failure, spawn_failure};
use crate::error::Failure;
use crate::ident::Identifier;
use crate::postgres::RestrictedRole;

/// The limit for `initdb`. On a slow disk the sync of its files takes long.
const INITDB_LIMIT: Duration = Duration::from_mins(2);

/// How long to wait for the lock: another command may be running `initdb` and starting the server.
const LOCK_LIMIT: Duration = Duration::from_mins(3);

/// How long a fast shutdown may take before an immediate shutdown (manual, chapter Shutting Down the Server).
const STOP_SECONDS: &str = "20";

/// The result of [`Persistent::start`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// It was started.
    Now,
    /// It was running.
    Already,
}

/// The result of [`Persistent::stop`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// It was stopped.
    Now,
    /// It was not running.
    Already,
}

/// The private server of one project. Creating the value writes nothing.
#[derive(Debug, Clone)]
pub struct Persistent {
    account: Account,
    layout: Layout,
    address: Address,
    binaries: Binaries,
}

impl Persistent {
    /// The server of the project in `project`, running or not.
    pub fn of(project: &Path, environment: &Environment) -> Result<Self, Failure> {
        let project =
            project.canonicalize().map_err(|error| io_failure("finding the project", project, &error))?;
        let account = Account::find()?;
        let layout = Layout::choose(&project, &account, environment)?;
        let binaries = match data_major(&layout.data()) {
            // If that version is not installed any more, `start` reports it; the other operations work with any
            // version.
            Some(major) => {
                Binaries::find_major(environment, major).or_else(|_| Binaries::find(environment))?
            }
            None => Binaries::find(environment)?,
        };
        Ok(Self { account, address: Address::new(layout.server()), layout, binaries })
    }

    /// The URL of the project's database, for the role of its statements.
    pub fn url(&self) -> String {
        self.address.project_url()
    }

    /// The role of the project's statements.
    pub fn role(&self) -> Result<RestrictedRole, Failure> {
        self.address.project_role()
    }

    /// Creates the missing extensions, which need the superuser, if the server's database is empty.
    pub async fn create_extensions(&self, names: &[Identifier]) -> Result<(), Failure> {
        self.address.create_extensions(names).await
    }

    /// Its address.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Its programs.
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// Whether it answers a query now.
    pub async fn is_running(&self) -> bool {
        ready::is_ready(&self.address).await
    }

    /// Starts it if it is not running. The first start creates the data folder and the database.
    pub async fn start(&self) -> Result<Started, Failure> {
        self.layout.create(&self.account)?;
        let _lock = self.lock().await?;
        let started = if self.wait_if_running().await? {
            Started::Already
        } else {
            self.init().await?;
            self.launch().await?;
            Started::Now
        };
        ready::ensure_database(&self.address, DATABASE).await?;
        self.address.ensure_project_role().await?;
        Ok(started)
    }

    /// Stops it if it is running. Open transactions are rolled back.
    pub async fn stop(&self) -> Result<Stopped, Failure> {
        if !self.layout.data().exists() {
            return Ok(Stopped::Already);
        }
        let _lock = self.lock().await?;
        self.stop_locked().await
    }

    /// Stops it and deletes its data.
    pub async fn reset(&self) -> Result<(), Failure> {
        if !self.layout.server().exists() {
            return Ok(());
        }
        let _lock = self.lock().await?;
        self.stop_locked().await?;
        delete(&self.layout.unfinished_data())?;
        delete(&self.layout.data())
    }

    /// Whether a server is running; waits while one starts or stops.
    async fn wait_if_running(&self) -> Result<bool, Failure> {
        let ready = async {
            let mut backoff = ready::backoff();
            loop {
                if self.is_running().await {
                    return true;
                }
                if self.pid_file() != PidFile::Running {
                    return false;
                }
                backoff.pause().await;
            }
        };
        timeout(ready::START_LIMIT, ready)
            .await
            .map_err(|_| self.with_log_hint(server_failure("the private server runs but does not answer")))
    }

    fn pid_file(&self) -> PidFile {
        postmaster::pid_file(&self.layout.data(), &self.account)
    }

    /// Runs `initdb` in a folder with another name and renames it, so that the data folder is always complete.
    async fn init(&self) -> Result<(), Failure> {
        let data = self.layout.data();
        if let Some(major) = data_major(&data) {
            return self.check_major(major);
        }
        let unfinished = self.layout.unfinished_data();
        delete(&unfinished)?;
        let log = Log::open(&self.layout.log())?;
        let mut command = self.command(&options::initdb(&self.binaries, &unfinished, Lifetime::Persistent));
        command
            .stdout(Stdio::from(log.try_clone()?))
            .stderr(Stdio::from(log.try_clone()?))
            .kill_on_drop(true);
        let failure =
            |why: String| server_failure(format!("creating the private server's data folder: {why}"));
        match timeout(INITDB_LIMIT, command.status()).await {
            Ok(Ok(status)) if status.success() => {}
            Ok(Ok(status)) => {
                return Err(self.with_log_hint(failure(format!("initdb: {status}{}", log.tail()))));
            }
            Ok(Err(error)) => {
                return Err(spawn_failure(&self.binaries.initdb(), &error));
            }
            Err(_) => return Err(failure(format!("initdb took more than {INITDB_LIMIT:?}{}", log.tail()))),
        }
        std::fs::rename(&unfinished, &data)
            .map_err(|error| io_failure("renaming the data folder to", &data, &error))
    }

    fn check_major(&self, major: u32) -> Result<(), Failure> {
        if major == self.binaries.major() {
            return Ok(());
        }
        let found = self.binaries.major();
        Err(server_failure(format!(
            "the private server's data folder needs PostgreSQL {major}, but only {found} is installed"
        ))
        .hint(format!("install PostgreSQL {major}, or delete the data with tenure dev reset")))
    }

    async fn launch(&self) -> Result<(), Failure> {
        let was_killed = self.pid_file() == PidFile::Stale;
        match self.launch_once().await {
            // The shared memory of a killed server is freed with a delay.
            Err(_) if was_killed => {
                tokio::time::sleep(Duration::from_millis(500)).await;
                if self.pid_file() == PidFile::Stale {
                    postmaster::remove_stale_files(&self.layout.data(), &self.layout.server());
                }
                self.launch_once().await
            }
            result => result,
        }
    }

    async fn launch_once(&self) -> Result<(), Failure> {
        let log = Log::open(&self.layout.log())?;
        let (data, server) = (self.layout.data(), self.layout.server());
        let mut command =
            self.command(&options::postgres(&self.binaries, &data, &server, Lifetime::Persistent));
        // A process group of its own: the server does not receive Ctrl-C from the terminal.
        command.process_group(0);
        command.stdout(Stdio::from(log.try_clone()?)).stderr(Stdio::from(log.try_clone()?));
        let mut child = command.spawn().map_err(|error| spawn_failure(&self.binaries.postgres(), &error))?;
        let ended = async { child.wait().await.map_or((), drop) };
        let result = ready::wait("the private server", &self.address, ended, &log).await;
        if result.is_err() {
            // A server that does not answer must not stay.
            drop(child.kill().await);
        }
        result.map_err(|failure| self.with_log_hint(failure))
    }

    async fn stop_locked(&self) -> Result<Stopped, Failure> {
        if self.pid_file() != PidFile::Running {
            return Ok(Stopped::Already);
        }
        for mode in ["fast", "immediate"] {
            let mut command = self.command(&[self.binaries.pg_ctl().into(), "stop".into(), "-w".into()]);
            command.arg("-D").arg(self.layout.data()).args(["-m", mode, "-t", STOP_SECONDS]);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            let stopped = command.status().await;
            let stopped = stopped.map_err(|error| spawn_failure(&self.binaries.pg_ctl(), &error))?;
            if stopped.success() || self.pid_file() != PidFile::Running {
                return Ok(Stopped::Now);
            }
        }
        Err(self.with_log_hint(server_failure("stopping the private server: it is still running")))
    }

    /// Waits for the lock, at most [`LOCK_LIMIT`]. The kernel releases it when this process ends.
    async fn lock(&self) -> Result<File, Failure> {
        let path = self.layout.lock();
        let file = no_link().create(true).write(true).truncate(false).open(&path);
        let file = file.map_err(|error| io_failure("opening", &path, &error))?;
        let take = async {
            let mut backoff = ready::backoff();
            loop {
                match file.try_lock() {
                    Ok(()) => return Ok(()),
                    Err(TryLockError::WouldBlock) => backoff.pause().await,
                    Err(TryLockError::Error(error)) => return Err(io_failure("locking", &path, &error)),
                }
            }
        };
        timeout(LOCK_LIMIT, take).await.unwrap_or_else(|_| {
            Err(server_failure(format!(
                "another command holds {} for more than {LOCK_LIMIT:?}",
                path.display()
            )))
        })?;
        Ok(file)
    }

    fn command(&self, words: &[std::ffi::OsString]) -> Command {
        let mut command = self.account.command(&words[0]);
        command.args(&words[1..]);
        Command::from(command)
    }

    fn with_log_hint(&self, failure: Failure) -> Failure {
        failure.hint(format!("the whole log is in {}", self.layout.log().display()))
    }
}

/// The major version of the data folder, if it is complete.
fn data_major(data: &Path) -> Option<u32> {
    std::fs::read_to_string(data.join("PG_VERSION")).ok()?.trim().parse().ok()
}

/// Deletes a folder if it exists. `remove_dir_all` follows no symbolic link.
fn delete(folder: &Path) -> Result<(), Failure> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(io_failure("deleting", folder, &error))
        }
        _ => Ok(()),
    }
}
