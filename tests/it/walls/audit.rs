//! An audit finds a violation at its object, and nothing where there is none.

use serde_json::{Value, json};

use super::{drop_roles, walled, with_roles};
use crate::support::{Database, Project, csv};

/// The findings as lines: `rule level schema: object`.
fn lines(document: &Value) -> Vec<String> {
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or("-").to_owned();
    let findings = document["findings"].as_array().unwrap().iter();
    findings
        .map(|finding| {
            assert_eq!((&finding["evidence"], &finding["allowed"]), (&"catalog".into(), &false.into()));
            assert!(!text(finding, "help").is_empty() && !text(finding, "message").is_empty());
            ["rule", "level", "schema", "object"].map(|key| text(finding, key)).join(" | ")
        })
        .collect()
}

/// Plants a violation, sees that exactly these lines are found, and takes it away again.
fn finds(project: &Project, (plant, weed): (&str, &str), expected: &[&str]) {
    let named = |sql: &str| sql.replace("{db}", &project.db.name);
    project.db.run(&named(plant));
    let (code, document) = project.json("tenant audit");
    let expected: Vec<_> = expected.iter().map(|line| named(line)).collect();
    assert_eq!(lines(&document), expected, "{plant}: {document:#}");
    let denies = expected.iter().any(|line| line.contains("| deny |"));
    assert_eq!(code, i32::from(denies), "{plant}");
    project.db.run(&named(weed));
    let (code, document) = project.json("tenant audit");
    assert_eq!((code, lines(&document)), (0, Vec::new()), "after {weed}: {document:#}");
}

#[test]
fn a_clean_fleet_has_no_finding() {
    let project = Project::with_tenants(&["one", "two", "three"]);
    let clean = json!({"findings": [], "summary": {"tenants": 3, "deny": 0, "warn": 0, "allowed": 0}});
    assert_eq!(project.json("tenant audit"), (0, clean.clone()));
    assert_eq!(project.run("tenant audit").ok().stdout, "3 tenants: nothing found\n");
    let project = walled();
    project.create(&["one", "two", "three"]);
    project.run("tenant suspend two").passes();
    project.migration(
        "1.0.4",
        "1.0.5",
        "more",
        "-- Scope: tenant\nCREATE TABLE more (id serial PRIMARY KEY, key int GENERATED ALWAYS AS IDENTITY);",
    );
    project.run("migrate up").passes();
    assert_eq!(project.json("tenant audit"), (0, clean));
    drop_roles(&project);
}
