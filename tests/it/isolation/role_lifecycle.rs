//! A tenant's role goes through the tenant's whole life with it, and is made with it by whatever way it is made.

use serde_json::Value;

use super::server::PasswordServer;
use super::{drop_roles, fleet, lines, with_roles};
use crate::support::Project;

/// The tenants' roles of this database, those of templates left out.
fn roles(project: &Project) -> Vec<String> {
    project.db.column(
        "SELECT rolname::text FROM pg_roles WHERE rolname !~ '_platform_' AND shobj_description(oid, 'pg_authid') \
         = 'tenure: of database ' || current_database() ORDER BY 1",
    )
}

fn expect_isolation(project: &Project) {
    let (code, document) = project.json("tenant audit");
    assert_eq!((code, lines(&document)), (0, Vec::new()), "{document:#}");
}

fn password(created: &Value) -> String {
    created["created"][0]["password"].as_str().unwrap().to_owned()
}

#[test]
fn a_role_is_renamed_put_aside_brought_back_and_deleted_with_its_tenant() {
    let isolated = PasswordServer::start();
    let project = &isolated.project;
    project.file("tenure.toml", "[tenants]\nroles = true\n");
    project.file("tenant_templates/default/005_uses.sql", "-- Uses: users (select)\n");
    project.run("migrate up").passes();
    let secret = password(&project.json("tenant create acme --login").1);
    project.run("tenant rename acme globex").passes();
    assert_eq!(roles(project), ["org_globex"]);
    assert!(isolated.login("org_acme", &secret).is_err());
    let mut session = isolated.login("org_globex", &secret).unwrap();
    session.run("SELECT * FROM org_globex.workspaces; SELECT * FROM datalinx_platform.users").unwrap();
    expect_isolation(project);
    // Put aside: nobody works in it.
    let (code, dropped) = project.json("tenant drop globex --confirm globex");
    assert_eq!((code, &dropped["role"], &dropped["sessions"]["ended"]), (0, &"org_globex".into(), &1.into()));
    assert!(session.is_ended() && isolated.login("org_globex", &secret).is_err());
    assert_eq!(roles(project), ["org_globex"]);
    expect_isolation(project);
    // Its slug is free, and so is what the next tenant's role is called.
    let next = password(&project.json("tenant create globex --login").1);
    isolated
        .login("org_globex", &next)
        .unwrap()
        .run("INSERT INTO org_globex.workspaces (name) VALUES ('x')")
        .unwrap();
    let both = roles(project);
    assert!(both.len() == 2 && both[0].starts_with("dropped_") && both[1] == "org_globex", "{both:?}");
    expect_isolation(project);
    project.run("tenant undrop globex --as initech").passes();
    assert_eq!(roles(project), ["org_globex", "org_initech"]);
    let mut session = isolated.login("org_initech", &secret).unwrap();
    session.run("SELECT * FROM org_initech.workspaces").unwrap();
    assert!(session.run("SELECT * FROM org_globex.workspaces").is_err());
    expect_isolation(project);
    // Who was suspended stays so.
    project.run("tenant suspend initech").passes();
    project.run("tenant drop initech --confirm initech").passes();
    project.run("tenant undrop initech").passes();
    assert!(isolated.login("org_initech", &secret).is_err());
    project.run("tenant resume initech").passes();
    assert!(isolated.login("org_initech", &secret).is_ok());
    expect_isolation(project);
    // What a role owns outside is not deleted with it, and then nothing is; its rights are.
    project.run("tenant drop initech --confirm initech").passes();
    project.db.run(
        "GRANT SELECT ON datalinx_platform.organizations TO org_initech; CREATE TABLE public.kept (id int); \
         ALTER TABLE public.kept OWNER TO org_initech",
    );
    let tables = "SELECT count(*)::text FROM pg_tables WHERE schemaname ~ '^dropped_'";
    let before = project.db.value(tables);
    let (code, refused) = project.json("tenant drop --purge --now --yes");
    assert_eq!((code, &refused["failures"][0]["code"]), (1, &"tenant-in-use".into()), "{refused}");
    let said = refused["failures"][0]["message"].as_str().unwrap();
    assert!(said.contains("table public.kept"), "{said}");
    assert!(before != "0" && project.db.value(tables) == before, "{before}");
    project.db.run("DROP TABLE public.kept");
    project.run("tenant drop --purge --now --yes").passes();
    assert_eq!(roles(project), ["org_globex"]);
    expect_isolation(project);
}

#[test]
fn rename_refuses_a_role_name_of_another() {
    let project = fleet();
    let other = format!("{}_org_four", project.db.name);
    project.db.run(&format!("CREATE ROLE {other}"));
    let before = project.db.dump(&["--exclude-table=datalinx_platform.run"]);
    project.expect_error("tenant rename one four", "role-exists");
    assert!(project.db.dump(&["--exclude-table=datalinx_platform.run"]) == before);
    project.db.run(&format!("DROP ROLE {other}"));
    project.run("tenant rename one four").passes();
    expect_isolation(&project);
    drop_roles(&project);
}

#[test]
fn whatever_way_a_tenant_is_made_it_gets_its_role() {
    let project = fleet();
    let db = project.db.name.clone();
    let role = |schema: &str| format!("{db}_{schema}");
    // Out of the pool.
    project.run("tenant pool fill 1").passes();
    let (code, created) = project.json("tenant create pooled");
    assert_eq!((code, &created["created"][0]["role"]), (0, &role("org_pooled").into()), "{created}");
    assert_eq!(
        project
            .db
            .value("SELECT count(*)::text FROM datalinx_platform.tenant_version WHERE status = 'pooled'"),
        "0"
    );
    expect_isolation(&project);
    // A copy of another.
    project.run("tenant clone one copied --data").passes();
    let (_, shown) = project.json("tenant show copied");
    assert_eq!(shown["role"], role("org_copied"), "{shown}");
    expect_isolation(&project);
    // Out of a file, while the original is there, and when it is gone with its role.
    project.run("tenant export two --to two.tenure").passes();
    project.run("tenant import two.tenure --as again").passes();
    expect_isolation(&project);
    project.run("tenant drop two --confirm two").passes();
    project.run("tenant drop --purge two --now --confirm two").passes();
    assert!(!roles(&project).contains(&role("org_two")));
    project.run("tenant import two.tenure --as anew").passes();
    assert!(!roles(&project).contains(&role("org_two")), "a role that was lent is gone");
    project.run("tenant import two.tenure").passes();
    expect_isolation(&project);
    // A schema that others made.
    project.db.run(
        "DELETE FROM datalinx_platform.tenant_version WHERE schema_name = 'org_three'; \
         DELETE FROM datalinx_platform.organizations WHERE slug = 'three'; ALTER SCHEMA org_three RENAME TO org_five",
    );
    project.run("tenant adopt org_five --slug five --version 1.0.4").passes();
    assert!(roles(&project).contains(&role("org_five")));
    project.db.run(&format!("DROP OWNED BY {0}; DROP ROLE {0}", role("org_three")));
    expect_isolation(&project);
    let missing = "SELECT count(*)::text FROM datalinx_platform.tenant_version WHERE role IS NULL";
    assert_eq!(project.db.value(missing), "0");
    assert_eq!(project.json("drift").0, 0, "{}", project.run("drift"));
    drop_roles(&project);
}

#[test]
fn a_tenant_that_is_taken_back_leaves_no_role() {
    let project = Project::with_tenants(&[]);
    with_roles(&project);
    let settings = format!("[tenants]\nroles = true\nrole_prefix = \"{}_\"\n", project.db.name);
    project.file("tenure.toml", format!("{settings}after_create = [\"false\"]\n"));
    project.expect_error("tenant create acme --login", "hook-failed");
    assert_eq!(roles(&project), Vec::<String>::new());
    project.file("tenure.toml", settings);
    project.run("tenant create acme").passes();
    expect_isolation(&project);
    drop_roles(&project);
}
