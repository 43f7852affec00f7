//! Settings of the registry: a condition on its rows, slugs with hyphens, columns that cannot be one, and what `doctor` says.

use serde_json::json;

use crate::registries::{NAMES, REGISTRY, error, project, registry_checks, unmigrated};
use crate::support::Project;

#[test]
fn rows_outside_of_the_condition_are_no_tenants() {
    let settings = "where = \"schema_name <> 'public' AND NOT is_internal OR schema_name IS NULL\"";
    let project =
        project(&format!("id serial PRIMARY KEY, is_internal boolean DEFAULT false, {NAMES}"), settings);
    project.db.run(&format!(
        "INSERT INTO {REGISTRY} (name, slug, schema_name, is_internal) VALUES ('P', 'platform', 'public', false), \
         ('I', 'internal', 'org_internal', true)"
    ));
    let (_, status) = project.json("status --tenants");
    assert_eq!((&status["tenants"]["total"], &status["list"]), (&json!(0), &json!([])), "{status}");
    project.db.run(&format!("INSERT INTO {REGISTRY} (name, slug) VALUES ('A', 'acme')"));
    let (exit, created) = project.json("tenant create --from-registry");
    assert_eq!((exit, created["created"].as_array().map(Vec::len)), (0, Some(1)), "{created}");
    let (_, status) = project.json("status --tenants");
    assert_eq!(
        (&status["tenants"]["total"], &status["list"][0]["slug"]),
        (&json!(1), &json!("acme")),
        "{status}"
    );
    assert_eq!(project.json("tenant list").1["tenants"].as_array().unwrap().len(), 1);
    let text = project.run("migrate up").ok().stdout;
    assert!(text.starts_with("nothing to do"), "{text}");
    assert!(!project.run("migrate up").ok().stderr.contains("without a version"));
    assert_eq!(project.json("drift").1["tenants"]["total"], 1);
    project.expect_error("tenant show platform", "tenant-unknown");
    // The excluded row keeps its slug.
    let document = project.expect_error("tenant create internal", "tenant-exists");
    assert!(error(&document).2.contains("[tenants] where"), "{document}");
    project.run("tenant rename acme acme2").passes();
    project.run("tenant drop acme2 --confirm acme2").passes();
    assert!(project.run("tenant drop acme2 --purge --now --confirm acme2").code == 0);
    assert_eq!(project.db.value(&format!("SELECT count(*)::text FROM {REGISTRY}")), "2");
}

#[test]
fn a_condition_cannot_leave_its_parentheses() {
    for text in [
        "true); DROP TABLE x; SELECT (true",
        "true) OR (true",
        "true;",
        "true UNION SELECT 1",
        "true -- ",
        "true /*",
        "'open",
        "schema_name = $1",
        "true FOR UPDATE",
        "id IN (WITH d AS (DELETE FROM x RETURNING id) SELECT id FROM d)",
    ] {
        let project = Project::seeds();
        project.file("tenure.toml", format!("[tenants]\nwhere = {}\n", toml_string(text)));
        let document = project.expect_error("status", "settings");
        assert!(error(&document).1.contains("is not one SQL expression"), "{text}: {document}");
        assert_eq!(document["error"]["file"], "tenure.toml", "{document}");
    }
    // No boolean, and no column.
    for text in ["1", "nothing = 1", "count(*) > 1"] {
        let project = project(&format!("id serial PRIMARY KEY, {NAMES}"), "");
        let settings = std::fs::read_to_string(project.dir.path().join("tenure.toml")).unwrap();
        project.file(
            "tenure.toml",
            settings.replace("[tenants]\n", &format!("[tenants]\nwhere = {}\n", toml_string(text))),
        );
        for line in ["status", "tenant list", "migrate up", "tenant create acme"] {
            let document = project.expect_error(line, "registry-invalid");
            assert!(error(&document).2.contains("where"), "{text}: {line}: {document}");
        }
        let (exit, document) = project.json("doctor");
        assert_eq!(exit, 1, "{document}");
        assert!(registry_checks(&document)[0].starts_with("fail "), "{document}");
    }
}

fn toml_string(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

#[test]
fn a_slug_may_have_hyphens() {
    let project = project(&format!("id serial PRIMARY KEY, {NAMES}"), "slug = \"dns\"");
    let (exit, created) = project.json("tenant create acme-corp");
    assert_eq!((exit, &created["created"][0]["schema"]), (0, &json!("org_acme_corp")), "{created}");
    let document = project.expect_error("tenant create acme_corp", "tenant-exists");
    assert!(error(&document).2.contains("belongs to the slug acme-corp"), "{document}");
    for wrong in ["-acme", "acme-", "Acme-Corp", "acme.corp"] {
        let output = project.run_words(["tenant", "create", "--", wrong]);
        assert!(output.code == 1 && output.stderr.contains("slug-invalid"), "{wrong}: {output}");
    }
    project.run_with_input("tenant create --from -", "slug\nb-c\nd--e\n").passes();
    let output = project.run_with_input("tenant create --from -", "slug\nx-y\nx_y\n");
    assert!(output.code == 4 && output.stderr.contains("1 created"), "{output}");
    project.run("tenant show acme-corp").passes();
    project.run("tenant rename b-c b-d").passes();
    assert_eq!(error(&project.json("tenant rename b-d acme_corp").1).0, "tenant-exists");
    assert_eq!(error(&project.json("tenant clone b-d acme_corp").1).0, "tenant-exists");
    project.run("tenant clone b-d b-e").passes();
    project.run("tenant export b-e --to e.tenure").passes();
    project.run("tenant drop b-e --confirm b-e").passes();
    project.run("tenant undrop b-e").passes();
    project.run("tenant drop b-e --confirm b-e").passes();
    project.run("tenant drop b-e --purge --now --confirm b-e").passes();
    project.run("tenant import e.tenure").passes();
    project.db.run("CREATE SCHEMA org_f_g; CREATE TABLE org_f_g.items (id int PRIMARY KEY)");
    project.run("tenant adopt org_f_g --slug f-g --version 1.0.0").passes();
    project.db.run(&format!("INSERT INTO {REGISTRY} (name, slug) VALUES ('H', 'h-i')"));
    project.run("tenant create --from-registry").passes();
    project.next_migration("ALTER TABLE {org_schema}.items ADD COLUMN note text;");
    project.run("migrate up --tenant acme-corp").passes();
    project.run("migrate up").passes();
    assert_eq!(project.json("drift").0, 0);
    // Without the setting, a new slug has none.
    let plain = Project::with_tenants(&[]);
    let document = plain.expect_error("tenant create acme-corp", "slug-invalid");
    assert!(error(&document).2.contains("slug = \"dns\""), "{document}");
    plain.run("tenant create acme_corp").passes();
    plain.expect_error("tenant rename acme_corp acme-corp", "slug-invalid");
    plain.expect_error("tenant clone acme_corp acme-copy", "slug-invalid");
}

#[test]
fn settings_that_cannot_work_are_refused() {
    for (columns, message) in [
        ("schema = \"name\"", "tenants.columns.name and tenants.columns.schema are both \"name\""),
        ("id = \"schema_name\"", "tenants.columns.id and tenants.columns.schema are both \"schema_name\""),
        ("status = \"slug\"", "tenants.columns.status and tenants.columns.slug are both \"slug\""),
    ] {
        let project = Project::seeds();
        project.file("tenure.toml", format!("[tenants.columns]\n{columns}\n"));
        let document = project.expect_error("status", "settings");
        assert!(error(&document).1.starts_with(message), "{columns}: {document}");
    }
    let project = Project::seeds();
    project.file("tenure.toml", "[tenants]\nslug = \"dns\"\n[tenants.columns]\nslug = \"schema_name\"\n");
    let _refused = project.expect_error("status", "settings");
}

#[test]
fn doctor_names_the_table_and_the_column() {
    let check = |columns: &str, settings: &str, sql: &str| {
        let project = unmigrated(&format!("CREATE TABLE {REGISTRY} ({columns});"), settings);
        let (exit, document) = project.json("doctor");
        assert!(
            exit == 1
                || registry_checks(&document)
                    == ["ok datalinx_platform.organizations does not exist yet: a migration creates it"]
                || !settings.is_empty(),
            "{document}"
        );
        project.run("migrate up").passes();
        if !sql.is_empty() {
            project.db.run(sql);
        }
        let (_, document) = project.json("doctor");
        registry_checks(&document)
    };
    let usual = format!("id serial PRIMARY KEY, {NAMES}");
    let insert = |values: &str| format!("INSERT INTO {REGISTRY} (name, slug, schema_name) VALUES {values}");
    assert_eq!(
        check(&usual, "", &insert("('A', 'a', NULL)")),
        ["ok datalinx_platform.organizations, a table, with 1 row, 1 of them without a schema"]
    );
    assert_eq!(
        check(&usual, "registry = \"orgs\"", ""),
        ["fail the table datalinx_platform.orgs does not exist"]
    );
    assert_eq!(
        check(&usual, "[tenants.columns]\nslug = \"code\"", ""),
        ["fail the registry datalinx_platform.organizations has no column code"]
    );
    let loose = "id serial PRIMARY KEY, name text, slug text, schema_name text";
    assert_eq!(
        check(loose, "", &insert("('A', NULL, 'org_a'), ('B', 'b', 'org_b'), ('C', 'b', 'org_b')")),
        [
            "fail the column slug of datalinx_platform.organizations is NULL in 1 row",
            "fail the column slug of datalinx_platform.organizations has \"b\" in several rows",
            "fail the column schema_name of datalinx_platform.organizations has \"org_b\" in several rows",
        ]
    );
    assert_eq!(
        check(loose, "", ""),
        [
            "warn the column slug of datalinx_platform.organizations has no unique index, so two rows may have one slug"
        ]
    );
    assert_eq!(
        check(
            &usual,
            "registry = \"accounts\"",
            "CREATE SCHEMA billing; CREATE TABLE billing.accounts (id int)"
        ),
        ["fail the table datalinx_platform.accounts does not exist"]
    );
    // NULL is no crash anywhere.
    let project = project(loose, "");
    project.db.run(&insert("('A', NULL, 'org_a'), ('B', NULL, NULL), ('C', 'c', NULL)"));
    for line in
        ["status --tenants", "tenant list", "tenant create c", "tenant create d", "drift", "migrate up"]
    {
        let (exit, document) = project.json(line);
        assert_eq!(exit, 0, "{line}: {document}");
    }
    let document = project.expect_error("tenant create --from-registry", "registry-invalid");
    assert!(error(&document).1.contains("the column slug is NULL"), "{document}");
}
