//! A tenant's life after it was made: suspended and resumed.

use insta::assert_snapshot;

use crate::support::Project;

#[test]
fn a_suspended_tenant_is_migrated_all_the_same() {
    let project = Project::with_tenants(&["acme", "other"]);
    assert_snapshot!(project.run("tenant suspend acme"), @"
    exit code: 0
    ----- stdout -----
    done: acme is suspended  org_acme

    ----- stderr -----
    ");
    let (_, list) = project.json("tenant list");
    assert_eq!(list["tenants"][0]["status"], "suspended");
    assert_eq!(list["tenants"][1]["status"], "active");
    project.file(
        "migrations/v1.0.4_to_v1.0.5_note.sql",
        "-- Migration: v1.0.4 to v1.0.5\n-- Description: A note\nALTER TABLE workspaces ADD COLUMN note text;\n",
    );
    let (code, migrated) = project.json("migrate up");
    assert_eq!((code, &migrated["tenants"]["migrated"]), (0, &2.into()));
    let (code, again) = project.json("tenant suspend acme");
    assert_eq!((code, &again["outcome"]), (0, &"nothing".into()));
    let (code, resumed) = project.json("tenant resume acme");
    assert_eq!((code, &resumed["outcome"]), (0, &"done".into()));
    assert_eq!(
        (&resumed["tenant"]["status"], &resumed["tenant"]["version"]),
        (&"active".into(), &"1.0.5".into())
    );
    let runs = "SELECT concat_ws(' ', command, outcome, counts->>'slug') FROM datalinx_platform.run \
                WHERE command LIKE 'tenure tenant %e%' AND counts ? 'slug' ORDER BY started_at";
    assert_snapshot!(project.db.column(runs).join("\n"), @"
    tenure tenant suspend done acme
    tenure tenant resume done acme
    ");
}

#[test]
fn the_registry_says_it_too_where_it_has_a_column_for_it() {
    let project = Project::with_tenants(&["acme"]);
    project.db.run("ALTER TABLE datalinx_platform.organizations ADD COLUMN status text DEFAULT 'active'");
    project.file("tenure.toml", "[tenants.columns]\nstatus = \"status\"\n");
    let _suspended = project.run("tenant suspend acme").ok();
    assert_eq!(project.db.value("SELECT status FROM datalinx_platform.organizations"), "suspended");
    project.file("tenure.toml", "[tenants.columns]\nstatus = \"colour\"\n");
    assert_snapshot!(project.run("tenant resume acme"), @r#"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    error[registry-invalid]: resuming acme: column "colour" of relation "organizations" does not exist
     = note: SQLSTATE 42703
     = help: [tenants] registry and [tenants.columns] in tenure.toml say where it is; now organizations
    "#);
    assert_eq!(project.db.value("SELECT status FROM datalinx_platform.tenant_version"), "suspended");
}

#[test]
fn a_tenant_that_is_not_there_has_no_life() {
    let project = Project::with_tenants(&[]);
    project.expect_error("tenant suspend ghost", "tenant-unknown");
    project.expect_error("tenant suspend Gh-ost", "slug-invalid");
}

#[test]
fn a_registry_without_room_for_the_status_is_reported() {
    let project = Project::with_tenants(&["acme"]);
    project.db.run(
        "CREATE TYPE public.state AS ENUM ('active', 'suspended'); \
         ALTER TABLE datalinx_platform.organizations ADD COLUMN status public.state DEFAULT 'active', \
             ADD CONSTRAINT short CHECK (length(slug) < 12)",
    );
    let column = "[tenants.columns]\nstatus = \"status\"\n";
    for settings in [column, ""] {
        project.file("tenure.toml", settings);
        let refused = project.expect_error("tenant drop acme --confirm acme", "registry-invalid");
        assert!(refused["error"]["hint"].as_str().unwrap().contains("dropped"), "{refused}");
        project.db.run("ALTER TYPE public.state ADD VALUE IF NOT EXISTS 'dropped'");
    }
    project.db.run("ALTER TABLE datalinx_platform.organizations DROP CONSTRAINT short");
    project.run("tenant drop acme --confirm acme").passes();
}

#[test]
fn a_tenant_whose_schema_is_gone_can_only_go() {
    let project = Project::with_tenants(&["acme"]);
    project.db.run("DROP SCHEMA org_acme CASCADE");
    let expect = |line: &str| {
        let refused = project.expect_error(line, "schema-unknown");
        assert!(refused["error"]["hint"].as_str().unwrap().contains("--purge"), "{line}: {refused}");
    };
    expect("tenant rename acme other");
    project.run("tenant drop acme --confirm acme").passes();
    expect("tenant undrop acme");
    expect("tenant undrop acme --as other");
    project.run("tenant drop --purge acme --now --confirm acme").passes();
    assert_eq!(project.db.value("SELECT count(*)::text FROM datalinx_platform.organizations"), "0");
}

#[test]
fn the_role_that_is_shown_is_called_as_the_settings_say() {
    let project = Project::with_tenants(&["shown_role"]);
    let prefix = format!("{}_", project.db.name);
    project.file("tenure.toml", format!("[tenants]\nrole_prefix = \"{prefix}\"\n"));
    project.db.run("CREATE ROLE org_shown_role");
    assert_eq!(project.json("tenant show shown_role").1["role"], serde_json::Value::Null);
    project.db.run(&format!("CREATE ROLE {prefix}org_shown_role"));
    assert_eq!(project.json("tenant show shown_role").1["role"], format!("{prefix}org_shown_role"));
    project.db.run(&format!("DROP ROLE org_shown_role; DROP ROLE {prefix}org_shown_role"));
}
