//! Where the program runs: behind a proxy, beside a `.neon` file, on GitHub, twice at once.

use serde_json::json;

use super::Fixture;
use crate::support::{ALWAYS, Fault, PROJECT, Project, Verb};

#[test]
fn a_proxy_is_used_and_the_key_goes_no_further_than_it_was_sent() {
    let fixture = Fixture::new();
    // The server takes requests as a proxy does; nobody listens where they are for.
    let proxy = fixture.neon.base().trim_end_matches("/api/v2").to_owned();
    let through = [("HTTP_PROXY", proxy.as_str()), ("NEON_API_HOST", "http://127.0.0.1:1/api/v2")];
    fixture.run_env(&through, "branch create --provider neon pr-1").passes();
    assert_eq!(fixture.neon.branches(), ["pr-1"]);

    let elsewhere = format!("{}/projects/{PROJECT}/elsewhere", fixture.neon.base());
    fixture.neon.plant(Verb::Project, ALWAYS, Fault::Moved(elsewhere));
    assert_eq!(fixture.not_created("pr-2"), (2, "settings".to_owned()));
    assert_eq!(fixture.neon.seen(Verb::Unknown).len(), 0);
}

#[test]
fn the_project_is_known_from_the_file_of_neons_own_command_line() {
    let fixture = Fixture::new();
    let without = [("NEON_PROJECT_ID", "")];
    let line = "branch create --provider neon pr-1";
    assert_eq!(fixture.run_env(&without, line).code, 2);
    fixture.project.file(".neon", json!({ "orgId": "org-1", "projectId": PROJECT }).to_string());
    fixture.run_env(&without, line).passes();
    fixture.project.file(".neon", "{\"projectId\": 7}");
    assert_eq!(fixture.run_env(&without, line).code, 2);
    fixture.run_env(&without, &format!("{line} --project-id {PROJECT}")).passes();
    assert_eq!(fixture.neon.ever_made(), 1);
}

#[test]
fn on_github_a_branch_has_the_name_and_the_notes_of_its_pull_request() {
    let fixture = Fixture::new();
    let github = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_REF", "refs/pull/142/merge"),
        ("GITHUB_HEAD_REF", "feature/x"),
        ("GITHUB_SHA", "0a1b2c3"),
    ];
    fixture.run_env(&github, "branch create --provider neon").passes();
    let renamed = [github[0], github[1], ("GITHUB_HEAD_REF", "feature/renamed"), github[3]];
    fixture.run_env(&renamed, "branch create --provider neon").passes();
    assert_eq!((fixture.neon.branches(), fixture.neon.ever_made()), (vec!["tenure/pr-142".to_owned()], 1));
    let notes = fixture.neon.annotation("tenure/pr-142");
    assert_eq!(notes["github-pr-number"], "142");
    assert_eq!(notes["github-commit-sha"], "0a1b2c3");
}

#[test]
fn delete_without_a_name_deletes_only_the_pull_requests_branch() {
    let fixture = Fixture::new();
    fixture.create("tenure/run-1");
    fixture.create("tenure/pr-142");
    let (exit, code, _) = fixture.refused("branch delete --provider neon");
    assert_eq!((exit, code.as_str()), (2, "usage"));
    // Merged: only the event still knows the number.
    fixture.project.file("event.json", r#"{"action":"closed","pull_request":{"number":142}}"#);
    let merged = [("GITHUB_REF", "refs/heads/main"), ("GITHUB_EVENT_PATH", "event.json")];
    fixture.run_env(&merged, "branch delete --provider neon").passes();
    assert_eq!(fixture.neon.branches(), ["tenure/run-1"]);
    fixture.run_env(&merged, "branch delete --provider neon").passes();
    fixture.run_env(&[("TENURE_BRANCH_NAME", "tenure/run-1")], "branch delete --provider neon").passes();
    assert_eq!(fixture.neon.branches(), [] as [&str; 0]);
}

#[test]
fn two_jobs_of_one_name_at_once_have_one_branch() {
    let fixture = Fixture::with(Project::empty(), |_| {});
    let line = "branch create --provider neon pr-1";
    for running in [fixture.start(line), fixture.start(line)] {
        running.end().passes();
    }
    assert_eq!((fixture.neon.branches(), fixture.neon.ever_made()), (vec!["pr-1".to_owned()], 1));
}
