//! Walls between tenants: a role each, what it may and may not do, and what an audit finds.

mod audit;
mod logins;
mod server;
mod settings;

use crate::support::Project;

/// The seeds' project with roles; their names are this database's own, since the server is shared.
fn walled() -> Project {
    let project = Project::seeds();
    with_roles(&project);
    project.run("migrate up").passes();
    project
}

fn with_roles(project: &Project) {
    project.file("tenure.toml", format!("[tenants]\nroles = true\nrole_prefix = \"{}_\"\n", project.db.name));
}

/// Roles outlive their database.
fn drop_roles(project: &Project) {
    let roles = format!("SELECT rolname::text FROM pg_roles WHERE rolname ^@ '{}_'", project.db.name);
    for role in project.db.column(&roles) {
        project.db.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    }
}
