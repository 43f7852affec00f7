//! What git says about the project's files: the commit of a name, and the files that a change adds or edits.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Output;

use super::{MIGRATIONS, TEMPLATES};
use crate::error::{Code, Failure};
use crate::program::{Needs, command};

/// The project's folder in a git repository.
#[derive(Debug, Clone, Copy)]
pub(super) struct Repository<'a> {
    pub(super) folder: &'a Path,
    /// The flag of the command line, for messages.
    pub(super) flag: &'a str,
}

impl Repository<'_> {
    /// The commit that `name` names.
    pub(super) fn commit(self, name: &str) -> Result<String, Failure> {
        let flag = self.flag;
        let invalid = |why: &str| Failure::new(Code::Usage, format!("{flag} {name}: {why}"));
        // git would read it as an option.
        if name.is_empty() || name.starts_with('-') {
            return Err(invalid("it is not the name of a commit").hint("give a branch, a tag or a commit"));
        }
        let inside = self.run(&["rev-parse", "--git-dir"])?;
        if !inside.status.success() {
            return Err(invalid(&format!("git finds no repository here: {}", error_of(&inside)))
                .hint(format!("run it in a clone of the repository, or omit {flag}")));
        }
        let commit = self.run(&[
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &format!("{name}^{{commit}}"),
        ])?;
        if !commit.status.success() {
            return Err(invalid("git knows no such commit here").hint(fetch_hint(name)));
        }
        Ok(line(&commit.stdout))
    }

    /// The files of migrations and templates that differ from the merge base of HEAD and the commit `name`, also uncommitted and
    /// untracked ones. The paths are relative to the project's folder.
    pub(super) fn changed_since(self, name: &str) -> Result<HashSet<PathBuf>, Failure> {
        let commit = self.commit(name)?;
        let base = self.run(&["merge-base", "HEAD", &commit])?;
        if !base.status.success() {
            let message = format!("{} {name}: HEAD and {name} have no common commit here", self.flag);
            let failure = Failure::new(Code::NoMergeBase, message);
            let is_shallow = line(&self.stdout(&["rev-parse", "--is-shallow-repository"])?) == "true";
            return Err(failure.hint(if is_shallow {
                "this clone is shallow: run `git fetch --unshallow`, or set fetch-depth: 0 for actions/checkout"
            } else {
                "give a branch from which HEAD was started"
            }));
        }
        let folders = ["--", MIGRATIONS, TEMPLATES];
        let base = line(&base.stdout);
        let compare = ["diff", "--no-ext-diff", "--no-textconv", "--no-renames", "--ignore-submodules=none"];
        let listed = ["--name-only", "-z", "--relative", &base];
        let edited = self.stdout(&[&compare[..], &listed, &folders].concat())?;
        // Ignored files are read like others.
        let untracked = self.stdout(&[&["ls-files", "--others", "-z"][..], &folders].concat())?;
        let paths = edited.split(|byte| *byte == 0).chain(untracked.split(|byte| *byte == 0));
        Ok(paths.map(|path| PathBuf::from(String::from_utf8_lossy(path).into_owned())).collect())
    }

    /// The committed texts of a file, the newest first; none without git or a repository.
    pub(super) fn versions(self, path: &str) -> impl Iterator<Item = String> {
        const MAX_COMMITS: &str = "--max-count=200";
        let listed = self.stdout(&["log", "--format=%H", MAX_COMMITS, "--", path]).unwrap_or_default();
        let commits: Vec<String> = String::from_utf8_lossy(&listed).lines().map(str::to_owned).collect();
        let text = move |commit| {
            let text = self.stdout(&["show", "--no-textconv", &format!("{commit}:./{path}")]).ok()?;
            let text = String::from_utf8(text).ok()?;
            Some(text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned())
        };
        commits.into_iter().filter_map(text)
    }

    fn run(self, words: &[&str]) -> Result<Output, Failure> {
        command("git", Needs::User).args(words).current_dir(self.folder).output().map_err(|error| {
            Failure::new(Code::Io, format!("running git for {}: {error}", self.flag))
                .hint("install git, and add it to the PATH")
        })
    }

    /// What a command of git prints.
    pub(super) fn stdout(self, words: &[&str]) -> Result<Vec<u8>, Failure> {
        let output = self.run(words)?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let why = error_of(&output);
        Err(Failure::new(Code::Io, format!("git {} failed for {}: {why}", words[0], self.flag)))
    }
}

fn error_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}

fn line(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

fn fetch_hint(name: &str) -> String {
    match name.split_once('/') {
        Some((remote, branch))
            if branch.chars().all(|it| it.is_ascii_alphanumeric() || "/._-".contains(it)) =>
        {
            format!("fetch it first: `git fetch {remote} {branch}`; actions/checkout needs fetch-depth: 0")
        }
        _ => {
            "fetch it first: actions/checkout needs fetch-depth: 2 for the base of a pull request".to_owned()
        }
    }
}
