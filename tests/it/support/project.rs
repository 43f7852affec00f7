//! A project in a temporary folder with a database, and the program run in it.

use std::ffi::OsString;
use std::fmt;
use std::ops::Deref;
use std::path::Path;
use std::process::{Command, Stdio};

use semver::Version;
use serde_json::Value;
use tempfile::TempDir;
use tenure::error::Code;

use super::{
    Database, Finish as _, Pooler, Running, check_document, is_pooled, postgres_folder, temporary_folder,
};

/// A project's folder. Private servers that a test started in it end with it.
#[derive(Debug)]
pub struct Folder(TempDir);

/// A project and its database.
#[derive(Debug)]
pub struct Project {
    pub dir: Folder,
    pub db: Database,
}

/// The output and exit code of a run. `Display` shows all three, with placeholders for values that differ between runs.
#[must_use = "check the output, or call .ok()"]
#[derive(Debug, Clone)]
pub struct Output {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Deref for Folder {
    type Target = TempDir;

    fn deref(&self) -> &TempDir {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.0.path().join(".tenure").exists() {
            let mut command = Command::new(assert_cmd::cargo::cargo_bin!("tenure"));
            command.args(["dev", "stop"]).current_dir(self.0.path()).stdin(Stdio::null());
            let _stopped = Running::start(command.stdout(Stdio::null()).stderr(Stdio::null())).try_finish();
        }
    }
}

impl Project {
    /// An empty folder and an empty database.
    pub fn empty() -> Self {
        Self::empty_in(Database::fresh())
    }

    /// An empty folder with a database.
    pub fn empty_in(db: Database) -> Self {
        Self { dir: Folder(tempfile::tempdir_in(temporary_folder()).unwrap()), db }
    }

    /// A copy of the seeds' project of this repository.
    pub fn seeds() -> Self {
        Self::seeds_in(Database::fresh())
    }

    /// A copy of the seeds' project with a database.
    pub fn seeds_in(db: Database) -> Self {
        let project = Self::empty_in(db);
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for folder in ["migrations", "tenant_templates/default"] {
            for entry in std::fs::read_dir(root.join(folder)).unwrap() {
                let entry = entry.unwrap();
                let text = std::fs::read_to_string(entry.path()).unwrap();
                project.file(&format!("{folder}/{}", entry.file_name().into_string().unwrap()), &text);
            }
        }
        project
    }

    /// Writes a file.
    pub fn file(&self, path: &str, text: impl AsRef<[u8]>) -> &Self {
        let path = self.dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// Writes a migration with a description: `("1.0.0", "1.0.1", "name", sql)`.
    pub fn migration(&self, from: &str, to: &str, name: &str, sql: &str) -> &Self {
        let text = format!("-- Migration: v{from} to v{to}\n-- Description: {name}\n{sql}\n");
        self.file(&format!("migrations/v{from}_to_v{to}_{name}.sql"), text)
    }

    /// Writes a migration from the newest version to the next patch version.
    pub fn next_migration(&self, sql: &str) -> &Self {
        let folder = std::fs::read_dir(self.dir.path().join("migrations")).unwrap();
        let version = |name: String| {
            let (_, rest) = name.split_once("_to_v")?;
            Version::parse(rest.split('_').next()?).ok()
        };
        let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let newest = names.filter_map(version).max().unwrap();
        let next = Version { patch: newest.patch + 1, ..newest.clone() };
        self.migration(&newest.to_string(), &next.to_string(), "next", sql)
    }

    /// Disables all rules that can be disabled, to test only the execution.
    pub fn without_rules(&self) -> &Self {
        let rules = tenure::verify::Tool::Verify.rules().filter(|rule| !rule.is_fixed());
        let off: Vec<String> = rules.map(|rule| format!("{} = 'off'", rule.id)).collect();
        self.file("tenure.toml", format!("[verify.levels]\n{}\n", off.join("\n")))
    }

    /// Removes a file.
    pub fn remove(&self, path: &str) -> &Self {
        std::fs::remove_file(self.dir.path().join(path)).unwrap();
        self
    }

    /// The command that runs the program in this project on its database.
    pub fn command<S: AsRef<std::ffi::OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("tenure"));
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.dir.path())
            .env("TMPDIR", temporary_folder())
            .env(
                "DATABASE_URL",
                Pooler::shared(&self.db).map_or(self.db.url.clone(), |pooler| pooler.url(&self.db)),
            )
            // The program must start servers of the release that the tests use.
            .envs(postgres_folder().map(|folder| ("TENURE_PG_BINDIR", folder)))
            .stdin(Stdio::null());
        command
    }

    /// Runs the program: `project.run("migrate up")`. Use [`Self::run_words`] for arguments with spaces.
    pub fn run(&self, line: &str) -> Output {
        self.run_words(line.split_whitespace())
    }

    /// Runs the program with these arguments.
    pub fn run_words<S: AsRef<std::ffi::OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Output {
        let words: Vec<OsString> =
            arguments.into_iter().map(|argument| argument.as_ref().to_owned()).collect();
        let output = Output::of(&self.command(&words).finish());
        let words: Vec<&str> = words.iter().filter_map(|word| word.to_str()).collect();
        let is_json = words.windows(2).any(|pair| matches!(pair, ["--format" | "--output", "json"]));
        match serde_json::from_str(&output.stdout) {
            Ok(document) if is_json => check_document(words, &document),
            _ => {}
        }
        output
    }

    /// Runs the program with additional environment variables; an empty value removes a variable.
    pub fn run_env(&self, environment: &[(&str, &str)], line: &str) -> Output {
        let mut command = self.command(line.split_whitespace());
        for (name, value) in environment {
            if value.is_empty() {
                command.env_remove(name)
            } else {
                command.env(name, value)
            };
        }
        Output::of(&command.finish())
    }

    /// Runs the program with `--format json`. Returns its exit code and its only document.
    pub fn json(&self, line: &str) -> (i32, Value) {
        let output = self.run_words(line.split_whitespace().chain(["--format", "json"]));
        let document = serde_json::from_str(&output.stdout)
            .unwrap_or_else(|error| panic!("tenure {line}: {error} in {output}"));
        (output.code, document)
    }

    /// Asserts that the program fails with this error code and its exit code. Returns the document.
    #[track_caller]
    pub fn expect_error(&self, line: &str, code: &str) -> Value {
        let known = Code::ALL.iter().find(|known| known.as_str() == code);
        let exit = known.unwrap_or_else(|| panic!("{code} is no error code")).class().exit_code();
        let (seen, document) = self.json(line);
        let found = document["error"]["code"].as_str();
        assert_eq!((seen, found), (i32::from(exit), Some(code)), "tenure {line}: {document}");
        document
    }
}

impl Output {
    /// The output of a process.
    pub fn of(output: &std::process::Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout.clone()).unwrap(),
            stderr: without_the_pooler(String::from_utf8(output.stderr.clone()).unwrap()),
        }
    }

    /// Asserts success.
    pub fn passes(self) {
        assert_eq!(self.code, 0, "{self}");
    }

    /// Asserts success and returns the output.
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self}");
        self
    }
}

/// Removes the note about the pooler if all tests use one.
pub(super) fn without_the_pooler(stderr: String) -> String {
    if !is_pooled() {
        return stderr;
    }
    stderr.split_inclusive('\n').filter(|line| !line.contains(" is a transaction pooler (")).collect()
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = format!(
            "exit code: {}\n----- stdout -----\n{}\n----- stderr -----\n{}",
            self.code, self.stdout, self.stderr
        );
        for (pattern, shown) in [
            (r"\d+ ms", "N ms"),
            (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID"),
            (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?(\+00|Z)", "TIME"),
            (r"[0-9a-f]{64}", "SHA256"),
            (r"/[^ ]*/\.tmp\w+", "DIR"),
        ] {
            text = regex::Regex::new(pattern).unwrap().replace_all(&text, shown).into_owned();
        }
        f.write_str(text.trim_end())
    }
}
