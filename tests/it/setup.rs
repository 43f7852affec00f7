//! `script/setup --for-tests` chooses the PostgreSQL that the tests run on. Its programs, apt among them, are
//! stand-ins here.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::{Finish as _, Output};

/// A machine with PostgreSQL 15.18, and what apt offers.
struct Machine {
    folder: TempDir,
}

impl Machine {
    fn new() -> Self {
        let machine = Self { folder: tempfile::tempdir().unwrap() };
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        machine.write("script/setup", &std::fs::read_to_string(root.join("script/setup")).unwrap());
        // Neon's command line is there.
        machine.write("tests/official/package-lock.json", "");
        machine.write("target/official/installed", "");
        // And Django.
        machine.write("tests/official/django.txt", "");
        machine.write("target/official/django/installed", "");
        let real = [
            "awk", "cat", "chmod", "cmp", "dirname", "env", "grep", "id", "ln", "mkdir", "mktemp", "mv",
            "readlink", "rm", "sed", "sh", "sort", "touch",
        ];
        let path = std::env::var_os("PATH").unwrap();
        for name in real {
            let mut program = std::env::split_paths(&path).map(|folder| folder.join(name));
            let program = program.find(|program| program.is_file()).unwrap();
            symlink(program, machine.programs().join(name)).unwrap();
        }
        let present = ["cargo", "cc", "chromedriver", "chromium", "curl", "jq", "ldd", "pgbouncer", "initdb"];
        for name in present {
            machine.program(name, "");
        }
        machine.program("postgres", "echo 'postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)'");
        machine.program("dpkg-query", "if [ \"$1\" = -W ]; then printf 15.18-0+deb12u1; fi");
        machine.program("dpkg", "[ \"$2\" != \"$4\" ] && printf '%s\\n' \"$4\" \"$2\" | sort -VC");
        machine.offers("15.20-0+deb12u1");
        machine
    }

    fn programs(&self) -> PathBuf {
        let folder = self.folder.path().join("bin");
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    }

    fn program(&self, name: &str, script: &str) {
        let _folder = self.programs();
        self.write(&format!("bin/{name}"), &format!("#!/bin/sh\n{script}\n"));
    }

    /// apt knows this version, and can download it.
    fn offers(&self, version: &str) {
        self.program("apt-cache", &format!("echo 'postgresql-15:'; echo '  Candidate: {version}'"));
        self.program("apt-get", "case $* in *' download '*) touch server.deb client.deb ;; esac");
        let folder = format!(".{}", self.programs().display());
        let postgres =
            format!("#!/bin/sh\necho 'postgres (PostgreSQL) {}'", version.split('-').next().unwrap());
        self.program(
            "dpkg-deb",
            &format!(
                "mkdir -p {folder}\nfor name in postgres psql; do\necho \"{postgres}\" >{folder}/$name\n\
                 chmod +x {folder}/$name\ndone"
            ),
        );
    }

    fn is_offline(&self) {
        self.program("apt-get", "echo 'no network' >&2; exit 100");
    }

    fn setup(&self, more: &[(&str, &str)]) -> Output {
        let mut command = Command::new("sh");
        command
            .args([&self.folder.path().join("script/setup"), Path::new("--for-tests")])
            .env_clear()
            .env("PATH", self.programs())
            .env("XDG_CACHE_HOME", self.folder.path().join("cache"))
            .envs(more.iter().copied());
        Output::of(&command.finish()).ok()
    }

    /// What the program says that the tests are led to.
    fn link(&self) -> Option<String> {
        let program = self.folder.path().join("target/postgresql/bin/postgres");
        let output = program.exists().then(|| Command::new(program).finish())?;
        Some(String::from_utf8(output.stdout).unwrap().trim().to_owned())
    }
}

#[test]
fn the_newest_minor_is_unpacked_beside_the_installed_one() {
    let machine = Machine::new();
    let said = machine.setup(&[]);
    let expected =
        "the tests run on PostgreSQL 15.20, unpacked beside the installed 15.18 (Debian 15.18-0+deb12u1)\n";
    assert_eq!(said.stderr, expected, "{said}");
    assert_eq!(machine.link().as_deref(), Some("postgres (PostgreSQL) 15.20"));

    // It stays, also without a network.
    machine.is_offline();
    let said = machine.setup(&[]);
    assert!(said.stderr.ends_with(expected), "{said}");
    assert_eq!(machine.link().as_deref(), Some("postgres (PostgreSQL) 15.20"));

    machine.offers("15.21-1");
    let said = machine.setup(&[]);
    assert!(said.stderr.contains("PostgreSQL 15.21,"), "{said}");
    assert_eq!(machine.link().as_deref(), Some("postgres (PostgreSQL) 15.21"));

    // What is installed may have become the newest.
    machine.offers("15.18-0+deb12u1");
    let said = machine.setup(&[]);
    assert_eq!(
        said.stderr,
        "the tests run on PostgreSQL 15.18 (Debian 15.18-0+deb12u1), which is installed\n"
    );
    assert_eq!(machine.link(), None);
}

#[test]
fn the_installed_one_is_used_where_no_newer_one_can_be_had() {
    let installed = "the tests run on PostgreSQL 15.18 (Debian 15.18-0+deb12u1), which is installed";
    let machine = Machine::new();
    machine.is_offline();
    let said = machine.setup(&[]);
    assert!(said.stderr.contains("no network") && said.stderr.ends_with(&format!("{installed}\n")), "{said}");
    assert_eq!(machine.link(), None);

    // One that does not run here.
    let machine = Machine::new();
    machine.program("ldd", "echo 'undefined symbol: PQnew'");
    let said = machine.setup(&[]);
    assert!(said.stderr.contains("PQnew") && said.stderr.ends_with(&format!("{installed}\n")), "{said}");
    assert_eq!(machine.link(), None);

    // It is not apt's.
    let machine = Machine::new();
    std::fs::remove_file(machine.programs().join("apt-get")).unwrap();
    let said = machine.setup(&[]);
    assert!(said.stderr.starts_with(&format!("{installed}; apt")), "{said}");
    assert_eq!(machine.link(), None);
}

#[test]
fn the_users_own_choice_is_not_questioned() {
    let machine = Machine::new();
    let bin = machine.programs();
    let said = machine.setup(&[("TENURE_PG_BINDIR", bin.to_str().unwrap())]);
    assert!(said.stderr.ends_with(", which TENURE_PG_BINDIR names\n"), "{said}");
    assert_eq!(machine.link(), None);
}

#[test]
fn a_browser_is_installed_if_there_is_none() {
    let machine = Machine::new();
    std::fs::remove_file(machine.programs().join("chromedriver")).unwrap();
    let calls = machine.folder.path().join("calls");
    machine.program("apt-get", &format!("echo \"$*\" >>{}", calls.display()));
    let _ready = machine.setup(&[]);
    // As an ordinary user it asks for root.
    if std::fs::read_to_string("/proc/self/status").unwrap().contains("\nUid:\t0\t") {
        let calls = std::fs::read_to_string(calls).unwrap();
        assert!(calls.contains("install -q -y --no-install-recommends chromium chromium-driver"), "{calls}");
    }
    machine.is_offline();
    let output = machine.setup(&[]);
    assert!(output.stderr.contains("the tests of the report's page are skipped"), "{output}");
}
