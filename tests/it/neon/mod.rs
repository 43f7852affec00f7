//! Branches at Neon, against a server of its API that a test has for itself.

mod create;
mod delete;
mod dry_run;
mod environment;
mod idempotency;
mod neonctl;
mod operations;
mod retries;
mod secrets;
mod target;
mod test_server;

use serde_json::Value;

use crate::support::{Finish as _, Neon, Output, Project, Running, Settings};

/// A project, and the Neon project that its database is the default branch of.
struct Fixture {
    // Dropped first: its branches are copies of the project's database.
    neon: Neon,
    project: Project,
}

impl Fixture {
    /// One without migrations, which is quick.
    fn new() -> Self {
        Self::with(Project::empty(), |_| {})
    }

    /// One whose Neon is as the test wants it.
    fn with(project: Project, change: impl FnOnce(&mut Settings)) -> Self {
        project.file("tenure.toml", "[branch]\nretry_timeout = \"3s\"\nready_timeout = \"20s\"\n");
        Self { neon: Neon::with(&project.db, change), project }
    }

    /// Runs the program.
    fn run(&self, line: &str) -> Output {
        self.neon.run(&self.project, line)
    }

    /// Starts the program and goes on.
    fn start(&self, line: &str) -> Running {
        let mut command = self.project.command(line.split_whitespace());
        command.envs(self.neon.environment());
        Running::spawn(command)
    }

    /// Runs the program with more in its environment, or with less: an empty value takes a variable away.
    fn run_env(&self, environment: &[(&str, &str)], line: &str) -> Output {
        let mut command = self.project.command(line.split_whitespace());
        command.envs(self.neon.environment());
        for (name, value) in environment {
            if value.is_empty() {
                command.env_remove(name);
            } else {
                command.env(name, value);
            }
        }
        Output::of(&command.finish())
    }

    /// Runs the program; its exit code, and the one document that it must print.
    #[track_caller]
    fn json(&self, line: &str) -> (i32, Value) {
        let output = self.run(&format!("{line} --format json"));
        let document = serde_json::from_str(&output.stdout)
            .unwrap_or_else(|error| panic!("tenure {line}: {error} in {output}"));
        (output.code, document)
    }

    /// Has a branch made.
    #[track_caller]
    fn create(&self, more: &str) -> Value {
        let (code, document) = self.json(&format!("branch create --provider neon {more}"));
        assert_eq!(code, 0, "{document}");
        document
    }

    /// Has a branch asked for in vain: the exit code, the error's code and its message.
    #[track_caller]
    fn refused(&self, line: &str) -> (i32, String, String) {
        let (code, document) = self.json(line);
        let error = |field: &str| document["error"][field].as_str().unwrap_or_default().to_owned();
        (code, error("code"), error("message"))
    }

    /// Has a branch asked for in vain: the exit code and the error's code.
    #[track_caller]
    fn not_created(&self, name: &str) -> (i32, String) {
        let (exit, code, _) = self.refused(&format!("branch create --provider neon {name}"));
        (exit, code)
    }
}
