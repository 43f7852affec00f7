//! A database and files that do not agree: `status` shows what there is to see, and what the other verbs advise
//! leads out of it.

use serde_json::{Value, json};

use crate::support::Project;

const MIDDLE: &str = "migrations/v1.0.1_to_v1.0.2_create_audit_log.sql";
const LAST: &str = "migrations/v1.0.3_to_v1.0.4_create_service_accounts.sql";

fn code(document: &Value) -> &str {
    document["error"]["code"].as_str().unwrap_or_default()
}

fn hint(document: &Value) -> &str {
    document["error"]["hint"].as_str().unwrap_or_default()
}

/// The codes of what `status` found amiss.
fn trouble(status: &Value) -> Vec<&str> {
    let all = status["trouble"].as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().filter_map(|failure| failure["code"].as_str()).collect()
}

#[test]
fn status_shows_what_it_can_where_a_file_is_gone() {
    let project = Project::with_tenants(&["acme"]);
    project.remove(MIDDLE);
    let (exit, status) = project.json("status --tenants");
    assert_eq!((exit, trouble(&status)), (0, vec!["migration-gone"]), "{status}");
    assert_eq!(status["trouble"][0]["file"], MIDDLE, "{status}");
    assert_eq!(status["platform"]["version"], "1.0.4", "{status}");
    assert_eq!(status["tenants"]["versions"], json!({ "1.0.4": 1 }), "{status}");
    assert_eq!(status["list"][0]["slug"], "acme", "{status}");
    assert_eq!(project.json("status --check").0, 1);
    let human = project.run("status").ok();
    assert!(human.stdout.contains("1.0.4"), "{human}");
    assert!(human.stderr.contains("migration-gone") && human.stderr.contains(MIDDLE), "{human}");
    // What the database knows nothing of is a fault of the files.
    project.migration("1.0.5", "1.0.6", "later", "ALTER TABLE users ADD COLUMN x int;");
    let fresh = Project::empty();
    fresh.migration("0.0.0", "1.0.0", "first", "CREATE TABLE datalinx_platform.a (id int);");
    fresh.migration("1.0.1", "1.0.2", "later", "CREATE TABLE datalinx_platform.b (id int);");
    let (exit, document) = fresh.json("status");
    assert_eq!((exit, code(&document)), (2, "chain-gap"), "{document}");
}

#[test]
fn status_shows_what_it_can_where_a_version_cannot_be_read() {
    for (sql, version, known, at) in [
        ("DELETE FROM datalinx_platform.schema_version", Value::Null, 2, "1.0.4"),
        ("INSERT INTO datalinx_platform.schema_version VALUES ('1.0.3')", Value::Null, 2, "1.0.4"),
        ("UPDATE datalinx_platform.schema_version SET version = 'newest'", Value::Null, 2, "1.0.4"),
        (
            "UPDATE datalinx_platform.tenant_version SET version = 'newest' WHERE schema_name = 'org_acme'",
            json!("1.0.4"),
            1,
            "1.0.4",
        ),
    ] {
        let project = Project::with_tenants(&["acme", "globex"]);
        project.drop_version_check();
        project.db.run(sql);
        let (exit, status) = project.json("status --tenants");
        assert_eq!((exit, trouble(&status)), (0, vec!["database-version-unknown"]), "{sql}: {status}");
        assert_eq!(status["platform"]["version"], version, "{sql}: {status}");
        assert_eq!(status["tenants"]["total"], 2, "{sql}: {status}");
        assert_eq!(status["tenants"]["versions"], json!({ at: known }), "{sql}: {status}");
        assert_eq!(status["tenants"]["unknown"], 2 - known, "{sql}: {status}");
        let slugs: Vec<_> = status["list"].as_array().unwrap().iter().map(|line| &line["slug"]).collect();
        assert_eq!(slugs, ["acme", "globex"], "{sql}");
        assert_eq!(project.json("status --check").0, 1, "{sql}");
        let human = project.run("status --tenants").ok();
        assert!(human.stderr.contains("database-version-unknown"), "{sql}: {human}");
        // Nothing is migrated from where nobody knows.
        assert_eq!(code(&project.json("migrate up").1), "database-version-unknown", "{sql}");
    }
}

#[test]
fn repair_is_advised_only_where_it_helps() {
    let project = Project::with_tenants(&["acme"]);
    for (file, expected) in [(MIDDLE, "migration-gone"), (LAST, "version-beyond")] {
        let text = std::fs::read(project.dir.path().join(file)).unwrap();
        project.remove(file);
        for verb in ["migrate up", "migrate up --plan", "tenant create b"] {
            let (exit, document) = project.json(verb);
            assert_eq!((exit, code(&document)), (1, expected), "{verb} without {file}");
            let hint = hint(&document);
            assert!(hint.contains("restore") && !hint.contains("repair"), "{verb}: {hint}");
        }
        project.file(file, text);
    }
    // A template at a version that went with its file.
    let template = "tenant_templates/default/001_at.sql";
    project.file(template, "-- Template: v1.0.2\nSELECT 1;\n").remove(MIDDLE);
    assert!(!hint(&project.json("migrate up").1).contains("repair"));
    // Two steps that became one: the chain leads on without them.
    let project = Project::empty();
    project.migration("0.0.0", "1.0.0", "one", "CREATE TABLE datalinx_platform.a (id int);");
    project.migration("1.0.0", "1.0.1", "two", "CREATE TABLE datalinx_platform.b (id int);");
    project.run("migrate up").passes();
    project.remove("migrations/v0.0.0_to_v1.0.0_one.sql").remove("migrations/v1.0.0_to_v1.0.1_two.sql");
    project.migration(
        "0.0.0",
        "1.0.1",
        "both",
        "CREATE TABLE datalinx_platform.a (id int);\nCREATE TABLE datalinx_platform.b (id int);",
    );
    assert!(hint(&project.json("migrate up").1).contains("`tenure migrate repair` accepts that"));
    project.run("migrate repair --yes").passes();
    assert!(project.run("migrate up").ok().stdout.starts_with("nothing to do"));
}

#[test]
fn a_platform_beyond_the_chain_gets_no_tenant() {
    let project = Project::with_tenants(&[]);
    for (version, expected) in [("7.0.0", "version-beyond"), ("1.0.2-rc.7", "database-version-unknown")] {
        project.db.run(&format!("UPDATE datalinx_platform.schema_version SET version = '{version}'"));
        for verb in ["migrate up", "tenant create q"] {
            let (exit, document) = project.json(verb);
            assert_eq!((exit, code(&document)), (1, expected), "{verb}: {document}");
            assert!(!hint(&document).contains("migrate up"), "{verb}: {document}");
        }
    }
    assert!(project.db.column("SELECT schema_name FROM datalinx_platform.tenant_version").is_empty());
}

#[test]
fn a_tenant_with_an_invalid_version_can_be_repaired() {
    let project = Project::with_tenants(&["acme"]);
    project.drop_version_check();
    for version in ["newest", "0.9.0"] {
        project.db.run(&format!("UPDATE datalinx_platform.tenant_version SET version = '{version}'"));
        let (exit, document) = project.json("migrate up");
        assert_eq!((exit, code(&document)), (1, "database-version-unknown"), "{document}");
        let hint = hint(&document);
        assert!(!hint.contains("baseline") && hint.contains("tenant_version"), "{hint}");
    }
    let (_, document) = project.json("tenant show acme");
    assert!(!hint(&document).contains("baseline"), "{document}");
    project.db.run("UPDATE datalinx_platform.tenant_version SET version = '1.0.4'");
    assert!(project.run("migrate up").ok().stdout.starts_with("nothing to do"));
    project.run("drift").passes();
}

#[test]
fn a_registry_row_without_a_schema_leads_in_no_circle() {
    let project = Project::with_tenants(&[]);
    project.db.run(
        "INSERT INTO datalinx_platform.organizations (id, name, slug, schema_name) \
         VALUES (gen_random_uuid(), 'New', 'newco', 'org_newco')",
    );
    let (exit, document) = project.json("tenant adopt org_newco --slug newco --version 1.0.4");
    assert_eq!((exit, code(&document)), (1, "schema-unknown"), "{document}");
    assert!(hint(&document).contains("`tenure tenant create` creates the schema of that row"), "{document}");
    // What is advised helps.
    project.run("tenant create newco").passes();
    // Where the schema is there, it can be adopted.
    project.db.run("DELETE FROM datalinx_platform.tenant_version");
    let human = project.run("tenant create newco");
    assert!(human.stderr.contains("make it a tenant with `tenure tenant adopt`"), "{human}");
    project.run("tenant adopt org_newco --slug newco --version 1.0.4").passes();
    // No row, no schema: there is nothing to delete.
    let (_, document) = project.json("tenant adopt org_none --slug none --version 1.0.4");
    assert!(hint(&document).contains("tenant create"), "{document}");
}
