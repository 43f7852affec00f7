//! `tenant restore`: a tenant is as it was at its export, under its own name and ID, and nothing is lost of what it was before.

use super::{rows, runs, state, with_everything};
use crate::support::Project;

const ID: &str = "SELECT id::text || ' ' || slug || ' ' || schema_name FROM datalinx_platform.organizations";

/// The schemas of dropped tenants.
fn dropped(project: &Project) -> Vec<String> {
    project.db.column("SELECT nspname::text FROM pg_namespace WHERE nspname ~ '^dropped_' ORDER BY 1")
}

#[test]
fn a_tenant_is_restored_in_place() {
    let project = with_everything();
    project.run("tenant export alpha --to alpha.tenure").passes();
    let (exported, id) = (rows(&project.db, "org_alpha"), project.db.value(ID));
    project.db.run("DELETE FROM org_alpha.notes; UPDATE org_alpha.people SET name = 'other'; DROP TABLE org_alpha.audit CASCADE");
    let changed = rows(&project.db, "org_alpha");
    project.run("tenant suspend alpha").passes();
    let (code, restored) = project.json("tenant restore alpha --from alpha.tenure");
    assert_eq!((code, &restored["rows"], &restored["behind"]), (0, &26.into(), &false.into()), "{restored}");
    assert_eq!(restored["tenant"]["status"], "suspended");
    assert_eq!((rows(&project.db, "org_alpha"), project.db.value(ID)), (exported.clone(), id));
    let aside = dropped(&project);
    assert_eq!((aside.len(), &restored["dropped_schema"]), (1, &aside[0].as_str().into()));
    assert_eq!(rows(&project.db, &aside[0]), changed);
    project.run("drift").passes();
    assert_eq!(runs(&project, "restore"), ["tenure tenant restore done alpha"]);
    // Again, while a schema is aside.
    project.run("tenant restore alpha --from alpha.tenure").passes();
    assert_eq!(dropped(&project).len(), 2);
    project.run("tenant drop alpha --purge --now --confirm alpha").passes();
    assert_eq!(dropped(&project), Vec::<String>::new());
    assert_eq!(rows(&project.db, "org_alpha"), exported);
    project.run("drift").passes();
    project.run("migrate up").passes();
}

#[test]
fn it_keeps_the_version_of_the_file() {
    let project = Project::with_tenants(&["alpha", "beta"]);
    project.db.run("INSERT INTO org_alpha.workspaces (name) VALUES ('before')");
    project.run("tenant export alpha --to alpha.tenure").passes();
    project.migration("1.0.4", "1.0.5", "note", "ALTER TABLE workspaces ADD COLUMN note text;");
    project.run("migrate up").passes();
    project.db.run("UPDATE org_alpha.workspaces SET name = 'after'");
    let output = project.run("tenant restore alpha --from alpha.tenure").ok();
    assert!(
        output.stdout.ends_with("it is behind the platform: tenure migrate up --tenant alpha\n"),
        "{output}"
    );
    let versions = || project.versions().replace(&format!(", {} 1.0.5", dropped(&project)[0]), "");
    assert_eq!(versions(), "platform 1.0.5, alpha 1.0.4, beta 1.0.5");
    project.run("migrate up --tenant alpha").passes();
    assert_eq!(versions(), "platform 1.0.5, alpha 1.0.5, beta 1.0.5");
    assert_eq!(project.db.column("SELECT name FROM org_alpha.workspaces"), ["before"]);
    project.run("drift").passes();
}

#[test]
fn missing_rows_of_shared_tables_are_listed_and_nothing_changes() {
    let project = Project::seeds();
    project.without_rules();
    project.file(
        "tenant_templates/default/900_visits.sql",
        "CREATE TABLE {org_schema}.visits (guest uuid REFERENCES datalinx_platform.users (id), host uuid REFERENCES datalinx_platform.users (id));",
    );
    project.run("migrate up").passes();
    project.create(&["alpha"]);
    project.db.run(
        "INSERT INTO datalinx_platform.users (id, email) SELECT ('1111111' || n || '-1111-4111-8111-111111111111')::uuid, n || '@example.org' FROM generate_series(1, 4) n; \
         INSERT INTO org_alpha.visits SELECT id, id FROM datalinx_platform.users; \
         INSERT INTO org_alpha.visits SELECT id, NULL FROM datalinx_platform.users; \
         INSERT INTO org_alpha.pipeline_jobs (job_type, created_by) SELECT 'x', id FROM datalinx_platform.users LIMIT 1",
    );
    project.run("tenant export alpha --to alpha.tenure").passes();
    project.db.run("TRUNCATE org_alpha.visits, org_alpha.pipeline_jobs; DELETE FROM datalinx_platform.users WHERE email < '4'");
    let before = (state(&project), rows(&project.db, "org_alpha"));
    for command in ["tenant restore alpha --from alpha.tenure", "tenant import alpha.tenure --as beta"] {
        let document = project.expect_error(command, "import-needs");
        let message = document["error"]["message"].as_str().unwrap();
        for part in [
            "visits (guest) refers to 3 missing rows of datalinx_platform.users",
            "visits (host) refers to 3 missing rows of datalinx_platform.users",
            "pipeline_jobs (created_by) refers to 1 missing row of datalinx_platform.users",
        ] {
            assert!(message.contains(part), "{message}");
        }
        assert!(!message.contains("11111111"), "no value of a row is shown: {message}");
        assert_eq!((state(&project), rows(&project.db, "org_alpha")), before);
    }
}

#[test]
fn only_the_export_of_the_same_tenant_is_accepted() {
    let project = Project::with_tenants(&["alpha", "beta"]);
    project.db.run("INSERT INTO org_alpha.workspaces (name) VALUES ('w')");
    project.run("tenant export alpha --to alpha.tenure").passes();
    project.run("tenant import alpha.tenure --as copy").passes();
    let before = state(&project);
    for slug in ["beta", "copy"] {
        let document =
            project.expect_error(&format!("tenant restore {slug} --from alpha.tenure"), "export-invalid");
        assert!(
            document["error"]["hint"].as_str().unwrap().contains("tenant import FILE --as SLUG"),
            "{document}"
        );
    }
    project.expect_error("tenant restore nobody --from alpha.tenure", "tenant-unknown");
    project.expect_error("tenant restore alpha --from nothing", "io");
    assert_eq!(state(&project), before);
    // Under its new name, and another tenant may have the old one.
    project.run("tenant rename alpha omega").passes();
    project.create(&["alpha"]);
    project.db.run("DELETE FROM org_omega.workspaces");
    project.run("tenant restore omega --from alpha.tenure").passes();
    assert_eq!(project.db.column("SELECT name FROM org_omega.workspaces"), ["w"]);
    assert_eq!(project.db.value("SELECT count(*)::text FROM org_alpha.workspaces"), "0");
    project.run("drift").passes();
}

#[test]
fn the_role_stays_with_the_tenant() {
    let project = Project::seeds();
    let prefix = format!("{}_", project.db.name);
    project.file("tenure.toml", format!("[tenants]\nroles = true\nrole_prefix = \"{prefix}\"\n"));
    project.run("migrate up").passes();
    project.run("tenant create alpha --login").passes();
    project.run("tenant export alpha --to alpha.tenure").passes();
    project.run("tenant restore alpha --from alpha.tenure").passes();
    let role = format!("{prefix}org_alpha");
    let may = |schema: &str| {
        let sql =
            format!("SELECT has_table_privilege('{role}', '{schema}.workspaces', 'SELECT, INSERT')::text");
        project.db.value(&sql)
    };
    let aside = dropped(&project).remove(0);
    assert_eq!((may("org_alpha").as_str(), may(&aside).as_str()), ("true", "false"));
    let login = format!("SELECT rolcanlogin::text FROM pg_roles WHERE rolname = '{role}'");
    assert_eq!(project.db.value(&login), "true");
    let held =
        "SELECT concat_ws(' ', role, login) FROM datalinx_platform.tenant_version WHERE role IS NOT NULL";
    assert_eq!(project.db.column(held), [format!("{role} t")]);
    project.run("tenant audit").passes();
}
