//! Finds PostgreSQL's server programs. Most systems keep them off the PATH, each in a place of its
//! own; this is the one list of those places.
#![expect(clippy::disallowed_methods, reason = "looks into the folders where PostgreSQL may be")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Environment;
use crate::error::{Code, Failure};

/// The oldest PostgreSQL that is supported.
const OLDEST: u32 = 14;

/// What a folder must hold to be one of PostgreSQL's.
const NEEDED: &[&str] = &["initdb", "postgres", "pg_ctl"];

/// Folders that hold one folder for each major version: where, how the names begin, and the way from
/// there to the programs. The newest is taken first.
const VERSIONED: &[(&str, &str, &str)] = &[
    ("usr/lib/postgresql", "", "bin"),          // Debian, Ubuntu, Gentoo
    ("usr", "pgsql-", "bin"),                   // PostgreSQL's own RPMs
    ("usr/lib", "postgresql", "bin"),           // SUSE
    ("usr/libexec", "postgresql", ""),          // Alpine
    ("opt/homebrew/opt", "postgresql@", "bin"), // Homebrew, Apple silicon
    ("usr/local/opt", "postgresql@", "bin"),    // Homebrew, Intel
    ("home/linuxbrew/.linuxbrew/opt", "postgresql@", "bin"),
    ("Applications/Postgres.app/Contents/Versions", "", "bin"),
    ("Library/PostgreSQL", "", "bin"), // EDB's installer
];

/// Folders without a version in their name.
const PLAIN: &[&str] = &["usr/local/pgsql/bin", "usr/bin", "usr/local/bin", "opt/homebrew/bin"];

/// One PostgreSQL: the folder of its programs, and its major version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    folder: PathBuf,
    major: u32,
    psql: Option<PathBuf>,
}

impl Binaries {
    /// The first PostgreSQL that is found and supported: in `TENURE_PG_BINDIR` if that is set;
    /// else on the PATH, where `pg_config` says, or in the usual folders, newest first.
    pub fn find(environment: &Environment) -> Result<Self, Failure> {
        Self::find_under(Path::new("/"), environment, |_| true)
    }

    /// The same, of exactly this major version: a data folder can be read by no other.
    pub fn find_major(environment: &Environment, major: u32) -> Result<Self, Failure> {
        Self::find_under(Path::new("/"), environment, |found| found == major)
    }

    fn find_under(
        root: &Path,
        environment: &Environment,
        wanted: impl Fn(u32) -> bool,
    ) -> Result<Self, Failure> {
        let mut unwanted = Vec::new();
        for folder in folders(root, environment) {
            let Some(major) = major_of(&folder) else { continue };
            if major >= OLDEST && wanted(major) {
                let psql = std::iter::once(folder.clone()).chain(on_path(environment));
                let psql = psql.map(|folder| folder.join("psql")).find(|psql| psql.is_file());
                return Ok(Self { folder, major, psql });
            }
            unwanted.push(format!("{major} in {}", folder.display()));
        }
        Err(not_found(environment, &unwanted))
    }

    /// The major version: 14 or more.
    pub fn major(&self) -> u32 {
        self.major
    }

    /// The folder of the programs.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The client, if it is installed: beside the server, or on the PATH.
    pub fn psql(&self) -> Option<&Path> {
        self.psql.as_deref()
    }

    /// One of PostgreSQL's client programs: beside the server of this major version, or any on the PATH.
    pub fn client(environment: &Environment, name: &str, major: u32) -> Option<PathBuf> {
        let beside = Self::find_major(environment, major).ok().map(|binaries| binaries.folder);
        let folders = beside.into_iter().chain(on_path(environment));
        folders.map(|folder| folder.join(name)).find(|program| program.is_file())
    }

    /// The one of PostgreSQL's client programs that fits a server of this major version best: its own release's, or
    /// else the oldest of those that are newer.
    pub fn client_since(environment: &Environment, name: &str, major: u32) -> Option<PathBuf> {
        let folders = folders(Path::new("/"), environment).into_iter().chain(on_path(environment));
        let programs = folders.map(|folder| folder.join(name)).filter(|program| program.is_file());
        let with_major = programs.filter_map(|program| {
            let major = major_in(&first_line(Command::new(&program).arg("--version"))?)?;
            Some((major, program))
        });
        // Of several of one release the first.
        let fitting: Vec<_> = with_major.filter(|(found, _)| *found >= major).collect();
        let best = fitting.iter().map(|(found, _)| *found).min()?;
        fitting.into_iter().find(|(found, _)| *found == best).map(|(_, program)| program)
    }

    pub(super) fn initdb(&self) -> PathBuf {
        self.folder.join("initdb")
    }

    pub(super) fn postgres(&self) -> PathBuf {
        self.folder.join("postgres")
    }

    pub(super) fn pg_ctl(&self) -> PathBuf {
        self.folder.join("pg_ctl")
    }
}

fn not_found(environment: &Environment, unwanted: &[String]) -> Failure {
    let place = environment.bindir.as_ref().map_or_else(
        || "there is no".to_owned(),
        |folder| format!("TENURE_PG_BINDIR names {}, which has no", folder.display()),
    );
    let found = match unwanted {
        [] => String::new(),
        some => format!("; found: {}", some.join(", ")),
    };
    let message =
        format!("{place} PostgreSQL server of version {OLDEST} or newer (initdb, postgres, pg_ctl){found}");
    Failure::new(Code::NoServerBinaries, message).hint(
        "install it (apt-get install postgresql, dnf install postgresql-server, brew install postgresql@17), \
         set TENURE_PG_BINDIR to the folder of its programs, or name a database with --database-url",
    )
}

/// The folders to look into, best first, each once.
fn folders(root: &Path, environment: &Environment) -> Vec<PathBuf> {
    if let Some(folder) = &environment.bindir {
        return vec![folder.clone()];
    }
    let mut folders: Vec<PathBuf> = on_path(environment).collect();
    folders.extend(said_by_pg_config(environment));
    folders.extend(
        VERSIONED.iter().flat_map(|(parent, prefix, rest)| versions(&root.join(parent), prefix, rest)),
    );
    folders.extend(PLAIN.iter().map(|folder| root.join(folder)));
    let mut seen = std::collections::HashSet::new();
    folders.retain(|folder| seen.insert(folder.clone()));
    folders
}

/// The PATH. Relative entries are left out: what they mean changes with the working folder.
fn on_path(environment: &Environment) -> impl Iterator<Item = PathBuf> {
    environment.path.iter().flat_map(std::env::split_paths).filter(|folder| folder.is_absolute())
}

fn said_by_pg_config(environment: &Environment) -> Option<PathBuf> {
    let program = on_path(environment).map(|folder| folder.join("pg_config")).find(|file| file.is_file())?;
    let said = first_line(Command::new(program).arg("--bindir"))?;
    Some(PathBuf::from(said)).filter(|folder| folder.is_absolute())
}

/// The folders of `parent` that are named `prefix` and a number, the highest number first.
fn versions(parent: &Path, prefix: &str, rest: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok()?;
            Some((number, entry.path().join(rest)))
        })
        .collect();
    found.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    found.into_iter().map(|(_, folder)| folder).collect()
}

/// The major version of the PostgreSQL in `folder`, if all that is needed is there.
fn major_of(folder: &Path) -> Option<u32> {
    if !NEEDED.iter().all(|program| folder.join(program).is_file()) {
        return None;
    }
    major_in(&first_line(Command::new(folder.join("postgres")).arg("--version"))?)
}

/// The major version in `postgres (PostgreSQL) 15.18 (Debian …)` or `… 18beta1`.
fn major_in(line: &str) -> Option<u32> {
    let (_, version) = line.split_once("(PostgreSQL) ")?;
    let end = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    version[..end].parse().ok()
}

fn first_line(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// Something that looks like PostgreSQL `version` from outside.
    fn plant(folder: &Path, version: &str) {
        std::fs::create_dir_all(folder).unwrap();
        for program in NEEDED {
            let file = folder.join(program);
            std::fs::write(&file, format!("#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")).unwrap();
            std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
        }
    }

    fn find(root: &Path, environment: &Environment) -> Result<Binaries, Failure> {
        Binaries::find_under(root, environment, |_| true)
    }

    #[test]
    fn the_newest_of_the_usual_folders_is_taken() {
        let root = tempfile::tempdir().unwrap();
        for version in ["9.6", "9", "14", "16"] {
            plant(&root.path().join("usr/lib/postgresql").join(version).join("bin"), version);
        }
        let nothing = Environment::default();
        assert_eq!(find(root.path(), &nothing).unwrap().major(), 16);
        let old = Binaries::find_under(root.path(), &nothing, |major| major == 14).unwrap();
        assert_eq!(old.folder(), root.path().join("usr/lib/postgresql/14/bin"));
    }

    #[test]
    fn the_path_comes_first_and_the_override_before_it() {
        let root = tempfile::tempdir().unwrap();
        let (on_path, named) = (root.path().join("on_path"), root.path().join("named"));
        plant(&root.path().join("usr/pgsql-18/bin"), "18.1");
        plant(&on_path, "15.2");
        plant(&named, "17beta2");
        std::fs::write(on_path.join("psql"), "").unwrap();
        let mut environment = Environment { path: Some(on_path.clone().into()), ..Environment::default() };
        assert_eq!(find(root.path(), &environment).unwrap().major(), 15);
        environment.bindir = Some(named);
        let binaries = find(root.path(), &environment).unwrap();
        assert_eq!((binaries.major(), binaries.psql()), (17, Some(on_path.join("psql").as_path())));
    }

    #[test]
    fn a_client_is_of_the_servers_release_or_the_next_newer_one() {
        let root = tempfile::tempdir().unwrap();
        let folders: Vec<PathBuf> = ["14", "18", "16", "15"].map(|name| root.path().join(name)).to_vec();
        for folder in &folders {
            plant(folder, folder.file_name().unwrap().to_str().unwrap());
            std::fs::rename(folder.join("initdb"), folder.join("pg_thing")).unwrap();
        }
        let path = std::env::join_paths(&folders).unwrap();
        let environment =
            Environment { bindir: Some(root.path().join("none")), path: Some(path), temp: None };
        let found = |major| Binaries::client_since(&environment, "pg_thing", major);
        assert_eq!(found(15), Some(root.path().join("15/pg_thing")));
        assert_eq!(found(17), Some(root.path().join("18/pg_thing")));
        assert_eq!(found(19), None);
        assert_eq!(Binaries::client_since(&environment, "pg_other", 15), None);
    }

    #[test]
    fn an_old_one_is_named_in_the_refusal() {
        let root = tempfile::tempdir().unwrap();
        plant(&root.path().join("usr/lib/postgresql/13/bin"), "13.4");
        let failure = find(root.path(), &Environment::default()).unwrap_err();
        assert_eq!(failure.code, Code::NoServerBinaries);
        assert!(failure.message.contains("found: 13 in "), "{failure}");
        assert!(failure.hint.unwrap().contains("apt-get install postgresql"));
    }

    #[test]
    fn versions_are_read_from_what_postgres_says() {
        assert_eq!(major_in("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(major_in("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major_in("postgres (Other) 18"), None);
    }
}
