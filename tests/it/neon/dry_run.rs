//! A dry run on a branch at Neon.

use super::Fixture;
use crate::support::{Fault, Finish as _, Project, Verb};

fn fixture(sql: &str) -> Fixture {
    let project = Project::with_tenants(&["acme"]);
    project.migration("1.0.4", "1.0.5", "pending", &format!("-- Scope: tenant\n{sql}"));
    Fixture::with(project, |_| {})
}

#[test]
fn the_fleet_moves_on_a_branch_which_is_deleted_again() {
    let fixture = fixture("ALTER TABLE workspaces ADD COLUMN note text;");
    let before = fixture.project.db.dump(&[]);
    let output = fixture.run("migrate up --branch neon --format json --report report.md").ok();
    let document: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(
        (&document["outcome"], &document["branch"]["deleted"]),
        (&"done".into(), &true.into()),
        "{output}"
    );
    assert_eq!(document["branch"]["statements"][0]["tables"][0]["lock"], "ACCESS EXCLUSIVE");
    assert_eq!((fixture.neon.branches(), fixture.neon.ever_made()), (Vec::<String>::new(), 1));
    assert_eq!(fixture.project.db.dump(&[]), before);
    let report = std::fs::read_to_string(fixture.project.dir.path().join("report.md")).unwrap();
    for text in [&report, &output.stdout, &output.stderr] {
        assert!(!text.contains("postgresql://") && !text.contains("npg_"), "{text}");
    }
}

#[test]
fn a_failed_dry_run_deletes_its_branch_unless_kept() {
    let fixture = fixture("SELECT 1 / count(*) FROM workspaces WHERE false;");
    let (code, document) = fixture.json("migrate up --branch neon");
    assert_eq!(code, 1, "{document}");
    assert!(fixture.neon.branches().is_empty());
    // The result of the run is what people want to know; that something is left comes beside it.
    fixture.project.migration(
        "1.0.4",
        "1.0.5",
        "pending",
        "-- Scope: tenant\nALTER TABLE workspaces ADD COLUMN note text;",
    );
    fixture.neon.plant(Verb::Delete, 9, Fault::Refused(400, "", "not today"));
    let output = fixture.run("migrate up --branch neon --format json");
    let document: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!((output.code, &document["branch"]["deleted"]), (0, &false.into()), "{output}");
    assert!(
        document["branch"]["expires_at"].is_string() && output.stderr.contains("was not deleted"),
        "{output}"
    );
    let left = document["branch"]["name"].as_str().unwrap();
    assert!(
        output.stderr.contains(&format!("delete it with `tenure branch delete --provider neon '{left}'`")),
        "{output}"
    );
}

#[test]
fn the_state_before_a_run_is_kept_as_a_branch() {
    let project = Project::with_tenants(&["acme"]);
    let fixture = Fixture::with(project, |_| {});
    let other = fixture.neon.foreign("older");
    let url = fixture.neon.url("main", false);
    let up = |line: &str| {
        let mut command = fixture.project.command(line.split_whitespace());
        command.env("DATABASE_URL", &url).envs(fixture.neon.environment());
        crate::support::Output::of(&command.finish())
    };
    // Where nothing is pending nothing is made.
    up("migrate up --restore-branch").passes();
    assert_eq!(fixture.neon.branches(), ["older"]);
    fixture.project.migration("1.0.4", "1.0.5", "more", "ALTER TABLE workspaces ADD COLUMN more int;");
    let output = up("migrate up --restore-branch").ok();
    assert!(output.stderr.contains("created the restore branch before/"), "{output}");
    let kept = fixture.neon.branches().into_iter().find(|name| name.starts_with("before/")).unwrap();
    let branch = fixture.neon.branch_json(&kept);
    assert_eq!(branch["parent_id"], fixture.neon.id_of("main"));
    assert_ne!(branch["parent_id"], other);
    assert!(branch["expires_at"].is_string());
    let version = "SELECT version FROM datalinx_platform.schema_version";
    assert_eq!(fixture.neon.database(&kept).value(version), "1.0.4");
    assert_eq!(fixture.neon.database("main").value(version), "1.0.5");
}
