//! As much of GitHub's runner as `action.yml` needs: inputs, expressions, steps that are passed over, outputs.
//! What it does not know ends the test, so it knows all that the action uses.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::{action, string};
use crate::support::{Finish as _, postgres_folder};

/// A job of a pull request, in a workspace.
pub struct Job {
    /// What `github.…` and `runner.…` are in expressions.
    pub context: BTreeMap<String, String>,
    /// What differs in the environment of every step.
    pub environment: BTreeMap<String, String>,
    pub workspace: PathBuf,
    folder: tempfile::TempDir,
}

/// What a use of the action left.
#[derive(Debug)]
pub struct Ran {
    /// The exit code of the step that failed, or 0.
    pub code: i32,
    /// The names of the steps that were run.
    pub steps: Vec<String>,
    pub outputs: BTreeMap<String, String>,
    /// What the steps printed.
    pub log: String,
    /// The job's summary so far.
    pub summary: String,
}

type Outputs = BTreeMap<String, BTreeMap<String, String>>;

impl Job {
    /// That of the pull request 42, from the repository itself.
    pub fn new(workspace: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["temp", "bin"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let path = |name: &str| folder.path().join(name).display().to_string();
        let tenure = Path::new(assert_cmd::cargo::cargo_bin!("tenure"));
        std::os::unix::fs::symlink(tenure, folder.path().join("bin/tenure")).unwrap();
        let event = r#"{"action":"opened","number":42,"pull_request":{"number":42}}"#;
        std::fs::write(folder.path().join("event.json"), event).unwrap();
        let environment = [
            ("PATH", format!("{}:{}", path("bin"), std::env::var("PATH").unwrap())),
            ("HOME", path("")),
            ("CI", "true".to_owned()),
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("GITHUB_ACTION_PATH", env!("CARGO_MANIFEST_DIR").to_owned()),
            ("GITHUB_API_URL", "http://127.0.0.1:1".to_owned()),
            ("GITHUB_EVENT_PATH", path("event.json")),
            ("GITHUB_OUTPUT", path("output")),
            ("GITHUB_PATH", path("path")),
            ("GITHUB_REF", "refs/pull/42/merge".to_owned()),
            ("GITHUB_REPOSITORY", "us/app".to_owned()),
            ("GITHUB_STEP_SUMMARY", path("summary")),
            ("GITHUB_WORKSPACE", workspace.display().to_string()),
            ("RUNNER_TEMP", path("temp")),
        ];
        let context = [
            ("github.token", "ghs_t0ken"),
            ("github.event.pull_request.number", "42"),
            ("github.event.pull_request.head.repo.full_name", "us/app"),
            ("runner.os", "Linux"),
            ("runner.arch", "X64"),
        ];
        let mut job = Self {
            context: context.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            environment: environment.map(|(name, value)| (name.to_owned(), value)).into(),
            workspace: workspace.to_owned(),
            folder,
        };
        job.context.insert("runner.temp".to_owned(), job.environment["RUNNER_TEMP"].clone());
        let folder = postgres_folder().map(|folder| folder.display().to_string());
        job.environment.extend(folder.map(|folder| ("TENURE_PG_BINDIR".to_owned(), folder)));
        job
    }

    /// It is a pull request from somebody else's copy of the repository.
    pub fn fork(mut self) -> Self {
        let name = "github.event.pull_request.head.repo.full_name".to_owned();
        self.context.insert(name, "them/app".to_owned());
        self
    }

    /// Sets a variable for every step.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.insert(name.to_owned(), value.into());
        self
    }

    /// A file of the runner's own.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Uses the action.
    pub fn uses(&self, given: &[(&str, &str)]) -> Ran {
        self.uses_with(given, Outputs::new(), |command| command.finish())
    }

    /// Uses the action, where a step may have left outputs before, and a command is run in another way.
    pub fn uses_with(
        &self,
        given: &[(&str, &str)],
        mut outputs: Outputs,
        mut run: impl FnMut(&mut Command) -> Output,
    ) -> Ran {
        let action = action();
        let mut values = self.context.clone();
        for (name, input) in action["inputs"].as_object().unwrap() {
            let usual = input.get("default").map_or_else(String::new, string);
            values.insert(format!("inputs.{name}"), fill(&usual, &values, &outputs));
        }
        for (name, value) in given {
            let before = values.insert(format!("inputs.{name}"), (*value).to_owned());
            assert!(before.is_some(), "the action has no input {name}");
        }
        let mut ran = Ran {
            code: 0,
            steps: vec![],
            outputs: BTreeMap::new(),
            log: String::new(),
            summary: String::new(),
        };
        for step in action["runs"]["steps"].as_array().unwrap() {
            let condition = step.get("if").map_or_else(String::new, string);
            if !holds(&condition, ran.code != 0, &values, &outputs) || step.get("uses").is_some() {
                continue;
            }
            ran.steps.push(string(&step["name"]));
            let output = run(&mut self.command(step, &values, &outputs));
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let _ = write!(ran.log, "{}{}", text(&output.stdout), text(&output.stderr));
            let code = output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap());
            if ran.code == 0 && step.get("continue-on-error").is_none() {
                ran.code = code;
            }
            let set = std::fs::read_to_string(self.file("output")).unwrap_or_default();
            if let Some(id) = step.get("id") {
                let pairs =
                    set.lines().map(|line| line.split_once('=').unwrap_or_else(|| panic!("{line:?}")));
                let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
                outputs.insert(string(id), pairs);
            }
        }
        for (name, output) in action["outputs"].as_object().unwrap() {
            ran.outputs.insert(name.clone(), fill(&string(&output["value"]), &values, &outputs));
        }
        ran.summary = std::fs::read_to_string(self.file("summary")).unwrap_or_default();
        ran
    }

    fn command(&self, step: &Value, values: &BTreeMap<String, String>, outputs: &Outputs) -> Command {
        assert_eq!(step["shell"], "sh", "{step}");
        std::fs::write(self.file("step.sh"), string(&step["run"])).unwrap();
        std::fs::write(self.file("output"), "").unwrap();
        let mut command = Command::new("sh");
        // The runner's own way to call `sh`.
        command.arg("-e").arg(self.file("step.sh")).current_dir(&self.workspace).stdin(Stdio::null());
        command.env_clear().envs(&self.environment);
        let added = std::fs::read_to_string(self.file("path")).unwrap_or_default();
        let path =
            added.lines().fold(self.environment["PATH"].clone(), |path, folder| format!("{folder}:{path}"));
        command.env("PATH", path);
        for (name, value) in step["env"].as_object().into_iter().flatten() {
            command.env(name, fill(&string(value), values, outputs));
        }
        command
    }
}

/// Whether a step is run.
fn holds(condition: &str, failed: bool, values: &BTreeMap<String, String>, outputs: &Outputs) -> bool {
    let parts: Vec<_> = condition.split(" && ").filter(|part| !part.is_empty()).collect();
    let always = parts.contains(&"always()");
    (always || !failed)
        && parts.iter().filter(|part| **part != "always()").all(|part| {
            let (left, right) =
                part.split_once(" == ").unwrap_or_else(|| panic!("the runner knows no {part:?}"));
            value(left, values, outputs) == right.trim_matches('\'')
        })
}

/// A text with its expressions filled in.
fn fill(text: &str, values: &BTreeMap<String, String>, outputs: &Outputs) -> String {
    let expression = regex::Regex::new(r"\$\{\{ (.*?) \}\}").unwrap();
    let filled = expression.replace_all(text, |found: &regex::Captures<'_>| {
        let each = found[1].split(" || ").map(|term| value(term, values, outputs));
        each.into_iter().find(|value| !value.is_empty()).unwrap_or_default()
    });
    filled.into_owned()
}

fn value(term: &str, values: &BTreeMap<String, String>, outputs: &Outputs) -> String {
    if let Some((step, name)) = term.strip_prefix("steps.").and_then(|rest| rest.split_once(".outputs.")) {
        return outputs.get(step).and_then(|outputs| outputs.get(name)).cloned().unwrap_or_default();
    }
    values.get(term).unwrap_or_else(|| panic!("the runner knows no {term:?}")).clone()
}
