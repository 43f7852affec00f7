//! `template squash` and `template check`: a new version of a template makes the same tenant as the old one
//! and the steps after it, which is proved on a throwaway database.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use tenure::postgres::server::Binaries;

use crate::support::{Output, Project, environment};

/// The seeds' project with a richer tenant, at 1.0.6.
fn rich() -> Project {
    let project = Project::seeds();
    project.file(
        "tenant_templates/default/050_plans.sql",
        "CREATE TYPE {org_schema}.size AS ENUM ('s', 'm');
CREATE TABLE {org_schema}.plans (id serial PRIMARY KEY, size size NOT NULL, name text UNIQUE, at timestamptz DEFAULT now(),
    kind varchar(9) CHECK (kind IN ('x', 'it''s')));
INSERT INTO plans (size, name) VALUES ('s', 'free'), ('m', 'paid; in {org_schema}');
CREATE FUNCTION {org_schema}.named(which int) RETURNS text LANGUAGE sql STABLE AS 'SELECT name FROM {org_schema}.plans WHERE id = which';
CREATE FUNCTION {org_schema}.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.at := now(); RETURN new; END $$;
CREATE TRIGGER touch BEFORE UPDATE ON plans FOR EACH ROW EXECUTE FUNCTION touch();
CREATE VIEW {org_schema}.paid AS SELECT id, name FROM plans WHERE size = 'm';
",
    );
    project.migration(
        "1.0.4",
        "1.0.5",
        "colours",
        "-- Scope: tenant\nALTER TABLE workspaces ADD COLUMN colour text;\nCOMMENT ON COLUMN workspaces.colour IS 'any';\n\
         ALTER TABLE mappings ALTER COLUMN version SET DEFAULT 2;",
    );
    project.migration(
        "1.0.5",
        "1.0.6",
        "more",
        "-- Scope: tenant\nINSERT INTO plans (size, name) VALUES ('m', 'third');\nDROP INDEX idx_mappings_workspace;",
    );
    project
}

/// With the test's own database as the shadow.
fn on_shadow(project: &Project, line: &str) -> Output {
    let url = project.db.url.clone();
    project.run_words(line.split_whitespace().chain(["--shadow-url", url.as_str()]))
}

fn json_on_shadow(project: &Project, line: &str) -> (i32, Value) {
    let output = on_shadow(project, &format!("--format json {line}"));
    (output.code, serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output}")))
}

fn text(project: &Project, file: &str) -> String {
    std::fs::read_to_string(project.dir.path().join(file)).unwrap()
}

#[test]
fn a_new_version_is_written_and_makes_the_same_tenant() {
    let project = rich();
    let (code, document) = json_on_shadow(&project, "template squash");
    assert_eq!((code, &document["made"]), (0, &json!("default_v1.0.6")), "{document}");
    assert_eq!((&document["from"], &document["to"]), (&json!("1.0.0"), &json!("1.0.6")));
    let files: Vec<&str> =
        document["files"].as_array().unwrap().iter().map(|file| file.as_str().unwrap()).collect();
    let all: String = files.iter().map(|file| text(&project, file)).collect();
    assert!(all.starts_with("-- Template: v1.0.6\n"), "{all}");
    let has = [
        "CREATE TABLE {org_schema}.workspaces (",
        "COMMENT ON COLUMN {org_schema}.workspaces.colour IS 'any'",
        "'third'",
    ];
    assert!(has.iter().all(|part| all.contains(part)), "{all}");
    let has_not =
        ["tenure_sample", "SET statement", "pg_dump", "OWNER TO", "idx_mappings_workspace", "restrict"];
    assert!(!has_not.iter().any(|part| all.contains(part)), "{all}");
    assert!(files.last().unwrap().ends_with("_keys_and_triggers.sql"), "{files:?}");
    // The old version is there, and a check proves it anew.
    assert!(text(&project, "tenant_templates/default/010_workspaces.sql").contains("v1.0.0"));
    let (code, document) = json_on_shadow(&project, "template check");
    let proofs = document["proofs"].as_array().unwrap();
    assert_eq!((code, proofs.len()), (0, 2), "{document}");
    assert_eq!((&proofs[1]["against"], &proofs[1]["proved"]), (&json!("default"), &json!(true)));
    let again = on_shadow(&project, "template squash");
    assert_eq!(again.code, 2, "{again}");
    // New tenants can be made from it.
    project.file("tenure.toml", "[tenants]\ntemplate = \"default_v1.0.6\"\n");
    project.run("migrate up").passes();
    project.run("tenant create acme").passes();
    assert_eq!(
        project.db.value("SELECT string_agg(name, ',' ORDER BY id) FROM org_acme.plans"),
        "free,paid; in org_acme,third"
    );
    let drifted = project.run("drift");
    assert_eq!(drifted.code, 0, "{drifted}");
}

/// `pg_dump` of a minor release that does not know the option writes it for every column.
#[test]
fn rows_that_came_from_a_temporary_table_are_taken_over() {
    let project = Project::seeds();
    for (from, to, name) in [("1.0.4", "1.0.5", "first"), ("1.0.5", "1.0.6", "second")] {
        project.migration(
            from,
            to,
            name,
            &format!(
                "-- Scope: tenant\nCREATE TEMP TABLE wanted AS SELECT '{name}' AS name;\n\
                 INSERT INTO workspaces (name) SELECT name FROM wanted;"
            ),
        );
    }
    let (code, document) = json_on_shadow(&project, "template squash");
    assert_eq!(code, 0, "{document:#}");
    let (code, document) = json_on_shadow(&project, "template check");
    assert_eq!(code, 0, "{document:#}");
}

#[test]
fn the_servers_own_options_are_in_no_template() {
    let project = rich();
    project.migration(
        "1.0.6",
        "1.0.7",
        "estimate",
        "-- Scope: tenant\nALTER TABLE workspaces ALTER COLUMN colour SET (n_distinct = 3);",
    );
    let major = project.db.value("SELECT (current_setting('server_version_num')::int / 10000)::text");
    let dump = Binaries::client(&environment(), "pg_dump", major.parse().unwrap()).unwrap();
    // Another column gets the option alone.
    let script = format!(
        "#!/bin/sh\n'{}' \"$@\" | sed -E -e 's/^(.*) colour SET \\((n_distinct=3)\\);$/\\1 colour SET (\\2, pg_attver=9);\\n\\1 id SET (pg_attver=9);/'\n",
        dump.display(),
    );
    project.file("programs/pg_dump", script);
    let program = project.dir.path().join("programs/pg_dump");
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    let folder = program.parent().unwrap().display().to_string();
    let path = format!("{folder}:{}", std::env::var("PATH").unwrap());
    // A folder without a server: then the one on the PATH is taken.
    let surroundings = [("TENURE_PG_BINDIR", folder.as_str()), ("PATH", path.as_str())];
    project.run_env(&surroundings, &format!("template squash --shadow-url {}", project.db.url)).passes();
    let mut all = String::new();
    for entry in std::fs::read_dir(project.dir.path().join("tenant_templates/default_v1.0.7")).unwrap() {
        all += &std::fs::read_to_string(entry.unwrap().path()).unwrap();
    }
    assert!(all.contains("SET (n_distinct=3)") && !all.contains("pg_attver"), "{all}");
}

#[test]
fn check_reports_differences() {
    let project = rich();
    on_shadow(&project, "template squash").passes();
    let changed = "-- Template: v1.0.6\nCREATE TABLE {org_schema}.extra (id int);\n";
    let first = std::fs::read_dir(project.dir.path().join("tenant_templates/default_v1.0.6"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .min()
        .unwrap();
    let file = format!("tenant_templates/default_v1.0.6/{first}");
    let old = text(&project, &file);
    project.file(&file, old.replace("-- Template: v1.0.6\n", changed));
    let refused = on_shadow(&project, "template check");
    assert_eq!(refused.code, 1, "{refused}");
    let said = "default_v1.0.6 and default create different tenants at 1.0.6\n  table extra: added";
    assert!(refused.stdout.contains(said), "{refused}");
}

#[test]
fn files_of_an_aborted_squash_are_not_overwritten() {
    let project = rich();
    project
        .file("tenant_templates/.default.old/1.sql", "-- Template: v1.0.0\nCREATE TABLE precious (id int);");
    let output = on_shadow(&project, "--format json template squash --replace");
    let document: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!((output.code, &document["error"]["code"]), (2, &"template-exists".into()), "{output}");
    assert!(project.dir.path().join("tenant_templates/.default.old/1.sql").exists());
    std::fs::remove_dir_all(project.dir.path().join("tenant_templates/.default.old")).unwrap();
    // What only a run that was killed can have left is in nobody's way, and other folders of a template stay.
    project.file("tenant_templates/.default.new/x.sql", "half a file");
    project.file("tenant_templates/default/notes/why.md", "why it is so");
    let _replaced = on_shadow(&project, "template squash --replace").ok();
    let left = |path: &str| project.dir.path().join("tenant_templates").join(path).exists();
    assert!(left("default/notes/why.md") && !left(".default.new") && !left(".default.old"));
}

#[test]
fn the_old_files_are_replaced_only_when_asked() {
    let project = rich();
    // A step that drops what the old files made would be judged without them.
    project.migration("1.0.5", "1.0.6", "more", "-- Scope: tenant\nALTER TABLE plans ADD COLUMN more text;");
    let output = on_shadow(&project, "template squash --replace").ok();
    assert!(output.stdout.contains("removed tenant_templates/default/050_plans.sql"), "{output}");
    let names = || {
        let entries = std::fs::read_dir(project.dir.path().join("tenant_templates")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(names(), ["default"]);
    // There is nothing left to do, and no database is needed to know it.
    let output = project.run("template squash").ok();
    assert_eq!(output.stdout, "default is already at 1.0.6\n");
    project.run("migrate up").passes();
    project.create(&["acme"]);
}

#[test]
fn rows_that_code_writes_are_not_lost_in_silence() {
    let project = Project::seeds();
    project.file(
        "tenant_templates/default/050_code.sql",
        "CREATE TABLE {org_schema}.kinds (name text);\nDO $$ BEGIN INSERT INTO {org_schema}.kinds VALUES ('a'); END $$;",
    );
    let (code, document) = json_on_shadow(&project, "template squash");
    assert_eq!((code, &document["error"]["code"]), (1, &json!("template-differs")), "{document}");
    let message = document["error"]["message"].as_str().unwrap();
    assert!(message.contains("table kinds: rows: 0 instead of 1"), "{message}");
    assert!(!project.dir.path().join("tenant_templates/default_v1.0.4").exists());
}

/// Squashes the template of a project with this file, and creates tenants of both versions, which must be equal.
fn squashed(file: &str) -> Project {
    let project = Project::seeds();
    project.without_rules();
    project.file("tenant_templates/default/050_more.sql", file);
    project.next_migration("-- Scope: tenant\nALTER TABLE workspaces ADD COLUMN colour text;");
    project.run("template squash").passes();
    project.run("template check").passes();
    project
}

#[test]
fn materialized_views_are_filled() {
    let project = squashed(
        "CREATE TABLE {org_schema}.plans (id integer, name text);
INSERT INTO plans VALUES (1, 'free'), (2, 'paid');
CREATE MATERIALIZED VIEW {org_schema}.\"Plan names\" WITH (fillfactor = 80) AS SELECT name FROM plans;
CREATE MATERIALIZED VIEW {org_schema}.first_name AS SELECT min(name) AS name FROM {org_schema}.\"Plan names\";
CREATE MATERIALIZED VIEW {org_schema}.later AS SELECT id FROM plans WITH NO DATA;
CREATE UNIQUE INDEX plan_names ON {org_schema}.\"Plan names\" (name);",
    );
    project.file("tenure.toml", "[tenants]\ntemplate = \"default_v1.0.5\"\n");
    project.run("migrate up").passes();
    project.create(&["acme"]);
    assert_eq!(project.db.column("SELECT name FROM org_acme.first_name"), ["free"]);
    assert!(project.db.try_run("SELECT FROM org_acme.later").unwrap_err().starts_with("55000"));
}

#[test]
fn functions_come_before_the_tables_that_need_them() {
    let project = squashed(
        "CREATE TABLE {org_schema}.zones (name text);
INSERT INTO zones VALUES ('west');
CREATE FUNCTION {org_schema}.is_zone(zone text) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT EXISTS (SELECT FROM zones WHERE name = zone)';
COMMENT ON FUNCTION {org_schema}.is_zone(text) IS 'looks it up';
CREATE FUNCTION {org_schema}.clean(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower($1)';
CREATE DOMAIN {org_schema}.zone AS text CHECK (is_zone(VALUE));
CREATE TABLE {org_schema}.cities (name text CHECK (clean(name) <> ''), zone text CHECK (is_zone(zone)));
CREATE TABLE {org_schema}.areas (zone zone DEFAULT clean('WEST'), clean text GENERATED ALWAYS AS (clean('X')) STORED);
CREATE FUNCTION {org_schema}.in_zone(wanted text) RETURNS SETOF {org_schema}.cities LANGUAGE sql STABLE AS 'SELECT * FROM cities WHERE zone = wanted';
CREATE FUNCTION {org_schema}.next_id() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM areas';
CREATE TABLE {org_schema}.apples (id bigint DEFAULT next_id());
CREATE VIEW {org_schema}.western AS SELECT * FROM in_zone('west');",
    );
    project.file("tenure.toml", "[tenants]\ntemplate = \"default_v1.0.5\"\n");
    project.run("migrate up").passes();
    project.create(&["acme"]);
    project.run("drift").passes();
}

#[test]
fn privileges_of_roles_that_no_migration_creates_are_kept() {
    let roles = ["reporter", "Support team"];
    let project = squashed(
        "CREATE TABLE {org_schema}.notes (id integer);
GRANT SELECT ON {org_schema}.notes TO reporter WITH GRANT OPTION;
GRANT USAGE ON SCHEMA {org_schema} TO reporter, \"Support team\";
ALTER TABLE {org_schema}.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON {org_schema}.notes FOR SELECT TO \"Support team\" USING (id > 0);
ALTER DEFAULT PRIVILEGES IN SCHEMA {org_schema} GRANT SELECT ON TABLES TO reporter;",
    );
    let mut all = String::new();
    for entry in std::fs::read_dir(project.dir.path().join("tenant_templates/default_v1.0.5")).unwrap() {
        all += &std::fs::read_to_string(entry.unwrap().path()).unwrap();
    }
    for role in roles {
        assert!(all.contains(role), "{all}");
    }
    assert!(!all.contains("FOR ROLE"), "{all}");
}
