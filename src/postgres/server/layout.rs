//! Where a server's files live. Next to the project if that works: a socket's path must fit into the
//! kernel's 104 to 108 bytes, and the account must be able to walk there, which user `postgres`
//! cannot below `/root`. Else in a folder of ours for temporary files that outlive a reboot.
//! Choosing only looks; [`Layout::make`] writes.

use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::account::Account;
use super::{Environment, broken, unusable};
use crate::error::Failure;

/// The longest path of a socket, in bytes: macOS has the smallest room, 104 with the final NUL.
const SOCKET_BYTES: usize = 103;

/// A server's folders. `home` is ours, `home/server` is the account's: so when we are root we never
/// write where another account could have laid a symbolic link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    home: PathBuf,
}

impl Layout {
    /// Where the server of `project`, a canonical path, lives.
    pub(super) fn choose(
        project: &Path,
        account: &Account,
        environment: &Environment,
    ) -> Result<Self, Failure> {
        let beside = Self { home: project.join(".tenure") };
        if beside.suits_project(project, account, &Facts::of) {
            return Ok(beside);
        }
        let hash = Sha256::digest(project.as_os_str().as_encoded_bytes());
        // The user's number is in the name, so that nobody meets a folder of somebody else.
        let hash = hash.iter().take(8).fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
        let name = format!("tenure-{}-{hash:016x}", account.own);
        let usual = ["/var/tmp", "/tmp"].map(PathBuf::from).into_iter().chain(environment.temp.clone());
        let shared = shared_folder(usual, account, name.len())?;
        Ok(Self { home: shared.join(name) })
    }

    /// The folder that holds the socket and the data; only the account may enter.
    pub(super) fn server(&self) -> PathBuf {
        self.home.join("server")
    }

    /// The data folder.
    pub(super) fn data(&self) -> PathBuf {
        self.server().join("data")
    }

    /// Where a data folder is made, before it gets its name.
    pub(super) fn unfinished_data(&self) -> PathBuf {
        self.server().join("data.new")
    }

    /// The server's log.
    pub(super) fn log(&self) -> PathBuf {
        self.home.join("server.log")
    }

    /// The file that one who starts or stops the server holds a lock on. It is never deleted: a lock
    /// on a deleted file keeps nobody out.
    pub(super) fn lock(&self) -> PathBuf {
        self.home.join("server.lock")
    }

    /// Makes the folders that are missing, and refuses one that somebody else made.
    pub(super) fn make(&self, account: &Account) -> Result<(), Failure> {
        if self.home.ends_with(".tenure") {
            make_folder(&self.home, 0o711, None)?;
            ignore_in_git(&self.home.join(".gitignore"))?;
        } else {
            make_folder(&self.home, 0o711, Some(account.own))?;
        }
        let server = self.server();
        if account.steps_down() && make_folder(&server, 0o700, None)? == Creation::Now {
            chown(&server, Some(account.uid), Some(account.gid))
                .map_err(|error| unusable("giving to the server's account", &server, &error))?;
        }
        make_folder(&server, 0o700, Some(account.uid)).map(drop)
    }

    fn suits_project(
        &self,
        project: &Path,
        account: &Account,
        facts: &impl Fn(&Path) -> Option<Facts>,
    ) -> bool {
        let walkable =
            |folder: &Path| !account.steps_down() || facts(folder).is_some_and(|it| it.lets_through(account));
        let home = match facts(&self.home) {
            Some(home) => home.folder && home.writable(account.own) && walkable(&self.home),
            None => facts(project).is_some_and(|project| project.writable(account.own)),
        };
        let server = facts(&self.server()).is_none_or(|server| server.folder && server.uid == account.uid);
        home && server && socket_fits(&self.server()) && project.ancestors().all(walkable)
    }
}

/// The first of `folders` for temporary files that we may write to, where nobody else can put their
/// folder in the place of ours, that the account can walk to, and below which the socket of a server
/// in a folder of `name_bytes` fits.
pub(super) fn shared_folder(
    folders: impl IntoIterator<Item = PathBuf>,
    account: &Account,
    name_bytes: usize,
) -> Result<PathBuf, Failure> {
    let usable = |folder: &PathBuf| {
        let name = folder.join("x".repeat(name_bytes)).join("server");
        socket_fits(&name)
            && Facts::of(folder).is_some_and(|it| it.folder && it.sticky() && it.writable(account.own))
            && folder.ancestors().all(|it| Facts::of(it).is_some_and(|it| it.lets_through(account)))
    };
    // macOS: /tmp and /var are symbolic links, and only the real path says who may walk there.
    let mut real = folders.into_iter().filter_map(|folder| folder.canonicalize().ok());
    real.find(usable).ok_or_else(|| {
        broken("there is no folder where the private server's socket could live")
            .hint("make /var/tmp or /tmp writable, with the mode 1777")
    })
}

/// Whether both the server and its clients can name a socket in `folder`. Both split lists of folders
/// at commas, and a URL is UTF-8.
fn socket_fits(folder: &Path) -> bool {
    let awkward = |c: char| c.is_control() || c == ',' || c == '"';
    folder.join(".s.PGSQL.5432").as_os_str().len() <= SOCKET_BYTES
        && folder.to_str().is_some_and(|folder| !folder.contains(awkward))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Creation {
    Now,
    Before,
}

/// Makes `folder` with `mode` whatever the umask, or checks that it is a folder, and `owner`'s alone.
fn make_folder(folder: &Path, mode: u32, owner: Option<u32>) -> Result<Creation, Failure> {
    let made = match DirBuilder::new().mode(mode).create(folder) {
        Ok(()) => {
            std::fs::set_permissions(folder, Permissions::from_mode(mode))
                .map_err(|error| unusable("setting the mode of", folder, &error))?;
            Creation::Now
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Creation::Before,
        Err(error) => return Err(unusable("making the folder", folder, &error)),
    };
    let facts = Facts::of(folder);
    let ours = |it: &Facts| it.folder && owner.is_none_or(|owner| it.uid == owner && it.mode & 0o022 == 0);
    if facts.as_ref().is_some_and(ours) {
        return Ok(made);
    }
    Err(broken(format!("{} was made by somebody else, or others may write to it", folder.display()))
        .hint("delete it, if nothing in it is needed"))
}

/// `create_new` does not follow a symbolic link, and leaves alone what the user wrote.
fn ignore_in_git(file: &Path) -> Result<(), Failure> {
    let write = || OpenOptions::new().write(true).create_new(true).open(file)?.write_all(b"*\n");
    match write() {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(unusable("writing", file, &error)),
        _ => Ok(()),
    }
}

/// What permission bits say of a file. Access lists are not looked at: they could only let in more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Facts {
    uid: u32,
    gid: u32,
    mode: u32,
    folder: bool,
}

impl Facts {
    fn of(path: &Path) -> Option<Self> {
        let it = path.symlink_metadata().ok()?;
        Some(Self { uid: it.uid(), gid: it.gid(), mode: it.mode(), folder: it.is_dir() })
    }

    fn lets_through(&self, account: &Account) -> bool {
        let bit = match () {
            () if self.uid == account.uid => 0o100,
            () if self.gid == account.gid => 0o010,
            () => 0o001,
        };
        self.mode & bit != 0
    }

    /// Whether only a file's owner may rename it, or nobody else may write here at all.
    fn sticky(&self) -> bool {
        self.mode & 0o022 == 0 || self.mode & 0o1000 != 0
    }

    /// Of our groups we know nothing, so the group's bit counts for us; a wrong guess is told later.
    fn writable(&self, own: u32) -> bool {
        let bits = if self.uid == own { 0o200 } else { 0o022 };
        own == 0 || self.mode & bits != 0
    }
}

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;
