//! The way back to before a run: noted by each, told by `restore-point`, and taken by a real recovery; and the doctor.

use std::path::Path;
use std::process::Command;

use serde_json::json;
use tenure::postgres::server::Binaries;

use crate::support::{Finish as _, Project, Session, environment};

#[test]
fn a_run_notes_where_the_log_was_before_it() {
    let project = Project::with_tenants(&["acme"]);
    project.migration("1.0.4", "1.0.5", "more", "ALTER TABLE workspaces ADD COLUMN more int;");
    project.run("migrate up").passes();
    let (code, point) = project.json("restore-point");
    assert_eq!(code, 0);
    let run = project.db.value("SELECT id::text FROM datalinx_platform.run ORDER BY started_at DESC LIMIT 1");
    assert_eq!(
        (&point["run"], &point["command"], &point["outcome"]),
        (&json!(run), &json!("tenure migrate up"), &json!("done"))
    );
    // This server keeps too little of its log for restore points.
    assert_eq!(project.db.value("SHOW wal_level"), "minimal");
    assert_eq!(point["restore_point"], json!(null));
    assert_eq!(
        point["recovery"],
        json!([
            {"name": "recovery_target_lsn", "value": point["wal_lsn"]},
            {"name": "recovery_target_inclusive", "value": "off"},
            {"name": "recovery_target_timeline", "value": "1"},
            {"name": "recovery_target_action", "value": "promote"},
        ])
    );
    let before = project.db.value(&format!(
        "SELECT bool_and('{}'::pg_lsn <= pg_current_wal_insert_lsn())::text",
        point["wal_lsn"].as_str().unwrap()
    ));
    assert_eq!((before.as_str(), &point["archiving"], point.get("neon")), ("true", &json!(false), None));
    let said = project.run(&format!("restore-point {run}")).ok();
    assert!(said.stdout.contains("recovery_target_inclusive = 'off'"), "{said}");
    assert!(said.stdout.contains("archive_mode is off"), "{said}");

    // Who does not know the id is shown those that there are.
    let shown = format!("{run} of {} by `tenure migrate up`: done", point["started_at"].as_str().unwrap());
    let other = project.run("restore-point 00000000-0000-4000-8000-000000000000");
    assert!(
        other.code == 1 && other.stderr.contains("run-unknown") && other.stderr.contains(&shown),
        "{other}"
    );
    let (code, document) = project.json("restore-point yesterday");
    assert_eq!((code, &document["error"]["code"]), (2, &json!("usage")));
    assert!(document["error"]["hint"].as_str().unwrap().contains(&shown), "{document}");
    assert!(Project::seeds().run("restore-point").stderr.contains("run-unknown"));
    let away = [("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none?connect_timeout=1")];
    assert_eq!(project.run_env(&away, "restore-point yesterday").code, 2);
}

#[test]
fn the_newest_run_is_the_one_that_changed_something() {
    let project = Project::with_tenants(&["acme"]);
    project.migration("1.0.4", "1.0.5", "more", "ALTER TABLE workspaces ADD COLUMN more int;");
    project.run("migrate up").passes();
    let (_, before) = project.json("restore-point");
    project.migration(
        "1.0.5",
        "1.0.6",
        "bad",
        "-- Scope: tenant\nSELECT 1 / (count(*) - count(*)) FROM workspaces;",
    );
    // Both are noted, and neither leaves anything: a way back to before them would lead to behind the last change.
    assert_eq!(project.run("migrate up").code, 1);
    assert_eq!(project.run("migrate up").code, 1);
    let runs = "SELECT count(*)::text FROM datalinx_platform.run WHERE outcome = 'failed'";
    assert_eq!(project.db.value(runs), "2");
    assert_eq!(project.json("restore-point").1, before);
    // Those that failed can be named too.
    let unknown = project.run("restore-point 00000000-0000-4000-8000-000000000000");
    assert_eq!(unknown.stderr.matches("by `tenure migrate up`: failed").count(), 2, "{unknown}");
    // What runs alone leaves its traces where it fails, too.
    project.remove("migrations/v1.0.5_to_v1.0.6_bad.sql");
    let allow = "-- Allow: add-unique because nothing writes here";
    project.migration(
        "1.0.5",
        "1.0.6",
        "index",
        &format!(
            "{allow}
CREATE UNIQUE INDEX CONCURRENTLY twice ON workspaces ((1));"
        ),
    );
    project.db.run("INSERT INTO org_acme.workspaces (name) VALUES ('a'), ('b')");
    let up = project.run("migrate up");
    assert!(up.code == 1 && up.stderr.contains("23505"), "{up}");
    let (_, point) = project.json("restore-point");
    assert_ne!(point["run"], before["run"]);
    assert_eq!(point["outcome"], "failed");
}

#[test]
fn a_role_without_the_right_notes_the_place() {
    let project = Project::seeds();
    project
        .db
        .run(&format!("CREATE ROLE {0}_app LOGIN; GRANT CREATE ON DATABASE {0} TO {0}_app", project.db.name));
    let url = project.db.url_as(&format!("{}_app", project.db.name));
    project.run_env(&[("DATABASE_URL", &url)], "migrate up").passes();
    let point: serde_json::Value = serde_json::from_str(
        &project.run_env(&[("DATABASE_URL", &url)], "restore-point --format json").ok().stdout,
    )
    .unwrap();
    assert_eq!(
        (&point["restore_point"], &point["recovery"][0]["name"]),
        (&json!(null), &json!("recovery_target_lsn"))
    );
    assert_eq!(point["recovery"][0]["value"], point["wal_lsn"]);
}

#[test]
fn a_run_without_a_position_has_its_time() {
    let project = Project::with_tenants(&[]);
    project.db.run("UPDATE datalinx_platform.run SET wal_lsn = NULL, restore_point = NULL, timeline = NULL");
    let (_, point) = project.json("restore-point");
    assert_eq!(point["recovery"][0]["name"], "recovery_target_time");
    let time = point["started_at"].as_str().unwrap().replace('T', " ").replace('Z', "+00");
    assert_eq!(point["recovery"][0]["value"], time);
}

/// A server of the test's own archives its log; a copy of its folder from before is recovered to before the run, with just
/// the settings that were printed.
#[test]
fn a_server_recovered_to_there_knows_nothing_of_the_run() {
    let project = Project::seeds();
    let output = Command::new("sh")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/restore.sh"))
        .arg(assert_cmd::cargo::cargo_bin!("tenure"))
        .arg(Binaries::find(&environment()).unwrap().folder())
        .env("HOME", project.dir.path())
        .env_remove("DATABASE_URL")
        .current_dir(project.dir.path())
        .finish();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.lines().last(), Some("after 1.0.4, back at 1.0.3 with 1 run"));
}

/// What a check says of the database.
fn check(project: &Project, name: &str) -> (String, String) {
    let (_, diagnosis) = project.json("doctor");
    let checks = diagnosis["checks"].as_array().unwrap().clone();
    let check =
        checks.iter().find(|check| check["check"] == name).unwrap_or_else(|| panic!("{name} in {diagnosis}"));
    (check["state"].as_str().unwrap().to_owned(), check["message"].as_str().unwrap().to_owned())
}

#[test]
fn the_doctor_says_what_is_not_as_it_should_be() {
    let project = Project::with_tenants(&["acme"]);
    let well = project.run("doctor").ok();
    assert!(
        well.stdout.contains("archive_mode is off") && well.stdout.contains("ok    own-tables"),
        "{well}"
    );
    assert_eq!(check(&project, "indexes").0, "ok");
    project.db.run(
        "CREATE TABLE public.twice (id int); INSERT INTO public.twice VALUES (1), (1); CREATE INDEX once ON public.twice (id); \
         UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'once'::regclass",
    );
    assert_eq!(check(&project, "indexes").0, "warn");

    let mut session = Session::open(&project.db.url);
    session.run("BEGIN");
    assert_eq!(check(&project, "transactions").0, "ok");

    project.db.run(&format!("ALTER DATABASE {} SET standard_conforming_strings = off", project.db.name));
    assert_eq!(check(&project, "strings").0, "fail");
    let failed = project.run("doctor");
    assert!(failed.code == 1 && failed.stdout.contains("1 problem must be fixed first"), "{failed}");
    project.db.run(&format!("ALTER DATABASE {} RESET standard_conforming_strings", project.db.name));

    let role = format!("{}_nobody", project.db.name);
    project.db.run(&format!("CREATE ROLE {role} LOGIN"));
    let output = project.run_env(&[("DATABASE_URL", &project.db.url_as(&role))], "doctor --format json");
    let diagnosis: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!((output.code, &diagnosis["outcome"]), (1, &json!("fail")), "{output}");
    project.db.run("INSERT INTO datalinx_platform.tenure_schema_history VALUES (99, 'x', 'x', 'x')");
    assert_eq!(check(&project, "own-tables").0, "fail");
}
