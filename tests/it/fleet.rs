//! Many tenants at once: workers, batches, retries, canaries.

use crate::support::{Project, Session, needs_the_server_itself};

/// `count` tenants t000, t001, …, and a step that adds a column to each.
fn many(count: usize, sql: &str) -> Project {
    let slugs: Vec<String> = (0..count).map(|number| format!("t{number:03}")).collect();
    let project = Project::with_tenants(&slugs.iter().map(String::as_str).collect::<Vec<_>>());
    project.migration("1.0.4", "1.0.5", "more", sql);
    project
}

fn at(project: &Project, version: &str) -> usize {
    let sql =
        format!("SELECT count(*)::text FROM datalinx_platform.tenant_version WHERE version = '{version}'");
    project.db.value(&sql).parse().unwrap()
}

const ADD: &str = "ALTER TABLE workspaces ADD COLUMN more int;";

/// A step that a tenant fails which has a workspace named `bad`.
const DIVIDES: &str = "-- Scope: tenant\nCREATE TABLE made (id int);\n\
                       INSERT INTO made SELECT 1 / (CASE name WHEN 'bad' THEN 0 ELSE 1 END) FROM workspaces;";

#[test]
fn every_unit_is_done_once_by_however_many_workers() {
    for jobs in ["", " --jobs 1", " --jobs 7"] {
        let project = many(120, ADD);
        let (code, document) = project.json(&format!("migrate up{jobs}"));
        assert_eq!(
            (code, document["units"].as_u64(), document["tenants"]["migrated"].as_u64()),
            (0, Some(120), Some(120))
        );
        assert_eq!(at(&project, "1.0.5"), 120);
        assert_eq!(project.repeated_units(), [""; 0]);
        let columns = "SELECT count(*)::text FROM pg_attribute WHERE attname = 'more' AND NOT attisdropped";
        assert_eq!(project.db.value(columns), "120");
        assert_eq!(project.json("migrate up").1["outcome"], "nothing");
    }
}

#[test]
fn more_workers_than_the_server_has_room_for_are_no_failure() {
    let project = many(40, ADD);
    let (code, document) = project.json("migrate up --jobs 1000");
    assert_eq!((code, document["tenants"]["migrated"].as_u64()), (0, Some(40)), "{document}");
}

#[test]
fn one_tenant_in_the_middle_of_a_pack_fails_and_the_others_are_done() {
    let project = many(60, DIVIDES);
    project.db.run("INSERT INTO org_t037.workspaces (name) VALUES ('bad')");
    let (code, document) = project.json("migrate up --jobs 1 --on-failure continue");
    assert_eq!(code, 4, "{document}");
    assert_eq!(document["failures"].as_array().map(Vec::len), Some(1));
    assert_eq!(document["failures"][0]["schema"], "org_t037");
    assert_eq!(document["failures"][0]["line"], 5);
    assert_eq!(document["failures"][0]["attempts"], 1);
    assert_eq!(document["tenants"]["migrated"], 59);
    assert_eq!((at(&project, "1.0.4"), at(&project, "1.0.5")), (1, 59));
    assert_eq!(project.db.value("SELECT version FROM datalinx_platform.schema_version"), "1.0.4");
    // Without it, nobody behind the one that fails is begun by the only worker.
    project.db.run("DELETE FROM org_t037.workspaces");
    let (code, document) = project.json("migrate up");
    assert_eq!((code, document["units"].as_u64()), (0, Some(1)));
    assert_eq!(project.db.value("SELECT version FROM datalinx_platform.schema_version"), "1.0.5");
    assert_eq!(project.repeated_units(), [""; 0]);
}

#[test]
fn a_failure_stops_what_is_not_begun() {
    let project = many(60, DIVIDES);
    project.db.run("INSERT INTO org_t020.workspaces (name) VALUES ('bad')");
    let (code, document) = project.json("migrate up --jobs 1");
    assert_eq!((code, document["outcome"].as_str()), (4, Some("partial")));
    assert_eq!((at(&project, "1.0.5"), document["tenants"]["migrated"].as_u64()), (20, Some(20)));
}

#[test]
fn a_lock_that_passes_is_waited_for_while_the_others_go_on() {
    let project = many(30, ADD);
    let holder = Session::holding(&project.db, "LOCK TABLE org_t010.workspaces");
    let mut running = project.start("migrate up -v --lock-timeout 100ms --retries 60");
    running.says("retry");
    crate::support::wait_until("the others", || at(&project, "1.0.5") == 29);
    holder.release();
    let output = running.end();
    assert_eq!(output.code, 0, "{output}");
    assert_eq!(at(&project, "1.0.5"), 30);
    assert_eq!(project.repeated_units(), [""; 0]);
}

#[test]
fn a_lock_that_stays_is_named_and_the_rest_is_done() {
    let project = many(30, ADD);
    let holder = Session::holding(&project.db, "LOCK TABLE org_t010.workspaces");
    let (code, document) = project.json("migrate up --lock-timeout 50ms --retries 2 --on-failure continue");
    assert_eq!(code, 4);
    assert_eq!(document["failures"][0]["schema"], "org_t010");
    assert_eq!(document["failures"][0]["sqlstate"], "55P03");
    assert_eq!(document["failures"][0]["attempts"], 3);
    assert_eq!(at(&project, "1.0.5"), 29);
    holder.release();
    let (code, document) = project.json("migrate up");
    assert_eq!((code, document["units"].as_u64()), (0, Some(1)));
}

#[test]
fn a_session_that_the_server_ends_is_replaced_and_its_unit_done_once() {
    let project = many(30, ADD);
    let holder = Session::holding(&project.db, "LOCK TABLE org_t010.workspaces");
    let mut running = project.start("migrate up -v --lock-timeout 0s");
    let backend = project.db.wait_for_waiting(1).remove(0);
    project.db.run(&format!("SELECT pg_terminate_backend({backend})::text"));
    running.says("retry");
    holder.release();
    let output = running.end();
    assert_eq!(output.code, 0, "{output}");
    assert_eq!(at(&project, "1.0.5"), 30);
    assert_eq!(project.repeated_units(), [""; 0]);
}

#[test]
fn a_canary_that_dies_spares_the_others() {
    let project = many(30, DIVIDES);
    project.db.run("INSERT INTO org_t001.workspaces (name) VALUES ('bad')");
    let (code, document) = project.json("migrate up --canary 3 --on-failure continue");
    assert_eq!((code, document["tenants"]["migrated"].as_u64()), (4, Some(2)), "{document}");
    assert_eq!(at(&project, "1.0.4"), 28);
    project.db.run("DELETE FROM org_t001.workspaces");
    let (code, document) = project.json("migrate up --canary 3");
    assert_eq!((code, document["tenants"]["migrated"].as_u64()), (0, Some(28)));
}

#[test]
fn several_steps_of_a_tenant_are_done_in_order_in_one_pass() {
    if needs_the_server_itself("a step runs alone") {
        return;
    }
    let project = many(50, "CREATE TABLE {org_schema}.one (id int PRIMARY KEY);");
    project.migration("1.0.5", "1.0.6", "two", "ALTER TABLE {org_schema}.one ADD COLUMN two int;");
    project.migration(
        "1.0.6",
        "1.0.7",
        "index",
        "CREATE INDEX CONCURRENTLY one_two ON {org_schema}.one (two);",
    );
    project.migration("1.0.7", "1.0.8", "three", "ALTER TABLE {org_schema}.one ADD COLUMN three int;");
    let (code, document) = project.json("migrate up");
    assert_eq!((code, document["units"].as_u64()), (0, Some(200)), "{document}");
    assert_eq!(at(&project, "1.0.8"), 50);
    assert_eq!(project.repeated_units(), [""; 0]);
    assert_eq!(project.db.value("SELECT count(*)::text FROM pg_index WHERE indexrelid::regclass::text LIKE '%one_two' AND indisvalid"), "50");
}

#[test]
fn two_runs_at_once_on_two_hundred_tenants_do_each_unit_once() {
    let project = many(200, ADD);
    project.migration("1.0.5", "1.0.6", "again", "ALTER TABLE workspaces ADD COLUMN again int;");
    let running = [project.start("migrate up --format json"), project.start("migrate up --format json")];
    let mut units = 0;
    for output in running.map(|run| run.end().ok()) {
        let document: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
        units += document["units"].as_u64().unwrap();
    }
    assert_eq!((units, at(&project, "1.0.6")), (400, 200));
    assert_eq!(project.repeated_units(), [""; 0]);
}

#[test]
fn a_run_that_is_interrupted_half_way_says_what_is_left_and_the_next_does_just_that() {
    for signal in ["INT", "TERM"] {
        let project = many(200, ADD);
        let holder = Session::holding(&project.db, "LOCK TABLE org_t100.workspaces");
        let mut running = project.start("migrate up --jobs 1 --lock-timeout 0s --format json");
        project.db.wait_for_waiting(1);
        running.signal(signal);
        running.says("interrupted");
        holder.release();
        let output = running.end();
        let document: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
        assert_eq!((output.code, &document["outcome"]), (130, &"interrupted".into()), "{output}");
        let left = document["tenants"]["left"].as_u64().unwrap();
        // What was in flight is done: the tenant that was waited for, and its companions.
        assert!((50..100).contains(&left), "{document}");
        assert_eq!(at(&project, "1.0.4") as u64, left);
        let (code, document) = project.json("migrate up");
        assert_eq!((code, document["units"].as_u64()), (0, Some(left)));
        assert_eq!((at(&project, "1.0.5"), project.repeated_units()), (200, vec![]));
    }
}

#[test]
fn events_are_lines_of_json() {
    let project = many(3, DIVIDES);
    project.db.run("INSERT INTO org_t001.workspaces (name) VALUES ('bad')");
    assert_eq!(project.run("migrate up --jobs 1 --events events.jsonl").code, 4);
    let text = std::fs::read_to_string(project.dir.path().join("events.jsonl")).unwrap();
    let events: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    events.iter().for_each(crate::support::check_event);
    let said: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(said, ["began", "unit-done", "unit-failed", "ended"]);
    assert_eq!(events[2]["schema"], "org_t001");
    assert_eq!(events[2]["error"]["sqlstate"], "22012");
    let nowhere = project.run("migrate up --events no/such/folder/x");
    assert_eq!(nowhere.code, 2, "{nowhere}");
}
