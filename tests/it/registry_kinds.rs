//! The registry is a view, a partitioned table, a table with triggers or row-level security, or one without slugs.

use serde_json::{Value, json};

use crate::support::Project;

const REGISTRY: &str = "datalinx_platform.organizations";
const NAMES: &str = "name text, slug text UNIQUE, schema_name text UNIQUE";

fn project_with(sql: &str, settings: &str) -> Project {
    let project = Project::empty();
    let rules = tenure::verify::Tool::Verify.rules().filter(|rule| !rule.is_fixed());
    let off: Vec<String> = rules.map(|rule| format!("{} = 'off'", rule.id)).collect();
    project.file("tenure.toml", format!("{settings}\n[verify.levels]\n{}\n", off.join("\n")));
    project.migration("0.0.0", "1.0.0", "platform", sql);
    project.file(
        "tenant_templates/default/010_items.sql",
        "-- Template: v1.0.0\nCREATE TABLE {org_schema}.items (id int PRIMARY KEY);\n",
    );
    project.run("migrate up").passes();
    project
}

fn error(document: &Value) -> (&str, &str, &str) {
    let text = |key: &str| document["error"][key].as_str().unwrap_or_default();
    (text("code"), text("message"), text("hint"))
}

/// Creates, renames, drops and restores a tenant.
fn a_life(project: &Project, what: &str) {
    for line in [
        "tenant create acme --name Acme",
        "tenant create acme --if-not-exists",
        "tenant rename acme acme2",
        "tenant clone acme2 copy",
        "tenant drop copy --confirm copy",
        "tenant undrop copy",
        "tenant drop copy --confirm copy",
        "tenant drop copy --purge --now --confirm copy",
        "tenant show acme2",
        "drift",
        "doctor",
    ] {
        let output = project.run(line);
        assert_eq!(output.code, 0, "{what}: {line}: {output}");
    }
    let rows = project.db.rows(&format!("SELECT name, slug, schema_name FROM {REGISTRY}"));
    assert_eq!(rows, [["Acme", "acme2", "org_acme2"]], "{what}");
}

#[test]
fn other_relations_work_as_a_registry() {
    let table = format!("CREATE TABLE datalinx_platform.base (id serial PRIMARY KEY, {NAMES});");
    for (what, sql) in [
        (
            "an updatable view",
            format!("{table} CREATE VIEW {REGISTRY} AS SELECT * FROM datalinx_platform.base;"),
        ),
        (
            "a view of a table in another schema",
            format!(
                "-- Scope: platform\nCREATE SCHEMA billing; CREATE TABLE billing.accounts (no bigserial PRIMARY KEY, title text, {NAMES_OF_ACCOUNT}); \
                 CREATE VIEW {REGISTRY} AS SELECT no AS id, title AS name, code AS slug, space AS schema_name FROM billing.accounts;",
                NAMES_OF_ACCOUNT = "code text UNIQUE, space text"
            ),
        ),
        (
            "a view with INSTEAD OF triggers",
            format!(
                "{table} CREATE VIEW {REGISTRY} AS SELECT DISTINCT * FROM datalinx_platform.base; \
                 CREATE FUNCTION datalinx_platform.write() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                   IF TG_OP = 'DELETE' THEN DELETE FROM datalinx_platform.base WHERE id = OLD.id; RETURN OLD; END IF; \
                   IF TG_OP = 'UPDATE' THEN UPDATE datalinx_platform.base SET name = NEW.name, slug = NEW.slug, schema_name = NEW.schema_name \
                     WHERE id = OLD.id; RETURN NEW; END IF; \
                   INSERT INTO datalinx_platform.base (name, slug, schema_name) VALUES (NEW.name, NEW.slug, NEW.schema_name); RETURN NEW; END $$; \
                 CREATE TRIGGER write INSTEAD OF INSERT OR UPDATE OR DELETE ON {REGISTRY} FOR EACH ROW EXECUTE FUNCTION datalinx_platform.write();"
            ),
        ),
        (
            "a partitioned table",
            format!(
                "CREATE TABLE {REGISTRY} (id bigint GENERATED ALWAYS AS IDENTITY, name text, slug text, schema_name text, \
                 UNIQUE (slug)) PARTITION BY HASH (slug); \
                 CREATE TABLE datalinx_platform.part_0 PARTITION OF {REGISTRY} FOR VALUES WITH (MODULUS 2, REMAINDER 0); \
                 CREATE TABLE datalinx_platform.part_1 PARTITION OF {REGISTRY} FOR VALUES WITH (MODULUS 2, REMAINDER 1);"
            ),
        ),
        (
            "triggers that fill columns",
            format!(
                "CREATE TABLE {REGISTRY} (id bigint NOT NULL PRIMARY KEY, plan text NOT NULL, {NAMES}); \
                 CREATE SEQUENCE datalinx_platform.ids; \
                 CREATE FUNCTION datalinx_platform.fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                   NEW.id := coalesce(NEW.id, nextval('datalinx_platform.ids')); NEW.plan := coalesce(NEW.plan, 'free'); RETURN NEW; END $$; \
                 CREATE TRIGGER fill BEFORE INSERT ON {REGISTRY} FOR EACH ROW EXECUTE FUNCTION datalinx_platform.fill();"
            ),
        ),
        (
            "constraints that are checked at the end",
            format!(
                "CREATE TABLE {REGISTRY} (id serial PRIMARY KEY, name text, slug text UNIQUE DEFERRABLE INITIALLY DEFERRED, \
                 schema_name varchar(60) UNIQUE DEFERRABLE INITIALLY DEFERRED);"
            ),
        ),
        (
            "texts of several types",
            format!(
                "CREATE DOMAIN datalinx_platform.label AS varchar(40) CHECK (VALUE = lower(VALUE)); \
                 CREATE TABLE {REGISTRY} (id serial PRIMARY KEY, name varchar(80), slug datalinx_platform.label UNIQUE, schema_name name UNIQUE);"
            ),
        ),
    ] {
        a_life(&project_with(&sql, ""), what);
    }
    let project = Project::empty();
    if project.db.value("SELECT count(*)::text FROM pg_available_extensions WHERE name = 'citext'") == "1" {
        let sql = format!(
            "CREATE EXTENSION citext; CREATE TABLE {REGISTRY} (id serial PRIMARY KEY, name citext, slug citext UNIQUE, schema_name citext UNIQUE);"
        );
        let project = project_with(&sql, "");
        a_life(&project, "citext");
        project.db.run(&format!("INSERT INTO {REGISTRY} (name, slug) VALUES ('B', 'BIG')"));
        let document = project.json("tenant create big").1;
        assert_eq!(error(&document).0, "tenant-exists", "{document}");
    }
}

#[test]
fn columns_with_odd_names_and_blank_padded_slugs_work() {
    let sql = "CREATE TABLE datalinx_platform.\"Or\"\"gs; --\" (\"I D\" serial PRIMARY KEY, \"select\" text, \"Sl'ug\" char(12) UNIQUE, \
               \"{org_schema}\" text UNIQUE, \"where\" text);";
    let settings = "[tenants]\nregistry = \"Or\\\"gs; --\"\n[tenants.columns]\nid = \"I D\"\nname = \"select\"\nslug = \"Sl'ug\"\n\
                    schema = \"schema name\"\nstatus = \"where\"";
    let project = project_with(&sql.replace("{org_schema}", "schema name"), settings);
    let (exit, created) = project.json("tenant create acme");
    assert_eq!((exit, &created["created"][0]["id"]), (0, &json!("1")), "{created}");
    let (_, list) = project.json("tenant list");
    assert_eq!(list["tenants"][0]["slug"], "acme", "{list}");
    project.run("tenant rename acme acme2").passes();
    project.run("tenant suspend acme2").passes();
    assert_eq!(
        project.db.rows(
            "SELECT \"Sl'ug\"::text, \"schema name\", \"where\" FROM datalinx_platform.\"Or\"\"gs; --\""
        ),
        [["acme2", "org_acme2", "suspended"]]
    );
}

#[test]
fn a_view_that_accepts_no_rows_is_named() {
    let sql = format!(
        "CREATE TABLE datalinx_platform.base (id serial PRIMARY KEY, slug text UNIQUE); \
         CREATE VIEW {REGISTRY} AS SELECT DISTINCT id, slug, slug AS name, 'org_' || slug AS schema_name FROM datalinx_platform.base;"
    );
    let project = project_with(&sql, "");
    let document = project.json("tenant create acme").1;
    assert_eq!(error(&document).0, "registry-invalid", "{document}");
    assert_eq!(
        error(&document).1,
        "the registry datalinx_platform.organizations is a view, which accepts no new rows"
    );
    // A row of the application needs no change.
    project.db.run("INSERT INTO datalinx_platform.base (slug) VALUES ('acme'), ('b')");
    let (exit, created) = project.json("tenant create acme");
    assert_eq!((exit, &created["created"][0]["completed"]), (0, &json!(true)), "{created}");
    project.run("tenant create --from-registry").passes();
    project.run("migrate up").passes();
    assert_eq!(error(&project.json("tenant clone acme c").1).0, "registry-invalid");
    assert_eq!(error(&project.json("tenant rename acme c").1).0, "registry-invalid");
    assert_eq!(error(&project.json("tenant drop acme --confirm acme").1).0, "registry-invalid");
    let (_, document) = project.json("doctor");
    assert!(document.to_string().contains("is a view, which accepts no new rows"), "{document}");
}

#[test]
fn row_level_security_works_or_is_refused() {
    let sql = format!(
        "CREATE TABLE {REGISTRY} (id serial PRIMARY KEY, {NAMES}); ALTER TABLE {REGISTRY} ENABLE ROW LEVEL SECURITY; \
         ALTER TABLE {REGISTRY} FORCE ROW LEVEL SECURITY; \
         CREATE POLICY own ON {REGISTRY} USING (slug = current_setting('app.tenant', true));"
    );
    let project = project_with(&sql, "");
    // A superuser sees everything.
    project.run("tenant create acme").passes();
    let role = format!("limited_{}", project.db.name);
    project.db.run(&format!(
        "CREATE ROLE {role} LOGIN; GRANT ALL ON SCHEMA datalinx_platform, org_acme TO {role}; \
         GRANT ALL ON ALL TABLES IN SCHEMA datalinx_platform TO {role}; GRANT ALL ON ALL SEQUENCES IN SCHEMA datalinx_platform TO {role}; \
         GRANT CREATE ON DATABASE {} TO {role}",
        project.db.name
    ));
    let url = project.db.url_as(&role);
    for line in [
        "status",
        "tenant create b",
        "tenant list",
        "migrate up",
        "doctor",
        "tenant show acme",
        "tenant create --from-registry",
    ] {
        let output = project.run_env(&[("DATABASE_URL", &url)], line);
        let text = format!(
            "row-level security on the registry datalinx_platform.organizations may hide tenants from the role {role}"
        );
        assert!(output.code == 1 && output.to_string().contains(&text), "{line}: {output}");
    }
    // A policy that shows everything to this role.
    project.db.run(&format!("CREATE POLICY tenure ON {REGISTRY} TO {role} USING (true)"));
    project.run_env(&[("DATABASE_URL", &url)], "tenant create b").passes();
    project.run_env(&[("DATABASE_URL", &url)], "status").passes();
    // A restrictive one hides rows again.
    project.db.run(&format!("CREATE POLICY less ON {REGISTRY} AS RESTRICTIVE TO {role} USING (slug <> 'b')"));
    assert_eq!(project.run_env(&[("DATABASE_URL", &url)], "status").code, 1);
    project.db.run(&format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}"));
}

/// As django-tenants has it: the shared schema is `public`, whose row is excluded; a tenant has no slug besides its schema's name.
#[test]
fn a_slug_may_be_the_name_of_the_schema() {
    for (prefix, schema) in [("", "acme"), ("org_", "org_acme")] {
        let sql = "CREATE TABLE public.customers_client (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, \
                   schema_name varchar(63) NOT NULL UNIQUE, name varchar(100) NOT NULL, created_on date NOT NULL);";
        let settings = format!(
            "[platform]\nschema = \"public\"\n[tenants]\nschema_prefix = \"{prefix}\"\nregistry = \"customers_client\"\n\
             where = \"schema_name <> 'public'\"\n[tenants.columns]\nslug = \"schema_name\""
        );
        let project = project_with(sql, &settings);
        project.db.run("INSERT INTO customers_client (schema_name, name, created_on) VALUES ('public', 'Platform', '2020-01-01')");
        assert_eq!(project.json("status").1["tenants"]["total"], 0);
        project.run("tenant create acme --name Acme --column created_on=2026-01-02").passes();
        assert_eq!(
            project.db.rows("SELECT schema_name, name FROM customers_client ORDER BY id"),
            [["public", "Platform"], [schema, "Acme"]]
        );
        project.db.run(&format!("INSERT INTO customers_client (schema_name, name, created_on) VALUES ('{prefix}late', 'Late', '2026-01-01')"));
        let (exit, created) = project.json("tenant create --from-registry");
        assert_eq!((exit, &created["created"][0]["slug"]), (0, &json!("late")), "{created}");
        project.run("tenant rename acme acme2").passes();
        let (_, list) = project.json("tenant list");
        let slugs: Vec<_> = list["tenants"].as_array().unwrap().iter().map(|it| it["slug"].clone()).collect();
        assert_eq!(slugs, ["acme2", "late"], "{list}");
        project.run("tenant drop late --confirm late").passes();
        project.run("tenant undrop late").passes();
        project.next_migration("ALTER TABLE {org_schema}.items ADD COLUMN note text;");
        project.run("migrate up --tenant late").passes();
        project.run("migrate up").passes();
        project.run("wait --version 1.0.1 --tenant late --timeout 0s").passes();
        assert_eq!(project.json("drift").0, 0, "{prefix}");
        let (exit, document) = project.json("doctor");
        assert_eq!(exit, 0, "{document}");
    }
    let project = project_with(
        &format!("CREATE TABLE {REGISTRY} (id serial PRIMARY KEY, name text, schema_name text UNIQUE);"),
        "[tenants.columns]\nslug = \"schema_name\"",
    );
    project.db.run(&format!("INSERT INTO {REGISTRY} (name, schema_name) VALUES ('A', 'tenant_a')"));
    let (exit, document) = project.json("doctor");
    assert_eq!(exit, 1, "{document}");
    assert!(document.to_string().contains("does not start with"), "{document}");
}

/// A table whose slug is its key and its name.
#[test]
fn a_column_may_be_id_name_and_slug() {
    let sql = format!("CREATE TABLE {REGISTRY} (slug text PRIMARY KEY, schema_name text);");
    let project = project_with(&sql, "[tenants.columns]\nid = \"slug\"\nname = \"slug\"");
    let (exit, created) = project.json("tenant create acme");
    assert_eq!((exit, &created["created"][0]["id"]), (0, &json!("acme")), "{created}");
    project.run("tenant clone acme b").passes();
    project.run("tenant rename b c").passes();
    assert_eq!(
        project.db.rows(&format!("SELECT * FROM {REGISTRY} ORDER BY 1")),
        [["acme", "org_acme"], ["c", "org_c"]]
    );
}
