//! An audit finds a violation at its object, and nothing where there is none.

use serde_json::json;

use tenure::postgres::server::DATABASE;
use tenure::verify::Tool;

use super::{NOT_FOR_ALL, drop_roles, fleet, isolated, lines};
use crate::support::{OwnServer, Project};

/// Plants a violation, sees that exactly these lines are found, and takes it away again.
fn finds(project: &Project, (plant, weed): (&str, &str), expected: &[&str]) {
    let named = |sql: &str| sql.replace("{db}", &project.db.name);
    project.db.run(&named(plant));
    let (code, document) = project.json("tenant audit");
    let expected: Vec<_> = expected.iter().map(|line| named(line)).collect();
    assert_eq!(lines(&document), expected, "{plant}: {document:#}");
    let denies = expected.iter().any(|line| line.contains("| deny |"));
    assert_eq!(code, i32::from(denies), "{plant}");
    project.db.run(&named(weed));
    let (code, document) = project.json("tenant audit");
    assert_eq!((code, lines(&document)), (0, Vec::new()), "after {weed}: {document:#}");
}

#[test]
fn a_clean_fleet_has_no_finding() {
    let project = Project::with_tenants(&["one", "two", "three"]);
    let clean = json!({"outcome": "done", "findings": [], "summary": {"tenants": 3, "deny": 0, "warn": 0, "allowed": 0}});
    assert_eq!(project.json("tenant audit"), (0, clean.clone()));
    assert_eq!(project.run("tenant audit").ok().stdout, "3 tenants: nothing found\n");
    let project = isolated();
    // Names that hold each other, and words of the texts below.
    project.create(&["one", "one_two", "draft"]);
    project.run("tenant suspend one_two").passes();
    project.next_migration("-- Scope: tenant\nCREATE TABLE more (id serial PRIMARY KEY, key int GENERATED ALWAYS AS IDENTITY, \
         kind text DEFAULT 'draft' CHECK (kind <> 'org_one'));\nCREATE VIEW {org_schema}.some AS SELECT id FROM more;\n\
         CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = {org_schema}, pg_temp AS \
         $$ BEGIN EXECUTE 'UPDATE {org_schema}.more SET kind = NULL'; RETURN NEW; END $$;\n\
         CREATE TRIGGER t AFTER INSERT ON more EXECUTE FUNCTION touch();\n\
         CREATE TYPE mood AS ENUM ('ok');\nCREATE POLICY p ON more USING (kind <> 'org_one_two');",
    );
    project.run("migrate up").passes();
    assert_eq!(project.json("tenant audit"), (0, clean));
    drop_roles(&project);
}

/// The examples name roles, which all databases of a server share.
#[test]
fn the_example_of_each_rule_causes_its_finding() {
    let server = OwnServer::start(&[]);
    let project = Project::seeds_in(server.database(DATABASE));
    project.db.run(NOT_FOR_ALL);
    project.db.run("CREATE ROLE support");
    project.file("tenure.toml", "[tenants]\nroles = true\n");
    project.file("tenant_templates/default/005_uses.sql", "-- Uses: users (select)\n");
    project.run("migrate up").passes();
    project.create(&["acme", "globex", "hooli", "initech", "umbrella"]);
    project.run("tenant suspend hooli").passes();
    project.file("tenant_templates/trial/010.sql", "-- Template: v1.0.4\nCREATE TABLE notes (id int);\n");
    project.run("tenant create visitor --template trial").passes();
    for rule in Tool::Audit.rules().chain(Tool::Drift.rules()) {
        match rule.bad.strip_prefix("$ rm -r ") {
            Some(folder) => std::fs::remove_dir_all(project.dir.path().join(folder)).unwrap(),
            None => project.db.run(rule.bad),
        }
    }
    let (_, audit) = project.json("tenant audit");
    let found = lines(&audit);
    let has_finding = |id: &str| found.iter().any(|line| line.starts_with(&format!("{id} | ")));
    let missing: Vec<_> =
        Tool::Audit.rules().map(|rule| rule.id.as_str()).filter(|id| !has_finding(id)).collect();
    assert!(missing.is_empty(), "{missing:?}: {found:#?}");
    let (code, drift) = project.json("drift --tenant acme");
    assert_eq!((code, &drift["differences"][0]["schema"]), (1, &"org_acme".into()), "{drift:#}");
}

#[test]
fn rights_across_tenants_are_found() {
    let project = fleet();
    let found = |plant: &str, weed: &str, expected: &[&str]| finds(&project, (plant, weed), expected);
    found(
        "GRANT USAGE ON SCHEMA org_two TO {db}_org_one",
        "REVOKE USAGE ON SCHEMA org_two FROM {db}_org_one",
        &["cross-tenant-privilege | deny | org_two | schema"],
    );
    found(
        "GRANT SELECT ON org_two.workspaces TO {db}_org_one; GRANT UPDATE (status) ON org_two.mappings TO {db}_org_one",
        "REVOKE SELECT ON org_two.workspaces FROM {db}_org_one; REVOKE UPDATE (status) ON org_two.mappings FROM {db}_org_one",
        &[
            "cross-tenant-privilege | deny | org_two | table mappings: column status",
            "cross-tenant-privilege | deny | org_two | table workspaces",
        ],
    );
    found(
        "ALTER DEFAULT PRIVILEGES IN SCHEMA org_two GRANT SELECT ON TABLES TO {db}_org_one",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA org_two REVOKE SELECT ON TABLES FROM {db}_org_one",
        &["cross-tenant-privilege | deny | org_two | default privileges on tables"],
    );
    // By way of a role that both, or others, are members of.
    found(
        "CREATE ROLE {db}_readers; GRANT SELECT ON org_two.workspaces TO {db}_readers; GRANT {db}_readers TO {db}_org_one",
        "DROP OWNED BY {db}_readers; DROP ROLE {db}_readers",
        &["cross-tenant-privilege | deny | org_two | table workspaces"],
    );
    found(
        "CREATE ROLE {db}_between; GRANT {db}_org_two TO {db}_between; GRANT {db}_between TO {db}_org_one",
        "DROP ROLE {db}_between",
        &["member-across | deny | org_one | role {db}_org_one"],
    );
    found(
        "GRANT {db}_org_two TO {db}_org_one",
        "REVOKE {db}_org_two FROM {db}_org_one",
        &["member-across | deny | org_one | role {db}_org_one"],
    );
    found(
        "GRANT USAGE ON SCHEMA org_two TO PUBLIC; GRANT SELECT ON org_two.workspaces TO PUBLIC; \
         GRANT INSERT (status) ON org_two.mappings TO PUBLIC; \
         ALTER DEFAULT PRIVILEGES IN SCHEMA org_two GRANT SELECT ON TABLES TO PUBLIC",
        "REVOKE USAGE ON SCHEMA org_two FROM PUBLIC; REVOKE SELECT ON org_two.workspaces FROM PUBLIC; \
         REVOKE INSERT (status) ON org_two.mappings FROM PUBLIC; \
         ALTER DEFAULT PRIVILEGES IN SCHEMA org_two REVOKE SELECT ON TABLES FROM PUBLIC",
        &[
            "public-right | deny | org_two | default privileges on tables",
            "public-right | deny | org_two | schema",
            "public-right | deny | org_two | table mappings: column status",
            "public-right | deny | org_two | table workspaces",
        ],
    );
    found(
        "GRANT INSERT ON datalinx_platform.users TO {db}_org_one; GRANT SELECT ON datalinx_platform.audit_log TO PUBLIC; \
         GRANT SELECT (id) ON datalinx_platform.run TO {db}_org_two",
        "REVOKE INSERT ON datalinx_platform.users FROM {db}_org_one; REVOKE SELECT ON datalinx_platform.audit_log FROM PUBLIC; \
         REVOKE SELECT (id) ON datalinx_platform.run FROM {db}_org_two",
        &[
            "platform-right | deny | - | table audit_log",
            "platform-right | deny | - | table run: column id",
            "platform-right | deny | - | table users",
        ],
    );
    found(
        "GRANT CREATE ON SCHEMA org_one TO {db}_org_one; GRANT TRIGGER ON org_one.workspaces TO {db}_org_one; \
         GRANT SELECT ON org_two.workspaces TO {db}_org_two WITH GRANT OPTION",
        "REVOKE CREATE ON SCHEMA org_one FROM {db}_org_one; REVOKE TRIGGER ON org_one.workspaces FROM {db}_org_one; \
         REVOKE GRANT OPTION FOR SELECT ON org_two.workspaces FROM {db}_org_two",
        &[
            "role-right | deny | org_one | schema",
            "role-right | deny | org_one | table workspaces",
            "role-right | deny | org_two | table workspaces",
        ],
    );
    found(
        "GRANT CREATE ON SCHEMA public TO PUBLIC",
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        &["public-schema | deny | public | schema"],
    );
    drop_roles(&project);
}

#[test]
fn dependencies_on_another_tenants_schema_are_found() {
    let project = fleet();
    let found = |plant: &str, weed: &str, expected: &[&str]| finds(&project, (plant, weed), expected);
    found(
        "ALTER TABLE org_one.mappings ADD CONSTRAINT out FOREIGN KEY (workspace_id) REFERENCES org_two.workspaces (id)",
        "ALTER TABLE org_one.mappings DROP CONSTRAINT out",
        &["cross-tenant-dependency | deny | org_one | table mappings: foreign key out"],
    );
    let granted = "GRANT SELECT, INSERT, UPDATE, DELETE ON org_one.v, org_one.m TO {db}_org_one";
    found(
        &format!(
            "CREATE VIEW org_one.v AS SELECT w.id FROM org_two.workspaces w JOIN org_one.mappings m ON m.id = w.id; \
             CREATE MATERIALIZED VIEW org_one.m AS SELECT id FROM org_three.workspaces; {granted}"
        ),
        "DROP VIEW org_one.v; DROP MATERIALIZED VIEW org_one.m",
        &[
            "cross-tenant-dependency | deny | org_one | materialized view m",
            "cross-tenant-dependency | deny | org_one | view v",
        ],
    );
    found(
        "CREATE FUNCTION org_two.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
         CREATE TRIGGER t BEFORE INSERT ON org_one.mappings FOR EACH ROW EXECUTE FUNCTION org_two.touch(); \
         CREATE POLICY p ON org_one.mappings USING (EXISTS (SELECT FROM org_two.workspaces)); \
         CREATE SEQUENCE org_two.numbers; ALTER TABLE org_one.mappings ALTER version SET DEFAULT nextval('org_two.numbers'); \
         CREATE RULE r AS ON DELETE TO org_one.mappings DO ALSO DELETE FROM org_two.mappings; \
         CREATE TYPE org_two.mood AS ENUM ('ok'); ALTER TABLE org_one.workspaces ADD COLUMN mood org_two.mood",
        "ALTER TABLE org_one.workspaces DROP COLUMN mood; DROP TYPE org_two.mood; DROP RULE r ON org_one.mappings; \
         ALTER TABLE org_one.mappings ALTER version SET DEFAULT 1; DROP SEQUENCE org_two.numbers; \
         DROP POLICY p ON org_one.mappings; DROP FUNCTION org_two.touch() CASCADE",
        &[
            "cross-tenant-dependency | deny | org_one | table mappings: default of version",
            "cross-tenant-dependency | deny | org_one | table mappings: policy p",
            "cross-tenant-dependency | deny | org_one | table mappings: rule r",
            "cross-tenant-dependency | deny | org_one | table mappings: trigger t",
            "cross-tenant-dependency | deny | org_one | table workspaces",
        ],
    );
    found(
        "CREATE TABLE org_one.child () INHERITS (org_two.workspaces); CREATE TABLE org_two.parts (n int) PARTITION BY LIST (n); \
         CREATE TABLE org_one.part PARTITION OF org_two.parts DEFAULT",
        "DROP TABLE org_one.child, org_two.parts",
        &[
            "cross-tenant-dependency | deny | org_one | table child",
            "cross-tenant-dependency | deny | org_one | table part",
        ],
    );
    found(
        "CREATE FUNCTION org_one.parsed() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM org_two.workspaces; END",
        "DROP FUNCTION org_one.parsed()",
        &["cross-tenant-dependency | deny | org_one | function parsed()"],
    );
    // What only a text says; one that a comment says says nothing, and one that may be another thing's name warns.
    found(
        "CREATE FUNCTION org_one.plain() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT count(*) FROM ORG_TWO.workspaces); END'; \
         CREATE FUNCTION org_one.dynamic(t text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE format('DELETE FROM org_two.%I', t); END $$; \
         CREATE FUNCTION org_one.own() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM org_one.workspaces -- not org_two.workspaces'; \
         CREATE FUNCTION org_one.told() RETURNS text LANGUAGE sql AS $$ SELECT 'org_three'::text $$; \
         CREATE FUNCTION org_one.path() RETURNS int LANGUAGE sql SET search_path = org_three, pg_temp AS 'SELECT 1'",
        "DROP FUNCTION org_one.plain(), org_one.dynamic(text), org_one.own(), org_one.told(), org_one.path()",
        &[
            "cross-tenant-reference | deny | org_one | function dynamic(text)",
            "cross-tenant-reference | deny | org_one | function path()",
            "cross-tenant-reference | deny | org_one | function plain()",
            "cross-tenant-reference | warn | org_one | function told()",
        ],
    );
    found(
        "CREATE FUNCTION org_one.note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
         CREATE TRIGGER t AFTER INSERT ON org_one.mappings EXECUTE FUNCTION org_one.note('org_two.mappings'); \
         ALTER TABLE org_one.mappings ADD CONSTRAINT c CHECK (target_table <> 'org_two.x'), ALTER status SET DEFAULT 'org_two.y'; \
         CREATE POLICY p ON org_one.mappings USING (status <> 'org_two.z'); \
         ALTER ROLE {db}_org_one SET search_path = org_two",
        "ALTER ROLE {db}_org_one RESET search_path; DROP POLICY p ON org_one.mappings; \
         ALTER TABLE org_one.mappings DROP CONSTRAINT c, ALTER status SET DEFAULT 'draft'; DROP FUNCTION org_one.note() CASCADE",
        &[
            "cross-tenant-reference | deny | org_one | role {db}_org_one",
            "cross-tenant-reference | deny | org_one | table mappings: constraint c",
            "cross-tenant-reference | deny | org_one | table mappings: default of status",
            "cross-tenant-reference | deny | org_one | table mappings: policy p",
            "cross-tenant-reference | deny | org_one | table mappings: trigger t",
        ],
    );
    // What is no tenant's, and shows their rows to others.
    found(
        "CREATE VIEW datalinx_platform.everybody AS SELECT id FROM org_one.workspaces UNION ALL SELECT id FROM org_two.workspaces; \
         GRANT SELECT ON datalinx_platform.everybody TO {db}_org_two",
        "DROP VIEW datalinx_platform.everybody",
        &[
            "platform-right | deny | - | view everybody",
            "shared-reach | deny | datalinx_platform | view everybody",
        ],
    );
    found(
        "CREATE VIEW org_one.people AS SELECT u.id, o.name FROM datalinx_platform.users u JOIN datalinx_platform.organizations o \
         ON o.id = u.organization_id; GRANT SELECT, INSERT, UPDATE, DELETE ON org_one.people TO {db}_org_one",
        "DROP VIEW org_one.people",
        &["view-opens-platform | warn | org_one | view people"],
    );
    drop_roles(&project);
}

#[test]
fn owners_definers_and_extensions_are_judged() {
    let project = fleet();
    let found = |plant: &str, weed: &str, expected: &[&str]| finds(&project, (plant, weed), expected);
    found(
        "CREATE FUNCTION org_one.f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'; \
         CREATE FUNCTION org_one.g() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = \"$user\", public AS 'SELECT 1'; \
         CREATE FUNCTION org_one.h() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = org_one, pg_temp AS 'SELECT 1'; \
         CREATE FUNCTION datalinx_platform.k() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
        "DROP FUNCTION org_one.f(), org_one.g(), org_one.h(), datalinx_platform.k()",
        &[
            "definer-path | deny | datalinx_platform | function k()",
            "definer-path | deny | org_one | function f()",
            "definer-path | deny | org_one | function g()",
        ],
    );
    found(
        "CREATE ROLE {db}_other; ALTER TABLE org_one.workspaces OWNER TO {db}_other",
        "ALTER TABLE org_one.workspaces OWNER TO CURRENT_USER; DROP ROLE {db}_other",
        &["wrong-owner | deny | org_one | table workspaces"],
    );
    found(
        "ALTER TABLE org_one.workspaces OWNER TO {db}_org_two; CREATE SCHEMA lair AUTHORIZATION {db}_org_one",
        "ALTER TABLE org_one.workspaces OWNER TO CURRENT_USER; DROP SCHEMA lair; \
         REVOKE ALL ON org_one.workspaces FROM {db}_org_two",
        &[
            "role-owns | deny | org_one | schema lair",
            "role-owns | deny | org_two | table org_one.workspaces",
        ],
    );
    found(
        "CREATE EXTENSION citext SCHEMA org_one",
        "DROP EXTENSION citext",
        &["extension-in-tenant | deny | org_one | extension citext"],
    );
    drop_roles(&project);
}

#[test]
fn roles_are_judged() {
    let project = fleet();
    let found = |plant: &str, weed: &str, expected: &[&str]| finds(&project, (plant, weed), expected);
    found(
        "ALTER ROLE {db}_org_one BYPASSRLS CREATEROLE; ALTER ROLE {db}_org_two CREATEDB REPLICATION; GRANT pg_read_all_data TO {db}_org_three",
        "ALTER ROLE {db}_org_one NOBYPASSRLS NOCREATEROLE; ALTER ROLE {db}_org_two NOCREATEDB NOREPLICATION; REVOKE pg_read_all_data FROM {db}_org_three",
        &[
            "role-overprivileged | deny | org_one | role {db}_org_one",
            "role-overprivileged | deny | org_three | role {db}_org_three",
            "role-overprivileged | deny | org_two | role {db}_org_two",
        ],
    );
    found(
        "COMMENT ON ROLE {db}_org_one IS NULL; COMMENT ON ROLE {db}_org_two IS 'tenure: of database elsewhere'",
        "COMMENT ON ROLE {db}_org_one IS 'tenure: of database {db}'; COMMENT ON ROLE {db}_org_two IS 'tenure: of database {db}'",
        &[
            "role-elsewhere | deny | org_one | role {db}_org_one",
            "role-elsewhere | deny | org_two | role {db}_org_two",
        ],
    );
    project.run("tenant suspend two").passes();
    found(
        "ALTER ROLE {db}_org_two LOGIN",
        "ALTER ROLE {db}_org_two NOLOGIN",
        &["role-open | deny | org_two | role {db}_org_two"],
    );
    project.run("tenant resume two").passes();
    found(
        "UPDATE datalinx_platform.tenant_version SET template = 'lost' WHERE schema_name = 'org_one'",
        "UPDATE datalinx_platform.tenant_version SET template = 'default' WHERE schema_name = 'org_one'",
        &["template-unknown | warn | org_one | schema"],
    );
    // A role of another database, which this one was copied with.
    found(
        "CREATE ROLE {db}_away; COMMENT ON ROLE {db}_away IS 'tenure: of database elsewhere'; \
         GRANT SELECT ON org_one.workspaces, datalinx_platform.users TO {db}_away",
        "DROP OWNED BY {db}_away; DROP ROLE {db}_away",
        &[
            "cross-tenant-privilege | deny | - | table users",
            "cross-tenant-privilege | deny | org_one | table workspaces",
        ],
    );
    drop_roles(&project);
}
