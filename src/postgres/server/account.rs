//! The operating system account that runs the server. PostgreSQL refuses to run as root, so root uses the
//! account `postgres`; another user uses its own account.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use super::server_failure;
use crate::error::Failure;
use crate::program::{self, Needs};

/// The account of the server and that of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// The user id of this process.
    pub(super) own_uid: u32,
}

impl Account {
    /// The account for a server that this process starts. It fails for root without a user `postgres`.
    pub(super) fn find() -> Result<Self, Failure> {
        let own_uid = id(&["-u"])?;
        if own_uid != 0 {
            return Ok(Self { uid: own_uid, gid: id(&["-g"])?, own_uid });
        }
        let postgres = || Ok(Self { uid: id(&["-u", "postgres"])?, gid: id(&["-g", "postgres"])?, own_uid });
        postgres().map_err(|_: Failure| {
            server_failure("PostgreSQL does not run as root, and the user postgres does not exist").hint(
                "create one (useradd --system postgres; PostgreSQL's own packages do), \
                 or run tenure as an ordinary user",
            )
        })
    }

    /// Whether the server runs as another user than this process.
    pub(super) fn switches_user(&self) -> bool {
        self.uid != self.own_uid
    }

    /// A command that runs as the account, in `/`, with the locale C and an empty standard input. Its environment contains
    /// nothing else of this process: the server's functions can read the server's environment.
    pub(super) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = program::command(program, Needs::Nothing);
        if self.switches_user() {
            // `Command::uid` also drops the supplementary groups of root.
            command.uid(self.uid).gid(self.gid);
        }
        command.env("LC_ALL", "C").current_dir("/").stdin(Stdio::null());
        command
    }
}

/// The number that `id` prints: the standard library has no safe `getuid`.
fn id(arguments: &[&str]) -> Result<u32, Failure> {
    let action = format!("reading the user id (id {})", arguments.join(" "));
    let output = program::command("id", Needs::Nothing)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| server_failure(format!("{action}: {error}")))?;
    String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .map_err(|_| server_failure(format!("{action}: no such user")))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn the_account_is_never_root() {
        let account = Account::find().unwrap();
        assert_ne!(account.uid, 0);
        assert_eq!(account.switches_user(), account.own_uid == 0);
    }

    #[test]
    fn the_environment_of_the_server_is_empty() {
        let command = Account::find().unwrap().command("env");
        for (name, _) in command.get_envs() {
            assert!(
                ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LC_ALL"].map(OsStr::new).contains(&name),
                "{name:?}"
            );
        }
    }

    #[test]
    fn own_uid_is_the_owner_of_new_files() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(Account::find().unwrap().own_uid, file.path().metadata().unwrap().uid());
    }

    #[test]
    fn an_unknown_user_is_an_error() {
        assert!(id(&["-u", "no such user"]).unwrap_err().message.contains("no such user"));
    }
}
