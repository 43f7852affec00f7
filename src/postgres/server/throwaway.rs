//! A server that lives as long as a value. A small shell watches over it: when the pipe that we hold
//! closes, because of [`Throwaway::stop`], a drop, an exit or `kill -9`, it ends the server and
//! deletes everything.

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
use super::ready::{self, Outcome};
use super::{Address, Binaries, DATABASE, Environment, broken, unusable};
use crate::error::Failure;

const SCRIPT: &str = include_str!("throwaway.sh");

/// How long the server may take to end. It does not write its data, so this is a second, mostly.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// A server with no past and no future. Dropping it is enough; [`Self::stop`] also waits until it is
/// gone.
#[derive(Debug)]
pub struct Throwaway {
    address: Address,
    binaries: Binaries,
    /// The pipe. A plain descriptor: the value may outlive the runtime that it was started in.
    alive: ChildStdin,
    watcher: Child,
}

impl Throwaway {
    /// Makes and starts one. It answers, and [`DATABASE`] is there.
    pub async fn start(environment: &Environment) -> Result<Self, Failure> {
        Self::start_preloading(environment, &[]).await
    }

    /// One that loads these libraries when it starts, as an extension such as `pg_stat_statements` must be.
    pub async fn start_preloading(environment: &Environment, libraries: &[&str]) -> Result<Self, Failure> {
        let account = Account::find()?;
        let binaries = Binaries::find(environment)?;
        let folder = new_folder(environment, &account)?;
        let (server, watch) = Self::spawn(&account, binaries, &folder, libraries)?;
        server.wait_until_ready(watch).await?;
        ready::ensure_database(&server.address, DATABASE).await?;
        Ok(server)
    }

    fn spawn(
        account: &Account,
        binaries: Binaries,
        folder: &Path,
        libraries: &[&str],
    ) -> Result<(Self, Watch), Failure> {
        // Opened while the folder is still ours: see `Layout`.
        let log = Log::open(&folder.join("server.log"))?;
        if account.steps_down() {
            chown(folder, Some(account.uid), Some(account.gid))
                .map_err(|error| unusable("giving to the server's account", folder, &error))?;
        }
        let data = folder.join("data");
        let initdb = options::initdb(&binaries, &data, Lifetime::Thrown);
        let mut postgres = options::postgres(&binaries, &data, folder, Lifetime::Thrown);
        postgres.extend(options::preloading(libraries));
        let mut watcher = account
            .command("sh")
            .arg("-c")
            .arg(script(&[("@INITDB@", initdb), ("@POSTGRES@", postgres)]))
            .arg("tenure-throwaway")
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::from(log.descriptor()?))
            // A group of its own, so that what is sent to ours does not take the watcher first.
            .process_group(0)
            .spawn()
            .map_err(|error| broken(format!("running sh: {error}")))?;
        match (watcher.stdin.take(), watcher.stdout.take()) {
            (Some(alive), Some(ended)) => {
                let server = Self { address: Address::new(folder), binaries, alive, watcher };
                Ok((server, Watch { ended, log }))
            }
            _ => Err(broken("running sh: it has no pipes")),
        }
    }

    async fn wait_until_ready(&self, watch: Watch) -> Result<(), Failure> {
        let mut pipe = tokio::process::ChildStdout::from_std(watch.ended)
            .map_err(|error| broken(format!("watching the throwaway server: {error}")))?;
        // Nothing is ever written to it: it ends when the last process of the server does.
        let ended = async { pipe.read_u8().await.map_or((), drop) };
        let why = match ready::outcome(&self.address, ended).await {
            Outcome::Ready => return Ok(()),
            Outcome::Ended => "ended".to_owned(),
            Outcome::Silent => format!("did not answer within {:?}", ready::START_LIMIT),
        };
        Err(broken(format!("starting a throwaway server: it {why}{}", watch.log.tail())))
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

    /// Ends it, and waits until its process and its folder are gone.
    pub async fn stop(self) -> Result<(), Failure> {
        let Self { address, alive, mut watcher, .. } = self;
        drop(alive);
        let wait = async {
            let mut pauses = ready::pauses();
            loop {
                match watcher.try_wait() {
                    Ok(None) => pauses.pause().await,
                    Ok(Some(status)) => return Ok(status),
                    Err(error) => return Err(error),
                }
            }
        };
        let why = match timeout(STOP_LIMIT, wait).await {
            Ok(Ok(status)) if status.success() => return Ok(()),
            Ok(Ok(status)) => status.to_string(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("it did not end within {STOP_LIMIT:?}"),
        };
        let folder = address.folder().display();
        Err(broken(format!("stopping the throwaway server in {folder}: {why}")))
    }
}

/// What a start watches besides the socket.
struct Watch {
    ended: ChildStdout,
    log: Log,
}

/// A folder of a name that nobody could foresee, so nobody could have laid anything there.
fn new_folder(environment: &Environment, account: &Account) -> Result<PathBuf, Failure> {
    let name = format!("tenure-{}", uuid::Uuid::new_v4().simple());
    let usual = ["/tmp", "/var/tmp"].map(PathBuf::from);
    let folder =
        shared_folder(environment.temp.clone().into_iter().chain(usual), account, name.len())?.join(name);
    let made = DirBuilder::new().mode(0o700).create(&folder);
    made.map_err(|error| unusable("making the folder", &folder, &error))?;
    Ok(folder)
}

/// The script, with the two commands in it.
fn script(commands: &[(&str, Vec<std::ffi::OsString>)]) -> std::ffi::OsString {
    let mut script = std::ffi::OsString::new();
    for line in SCRIPT.split_inclusive('\n') {
        match commands.iter().find_map(|(mark, words)| Some((line.split_once(mark)?, words))) {
            Some(((before, after), words)) => {
                script.push(before);
                script.push(options::for_shell(words));
                script.push(after);
            }
            None => script.push(line),
        }
    }
    script
}
