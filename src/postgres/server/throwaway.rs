//! A server that runs as long as a value exists. A shell script supervises it. When the pipe that this process
//! holds closes, after [`Throwaway::stop`], a drop, an exit or `kill -9`, the script ends the server and
//! deletes its files.

use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use super::account::Account;
use super::layout::shared_folder;
use super::log::Log;
use super::options::{self, Lifetime};
use super::ready;
use super::{Address, Binaries, DATABASE, Environment, io_failure, server_failure, spawn_failure};
use crate::error::Failure;

const SCRIPT: &str = include_str!("throwaway.sh");

/// The limit for a stop. The server does not write its data, so a stop usually takes less than a second.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// A server without persistent data. A drop ends it; [`Self::stop`] also waits until it has ended.
#[derive(Debug)]
pub struct Throwaway {
    address: Address,
    binaries: Binaries,
    /// The write end of the script's standard input. Not a tokio type, since the value may outlive the runtime
    /// that started it.
    lifeline: ChildStdin,
    watcher: Child,
}

impl Throwaway {
    /// Starts a new server. It is ready, and [`DATABASE`] exists.
    pub async fn start(environment: &Environment) -> Result<Self, Failure> {
        Self::start_preloading(environment, &[]).await
    }

    /// Starts a server that loads `libraries` at its start (`shared_preload_libraries`).
    pub async fn start_preloading(environment: &Environment, libraries: &[&str]) -> Result<Self, Failure> {
        let account = Account::find()?;
        let binaries = Binaries::find(environment)?;
        let folder = new_folder(environment, &account)?;
        let (server, startup) = Self::spawn(&account, binaries, &folder, libraries)?;
        server.wait_until_ready(startup).await?;
        ready::ensure_database(&server.address, DATABASE).await?;
        Ok(server)
    }

    fn spawn(
        account: &Account,
        binaries: Binaries,
        folder: &Path,
        libraries: &[&str],
    ) -> Result<(Self, Startup), Failure> {
        // Opened before the folder's owner changes: see `Layout`.
        let log = Log::open(&folder.join("server.log"))?;
        if account.switches_user() {
            chown(folder, Some(account.uid), Some(account.gid))
                .map_err(|error| io_failure("changing the owner of", folder, &error))?;
        }
        let data = folder.join("data");
        let initdb = options::initdb(&binaries, &data, Lifetime::Throwaway);
        let mut postgres = options::postgres(&binaries, &data, folder, Lifetime::Throwaway);
        postgres.extend(options::preload_options(libraries));
        let mut watcher = account
            .command("sh")
            .arg("-c")
            .arg(script(&[("@INITDB@", initdb), ("@POSTGRES@", postgres)]))
            .arg("tenure-throwaway")
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::from(log.try_clone()?))
            // A process group of its own: the script does not receive the signals for this process's group.
            .process_group(0)
            .spawn()
            .map_err(|error| spawn_failure(Path::new("sh"), &error))?;
        match (watcher.stdin.take(), watcher.stdout.take()) {
            (Some(lifeline), Some(ended)) => {
                let server = Self { address: Address::new(folder), binaries, lifeline, watcher };
                Ok((server, Startup { ended, log }))
            }
            _ => Err(server_failure("running sh: it has no pipes")),
        }
    }

    async fn wait_until_ready(&self, startup: Startup) -> Result<(), Failure> {
        let mut pipe = tokio::process::ChildStdout::from_std(startup.ended)
            .map_err(|error| server_failure(format!("supervising the throwaway server: {error}")))?;
        // The pipe stays empty and closes when the last process of the server ends.
        let ended = async { pipe.read_u8().await.map_or((), drop) };
        ready::wait("a throwaway server", &self.address, ended, &startup.log).await
    }

    /// The URL of `database`; [`DATABASE`] always exists.
    pub fn url(&self, database: &str) -> String {
        self.address.url(database)
    }

    /// Its address.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Its programs.
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// Ends the server and waits until its processes and its folder are removed.
    pub async fn stop(self) -> Result<(), Failure> {
        let Self { address, lifeline, mut watcher, .. } = self;
        drop(lifeline);
        let wait = async {
            let mut backoff = ready::backoff();
            loop {
                match watcher.try_wait() {
                    Ok(None) => backoff.pause().await,
                    Ok(Some(status)) => return Ok(status),
                    Err(error) => return Err(error),
                }
            }
        };
        let error = match timeout(STOP_LIMIT, wait).await {
            Ok(Ok(status)) if status.success() => return Ok(()),
            Ok(Ok(status)) => status.to_string(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("it did not end within {STOP_LIMIT:?}"),
        };
        let folder = address.folder().display();
        Err(server_failure(format!("stopping the throwaway server in {folder}: {error}")))
    }
}

/// The pipe and the log that a start observes besides the socket.
struct Startup {
    ended: ChildStdout,
    log: Log,
}

/// Creates a folder with a random name, which no other user could have created before.
fn new_folder(environment: &Environment, account: &Account) -> Result<PathBuf, Failure> {
    let name = format!("tenure-{}", uuid::Uuid::new_v4().simple());
    let defaults = ["/tmp", "/var/tmp"].map(PathBuf::from);
    let folder =
        shared_folder(environment.temp.clone().into_iter().chain(defaults), account, name.len())?.join(name);
    let created = DirBuilder::new().mode(0o700).create(&folder);
    created.map_err(|error| io_failure("creating the folder", &folder, &error))?;
    Ok(folder)
}

/// Replaces the placeholders in the script with commands.
fn script(commands: &[(&str, Vec<std::ffi::OsString>)]) -> std::ffi::OsString {
    let mut script = std::ffi::OsString::new();
    for line in SCRIPT.split_inclusive('\n') {
        match commands
            .iter()
            .find_map(|(placeholder, command)| Some((line.split_once(placeholder)?, command)))
        {
            Some(((before, after), command)) => {
                script.push(before);
                script.push(options::to_shell(command));
                script.push(after);
            }
            None => script.push(line),
        }
    }
    script
}
