//! Many tenants made at once: workers side by side, shared tables that are locked, what is lost on the way,
//! and what `template check` says of it before.

use insta::assert_snapshot;
use serde_json::Value;

use crate::support::{Project, Session, Wire, csv, wait_until};

fn slugs(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("n{number:02}")).collect()
}

/// The seeds' platform, and a list of tenants to make.
fn with_list(count: usize) -> Project {
    let project = Project::with_tenants(&[]);
    let slugs = slugs(count);
    project.file("list.csv", csv(&slugs.iter().map(String::as_str).collect::<Vec<_>>()));
    project
}

fn made(project: &Project) -> usize {
    project.db.value("SELECT count(*)::text FROM datalinx_platform.tenant_version").parse().unwrap()
}

fn created(document: &Value) -> Vec<&str> {
    document["created"].as_array().unwrap().iter().map(|tenant| tenant["slug"].as_str().unwrap()).collect()
}

/// Each tenant has one row of each kind, and all are the same.
fn all_are_whole(project: &Project, count: usize) {
    assert_eq!(made(project), count);
    let rows = "SELECT count(DISTINCT slug)::text FROM datalinx_platform.organizations";
    assert_eq!(project.db.value(rows), count.to_string());
    assert_eq!(project.repeated_units(), [""; 0]);
    let columns = "SELECT count(DISTINCT columns)::text || ' ' || count(*)::text FROM ( \
        SELECT string_agg(concat_ws(' ', table_name, column_name, data_type, column_default), ',' ORDER BY table_name, ordinal_position) AS columns \
        FROM information_schema.columns WHERE table_schema LIKE 'org_%' GROUP BY table_schema) AS tenants";
    assert_eq!(project.db.value(columns), format!("1 {count}"));
}

#[test]
fn parallel_creation_reports_in_the_order_of_the_list() {
    let project = with_list(60);
    let (code, document) = project.json("tenant create --from list.csv --jobs 6");
    assert_eq!((code, created(&document)), (0, slugs(60).iter().map(String::as_str).collect()));
    all_are_whole(&project, 60);
    assert_eq!(project.db.dump_of("org_n00"), project.db.dump_of("org_n59"));
    let (code, document) = project.json("tenant create --from list.csv --jobs 6 --if-not-exists");
    assert_eq!((code, document["existing"].as_array().map(Vec::len)), (0, Some(60)));
    project.expect_error("tenant create --jobs 6 one", "usage");
}

#[test]
fn a_foreign_key_to_the_registry_causes_no_deadlock() {
    let project = with_list(40);
    project.file(
        "tenant_templates/default/005_owner.sql",
        "CREATE TABLE {org_schema}.owners (id uuid PRIMARY KEY, \
         organization_id uuid REFERENCES datalinx_platform.organizations(id));",
    );
    let (code, document) = project.json("tenant create --from list.csv --jobs 8 --retries 0");
    assert_eq!(code, 0, "{document}");
    all_are_whole(&project, 40);
}

#[test]
fn a_shared_table_that_others_write_to_is_waited_for_and_asked_for_again() {
    let project = with_list(6);
    let writer = Session::holding(&project.db, "LOCK TABLE datalinx_platform.users IN ROW EXCLUSIVE MODE");
    let mut running = project.start("tenant create --from list.csv -v --lock-timeout 100ms --retries 60");
    running.says("retry");
    assert_eq!(made(&project), 0);
    writer.release();
    running.end().passes();
    all_are_whole(&project, 6);
}

#[test]
fn a_session_that_the_server_ends_is_replaced_and_its_tenant_made_once() {
    let project = with_list(6);
    let writer = Session::holding(&project.db, "LOCK TABLE datalinx_platform.users IN ROW EXCLUSIVE MODE");
    let mut running = project.start("tenant create --from list.csv -v --lock-timeout 0s --jobs 3");
    for backend in project.db.wait_for_waiting(3) {
        project.db.run(&format!("SELECT pg_terminate_backend({backend})::text"));
    }
    running.says("retry");
    writer.release();
    running.end().passes();
    all_are_whole(&project, 6);
}

#[test]
fn an_interrupted_list_is_finished_by_the_next_run() {
    let project = with_list(10);
    let writer = Session::holding(&project.db, "LOCK TABLE datalinx_platform.users IN ROW EXCLUSIVE MODE");
    let mut running = project.start("tenant create --from list.csv --lock-timeout 0s --jobs 2 --format json");
    project.db.wait_for_waiting(2);
    running.signal("TERM");
    running.says("interrupted");
    writer.release();
    let output = running.end();
    let document: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!((output.code, created(&document)), (130, vec!["n00", "n01"]));
    let left = document["failures"].as_array().unwrap();
    assert!(left.len() == 8 && left.iter().all(|tenant| tenant["code"] == "interrupted"), "{document}");
    let outcome = "SELECT outcome FROM datalinx_platform.run ORDER BY started_at DESC LIMIT 1";
    assert_eq!(project.db.value(outcome), "interrupted");
    let (code, document) = project.json("tenant create --from list.csv --if-not-exists");
    assert_eq!((code, created(&document).len()), (0, 8));
    all_are_whole(&project, 10);
}

#[test]
fn while_a_shared_table_is_locked_only_what_needs_it_is_left_to_do() {
    let project = with_list(1);
    // The key stands first in the template, and two tables after it have nothing to do with it.
    project.file(
        "tenant_templates/default/001_first.sql",
        "CREATE TABLE {org_schema}.notes (id uuid PRIMARY KEY, author uuid REFERENCES datalinx_platform.users(id));",
    );
    let writer = Session::holding(&project.db, "LOCK TABLE datalinx_platform.users IN ROW EXCLUSIVE MODE");
    let running = project.start("tenant create --from list.csv --lock-timeout 0s");
    let backend = project.db.wait_for_waiting(1).remove(0);
    // Whoever makes a table holds its lock: workspaces, data_sources and mappings, each with its index.
    let held = format!(
        "SELECT count(*)::text FROM pg_locks WHERE pid = {backend} AND locktype = 'relation' AND mode = 'ShareLock'"
    );
    wait_until("the indexes", || project.db.value(&held).parse::<usize>().unwrap() >= 3);
    writer.release();
    running.end().passes();
    all_are_whole(&project, 1);
}

#[test]
fn template_check_says_what_is_locked_meanwhile() {
    let project = Project::seeds();
    assert_snapshot!(project.run("template check"), @"
    exit code: 0
    ----- stdout -----
    default  at 1.0.0, a new tenant at 1.0.4: 9 statements

    note: a foreign key to the shared table datalinx_platform.users
      --> tenant_templates/default/040_pipeline_jobs.sql:12:32
       |
    12 |     created_by UUID REFERENCES datalinx_platform.users(id)
       |                                ^^^^^^^^^^^^^^^^^^^^^^^ it is sent last, with 2 statements that must follow it
       |
       = note: creating a tenant locks datalinx_platform.users against writers and other new tenants until COMMIT

    4 files, 8 statements: nothing found

    ----- stderr -----
    ");
    let (code, document) = project.json("template check");
    assert_eq!(code, 0);
    assert_snapshot!(serde_json::to_string_pretty(&document).unwrap(), @r#"
    {
      "outcome": "done",
      "templates": [
        {
          "name": "default",
          "version": "1.0.0",
          "latest": "1.0.4",
          "statements": 9,
          "transactions": 1,
          "shared_keys": [
            {
              "table": "datalinx_platform.users",
              "file": "tenant_templates/default/040_pipeline_jobs.sql",
              "line": 12,
              "column": 32,
              "statements_under_lock": 3
            }
          ]
        }
      ],
      "findings": [],
      "summary": {
        "files": 4,
        "statements": 8,
        "deny": 0,
        "warn": 0,
        "allowed": 0
      }
    }
    "#);
    project.file(
        "tenant_templates/small/1.sql",
        "-- Template: v1.0.4\nCREATE TABLE a (id int);\nDROP TABLE datalinx_platform.users;",
    );
    let refused = project.run("template check");
    assert_eq!(refused.code, 1, "{refused}");
}

#[test]
fn a_tenant_that_the_server_goes_on_to_make_behind_a_cut_is_ours() {
    let project = Project::with_tenants(&[]);
    project.file("tenant_templates/default/900.sql", "SELECT pg_sleep(1.5);");
    project.file("tenure.toml", "[tenants]\nafter_create = [\"touch\", \"ran\"]\n");
    let wire = Wire::of(&project.db);
    let running =
        project.start(&format!("--database-url {} tenant create acme --format json", wire.url(&project.db)));
    let asleep = "SELECT count(*)::text FROM pg_stat_activity \
                  WHERE datname = current_database() AND wait_event = 'PgSleep'";
    wait_until("the tenant to be in the making", || project.db.value(asleep) == "1");
    wire.cut();
    let output = running.end();
    assert_eq!(output.code, 0, "{output}");
    assert!(output.stdout.contains("\"created\":[{"), "{output}");
    assert!(project.dir.path().join("ran").exists());
    assert_eq!(project.db.column("SELECT status FROM datalinx_platform.tenant_version"), ["active"]);
}
