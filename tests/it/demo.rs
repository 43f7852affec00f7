//! `init`, `demo` and `dev`: a project from nothing, on a private server of its own.

use crate::support::{Finish as _, Output, Project};

/// A project whose private server ends with the test.
pub(crate) struct Private(pub(crate) Project);

impl Private {
    pub(crate) fn run(&self, line: &str) -> Output {
        let output = self
            .0
            .command(line.split_whitespace())
            .env("DATABASE_URL", "embedded")
            .env("TENURE_FORMAT", "json")
            .finish();
        Output {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        for dir in [".", "show"] {
            if self.0.dir.path().join(dir).join("migrations").is_dir() {
                let output = self.run(&format!("dev reset --yes -C {dir}"));
                assert!(output.code == 0 || std::thread::panicking(), "{output}");
            }
        }
    }
}

#[test]
fn the_demo_shows_the_main_job_and_can_be_shown_again() {
    let project = Private(Project::empty());
    for _time in 0..2 {
        let output = project.run("demo --dir show").ok();
        let document: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
        let codes: Vec<_> =
            document["steps"].as_array().unwrap().iter().map(|step| step["exit_code"].as_i64()).collect();
        assert_eq!(
            codes.iter().filter(|code| **code == Some(1)).count(),
            1,
            "one step is the refusal: {output}"
        );
        assert_eq!(codes.len(), 10);
    }
    let output = project.run("status -C show").ok();
    let status: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(status["platform"]["version"], "1.0.5");
    assert_eq!(status["tenants"]["current"], 3);
    project.0.file("mine/notes.txt", "not a demo's");
    let output = project.run("demo --dir mine");
    assert_eq!(output.code, 2, "{output}");
    assert!(output.stdout.contains("project-exists"), "{output}");
}

#[test]
fn the_private_server_is_started_used_and_reset() {
    let project = Private(Project::empty());
    project.run("init").passes();
    let started = project.run("dev start").ok();
    assert!(started.stdout.contains("\"started\":true"), "{started}");
    let again = project.run("dev start").ok();
    assert!(again.stdout.contains("\"started\":false"), "{again}");
    project.run("migrate up").passes();
    let answer = project.run("dev psql -At -c SELECT(version)FROM\"platform\".schema_version").ok();
    assert_eq!(answer.stdout.trim(), "1.0.0", "{answer}");
    let failed = project.run("dev psql -v ON_ERROR_STOP=1 -c SELECT(1/0)");
    assert_eq!(failed.code, 1, "psql's own exit code: {failed}");
    let url: serde_json::Value = serde_json::from_str(&project.run("dev url").ok().stdout).unwrap();
    assert!(url["url"].as_str().unwrap().starts_with("postgresql://"));
    let stopped = project.run("dev stop").ok();
    assert!(stopped.stdout.contains("\"stopped\":true"), "{stopped}");
    let refused = project.run("dev reset");
    assert_eq!(refused.code, 2, "{refused}");
    assert!(refused.stdout.contains("confirmation-required"), "{refused}");
    // The data outlived the stop; a reset ends them.
    let status = project.run("status").ok();
    assert!(status.stdout.contains("\"version\":\"1.0.0\""), "{status}");
    project.run("dev reset --yes").passes();
    let status = project.run("status").ok();
    assert!(status.stdout.contains("\"version\":\"0.0.0\""), "{status}");
}

#[test]
fn init_leaves_a_project_alone_that_is_there() {
    let project = Private(Project::empty());
    project.run("init").passes();
    let again = project.run("init");
    assert_eq!(again.code, 2, "{again}");
    assert!(again.stdout.contains("project-exists"), "{again}");
}
