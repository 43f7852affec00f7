//! `tenure run list`, `tenure run show`, and the percentiles of `migrate history`.

use serde_json::json;

use crate::support::Project;

/// Three tenants, of which the last one fails.
fn with_failure() -> Project {
    let project = Project::with_tenants(&["acme", "globex", "initech"]);
    project.db.run("ALTER TABLE org_initech.workspaces ADD COLUMN tier text");
    project.next_migration("ALTER TABLE workspaces ADD COLUMN tier text;");
    let output = project.run("migrate up --jobs 1");
    assert_eq!(output.code, 4, "{output}");
    project
}

#[test]
fn runs_are_listed_and_shown() {
    let project = with_failure();
    let before = project.db.dump(&[]);
    let (code, list) = project.json("run list");
    let newest = &list["runs"][0];
    assert_eq!((code, &newest["outcome"], &newest["failed"]), (0, &json!("partial"), &json!(1)), "{list}");
    assert_eq!((&newest["command"], &newest["units"]), (&json!("tenure migrate up"), &json!(2)));
    assert!(newest["duration_ms"].is_number() && newest["started_by"] == "tenure");
    assert!(list["runs"].as_array().unwrap().len() > 2);
    assert_eq!(project.json("run list --limit 1").1["runs"].as_array().unwrap().len(), 1);
    let id = newest["id"].as_str().unwrap();
    // The first characters suffice.
    for id in [id, &id[..8], &id[..13].to_uppercase()] {
        let (code, shown) = project.json(&format!("run show {id}"));
        assert_eq!((code, &shown["run"]), (0, newest));
        assert_eq!(shown["units"].as_array().unwrap().len(), 2);
        assert_eq!(shown["units"][0]["migration"], "v1.0.4_to_v1.0.5_next.sql");
        assert_eq!((&shown["steps"][0]["units"], &shown["steps"][0]["to"]), (&json!(2), &json!("1.0.5")));
        let failure = &shown["failures"][0];
        assert_eq!((&failure["schemas"], &failure["sqlstate"]), (&json!(["org_initech"]), &json!("42701")));
        assert!(shown["slowest"].is_array());
    }
    let human = project.run(&format!("run show {id}")).ok().stdout;
    assert!(human.contains("partial") && human.contains("org_initech") && human.contains("42701"), "{human}");
    assert!(project.run("run list").ok().stdout.starts_with("run "));
    assert_eq!(project.db.dump(&[]), before, "it wrote something");
}

/// A step without a part of the platform moves its version row, which is no unit.
#[test]
fn a_run_is_found_by_its_id_and_counts_units_with_statements() {
    let project = Project::with_tenants(&["acme", "globex"]);
    project.migration("1.0.4", "1.0.5", "tags", "-- Scope: tenant\nCOMMENT ON TABLE workspaces IS 'a';\n");
    let output = project.run("migrate up --format json --events events").ok();
    let migrated: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    let events = std::fs::read_to_string(project.dir.path().join("events")).unwrap();
    let began: serde_json::Value = serde_json::from_str(events.lines().next().unwrap()).unwrap();
    assert_eq!((&began["event"], &began["run"]), (&"began".into(), &migrated["run"]));
    let (_, run) = project.json(&format!("run show {}", migrated["run"].as_str().unwrap()));
    assert_eq!((&run["units"], &migrated["units"]), (&2.into(), &2.into()), "{run:#}");
    let (_, again) = project.json("migrate up");
    assert_eq!((&again["outcome"], again.get("run")), (&"nothing".into(), None));
}

#[test]
fn csv_has_a_row_for_each_unit() {
    let project = with_failure();
    // A command that a spreadsheet would take for a formula, with a line break and a quote.
    project
        .db
        .run("UPDATE datalinx_platform.run SET command = E'=cmd()\"\\n,x\\u202e' WHERE outcome = 'partial'");
    let csv = project.run("run list --output csv").ok().stdout;
    let mut rows = csv::Reader::from_reader(csv.as_bytes());
    assert_eq!(rows.headers().unwrap().get(1), Some("command"));
    let first = rows.records().next().unwrap().unwrap();
    assert_eq!(&first[1], "'=cmd()\"\n,x\\u{202e}");
    let id = &first[0];
    let csv = project.run(&format!("run show {id} --output csv")).ok().stdout;
    let mut rows = csv::Reader::from_reader(csv.as_bytes());
    let rows: Vec<_> = rows.records().map(Result::unwrap).collect();
    let of = |outcome: &str| rows.iter().filter(|row| &row[6] == outcome).count();
    assert_eq!((rows.len(), of("done"), of("failed")), (3, 2, 1), "{csv}");
    assert_eq!(rows[2].get(1), Some("org_initech"));
    // In text and JSON it is one line.
    assert!(!project.run("run list").ok().stdout.contains('\u{202e}'));
    assert_eq!(project.run("run list --output json").ok().stdout.lines().count(), 1);
}

#[test]
fn unknown_runs_and_bad_arguments() {
    let project = Project::seeds();
    assert_eq!(project.json("run list"), (0, json!({"outcome": "done", "runs": []})));
    assert_eq!(project.run("run list").ok().stdout, "no runs\n");
    project.expect_error("run show 0000", "run-unknown");
    for line in [
        "run show",
        "run show abc",
        "run show '%'",
        "run show zzzz",
        "run list --limit 0",
        "run list --output xml",
        "run",
    ] {
        assert_eq!(project.run(line).code, 2, "{line}");
    }
    let _migrated = project.run("migrate up").ok();
    project.expect_error("run show 00000000-0000-0000-0000-000000000000", "run-unknown");
    project.db.run(
        "INSERT INTO datalinx_platform.run (id, command, tool_version) VALUES \
         ('aaaaaaaa-0000-0000-0000-000000000001', 'x', '1'), ('aaaaaaaa-0000-0000-0000-000000000002', 'x', '1')",
    );
    let document = project.expect_error("run show aaaaaaaa", "run-unknown");
    assert!(document["error"]["message"].as_str().unwrap().contains("several"), "{document}");
    // A run that was killed.
    let (_, shown) = project.json("run show aaaaaaaa-0000-0000-0000-000000000001");
    assert_eq!((&shown["run"]["outcome"], &shown["units"]), (&json!(null), &json!([])));
    let failed = project.run_env(
        &[("DATABASE_URL", "postgresql://me@127.0.0.1:1/x"), ("TENURE_CONNECT_ATTEMPTS", "1")],
        "run list --output json",
    );
    assert!(failed.code == 3 && failed.stdout.contains("server-unreachable"), "{failed}");
}

#[test]
fn the_history_has_percentiles_by_migration() {
    let project = Project::with_tenants(&["acme", "globex", "initech"]);
    project.next_migration("ALTER TABLE workspaces ADD COLUMN tier text;");
    project.run("migrate up").passes();
    project.db.run(
        "UPDATE datalinx_platform.migration_history SET duration_ms = CASE schema_name WHEN 'org_acme' THEN 10 \
         WHEN 'org_globex' THEN 20 ELSE 900 END WHERE to_version = '1.0.5'",
    );
    let (_, document) = project.json("migrate history");
    let tenants = document["migrations"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["to"] == "1.0.5" && row["scope"] == "tenant");
    let expected = json!({"migration": "v1.0.4_to_v1.0.5_next.sql", "from": "1.0.4", "to": "1.0.5", "scope": "tenant",
        "units": 3, "p50_ms": 20, "p90_ms": 900, "p99_ms": 900, "max_ms": 900});
    assert_eq!(tenants, Some(&expected), "{document}");
    assert!(project.run("migrate history").ok().stdout.contains("median"));
    let (_, document) = project.json("migrate history --tenant acme");
    assert_eq!(document.get("migrations"), None);
    assert_eq!(
        Project::seeds().json("migrate history").1,
        json!({"outcome": "done", "history": [], "migrations": []})
    );
}

#[test]
fn failed_tenants_of_a_list_are_counted() {
    let project = Project::with_tenants(&["acme"]);
    project.file("list.csv", "slug\nglobex\nacme\nBAD\n");
    assert_eq!(project.run("tenant create --from list.csv").code, 4);
    assert_eq!(project.json("run list").1["runs"][0]["failed"], json!(2));
    project.expect_error("tenant login acme", "tenant-without-role");
    assert_eq!(project.json("run list").1["runs"][0]["failed"], json!(1));
}
