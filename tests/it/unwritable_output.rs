//! Results that cannot be written: a full disk is a failure of every verb; a pipe that the reader closed is none.

use std::fs::OpenOptions;
use std::process::Stdio;

use crate::support::{Output, Project, Running};

/// A file to which nothing can be written.
pub fn full() -> Stdio {
    OpenOptions::new().write(true).open("/dev/full").unwrap().into()
}

/// A pipe whose reader has gone.
pub fn closed_pipe() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

fn run_into(project: &Project, line: &str, to: Stdio) -> Output {
    let mut command = project.command(line.split_whitespace());
    Running::start(command.stdout(to).stderr(Stdio::piped())).end()
}

#[test]
fn a_result_that_cannot_be_written_is_a_failure() {
    let project = Project::with_tenants(&["a"]);
    project.migration("1.0.4", "1.0.5", "note", "ALTER TABLE workspaces ADD COLUMN note text;");
    for line in [
        "status",
        "status --format json",
        "migrate up --plan",
        "migrate history",
        "tenant list",
        "tenant list --format json",
        "tenant show a",
        "tenant suspend a",
        "tenant resume a",
        "verify",
        "verify --output sarif",
        "verify --output github",
        "verify --output markdown",
        "verify --output json",
        "explain drop-table",
        "completions bash",
        "drift",
        "drift --output github",
        "tenant audit --output markdown",
        "--help",
        "--version",
        "migrate up --help",
    ] {
        let output = run_into(&project, line, full());
        assert_ne!(output.code, 0, "{line}: {output}");
        assert!(
            output.stderr.contains("stdout") && output.stderr.contains("No space left"),
            "{line}: {output}"
        );
        let read = project.run(line);
        let closed = run_into(&project, line, closed_pipe());
        assert_eq!(closed.code, read.code, "{line}: {closed}");
    }
}

#[test]
fn a_failure_that_cannot_be_written_goes_to_stderr() {
    let project = Project::with_tenants(&[]);
    let output = run_into(&project, "tenant show nobody --format json", full());
    assert_eq!(output.code, project.run("tenant show nobody --format json").code);
    assert!(output.stderr.contains("tenant-unknown"), "{output}");
}

#[test]
fn completed_work_stays_when_the_result_cannot_be_written() {
    let project = Project::with_tenants(&["a"]);
    project.migration("1.0.4", "1.0.5", "note", "ALTER TABLE workspaces ADD COLUMN note text;");
    for line in ["migrate up", "migrate up --format json"] {
        assert_ne!(run_into(&project, line, full()).code, 0);
        assert_eq!(project.versions(), "platform 1.0.5, a 1.0.5");
    }
}
