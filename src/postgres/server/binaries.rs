//! Finds PostgreSQL's server programs, which most systems install outside of the PATH. This file has the only
//! list of these folders.
#![expect(clippy::disallowed_methods, reason = "searches the folders of PostgreSQL")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Environment;
use crate::error::{Code, Failure};
use crate::program::{self, Needs};

/// The oldest supported major version.
const OLDEST_MAJOR: u32 = 14;

/// The programs that a folder must contain.
const REQUIRED_PROGRAMS: &[&str] = &["initdb", "postgres", "pg_ctl"];

/// Folders with one subfolder for each major version: the parent, the prefix of the subfolders' names, and the
/// path from there to the programs. The newest version is used.
const VERSIONED_FOLDERS: &[(&str, &str, &str)] = &[
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
const UNVERSIONED_FOLDERS: &[&str] = &["usr/local/pgsql/bin", "usr/bin", "usr/local/bin", "opt/homebrew/bin"];

/// An installed PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    folder: PathBuf,
    major: u32,
    psql: Option<PathBuf>,
}

impl Binaries {
    /// Finds the first supported PostgreSQL: in `TENURE_PG_BINDIR` if that is set, else on the PATH, in
    /// `pg_config --bindir`, or in the usual folders, newest first.
    pub fn find(environment: &Environment) -> Result<Self, Failure> {
        Self::find_under(Path::new("/"), environment, |_| true)
    }

    /// Finds PostgreSQL of this major version, since no other reads its data folder.
    pub fn find_major(environment: &Environment, major: u32) -> Result<Self, Failure> {
        Self::find_under(Path::new("/"), environment, |found| found == major)
    }

    fn find_under(
        root: &Path,
        environment: &Environment,
        accepts: impl Fn(u32) -> bool,
    ) -> Result<Self, Failure> {
        let mut rejected = Vec::new();
        for folder in folders(root, environment) {
            let Some(major) = major_of(&folder) else { continue };
            if major >= OLDEST_MAJOR && accepts(major) {
                let psql = std::iter::once(folder.clone()).chain(path_folders(environment));
                let psql = psql.map(|folder| folder.join("psql")).find(|psql| psql.is_file());
                return Ok(Self { folder, major, psql });
            }
            rejected.push(format!("{major} in {}", folder.display()));
        }
        Err(not_found(environment, &rejected))
    }

    /// The major version, at least 14.
    pub fn major(&self) -> u32 {
        self.major
    }

    /// The folder of the programs.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// `psql` in the server's folder or on the PATH.
    pub fn psql(&self) -> Option<&Path> {
        self.psql.as_deref()
    }

    /// A client program: from the folder of the server of this major version, else any on the PATH.
    pub fn client(environment: &Environment, name: &str, major: u32) -> Option<PathBuf> {
        let beside = Self::find_major(environment, major).ok().map(|binaries| binaries.folder);
        let folders = beside.into_iter().chain(path_folders(environment));
        folders.map(|folder| folder.join(name)).find(|program| program.is_file())
    }

    /// The client program that fits a server of this major version best: of the same release, else of the next
    /// newer one.
    pub fn compatible_client(environment: &Environment, name: &str, major: u32) -> Option<PathBuf> {
        let folders = folders(Path::new("/"), environment).into_iter().chain(path_folders(environment));
        let programs = folders.map(|folder| folder.join(name)).filter(|program| program.is_file());
        let with_major = programs.filter_map(|program| {
            let major = parse_major(&first_line(program_of(&program).arg("--version"))?)?;
            Some((major, program))
        });
        // The first of several with the same version.
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

fn not_found(environment: &Environment, rejected: &[String]) -> Failure {
    let searched = environment.bindir.as_ref().map_or_else(
        || "there is no".to_owned(),
        |folder| format!("TENURE_PG_BINDIR names {}, which has no", folder.display()),
    );
    let found = match rejected {
        [] => String::new(),
        some => format!("; found: {}", some.join(", ")),
    };
    let message = format!(
        "{searched} PostgreSQL server of version {OLDEST_MAJOR} or newer (initdb, postgres, pg_ctl){found}"
    );
    Failure::new(Code::NoServerBinaries, message).hint(
        "install it (apt-get install postgresql, dnf install postgresql-server, brew install postgresql@17), \
         set TENURE_PG_BINDIR to the folder of its programs, or name a database with --database-url",
    )
}

/// The folders to search, best first, without duplicates.
fn folders(root: &Path, environment: &Environment) -> Vec<PathBuf> {
    if let Some(folder) = &environment.bindir {
        return vec![folder.clone()];
    }
    let mut folders: Vec<PathBuf> = path_folders(environment).collect();
    folders.extend(pg_config_bindir(environment));
    folders.extend(
        VERSIONED_FOLDERS
            .iter()
            .flat_map(|(parent, prefix, rest)| versions(&root.join(parent), prefix, rest)),
    );
    folders.extend(UNVERSIONED_FOLDERS.iter().map(|folder| root.join(folder)));
    let mut seen = std::collections::HashSet::new();
    folders.retain(|folder| seen.insert(folder.clone()));
    folders
}

/// The absolute folders of the PATH; relative entries depend on the working folder.
fn path_folders(environment: &Environment) -> impl Iterator<Item = PathBuf> {
    environment.path.iter().flat_map(std::env::split_paths).filter(|folder| folder.is_absolute())
}

fn pg_config_bindir(environment: &Environment) -> Option<PathBuf> {
    let program =
        path_folders(environment).map(|folder| folder.join("pg_config")).find(|file| file.is_file())?;
    let bindir = first_line(program_of(&program).arg("--bindir"))?;
    Some(PathBuf::from(bindir)).filter(|folder| folder.is_absolute())
}

/// The subfolders of `parent` named `prefix` and a number, in descending order, each joined with `rest`.
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

/// The major version of the PostgreSQL in `folder`, if it has all required programs.
fn major_of(folder: &Path) -> Option<u32> {
    if !REQUIRED_PROGRAMS.iter().all(|program| folder.join(program).is_file()) {
        return None;
    }
    parse_major(&first_line(program_of(&folder.join("postgres")).arg("--version"))?)
}

/// Parses `postgres (PostgreSQL) 15.18 (Debian …)` or `… 18beta1`.
fn parse_major(line: &str) -> Option<u32> {
    let (_, version) = line.split_once("(PostgreSQL) ")?;
    let end = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    version[..end].parse().ok()
}

fn program_of(path: &Path) -> Command {
    program::command(path, Needs::Nothing)
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

    /// Shell scripts that report `version`.
    fn write_fake_programs(folder: &Path, version: &str) {
        std::fs::create_dir_all(folder).unwrap();
        for program in REQUIRED_PROGRAMS {
            let file = folder.join(program);
            std::fs::write(&file, format!("#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")).unwrap();
            std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
        }
    }

    fn find(root: &Path, environment: &Environment) -> Result<Binaries, Failure> {
        Binaries::find_under(root, environment, |_| true)
    }

    #[test]
    fn the_newest_of_the_usual_folders_is_used() {
        let root = tempfile::tempdir().unwrap();
        for version in ["9.6", "9", "14", "16"] {
            write_fake_programs(&root.path().join("usr/lib/postgresql").join(version).join("bin"), version);
        }
        let nothing = Environment::default();
        assert_eq!(find(root.path(), &nothing).unwrap().major(), 16);
        let old = Binaries::find_under(root.path(), &nothing, |major| major == 14).unwrap();
        assert_eq!(old.folder(), root.path().join("usr/lib/postgresql/14/bin"));
    }

    #[test]
    fn bindir_precedes_path_and_path_precedes_usual_folders() {
        let root = tempfile::tempdir().unwrap();
        let (path_folders, named) = (root.path().join("path_folders"), root.path().join("named"));
        write_fake_programs(&root.path().join("usr/pgsql-18/bin"), "18.1");
        write_fake_programs(&path_folders, "15.2");
        write_fake_programs(&named, "17beta2");
        std::fs::write(path_folders.join("psql"), "").unwrap();
        let mut environment =
            Environment { path: Some(path_folders.clone().into()), ..Environment::default() };
        assert_eq!(find(root.path(), &environment).unwrap().major(), 15);
        environment.bindir = Some(named);
        let binaries = find(root.path(), &environment).unwrap();
        assert_eq!((binaries.major(), binaries.psql()), (17, Some(path_folders.join("psql").as_path())));
    }

    #[test]
    fn a_client_has_the_servers_version_or_the_next_newer_one() {
        let root = tempfile::tempdir().unwrap();
        let folders: Vec<PathBuf> = ["14", "18", "16", "15"].map(|name| root.path().join(name)).to_vec();
        for folder in &folders {
            write_fake_programs(folder, folder.file_name().unwrap().to_str().unwrap());
            std::fs::rename(folder.join("initdb"), folder.join("pg_thing")).unwrap();
        }
        let path = std::env::join_paths(&folders).unwrap();
        let environment =
            Environment { bindir: Some(root.path().join("none")), path: Some(path), temp: None };
        let found = |major| Binaries::compatible_client(&environment, "pg_thing", major);
        assert_eq!(found(15), Some(root.path().join("15/pg_thing")));
        assert_eq!(found(17), Some(root.path().join("18/pg_thing")));
        assert_eq!(found(19), None);
        assert_eq!(Binaries::compatible_client(&environment, "pg_other", 15), None);
    }

    #[test]
    fn the_error_names_unsupported_versions() {
        let root = tempfile::tempdir().unwrap();
        write_fake_programs(&root.path().join("usr/lib/postgresql/13/bin"), "13.4");
        let failure = find(root.path(), &Environment::default()).unwrap_err();
        assert_eq!(failure.code, Code::NoServerBinaries);
        assert!(failure.message.contains("found: 13 in "), "{failure}");
        assert!(failure.hint.unwrap().contains("apt-get install postgresql"));
    }

    #[test]
    fn major_versions_are_parsed() {
        assert_eq!(parse_major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(parse_major("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(parse_major("postgres (Other) 18"), None);
    }
}
