//! The server of a project: started when it is needed, and still there when this process is not.
//! **Invariant:** who starts, stops or resets it holds a lock on a file that is never deleted, so
//! two commands at once are one after the other.
#![expect(clippy::disallowed_methods, reason = "reads PG_VERSION")]

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::account::Account;
use super::layout::Layout;
use super::log::Log;
use super::options::{self, Lifetime};
use super::postmaster::{self, Holder};
use super::ready::{self, Outcome};
use super::{Address, Binaries, DATABASE, Environment, broken, unusable};
use crate::error::Failure;

/// How long `initdb` may take. On a slow disk it waits for its files to be written.
const INITDB_LIMIT: Duration = Duration::from_mins(2);

/// How long another command may hold the lock: it may be making the data folder and starting.
const LOCK_LIMIT: Duration = Duration::from_mins(3);

/// How long an orderly stop may take before the server is told to drop everything.
const STOP_SECONDS: &str = "20";

/// What [`Persistent::start`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// It did not run, and does now.
    Now,
    /// It ran already.
    Already,
}

/// What [`Persistent::stop`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// It ran, and does not any more.
    Now,
    /// It did not run.
    Already,
}

/// The private server of one project. The value is only a description: making it writes nothing.
#[derive(Debug, Clone)]
pub struct Persistent {
    account: Account,
    layout: Layout,
    address: Address,
    binaries: Binaries,
}

impl Persistent {
    /// The server of the project in `project`, whether it runs or not.
    pub fn of(project: &Path, environment: &Environment) -> Result<Self, Failure> {
        let project =
            project.canonicalize().map_err(|error| unusable("looking for the project", project, &error))?;
        let account = Account::find()?;
        let layout = Layout::choose(&project, &account, environment)?;
        let binaries = match data_major(&layout.data()) {
            // If they are gone, `start` says so; the other verbs can do with any.
            Some(major) => {
                Binaries::find_major(environment, major).or_else(|_| Binaries::find(environment))?
            }
            None => Binaries::find(environment)?,
        };
        Ok(Self { account, address: Address::new(layout.server()), layout, binaries })
    }

    /// The URL of `database`; [`DATABASE`] is always there.
    pub fn url(&self, database: &str) -> String {
        self.address.url(database)
    }

    /// Where it answers.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The programs that it is run with.
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// Whether it answers now.
    pub async fn is_running(&self) -> bool {
        ready::answers(&self.address).await
    }

    /// Starts it, unless it runs. Makes the data folder and the database the first time.
    pub async fn start(&self) -> Result<Started, Failure> {
        self.layout.make(&self.account)?;
        let _lock = self.lock().await?;
        let started = if self.wait_if_held().await? {
            Started::Already
        } else {
            self.init().await?;
            self.launch().await?;
            Started::Now
        };
        ready::ensure_database(&self.address, DATABASE).await?;
        Ok(started)
    }

    /// Stops it, if it runs. Open connections are closed, their transactions rolled back.
    pub async fn stop(&self) -> Result<Stopped, Failure> {
        if !self.layout.data().exists() {
            return Ok(Stopped::Already);
        }
        let _lock = self.lock().await?;
        self.stop_locked().await
    }

    /// Stops it and deletes all its data. The next start begins with an empty database.
    pub async fn reset(&self) -> Result<(), Failure> {
        if !self.layout.server().exists() {
            return Ok(());
        }
        let _lock = self.lock().await?;
        self.stop_locked().await?;
        delete(&self.layout.unfinished_data())?;
        delete(&self.layout.data())
    }

    /// Whether a server is there already, and answers: one that is starting, or going, is waited for.
    async fn wait_if_held(&self) -> Result<bool, Failure> {
        let look = async {
            let mut pauses = ready::pauses();
            loop {
                if self.is_running().await {
                    return true;
                }
                if self.holder() != Holder::Running {
                    return false;
                }
                pauses.pause().await;
            }
        };
        timeout(ready::START_LIMIT, look)
            .await
            .map_err(|_| self.with_log_hint(broken("the private server runs, but does not answer")))
    }

    fn holder(&self) -> Holder {
        postmaster::holder(&self.layout.data(), &self.account)
    }

    /// Makes the data folder under another name first, so that there is never half of one.
    async fn init(&self) -> Result<(), Failure> {
        let data = self.layout.data();
        if let Some(major) = data_major(&data) {
            return self.check_major(major);
        }
        let unfinished = self.layout.unfinished_data();
        delete(&unfinished)?;
        let log = Log::open(&self.layout.log())?;
        let mut command = self.command(&options::initdb(&self.binaries, &unfinished, Lifetime::Kept));
        command
            .stdout(Stdio::from(log.descriptor()?))
            .stderr(Stdio::from(log.descriptor()?))
            .kill_on_drop(true);
        let failed = |why: String| broken(format!("making the private server's data folder: {why}"));
        match timeout(INITDB_LIMIT, command.status()).await {
            Ok(Ok(status)) if status.success() => {}
            Ok(Ok(status)) => {
                return Err(self.with_log_hint(failed(format!("initdb: {status}{}", log.tail()))));
            }
            Ok(Err(error)) => {
                return Err(failed(format!("running {}: {error}", self.binaries.initdb().display())));
            }
            Err(_) => return Err(failed(format!("initdb took more than {INITDB_LIMIT:?}{}", log.tail()))),
        }
        std::fs::rename(&unfinished, &data).map_err(|error| unusable("naming the data folder", &data, &error))
    }

    fn check_major(&self, major: u32) -> Result<(), Failure> {
        if major == self.binaries.major() {
            return Ok(());
        }
        let found = self.binaries.major();
        Err(broken(format!("the private server's data are PostgreSQL {major}'s, and only {found} was found"))
            .hint(format!("install PostgreSQL {major}, or delete the data with tenure dev reset")))
    }

    /// Starts the process and waits until it answers.
    async fn launch(&self) -> Result<(), Failure> {
        let left_behind = self.holder() == Holder::Gone;
        match self.launch_once().await {
            // What is left of a server that was killed holds its memory for a moment longer.
            Err(_) if left_behind => {
                tokio::time::sleep(Duration::from_millis(500)).await;
                if self.holder() == Holder::Gone {
                    postmaster::clear(&self.layout.data(), &self.layout.server());
                }
                self.launch_once().await
            }
            result => result,
        }
    }

    async fn launch_once(&self) -> Result<(), Failure> {
        let log = Log::open(&self.layout.log())?;
        let (data, server) = (self.layout.data(), self.layout.server());
        let mut command = self.command(&options::postgres(&self.binaries, &data, &server, Lifetime::Kept));
        // A group of its own: Ctrl-C on the terminal is for us, not for the server.
        command.process_group(0);
        command.stdout(Stdio::from(log.descriptor()?)).stderr(Stdio::from(log.descriptor()?));
        let mut child = command
            .spawn()
            .map_err(|error| broken(format!("running {}: {error}", self.binaries.postgres().display())))?;
        let ended = async { child.wait().await.map_or((), drop) };
        let why = match ready::outcome(&self.address, ended).await {
            Outcome::Ready => return Ok(()),
            Outcome::Ended => "ended".to_owned(),
            Outcome::Silent => format!("did not answer within {:?}", ready::START_LIMIT),
        };
        // One that is silent must not be left behind.
        drop(child.kill().await);
        Err(self.with_log_hint(broken(format!("starting the private server: it {why}{}", log.tail()))))
    }

    async fn stop_locked(&self) -> Result<Stopped, Failure> {
        if self.holder() != Holder::Running {
            return Ok(Stopped::Already);
        }
        for mode in ["fast", "immediate"] {
            let mut command = self.command(&[self.binaries.pg_ctl().into(), "stop".into(), "-w".into()]);
            command.arg("-D").arg(self.layout.data()).args(["-m", mode, "-t", STOP_SECONDS]);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            let stopped = command.status().await;
            let stopped = stopped
                .map_err(|error| broken(format!("running {}: {error}", self.binaries.pg_ctl().display())))?;
            if stopped.success() || self.holder() != Holder::Running {
                return Ok(Stopped::Now);
            }
        }
        Err(self.with_log_hint(broken("the private server does not stop")))
    }

    /// Waits for the lock, not for ever. It ends with the file, also when this process is killed.
    async fn lock(&self) -> Result<File, Failure> {
        let path = self.layout.lock();
        let mut options = OpenOptions::new();
        options.create(true).write(true).truncate(false).mode(0o600);
        let file = options.open(&path).map_err(|error| unusable("opening", &path, &error))?;
        let take = async {
            let mut pauses = ready::pauses();
            loop {
                match file.try_lock() {
                    Ok(()) => return Ok(()),
                    Err(TryLockError::WouldBlock) => pauses.pause().await,
                    Err(TryLockError::Error(error)) => return Err(unusable("locking", &path, &error)),
                }
            }
        };
        timeout(LOCK_LIMIT, take).await.unwrap_or_else(|_| {
            Err(broken(format!("another command has held {} for {LOCK_LIMIT:?}", path.display())))
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

/// The major version of the PostgreSQL that made `data`, if it was made to the end.
fn data_major(data: &Path) -> Option<u32> {
    std::fs::read_to_string(data.join("PG_VERSION")).ok()?.trim().parse().ok()
}

/// Deletes a folder, if it is there. The standard library follows no symbolic link here.
fn delete(folder: &Path) -> Result<(), Failure> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(unusable("deleting", folder, &error))
        }
        _ => Ok(()),
    }
}
