//! What people see of a long run: a bar on a terminal, plain lines elsewhere, and a summary that names the
//! slowest tenants and what is left.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::{Finish as _, Output, Project, Session, csv, wait_until};

/// A step that a tenant fails which has a workspace named `bad`, and that takes long for one named `slow`.
const STEP: &str = "-- Scope: tenant\nCREATE TABLE made (id int, created_at date, updated_at date);\n\
    INSERT INTO made SELECT 1 / (CASE name WHEN 'bad' THEN 0 ELSE 1 END) FROM workspaces;\n\
    INSERT INTO made SELECT length(pg_sleep(CASE name WHEN 'slow' THEN 0.4 ELSE 0 END)::text) FROM workspaces;";

fn thirty() -> Project {
    let slugs: Vec<String> = (10..40).map(|number| format!("t{number}")).collect();
    let project = Project::with_tenants(&slugs.iter().map(String::as_str).collect::<Vec<_>>());
    project.migration("1.0.4", "1.0.5", "made", STEP);
    project
}

fn workspace(project: &Project, tenant: &str, name: &str) {
    project.db.run(&format!("INSERT INTO org_{tenant}.workspaces (name) VALUES ('{name}')"));
}

/// Runs the program on a terminal.
fn on_terminal(project: &Project, line: &str) -> Output {
    let program = project.command(line.split_whitespace());
    let words: Vec<_> = [program.get_program()].into_iter().chain(program.get_args()).collect();
    let line: Vec<_> = words.iter().map(|word| shlex::try_quote(word.to_str().unwrap()).unwrap()).collect();
    let mut command = Command::new("script");
    command.args(["-qec", &line.join(" "), "/dev/null"]).current_dir(project.dir.path()).env_clear();
    for (name, value) in program.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command.env("TERM", "xterm").stdin(Stdio::null());
    Output::of(&command.finish())
}

#[test]
fn on_a_terminal_a_bar_shows_how_far_it_is_and_failures_stand_above_it() {
    let project = thirty();
    workspace(&project, "t20", "bad");
    workspace(&project, "t21", "slow");
    let shown = on_terminal(&project, "migrate up --on-failure continue --color never");
    assert_eq!(shown.code, 4, "{shown}");
    assert!(shown.stdout.contains("/30  "), "{shown}");
    assert!(shown.stdout.contains(" left"), "{shown}");
    let failed = shown.stdout.find("failed org_t20").unwrap();
    let summary = shown.stdout.find("partially done").unwrap();
    assert!(failed < summary, "{shown}");
    let quiet = on_terminal(&project, "migrate up --on-failure continue -q --color never");
    assert!(!quiet.stdout.contains("failed org_t20"), "{quiet}");
}

#[test]
fn without_a_terminal_a_failure_is_printed_at_once() {
    let project = thirty();
    workspace(&project, "t20", "bad");
    let holder = Session::holding(&project.db, "LOCK TABLE org_t10.workspaces");
    let mut running = project.start("migrate up --on-failure continue --lock-timeout 0s --jobs 2");
    running.says("failed org_t20");
    holder.release();
    assert_eq!(running.end().code, 4);
}

#[test]
fn a_run_that_takes_long_says_how_far_it_is() {
    let project = thirty();
    let holder = Session::holding(&project.db, "LOCK TABLE org_t10.workspaces");
    let running = project.start("migrate up --lock-timeout 0s --jobs 2");
    let done = "SELECT count(*)::text FROM datalinx_platform.tenant_version WHERE version = '1.0.5'";
    wait_until("the others", || project.db.value(done) == "29");
    std::thread::sleep(Duration::from_secs(3));
    holder.release();
    let output = running.end().ok();
    assert!(output.stderr.starts_with("30 of 30 done, "), "{output}");
    assert!(output.stderr.ends_with("/s, 0 seconds left\n"), "{output}");
    // A short one does not.
    let output = project.run("migrate up").ok();
    assert_eq!(output.stderr, "");
}

#[test]
fn the_summary_names_the_slowest_tenants() {
    let project = thirty();
    workspace(&project, "t33", "slow");
    project.migration("1.0.5", "1.0.6", "more", "ALTER TABLE workspaces ADD COLUMN more int;");
    let (_, document) = project.json("migrate up --jobs 3");
    assert_eq!(document["slowest"][0]["schema"], "org_t33");
    let took = document["slowest"][0]["duration_ms"].as_u64().unwrap();
    assert!((400..20_000).contains(&took), "{document}");
    assert!(document["slowest"].as_array().unwrap().len() <= 5);
    // The others that travelled in the same message were not slow.
    assert!(document["slowest"][1]["duration_ms"].as_u64().unwrap_or(0) < 400, "{document}");

    let project = thirty();
    workspace(&project, "t33", "slow");
    let text = project.run("migrate up").ok().stdout;
    assert!(text.lines().nth(1).unwrap().starts_with("slowest: org_t33 4"), "{text}");
}

#[test]
fn remaining_tenants_are_counted() {
    let project = thirty();
    workspace(&project, "t20", "bad");
    let (code, document) = project.json("migrate up --jobs 1");
    assert_eq!((code, &document["tenants"]["left"]), (4, &20.into()), "{document}");
    let text = project.run("migrate up --jobs 1").stderr;
    assert!(text.ends_with("run `tenure migrate up` again to finish: 20 tenants\n"), "{text}");
    let some = project.json("migrate up --tenant t20 --tenant t10 --tenant t35").1;
    assert!(some["tenants"]["left"].as_u64().is_some_and(|left| left <= 2), "{some}");
    project.db.run("DELETE FROM org_t20.workspaces");
    assert!(project.json("migrate up").1["tenants"].get("left").is_none());
}

#[test]
fn a_list_of_tenants_shows_its_failures_as_they_happen() {
    let project = Project::with_tenants(&["t05"]);
    let slugs: Vec<String> = (0..12).map(|number| format!("t{number:02}")).collect();
    let list = csv(&slugs.iter().map(String::as_str).collect::<Vec<_>>());
    let output = project.run_with_input("tenant create --from -", &list);
    assert_eq!(output.code, 4);
    assert!(output.stderr.starts_with("failed t05: the tenant t05 already exists\n"), "{output}");
}
