//! The versions in the rows: the program and the server read the same text alike, and a tenant whose version nobody can
//! read, or that the chain does not have, is never left behind by a run that says "done".

use serde_json::Value;

use crate::support::{Project, Session};

const TENANTS: &str = "datalinx_platform.tenant_version";

/// Two tenants at 1.0.4, two steps to go: one of the platform, one of the tenants.
fn two_steps_to_go() -> Project {
    let project = Project::with_tenants(&["t1", "t2"]);
    project.migration("1.0.4", "1.0.5", "platform", "ALTER TABLE users ADD COLUMN note text;");
    project.migration("1.0.5", "1.0.6", "tenants", "ALTER TABLE workspaces ADD COLUMN note text;");
    project
}

fn set_t1(project: &Project, version: &str) {
    project.db.run(&format!("UPDATE {TENANTS} SET version = '{version}' WHERE schema_name = 'org_t1'"));
}

fn code(document: &Value) -> &str {
    document["error"]["code"].as_str().unwrap_or_default()
}

#[test]
fn a_tenant_whose_version_the_server_would_not_find_is_refused_and_named() {
    let project = two_steps_to_go();
    // Rows from before there was a check.
    project.drop_version_check();
    for (version, expected) in [
        ("v1.0.4", "database-version-unknown"),
        ("V1.0.4", "database-version-unknown"),
        (" 1.0.4", "database-version-unknown"),
        ("1.0.4 ", "database-version-unknown"),
        ("1.0.4+build.7", "database-version-unknown"),
        ("01.0.4", "database-version-unknown"),
        ("1.0", "database-version-unknown"),
        ("", "database-version-unknown"),
        ("1.0.3-rc.1", "database-version-unknown"),
        ("1.0.5-RC.1", "database-version-unknown"),
        ("1.0.7", "version-beyond"),
    ] {
        set_t1(&project, version);
        let before = project.db.dump(&[]);
        for verb in ["migrate up", "migrate up --plan", "migrate up --tenant t1"] {
            let (exit, document) = project.json(verb);
            assert_eq!((exit, code(&document)), (1, expected), "{version:?}, {verb}: {document}");
            let message = document["error"]["message"].as_str().unwrap();
            assert!(message.contains("org_t1"), "{version:?}, {verb}: {message}");
            assert!(document["error"]["hint"].is_string(), "{version:?}, {verb}: {document}");
        }
        let (exit, status) = project.json("status --check");
        assert_eq!((exit, &status["trouble"][0]["code"]), (1, &expected.into()), "{version:?}: {status}");
        assert!(status["trouble"][0]["message"].as_str().unwrap().contains("org_t1"), "{status}");
        let (exit, drift) = project.json("drift");
        assert_eq!(exit, 1, "{version:?}: {drift}");
        assert!(drift.to_string().contains("org_t1"), "{version:?}: {drift}");
        assert!(project.db.dump(&[]) == before, "{version:?}");
    }
    set_t1(&project, "1.0.4");
    project.run("migrate up").passes();
    assert_eq!(project.versions(), "platform 1.0.6, t1 1.0.6, t2 1.0.6");
}

#[test]
fn a_tenant_that_leaves_the_chain_during_a_run_is_reported() {
    for version in ["1.0.3-rc.1", "7.0.0"] {
        let project = two_steps_to_go();
        project.migration("1.0.6", "1.0.7", "after", "ALTER TABLE users ADD COLUMN more text;");
        // The platform's first step waits, until somebody has written another version.
        let mut holder = Session::holding(&project.db, "LOCK TABLE datalinx_platform.users IN SHARE MODE");
        let running = project.start("migrate up --lock-timeout 0s --format json");
        project.db.wait_for_waiting(1);
        holder
            .run(&format!("UPDATE {TENANTS} SET version = '{version}' WHERE schema_name = 'org_t1'; COMMIT"));
        let output = running.end();
        assert_eq!(output.code, 4, "{version}: {output}");
        let migrated: Value = serde_json::from_str(&output.stdout).unwrap();
        assert!(migrated["failures"].to_string().contains("org_t1"), "{version}: {migrated}");
        assert_eq!(project.versions(), format!("platform 1.0.5, t1 {version}, t2 1.0.6"));
    }
}

#[test]
fn the_platforms_version_may_have_a_leading_v_and_nothing_else() {
    let project = two_steps_to_go();
    let set = |version: &str| {
        project.db.run(&format!("UPDATE datalinx_platform.schema_version SET version = '{version}'"));
    };
    for version in ["V1.0.4", " 1.0.4", "vv1.0.4", "1.0.4+b", "v", "v01.0.4"] {
        set(version);
        let before = project.db.dump(&[]);
        for verb in ["migrate up", "tenant create t3"] {
            let (exit, document) = project.json(verb);
            assert_eq!(
                (exit, code(&document)),
                (1, "database-version-unknown"),
                "{version:?}, {verb}: {document}"
            );
        }
        assert_eq!(project.json("status --check").0, 1, "{version:?}");
        assert!(project.db.dump(&[]) == before, "{version:?}");
    }
    set("v1.0.4");
    project.run("tenant create t3").passes();
    project.run("migrate up").passes();
    assert_eq!(project.versions(), "platform 1.0.6, t1 1.0.6, t2 1.0.6, t3 1.0.6");
}

#[test]
fn the_check_takes_what_a_chain_takes_and_nothing_else() {
    let project = Project::with_tenants(&["t1"]);
    for version in ["0.0.0", "1.0.4", "10.20.30", "1.0.0-rc.1", "1.0.0-RC.1", "1.0.0-0a.-.x-y", "1.0.0-alpha"]
    {
        assert!(tenure::chain::Version::stored(version).is_ok(), "{version}");
        set_t1(&project, version);
    }
    for version in [
        "v1.0.4",
        "",
        " 1.0.4",
        "1.0.4 ",
        "1.0",
        "1.0.4.5",
        "01.0.4",
        "1.0.4-",
        "1.0.4-01",
        "1.0.4-a..b",
        "1.0.4+b",
        "x",
    ] {
        assert!(tenure::chain::Version::stored(version).is_err(), "{version}");
        let update = format!("UPDATE {TENANTS} SET version = '{version}' WHERE schema_name = 'org_t1'");
        let refused = project.db.try_run(&update).unwrap_err();
        assert!(refused.starts_with("23514"), "{version}: {refused}");
    }
}

#[test]
fn a_dropped_tenant_whose_version_is_none_is_not_brought_back_but_purged() {
    let project = Project::with_tenants(&["gone"]);
    project.run("tenant drop gone --confirm gone").passes();
    project.db.run(&format!("UPDATE {TENANTS} SET version = 'v1.0.4' WHERE status = 'dropped'"));
    let (exit, document) = project.json("tenant undrop gone");
    assert_eq!((exit, code(&document)), (1, "database-version-unknown"), "{document}");
    project.run("tenant drop gone --purge --confirm gone").passes();
}
