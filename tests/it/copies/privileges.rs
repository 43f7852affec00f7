//! Rights of a copy: those that were the original's, on a server that has other roles, or the same ones.

use super::state;
use crate::support::Project;

/// The seeds' project with roles, whose names are this database's own.
fn isolated() -> Project {
    let project = Project::seeds();
    settings(&project, &project.db.name);
    project.run("migrate up").passes();
    project
}

fn settings(project: &Project, prefix: &str) {
    project.file("tenure.toml", format!("[tenants]\nroles = true\nrole_prefix = \"{prefix}_\"\n"));
}

/// Roles outlive their database.
fn drop_roles(project: &Project) {
    let roles = format!("SELECT rolname::text FROM pg_roles WHERE rolname ^@ '{}_'", project.db.name);
    for role in project.db.column(&roles) {
        project.db.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    }
}

/// The rights that the schema's later objects will have, and who gives them: `owner kind: rights`.
fn later(project: &Project, schema: &str) -> Vec<String> {
    project.db.column(&format!(
        "SELECT concat_ws(' ', defaclrole::regrole, defaclobjtype, a.grantee::regrole, string_agg(a.privilege_type, ',' ORDER BY 1)) \
         FROM pg_default_acl, aclexplode(defaclacl) a WHERE defaclnamespace = '{schema}'::regnamespace \
         GROUP BY defaclrole, defaclobjtype, a.grantee ORDER BY 1"
    ))
}

#[test]
fn import_grants_as_the_importing_role() {
    let project = isolated();
    let boss = format!("{}_Boss", project.db.name);
    project.db.run(&format!("CREATE ROLE \"{boss}\" LOGIN SUPERUSER"));
    let url = project.db.url_as(&boss);
    project.run(&format!("--database-url {url} tenant create one")).passes();
    project.run("tenant create two").passes();
    project.run("tenant export one --to one.tenure").passes();
    // A server where the owner is not known.
    let gone = format!("ALTER ROLE \"{boss}\" RENAME TO {}_gone", project.db.name);
    project.db.run(&gone);
    project.run("tenant import one.tenure --as three").passes();
    let (two, three) = (later(&project, "org_two"), later(&project, "org_three"));
    assert_eq!(two.join("\n").replace("org_two", "org_three"), three.join("\n"));
    assert_eq!(project.json("tenant audit").0, 0, "{}", project.run("tenant audit"));
    project.db.run(&format!("DROP OWNED BY {0}_gone CASCADE; DROP ROLE {0}_gone", project.db.name));
    drop_roles(&project);
}

#[test]
fn later_grants_of_another_role_are_not_copied() {
    let project = isolated();
    project.create(&["one"]);
    let (etl, own) = (format!("{}_etl", project.db.name), format!("{}_org_one", project.db.name));
    project.db.run(&format!(
        "CREATE ROLE {etl}; ALTER DEFAULT PRIVILEGES FOR ROLE {etl} IN SCHEMA org_one GRANT SELECT ON TABLES TO {own}; \
         ALTER DEFAULT PRIVILEGES FOR ROLE {etl} IN SCHEMA org_one GRANT USAGE ON TYPES TO {own}"
    ));
    project.run("tenant export one --to one.tenure").passes();
    project.run("tenant import one.tenure --as two").passes();
    let found = later(&project, "org_two");
    assert!(!found.iter().any(|line| line.contains(&own)), "{found:?}");
    // A role that has gone is named before anything.
    project.db.run(&format!("DROP OWNED BY {etl}; DROP ROLE {etl}"));
    let before = state(&project);
    let refused = project.run("tenant import one.tenure --as three");
    assert!(refused.stderr.contains("error[import-needs]") && refused.stderr.contains(&etl), "{refused}");
    assert_eq!(state(&project), before);
    drop_roles(&project);
}

#[test]
fn a_tenant_of_the_pool_has_the_rights_of_one_that_was_made_at_once() {
    let project = isolated();
    project.file(
        "tenant_templates/default/900.sql",
        "CREATE FUNCTION {org_schema}.f() RETURNS int LANGUAGE sql AS 'SELECT 1';\n\
         CREATE AGGREGATE {org_schema}.total (int) (sfunc = int4pl, stype = int);\n\
         CREATE PROCEDURE {org_schema}.p() LANGUAGE sql AS 'SELECT 1';\n\
         CREATE TYPE {org_schema}.mood AS ENUM ('ok');\nCREATE DOMAIN {org_schema}.part AS int;\n\
         CREATE TABLE {org_schema}.parted (id int) PARTITION BY LIST (id);\nCREATE TABLE {org_schema}.one PARTITION OF parted FOR VALUES IN (1);\n\
         CREATE VIEW v AS SELECT 1 AS a;\nCREATE MATERIALIZED VIEW m AS SELECT 1 AS a;\nCREATE TABLE counted (id serial, b int GENERATED ALWAYS AS IDENTITY);\n\
         REVOKE EXECUTE ON FUNCTION {org_schema}.f() FROM PUBLIC;",
    );
    project.create(&["one"]);
    project.run("tenant pool fill 1").passes();
    project.create(&["two"]);
    assert_eq!(project.db.dump_of("org_two"), project.db.dump_of("org_one"));
    let (code, cloned) = project.json("tenant clone one three");
    assert_eq!((code, &cloned["access"]), (0, &serde_json::json!([])), "{cloned}");
    assert_eq!(project.db.dump_of("org_three"), project.db.dump_of("org_one"));
    drop_roles(&project);
}
