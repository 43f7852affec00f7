//! A schema that was made by other means becomes a tenant, if it is what the files make at the version said.

use insta::assert_snapshot;
use serde_json::Value;

use crate::support::{Project, Session};

/// A schema as the tool made it, and metadata that do not list it.
fn made_by_others(slugs: &[&str]) -> Project {
    let project = Project::with_tenants(slugs);
    project.db.run(
        "DELETE FROM datalinx_platform.tenant_version; DELETE FROM datalinx_platform.organizations; \
         DELETE FROM datalinx_platform.migration_history WHERE schema_name LIKE 'org_%'",
    );
    project
}

/// The metadata rows of tenants: slugs, version rows, history.
fn metadata_rows(project: &Project) -> Vec<String> {
    project.db.column(
        "SELECT concat_ws(' ', 'registry', slug, schema_name, name) FROM datalinx_platform.organizations \
         UNION ALL SELECT concat_ws(' ', 'version', schema_name, version, template, status) FROM datalinx_platform.tenant_version \
         UNION ALL SELECT concat_ws(' ', 'history', schema_name, from_version, to_version, name, kind) \
             FROM datalinx_platform.migration_history WHERE schema_name <> 'datalinx_platform' ORDER BY 1",
    )
}

fn leftovers(project: &Project) -> String {
    project.db.value("SELECT count(*)::text FROM pg_namespace WHERE nspname LIKE 'tenure%'")
}

fn code(document: &Value) -> &str {
    document["error"]["code"].as_str().unwrap_or_default()
}

#[test]
fn a_schema_that_is_what_the_files_make_becomes_a_tenant() {
    let project = made_by_others(&["acme"]);
    assert_snapshot!(project.run_words(["tenant", "adopt", "org_acme", "--slug", "acme", "--version", "1.0.4", "--name", "Acme, Inc."]), @"
    exit code: 0
    ----- stdout -----
    adopted acme  org_acme  at 1.0.4  id UUID

    ----- stderr -----
    ");
    assert_snapshot!(metadata_rows(&project).join("\n"), @"
    history org_acme 0.0.0 1.0.4 default adopt
    registry acme org_acme Acme, Inc.
    version org_acme 1.0.4 default active
    ");
    assert_eq!(leftovers(&project), "0");
    let runs = "SELECT concat_ws(' ', command, outcome, counts->>'slug') FROM datalinx_platform.run WHERE command ~ 'adopt'";
    assert_eq!(project.db.column(runs), ["tenure tenant adopt done acme"]);
    project.migration("1.0.4", "1.0.5", "note", "ALTER TABLE workspaces ADD COLUMN note text;");
    let (code, migrated) = project.json("migrate up");
    assert_eq!((code, &migrated["tenants"]["migrated"]), (0, &1.into()));
    let (code, drift) = project.json("drift");
    assert_eq!((code, &drift["tenants"]["same"]), (0, &1.into()));
    let (exit, again) = project.json("tenant adopt org_acme --slug acme --version 1.0.5");
    assert_eq!((exit, self::code(&again)), (1, "tenant-exists"));
}

#[test]
fn a_schema_that_is_not_is_refused_with_what_is_different() {
    let project = made_by_others(&["acme"]);
    project
        .db
        .run("ALTER TABLE org_acme.workspaces ADD COLUMN colour text; DROP INDEX org_acme.idx_jobs_status");
    let before = project.db.dump(&["--schema-only"]);
    assert_snapshot!(project.run("tenant adopt org_acme --slug acme --version 1.0.4"), @r#"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    org_acme
      table pipeline_jobs: index removed: idx_jobs_status
      table workspaces: column added: colour text
    error[adopt-differs]: the schema org_acme differs from the template "default" at 1.0.4: 2 differences
     = help: correct the schema, give its version, or accept the differences with --force
    "#);
    let (exit, document) = project.json("tenant adopt org_acme --slug acme --version 1.0.4");
    assert_eq!((exit, code(&document)), (1, "adopt-differs"));
    assert_eq!(document["differences"][1]["change"], "column added: colour text");
    assert!(metadata_rows(&project).is_empty(), "{:?}", metadata_rows(&project));
    assert!(project.db.dump(&["--schema-only"]) == before);
    let (exit, document) = project.json("tenant adopt org_acme --slug acme --version 1.0.4 --force");
    assert_eq!((exit, document["differences"].as_array().map(Vec::len)), (0, Some(2)));
    assert_eq!((&document["outcome"], &document["tenant"]["slug"]), (&"done".into(), &"acme".into()));
    assert_eq!(project.versions(), "platform 1.0.4, acme 1.0.4");
}

#[test]
fn adopt_reports_owners_and_privileges_without_refusing() {
    let project = made_by_others(&["acme"]);
    let role = format!("reader_{}", project.db.name);
    project.db.run(&format!("CREATE ROLE {role}; GRANT SELECT ON org_acme.workspaces TO {role}"));
    let output = project.run("tenant adopt org_acme --slug acme --version 1.0.4").ok();
    assert!(
        output
            .stdout
            .starts_with(&format!("note: table workspaces: privileges added: {role}: SELECT\nadopted acme")),
        "{output}"
    );
    project.db.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
fn an_older_schema_is_adopted_at_its_version_and_migrated_from_there() {
    let project = made_by_others(&["acme"]);
    project.migration("1.0.4", "1.0.5", "note", "ALTER TABLE workspaces ADD COLUMN note text;");
    project.run("migrate up").passes();
    let (exit, wrong) = project.json("tenant adopt org_acme --slug acme --version 1.0.5");
    assert_eq!((exit, code(&wrong)), (1, "adopt-differs"), "{wrong}");
    project.run("tenant adopt org_acme --slug acme --version 1.0.4").passes();
    assert_eq!(project.versions(), "platform 1.0.5, acme 1.0.4");
    project.run("migrate up").passes();
    assert_eq!(project.versions(), "platform 1.0.5, acme 1.0.5");
    project.run("drift").passes();
}

#[test]
fn a_registry_row_without_a_version_keeps_what_it_says() {
    let project = Project::with_tenants(&["acme", "other"]);
    project.db.run("DELETE FROM datalinx_platform.tenant_version WHERE schema_name = 'org_acme'");
    let id = project.db.value("SELECT id::text FROM datalinx_platform.organizations WHERE slug = 'acme'");
    for (line, wanted) in [
        ("tenant adopt org_acme --slug acme2 --version 1.0.4", "slug-invalid"),
        ("tenant adopt org_acme --slug other --version 1.0.4", "slug-invalid"),
        ("tenant adopt legacy --slug other --version 1.0.4", "tenant-exists"),
        ("tenant adopt org_ghost --slug ghost --version 1.0.4", "schema-unknown"),
        ("tenant adopt public --slug acme --version 1.0.4", "schema-name-reserved"),
        ("tenant adopt datalinx_platform --slug acme --version 1.0.4", "schema-name-reserved"),
        ("tenant adopt org_acme --slug Acme --version 1.0.4", "slug-invalid"),
        ("tenant adopt org_acme --slug acme --version 1.0.4 --template none", "template-missing"),
    ] {
        let (_, document) = project.json(line);
        assert_eq!(code(&document), wanted, "{line}: {document}");
    }
    let (exit, adopted) = project.json("tenant adopt org_acme --slug acme --version 1.0.4");
    assert_eq!((exit, &adopted["tenant"]["id"]), (0, &id.into()), "{adopted}");
}

#[test]
fn only_a_version_that_the_tenant_can_be_at_is_accepted() {
    let project = made_by_others(&["acme"]);
    project.migration("1.0.4", "1.0.5", "note", "ALTER TABLE workspaces ADD COLUMN note text;");
    for (version, wanted) in [
        ("9.9.9", "version-not-in-chain"),
        ("1.0.5", "not-migrated"),
        ("0.0.0", "version-not-in-chain"),
        ("one", "usage"),
    ] {
        let (_, document) = project.json(&format!("tenant adopt org_acme --slug acme --version {version}"));
        assert_eq!(code(&document), wanted, "{version}: {document}");
    }
    assert!(metadata_rows(&project).is_empty());
}

#[test]
fn a_schema_may_have_a_name_of_its_own() {
    let project = made_by_others(&["acme"]);
    project.db.run(r#"ALTER SCHEMA org_acme RENAME TO "3f2a ""Legacy"" 'x'""#);
    let name = r#"3f2a "Legacy" 'x'"#;
    let words = ["tenant", "adopt", name, "--slug", "acme", "--version", "1.0.4"];
    project.run_words(words).passes();
    assert_eq!(project.db.value("SELECT schema_name FROM datalinx_platform.tenant_version"), name);
    project.migration("1.0.4", "1.0.5", "note", "ALTER TABLE workspaces ADD COLUMN note text;");
    project.run("migrate up").passes();
    let (code, drift) = project.json("drift");
    assert_eq!((code, &drift["tenants"]["same"]), (0, &1.into()), "{drift}");
}

#[test]
fn adopt_needs_force_where_the_files_cannot_make_the_tenant() {
    let project = made_by_others(&["acme"]);
    project.db.run("DROP TABLE datalinx_platform.users CASCADE");
    let (exit, document) = project.json("tenant adopt org_acme --slug acme --version 1.0.4");
    assert_eq!((exit, code(&document)), (1, "unit-failed"), "{document}");
    assert!(document["error"]["file"].as_str().unwrap().starts_with("tenant_templates/"), "{document}");
    assert!(metadata_rows(&project).is_empty());
    let (exit, document) = project.json("tenant adopt org_acme --slug acme --version 1.0.4 --force");
    assert_eq!(exit, 0, "{document}");
    assert!(
        document["differences"][0]["change"].as_str().unwrap().starts_with("not compared: "),
        "{document}"
    );
}

#[test]
fn adopt_obeys_the_lock_timeout() {
    let project = made_by_others(&["acme"]);
    let holder = Session::holding(&project.db, "LOCK TABLE datalinx_platform.users IN ROW EXCLUSIVE MODE");
    let line = "tenant adopt org_acme --slug acme --version 1.0.4 --lock-timeout 200ms";
    let (exit, document) = project.json(line);
    assert_eq!((exit, &document["error"]["sqlstate"]), (1, &"55P03".into()), "{document}");
    assert!(metadata_rows(&project).is_empty());
    holder.release();
    assert_eq!(leftovers(&project), "0");
    project.run(line).passes();
}

#[test]
fn of_two_who_adopt_at_once_one_does() {
    let project = made_by_others(&["acme"]);
    let line = "tenant adopt org_acme --slug acme --version 1.0.4 --format json";
    let holder = Session::holding(&project.db, "SELECT FROM datalinx_platform.schema_version FOR UPDATE");
    let both = [project.start(line), project.start(line)];
    project.db.wait_for_waiting(2);
    holder.release();
    let mut codes: Vec<i32> = both.into_iter().map(|running| running.end().code).collect();
    codes.sort_unstable();
    assert_eq!(codes, [0, 1]);
    assert_eq!(metadata_rows(&project).len(), 3, "{:?}", metadata_rows(&project));
}

#[test]
fn a_schema_that_has_been_through_a_dump_is_the_same() {
    let project = made_by_others(&["acme"]);
    // What PostgreSQL prints of it is not what it printed before.
    let index = "SELECT pg_get_indexdef('org_acme.idx_jobs_status'::regclass)";
    let before = project.db.value(index);
    let dump = project.db.dump(&["--schema-only", "--schema", "org_acme", "--no-owner"]);
    project.db.run("DROP SCHEMA org_acme CASCADE");
    project.db.run(&dump);
    assert_ne!(project.db.value(index), before);
    project.run("tenant adopt org_acme --slug acme --version 1.0.4").passes();
    project.run("drift").passes();
}
