//! Many at once, and programs, sessions and people that stop in the middle: each unit happens once, and
//! the next run finishes what is left.

use std::collections::BTreeMap;

use insta::assert_snapshot;

use crate::support::{Output, Project, Running, Session, csv, wait_until};

/// Runs these at once.
fn at_once(project: &Project, lines: &[&str]) -> Vec<Output> {
    let running: Vec<_> = lines.iter().map(|line| project.start(line)).collect();
    running.into_iter().map(Running::end).collect()
}

fn thirty() -> Vec<String> {
    (10..40).map(|number| format!("t{number}")).collect()
}

/// A fleet of thirty with three steps before it: for tenants, for both, for tenants.
fn thirty_with_three_steps() -> Project {
    let slugs = thirty();
    let project = Project::with_tenants(&slugs.iter().map(String::as_str).collect::<Vec<_>>());
    three_steps(&project);
    project
}

fn three_steps(project: &Project) {
    project.migration("1.0.4", "1.0.5", "one", "ALTER TABLE workspaces ADD COLUMN one int;");
    project.migration(
        "1.0.5",
        "1.0.6",
        "two",
        "CREATE TABLE datalinx_platform.plans (id int); ALTER TABLE {org_schema}.workspaces ADD COLUMN two int;",
    );
    project.migration("1.0.6", "1.0.7", "three", "ALTER TABLE workspaces ADD COLUMN three int;");
}

/// How many rows the history has for each step after the seeds'.
fn units(project: &Project) -> String {
    let counts = "SELECT string_agg(n::text, ' ' ORDER BY to_version) FROM (SELECT to_version, count(*) AS n \
                  FROM datalinx_platform.migration_history WHERE to_version > '1.0.4' GROUP BY 1) AS steps";
    project.db.value(counts)
}

fn everybody_at(project: &Project, version: &str) {
    let behind =
        format!("SELECT count(*)::text FROM datalinx_platform.tenant_version WHERE version <> '{version}'");
    assert_eq!(project.db.value(&behind), "0", "{}", project.versions());
    assert_eq!(project.db.value("SELECT version FROM datalinx_platform.schema_version"), version);
    assert_eq!(project.repeated_units(), [""; 0]);
}

#[test]
fn four_runs_at_once_do_each_unit_once() {
    let project = thirty_with_three_steps();
    for output in at_once(&project, &["migrate up"; 4]) {
        let _each = output.ok();
    }
    everybody_at(&project, "1.0.7");
    assert_eq!(units(&project), "31 31 31");
}

#[test]
fn the_first_runs_of_all_may_be_at_once() {
    for _round in 0..3 {
        let project = Project::seeds();
        for output in at_once(&project, &["migrate up"; 4]) {
            let _each = output.ok();
        }
        everybody_at(&project, "1.0.4");
        assert_eq!(project.db.value("SELECT count(*)::text FROM datalinx_platform.schema_version"), "1");
        assert_eq!(
            project
                .db
                .value("SELECT (count(*) - max(version))::text FROM datalinx_platform.tenure_schema_history"),
            "0"
        );
    }
}

#[test]
fn tenants_made_during_a_run_are_not_left_behind() {
    let project = thirty_with_three_steps();
    let more: Vec<String> = (10..50).map(|number| format!("n{number}")).collect();
    project.file("more.csv", csv(&more.iter().map(String::as_str).collect::<Vec<_>>()));
    let outputs = at_once(&project, &["migrate up", "tenant create --from more.csv"]);
    for output in outputs {
        let _each = output.ok();
    }
    assert_eq!(project.db.value("SELECT count(*)::text FROM datalinx_platform.tenant_version"), "70");
    let _left = project.run("migrate up").ok();
    everybody_at(&project, "1.0.7");
    let columns = "SELECT count(*)::text FROM pg_attribute WHERE attname IN ('one', 'two', 'three') AND NOT attisdropped";
    assert_eq!(project.db.value(columns), "210");
}

#[test]
fn of_four_who_make_the_same_tenant_one_does() {
    let project = Project::with_tenants(&[]);
    let outputs = at_once(&project, &["tenant create acme --format json"; 4]);
    let mut seen = BTreeMap::new();
    for output in outputs {
        let document: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
        let code = document["error"]["code"].as_str().unwrap_or("created").to_owned();
        *seen.entry((output.code, code)).or_insert(0) += 1;
    }
    assert_eq!(seen, BTreeMap::from([((0, "created".to_owned()), 1), ((1, "tenant-exists".to_owned()), 3)]));

    let outputs = at_once(&project, &["tenant create other --if-not-exists --format json"; 4]);
    let created = outputs.iter().filter(|output| output.stdout.contains(r#""existing":[]"#)).count();
    assert!(outputs.iter().all(|output| output.code == 0), "{outputs:?}");
    assert_eq!(created, 1, "{outputs:?}");
    assert_eq!(
        project.db.column("SELECT slug FROM datalinx_platform.organizations ORDER BY 1"),
        ["acme", "other"]
    );
    assert_eq!(project.repeated_units(), [""; 0]);
}

/// Tenants a, b, c and a step for each, run while somebody holds a table of b: a is done, b is in the
/// middle of its unit, c is not begun.
struct HeldRun {
    project: Project,
    holder: Session,
    running: Running,
    /// The server's process of the unit.
    backend: String,
    /// b before it.
    before: String,
}

impl HeldRun {
    fn in_a_unit() -> Self {
        let project = Project::with_tenants(&["a", "b", "c"]);
        project.migration(
            "1.0.4",
            "1.0.5",
            "held",
            "CREATE TABLE {org_schema}.made (id int, created_at date, updated_at date);\n\
             ALTER TABLE {org_schema}.workspaces ADD COLUMN more int;\n\
             CREATE TABLE {org_schema}.also (id int, created_at date, updated_at date);",
        );
        let before = project.db.dump_of("org_b");
        let holder = Session::holding(&project.db, "LOCK TABLE org_b.workspaces");
        let running = project.start("migrate up --jobs 1 --retries 0 --lock-timeout 0s");
        let backend = project.db.wait_for_waiting(1).remove(0);
        Self { project, holder, running, backend, before }
    }

    fn terminate_backend(&self) {
        self.project.db.run(&format!("SELECT pg_terminate_backend({})::text", self.backend));
        wait_until("the unit's session to end", || self.project.db.waiting().is_empty());
    }
}

/// Nothing of b's unit is left, and one run does just what is.
fn undone_and_then_finished(project: &Project, before: &str) {
    assert_eq!(project.versions(), "platform 1.0.4, a 1.0.5, b 1.0.4, c 1.0.4");
    assert_eq!(project.db.dump_of("org_b"), before);
    let (code, result) = project.json("migrate up");
    assert_eq!((code, &result["units"]), (0, &2.into()), "{result}");
    everybody_at(project, "1.0.5");
    assert_eq!(units(project), "4");
}

#[test]
fn a_program_killed_in_a_unit_leaves_it_undone_and_the_next_run_finishes_it() {
    let held = HeldRun::in_a_unit();
    held.running.signal("KILL");
    // The server has not noticed and still waits for the lock, as it may for long: an operator ends it.
    held.terminate_backend();
    assert_eq!(held.running.end().code, -1);
    held.holder.release();
    undone_and_then_finished(&held.project, &held.before);
}

#[test]
fn a_killed_run_leaves_each_unit_whole_or_undone() {
    let held = HeldRun::in_a_unit();
    held.running.signal("KILL");
    assert_eq!(held.running.end().code, -1);
    held.holder.release();
    // The server has the whole message: it may find nobody to answer to, or have finished before that.
    held.project.db.wait_for_silence();
    let moved = held.project.versions().contains("b 1.0.5");
    assert_eq!(held.project.db.dump_of("org_b") == held.before, !moved);
    let (code, _) = held.project.json("migrate up");
    assert_eq!(code, 0);
    everybody_at(&held.project, "1.0.5");
    assert_eq!(units(&held.project), "4");
    assert_eq!(held.project.db.value("SELECT count(*)::text FROM pg_class WHERE relname = 'also'"), "3");
}

#[test]
fn a_terminated_session_is_reported_as_a_lost_connection() {
    let held = HeldRun::in_a_unit();
    held.terminate_backend();
    let output = held.running.end();
    assert_snapshot!(output, @"
    exit code: 4
    ----- stdout -----

    ----- stderr -----
    error[unit-failed]: v1.0.4_to_v1.0.5_held.sql on org_b: terminating connection due to administrator command
     --> migrations/v1.0.4_to_v1.0.5_held.sql:4:1
      |
    4 | ALTER TABLE {org_schema}.workspaces ADD COLUMN more int;
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = note: SQLSTATE 57P01
      = help: the server ended the session; run the command again

    partially done: the platform is at 1.0.4; 3 tenants, 1 migrated, 1 unchanged, 1 failed; 1 unit in N ms
    no further tenant was started; `--on-failure continue` migrates the others
    run `tenure migrate up` again to finish: 2 tenants
    ");
    held.holder.release();
    undone_and_then_finished(&held.project, &held.before);
}

#[test]
fn an_interrupted_run_finishes_what_it_began_and_begins_nothing_more() {
    let mut held = HeldRun::in_a_unit();
    held.running.signal("INT");
    held.running.says("interrupted");
    held.holder.release();
    assert_snapshot!(held.running.end(), @"
    exit code: 130
    ----- stdout -----
    interrupted: the platform is at 1.0.4; 3 tenants, 2 migrated, 1 unchanged; 2 units in N ms
    run `tenure migrate up` again to finish: 1 tenant

    ----- stderr -----
    ");
    assert_eq!(held.project.versions(), "platform 1.0.4, a 1.0.5, b 1.0.5, c 1.0.4");
    let outcome = "SELECT outcome FROM datalinx_platform.run ORDER BY started_at DESC LIMIT 1";
    assert_eq!(held.project.db.value(outcome), "interrupted");
    let (code, result) = held.project.json("migrate up");
    assert_eq!((code, &result["units"]), (0, &1.into()));
    everybody_at(&held.project, "1.0.5");
}

#[test]
fn an_operator_who_insists_breaks_the_unit_off() {
    let mut held = HeldRun::in_a_unit();
    held.running.signal("INT");
    held.running.says("interrupted");
    held.running.signal("INT");
    assert_eq!(held.running.end().code, 130);
    held.project.db.run(&format!("SELECT pg_terminate_backend({})::text", held.backend));
    held.holder.release();
    held.project.db.wait_for_silence();
    undone_and_then_finished(&held.project, &held.before);
}

#[test]
fn a_second_run_waits_for_the_first_ones_unit_and_goes_on_behind_it() {
    let held = HeldRun::in_a_unit();
    // No lock limit counts here: it waits for a unit like its own.
    let second = held.project.start("migrate up --lock-timeout 100ms");
    let patient = "SELECT count(*)::text FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE datname = current_database() \
                   AND NOT granted AND clock_timestamp() - waitstart > '300 ms'";
    wait_until("both to have waited for longer than that", || held.project.db.value(patient) == "2");
    held.holder.release();
    let _outputs = [held.running.end().ok(), second.end().ok()];
    everybody_at(&held.project, "1.0.5");
    assert_eq!(units(&held.project), "4");
}

#[test]
fn a_database_with_another_isolation_is_no_hindrance() {
    let project = thirty_with_three_steps();
    project.db.run(&format!(
        "ALTER DATABASE {} SET default_transaction_isolation = 'serializable'",
        project.db.name
    ));
    for output in at_once(&project, &["migrate up"; 3]) {
        let _each = output.ok();
    }
    everybody_at(&project, "1.0.7");
}

#[test]
fn tenants_are_made_while_the_platform_takes_many_steps() {
    let project = Project::with_tenants(&[]);
    for step in 4..20 {
        let (from, to) = (format!("1.0.{step}"), format!("1.0.{}", step + 1));
        project.migration(&from, &to, "step", &format!("CREATE TABLE datalinx_platform.t{step} (id int);"));
    }
    let lines = ["migrate up", "tenant create a", "tenant create b", "tenant create c"];
    for output in at_once(&project, &lines) {
        let _each = output.ok();
    }
    let _left = project.run("migrate up").ok();
    everybody_at(&project, "1.0.20");
}

#[test]
fn a_tenant_that_is_brought_back_during_a_run_is_brought_along_from_where_it_was() {
    let project = Project::with_tenants(&["a", "b"]);
    let _dropped = project.run("tenant drop b --confirm b").ok();
    project.migration("1.0.4", "1.0.5", "one", "ALTER TABLE workspaces ADD COLUMN one text;");
    let _done = project.run("migrate up").ok();
    project.migration("1.0.5", "1.0.6", "two", "ALTER TABLE workspaces ADD COLUMN two text;");
    let holder = Session::holding(&project.db, "SELECT FROM org_a.workspaces");
    let running = project.start("migrate up --format json");
    project.db.wait_for_waiting(1);
    let _back = project.run("tenant undrop b").ok();
    holder.release();
    let output = running.end().ok();
    assert!(output.stdout.contains("\"outcome\":\"done\""), "{output}");
    assert_eq!(project.versions(), "platform 1.0.6, a 1.0.6, b 1.0.6");
    assert_eq!(project.db.dump_of("org_b"), project.db.dump_of("org_a"));
}
