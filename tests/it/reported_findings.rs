//! What `migrate up` leaves undone, it says: steps that wait for the platform, schemas that it does not know, the plan
//! that a finding denies.

use serde_json::json;

use crate::support::Project;

#[test]
fn a_run_names_the_platform_step_that_a_tenant_waits_for() {
    let project = Project::with_tenants(&["acme", "globex"]);
    project.migration("1.0.4", "1.0.5", "shared", "ALTER TABLE users ADD COLUMN shared int;");
    project.migration("1.0.5", "1.0.6", "own", "ALTER TABLE workspaces ADD COLUMN own int;");
    for line in ["migrate up --tenant acme", "migrate up --tenant acme --plan"] {
        let output = project.run(line).ok();
        assert!(output.stdout.starts_with("nothing to do"), "{output}");
        assert!(output.stderr.contains("2 migrations"), "{line}: {output}");
        assert!(output.stderr.contains("v1.0.4_to_v1.0.5_shared.sql"), "{line}: {output}");
        assert!(output.stderr.contains("`tenure migrate up`"), "{line}: {output}");
    }
    project.run("migrate up --platform-only --to 1.0.5").passes();
    let output = project.run("migrate up --tenant acme").ok();
    assert!(output.stdout.starts_with("done") && !output.stderr.contains("wait"), "{output}");
    // A tenant that is where it should be waits for nothing.
    let output = project.run("migrate up --tenant acme").ok();
    assert!(output.stdout.starts_with("nothing to do") && !output.stderr.contains("wait"), "{output}");
}

#[test]
fn rows_of_the_registry_without_a_version_are_counted() {
    let project = Project::with_tenants(&["acme"]);
    project.db.run(
        "INSERT INTO datalinx_platform.organizations (id, name, slug, schema_name) \
         VALUES (gen_random_uuid(), 'Old', 'old', 'org_old')",
    );
    let output = project.run("migrate up").ok();
    assert!(output.stderr.contains("1 registry row"), "{output}");
    let (_, document) = project.json("migrate up");
    assert_eq!(document["tenants"]["unknown"], 1, "{document}");
    let output = project.run("migrate up --tenant acme").ok();
    assert!(!output.stderr.contains("registry"), "{output}");
    project.db.run("DELETE FROM datalinx_platform.organizations WHERE slug = 'old'");
    let (_, document) = project.json("migrate up");
    assert_eq!(document["tenants"]["total"], json!(1), "{document}");
    assert!(document["tenants"].get("unknown").is_none(), "{document}");
}

#[test]
fn a_plan_that_a_finding_denies_is_shown_all_the_same() {
    let project = Project::with_tenants(&["acme"]);
    project.migration("1.0.4", "1.0.5", "drops", "ALTER TABLE users DROP COLUMN email;");
    let (exit, document) = project.json("migrate up --plan");
    assert_eq!((exit, &document["error"]["code"]), (1, &json!("finding-denied")), "{document}");
    assert_eq!(document["findings"][0]["rule"], "drop-column", "{document}");
    assert_eq!(document["steps"][0]["migration"], "v1.0.4_to_v1.0.5_drops.sql", "{document}");
    let human = project.run("migrate up --plan");
    assert_eq!(human.code, 1, "{human}");
    assert!(human.stdout.contains("v1.0.4_to_v1.0.5_drops.sql"), "{human}");
    assert!(human.stderr.contains("drop-column"), "{human}");
    // Without --plan nobody asked for it.
    let (_, document) = project.json("migrate up");
    assert!(document.get("steps").is_none(), "{document}");
}
