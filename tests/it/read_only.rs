//! Looking never writes: every verb that only shows works for a role that can only read, and leaves the
//! database as it was, also where there is nothing in it yet.

use crate::support::{Output, Project, Wire};

/// The verbs that look.
const LOOKS: &[&str] = &[
    "status",
    "status --tenants",
    "migrate up --plan",
    "migrate up --plan --tenant acme_corp",
    "migrate history",
    "migrate history --tenant acme_corp",
    "run list",
    "diagram",
    "tenant list",
    "tenant show acme_corp",
    "verify",
    "drift",
    "tenant audit",
];

fn run_as(project: &Project, role: &str, line: &str) -> Output {
    project.run_env(&[("DATABASE_URL", &project.db.url_as(role))], line)
}

#[test]
fn a_role_that_can_only_read_can_look() {
    let project = Project::seeds();
    assert!(project.run("migrate up --to 1.0.3").ok().stdout.starts_with("done"));
    assert!(project.run("tenant create acme_corp").ok().stdout.starts_with("created"));
    // Roles belong to the whole server, which other tests share.
    let role = format!("reader_{}", project.db.name);
    project.db.run(&format!(
        "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA datalinx_platform TO {role}; \
         GRANT SELECT ON ALL TABLES IN SCHEMA datalinx_platform TO {role};"
    ));
    let before = project.db.dump(&[]);
    for line in LOOKS {
        let output = run_as(&project, &role, line);
        assert_eq!(output.code, 0, "{line}: {output}");
        assert!(!output.stdout.is_empty(), "{line}: {output}");
        assert_eq!(output.stdout, project.run(line).ok().stdout, "{line}");
        assert!(project.db.dump(&[]) == before, "{line} wrote something");
    }
    // The same role cannot do what writes; so what it could do was looking.
    for line in ["migrate up", "tenant create globex"] {
        let output = run_as(&project, &role, line);
        assert_eq!(output.code, 1, "{line}: {output}");
        assert!(output.stderr.contains("permission-denied"), "{line}: {output}");
        assert!(project.db.dump(&[]) == before, "{line} wrote something");
    }
    project.db.run(&format!("DROP OWNED BY {role}; DROP ROLE {role};"));
}

#[test]
fn an_empty_database_can_be_looked_at_and_stays_empty() {
    let project = Project::seeds();
    let before = project.db.dump(&[]);
    for line in LOOKS {
        let output = project.run(line);
        // There is no such tenant; everything else can be shown.
        let expected = i32::from(line.contains("acme_corp"));
        assert_eq!(output.code, expected, "{line}: {output}");
        assert!(expected == 0 || output.stderr.contains("tenant-unknown"), "{line}: {output}");
        assert!(project.db.dump(&[]) == before, "{line} wrote something");
    }
}

#[test]
fn a_refused_command_line_does_not_even_connect() {
    let project = Project::seeds();
    let before = project.db.dump(&[]);
    for line in
        ["migrate up --jobs", "migrate upp", "status --tenant x", "tenant create", "migrate up --to newest"]
    {
        assert_eq!(run_as(&project, "nobody", line).code, 2, "{line}");
    }
    assert!(project.db.dump(&[]) == before);
}

#[test]
fn to_know_takes_four_questions_however_many_tenants_there_are() {
    let project = Project::with_tenants(&["one"]);
    let wire = Wire::of(&project.db);
    let url = wire.url(&project.db);
    let more: Vec<String> = (10..60).map(|number| format!("t{number}")).collect();
    for tenants in [1, 51] {
        for line in ["status", "status --check", "migrate up", "migrate up --plan"] {
            let _counted = wire.counted();
            project.run_env(&[("DATABASE_URL", &url)], line).passes();
            let (questions, connections) = wire.counted();
            assert_eq!(connections, 1, "{line}");
            assert!((1..=4).contains(&questions), "{line} of {tenants}: {questions}");
        }
        if tenants == 1 {
            project.create(&more.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }
    // A unit is one, and several of them may share it.
    project.migration("1.0.4", "1.0.5", "more", "ALTER TABLE workspaces ADD COLUMN more int;");
    let _counted = wire.counted();
    project.run_env(&[("DATABASE_URL", &url)], "migrate up --jobs 1").passes();
    let (questions, connections) = wire.counted();
    assert!((connections, questions < 20) == (1, true), "{questions} questions, {connections} connections");
}
