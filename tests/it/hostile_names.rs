//! The platform schema may have any name that PostgreSQL allows: no SQL that Tenure builds depends on its characters.

use crate::support::Project;

/// A name with dollar quotes, both quotes, a backslash, a space, a dot, a format's placeholder, upper case and non-ASCII letters.
const EVERYTHING: &str = "a$$b$tenure$'c\"d\\e f.G%I$1ü";

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A project whose platform schema has this name, with two steps and a template.
fn with_platform(name: &str) -> Project {
    let project = Project::empty();
    let settings = toml::Table::from_iter([
        ("platform".to_owned(), toml::Table::from_iter([("schema".to_owned(), name.into())]).into()),
        (
            "tenants".to_owned(),
            toml::Table::from_iter([
                ("roles".to_owned(), true.into()),
                ("role_prefix".to_owned(), format!("{}_", project.db.name).into()),
            ])
            .into(),
        ),
        (
            "extensions".to_owned(),
            toml::Table::from_iter([("schema".to_owned(), "x$tenure$y".into())]).into(),
        ),
    ]);
    project.file("tenure.toml", settings.to_string());
    let platform = quoted(name);
    project.migration(
        "0.0.0",
        "1.0.0",
        "platform",
        &format!(
            "-- Scope: platform\nCREATE EXTENSION IF NOT EXISTS pgcrypto;\n\
             CREATE TABLE {platform}.organizations (id uuid PRIMARY KEY, name text NOT NULL, slug text NOT NULL UNIQUE, \
             schema_name text NOT NULL);"
        ),
    );
    project.migration("1.0.0", "1.0.1", "note", "-- Scope: tenant\nALTER TABLE things ADD COLUMN note text;");
    project.file(
        "tenant_templates/default/1.sql",
        format!(
            "-- Template: v1.0.0\nCREATE TABLE things (id int PRIMARY KEY, owner uuid REFERENCES {platform}.organizations (id));"
        ),
    );
    project
}

/// Runs a command and asserts success.
#[track_caller]
fn run(project: &Project, line: &str) {
    let output = project.run(line);
    assert_eq!(output.code, 0, "{line}: {output}");
}

fn migrates(project: &Project, name: &str) {
    run(project, "verify");
    run(project, "migrate up --to 1.0.0");
    run(project, "tenant create a");
    run(project, "migrate up");
    // Before PostgreSQL 15 everybody may create objects in the schema public.
    project.db.run("REVOKE CREATE ON SCHEMA public FROM PUBLIC; INSERT INTO org_a.things (id) VALUES (1)");
    assert_eq!(project.db.value(&format!("SELECT version FROM {}.schema_version", quoted(name))), "1.0.1");
    for line in
        ["status --tenants", "migrate history", "tenant list", "tenant show a", "tenant audit", "doctor"]
    {
        run(project, line);
    }
}

fn copies(project: &Project) {
    project.file("list.csv", "slug\nf\ng\n");
    run(project, "tenant clone a b --data");
    run(project, "tenant export a --to a.tenure");
    run(project, "tenant import a.tenure --as c");
    assert_eq!(
        project.db.value(
            "SELECT (SELECT count(*) FROM org_b.things) || ' ' || (SELECT count(*) FROM org_c.things)"
        ),
        "1 1"
    );
    for line in [
        "tenant pool fill 2",
        "tenant create d",
        "tenant pool drain",
        "tenant rename d e",
        "tenant suspend e",
        "tenant resume e",
        "tenant drop e --confirm e",
        "tenant undrop e",
        "tenant login e",
        "tenant grant e",
        "tenant create --from list.csv",
        "tenant drop f --confirm f",
        "tenant drop --purge f --now --confirm f",
        "restore-point",
        "migrate repair --yes",
        "tenant audit",
    ] {
        run(project, line);
    }
}

fn compares(project: &Project) {
    let sql = "-- Scope: tenant\nCREATE INDEX CONCURRENTLY notes ON things (note);";
    if !crate::support::is_pooled() {
        project.migration("1.0.1", "1.0.2", "index", sql);
    }
    for line in
        ["migrate up --shadow", "drift", "verify --shadow", "template check --shadow", "template squash"]
    {
        run(project, line);
    }
}

#[test]
fn a_platform_schema_with_dollar_quotes_works_everywhere() {
    let project = with_platform("a$$b");
    migrates(&project, "a$$b");
    copies(&project);
    compares(&project);
}

#[test]
fn a_platform_schema_with_every_special_character_works_everywhere() {
    let project = with_platform(EVERYTHING);
    migrates(&project, EVERYTHING);
    copies(&project);
    compares(&project);
}

#[test]
fn other_names_of_the_platform_schema_migrate() {
    let long = "ü".repeat(31) + "$";
    for name in ["$tenure$", "$$", "Upper Case", "dot.ted", "back\\slash\\", "''", "\"", "$1", long.as_str()]
    {
        let project = with_platform(name);
        migrates(&project, name);
        run(&project, "tenant clone a b --data");
    }
}

#[test]
fn prefixes_with_special_characters_are_refused() {
    for prefix in ["a$$b_", "$tenure$", "a'_", "A_", "ü_", "a b_"] {
        for key in ["schema_prefix", "role_prefix"] {
            let project = with_platform("p");
            let settings = toml::Table::from_iter([(key.to_owned(), prefix.into())]);
            project.file("tenure.toml", format!("[tenants]\n{settings}"));
            project.expect_error("status", "settings");
        }
    }
}
