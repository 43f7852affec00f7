//! What tenants' roles lack is found and given; a copy of a database gets roles of its own; and who reads an audit.

use super::{drop_roles, fleet, isolated, lines, with_roles};
use crate::support::{Database, Project};

#[test]
fn missing_privileges_are_found_and_granted() {
    let project = Project::with_tenants(&["one", "two"]);
    let (_, refused) = project.json("tenant grant");
    assert_eq!(refused["error"]["code"], "settings");
    with_roles(&project);
    project.file("tenant_templates/default/005_uses.sql", "-- Uses: users (select)\n");
    let (code, document) = project.json("tenant audit");
    let missing = ["role-missing | deny | org_one | schema", "role-missing | deny | org_two | schema"];
    assert_eq!((code, lines(&document)), (1, missing.map(str::to_owned).to_vec()));
    let (code, granted) = project.json("tenant grant one");
    assert_eq!((code, &granted["granted"][0]["schema"]), (0, &"org_one".into()), "{granted}");
    let (code, document) = project.json("tenant audit --tenant one");
    assert_eq!((code, lines(&document), &document["summary"]["tenants"]), (0, Vec::new(), &1.into()));
    let granted = project.run("tenant grant").ok();
    let role = format!("{}_org_two", project.db.name);
    assert_eq!(granted.stdout, format!("granted two  role {role}\n1 granted, 1 unchanged, 0 failed\n"));
    assert_eq!(project.run("tenant grant").ok().stdout, "0 granted, 2 unchanged, 0 failed\n");
    // Another role than the one that made the tenants migrates.
    let other = format!("{}_migrator", project.db.name);
    project.db.run(&format!(
        "CREATE ROLE {other}; GRANT CREATE, USAGE ON SCHEMA org_one TO {other}; SET ROLE {other}; \
         CREATE TABLE org_one.later (id serial); CREATE FUNCTION org_one.f() RETURNS int LANGUAGE sql AS 'SELECT 1'; \
         REVOKE EXECUTE ON FUNCTION org_one.f() FROM PUBLIC; RESET ROLE; \
         REVOKE SELECT ON org_two.workspaces FROM {role}; REVOKE USAGE ON SCHEMA org_two FROM {role}; \
         ALTER DEFAULT PRIVILEGES IN SCHEMA org_two REVOKE DELETE ON TABLES FROM {role}; \
         REVOKE {db}_datalinx_platform_default FROM {role}",
        db = project.db.name,
    ));
    let (code, document) = project.json("tenant audit");
    let expected = [
        "role-lacks | deny | org_one | function f()",
        "role-lacks | deny | org_one | sequence later_id_seq",
        "role-lacks | deny | org_one | table later",
        "role-lacks | deny | org_two | default privileges on tables",
        "role-lacks | deny | org_two | schema",
        "role-lacks | deny | org_two | table users of datalinx_platform",
        "role-lacks | deny | org_two | table workspaces",
    ];
    let lacks: Vec<_> = lines(&document).into_iter().filter(|line| line.starts_with("role-lacks")).collect();
    assert_eq!((code, lacks), (1, expected.map(str::to_owned).to_vec()), "{document:#}");
    project
        .db
        .run(&format!("REASSIGN OWNED BY {other} TO CURRENT_USER; DROP OWNED BY {other}; DROP ROLE {other}"));
    let (code, granted) = project.json("tenant grant");
    assert_eq!((code, granted["granted"].as_array().unwrap().len()), (0, 2), "{granted}");
    let (code, document) = project.json("tenant audit");
    assert_eq!((code, lines(&document)), (0, Vec::new()), "{document:#}");
    assert_eq!(
        project
            .db
            .value(&format!("SELECT has_table_privilege('{role}', 'org_two.workspaces', 'SELECT')::text")),
        "true"
    );
    drop_roles(&project);
}

#[test]
fn a_copy_of_a_database_gets_roles_of_its_own() {
    let project = isolated();
    project.create(&["one"]);
    let original = project.db.name.clone();
    let copied = Database::copy_of(&project.db);
    let mut copy = Project::seeds();
    copy.db = copied;
    copy.file("tenure.toml", format!("[tenants]\nroles = true\nrole_prefix = \"{original}_\"\n"));
    let (code, document) = copy.json("tenant audit");
    let expected = format!("role-elsewhere | deny | org_one | role {original}_org_one");
    assert_eq!((code, lines(&document)), (1, vec![expected]), "{document:#}");
    // Nothing is done to the other database's role.
    for verb in ["tenant grant", "tenant login one"] {
        let (code, refused) = copy.json(verb);
        let said = if refused["error"].is_null() {
            &refused["failures"][0]["code"]
        } else {
            &refused["error"]["code"]
        };
        assert_eq!((code, said), (1, &"role-exists".into()), "{verb}: {refused}");
    }
    with_roles(&copy);
    copy.run("tenant grant").passes();
    assert_eq!(copy.json("tenant audit").0, 0, "{}", copy.run("tenant audit"));
    assert_eq!(project.json("tenant audit").0, 0);
    let right = |role: &str| {
        format!("SELECT has_table_privilege('{role}_org_one', 'org_one.workspaces', 'SELECT')::text")
    };
    assert_eq!(copy.db.value(&right(&original)), "false");
    assert_eq!(project.db.value(&right(&original)), "true");
    drop_roles(&copy);
    drop_roles(&project);
}

#[test]
fn people_read_each_finding_once() {
    let project = Project::with_tenants(&["one", "two", "three"]);
    project.db.run(
        "GRANT USAGE ON SCHEMA org_one, org_three TO PUBLIC; \
         CREATE VIEW org_two.v AS SELECT name FROM org_one.workspaces",
    );
    let output = project.run("tenant audit");
    assert_eq!(output.code, 1);
    insta::assert_snapshot!(output.stdout, @r"
    checked 3 tenants: 3 findings are denied.

    error[public-right]: PUBLIC has USAGE on the schema of org_one
    --> schema org_one
     = note: also in 1 other tenant
     = help: REVOKE USAGE ON SCHEMA org_one FROM PUBLIC

    error[cross-tenant-dependency]: in org_two, view v depends on table workspaces of org_one
    --> org_two, view v
     = help: drop the object, and create it again with names of its own schema: write {org_schema}, or no schema

    3 tenants: 3 denied
    ");
    let of_one = project.run("tenant audit --tenant one");
    assert!(of_one.stdout.contains("view v") && of_one.stdout.ends_with("1 tenant: 2 denied\n"), "{of_one}");
    let unknown = project.run("tenant audit --tenant nobody");
    assert!(unknown.code == 1 && unknown.stderr.contains("tenant-unknown"), "{unknown}");
    project
        .file("tenure.toml", "[audit.levels]\npublic-right = \"off\"\ncross-tenant-dependency = \"warn\"\n");
    let (code, document) = project.json("tenant audit");
    assert_eq!(
        (code, lines(&document)),
        (0, vec!["cross-tenant-dependency | warn | org_two | view v".to_owned()])
    );
    project.file("tenure.toml", "[audit.levels]\npublic-rights = \"off\"\n");
    let (code, wrong) = project.json("tenant audit");
    assert_eq!((code, &wrong["error"]["hint"]), (2, &"did you mean public-right?".into()));
}

#[test]
fn a_read_only_role_can_audit() {
    let project = fleet();
    project.db.run("GRANT SELECT ON org_two.workspaces TO PUBLIC; CREATE VIEW org_one.v AS SELECT id FROM org_two.mappings");
    let role = format!("{}_reader", project.db.name);
    project.db.run(&format!(
        "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA datalinx_platform TO {role}; \
         GRANT SELECT ON ALL TABLES IN SCHEMA datalinx_platform TO {role};"
    ));
    let before = project.db.dump(&[]);
    let seen = project.run_env(&[("DATABASE_URL", &project.db.url_as(&role))], "tenant audit");
    assert_eq!((seen.code, seen.stdout), (1, project.run("tenant audit").stdout));
    assert!(project.db.dump(&[]) == before);
    drop_roles(&project);
}

#[test]
fn privileges_on_future_platform_tables_are_granted_later() {
    let project = Project::seeds();
    with_roles(&project);
    project.file(
        "tenant_templates/default/005_uses.sql",
        "-- Uses: users (select)\n-- Uses: audit_log (insert)\n",
    );
    project.run("migrate up --to 1.0.1").passes();
    project.create(&["early", "bird"]);
    assert_eq!(project.run("tenant audit").ok().stdout, "2 tenants: nothing found\n");
    let (_, drifted) = project.json("drift");
    assert_eq!(
        (&drifted["references"][0]["access"], &drifted["tenants"]["same"]),
        (&"files".into(), &2.into())
    );
    project.run("migrate up").passes();
    let (code, document) = project.json("tenant audit");
    let lacks = |schema: &str| format!("role-lacks | deny | {schema} | table audit_log of datalinx_platform");
    assert_eq!((code, lines(&document)), (1, vec![lacks("org_bird"), lacks("org_early")]));
    // The right is held by one role for all tenants of the template.
    project.run("tenant grant early").passes();
    assert_eq!(project.json("tenant audit").0, 0);
    drop_roles(&project);
}
