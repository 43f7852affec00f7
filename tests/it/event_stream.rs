//! `migrate up --events -`: events on stdout as they come, the result as the last one.
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::mpsc;

use serde_json::{Value, json};

use crate::support::{Finish as _, Output, Project, Session, check_event};

fn events(output: &Output) -> Vec<Value> {
    let events: Vec<Value> = output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    events.iter().for_each(check_event);
    events
}

fn names(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["event"].as_str().unwrap()).collect()
}

#[test]
fn the_result_is_the_last_event() {
    let project = Project::with_tenants(&["acme", "globex"]);
    project.next_migration("ALTER TABLE workspaces ADD COLUMN tier text;");
    let output = project.run("migrate up --events -").ok();
    let found = events(&output);
    assert_eq!(names(&found), ["began", "unit-done", "unit-done", "ended", "result"], "{output}");
    let result = found.last().unwrap();
    assert_eq!((&result["outcome"], &result["tenants"]["migrated"]), (&json!("done"), &json!(2)));
    assert!(found.iter().all(|event| event["at_ms"].is_u64()));
    assert!(output.stderr.contains("done"), "people read stderr: {output}");
    // Nothing to do, and a plan.
    let found = events(&project.run("migrate up --events -").ok());
    assert_eq!(found.last().unwrap()["outcome"], "nothing");
    let found = events(&project.run("migrate up --plan --events -").ok());
    assert_eq!((found.len(), &found[0]["event"], &found[0]["steps"]), (1, &json!("result"), &json!([])));
}

#[test]
fn a_failure_is_the_last_event_too() {
    let project = Project::with_tenants(&["acme"]);
    project.next_migration("ALTER TABLE workspaces DROP COLUMN name;");
    let output = project.run("migrate up --events -");
    let found = events(&output);
    assert_eq!(
        (output.code, found.len(), &found[0]["error"]["code"]),
        (1, 1, &json!("finding-denied")),
        "{output}"
    );
    assert!(found[0]["findings"].is_array() && output.stderr.contains("drop-column"), "{output}");
    project.remove("migrations/v1.0.4_to_v1.0.5_next.sql");
    project.db.run("ALTER TABLE org_acme.workspaces ADD COLUMN tier text");
    project.next_migration("ALTER TABLE workspaces ADD COLUMN tier text;");
    let output = project.run("migrate up --events -");
    let found = events(&output);
    assert_eq!(names(&found), ["began", "unit-failed", "ended", "result"], "{output}");
    assert_eq!(found[3]["failures"][0]["schema"], "org_acme");
    let output = project.run_env(
        &[("DATABASE_URL", "postgresql://me:hunter2@127.0.0.1:1/x"), ("TENURE_CONNECT_ATTEMPTS", "1")],
        "migrate up --events -",
    );
    assert_eq!((output.code, &events(&output)[0]["error"]["code"]), (3, &json!("server-unreachable")));
    assert!(!format!("{}{}", output.stdout, output.stderr).contains("hunter2"));
    let output = Project::empty().run("migrate up --events -");
    assert_eq!((output.code, &events(&output)[0]["error"]["code"]), (2, &json!("no-project")));
}

#[test]
fn two_documents_on_stdout_are_refused() {
    let project = Project::seeds();
    project.expect_error("migrate up --events -", "usage");
    let output = project.run_env(&[("TENURE_FORMAT", "json")], "migrate up --events -");
    assert_eq!(output.code, 2, "{output}");
    assert_eq!(
        project.db.value("SELECT count(*)::text FROM pg_namespace WHERE nspname = 'datalinx_platform'"),
        "0"
    );
}

#[test]
fn events_come_while_the_run_goes_on_and_a_reader_that_leaves_does_not_stop_it() {
    let project = Project::with_tenants(&["acme", "globex"]);
    project.next_migration("ALTER TABLE workspaces ADD COLUMN tier text;");
    let lock = Session::holding(&project.db, "LOCK TABLE org_globex.workspaces");
    let mut command =
        project.command(["migrate", "up", "--events", "-", "--jobs", "1", "--lock-timeout", "0s"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(first["event"], "began");
    drop(lines);
    lock.release();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(project.json("status").1["tenants"]["current"], 2);
}

/// A server that receives one request, without a network. Returns its body.
fn receiver() -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sent, received) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut length = 0;
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).unwrap();
                let line = line.trim().to_lowercase();
                if let Some(value) = line.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if line.is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            stream
                .get_mut()
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
                .unwrap();
            sent.send(String::from_utf8(body).unwrap()).unwrap();
        }
    });
    (url, received)
}

/// The recipe below a heading of docs/watching.md.
fn recipe(heading: &str, language: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/watching.md");
    let text = std::fs::read_to_string(path).unwrap();
    let section = text.split(&format!("### {heading}\n")).nth(1).unwrap().to_owned();
    let block = section.split(&format!("```{language}\n")).nth(1).unwrap().split("```").next().unwrap();
    assert!(block.lines().count() <= 10, "{heading} has more than ten lines");
    block.to_owned()
}

fn has(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).finish().status.success();
    if !found {
        eprintln!("SKIPPED: {program} is not installed");
    }
    found
}

/// Runs a script of the documents in the project, with a failing tenant.
fn run_recipe(script: &str, interpreter: &str, file: &str, environment: &[(&str, &str)]) -> Output {
    let project = Project::with_tenants(&["acme", "globex"]);
    project.db.run("ALTER TABLE org_globex.workspaces ADD COLUMN tier text");
    project.next_migration("ALTER TABLE workspaces ADD COLUMN tier text;");
    project.file(file, script);
    let program = assert_cmd::cargo::cargo_bin!("tenure").display().to_string();
    let mut command = project.command([""; 0]);
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("'{program}' migrate up --jobs 1 --events - | {interpreter} {file}")]);
    shell.current_dir(project.dir.path()).env_clear();
    for (name, value) in command.env("NO_PROXY", "*").get_envs() {
        shell.env(name, value.unwrap());
    }
    shell.envs(environment.iter().copied());
    Output::of(&shell.finish())
}

#[test]
fn the_recipe_for_slack_sends_failures_and_the_result() {
    if !(has("jq") && has("curl")) {
        return;
    }
    let (url, received) = receiver();
    let output = run_recipe(&recipe("Slack", "sh"), "sh", "slack.sh", &[("SLACK_WEBHOOK_URL", &url)]).ok();
    let texts: Vec<String> = received
        .try_iter()
        .map(|body| serde_json::from_str::<Value>(&body).unwrap()["text"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(texts.len(), 2, "{texts:?} {output}");
    assert!(texts[0].contains("org_globex") && texts[0].contains("already exists"), "{texts:?}");
    assert!(texts[1].contains("partial"), "{texts:?}");
}

#[test]
fn the_recipe_for_opentelemetry_sends_a_span_for_each_unit() {
    if !has("python3") {
        return;
    }
    let (url, received) = receiver();
    let script = recipe("OpenTelemetry", "python");
    let output = run_recipe(&script, "python3", "spans.py", &[("OTEL_EXPORTER_OTLP_ENDPOINT", &url)]).ok();
    let body =
        received.recv_timeout(std::time::Duration::from_secs(10)).unwrap_or_else(|_| panic!("{output}"));
    let document: Value = serde_json::from_str(&body).unwrap();
    let spans = document["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone();
    let run = spans.iter().find(|span| span["name"] == "migrate up").unwrap();
    let units: Vec<_> = spans.iter().filter(|span| span["parentSpanId"] == run["spanId"]).collect();
    // The platform's step has no unit, since one tenant failed.
    assert_eq!((spans.len(), units.len()), (3, 2), "{document}");
    for span in &spans {
        let nanos = |key: &str| span[key].as_str().unwrap().parse::<u128>().unwrap();
        assert!(nanos("startTimeUnixNano") <= nanos("endTimeUnixNano"), "{span}");
        assert!(
            span["traceId"].as_str().unwrap().len() == 32 && span["spanId"].as_str().unwrap().len() == 16
        );
        assert_eq!(span["traceId"], run["traceId"]);
    }
    let failed: Vec<_> = units.iter().filter(|span| span["status"]["code"] == 2).collect();
    assert_eq!(failed.len(), 1, "{document}");
    assert_eq!(failed[0]["attributes"][0]["value"]["stringValue"], "org_globex");
}
