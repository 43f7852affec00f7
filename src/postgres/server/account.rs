//! The operating system's account that runs the server. PostgreSQL refuses to be root, so root steps
//! down to the user `postgres`; everybody else stays who they are.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use super::broken;
use crate::error::Failure;

/// Variables that would change what PostgreSQL's programs do.
const MEDDLING: &[&str] =
    &["PGDATA", "PGPORT", "PGHOST", "PGOPTIONS", "PGTZ", "PGDATESTYLE", "PGCLIENTENCODING", "LANGUAGE"];

/// Ways into other places, which a server that is thrown away has no use for: its functions could read them.
const SECRETS: &[&str] = &[
    "DATABASE_URL",
    "GH_TOKEN",
    "GITHUB_TOKEN",
    "NEON_API_KEY",
    "PGPASSFILE",
    "PGPASSWORD",
    "PGSERVICE",
    "PGSERVICEFILE",
];

/// Who runs the server, and who we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Account {
    /// The server's user.
    pub(super) uid: u32,
    /// The server's group.
    pub(super) gid: u32,
    /// Our own user.
    pub(super) own: u32,
}

impl Account {
    /// The account for a server that this process starts.
    pub(super) fn find() -> Result<Self, Failure> {
        let own = id(&["-u"])?;
        if own != 0 {
            return Ok(Self { uid: own, gid: id(&["-g"])?, own });
        }
        let postgres = || Ok(Self { uid: id(&["-u", "postgres"])?, gid: id(&["-g", "postgres"])?, own });
        postgres().map_err(|_: Failure| {
            broken("PostgreSQL does not run as root, and there is no user postgres to run it as").hint(
                "create one (useradd --system postgres; PostgreSQL's own packages do), \
                 or run tenure as an ordinary user",
            )
        })
    }

    /// Whether the server runs as somebody else than we.
    pub(super) fn steps_down(&self) -> bool {
        self.uid != self.own
    }

    /// A command that runs as the account, from `/`, in English, with nothing to read.
    pub(super) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        if self.steps_down() {
            // For root, setting the user also drops every supplementary group.
            command.uid(self.uid).gid(self.gid);
        }
        for name in MEDDLING.iter().chain(SECRETS) {
            command.env_remove(name);
        }
        command.env("LC_ALL", "C").current_dir("/").stdin(Stdio::null());
        command
    }
}

/// The number that `id` prints. There is no safe `getuid` in the standard library.
fn id(arguments: &[&str]) -> Result<u32, Failure> {
    let asking = || format!("asking for the user's number (id {})", arguments.join(" "));
    let output = Command::new("id")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| broken(format!("{}: {error}", asking())))?;
    String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .map_err(|_| broken(format!("{}: no such user", asking())))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn the_account_is_never_root() {
        let account = Account::find().unwrap();
        assert_ne!(account.uid, 0);
        assert_eq!(account.steps_down(), account.own == 0);
    }

    #[test]
    fn no_secret_of_ours_is_the_servers() {
        let command = Account::find().unwrap().command("env");
        for name in ["NEON_API_KEY", "DATABASE_URL", "GITHUB_TOKEN", "PGPASSWORD"] {
            let taken = command.get_envs().any(|(key, value)| key == name && value.is_none());
            assert!(taken, "{name}");
        }
    }

    #[test]
    fn we_are_who_owns_our_files() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(Account::find().unwrap().own, file.path().metadata().unwrap().uid());
    }

    #[test]
    fn an_unknown_user_is_an_error() {
        assert!(id(&["-u", "no such user"]).unwrap_err().message.contains("no such user"));
    }
}
