//! Reverse files: no command runs them yet, so `verify` only checks that they can be read and that they undo their step.

use serde_json::{Value, json};

use crate::support::Project;

/// The seeds' project with two more steps.
fn project() -> Project {
    let project = Project::seeds();
    project.migration("1.0.4", "1.0.5", "seats", "CREATE TABLE datalinx_platform.seats (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), n int, created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now());");
    project.migration("1.0.5", "1.0.6", "label", "-- Scope: tenant\nALTER TABLE workspaces ADD COLUMN label text;\n-- Scope: platform\nALTER TABLE seats ADD COLUMN label text;");
    project
}

fn rules(document: &Value) -> Vec<(&str, &str)> {
    let findings = document["findings"].as_array().unwrap().iter();
    findings.map(|finding| (finding["file"].as_str().unwrap(), finding["rule"].as_str().unwrap())).collect()
}

#[test]
fn rules_for_going_forward_do_not_judge_a_reverse_file() {
    let project = project();
    project.migration("1.0.5", "1.0.4", "seats", "DROP TABLE seats;");
    // The name is known, though the reverse file of an earlier step drops it.
    project.migration(
        "1.0.6",
        "1.0.5",
        "label",
        "-- Allow: drop-column because the release before does not know it\n\
         ALTER TABLE seats DROP COLUMN label;\n-- Scope: tenant\nALTER TABLE workspaces DROP COLUMN label CASCADE;",
    );
    assert_eq!(project.json("verify").0, 0);
    let (code, document) =
        project.json("verify migrations/v1.0.5_to_v1.0.4_seats.sql migrations/v1.0.6_to_v1.0.5_label.sql");
    assert_eq!(
        (code, &document["findings"], &document["summary"]["files"]),
        (0, &json!([]), &json!(2)),
        "{document}"
    );
    // The same statement in a step is denied.
    project.next_migration("-- Scope: tenant\nALTER TABLE workspaces DROP COLUMN label CASCADE;");
    assert_eq!(project.json("verify").0, 1);
    project.remove("migrations/v1.0.6_to_v1.0.7_next.sql");
    project.run("migrate up").passes();
    assert_eq!(project.versions(), "platform 1.0.6");
}

#[test]
fn a_reverse_file_must_be_readable() {
    for (sql, code) in [
        ("DROP TABLE seats", None),
        ("DROP TABEL seats;", Some("syntax")),
        ("DROP TABLE seats; COMMIT; SELECT 1;", Some("transaction-control")),
        ("DROP TABLE datalinx_platform.migration_history;", Some("own-table")),
    ] {
        let project = project();
        project.migration("1.0.5", "1.0.4", "seats", sql);
        match code {
            Some(code) => drop(project.expect_error("verify", code)),
            None => assert_eq!(project.json("verify").0, 0, "{sql}"),
        }
    }
}

#[test]
fn a_shadow_shows_whether_a_reverse_file_undoes_its_step() {
    let project = project();
    project.migration("1.0.5", "1.0.4", "seats", "ALTER TABLE seats RENAME TO old_seats;");
    project.migration(
        "1.0.6",
        "1.0.5",
        "label",
        "ALTER TABLE seats DROP COLUMN label;\n-- Scope: tenant\nALTER TABLE workspaces DROP COLUMN label;",
    );
    let (code, document) = project.json("verify --shadow");
    let found = rules(&document);
    assert_eq!(code, 1, "{document:#}");
    assert!(
        found.iter().all(|found| *found == ("migrations/v1.0.5_to_v1.0.4_seats.sql", "reverse-differs")),
        "{document:#}"
    );
    project.migration("1.0.5", "1.0.4", "seats", "DROP TABLE seats;");
    project.migration("1.0.6", "1.0.5", "label", "ALTER TABLE seats DROP COLUMN label;");
    let (code, document) = project.json("verify --shadow");
    assert_eq!(
        (code, rules(&document)),
        (1, vec![("migrations/v1.0.6_to_v1.0.5_label.sql", "reverse-differs")]),
        "{document:#}"
    );
    project.migration(
        "1.0.6",
        "1.0.5",
        "label",
        "ALTER TABLE seats DROP COLUMN label;\n-- Scope: tenant\nALTER TABLE workspaces DROP COLUMN label;",
    );
    assert_eq!(project.json("verify --shadow").0, 0);
}
