//! `verify --schema-from`: the catalog of a real database, or a snapshot of it, is the base of the schema.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::Project;

/// Tables that the text does not show, of the platform and of each tenant.
const HIDDEN: &str = "-- Scope: platform
DO $$ BEGIN
  EXECUTE 'CREATE TYPE datalinx_platform.mood AS ENUM (''low'', ''high'')';
  EXECUTE 'CREATE TABLE datalinx_platform.audit (id int, note varchar(50) DEFAULT ''x'', n int CHECK (n > 0), m datalinx_platform.mood, k int NOT NULL)';
  EXECUTE 'CREATE INDEX audit_note ON datalinx_platform.audit (note)';
  EXECUTE 'CREATE UNIQUE INDEX audit_id ON datalinx_platform.audit (id)';
  EXECUTE 'CREATE UNIQUE INDEX audit_part ON datalinx_platform.audit (k) WHERE n > 1';
  EXECUTE 'CREATE FUNCTION datalinx_platform.peek() RETURNS int LANGUAGE sql IMMUTABLE AS ''SELECT 1 /* postgres://u:hunter2@h/d */''';
  EXECUTE 'CREATE VIEW datalinx_platform.notes AS SELECT id, note FROM datalinx_platform.audit';
END $$;
-- Scope: tenant
DO $$ BEGIN
  EXECUTE 'CREATE TABLE jobs (id serial PRIMARY KEY, state varchar(20) DEFAULT ''postgres://u:hunter2@h/d'', size int)';
  EXECUTE 'CREATE INDEX jobs_state ON jobs (state)';
END $$;";

/// A fleet at 1.0.5, after the hidden statements.
fn fleet(tenants: &[&str]) -> Project {
    let project = Project::with_tenants(tenants);
    project.without_rules();
    project.next_migration(HIDDEN);
    assert_eq!(project.run("migrate up").ok().code, 0);
    project.remove("tenure.toml");
    project
}

/// The rules that deny in `document`, in order.
fn denied(document: &Value) -> Vec<&str> {
    let findings = document["findings"].as_array().unwrap_or_else(|| panic!("{document}")).iter();
    findings.filter(|it| it["level"] == "deny").map(|it| it["rule"].as_str().unwrap()).collect()
}

fn from(project: &Project, more: &str) -> Value {
    let (code, document) = project.json(&format!("verify --schema-from {} {more}", project.db.url));
    assert!(code < 2, "{document}");
    document
}

#[test]
fn known_objects_withdraw_the_worst_case_and_harm_is_still_denied() {
    let project = fleet(&["one", "two"]);
    // What the text denies, and what the catalog does.
    for (sql, text, facts) in [
        ("DROP INDEX datalinx_platform.audit_note;", vec!["drop-unique"], vec![]),
        (
            "ALTER TABLE datalinx_platform.audit ALTER COLUMN note TYPE varchar(100);",
            vec!["change-column-type"],
            vec![],
        ),
        ("DROP INDEX datalinx_platform.audit_id;", vec!["drop-unique"], vec!["drop-unique"]),
        ("DROP INDEX datalinx_platform.audit_part;", vec!["drop-unique"], vec!["drop-unique"]),
        (
            "ALTER TABLE datalinx_platform.audit ALTER COLUMN note TYPE varchar(10);",
            vec!["change-column-type"],
            vec!["change-column-type"],
        ),
        ("ALTER TABLE datalinx_platform.audit DROP COLUMN note;", vec!["drop-column"], vec!["drop-column"]),
        ("ALTER TABLE datalinx_platform.audit ALTER COLUMN k SET NOT NULL;", vec!["set-not-null"], vec![]),
        (
            "ALTER TABLE datalinx_platform.audit ALTER COLUMN id SET NOT NULL;",
            vec!["set-not-null"],
            vec!["set-not-null"],
        ),
        ("DROP VIEW datalinx_platform.notes;", vec!["drop-view"], vec!["drop-view"]),
        ("DROP INDEX {org_schema}.jobs_state;", vec!["drop-unique"], vec![]),
        ("ALTER TABLE {org_schema}.jobs ALTER COLUMN state TYPE text;", vec!["change-column-type"], vec![]),
        (
            "ALTER TABLE {org_schema}.jobs DROP CONSTRAINT jobs_pkey;",
            vec!["drop-unique"],
            vec!["drop-unique"],
        ),
    ] {
        let file = "migrations/v1.0.5_to_v1.0.6_next.sql";
        project.next_migration(sql);
        let (_, document) = project.json(&format!("verify {file}"));
        assert_eq!(denied(&document), text, "text: {sql}: {document:#}");
        let document = from(&project, "");
        assert_eq!(denied(&document), facts, "catalog: {sql}: {document:#}");
        // The file after it is judged on the catalog and the files between.
        project.next_migration("DROP INDEX IF EXISTS datalinx_platform.audit_note;");
        let after = from(&project, "");
        let expected = facts.len();
        assert_eq!(denied(&after).len(), expected, "{sql}: {after:#}");
        project.remove("migrations/v1.0.6_to_v1.0.7_next.sql").remove(file);
    }
}

#[test]
fn what_the_text_shows_is_judged_alike_on_the_catalog() {
    let project = Project::with_tenants(&["one"]);
    let setup = "CREATE TABLE datalinx_platform.things (id bigserial PRIMARY KEY, kind text NOT NULL DEFAULT 'a' CHECK (kind IN ('a', 'b')), \
         at timestamptz DEFAULT now(), n numeric(10,2), owner uuid REFERENCES datalinx_platform.users (id) ON DELETE CASCADE);
         CREATE VIEW datalinx_platform.old_things AS SELECT id, kind FROM datalinx_platform.things WHERE at < now();
         CREATE FUNCTION datalinx_platform.half(a int) RETURNS int LANGUAGE sql AS $$ SELECT a / 2 $$;
         CREATE FUNCTION datalinx_platform.note_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
         CREATE TRIGGER noted BEFORE INSERT ON datalinx_platform.things FOR EACH ROW EXECUTE FUNCTION datalinx_platform.note_it();";
    project.without_rules();
    project.next_migration(setup);
    assert_eq!(project.run("migrate up").ok().code, 0);
    project.remove("tenure.toml");
    let file = "migrations/v1.0.5_to_v1.0.6_next.sql";
    for sql in [
        "CREATE OR REPLACE VIEW datalinx_platform.old_things AS SELECT id, kind FROM datalinx_platform.things WHERE at < now();",
        "CREATE OR REPLACE VIEW datalinx_platform.old_things AS SELECT id, kind, n FROM datalinx_platform.things WHERE at < now();",
        "CREATE OR REPLACE VIEW datalinx_platform.old_things AS SELECT id, kind FROM datalinx_platform.things;",
        "CREATE OR REPLACE FUNCTION datalinx_platform.half(a int) RETURNS int LANGUAGE sql AS $$ SELECT a / 2 $$;",
        "CREATE OR REPLACE FUNCTION datalinx_platform.half(a int) RETURNS int LANGUAGE sql AS $$ SELECT a / 3 $$;",
        "CREATE OR REPLACE FUNCTION datalinx_platform.quarter(a int) RETURNS int LANGUAGE sql AS $$ SELECT a / 4 $$;",
        "DROP FUNCTION datalinx_platform.half(int);",
        "DROP FUNCTION IF EXISTS datalinx_platform.half(text);",
        "ALTER TABLE datalinx_platform.things ALTER COLUMN at SET DEFAULT now();",
        "ALTER TABLE datalinx_platform.things ALTER COLUMN at SET DEFAULT clock_timestamp();",
        "ALTER TABLE datalinx_platform.things ALTER COLUMN kind SET DEFAULT 'a';",
        "ALTER TABLE datalinx_platform.things ADD CONSTRAINT again CHECK (kind IN ('a', 'b'));",
        "ALTER TABLE datalinx_platform.things ADD CONSTRAINT narrow CHECK (kind IN ('a'));",
        "ALTER TABLE datalinx_platform.things DROP CONSTRAINT things_owner_fkey, ADD CONSTRAINT things_owner_fkey FOREIGN KEY (owner) REFERENCES datalinx_platform.users (id) ON DELETE CASCADE;",
        "ALTER TABLE datalinx_platform.things ALTER COLUMN n TYPE numeric(12,2);",
        "ALTER TABLE datalinx_platform.things ALTER COLUMN id TYPE bigint;",
        "DROP SEQUENCE datalinx_platform.things_id_seq;",
        "DROP TRIGGER noted ON datalinx_platform.things; CREATE TRIGGER noted BEFORE INSERT ON datalinx_platform.things FOR EACH ROW EXECUTE FUNCTION datalinx_platform.note_it();",
        "DROP TRIGGER noted ON datalinx_platform.things;",
        "DROP TABLE IF EXISTS datalinx_platform.never_was;",
        "CREATE UNIQUE INDEX again ON datalinx_platform.things (id, kind);",
        "CREATE UNIQUE INDEX other ON datalinx_platform.things (kind);",
        "ALTER TABLE {org_schema}.workspaces ALTER COLUMN name TYPE varchar(300);",
        "ALTER TABLE {org_schema}.workspaces DROP COLUMN name;",
        "DROP INDEX {org_schema}.idx_jobs_status;",
        "UPDATE {org_schema}.workspaces SET description = '' WHERE description IS NULL;",
        "DROP EXTENSION IF EXISTS never_was;",
    ] {
        project.next_migration(sql);
        let (_, document) = project.json(&format!("verify {file}"));
        let facts = from(&project, "");
        assert_eq!(denied(&facts), denied(&document), "{sql}: {document:#} {facts:#}");
        project.remove(file);
    }
}

#[test]
fn applied_files_are_not_judged() {
    let project = fleet(&["one"]);
    let file = "migrations/v1.0.5_to_v1.0.6_next.sql";
    project.next_migration("ALTER TABLE users DROP COLUMN email;");
    assert!(denied(&project.json("verify").1).contains(&"opaque-code"));
    let document = from(&project, "");
    assert_eq!(denied(&document), ["drop-column"], "{document:#}");
    let files: BTreeSet<&str> =
        document["findings"].as_array().unwrap().iter().map(|it| it["file"].as_str().unwrap()).collect();
    assert_eq!(files, BTreeSet::from([file]));
    let summary = &document["summary"];
    assert!(summary["files"].as_u64() < summary["read"].as_u64(), "{summary}");
    // A tenant that is behind has not applied them all, so they are judged again.
    project
        .db
        .run("UPDATE datalinx_platform.tenant_version SET version = '1.0.4' WHERE schema_name = 'org_one'");
    assert!(denied(&from(&project, "")).contains(&"opaque-code"));
    project.db.run("UPDATE datalinx_platform.tenant_version SET version = '7.0.0'");
    project.expect_error(&format!("verify --schema-from {}", project.db.url), "version-beyond");
}

#[test]
fn a_snapshot_file_needs_no_database_and_contains_no_secrets() {
    let project = fleet(&["one", "two"]);
    project.db.run("INSERT INTO org_one.jobs (state) VALUES ('a row of a customer')");
    project.next_migration("DROP INDEX {org_schema}.jobs_state;\nDROP INDEX datalinx_platform.audit_id;");
    let document = from(&project, "--save schema.json");
    assert_eq!(denied(&document), ["drop-unique"]);
    let text = std::fs::read_to_string(project.dir.path().join("schema.json")).unwrap();
    let saved: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&saved["format"], &saved["format_version"]), (&json!("tenure-schema"), &json!(1)));
    for secret in ["hunter2", "a row of a customer", &project.db.url] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    let unreachable = [("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none")];
    let again = project.run_env(&unreachable, "verify --schema-from schema.json --format json");
    assert_eq!(serde_json::from_str::<Value>(&again.stdout).unwrap(), document, "{again}");
    // With other flags.
    project.file("alone.sql", "-- Scope: platform\nDROP INDEX datalinx_platform.audit_note;\n");
    assert_eq!(denied(&project.json("verify alone.sql").1), ["drop-unique"]);
    let (code, document) = project.json("verify alone.sql --schema-from schema.json");
    assert_eq!((code, denied(&document)), (0, vec![]), "{document:#}");

    for (text, why) in [
        ("{}".to_owned(), "missing field"),
        ("SELECT 1;".to_owned(), "expected value"),
        (text.replace("tenure-schema", "other"), "\\\"format\\\""),
        (text.replace("\"format_version\": 1", "\"format_version\": 2"), "format_version is 2"),
    ] {
        project.file("wrong.json", text);
        let error = project.expect_error("verify --schema-from wrong.json", "snapshot-invalid");
        assert!(error.to_string().contains(why), "{why}: {error}");
    }
    project.expect_error("verify --schema-from missing.json", "io");
    let output = project.run("verify --schema-from postgres://nobody@127.0.0.1:1/none --connect-attempts 1");
    assert_eq!(output.code, 3, "{output}");
    assert_eq!(project.run("verify --save x.json").code, 2);
}

#[test]
fn the_schema_of_most_tenants_is_the_base() {
    let project = fleet(&["one", "two", "three"]);
    project.next_migration(
        "ALTER TABLE {org_schema}.jobs ALTER COLUMN size TYPE bigint;\nDROP INDEX {org_schema}.jobs_state;",
    );
    project.db.run("DROP INDEX org_one.jobs_state; CREATE UNIQUE INDEX jobs_state ON org_one.jobs (state)");
    assert!(!denied(&from(&project, "")).contains(&"drop-unique"));
    project.db.run("ALTER TABLE org_two.jobs ADD COLUMN more int");
    // No schema is that of most tenants: the text alone.
    assert!(denied(&from(&project, "")).contains(&"drop-unique"));
}

#[test]
fn the_catalog_is_read_without_writing() {
    let project = fleet(&["one"]);
    project.next_migration("DELETE FROM users WHERE email = 'x';");
    let role = format!("reader_{}", project.db.name);
    project.db.run(&format!(
        "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA datalinx_platform TO {role}; \
         GRANT SELECT ON ALL TABLES IN SCHEMA datalinx_platform TO {role};"
    ));
    let before = project.db.dump(&[]);
    let (code, document) = project.json(&format!("verify --schema-from {}", project.db.url_as(&role)));
    assert_eq!((code, denied(&document)), (1, vec!["delete-rows"]), "{document:#}");
    assert!(project.db.dump(&[]) == before);
    project.db.run(&format!("DROP OWNED BY {role}; DROP ROLE {role};"));
}

#[test]
fn findings_about_rows_say_how_many() {
    let project = fleet(&["one", "two"]);
    project.db.run(
        "INSERT INTO datalinx_platform.audit (id, note, k) SELECT i, 'secret' || i % 10, i FROM generate_series(1, 1000) i; \
         INSERT INTO org_one.jobs (state) SELECT 'x' FROM generate_series(1, 300); \
         INSERT INTO org_two.jobs (state) SELECT 'x' FROM generate_series(1, 200); ANALYZE",
    );
    project.next_migration(
        "DELETE FROM datalinx_platform.audit WHERE note = 'secret3';
         UPDATE datalinx_platform.audit SET note = 'other';
         UPDATE {org_schema}.jobs SET state = 'y' WHERE state = 'x';
         DELETE FROM {org_schema}.jobs WHERE missing = 1;
         DELETE FROM datalinx_platform.audit WHERE id = datalinx_platform.peek();",
    );
    let before = project.db.dump(&[]);
    let document = from(&project, "");
    let messages: Vec<&str> = document["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["level"] == "deny" && it["rule"] != "opaque-code")
        .map(|it| it["message"].as_str().unwrap())
        .collect();
    let estimates: Vec<Option<&str>> = messages
        .iter()
        .map(|text| text.split_once("; the planner estimates ").map(|(_, rows)| rows))
        .collect();
    let expected = [
        Some("100 rows of the platform"),
        Some("1000 rows of the platform"),
        Some("500 rows in 2 tenants"),
        None,
        None,
    ];
    assert_eq!(estimates, expected, "{messages:#?}");
    assert!(project.db.dump(&[]) == before, "nothing was executed");
}

#[test]
fn every_kind_of_object_is_read() {
    let project = Project::with_tenants(&["one"]);
    project.db.run(
        r#"SET search_path = org_one;
        CREATE DOMAIN positive AS int NOT NULL CONSTRAINT above CHECK (VALUE > 0);
        CREATE TYPE pair AS (a int, "b c" text);
        CREATE TYPE span AS RANGE (SUBTYPE = int);
        CREATE TABLE "a ""b'.c" ("x ""y" int DEFAULT 1, CONSTRAINT "k (" CHECK ("x ""y" > 0));
        CREATE TABLE parts (id bigint GENERATED ALWAYS AS IDENTITY, at date NOT NULL, twice int GENERATED ALWAYS AS (1 + 1) STORED,
            during int4range, EXCLUDE USING gist (during WITH &&)) ;
        CREATE TABLE parted (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
        CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (MINVALUE) TO (MAXVALUE);
        CREATE TABLE child (more int) INHERITS (parts);
        CREATE TABLE keyed (id smallserial PRIMARY KEY, p positive, q pair, parent int REFERENCES keyed (id));
        ALTER TABLE keyed ADD CONSTRAINT later CHECK (parent > 0) NOT VALID;
        CREATE SEQUENCE alone;
        CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM parts;
        CREATE UNIQUE INDEX counted_one ON counted (count);
        CREATE INDEX lowered ON workspaces (lower(name) text_pattern_ops DESC NULLS LAST) INCLUDE (id) WHERE name IS NOT NULL;
        CREATE FUNCTION f(INOUT a int DEFAULT 1, VARIADIC b text[] DEFAULT '{}') LANGUAGE plpgsql STRICT SECURITY DEFINER AS $$ BEGIN a := 1; END $$;
        CREATE FUNCTION g() RETURNS TABLE (x int, y text) LANGUAGE sql STABLE AS 'SELECT 1, ''$$''';
        CREATE FUNCTION h(a int) RETURNS int LANGUAGE sql RETURN a + 1;
        CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
        CREATE PROCEDURE p(a int) LANGUAGE plpgsql AS $$ BEGIN NULL; END $$;
        CREATE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int);
        CREATE TRIGGER noted AFTER UPDATE OF name ON workspaces FOR EACH ROW WHEN (OLD.name IS DISTINCT FROM NEW.name) EXECUTE FUNCTION t();
        ALTER TABLE workspaces DISABLE TRIGGER noted;
        CREATE RULE quiet AS ON DELETE TO keyed DO INSTEAD NOTHING;
        CREATE POLICY own ON workspaces AS RESTRICTIVE FOR UPDATE USING (name = current_user) WITH CHECK (true);
        CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq);
        CREATE STATISTICS s ON id, at FROM parted;"#,
    );
    project.next_migration("SELECT 1 FROM {org_schema}.workspaces;");
    let _saved = from(&project, "--save schema.json");
    let text = std::fs::read_to_string(project.dir.path().join("schema.json")).unwrap();
    let saved: Value = serde_json::from_str(&text).unwrap();
    let objects = saved["catalog"]["tenants"][0]["schema"]["objects"].as_array().unwrap();
    assert!(objects.len() > 28, "{}", objects.len());
    for object in objects {
        let sql = object["sql"].as_str().unwrap();
        let script = tenure::sql::Script::parse(tenure::error::Source::new("s", sql));
        assert_eq!(script.map(|script| script.statements.len()).ok(), Some(1), "{sql}");
    }
    // Each is known, so a new object of another name is new, and the old ones are not.
    for (sql, rules) in [
        (r#"ALTER TABLE {org_schema}."a ""b'.c" DROP COLUMN "x ""y";"#, vec!["drop-column"]),
        ("ALTER TABLE {org_schema}.keyed ALTER COLUMN id TYPE int;", vec![]),
        ("ALTER TABLE {org_schema}.parts ALTER COLUMN at SET NOT NULL;", vec![]),
        ("DROP TABLE IF EXISTS {org_schema}.never_was;", vec![]),
        ("DROP INDEX {org_schema}.lowered;", vec![]),
        ("DROP SEQUENCE {org_schema}.alone;", vec!["drop-sequence"]),
        ("DROP FUNCTION {org_schema}.h(int);", vec!["drop-function"]),
        ("DROP FUNCTION IF EXISTS {org_schema}.h(text);", vec![]),
    ] {
        project.remove("migrations/v1.0.4_to_v1.0.5_next.sql").next_migration(sql);
        let document = from(&project, "");
        assert_eq!(denied(&document), rules, "{sql}: {document:#}");
    }
}
