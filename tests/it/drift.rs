//! Every tenant's schema is what its version says, or `tenure drift` names what is not.

use serde_json::{Value, json};

use crate::support::Project;

const TRIGGER: &str = "-- Scope: tenant\n-- Allow: create-trigger because nobody writes yet\nCREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$\nBEGIN\n  NEW.updated_at := now();\n  RETURN NEW;\nEND\n$$;\n\
    CREATE TRIGGER stamp BEFORE UPDATE ON workspaces FOR EACH ROW EXECUTE FUNCTION stamp();";

/// The differences as lines: `org_a: table t: column removed: x`.
fn lines(document: &Value) -> Vec<String> {
    let text = |line: &Value, key: &str| line[key].as_str().unwrap().to_owned();
    let lines = document["differences"].as_array().unwrap().iter();
    lines
        .map(|line| format!("{}: {}: {}", text(line, "schema"), text(line, "object"), text(line, "change")))
        .collect()
}

#[test]
fn drift_names_exactly_the_manual_changes() {
    let project = Project::seeds();
    project.migration("1.0.4", "1.0.5", "stamp", TRIGGER);
    project.run("migrate up").passes();
    let tenants =
        ["added", "body", "commented", "defaults", "granted", "gone", "index", "off", "tidy", "twin"];
    project.create(&tenants);
    let (code, document) = project.json("drift");
    let expected = json!({
        "outcome": "done",
        "tenants": {"total": 10, "same": 10, "different": 0},
        "platform": {"state": "same"},
        "differences": [],
        "references": [{"version": "1.0.5", "template": "default", "tenants": 10, "definitions": "files", "access": "files"}],
    });
    assert_eq!((code, document), (0, expected));
    let role = format!("clerk_{}", project.db.name);
    project.db.run(&format!(
        "ALTER TABLE org_added.workspaces ADD COLUMN colour text NOT NULL DEFAULT 'red'; \
         CREATE OR REPLACE FUNCTION org_body.stamp() RETURNS trigger LANGUAGE plpgsql AS $$\nBEGIN\n  RETURN NEW;\nEND\n$$; \
         COMMENT ON TABLE org_commented.mappings IS 'by hand'; \
         ALTER TABLE org_defaults.mappings ALTER COLUMN status SET DEFAULT 'final'; \
         CREATE ROLE {role}; GRANT SELECT ON org_granted.workspaces TO {role}; \
         DROP SCHEMA org_gone CASCADE; \
         DROP INDEX org_index.idx_jobs_status; \
         ALTER TABLE org_off.workspaces DISABLE TRIGGER stamp; \
         ALTER TABLE org_twin.workspaces ADD COLUMN colour text NOT NULL DEFAULT 'red';"
    ));
    let (code, document) = project.json("drift");
    assert_eq!(code, 1);
    assert_eq!(document["tenants"], json!({"total": 10, "same": 1, "different": 9}));
    let clerk = format!("org_granted: table workspaces: privileges added: {role}: SELECT");
    assert_eq!(
        lines(&document),
        [
            "org_added: table workspaces: column added: colour text",
            "org_body: function stamp(): body changed, first in its line 3",
            "org_commented: table mappings: comment added: by hand",
            "org_defaults: table mappings: column status: default changed from 'draft'::character varying to 'final'::character varying",
            "org_gone: schema: removed",
            &clerk,
            "org_index: table pipeline_jobs: index removed: idx_jobs_status",
            "org_off: table workspaces: trigger stamp: not enabled",
            "org_twin: table workspaces: column added: colour text",
        ]
    );
    let human = project.run("drift --tenant tidy --tenant twin --tenant added");
    assert_eq!(human.code, 1, "{human}");
    insta::assert_snapshot!(human.stdout, @r"
    org_added, org_twin
      table workspaces: column added: colour text

    3 tenants, 1 as expected, 2 different
    ");
    project.run("drift --tenant tidy").passes();
    let nobody = project.run("drift --tenant nobody");
    assert_eq!(nobody.code, 1, "{nobody}");
    assert!(nobody.stderr.contains("tenant-unknown"), "{nobody}");
    project.db.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
fn a_tenant_is_compared_with_the_version_that_it_is_at() {
    let project = Project::with_tenants(&["ahead", "behind", "odd"]);
    project.migration("1.0.4", "1.0.5", "more", "ALTER TABLE workspaces ADD COLUMN more int;");
    project.run("migrate up --tenant ahead").passes();
    let (code, document) = project.json("drift");
    assert_eq!((code, &document["tenants"]), (0, &json!({"total": 3, "same": 3, "different": 0})));
    let versions: Vec<_> = document["references"]
        .as_array()
        .unwrap()
        .iter()
        .map(|with| with["version"].as_str().unwrap())
        .collect();
    assert_eq!(versions, ["1.0.4", "1.0.5"]);
    // What the next version brings is a difference all the same, where it came by hand.
    project.db.run("ALTER TABLE org_odd.workspaces ADD COLUMN more int; ALTER TABLE org_ahead.workspaces DROP COLUMN more;");
    let (code, document) = project.json("drift");
    assert_eq!(code, 1);
    assert_eq!(
        lines(&document),
        [
            "org_ahead: table workspaces: column removed: more",
            "org_odd: table workspaces: column added: more integer"
        ]
    );
}

#[test]
fn without_a_private_server_the_tenants_are_compared_with_each_other() {
    let project = Project::with_tenants(&["one", "two", "three"]);
    project.db.run("DROP INDEX org_two.idx_sources_workspace");
    let blind = [("TENURE_PG_BINDIR", "/nowhere")];
    let output = project.run_env(&blind, "drift");
    assert_eq!(output.code, 1, "{output}");
    let major = project.db.major();
    assert_eq!(
        output.stdout.replace(&format!("PostgreSQL {major}"), "PostgreSQL N"),
        "org_two\n  table data_sources: index removed: idx_sources_workspace\n\n\
         note: at 1.0.4, schemas were compared with the majority of tenants: PostgreSQL N is not installed here\n\
         3 tenants, 2 as expected, 1 different; the platform schema is as expected\n"
    );
}

#[test]
fn drift_reports_files_that_fail_on_an_empty_database() {
    let project = Project::with_tenants(&["one", "two"]);
    project.migration(
        "1.0.4",
        "1.0.5",
        "needs",
        "SELECT 1 / (SELECT count(*)::int FROM datalinx_platform.organizations);",
    );
    project.run("migrate up").passes();
    let (code, document) = project.json("drift");
    assert_eq!((code, &document["tenants"]["same"]), (0, &json!(2)));
    assert_eq!(document["references"][0]["definitions"], "majority");
    assert_eq!(
        document["references"][0]["because"],
        "on an empty database, v1.0.4_to_v1.0.5_needs.sql on datalinx_platform: division by zero"
    );
}

#[test]
fn privileges_that_a_server_gives_to_all_are_no_difference() {
    let project = Project::with_tenants(&[]);
    let role = format!("looker_{}", project.db.name);
    project.db.run(&format!("CREATE ROLE {role}; ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {role}"));
    project.create(&["one", "two", "three"]);
    let (code, document) = project.json("drift");
    assert_eq!((code, &document["references"][0]["access"]), (0, &json!("majority")), "{document}");
    project.db.run(&format!("REVOKE SELECT ON org_two.mappings FROM {role}"));
    let (code, document) = project.json("drift");
    assert_eq!(code, 1);
    assert_eq!(lines(&document), [format!("org_two: table mappings: privileges removed: {role}: SELECT")]);
    project.db.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
fn files_may_rely_on_roles_that_they_do_not_make() {
    let project = Project::seeds();
    let role = format!("app_{}", project.db.name);
    project.db.run(&format!("CREATE ROLE {role}"));
    let grant = format!("GRANT SELECT ON workspaces TO {role};");
    project.next_migration(&grant);
    project.run("migrate up").passes();
    project.create(&["one", "two"]);
    project.db.run(&format!("REVOKE SELECT ON org_two.workspaces FROM {role}"));
    let (code, document) = project.json("drift");
    assert_eq!(code, 1, "{document}");
    let with = &document["references"][0];
    assert_eq!((&with["definitions"], &with["access"]), (&json!("files"), &json!("files")), "{document}");
    assert_eq!(lines(&document), [format!("org_two: table workspaces: privileges removed: {role}: SELECT")]);
    project.db.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
fn tenants_without_a_version_are_counted_apart() {
    let project = Project::with_tenants(&["one"]);
    project.db.run("DELETE FROM datalinx_platform.tenant_version");
    let (code, document) = project.json("drift");
    assert_eq!(
        (code, &document["tenants"]),
        (0, &json!({"total": 0, "same": 0, "different": 0, "unknown": 1}))
    );
    assert_eq!(
        project.run("drift").ok().stdout,
        "no tenants to compare; 1 without a version; the platform schema is as expected\n"
    );
}

/// Objects, aliases and texts that have the names of the tenants `ledger`, `unit`, `kind`, `tree`, `note` and `late`.
const NAMED_LIKE_TENANTS: &str = "
CREATE TABLE {org_schema}.org_tree (id integer, parent integer, org_unit integer CHECK (org_unit > 0), CHECK (org_tree IS NOT NULL));
CREATE TABLE {org_schema}.kinds (kind text CHECK (kind IN ('org_kind', 'other')), size integer DEFAULT 1);
COMMENT ON TABLE {org_schema}.kinds IS 'see org_note';
CREATE VIEW {org_schema}.sums AS SELECT org_ledger.id, org_ledger.org_unit FROM org_tree org_ledger
    JOIN (SELECT kind FROM kinds) org_late ON org_late.kind <> 'x' WHERE org_ledger.parent IS NULL;
CREATE VIEW {org_schema}.trees AS SELECT org_tree.id, org_tree.parent FROM org_tree;
CREATE FUNCTION {org_schema}.roots() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM org_tree WHERE parent IS NULL';
";

#[test]
fn a_tenant_named_like_an_object_is_no_drift() {
    let project = Project::seeds();
    project.without_rules();
    project.file("tenant_templates/default/900_named.sql", NAMED_LIKE_TENANTS);
    project.run("migrate up").passes();
    project.create(&["acme", "ledger", "unit", "kind", "tree", "note"]);
    let (code, document) = project.json("drift");
    assert_eq!((code, lines(&document), &document["tenants"]["same"]), (0, vec![], &6.into()), "{document}");
    for line in [
        "tenant clone tree copy",
        "tenant clone ledger other --data",
        "tenant clone acme late",
        "tenant rename ledger book",
        "tenant export unit --to unit.tenure",
        "tenant import unit.tenure --as second",
    ] {
        project.run(line).passes();
    }
    project.run("drift").passes();
    project.db.run(
        "ALTER TABLE org_tree.org_tree ADD COLUMN more text; \
         CREATE OR REPLACE VIEW org_late.trees AS SELECT org_tree.id, org_tree.id AS parent FROM org_late.org_tree; \
         COMMENT ON TABLE org_note.kinds IS 'see org_notes'",
    );
    let (code, document) = project.json("drift");
    let expected = [
        "org_late: view trees: definition changed, first in its line 2",
        "org_note: table kinds: comment changed from see org_note to see org_notes",
        "org_tree: table org_tree: column added: more text",
    ];
    assert_eq!((code, lines(&document)), (1, expected.map(str::to_owned).to_vec()), "{document}");
    assert_eq!(document["tenants"]["different"], 3);
}
