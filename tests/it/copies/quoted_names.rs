//! Every way to a tenant under settings that are unusual.

use crate::support::Project;

const PLATFORM: &str = "\"The Platform\"";

/// A platform, a registry and a prefix whose names need quotes.
fn unusual() -> Project {
    let project = Project::empty();
    project.file(
        "tenure.toml",
        format!("[platform]\nschema = \"The Platform\"\n[tenants]\nregistry = \"Its Tenants\"\nschema_prefix = \"u_\"\nroles = true\n\
         role_prefix = \"{}_\"\n[tenants.columns]\nid = \"The Id\"\nname = \"Name\"\nslug = \"Slug\"\nschema = \"Schema\"\nstatus = \"State\"\n", project.db.name),
    );
    project.migration(
        "0.0.0",
        "1.0.0",
        "platform",
        &format!(
            "-- Scope: platform\nCREATE SCHEMA {PLATFORM};\nCREATE TABLE {PLATFORM}.\"Its Tenants\" (\"The Id\" uuid PRIMARY KEY, \"Name\" text NOT NULL, \
             \"Slug\" text UNIQUE NOT NULL, \"Schema\" text UNIQUE NOT NULL, \"State\" text NOT NULL DEFAULT 'active');"
        ),
    );
    project.file(
        "tenant_templates/default/1.sql",
        format!(
            "-- Template: v1.0.0\nCREATE TABLE things (id serial PRIMARY KEY, \"Of\" uuid REFERENCES {PLATFORM}.\"Its Tenants\" (\"The Id\"));\nINSERT INTO things DEFAULT VALUES;"
        ),
    );
    project.file("tenant_templates/default/after_create/1.sql", "INSERT INTO things DEFAULT VALUES;");
    project.run("migrate up").passes();
    project
}

#[test]
fn names_that_need_quotes_are_quoted_everywhere() {
    let project = unusual();
    project.run("tenant create one").passes();
    project.run("tenant pool fill 1").passes();
    project.run("tenant create two").passes();
    project.run("tenant clone two three --data").passes();
    project.run("tenant export two --to two.tenure").passes();
    project.run("tenant import two.tenure --as four").passes();
    project.db.run("DELETE FROM \"The Platform\".tenant_version WHERE schema_name = 'u_one'");
    project.run("tenant adopt u_one --slug one --version 1.0.0").passes();
    project.migration("1.0.0", "1.0.1", "more", "-- Scope: tenant\nALTER TABLE things ADD COLUMN more text;");
    project.run("migrate up").passes();
    project.run("tenant import two.tenure --as five").passes();
    assert_eq!(
        project.db.column(
            "SELECT concat_ws(' ', \"Slug\", \"State\", status, version, regexp_replace(role, '^test_[0-9]*', 'R')) FROM \"The Platform\".\"Its Tenants\" \
             JOIN \"The Platform\".tenant_version ON schema_name = \"Schema\" ORDER BY 1"
        ),
        [
            "five active active 1.0.1 R_u_five",
            "four active active 1.0.1 R_u_four",
            "one active active 1.0.1 R_u_one",
            "three active active 1.0.1 R_u_three",
            "two active active 1.0.1 R_u_two",
        ]
    );
    let (code, drift) = project.json("drift");
    assert_eq!((code, &drift["tenants"]["same"]), (0, &5.into()), "{drift}");
    for slug in ["one", "two", "three", "four", "five"] {
        let role = format!("{}_u_{slug}", project.db.name);
        project.db.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    }
}
