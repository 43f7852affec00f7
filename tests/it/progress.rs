//! What people see of a long run: a bar on a terminal, plain lines elsewhere, and a summary that names the
//! slowest tenants and what is left.

use std::process::{Command, Stdio};
use std::time::Duration;

use regex::Regex;
use serde_json::Value;

use crate::support::{
    Finish as _, Output, Project, Running, Session, check_event, csv, needs_the_server_itself, wait_until,
};

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
fn notices_of_the_files_statements_are_shown_once() {
    let project = thirty();
    project.db.run("INSERT INTO org_t11.workspaces (name) VALUES ('hunter2')");
    project.next_migration(
        "-- Scope: platform\nCREATE TABLE IF NOT EXISTS datalinx_platform.users (id int);\n\
         -- Scope: tenant\nCREATE TABLE IF NOT EXISTS workspaces (id int);\n\
         DO $$ BEGIN\n  RAISE WARNING 'this takes long';\n  RAISE NOTICE 'first \"%\" of %', \
         coalesce((SELECT name FROM workspaces LIMIT 1), ''), (SELECT count(*) FROM workspaces); END $$;",
    );
    project.without_rules();
    let output = project.run("migrate up --jobs 3 --events events").ok();
    let file = "v1.0.5_to_v1.0.6_next.sql";
    let lines: Vec<_> = output.stderr.lines().filter(|line| line.contains(file)).collect();
    assert_eq!(
        lines,
        [
            format!("NOTICE: relation \"users\" already exists, skipping (the platform)  {file}:4"),
            format!("NOTICE: relation \"workspaces\" already exists, skipping (30 tenants)  {file}:6"),
            format!("NOTICE: first \"…\" of … (30 tenants)  {file}:7"),
            format!("WARNING: this takes long (30 tenants)  {file}:7"),
        ],
        "{output}"
    );
    let events = std::fs::read_to_string(project.dir.path().join("events")).unwrap();
    assert_eq!(events.matches("\"notice\"").count(), 91, "{events}");
    assert!(!format!("{output} {events}").contains("hunter2"), "{output}");
    // Not by a quiet run, and in the result in JSON.
    project.next_migration("-- Scope: tenant\nDROP TABLE IF EXISTS nothing, {org_schema}.more;");
    let (_, result) = project.json("migrate up");
    let notices = result["notices"].as_array().unwrap();
    assert_eq!(
        (notices.len(), &notices[0]["tenants"], &notices[0]["level"]),
        (2, &30.into(), &"NOTICE".into()),
        "{result}"
    );
    assert_eq!(notices[0]["message"], "table \"more\" does not exist, skipping", "{result}");
    project.next_migration("-- Scope: tenant\nDROP TABLE IF EXISTS other;");
    assert_eq!(project.run("migrate up -q").ok().stderr, "");
    // Statements that run alone too.
    if !needs_the_server_itself("CREATE INDEX CONCURRENTLY") {
        project.next_migration("-- Scope: tenant\nDROP INDEX CONCURRENTLY IF EXISTS no_index;");
        let output = project.run("migrate up").ok();
        assert!(
            output.stderr.contains("NOTICE: index \"no_index\" does not exist, skipping (30 tenants)"),
            "{output}"
        );
    }
}

/// A session of an application that locks a tenant's table in an open transaction. Its last query contains secrets.
fn holder(project: &Project, application: &str, table: &str, lock: &str) -> Session {
    let mut session =
        Session::holding(&project.db, &format!("SET application_name = '{application}'; {lock}"));
    session.run(&format!(
        "/* hunter2 */ SELECT count(*)  FROM {table} WHERE name = E'hunter2' AND id::text <> '42'"
    ));
    session
}

/// Starts a run, waits until it has reported what it waits for, releases the lock, and returns the output and the report.
fn reported(project: &Project, running: Running, holder: Session) -> (Output, Value) {
    let report = || {
        let text = std::fs::read_to_string(project.dir.path().join("events")).unwrap_or_default();
        let mut all = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        all.find(|event| {
            check_event(event);
            event["event"] == "running"
        })
    };
    wait_until("a report", || report().is_some());
    holder.release();
    let output = running.end().ok();
    assert!(!format!("{output} {}", report().unwrap()).contains("hunter2"), "{output}");
    (output, report().unwrap())
}

#[test]
fn a_run_that_takes_long_names_the_holder_of_the_lock_without_values() {
    let project = thirty();
    let holder = holder(&project, "billing worker", "org_t10.workspaces", "LOCK TABLE org_t10.workspaces");
    let running = project.start("migrate up --lock-timeout 0s --jobs 2 --events events");
    let (output, report) = reported(&project, running, holder);
    let line = Regex::new(
        r"^29 of 30 done, \d+(\.\d)?/s, \d+ seconds? left; org_t10: v1.0.4_to_v1.0.5_made.sql for \d+ seconds; 1 waits for a lock; the lock is held by process \d+ of billing worker, in a transaction of \d+ seconds: SELECT count\(\*\) FROM org_t10.workspaces WHERE name = …\n$",
    );
    assert!(line.unwrap().is_match(&output.stderr), "{output}");
    let holder = &report["lock_holder"];
    assert_eq!(
        (&report["waiting"], &holder["application"]),
        (&1.into(), &"billing worker".into()),
        "{report}"
    );
    // A short run prints nothing.
    assert_eq!(project.run("migrate up").ok().stderr, "");
}

#[test]
fn a_run_that_takes_long_shows_the_phase_of_an_index_build() {
    if needs_the_server_itself("CREATE INDEX CONCURRENTLY") {
        return;
    }
    let project = Project::with_tenants(&["a"]);
    project.next_migration("CREATE INDEX CONCURRENTLY user_names ON users (display_name);");
    let users = "datalinx_platform.users";
    let holder = {
        let mut session = Session::holding(&project.db, &format!("LOCK TABLE {users} IN ROW EXCLUSIVE MODE"));
        session.run("SELECT 'hunter2'");
        session
    };
    let running = project.start("migrate up --events events");
    let (output, report) = reported(&project, running, holder);
    let phase = "waiting for writers before build";
    assert_eq!((&report["index"]["phase"], &report["waiting"]), (&phase.into(), &1.into()), "{report}");
    assert_eq!(report["oldest"]["schema"], "datalinx_platform", "{report}");
    assert!(
        output.stderr.contains(&format!("; index build: {phase}; 1 waits for a lock; the lock is held by")),
        "{output}"
    );
    assert!(output.stderr.ends_with(": SELECT …\n"), "{output}");
}

#[test]
fn a_role_that_may_not_see_other_sessions_gets_the_process_only() {
    let project = Project::seeds();
    let role = format!("blind_{}", project.db.name);
    project
        .db
        .run(&format!("CREATE ROLE {role} LOGIN; GRANT CREATE ON DATABASE {} TO {role}", project.db.name));
    let as_role = [("DATABASE_URL", project.db.url_as(&role))];
    let as_role: Vec<_> = as_role.iter().map(|(name, url)| (*name, url.as_str())).collect();
    let _done = project.run_env(&as_role, "migrate up").ok();
    let _done = project.run_env(&as_role, "tenant create a").ok();
    project.next_migration("-- Scope: tenant\nALTER TABLE workspaces ADD COLUMN more int;");
    let holder =
        holder(&project, "reports", "org_a.workspaces", "LOCK TABLE org_a.workspaces IN ROW SHARE MODE");
    let mut command = project.command("migrate up --lock-timeout 1s --retries 30 --events events".split(' '));
    let running = Running::spawn({
        command.env("DATABASE_URL", as_role[0].1);
        command
    });
    let (output, report) = reported(&project, running, holder);
    let process = &report["lock_holder"]["pid"];
    assert!(process.is_i64() && report["lock_holder"]["query"].is_null(), "{report}");
    let shown = format!(
        "the lock is held by process {process} of reports (pg_read_all_stats lets this role see its query)\n"
    );
    assert!(output.stderr.contains(&shown), "{output}");
    project.db.run(&format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}"));
}

#[test]
fn on_a_terminal_the_holder_of_the_lock_stands_below_the_bar() {
    let project = thirty();
    let holder = holder(&project, "billing worker", "org_t10.workspaces", "LOCK TABLE org_t10.workspaces");
    let shown = std::thread::scope(|scope| {
        let running =
            scope.spawn(|| on_terminal(&project, "migrate up --lock-timeout 0s --jobs 2 --color never"));
        std::thread::sleep(Duration::from_secs(13));
        holder.release();
        running.join().unwrap()
    });
    assert_eq!(shown.code, 0, "{shown}");
    assert!(shown.stdout.contains("29/30  "), "{shown}");
    assert!(shown.stdout.contains("the lock is held by process"), "{shown}");
    assert!(!shown.stdout.contains("hunter2"), "{shown}");
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
fn many_tenants_are_summarized_by_outcome() {
    let project = Project::with_tenants(&[]);
    let slugs: Vec<String> = (10..35).map(|number| format!("t{number}")).collect();
    let list = csv(&slugs.iter().map(String::as_str).collect::<Vec<_>>());
    let output = project.run_with_input("tenant create --from -", &list).ok();
    assert_eq!(output.stdout, "25 created, 0 existing, 0 failed; -v and --format json list them\n");
    let output = project.run_with_input("tenant create --from -", &list);
    assert_eq!(
        output.stderr.matches("error[tenant-exists]: the tenant SLUG already exists").count(),
        1,
        "{output}"
    );
    assert!(
        output.stderr.contains("  the same failure on 25 tenants: t10, t11, t12 and 22 more\n"),
        "{output}"
    );
    assert_eq!(output.stderr.matches("\nfailed t").count(), 19, "{output}");
    let output = project.run_with_input("tenant create --from - -v --if-not-exists", &list).ok();
    assert_eq!(output.stdout.matches("existing t").count(), 25, "{output}");
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
