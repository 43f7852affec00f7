//! What the settings and the templates say about roles, and roles that are there already.

use super::{drop_roles, isolated};
use crate::support::{Database, Project};

#[test]
fn a_role_owns_nothing_and_has_what_it_needs() {
    let project = isolated();
    let (code, created) = project.json("tenant create acme");
    let role = format!("{}_org_acme", project.db.name);
    assert_eq!((code, &created["created"][0]["role"]), (0, &role.as_str().into()), "{created}");
    assert_eq!(created["created"][0]["password"], serde_json::Value::Null);
    let is = |what: &str| {
        project.db.value(&format!("SELECT ({what})::text FROM pg_roles WHERE rolname = '{role}'"))
    };
    for power in ["rolsuper", "rolcreaterole", "rolcreatedb", "rolcanlogin", "rolreplication", "rolbypassrls"]
    {
        assert_eq!(is(power), "false", "{power}");
    }
    assert_eq!(
        is("EXISTS (SELECT FROM pg_shdepend WHERE refobjid = pg_roles.oid AND deptype = 'o')"),
        "false"
    );
    assert_eq!(is("has_schema_privilege(oid, 'org_acme', 'USAGE')"), "true");
    assert_eq!(is("has_schema_privilege(oid, 'org_acme', 'CREATE')"), "false");
    assert_eq!(is("has_schema_privilege(oid, 'datalinx_platform', 'USAGE')"), "false");
    let public = "SELECT count(*)::text FROM pg_namespace, aclexplode(nspacl) WHERE nspname = 'org_acme' AND grantee = 0";
    assert_eq!(project.db.value(public), "0");
    // The tenant and its role are made together or not at all, also where only the end fails.
    project.db.run(
        "CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not this one'; END $$; \
         CREATE CONSTRAINT TRIGGER t AFTER INSERT ON datalinx_platform.organizations DEFERRABLE INITIALLY DEFERRED \
         FOR EACH ROW EXECUTE FUNCTION fails()",
    );
    let failed = project.run("tenant create late");
    assert!(failed.code == 1 && failed.stderr.contains("not this one"), "{failed}");
    let roles = format!("SELECT count(*)::text FROM pg_roles WHERE rolname = '{}_org_late'", project.db.name);
    assert_eq!(project.db.value(&roles), "0");
    drop_roles(&project);
}

#[test]
fn a_role_that_others_made_is_refused() {
    let project = isolated();
    let role = format!("{}_org_acme", project.db.name);
    project.db.run(&format!("CREATE ROLE {role}"));
    let refused = project.run("tenant create acme");
    assert_eq!(refused.code, 1);
    insta::assert_snapshot!(refused.to_string().replace(&project.db.name, "DB"), @r"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    error[role-exists]: creating org_acme: the role DB_org_acme is there already (Tenure did not make it)
     = note: SQLSTATE TNR01
     = help: roles belong to the whole server: if several of its databases have this tenant, set [tenants] role_prefix in tenure.toml; otherwise drop the role
    ");
    assert_eq!(project.versions(), "platform 1.0.4");
    // One of another database of the server, with the same prefix.
    let other = Database::fresh();
    project.db.run(&format!("COMMENT ON ROLE {role} IS 'tenure: of database {}'", other.name));
    let (_, refused) = project.json("tenant create acme");
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(message.contains(&other.name), "{message}");
    // One that an earlier database of this name left behind is used again.
    project.db.run(&format!("COMMENT ON ROLE {role} IS 'tenure: of database {}'", project.db.name));
    project.db.run(&format!("ALTER ROLE {role} LOGIN PASSWORD 'old'"));
    project.run("tenant create acme").passes();
    let login = format!("SELECT rolcanlogin::text FROM pg_roles WHERE rolname = '{role}'");
    assert_eq!(project.db.value(&login), "false");
    // But not one that has powers, or is another tenant's.
    project.db.run(&format!(
        "CREATE ROLE {role}2 CREATEDB; COMMENT ON ROLE {role}2 IS 'tenure: of database {}'",
        project.db.name
    ));
    let (_, refused) = project.json("tenant create acme2");
    assert_eq!(refused["error"]["code"], "role-exists", "{refused}");
    drop_roles(&project);
}

#[test]
fn without_the_setting_no_roles_are_made() {
    let project = Project::with_tenants(&["acme"]);
    let refused = project.run("tenant create other --login");
    assert_eq!(refused.code, 2, "{refused}");
    project.expect_error("tenant login acme", "tenant-without-role");
    let (_, created) = project.json("tenant create other");
    assert_eq!(created["created"][0].as_object().unwrap().len(), 4, "{created}");
    let (code, suspended) = project.json("tenant suspend acme");
    assert_eq!((code, &suspended["role"]), (0, &serde_json::Value::Null), "{suspended}");
}

#[test]
fn a_template_says_what_of_the_platform_its_tenants_use() {
    let project = isolated();
    project.create(&["before"]);
    let uses = |text: &str| {
        project.file("tenant_templates/default/005_uses.sql", text);
    };
    for (line, why) in [
        ("users (grant)", "\"grant\" is not a privilege"),
        ("users", "expected `-- Uses: table (select, insert)`"),
        ("workspaces (select)", "the platform's migrations create no table or view workspaces"),
        ("other.users (select)", "other.users is not a table of the platform schema"),
        ("tenant_version (select)", "tenant_version belongs to Tenure"),
    ] {
        uses(&format!("-- Uses: {line}\n"));
        let wrong = project.expect_error("template check", "header-invalid");
        assert!(wrong["error"]["message"].as_str().unwrap().contains(why), "{line}: {wrong}");
        assert_eq!(wrong["error"]["line"], 1);
    }
    uses("-- Uses: users (select)\n-- Uses: audit_log (insert, select)\n");
    project.run("tenant create after").passes();
    let role = |slug: &str| format!("{}_org_{slug}", project.db.name);
    let may = |slug: &str, table: &str, right: &str| {
        let role = role(slug);
        project.db.value(&format!(
            "SELECT (has_schema_privilege('{role}', 'datalinx_platform', 'USAGE') \
             AND has_table_privilege('{role}', 'datalinx_platform.{table}', '{right}'))::text"
        )) == "true"
    };
    assert!(may("after", "users", "SELECT") && may("after", "audit_log", "INSERT"));
    assert!(!may("after", "users", "UPDATE") && !may("after", "organizations", "SELECT"));
    assert!(!may("before", "users", "SELECT"));
    // The lines go along into a new version of the template.
    project.run("template squash").passes();
    let squashed = std::fs::read_dir(project.dir.path().join("tenant_templates/default_v1.0.4")).unwrap();
    let texts: String = squashed.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    assert!(texts.contains("-- Uses: \"audit_log\" (select, insert)\n"), "{texts}");
    drop_roles(&project);
}

#[test]
fn temporary_tenants_leave_no_roles() {
    let project = isolated();
    project.create(&["one"]);
    let roles = || project.db.column("SELECT rolname::text FROM pg_roles ORDER BY 1").join(" ");
    project.migration("1.0.4", "1.0.5", "more", "ALTER TABLE workspaces ADD COLUMN more int;");
    let shadow = Database::fresh();
    let before = roles();
    let own = |all: &str| {
        all.split(' ').filter(|role| role.contains("sample") || role.contains("reference")).count()
    };
    assert_eq!(own(&before), 0, "{before}");
    project.run_words(["verify", "--shadow-url", &shadow.url]).passes();
    project.run("verify --shadow").passes();
    assert_eq!(own(&roles()), 0);
    drop_roles(&project);
}

#[test]
fn tenants_with_roles_are_no_drift() {
    let project = isolated();
    project.file("tenant_templates/default/005_uses.sql", "-- Uses: users (select)\n");
    project.create(&["one"]);
    let (code, alone) = project.json("drift");
    assert_eq!((code, &alone["tenants"]["same"]), (0, &1.into()), "{alone}");
    assert_eq!(alone["references"][0]["access"], "files", "{alone}");
    project.create(&["two", "three"]);
    project.migration(
        "1.0.4",
        "1.0.5",
        "more",
        "-- Scope: tenant\nCREATE TABLE more (id serial PRIMARY KEY);",
    );
    project.run("migrate up").passes();
    project.create(&["four"]);
    let (code, same) = project.json("drift");
    assert_eq!((code, &same["tenants"]["same"]), (0, &4.into()), "{same}");
    project.db.run(&format!("REVOKE DELETE ON org_two.more FROM {}_org_two", project.db.name));
    let (code, drifted) = project.json("drift");
    assert_eq!((code, drifted["differences"].as_array().unwrap().len()), (1, 1), "{drifted}");
    assert_eq!(drifted["differences"][0]["object"], "table more");
    drop_roles(&project);
}
