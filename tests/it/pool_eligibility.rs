//! What may be made in advance, and what a tenant still brings to it.

use insta::assert_snapshot;

use crate::support::Project;

fn schemas(project: &Project) -> String {
    project.db.value("SELECT count(*)::text FROM pg_namespace WHERE nspname LIKE 'tenure_pool_%'")
}

#[test]
fn templates_that_store_the_schema_name_are_not_pooled() {
    let project = Project::with_tenants(&[]);
    let file = "tenant_templates/default/900.sql";
    let before = project.db.dump(&[]);
    project.file(
        file,
        "CREATE FUNCTION {org_schema}.f() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM {org_schema}.workspaces';\n\
         CREATE FUNCTION {org_schema}.g() RETURNS text LANGUAGE sql SET search_path FROM CURRENT AS 'SELECT 1::text';\n\
         CREATE TABLE names (schema text DEFAULT '{org_schema}');\n\
         CREATE INDEX {org_schema}_names ON names (schema);\n\
         COMMENT ON TABLE names IS 'of {org_schema}';\n\
         INSERT INTO names VALUES ('about {org_schema}');\n",
    );
    assert_snapshot!(project.run("tenant pool fill 2"), @r#"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    error[not-poolable]: schemas of the template "default" cannot be made in advance: a pool schema is renamed for its tenant, and these do not follow the rename: function f(): body, relation {org_schema}_names, rows of names, table names: comment, table names: default of column schema
     = help: let functions find their tables on the search path, and move statements about the tenant itself into the template's folder after_create
    "#);
    project.file(file, "DO $$ BEGIN INSERT INTO datalinx_platform.users (email) VALUES ('a@b.c'); END $$;");
    assert_snapshot!(project.run("tenant pool fill 2"), @r#"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    error[not-poolable]: schemas of the template "default" cannot be made in advance: a pool schema is renamed for its tenant, and these do not follow the rename: rows of datalinx_platform.users
     = help: let functions find their tables on the search path, and move statements about the tenant itself into the template's folder after_create
    "#);
    project.file(file, "CREATE TABLE me (id uuid);\nINSERT INTO me SELECT id FROM datalinx_platform.organizations WHERE schema_name = '{org_schema}';");
    assert_snapshot!(project.run("tenant pool fill 2"), @r#"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    error[not-poolable]: schemas of the template "default" cannot be made in advance: it reads the registry, where a pool schema has no row: tenant_templates/default/900.sql:2:1
     = help: move statements about the tenant itself into the template's folder after_create
    "#);
    project.file(file, "-- Parameter: plan literal\n-- Parameter: seats literal = '1'\nCREATE TABLE me (a text DEFAULT {plan}, b int DEFAULT {seats});");
    assert_snapshot!(project.run("tenant pool fill 2"), @r#"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    error[not-poolable]: schemas of the template "default" cannot be made in advance: the values of its parameters are not known in advance: plan
     = help: give them a default in their `-- Parameter:` lines; a tenant with another value does not use the pool
    "#);
    project.file(file, "CREATE TABLE {org_schema}.wrong (id uuid REFERENCES nothing);");
    let refused = project.run("tenant pool fill 2");
    assert!(refused.stderr.contains("900.sql:1:"), "{refused}");
    project.remove(file);
    assert_eq!(project.db.dump(&[]), before);
    // Of what a migration brings, nothing is taken until it is proved again.
    let _filled = project.run("tenant pool fill 2").ok();
    project.migration(
        "1.0.4",
        "1.0.5",
        "f",
        "CREATE FUNCTION {org_schema}.f() RETURNS text LANGUAGE sql AS $$ SELECT '{org_schema}' $$;",
    );
    project.file("tenure.toml", "[verify.levels]\nopaque-code = \"warn\"\n");
    assert_snapshot!(project.run("migrate up"), @r#"
    exit code: 0
    ----- stdout -----
    done: the platform went from 1.0.4 to 1.0.5; 0 tenants; 2 units in N ms

    ----- stderr -----
    lowered: verify.levels.opaque-code is warn, the default is deny
    1 file, 1 statement: nothing found
    the pool of the template "default" is not used: schemas of the template "default" cannot be made in advance: a pool schema is renamed for its tenant, and these do not follow the rename: function f(): body
    "#);
    let _made = project.run("tenant create acme").ok();
    assert_eq!(
        (project.db.value("SELECT org_acme.f()"), schemas(&project)),
        ("org_acme".to_owned(), "2".to_owned())
    );
}

#[test]
fn a_tenant_with_its_own_values_is_not_taken_from_the_pool() {
    let project = Project::with_tenants(&[]);
    project.file(
        "tenant_templates/default/900.sql",
        "-- Parameter: plan literal = 'free'\nCREATE TABLE me (a text DEFAULT {plan});",
    );
    project.file(
        "tenant_templates/default/after_create/1.sql",
        "-- Parameter: first literal\nINSERT INTO me SELECT {first} || slug FROM datalinx_platform.organizations WHERE schema_name = '{org_schema}';",
    );
    let _filled = project.run("tenant pool fill 2").ok();
    let _made = project.run("tenant create a --set first=the- --set plan=pro").ok();
    assert_eq!(schemas(&project), "2");
    let _made = project.run("tenant create b --set first=the- --set plan=free").ok();
    assert_eq!(schemas(&project), "1");
    assert_eq!(
        project.db.column("SELECT a FROM org_a.me UNION ALL SELECT a FROM org_b.me"),
        ["the-a", "the-b"]
    );
    let kept = "SELECT string_agg(parameters::text, ' ' ORDER BY schema_name) FROM datalinx_platform.tenant_version \
                WHERE status = 'active'";
    assert_eq!(project.db.value(kept), r#"{"plan": "pro"} {"plan": "free"}"#);
    let (code, drift) = project.json("drift");
    assert_eq!((code, &drift["tenants"]["same"]), (0, &2.into()), "{drift}");
}

#[test]
fn a_tenant_of_the_pool_whose_command_fails_is_taken_back_too() {
    let project = Project::with_tenants(&[]);
    let _filled = project.run("tenant pool fill 2").ok();
    project.file("tenure.toml", "[tenants]\nafter_create = [\"false\"]\n");
    project.expect_error("tenant create acme", "hook-failed");
    project.file("tenure.toml", "[tenants]\nafter_create = [\"true\"]\n");
    let _made = project.run("tenant create acme").ok();
    assert_eq!((project.versions().contains("acme 1.0.4"), schemas(&project)), (true, "0".to_owned()));
    let state = "SELECT status FROM datalinx_platform.tenant_version";
    assert_eq!(project.db.value(state), "active");
}
