//! A chain that begins above 0.0.0, for a database that was made by other means: what needs an empty database says
//! what is missing, before anything is made.

use serde_json::json;

use crate::support::Project;

const FIRST: &str = "migrations/v0.0.0_to_v1.0.0_create_platform.sql";
const SECOND: &str = "migrations/v1.0.0_to_v1.0.1_add_mfa_columns.sql";

/// The seeds' files but the first, on a database that somebody made by hand.
fn late() -> Project {
    let project = Project::seeds();
    let first = std::fs::read_to_string(project.dir.path().join(FIRST)).unwrap();
    project.db.run(&format!(
        "CREATE SCHEMA datalinx_platform; SET search_path = datalinx_platform; \
         CREATE TABLE schema_version (version varchar(20) PRIMARY KEY, applied_at timestamptz); \
         INSERT INTO schema_version VALUES ('0.0.0', now()); {first}"
    ));
    project.remove(FIRST);
    // Nothing says any more whose tables these are.
    for file in [SECOND, "migrations/v1.0.1_to_v1.0.2_create_audit_log.sql"] {
        let text = std::fs::read_to_string(project.dir.path().join(file)).unwrap();
        project.file(file, text.replacen("BEGIN;", "-- Scope: platform\nBEGIN;", 1));
    }
    project
}

/// What cannot be done, and what to do about it.
fn told(project: &Project, line: &str) -> (i32, String, String, String) {
    let (exit, document) = project.json(line);
    let text = |key: &str| document["error"][key].as_str().unwrap_or_default().to_owned();
    (exit, text("code"), text("file"), text("hint"))
}

#[test]
fn commands_that_need_an_empty_database_refuse_a_late_chain() {
    let project = late();
    let before = project.db.dump(&[]);
    for line in [
        "verify --shadow",
        "migrate up --shadow",
        "migrate up --branch local",
        "template check --shadow",
        "template squash",
    ] {
        let (exit, code, file, hint) = told(&project, line);
        assert_eq!((exit, code.as_str()), (2, "chain-gap"), "{line}: {hint}");
        assert_eq!(file, "migrations/v1.0.0_to_v1.0.1_add_mfa_columns.sql", "{line}");
        assert!(hint.contains("v0.0.0_to_v1.0.0_") && !hint.contains("baseline"), "{line}: {hint}");
    }
    assert!(project.db.dump(&[]) == before);
    // What the hint says helps, and a database that is there already does not run it.
    let first = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(FIRST);
    project.file("migrations/v0.0.0_to_v1.0.0_what_was_there.sql", std::fs::read(first).unwrap());
    project.run("verify --shadow").passes();
    let (exit, document) = project.json("migrate up --shadow");
    assert_eq!((exit, &document["platform"]), (0, &json!({ "from": "1.0.0", "to": "1.0.4" })), "{document}");
}

#[test]
fn commands_on_a_migrated_database_accept_a_late_chain() {
    let project = late();
    project.run("verify").passes();
    project.run("template check").passes();
    project.run("migrate up --plan").passes();
    let (exit, document) = project.json("migrate up");
    assert_eq!((exit, &document["platform"]), (0, &json!({ "from": "1.0.0", "to": "1.0.4" })), "{document}");
    project.run("tenant create acme_corp").passes();
}
