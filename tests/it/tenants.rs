//! `tenant create`: one or a list, whole or not at all, from a template and the steps after it; and
//! that a tenant made late is the same as one made early.

use insta::assert_snapshot;

use crate::support::{Project, csv, needs_the_server_itself};

/// The registry: `slug|name|schema`, one line a tenant.
fn registry(project: &Project) -> String {
    let rows =
        "SELECT concat_ws('|', slug, name, schema_name) FROM datalinx_platform.organizations ORDER BY slug";
    project.db.column(rows).join("\n")
}

#[test]
fn create_makes_the_whole_tenant() {
    let project = Project::with_tenants(&[]);
    assert_snapshot!(project.run("tenant create acme_corp"), @"
    exit code: 0
    ----- stdout -----
    created acme_corp  org_acme_corp  at 1.0.4  id UUID

    ----- stderr -----
    ");
    let tables = "SELECT string_agg(tablename, ' ' ORDER BY tablename) FROM pg_tables WHERE schemaname = 'org_acme_corp'";
    assert_eq!(project.db.value(tables), "data_sources mappings pipeline_jobs workspaces");
    assert_eq!(registry(&project), "acme_corp|acme_corp|org_acme_corp");

    project.expect_error("tenant create acme_corp", "tenant-exists");
    let (code, accepted) = project.json("tenant create acme_corp --if-not-exists");
    assert_eq!((code, &accepted["existing"][0]["version"]), (0, &"1.0.4".into()));
    let id = project.db.value("SELECT id::text FROM datalinx_platform.organizations");
    assert_eq!(accepted["existing"][0]["id"], id.as_str());
    // A command that changed nothing has no row.
    let runs = "SELECT count(*)::text FROM datalinx_platform.run WHERE command LIKE '%tenant create%'";
    assert_eq!(project.db.value(runs), "1");
}

#[test]
fn a_name_may_hold_anything() {
    let project = Project::with_tenants(&[]);
    let name = r#"Müller & "Söhne"; DROP SCHEMA datalinx_platform CASCADE; -- it's \ 🦀 $$"#;
    let _made = project.run_words(["tenant", "create", "mueller", "--name", name]).ok();
    assert_eq!(project.db.value("SELECT name FROM datalinx_platform.organizations"), name);
    let (_, list) = project.json("tenant list");
    assert_eq!(list["tenants"][0]["name"], name);
}

#[test]
fn a_list_reports_each_invalid_line() {
    let project = Project::with_tenants(&["there"]);
    let list = "slug,name\r\nacme,\"Acme, \"\"the\"\" Inc.\"\r\nretail,\r\nacme,twice\r\nBad-Slug,\r\nthere,\r\nlast,Last\r\n";
    project.file("list.csv", list);
    assert_snapshot!(project.run("tenant create --from list.csv"), @r#"
    exit code: 4
    ----- stdout -----

    ----- stderr -----
    error[tenant-exists]: the tenant acme already exists
     = help: choose another slug, or accept it with --if-not-exists

    error[slug-invalid]: "Bad-Slug" is not a slug: a slug is a lower-case letter followed by lower-case letters, digits and _
     = help: for example: acme_corp; give the full name with --name

    error[tenant-exists]: the tenant there already exists
     = help: choose another slug, or accept it with --if-not-exists

    created acme  org_acme  at 1.0.4  id UUID
    created retail  org_retail  at 1.0.4  id UUID
    created last  org_last  at 1.0.4  id UUID
    3 created, 0 existing, 3 failed
    "#);
    assert_snapshot!(registry(&project), @r#"
    acme|Acme, "the" Inc.|org_acme
    last|Last|org_last
    retail|retail|org_retail
    there|there|org_there
    "#);

    let (code, result) = project.json("tenant create --from list.csv --if-not-exists");
    let slugs = |key: &str| -> Vec<String> {
        result[key]
            .as_array()
            .unwrap()
            .iter()
            .map(|tenant| tenant["slug"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!((code, slugs("created")), (4, vec![]));
    assert_eq!(slugs("existing"), ["acme", "retail", "acme", "there", "last"]);
    assert_eq!(
        (slugs("failures"), &result["failures"][0]["code"]),
        (vec!["Bad-Slug".to_owned()], &"slug-invalid".into())
    );
}

#[test]
fn a_list_comes_from_stdin_too() {
    let project = Project::with_tenants(&[]);
    let output = project.run_with_input("tenant create --from - --format json", &csv(&["a", "b"])).ok();
    let document: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(document["created"].as_array().map(Vec::len), Some(2));
    let wrong = project.run_with_input("tenant create --from -", "slug,colour\nc,red\n");
    assert_eq!(wrong.code, 2);
    let none = project.run_with_input("tenant create --from -", "Slug-1,\n");
    assert_eq!(none.code, 2);
    assert_eq!(registry(&project), "a|a|org_a\nb|b|org_b");
}

#[test]
fn a_list_in_which_everything_is_wrong_failed() {
    let project = Project::with_tenants(&[]);
    let output = project.run_with_input("tenant create --from -", &csv(&["Bad", "pg", "1a"]));
    assert_eq!(output.code, 4, "{output}");
    let output = project.run_with_input("tenant create --from -", &csv(&["Bad", "1a"]));
    assert_eq!(output.code, 1, "{output}");
    assert_eq!(registry(&project), "pg|pg|org_pg");
}

#[test]
fn there_may_be_more_than_one_template() {
    let project = Project::with_tenants(&["usual"]);
    project.file(
        "tenant_templates/small/1.sql",
        "-- Template: v1.0.4\nCREATE TABLE workspaces (id int PRIMARY KEY);\nINSERT INTO workspaces VALUES (1);",
    );
    let _small = project.run("tenant create tiny --template small").ok();
    let _listed = project
        .run_with_input("tenant create --from - --template small", "slug,template\nx,\ny,default\n")
        .ok();
    let templates = "SELECT concat_ws(' ', schema_name, template, version) FROM datalinx_platform.tenant_version ORDER BY 1";
    assert_snapshot!(project.db.column(templates).join("\n"), @"
    org_tiny small 1.0.4
    org_usual default 1.0.4
    org_x small 1.0.4
    org_y default 1.0.4
    ");
    assert_eq!(project.db.value("SELECT id::text FROM org_tiny.workspaces"), "1");
    project.expect_error("tenant create z --template large", "template-missing");
}

#[test]
fn create_needs_a_migrated_platform() {
    let project = Project::seeds();
    assert_snapshot!(project.run("tenant create acme"), @"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    error[not-migrated]: the platform schema datalinx_platform is at 0.0.0 and has no organizations
     = help: run `tenure migrate up` first
    ");
    assert_eq!(
        project.db.value("SELECT count(*)::text FROM pg_namespace WHERE nspname ~ '^(org|data)'"),
        "0"
    );
    project.file("tenant_templates/default/000.sql", "-- Template: v1.0.4\nCREATE TABLE first (id int);");
    let first =
        std::fs::read_to_string(project.dir.path().join("tenant_templates/default/010_workspaces.sql"));
    project.file(
        "tenant_templates/default/010_workspaces.sql",
        first.unwrap().replace("-- Template: v1.0.0", ""),
    );
    let _at_1_0_1 = project.run("migrate up --to 1.0.1").ok();
    project.expect_error("tenant create acme", "not-migrated");
    assert_eq!(registry(&project), "");
}

#[test]
fn the_registry_may_have_other_names() {
    let project = Project::empty();
    project.file(
        "tenure.toml",
        "[platform]\nschema = \"control\"\n[tenants]\nregistry = \"customers\"\nschema_prefix = \"c_\"\n\
         [tenants.columns]\nid = \"key\"\nname = \"title\"\nslug = \"short name\"\nschema = \"space\"\n",
    );
    project.migration(
        "0.0.0",
        "1.0.0",
        "control",
        "CREATE TABLE control.customers (key uuid PRIMARY KEY, title text NOT NULL, \"short name\" text UNIQUE, space text);",
    );
    project.file("tenant_templates/default/1.sql", "-- Template: v1.0.0\nCREATE TABLE things (id int);");
    project.migration("1.0.0", "1.0.1", "colour", "ALTER TABLE things ADD COLUMN colour text;");
    let _migrated = project.run("migrate up").ok();
    let _made = project.run_words(["tenant", "create", "acme", "--name", "Acme"]).ok();
    let row = "SELECT concat_ws('|', title, \"short name\", space, length(key::text)) FROM control.customers";
    assert_eq!(project.db.value(row), "Acme|acme|c_acme|36");
    let (_, shown) = project.json("tenant show acme");
    assert_eq!((&shown["name"], &shown["version"]), (&"Acme".into(), &"1.0.1".into()));
    let (_, result) = project.json("migrate up --tenant acme");
    assert_eq!(result["outcome"], "nothing");
}

#[test]
fn a_row_of_the_registry_without_a_version_is_shown_and_never_migrated() {
    let project = Project::with_tenants(&["known"]);
    project.db.run(
        "CREATE SCHEMA org_other; CREATE TABLE org_other.workspaces (id int);
         INSERT INTO datalinx_platform.organizations (name, slug, schema_name) VALUES ('Other', 'other', 'org_other')",
    );
    project.migration("1.0.4", "1.0.5", "more", "ALTER TABLE workspaces ADD COLUMN more int;");
    let before = project.db.dump_of("org_other");
    let (_, result) = project.json("migrate up");
    assert_eq!((&result["tenants"]["migrated"], &result["outcome"]), (&1.into(), &"done".into()));
    assert_eq!(project.db.dump_of("org_other"), before);
    assert_snapshot!(project.run("status --tenants"), @"
    exit code: 0
    ----- stdout -----
    platform  datalinx_platform  1.0.5  up to date
    tenants   2, 1 current, 1 unknown

    slug   schema     version  status
    known  org_known  1.0.5    active
    other  org_other  –        unknown

    ----- stderr -----
    ");
    assert_snapshot!(project.run("tenant create other --if-not-exists"), @"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    error[tenant-exists]: other is in the registry, but its version is unknown
     = help: the schema was not created by Tenure: make it a tenant with `tenure tenant adopt`
    ");
    project.expect_error("migrate up --tenant other", "tenant-unknown");
}

#[test]
fn a_schema_that_is_there_already_is_left_alone() {
    let project = Project::with_tenants(&[]);
    project.db.run("CREATE SCHEMA org_acme; CREATE TABLE org_acme.precious (id int)");
    let before = project.db.dump_of("org_acme");
    project.expect_error("tenant create acme --if-not-exists", "tenant-exists");
    assert_eq!(project.db.dump_of("org_acme"), before);
    assert_eq!(registry(&project), "");
}

#[test]
fn a_tenant_made_late_is_the_same_as_one_made_early() {
    if needs_the_server_itself("a step runs alone") {
        return;
    }
    let project = Project::seeds();
    let _at_1_0_0 = project.run("migrate up --to 1.0.0").ok();
    project.create(&["early"]);
    project.migration(
        "1.0.4",
        "1.0.5",
        "tags",
        "CREATE TABLE {org_schema}.tags (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, \
         workspace_id uuid REFERENCES workspaces(id), label text DEFAULT 'of {org_schema}', CHECK (label <> ''));\n\
         CREATE TABLE datalinx_platform.plans (id int);\n\
         CREATE VIEW {org_schema}.labels AS SELECT label FROM {org_schema}.tags;\n\
         INSERT INTO {org_schema}.tags (label) VALUES ('first');",
    );
    project.migration(
        "1.0.5",
        "1.0.6",
        "index",
        "CREATE INDEX CONCURRENTLY tag_labels ON tags (lower(label));\nCREATE INDEX CONCURRENTLY IF NOT EXISTS jobs ON {org_schema}.pipeline_jobs (job_type);",
    );
    project.migration(
        "1.0.6",
        "1.0.7",
        "trigger",
        "-- Allow: create-trigger because a test\n\
         CREATE FUNCTION {org_schema}.touch() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.label := '{org_schema}'; RETURN NEW; END$$;\n\
         CREATE TRIGGER touch BEFORE UPDATE ON tags FOR EACH ROW EXECUTE FUNCTION {org_schema}.touch();\n\
         COMMENT ON TABLE {org_schema}.tags IS 'tags';",
    );
    let _newest = project.run("migrate up").ok();
    project.create(&["late_as_can_be"]);
    assert_eq!(project.versions(), "platform 1.0.7, early 1.0.7, late_as_can_be 1.0.7");
    assert_eq!(project.db.dump_of("org_late_as_can_be"), project.db.dump_of("org_early"));
    let (_, left) = project.json("migrate up");
    assert_eq!(left["outcome"], "nothing");
}
