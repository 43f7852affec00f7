//! The folders of a persistent server's files: `.tenure` in the project if possible, else a folder below
//! `/var/tmp`. The path of a socket must fit into 104 bytes (macOS) or 108 (Linux), and the account must be
//! able to reach the folder; user `postgres` cannot enter `/root`. Choosing a layout only reads;
//! [`Layout::create`] writes.

use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::account::Account;
use super::{Environment, io_failure, server_failure};
use crate::error::Failure;

/// The sticky bit marks a server's folder as created by Tenure. A project's files cannot bring such a folder, whose data the server
/// would run: neither git nor an unpacked archive sets the bit.
const CREATED_HERE: u32 = 0o1000;

/// The longest path of a socket in bytes: macOS has the lowest limit, 104 with the final NUL.
const SOCKET_BYTES: usize = 103;

/// A server's folders. This process owns `home`; the account owns `home/server`. So root never writes where
/// another account could have placed a symbolic link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    home: PathBuf,
}

impl Layout {
    /// Chooses the folders for the server of `project`, a canonical path.
    pub(super) fn choose(
        project: &Path,
        account: &Account,
        environment: &Environment,
    ) -> Result<Self, Failure> {
        let in_project = Self { home: project.join(".tenure") };
        if in_project.suits_project(project, account, &FolderStat::of) {
            return Ok(in_project);
        }
        let hash = Sha256::digest(project.as_os_str().as_encoded_bytes());
        // The user id in the name keeps the folders of two users apart.
        let hash = hash.iter().take(8).fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
        let name = format!("tenure-{}-{hash:016x}", account.own_uid);
        let defaults = ["/var/tmp", "/tmp"].map(PathBuf::from).into_iter().chain(environment.temp.clone());
        let shared = shared_folder(defaults, account, name.len())?;
        Ok(Self { home: shared.join(name) })
    }

    /// The folder of the socket and the data, mode 1700.
    pub(super) fn server(&self) -> PathBuf {
        self.home.join("server")
    }

    pub(super) fn data(&self) -> PathBuf {
        self.server().join("data")
    }

    /// The data folder while `initdb` runs.
    pub(super) fn unfinished_data(&self) -> PathBuf {
        self.server().join("data.new")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.home.join("server.log")
    }

    /// The lock file of start, stop and reset. It is never deleted, since a lock on a deleted file excludes no
    /// other process.
    pub(super) fn lock(&self) -> PathBuf {
        self.home.join("server.lock")
    }

    /// Creates missing folders. It fails if a folder belongs to another user.
    pub(super) fn create(&self, account: &Account) -> Result<(), Failure> {
        if self.home.ends_with(".tenure") {
            create_folder(&self.home, 0o711, None)?;
            write_gitignore(&self.home.join(".gitignore"))?;
        } else {
            create_folder(&self.home, 0o711, Some(account.own_uid))?;
        }
        let server = self.server();
        if account.switches_user() && create_folder(&server, CREATED_HERE | 0o700, None)? == Creation::New {
            chown(&server, Some(account.uid), Some(account.gid))
                .map_err(|error| io_failure("changing the owner of", &server, &error))?;
        }
        create_folder(&server, CREATED_HERE | 0o700, Some(account.uid)).map(drop)
    }

    fn suits_project(
        &self,
        project: &Path,
        account: &Account,
        stat: &impl Fn(&Path) -> Option<FolderStat>,
    ) -> bool {
        let searchable = |folder: &Path| {
            !account.switches_user() || stat(folder).is_some_and(|it| it.is_searchable_by(account))
        };
        let home = match stat(&self.home) {
            Some(home) => home.is_folder && home.is_writable_by(account.own_uid) && searchable(&self.home),
            None => stat(project).is_some_and(|project| project.is_writable_by(account.own_uid)),
        };
        let server = stat(&self.server()).is_none_or(|server| {
            server.is_folder && server.uid == account.uid && server.mode & CREATED_HERE != 0
        });
        home && server && socket_fits(&self.server()) && project.ancestors().all(searchable)
    }
}

/// The first of `folders` that this process can write to, in which no other user can replace a folder, that the
/// account can reach, and in which the socket path of a server in a folder of `name_bytes` fits.
pub(super) fn shared_folder(
    folders: impl IntoIterator<Item = PathBuf>,
    account: &Account,
    name_bytes: usize,
) -> Result<PathBuf, Failure> {
    let usable = |folder: &PathBuf| {
        let name = folder.join("x".repeat(name_bytes)).join("server");
        socket_fits(&name)
            && FolderStat::of(folder).is_some_and(|it| {
                it.is_folder && it.is_protected_from_others() && it.is_writable_by(account.own_uid)
            })
            && folder.ancestors().all(|it| FolderStat::of(it).is_some_and(|it| it.is_searchable_by(account)))
    };
    // On macOS /tmp and /var are symbolic links; permissions are those of the real path.
    let mut real = folders.into_iter().filter_map(|folder| folder.canonicalize().ok());
    real.find(usable).ok_or_else(|| {
        server_failure("no folder is suitable for the private server's socket")
            .hint("make /var/tmp or /tmp writable, with mode 1777")
    })
}

/// Whether the server and its clients accept a socket in `folder`. Both split lists of folders at commas, and a
/// URL is UTF-8.
fn socket_fits(folder: &Path) -> bool {
    let unsupported = |c: char| c.is_control() || c == ',' || c == '"';
    folder.join(".s.PGSQL.5432").as_os_str().len() <= SOCKET_BYTES
        && folder.to_str().is_some_and(|folder| !folder.contains(unsupported))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Creation {
    New,
    Existing,
}

/// Creates `folder` with `mode`, independent of the umask. An existing one must be a folder; with `owner`, it
/// must belong to that user, and no other user may write to it.
fn create_folder(folder: &Path, mode: u32, owner: Option<u32>) -> Result<Creation, Failure> {
    let creation = match DirBuilder::new().mode(mode).create(folder) {
        Ok(()) => {
            std::fs::set_permissions(folder, Permissions::from_mode(mode))
                .map_err(|error| io_failure("setting the mode of", folder, &error))?;
            Creation::New
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Creation::Existing,
        Err(error) => return Err(io_failure("creating the folder", folder, &error)),
    };
    let found = FolderStat::of(folder);
    let is_safe =
        |it: &FolderStat| it.is_folder && owner.is_none_or(|owner| it.uid == owner && it.mode & 0o022 == 0);
    if found.as_ref().is_some_and(is_safe) {
        return Ok(creation);
    }
    Err(server_failure(format!("{} belongs to another user, or others may write to it", folder.display()))
        .hint("delete it if you do not need its contents"))
}

/// `create_new` follows no symbolic link and leaves an existing file unchanged.
fn write_gitignore(file: &Path) -> Result<(), Failure> {
    let write = || OpenOptions::new().write(true).create_new(true).open(file)?.write_all(b"*\n");
    match write() {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(io_failure("writing", file, &error)),
        _ => Ok(()),
    }
}

/// Owner and permission bits of a path. Access control lists are ignored: they could only grant more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FolderStat {
    uid: u32,
    gid: u32,
    mode: u32,
    is_folder: bool,
}

impl FolderStat {
    fn of(path: &Path) -> Option<Self> {
        let it = path.symlink_metadata().ok()?;
        Some(Self { uid: it.uid(), gid: it.gid(), mode: it.mode(), is_folder: it.is_dir() })
    }

    fn is_searchable_by(&self, account: &Account) -> bool {
        let bit = match () {
            () if self.uid == account.uid => 0o100,
            () if self.gid == account.gid => 0o010,
            () => 0o001,
        };
        self.mode & bit != 0
    }

    /// Whether other users cannot rename or delete files here: the folder has the sticky bit, or others may not
    /// write to it.
    fn is_protected_from_others(&self) -> bool {
        self.mode & 0o022 == 0 || self.mode & 0o1000 != 0
    }

    /// The groups of this process are unknown, so the group's bit counts. A wrong guess fails later with an
    /// error.
    fn is_writable_by(&self, own_uid: u32) -> bool {
        let bits = if self.uid == own_uid { 0o200 } else { 0o022 };
        own_uid == 0 || self.mode & bits != 0
    }
}

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;
