//! `command: verify`, and what every use of the action begins with.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use super::runner::Job;
use crate::support::{Finish as _, Project};

pub fn git(folder: &Path, line: &str) {
    let mut command = Command::new("git");
    command
        .args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"])
        .args(line.split_whitespace())
        .current_dir(folder)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("HOME", folder);
    let output = command.finish();
    assert!(output.status.success(), "git {line}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The merge of a pull request that changes a file, as GitHub checks it out.
fn merged(project: &Project, path: &str, text: &str) {
    let folder = project.dir.path();
    git(folder, "init --quiet");
    git(folder, "add .");
    git(folder, "commit --quiet -m base");
    git(folder, "checkout --quiet -b change");
    project.file(path, text);
    git(folder, "add .");
    git(folder, "commit --quiet -m change");
    git(folder, "checkout --quiet main");
    git(folder, "merge --quiet --no-ff change -m merge");
}

const HARMLESS: &str =
    "-- Migration: v1.0.4 to v1.0.5\n-- Description: d\nALTER TABLE users ADD COLUMN a int;\n";
const HARMFUL: &str =
    "-- Migration: v1.0.4 to v1.0.5\n-- Description: d\nALTER TABLE users DROP COLUMN email;\n";

#[test]
fn every_verdict_is_reported_and_only_success_is_green() {
    for (path, text, verdict, code) in [
        ("migrations/v1.0.4_to_v1.0.5_a.sql", HARMLESS, "pass", 0),
        ("migrations/v1.0.4_to_v1.0.5_a.sql", HARMFUL, "fail", 1),
        ("migrations/v1.0.5_to_v1.0.6_gap.sql", "-- no header\n", "not-verified", 2),
    ] {
        let project = Project::seeds();
        merged(&project, path, text);
        let job = Job::new(project.dir.path());
        let ran = job.uses(&[("command", "verify")]);
        assert_eq!((ran.outputs["verdict"].as_str(), ran.code), (verdict, code), "{ran:?}");
        assert_eq!(ran.outputs["changed"], "true");
        let sarif = std::fs::read_to_string(&ran.outputs["sarif_file"]).unwrap();
        let sarif: serde_json::Value = serde_json::from_str(&sarif).unwrap();
        assert_eq!(sarif["version"], "2.1.0");
        assert_eq!(ran.log.contains("::error file=migrations/"), code != 0, "{}", ran.log);
        assert!(!ran.summary.is_empty());
    }
}

#[test]
fn with_shadow_the_effects_are_judged_too() {
    // The text does not tell what the function does.
    let hidden = "-- Migration: v1.0.4 to v1.0.5\n-- Description: d\n-- Allow: opaque-code because it is tested\n-- Scope: platform\n\
                  DO $$ BEGIN EXECUTE 'ALTER TABLE ' || 'datalinx_platform.users DROP COLUMN email'; END $$;\n";
    let project = Project::seeds();
    merged(&project, "migrations/v1.0.4_to_v1.0.5_a.sql", hidden);
    let job = Job::new(project.dir.path());
    let ran = job.uses(&[("command", "verify"), ("shadow", "true")]);
    assert_eq!((ran.outputs["verdict"].as_str(), ran.code), ("fail", 1), "{ran:?}");
    assert!(ran.summary.contains("drop-column"), "{}", ran.summary);
}

#[test]
fn a_pull_request_cannot_lower_the_policy() {
    let project = Project::seeds();
    project.file("migrations/v1.0.4_to_v1.0.5_a.sql", HARMFUL);
    // The level and the migration come with one pull request; the file has the name of the base.
    project.file("HEAD^1", "[verify.levels]\ndrop-column = \"off\"\n");
    std::fs::rename(
        project.dir.path().join("migrations/v1.0.4_to_v1.0.5_a.sql"),
        project.dir.path().join("later.sql"),
    )
    .unwrap();
    merged(&project, "tenure.toml", "[verify.levels]\ndrop-column = \"off\"\n");
    git(project.dir.path(), "checkout --quiet change");
    git(project.dir.path(), "mv later.sql migrations/v1.0.4_to_v1.0.5_a.sql");
    git(project.dir.path(), "commit --quiet -m more");
    git(project.dir.path(), "checkout --quiet -B main HEAD~2");
    git(project.dir.path(), "merge --quiet --no-ff change -m merge");
    let ran = Job::new(project.dir.path()).uses(&[("command", "verify")]);
    assert_eq!((ran.outputs["verdict"].as_str(), ran.code), ("fail", 1), "{ran:?}");
    assert!(ran.log.contains("drop-column is off; not taken, since the base has deny"), "{}", ran.log);
    assert!(ran.summary.contains("not taken"), "{}", ran.summary);
    // Where the base is unknown, the job says so.
    git(project.dir.path(), "checkout --quiet change");
    let ran = Job::new(project.dir.path()).uses(&[("command", "verify")]);
    assert!(ran.log.contains("::warning title=Tenure::The merge commit was not checked out"), "{}", ran.log);
    assert!(ran.log.contains("lowered level::verify.levels.drop-column is off"), "{}", ran.log);
}

#[test]
fn a_pull_request_is_judged_by_its_own_files() {
    let project = Project::seeds();
    project.file("migrations/v1.0.4_to_v1.0.5_a.sql", HARMFUL);
    let more = "-- Migration: v1.0.5 to v1.0.6\n-- Description: d\nALTER TABLE users ADD COLUMN b int;\n";
    merged(&project, "migrations/v1.0.5_to_v1.0.6_b.sql", more);
    let ran = Job::new(project.dir.path()).uses(&[("command", "verify")]);
    assert_eq!((ran.outputs["verdict"].as_str(), ran.code), ("pass", 0), "{ran:?}");
    assert!(ran.log.contains("1 file of "), "{}", ran.log);
    // Without the merge commit, all files count.
    git(project.dir.path(), "checkout --quiet change");
    let ran = Job::new(project.dir.path()).uses(&[("command", "verify")]);
    assert_eq!((ran.outputs["verdict"].as_str(), ran.code), ("fail", 1), "{ran:?}");
}

#[test]
fn relevant_changes_of_a_pull_request_are_detected() {
    for (path, text, queries, changed) in [
        ("README.md", "else", "", "false"),
        ("tenant_templates/default/900_more.sql", "CREATE TABLE more (id int);", "", "true"),
        ("tenure.toml", "[branch]\nexpires = \"1h\"\n", "", "true"),
        ("our queries/a.sql", "SELECT 1;", "", "false"),
        ("our queries/a.sql", "SELECT 1;", "others\nour queries", "true"),
    ] {
        let project = Project::seeds();
        merged(&project, path, text);
        let ran = Job::new(project.dir.path()).uses(&[("command", "verify"), ("queries", queries)]);
        assert_eq!(ran.outputs["changed"], changed, "{path} {queries}: {}", ran.log);
    }
    // What is no merge, or no repository, may have changed anything.
    let project = Project::seeds();
    let ran = Job::new(project.dir.path()).uses(&[("command", "verify")]);
    assert_eq!((ran.outputs["changed"].as_str(), ran.code), ("true", 0), "{ran:?}");
}

#[test]
fn an_input_is_never_a_part_of_the_shell() {
    // Nobody answers there, and nobody is asked again.
    let project = Project::seeds();
    project.file("tenure.toml", "[branch]\nretry_timeout = \"0s\"\n");
    let hostile = "$(touch pwned)`touch pwned`'; touch pwned; '\"; touch pwned; \"";
    let inputs = super::action()["inputs"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    for command in ["verify", "dry-run", "create", "delete"] {
        for name in &inputs {
            let mut given = vec![("command", command), ("api_key", "napi_x"), ("project_id", "p")];
            given.extend([("api_host", "http://127.0.0.1:1/api/v2"), ("comment", "true")]);
            given.push((name, hostile));
            // What no step of the command reads is not tried; what is verified is the same each time.
            if command == "verify" && !matches!(name.as_str(), "project_directory" | "queries" | "command") {
                continue;
            }
            Job::new(project.dir.path()).uses(&given);
            assert!(!project.dir.path().join("pwned").exists(), "{command} {name}");
        }
    }
}

#[test]
fn tenure_is_built_once_where_it_is_missing_and_away_from_the_workspace() {
    let project = Project::seeds();
    let job = Job::new(project.dir.path());
    std::fs::remove_file(job.file("bin/tenure")).unwrap();
    let cargo = "#!/bin/sh\nset -e\npwd >>\"$HOME/built\"\necho \"$@\" >>\"$HOME/built\"\n\
                 mkdir -p \"$6/bin\"\nln -s \"$REAL\" \"$6/bin/tenure\"\n";
    std::fs::write(job.file("bin/cargo"), cargo).unwrap();
    std::fs::set_permissions(job.file("bin/cargo"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let real = assert_cmd::cargo::cargo_bin!("tenure").display().to_string();
    // A Tenure that this machine has for itself is not to be found.
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", job.file("bin").display());
    let job = job.with("REAL", real).with("PATH", path);
    let ran = job.uses(&[("command", "verify")]);
    assert_eq!((ran.code, ran.outputs["verdict"].as_str()), (0, "pass"), "{ran:?}");
    assert_eq!(ran.steps, ["Look for Tenure", "Build Tenure", "Verify"]);
    let built = std::fs::read_to_string(job.file("built")).unwrap();
    let root = format!("{}/tenure", job.environment["RUNNER_TEMP"]);
    let expected = format!("{}\ninstall --locked --path . --root {root}\n", env!("CARGO_MANIFEST_DIR"));
    assert_eq!(built, expected);
}

#[test]
fn a_command_that_there_is_not_is_refused() {
    let project = Project::seeds();
    let ran = Job::new(project.dir.path()).uses(&[("command", "migrate")]);
    assert_eq!((ran.code, ran.steps.len()), (2, 1), "{ran:?}");
    assert!(ran.log.contains("::error title=Tenure::"), "{}", ran.log);
}
