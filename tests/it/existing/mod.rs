//! A product that runs without Tenure: its database becomes a project, which is proved, and its schemas become tenants.

mod django;

use serde_json::{Value, json};

use crate::support::{Database, Project};

/// A database with all kinds of objects, an empty registry, and the procedure `make_tenant`.
const REAL: &str = include_str!("real.sql");

/// An empty folder and the product's database with these tenants.
fn product(tenants: &[&str]) -> Project {
    let project = Project::empty();
    project.db.run(REAL);
    for tenant in tenants {
        project.db.run(&format!(
            "CALL public.make_tenant('org_{tenant}'); \
             INSERT INTO app.companies (company_name, subdomain, db_schema) VALUES (initcap('{tenant}'), '{tenant}', 'org_{tenant}')"
        ));
    }
    project
}

fn init(project: &Project, flags: &str) -> (i32, Value) {
    project.json(&format!("init --from-database {flags}"))
}

fn text(project: &Project, file: &str) -> String {
    std::fs::read_to_string(project.dir.path().join(file)).unwrap()
}

fn template(project: &Project, name: &str) -> String {
    let folder = project.dir.path().join("tenant_templates").join(name);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| std::fs::read_to_string(file).unwrap()).collect()
}

fn strings(list: &Value, key: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|one| one[key].as_str().unwrap().to_owned()).collect()
}

/// The versions of the product's platform and tenants.
fn versions(project: &Project) -> String {
    project.db.value(
        "SELECT concat_ws(', ', 'platform ' || (SELECT version FROM app.schema_version), (SELECT string_agg( \
         regexp_replace(schema_name, '^org_', '') || ' ' || version, ', ' ORDER BY schema_name) FROM app.tenant_version))",
    )
}

const BASELINE: &str = "migrations/v0.0.0_to_v1.0.0_baseline.sql";

#[test]
fn a_fresh_database_of_the_files_equals_the_given_one() {
    let project = product(&["acme", "beta", "gamma"]);
    project.db.run("ALTER TABLE org_gamma.customers ADD COLUMN note text");
    let before = project.db.dump(&[]);
    let (exit, done) = init(&project, "");
    assert_eq!((exit, &done["proved"], &done["baseline"]), (0, &json!(true), &json!(false)), "{done}");
    assert!(project.db.dump(&[]) == before, "the database was changed");
    let names = ["platform", "registry", "schema_prefix", "version", "from_schema"].map(|key| &done[key]);
    assert_eq!(names, ["app", "app.companies", "org_", "1.0.0", "org_acme"], "{done}");
    assert_eq!(done["tenants"], json!({ "total": 3, "same": 2, "different": 1 }), "{done}");
    assert_eq!(
        done["differences"],
        json!([{ "schema": "org_gamma", "object": "table customers", "change": "column added: note text" }])
    );
    assert_eq!(done["rows_needed"], json!(["app.accounts", "lookup.countries"]));
    let files: Vec<&str> =
        done["files"].as_array().unwrap().iter().map(|file| file.as_str().unwrap()).collect();
    assert_eq!(
        files,
        [
            "tenure.toml",
            BASELINE,
            "tenant_templates/default/010_Odd_Orders.sql",
            "tenant_templates/default/020_customers.sql",
            "tenant_templates/default/030_good.sql",
            "tenant_templates/default/040_log.sql",
            "tenant_templates/default/050_log_rest.sql",
            "tenant_templates/default/060_totals.sql",
            "tenant_templates/default/070_functions.sql",
            "tenant_templates/default/080_keys_and_triggers.sql",
            "tenant_templates/default/090_materialized_views.sql",
        ]
    );
    let all = template(&project, "default");
    let has =
        ["'customers of {org_schema}'", "SET search_path TO {org_schema}, 'public'", "'{org_schema}' ||"];
    assert!(has.iter().all(|part| all.contains(part)) && !all.contains("org_acme"), "{all}");
    // A new environment.
    let fresh = Database::fresh();
    let output = project.run_env(&[("DATABASE_URL", &fresh.url)], "migrate up");
    assert_eq!(output.code, 0, "{output}");
    let columns = "SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute \
                   WHERE attrelid = 'app.accounts'::regclass AND attnum > 0";
    assert_eq!(fresh.value(columns), project.db.value(columns));
}

#[test]
fn what_the_files_do_not_carry_is_named() {
    let project = product(&["acme", "beta"]);
    let (app, of_one) = (format!("{}_app", project.db.name), format!("{}_acme", project.db.name));
    project.db.run(&format!(
        "CREATE ROLE {app}; GRANT USAGE ON SCHEMA app, org_acme, org_beta TO {app}; \
         GRANT SELECT ON org_acme.customers, org_beta.customers, app.accounts TO {app}; \
         CREATE ROLE {of_one}; GRANT SELECT ON org_acme.customers TO {of_one}; \
         CREATE VIEW public.everyone AS SELECT id FROM org_acme.customers UNION ALL SELECT id FROM org_beta.customers; \
         CREATE VIEW public.how_many AS SELECT count(*) FROM public.everyone; \
         CREATE TABLE app.of_acme (customer bigint CONSTRAINT of_one REFERENCES org_acme.customers (id)); \
         CREATE FUNCTION public.ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$; \
         CREATE EVENT TRIGGER ddl ON sql_drop EXECUTE FUNCTION public.ddl(); CREATE PUBLICATION changes FOR TABLE app.accounts; \
         INSERT INTO app.companies (company_name, subdomain, db_schema) VALUES ('Later', 'later', 'org_later'); \
         CREATE SCHEMA org_stray; CREATE TABLE org_stray.t (a int)",
    ));
    let (exit, done) = init(&project, "");
    project.db.run(&format!("DROP OWNED BY {app}, {of_one}; DROP ROLE {app}, {of_one}"));
    assert_eq!((exit, &done["proved"]), (0, &json!(true)), "{done}");
    let named = strings(&done["not_carried"], "object").join("\n");
    for object in [
        "event trigger ddl",
        "publication changes",
        "CREATE VIEW public.everyone",
        "CREATE VIEW public.how_many",
        "ADD CONSTRAINT of_one FOREIGN KEY (customer) REFERENCES org_acme.customers(id)",
        &format!("GRANT SELECT ON TABLE {{org_schema}}.customers TO {of_one}"),
    ] {
        assert!(named.contains(object), "{object} in {named}");
    }
    assert_eq!(done["missing_schemas"], json!(["org_later"]));
    assert_eq!(done["unregistered_schemas"], json!(["org_stray"]));
    let (baseline, all) = (text(&project, BASELINE), template(&project, "default"));
    assert!(baseline.contains(&format!("THEN CREATE ROLE \"{app}\" NOLOGIN")), "{baseline}");
    assert!(
        !baseline.contains("org_stray") && !all.contains(&of_one) && all.contains(&app),
        "{baseline}{all}"
    );
}

#[test]
fn the_database_gets_its_baseline_only_if_that_is_confirmed() {
    let project = product(&["acme"]);
    let (exit, done) = init(&project, "--yes");
    assert_eq!((exit, &done["baseline"]), (0, &json!(true)), "{done}");
    assert_eq!(project.json("status").1["platform"]["version"], "1.0.0");
    let (exit, adopted) = project.json("tenant adopt --all");
    assert_eq!((exit, strings(&adopted["tenants"], "slug")), (0, vec!["acme".to_owned()]), "{adopted}");
    project.run("migrate new more --scope tenant").passes();
    project.migration("1.0.0", "1.0.1", "more", "ALTER TABLE customers ADD COLUMN phone text;");
    let (exit, migrated) = project.json("migrate up");
    assert_eq!((exit, &migrated["tenants"]["migrated"]), (0, &json!(1)), "{migrated}");
    assert_eq!(versions(&project), "platform 1.0.1, acme 1.0.1");
    let (exit, again) = project.json("tenant adopt --all");
    assert_eq!((exit, &again["outcome"]), (0, &json!("nothing")), "{again}");
    project.expect_error("init --from-database", "project-exists");
}

#[test]
fn files_that_do_not_create_the_database_are_kept_and_not_declared() {
    let project = product(&["acme"]);
    project.db.run("CREATE FUNCTION app.fails() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$; \
        CREATE MATERIALIZED VIEW app.failing AS SELECT app.fails() AS a; \
        CREATE OR REPLACE FUNCTION app.fails() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE 'not here'; END $$");
    let document = project.expect_error("init --from-database --yes", "files-differ");
    assert_eq!(document["error"]["file"], BASELINE, "{document}");
    assert_eq!(project.db.value("SELECT (to_regclass('app.schema_version') IS NULL)::text"), "true");
}

#[test]
fn the_settings_that_exist_are_used() {
    let project = product(&["acme"]);
    project.file("tenure.toml", "[platform]\nschema = \"public\"\n");
    let document = project.expect_error("init --from-database", "registry-not-found");
    assert!(document["error"]["message"].as_str().unwrap().contains("public.organizations"), "{document}");
    let settings = "[platform]\nschema = \"app\"\n[tenants]\nregistry = \"companies\"\nsearch_path = [\"lookup\"]\n\
                    [tenants.columns]\nname = \"company_name\"\nslug = \"subdomain\"\nschema = \"db_schema\"\n";
    project.file("tenure.toml", settings);
    let (exit, done) = init(&project, "");
    assert_eq!((exit, &done["proved"]), (0, &json!(true)), "{done}");
    assert_eq!(text(&project, "tenure.toml"), settings);
    let empty = Project::empty();
    empty.db.run("CREATE TABLE words (schema_name text UNIQUE); INSERT INTO words VALUES ('nothing')");
    empty.expect_error("init --from-database", "registry-not-found");
}

#[test]
fn a_table_with_the_name_of_an_own_table_is_refused() {
    let project = product(&["acme"]);
    project.db.run("CREATE TABLE app.run (id int)");
    let document = project.expect_error("init --from-database", "baseline-refused");
    assert!(document["error"]["message"].as_str().unwrap().contains("app.run"), "{document}");
}

/// A platform in `public`, and tenants whose schemas are ordinary words.
const WORDS: &str = "CREATE SCHEMA tools; CREATE EXTENSION citext SCHEMA tools; \
    CREATE TABLE client (id serial PRIMARY KEY, name varchar(100) NOT NULL, schema_name varchar(63) NOT NULL UNIQUE); \
    INSERT INTO client (name, schema_name) VALUES ('Public', 'public'), ('The shop', 'shop'), ('A bar', 'bar'); \
    CREATE TABLE django_migrations (id bigserial PRIMARY KEY, app text NOT NULL, name text NOT NULL, applied timestamptz NOT NULL); \
    INSERT INTO django_migrations (app, name, applied) VALUES ('clients', '0001_initial', now());";

fn words() -> Project {
    let project = Project::empty();
    project.db.run(WORDS);
    for tenant in ["shop", "bar"] {
        project.db.run(&format!(
            "CREATE SCHEMA {tenant}; CREATE TABLE {tenant}.shop (id int PRIMARY KEY, bar tools.citext); \
             COMMENT ON TABLE {tenant}.shop IS 'a shop or a bar'; \
             CREATE VIEW {tenant}.bars AS SELECT shop.bar FROM {tenant}.shop; \
             CREATE FUNCTION {tenant}.add() RETURNS void LANGUAGE sql SET search_path = '{tenant}' AS 'INSERT INTO shop SELECT count(*) FROM {tenant}.shop'; \
             CREATE TABLE {tenant}.django_migrations (LIKE public.django_migrations INCLUDING ALL); \
             INSERT INTO {tenant}.django_migrations SELECT 7, 'shop', '0001_initial', now()"
        ));
    }
    project
}

#[test]
fn schemas_without_a_prefix_whose_names_are_words() {
    let project = words();
    let (exit, done) = init(&project, "--yes");
    assert_eq!((exit, &done["proved"]), (0, &json!(true)), "{done}");
    assert_eq!((&done["platform"], &done["schema_prefix"]), (&json!("public"), &json!("")));
    assert_eq!(done["tenants"], json!({ "total": 2, "same": 2, "different": 0 }), "{done}");
    assert_eq!(done["differences"], json!([]));
    let all = template(&project, "default");
    let has = [
        "CREATE TABLE {org_schema}.shop (",
        "'a shop or a bar'",
        "INSERT INTO shop SELECT count(*) FROM {org_schema}.shop",
        "INSERT INTO {org_schema}.django_migrations (app, name, applied) VALUES\n    ('shop', '0001_initial', now())",
    ];
    assert!(has.iter().all(|part| all.contains(part)), "{all}");
    assert!(text(&project, BASELINE).contains("('clients', '0001_initial', now())"));
    assert!(text(&project, "tenure.toml").contains("[extensions]\n"), "{}", text(&project, "tenure.toml"));
    let (exit, adopted) = project.json("tenant adopt --all --detect");
    assert_eq!((exit, adopted["tenants"].as_array().map(Vec::len)), (0, Some(2)), "{adopted}");
    // The row of the platform is no tenant.
    let (_, status) = project.json("status");
    let tenants = &status["tenants"];
    assert_eq!((&tenants["total"], &tenants["unknown"]), (&json!(2), &json!(0)), "{status}");
}

#[test]
fn slugs_with_hyphens_are_recognized() {
    let project = product(&["acme_corp", "beta"]);
    project.db.run("UPDATE app.companies SET subdomain = replace(subdomain, '_', '-')");
    let (exit, done) = init(&project, "--yes");
    assert_eq!((exit, &done["proved"], &done["schema_prefix"]), (0, &json!(true), &json!("org_")), "{done}");
    let settings = text(&project, "tenure.toml");
    assert!(settings.contains("\nslug = \"dns\"\n") && !settings.contains("where"), "{settings}");
    project.run("tenant adopt --all").passes();
    assert_eq!(project.json("tenant show acme-corp").1["schema"], "org_acme_corp");
    project.run("tenant create new-one").passes();
    assert_eq!(project.json("status --check").0, 0);
}

#[test]
fn a_version_table_that_exists_gives_the_version() {
    let project = product(&["acme"]);
    project.db.run(
        "CREATE TABLE app.schema_version (version varchar(20) PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now()); \
         INSERT INTO app.schema_version VALUES ('2.3.4')",
    );
    let (exit, done) = init(&project, "--yes");
    assert_eq!((exit, &done["version"], &done["baseline"]), (0, &json!("2.3.4"), &json!(false)), "{done}");
    assert!(!text(&project, "migrations/v0.0.0_to_v2.3.4_baseline.sql").contains("schema_version"));
    let (exit, adopted) = project.json("tenant adopt --all");
    assert_eq!((exit, &adopted["tenants"][0]["version"]), (0, &json!("2.3.4")), "{adopted}");
}

#[test]
fn groups_of_tenants_become_templates_if_the_user_says_so() {
    let project = product(&["acme", "beta", "gamma"]);
    project.db.run("CREATE TABLE org_gamma.extras (a int); DROP VIEW org_gamma.good");
    let (_, done) = init(&project, "--yes");
    let groups: Vec<_> =
        done["groups"].as_array().unwrap().iter().map(|one| (&one["tenants"], &one["equal"])).collect();
    assert_eq!(groups, [(&json!(2), &json!(true)), (&json!(1), &json!(false))], "{done}");
    let (exit, adopted) = project.json("tenant adopt --all --detect");
    assert_eq!((exit, &adopted["outcome"]), (4, &json!("partial")), "{adopted}");
    let other = &adopted["not_adopted"][0];
    assert_eq!((&other["slug"], &other["nearest"]), (&json!("gamma"), &json!("1.0.0")), "{adopted}");
    assert_eq!(strings(&other["differences"], "object"), ["table extras", "view good"]);
    assert_eq!(versions(&project), "platform 1.0.0, acme 1.0.0, beta 1.0.0");
    project.expect_error("template from-schema org_gamma", "template-exists");
    project.expect_error("template from-schema org_gama --name other", "schema-unknown");
    let (exit, made) = project.json("template from-schema org_gamma --name with_extras");
    assert_eq!((exit, &made["proved"]), (0, &json!(true)), "{made}");
    assert!(template(&project, "with_extras").starts_with("-- Template: v1.0.0\n"));
    let (exit, adopted) = project.json("tenant adopt --all --detect");
    assert_eq!((exit, &adopted["tenants"][0]["template"]), (0, &json!("with_extras")), "{adopted}");
    // Of a tenant that has a version, too.
    let (exit, made) = project.json("template from-schema org_beta --name copy");
    assert_eq!((exit, &made["version"], &made["proved"]), (0, &json!("1.0.0"), &json!(true)), "{made}");
}

#[test]
fn each_schema_gets_the_version_whose_schema_it_has() {
    let project = Project::with_tenants(&["new", "old"]);
    project.next_migration("ALTER TABLE datalinx_platform.users ADD COLUMN note text;");
    project.next_migration("ALTER TABLE workspaces ADD COLUMN note text;");
    project.next_migration("ALTER TABLE datalinx_platform.users ADD COLUMN more text;");
    project.run("migrate up").passes();
    project.db.run(
        "ALTER TABLE org_old.workspaces DROP COLUMN note; DELETE FROM datalinx_platform.tenant_version; \
         CREATE SCHEMA org_stray; INSERT INTO datalinx_platform.organizations (name, slug, schema_name) \
             VALUES ('Later', 'later', 'org_later'), ('Odd', 'Not a slug', 'org_odd')",
    );
    project.db.run("CREATE SCHEMA org_odd");
    let (exit, adopted) = project.json("tenant adopt --all --detect");
    assert_eq!(exit, 4, "{adopted}");
    let versions: Vec<_> =
        adopted["tenants"].as_array().unwrap().iter().map(|one| (&one["slug"], &one["version"])).collect();
    assert_eq!(versions, [(&json!("new"), &json!("1.0.7")), (&json!("old"), &json!("1.0.5"))], "{adopted}");
    assert_eq!(strings(&adopted["not_adopted"], "slug"), ["Not a slug"]);
    assert_eq!(adopted["missing_schemas"], json!(["org_later"]));
    assert_eq!(adopted["unregistered_schemas"], json!(["org_stray"]));
    let kinds = "SELECT kind || ' ' || to_version FROM datalinx_platform.migration_history \
                 WHERE schema_name IN ('org_new', 'org_old') AND kind = 'adopt' ORDER BY schema_name";
    assert_eq!(project.db.column(kinds), ["adopt 1.0.7", "adopt 1.0.5"]);
    project.run("migrate up").passes();
    assert_eq!(project.versions(), "platform 1.0.7, new 1.0.7, old 1.0.7");
    // With a version, only that one counts.
    project.db.run("DELETE FROM datalinx_platform.tenant_version WHERE schema_name = 'org_new'");
    let (exit, adopted) = project.json("tenant adopt --all --version 1.0.4");
    assert_eq!((exit, &adopted["outcome"]), (1, &json!("failed")), "{adopted}");
    assert!(
        project
            .db
            .column("SELECT 'x' FROM datalinx_platform.tenant_version WHERE schema_name = 'org_new'")
            .is_empty()
    );
    assert_eq!(project.run("tenant adopt org_new --all --detect").code, 2);
}

#[test]
fn migrate_up_on_a_database_with_tables_names_the_baseline() {
    let project = Project::seeds();
    project.db.run("CREATE SCHEMA datalinx_platform; CREATE TABLE datalinx_platform.users (id int)");
    let before = project.db.dump(&[]);
    let document = project.expect_error("migrate up", "baseline-missing");
    let hint = document["error"]["hint"].as_str().unwrap();
    assert!(
        hint.contains("tenure migrate baseline") && hint.contains("tenure init --from-database"),
        "{hint}"
    );
    assert!(project.db.dump(&[]) == before);
    project.expect_error("migrate up --plan", "baseline-missing");
    // Other tables are no reason to refuse.
    project.db.run("DROP TABLE datalinx_platform.users; CREATE TABLE datalinx_platform.others (id int)");
    project.run("migrate up").passes();
}

#[test]
fn a_chain_may_start_at_the_baseline() {
    let project = Project::empty();
    project.db.run(
        "CREATE SCHEMA datalinx_platform; CREATE TABLE datalinx_platform.organizations \
        (id uuid, name text, slug text, schema_name text)",
    );
    project.file("tenure.toml", "");
    let document = project.expect_error("migrate baseline 2.0.0", "no-migrations");
    let hint = document["error"]["hint"].as_str().unwrap();
    assert!(hint.contains("tenure migrate new NAME --from 2.0.0"), "{hint}");
    let (exit, new) = project.json("migrate new first --from 2.0.0 --scope platform");
    assert_eq!((exit, &new["file"]), (0, &json!("migrations/v2.0.0_to_v2.0.1_first.sql")), "{new}");
    assert_eq!(project.run("migrate new second --from 3.0.0").code, 2);
    let document = project.expect_error("migrate baseline 3.0.0", "version-not-in-chain");
    assert!(document["error"]["hint"].as_str().unwrap().contains("--from 3.0.0"), "{document}");
    project.run("migrate baseline 2.0.0").passes();
    assert_eq!(project.json("migrate new second").1["file"], "migrations/v2.0.1_to_v2.0.2_second.sql");
    project.run("migrate up").passes();
    assert_eq!(project.json("status").1["platform"]["version"], "2.0.2");
}

#[test]
fn without_a_fitting_pg_dump_the_failure_says_so() {
    let project = product(&["acme"]);
    let folder = project.dir.path().join("bin").display().to_string();
    std::fs::create_dir(&folder).unwrap();
    let output = project.run_env(&[("TENURE_PG_BINDIR", &folder), ("PATH", &folder)], "init --from-database");
    assert_eq!(output.code, 2, "{output}");
    assert!(output.stderr.contains("pg_dump of PostgreSQL"), "{output}");
}

/// Two shapes; a step is pending for the second one when its template is made.
#[test]
fn a_template_of_a_schema_without_a_version_needs_one_when_steps_may_be_missing() {
    let project = product(&["acme", "beta"]);
    project.db.run("CREATE TABLE org_beta.extras (a int)");
    init(&project, "--yes");
    project.run("tenant adopt org_acme --slug acme --version 1.0.0").passes();
    project.migration("1.0.0", "1.0.1", "more", "-- Scope: tenant\nCREATE TABLE {org_schema}.more (id uuid PRIMARY KEY, created_at timestamptz, updated_at timestamptz);\n");
    project.run("migrate up").passes();
    let document = project.expect_error("template from-schema org_beta --name heavy", "usage");
    assert!(document["error"]["hint"].as_str().unwrap().contains("--version"), "{document}");
    project.run("template from-schema org_beta --name heavy --version 1.0.0").passes();
    project.run("tenant adopt --all").passes();
    project.run("migrate up").passes();
    assert_eq!(project.db.value("SELECT to_regclass('org_beta.more')::text"), "org_beta.more");
    assert_eq!(versions(&project), "platform 1.0.1, acme 1.0.1, beta 1.0.1");
    for name in ["../x", "", "a b"] {
        let output = project.run_words(["template", "from-schema", "org_acme", "--name", name]);
        assert_eq!(output.code, 2, "{output}");
    }
}

#[test]
fn init_can_be_repeated_after_the_baseline() {
    let project = product(&["acme", "beta"]);
    assert_eq!(init(&project, "--yes").1["baseline"], json!(true));
    for folder in ["migrations", "tenant_templates"] {
        std::fs::remove_dir_all(project.dir.path().join(folder)).unwrap();
    }
    let (exit, again) = init(&project, "");
    assert_eq!((exit, &again["proved"]), (0, &json!(true)), "{again}");
    assert!(!text(&project, BASELINE).contains("tenure_"));
}

/// Schemas that are words of SQL, and texts that contain the names of schemas.
#[test]
fn names_of_schemas_in_texts_have_no_quotes() {
    let project = Project::empty();
    project.db.run(
        "CREATE TABLE client (name text NOT NULL, schema_name text NOT NULL UNIQUE); \
         INSERT INTO client VALUES ('The order', 'order'), ('Zeta', 'zeta')",
    );
    for tenant in ["order", "zeta"] {
        project.db.run(&format!(
            "CREATE SCHEMA \"{tenant}\"; CREATE TABLE \"{tenant}\".t (id int PRIMARY KEY, s text DEFAULT '{tenant}'); \
             CREATE FUNCTION \"{tenant}\".n() RETURNS bigint LANGUAGE sql AS $$ \
                 SELECT count(*) FROM pg_tables WHERE schemaname = '{tenant}' $$; \
             CREATE VIEW \"{tenant}\".v AS SELECT id FROM \"{tenant}\".t ORDER BY id"
        ));
    }
    let (exit, done) = init(&project, "--yes --tenant zeta");
    assert_eq!((exit, &done["proved"]), (0, &json!(true)), "{done}");
    project.run("tenant adopt --all").passes();
    project.run("tenant create zed").passes();
    assert_eq!(project.db.value("SELECT zed.n()::text"), "1");
    project.db.run("INSERT INTO zed.t VALUES (1)");
    assert_eq!(project.db.value("SELECT s FROM zed.t"), "zed");
    assert_eq!(project.json("drift").0, 0, "{}", project.run("drift"));
}

#[test]
fn what_cannot_be_compared_or_used_is_named() {
    let project = product(&["acme"]);
    project.db.run("CREATE TABLE app.schema_version (version text, applied timestamptz)");
    let (_, refused) = init(&project, "--yes");
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(message.contains("app.schema_version has no column applied_at"), "{refused}");
    project.db.run("DROP TABLE app.schema_version");
    init(&project, "--yes");
    project.expect_error("tenant adopt --all --version 0.0.0", "template-missing");
}
