//! What `action.yml`, the workflows and the scripts of the documents say, without running them.

use std::path::Path;
use std::process::Command;

use regex::Regex;
use serde_json::Value;

use super::{action, read, string, yaml};
use crate::repo_lints::files;
use crate::support::{Finish as _, Project};

/// A fenced block of a document, by what stands behind its backticks.
fn block(document: &str, kind: &str) -> String {
    let fence = Regex::new(&format!(r"(?ms)^```{}\n(.*?)^```$", regex::escape(kind))).unwrap();
    fence.captures(&read(document)).unwrap_or_else(|| panic!("{document} has no {kind}"))[1].to_owned()
}

fn workflow() -> Value {
    yaml(&block("docs/ci.md", "yaml file=.github/workflows/tenure.yml"))
}

/// The shell of every step of a list, with the step's name.
fn shell(steps: &Value) -> Vec<(String, String)> {
    let steps = steps.as_array().unwrap().iter();
    steps.filter_map(|step| Some((string(&step["name"]), string(step.get("run")?)))).collect()
}

/// All shell that is shown or run.
fn scripts() -> Vec<(String, String)> {
    let mut all = shell(&action()["runs"]["steps"]);
    for job in workflow()["jobs"].as_object().unwrap().values() {
        all.extend(shell(&job["steps"]));
    }
    for kind in ["sh", "sh file=ci/tenure.sh", "sh file=ci/close.sh"] {
        all.push((kind.to_owned(), block("docs/ci.md", kind)));
    }
    let fence = Regex::new(r"(?ms)^```yaml\n(.*?)^```$").unwrap();
    for (name, text) in files("docs", "md") {
        for found in fence.captures_iter(&text) {
            for job in yaml(&found[1])["jobs"].as_object().into_iter().flatten().map(|(_, job)| job) {
                all.extend(
                    shell(&job["steps"]).into_iter().map(|(step, run)| (format!("{name}: {step}"), run)),
                );
            }
        }
    }
    assert!(all.len() > 11, "{}", all.len());
    all
}

#[test]
fn every_action_is_one_commit_and_says_which_version_that_is() {
    let pinned = Regex::new(r"^[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$").unwrap();
    let uses = Regex::new(r"(?m)^\s*(?:- )?uses: (.*)$").unwrap();
    let mut seen = 0;
    for (name, text) in files("docs", "md").into_iter().chain([("action.yml".to_owned(), read("action.yml"))])
    {
        for found in uses.captures_iter(&text) {
            assert!(pinned.is_match(&found[1]), "{name}: {}", &found[1]);
            seen += 1;
        }
    }
    assert!(seen > 6, "{seen}");
}

#[test]
fn no_expression_is_a_part_of_a_script() {
    for (name, script) in scripts() {
        assert!(!script.contains("${{"), "{name}: {script}");
    }
}

#[test]
fn every_input_and_output_has_a_use_and_every_use_is_there() {
    let (text, action) = (read("action.yml"), action());
    let inputs = action["inputs"].as_object().unwrap();
    for (name, input) in inputs {
        assert!(text.contains(&format!("inputs.{name} ")), "{name} is used by nothing");
        assert!(input.get("default").is_some() || input["required"] == true, "{name}");
    }
    for found in Regex::new(r"inputs\.(\w+)").unwrap().captures_iter(&text) {
        assert!(inputs.contains_key(&found[1]), "there is no input {}", &found[1]);
    }
    // What is read in a script and belongs to the step is a variable of the step, and each is read.
    for step in action["runs"]["steps"].as_array().unwrap() {
        let Some(run) = step.get("run").map(string) else { continue };
        for name in step["env"].as_object().into_iter().flatten().map(|(name, _)| name) {
            let for_tenure = name.starts_with("TENURE_") || name.starts_with("NEON_");
            assert!(for_tenure || run.contains(&format!("${name}")), "{name} is read by nothing in {run}");
        }
    }
    let outputs = action["outputs"].as_object().unwrap();
    let promised = Regex::new(r"steps\.(\w+)\.outputs\.(\w+)").unwrap();
    for (name, output) in outputs {
        for found in promised.captures_iter(&string(&output["value"])) {
            let steps = action["runs"]["steps"].as_array().unwrap();
            let step = steps.iter().find(|step| step["id"] == found[1]).unwrap();
            assert!(string(&step["run"]).contains(&format!("{}=", &found[2])), "{name}: {}", &found[0]);
        }
    }
    assert!(!outputs.keys().any(|name| name.ends_with("url") || name.contains("password")), "{outputs:?}");
    // What the workflow says of the action is so.
    for job in workflow()["jobs"].as_object().unwrap().values() {
        for step in job["steps"].as_array().unwrap() {
            if !step["uses"].as_str().is_some_and(|uses| uses.contains("/tenure@")) {
                continue;
            }
            for name in step["with"].as_object().unwrap().keys() {
                assert!(inputs.contains_key(name), "the action has no input {name}");
            }
        }
    }
    for found in promised.captures_iter(&block("docs/ci.md", "yaml file=.github/workflows/tenure.yml")) {
        assert!(outputs.contains_key(&found[2]), "the action has no output {}", &found[2]);
    }
}

#[test]
fn the_workflow_leaks_no_branch_and_grants_no_more_than_it_must() {
    let workflow = workflow();
    let event = workflow["on"]["pull_request"].as_object().unwrap();
    assert!(!event.keys().any(|key| key.starts_with("paths")), "a delete behind a filter leaks branches");
    assert!(event["types"].as_array().unwrap().contains(&"closed".into()));
    assert!(workflow["on"].get("pull_request_target").is_none());
    assert!(string(&workflow["concurrency"]["group"]).contains("pull_request.number"));
    assert_eq!(workflow["permissions"], serde_json::json!({}));
    let jobs = workflow["jobs"].as_object().unwrap();
    assert!(
        jobs.values().all(|job| job.get("permissions").is_some() && job.get("timeout-minutes").is_some())
    );
    let delete = &jobs["delete"];
    assert_eq!((delete["if"].as_str(), delete.get("needs")), (Some("github.event.action == 'closed'"), None));
    assert_eq!(delete["permissions"], serde_json::json!({}));
    // Secrets are for jobs that run nothing but the action.
    assert!(!string(&jobs["verify"]["steps"]).contains("secrets."));
}

#[test]
fn every_shell_understands_the_scripts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("script.sh");
    for (name, script) in scripts() {
        std::fs::write(&path, &script).unwrap();
        for shell in ["sh", "bash"] {
            let output = Command::new(shell).arg("-n").arg(&path).finish();
            assert!(
                output.status.success(),
                "{name} in {shell}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
}

#[test]
fn every_command_line_of_tenure_is_one_that_the_program_knows() {
    let project = Project::empty();
    let command =
        Regex::new(r"(?m)(?:^|\s|`)tenure ((?:migrate|branch|verify|status|drift|tenant)\b[^`|&>\n]*)")
            .unwrap();
    let mut lines: Vec<(String, String)> = Vec::new();
    for (name, text) in scripts().into_iter().chain([("docs/ci.md".to_owned(), read("docs/ci.md"))]) {
        lines.extend(command.captures_iter(&text).map(|found| (name.clone(), found[1].to_owned())));
    }
    assert!(lines.len() > 12, "{lines:?}");
    for (name, line) in lines {
        // Variables are words here; what holds any number of words holds none.
        let line =
            ["\"$PROVIDER\"", "\"$provider\""].iter().fold(line, |line, name| line.replace(name, "neon"));
        let words = shlex::split(&line.replace("\"$@\"", "")).unwrap();
        let output = project.run_words(words.iter().map(String::as_str).chain(["--help"]));
        assert_eq!(output.code, 0, "{name}: tenure {line}: {output}");
    }
}

#[test]
fn the_script_for_other_systems_does_what_it_says() {
    let project = Project::with_tenants(&["acme"]);
    let neon = crate::support::Neon::start(&project.db);
    let script = project.dir.path().join("tenure.sh");
    std::fs::write(&script, block("docs/ci.md", "sh file=ci/tenure.sh")).unwrap();
    let tenure = Path::new(assert_cmd::cargo::cargo_bin!("tenure")).parent().unwrap();
    let run = |script: &Path, more: &[(&'static str, String)]| {
        let mut command = project.command([] as [&str; 0]);
        let environment: Vec<_> = command
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
            .filter(|(name, _)| name != "PATH")
            .collect();
        command = Command::new("sh");
        command.arg(script).current_dir(project.dir.path()).env_clear().envs(environment);
        command.env("PATH", format!("{}:{}", tenure.display(), std::env::var("PATH").unwrap()));
        command.envs([("CHANGE", "7"), ("TARGET", "main")]).envs(more.iter().cloned());
        crate::support::Output::of(&command.finish())
    };
    // No repository: the policy of the base is unknown.
    assert_eq!(run(&script, &[]).code, 2);
    for line in [
        "init --quiet",
        "add migrations tenant_templates",
        "commit --quiet -m base",
        "update-ref refs/remotes/origin/main HEAD",
        "commit --quiet --allow-empty -m same",
    ] {
        super::verify::git(project.dir.path(), line);
    }
    run(&script, &[]).passes();
    assert_eq!(neon.ever_made(), 0, "nothing was changed");
    std::fs::write(project.dir.path().join("tenure.toml"), "").unwrap();
    for line in ["add tenure.toml", "commit --quiet -m change"] {
        super::verify::git(project.dir.path(), line);
    }
    let without = run(&script, &[]);
    assert!(without.code == 1 && without.stderr.contains("neither NEON_API_KEY nor"), "{without}");
    let local = run(&script, &[("COPY_DATABASE_URL", project.db.url.clone())]);
    local.passes();
    assert_eq!(neon.ever_made(), 0, "the copy is on the same server");
    run(&script, &neon.environment()).passes();
    assert_eq!((neon.branches(), neon.ever_made()), (vec![], 1));
    assert!(std::fs::read_to_string(project.dir.path().join("report.md")).unwrap().contains("Tenure"));
    neon.run(&project, "branch create tenure/change-7 --provider neon").passes();
    std::fs::write(&script, block("docs/ci.md", "sh file=ci/close.sh")).unwrap();
    for _ in 0..2 {
        run(&script, &neon.environment()).passes();
        assert!(neon.branches().is_empty());
    }
}

#[test]
fn the_job_of_gitlab_runs_the_script_and_writes_the_findings() {
    let job = &yaml(&block("docs/ci.md", "yaml file=.gitlab-ci.yml"))["tenure"];
    let project = Project::with_tenants(&["acme"]);
    project.file("ci/tenure.sh", block("docs/ci.md", "sh file=ci/tenure.sh"));
    for line in
        ["init --quiet", "add .", "commit --quiet -m base", "update-ref refs/remotes/origin/main HEAD"]
    {
        super::verify::git(project.dir.path(), line);
    }
    project.next_migration("ALTER TABLE workspaces ADD COLUMN more int;");
    for line in ["add .", "commit --quiet -m change"] {
        super::verify::git(project.dir.path(), line);
    }
    let given = [("CI_MERGE_REQUEST_IID", "7"), ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main")];
    let variables = job["variables"].as_object().unwrap().iter().map(|(name, value)| {
        let value = string(value);
        let known = given.iter().find(|(name, _)| value == format!("${name}"));
        (name.clone(), known.map_or(value, |(_, value)| (*value).to_owned()))
    });
    let variables: Vec<_> = variables.collect();
    let tenure = Path::new(assert_cmd::cargo::cargo_bin!("tenure")).parent().unwrap();
    for line in job["script"].as_array().unwrap() {
        let mut command = Command::new("sh");
        command.args(["-ec", &string(line)]).current_dir(project.dir.path()).envs(variables.iter().cloned());
        command.env("PATH", format!("{}:{}", tenure.display(), std::env::var("PATH").unwrap()));
        command.env("COPY_DATABASE_URL", &project.db.url).env_remove("NEON_API_KEY");
        command.envs(crate::support::postgres_folder().map(|folder| ("TENURE_PG_BINDIR", folder)));
        crate::support::Output::of(&command.finish()).passes();
    }
    for file in job["artifacts"]["paths"].as_array().unwrap() {
        assert!(project.dir.path().join(string(file)).exists(), "{file}");
    }
    let findings = project.dir.path().join(string(&job["artifacts"]["reports"]["codequality"]));
    assert_eq!(std::fs::read_to_string(findings).unwrap().trim(), "[]");
}
