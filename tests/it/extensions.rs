//! Where extensions are made, and who finds them.

use serde_json::Value;

use crate::support::Project;

const TRGM: &str = "CREATE INDEX workspaces_trgm ON workspaces USING gin (name gin_trgm_ops);";

fn schema_of(project: &Project, extension: &str) -> String {
    project.db.value(&format!(
        "SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = '{extension}'"
    ))
}

fn rules(document: &Value) -> Vec<String> {
    let findings = document["findings"].as_array().unwrap();
    findings.iter().map(|finding| finding["rule"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn tenants_find_what_the_platform_makes() {
    for (settings, home) in [("", "public"), ("[extensions]\nschema = \"tools\"\n", "tools")] {
        let project = Project::with_tenants(&["acme"]);
        project.file("tenure.toml", settings);
        // The one extension of contrib with a fixed schema; PostgreSQL 17 does not have it.
        let is_there = "SELECT count(*)::text FROM pg_available_extensions WHERE name = 'adminpack'";
        let has_adminpack = project.db.value(is_there) == "1";
        let (allowed, fixed) = if has_adminpack {
            let allowed = "-- Allow: not-observed adminpack because operators read the server's log\n";
            (allowed, "CREATE EXTENSION adminpack;\n")
        } else {
            ("", "")
        };
        project.migration(
            "1.0.4",
            "1.0.5",
            "extensions",
            &format!(
                "-- Scope: platform\n{allowed}CREATE EXTENSION pg_trgm;\n\
                 CREATE EXTENSION IF NOT EXISTS earthdistance CASCADE;\n{fixed}\
                 CREATE TABLE datalinx_platform.after_it (id uuid PRIMARY KEY, created_at timestamptz, updated_at timestamptz);"
            ),
        );
        project.migration("1.0.5", "1.0.6", "index", &format!("-- Scope: tenant\n{TRGM}"));
        let (code, document) = project.json("verify --shadow --shadow-extension earthdistance");
        assert_eq!(code, 0, "{document:#}");
        project.run("migrate up").passes();
        project.create(&["globex"]);
        for extension in ["pg_trgm", "earthdistance", "cube"] {
            assert_eq!(schema_of(&project, extension), home, "{extension}");
        }
        if has_adminpack {
            assert_eq!(schema_of(&project, "adminpack"), "pg_catalog");
        }
        let made = project
            .db
            .column("SELECT schemaname::text FROM pg_indexes WHERE indexname = 'workspaces_trgm' ORDER BY 1");
        assert_eq!(made, ["org_acme", "org_globex"]);
    }
}

#[test]
fn an_unreachable_extension_is_named_with_the_setting() {
    let project = Project::with_tenants(&["acme"]);
    project.migration(
        "1.0.4",
        "1.0.5",
        "extensions",
        "-- Scope: platform\nCREATE EXTENSION IF NOT EXISTS pg_trgm;",
    );
    // It is there already, and stays.
    project.db.run("CREATE SCHEMA tools; CREATE EXTENSION pg_trgm SCHEMA tools");
    let output = project.run("migrate up").ok();
    assert!(output.stderr.contains("[tenants] search_path = [\"tools\"]"), "{output}");
    assert_eq!(schema_of(&project, "pg_trgm"), "tools");
    project.file("tenure.toml", "[tenants]\nsearch_path = [\"tools\"]\n");
    project.migration("1.0.5", "1.0.6", "index", &format!("-- Scope: tenant\n{TRGM}"));
    let output = project.run("migrate up").ok();
    assert!(!output.stderr.contains("search_path"), "{output}");
    project.create(&["globex"]);
    // On a shadow the same is seen of a schema that the file names.
    let project = Project::seeds();
    project.migration(
        "1.0.4",
        "1.0.5",
        "extensions",
        "-- Scope: platform\nCREATE SCHEMA tools;\nCREATE EXTENSION hstore SCHEMA tools;",
    );
    let (_, document) = project.json("verify --shadow");
    assert_eq!(rules(&document), ["extension-unreachable"], "{document:#}");
    let message = document["findings"][0]["message"].as_str().unwrap();
    assert!(message.contains("[tenants] search_path = [\"tools\"]"), "{message}");
}

#[test]
fn an_extension_is_the_platforms() {
    let project = Project::seeds();
    project.migration("1.0.4", "1.0.5", "more", "-- Scope: tenant\nCREATE EXTENSION IF NOT EXISTS citext;");
    project.file("tenant_templates/default/050_more.sql", "CREATE EXTENSION IF NOT EXISTS hstore;\n");
    let (code, document) = project.json("verify");
    assert_eq!((code, rules(&document)), (1, vec!["tenant-extension".to_owned(); 2]), "{document:#}");
    let project = Project::seeds();
    project.migration(
        "1.0.4",
        "1.0.5",
        "more",
        "-- Scope: tenant\nDO $$ BEGIN EXECUTE 'CREATE EXTENSION IF NOT EXISTS citext'; END $$;",
    );
    let (code, document) = project.json("verify --shadow");
    assert_eq!(code, 1, "{document:#}");
    assert!(rules(&document).contains(&"tenant-extension".to_owned()), "{document:#}");
}

#[test]
fn an_error_in_it_leads_to_the_file() {
    let project = Project::with_tenants(&[]);
    project.file("tenure.toml", "[extensions]\nschema = \"tools\"\n");
    project.migration("1.0.4", "1.0.5", "more", "-- Scope: platform\nSELECT 1;\nCREATE EXTENSION not_there;");
    let (_, document) = project.json("migrate up");
    let failure = &document["failures"][0];
    assert_eq!(
        (failure["line"].as_i64(), failure["migration"].as_str()),
        (Some(5), Some("v1.0.4_to_v1.0.5_more.sql")),
        "{document:#}"
    );
}

#[test]
fn a_missing_schema_of_the_search_path_is_named() {
    let project = Project::with_tenants(&["acme"]);
    project.file("tenure.toml", "[tenants]\nsearch_path = [\"tools\", \"Other\", \"public\"]\n");
    project.next_migration("-- Scope: tenant\nALTER TABLE workspaces ADD COLUMN a text;");
    let output = project.run("migrate up").ok();
    for name in ["tools", "Other"] {
        let note = format!("the schema {name} of [tenants] search_path does not exist");
        assert!(output.stderr.contains(&note), "{output}");
    }
    assert!(!output.stderr.contains("public of"), "{output}");
    // A schema that exists, and one that the files create.
    project.db.run("CREATE SCHEMA tools");
    project.next_migration("-- Scope: platform\nCREATE SCHEMA \"Other\";");
    let output = project.run("migrate up").ok();
    assert!(!output.stderr.contains("does not exist"), "{output}");
}
