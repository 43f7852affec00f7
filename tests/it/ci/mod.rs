//! `action.yml` and the workflow of docs/ci.md: what they say is sound, and their shell really runs.

mod branches;
mod comment;
mod runner;
mod text;
mod verify;

use serde_json::Value;

use crate::support::{Neon, Project};
use runner::{Job, Ran};

/// What is in a file of the repository.
fn read(name: &str) -> String {
    std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn action() -> Value {
    yaml(&read("action.yml"))
}

/// A scalar as a runner sees it.
fn string(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A project whose database is the default branch at Neon, checked out in a job of its pull request.
struct Fixture {
    // Dropped first: its branches are copies of the project's database.
    neon: Neon,
    project: Project,
    job: Job,
}

impl Fixture {
    fn new() -> Self {
        Self::with(|job| job)
    }

    fn with(change: impl FnOnce(Job) -> Job) -> Self {
        let project = Project::with_tenants(&["acme"]);
        project.file("tenure.toml", "[branch]\nretry_timeout = \"3s\"\nready_timeout = \"20s\"\n");
        project.migration("1.0.4", "1.0.5", "more", "ALTER TABLE workspaces ADD COLUMN more int;");
        let job = change(Job::new(project.dir.path()));
        Self { neon: Neon::start(&project.db), project, job }
    }

    /// Uses the action with the key, the project and the API's address.
    fn uses(&self, command: &str, more: &[(&str, &str)]) -> Ran {
        let given = self.given();
        let mut all = vec![("command", command)];
        all.extend(given.iter().map(|(name, value)| (*name, value.as_str())));
        all.extend(more);
        self.job.uses(&all)
    }

    fn given(&self) -> [(&'static str, String); 3] {
        let [(_, key), (_, host), (_, project)] = self.neon.environment();
        [("api_key", key), ("api_host", host), ("project_id", project)]
    }

    /// No secret is anywhere but where the runner is told to hide it.
    #[track_caller]
    fn holds_no_secret(&self, ran: &Ran) {
        let log: String =
            ran.log.lines().filter(|line| !line.starts_with("::add-mask::")).collect::<Vec<_>>().join("\n");
        let report = ran.outputs.get("report_file").and_then(|path| std::fs::read_to_string(path).ok());
        let seen = format!("{log}{}{:?}{}", ran.summary, ran.outputs, report.unwrap_or_default());
        for secret in self.neon.secrets() {
            assert!(!seen.contains(&secret), "{}", seen.replace(&secret, "HERE IT IS"));
        }
        assert!(!seen.contains("postgresql://"), "{seen}");
    }
}
