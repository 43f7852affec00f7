//! Isolation between tenants: a role each, what it may and may not do, and what an audit finds.

mod audit;
mod audit_cases;
mod blocking;
mod grants;
mod logins;
mod role_conflicts;
mod role_lifecycle;
mod role_placeholder;
mod server;
mod settings;
mod unshown_passwords;

pub use audit_cases::table as table_of_holes;
use serde_json::Value;

use crate::support::Project;

/// The seeds' project with roles; their names are this database's own, since the server is shared.
fn isolated() -> Project {
    let project = Project::seeds();
    with_roles(&project);
    project.run("migrate up").passes();
    project
}

/// In a database of PostgreSQL 14 everybody may create things there, which the audit finds.
const NOT_FOR_ALL: &str = "REVOKE CREATE ON SCHEMA public FROM PUBLIC";

fn with_roles(project: &Project) {
    project.db.run(NOT_FOR_ALL);
    project.file("tenure.toml", format!("[tenants]\nroles = true\nrole_prefix = \"{}_\"\n", project.db.name));
}

/// Roles outlive their database.
fn drop_roles(project: &Project) {
    let roles = format!("SELECT rolname::text FROM pg_roles WHERE rolname ^@ '{}_'", project.db.name);
    for role in project.db.column(&roles) {
        project.db.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    }
}

/// A fleet with roles whose template uses a table of the platform.
fn fleet() -> Project {
    let project = isolated();
    project.file("tenant_templates/default/005_uses.sql", "-- Uses: users (select)\n");
    project.create(&["one", "two", "three"]);
    project
}

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
