//! What a step does outside of the schema that it is for.

use serde_json::Value;

use crate::support::Project;

/// The seeds, then a step that makes things to be touched, then `sql`.
fn verified(sql: &str) -> (i32, Value) {
    let project = Project::seeds();
    project.migration(
        "1.0.4",
        "1.0.5",
        "others",
        "-- Scope: platform\nCREATE TABLE public.imports (id int);\nINSERT INTO public.imports VALUES (1);\n\
         CREATE VIEW public.recent AS SELECT 1 AS a;\nCREATE TABLE datalinx_platform.audit (id serial, note text);\n\
         CREATE FUNCTION datalinx_platform.note() RETURNS void LANGUAGE sql AS \
         'INSERT INTO datalinx_platform.audit (note) VALUES (''x'')';",
    );
    project.migration("1.0.5", "1.0.6", "more", sql);
    project.json("verify --shadow migrations/v1.0.5_to_v1.0.6_more.sql")
}

fn denied(document: &Value) -> Vec<String> {
    let findings = document["findings"].as_array().unwrap_or_else(|| panic!("{document:#}"));
    let is_denied = |finding: &&Value| finding["level"] == "deny" && finding["allowed"] != true;
    findings.iter().filter(is_denied).map(|finding| finding["rule"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_tenant_step_with_effects_outside_its_schema_is_denied() {
    for body in [
        "DROP TABLE imports;",
        "DELETE FROM imports;",
        "INSERT INTO imports VALUES (2);",
        "TRUNCATE imports;",
        "EXECUTE 'ALTER TABLE ' || 'imports ADD COLUMN a int';",
        "DROP VIEW recent;",
        "PERFORM datalinx_platform.note();",
        "EXECUTE 'CREATE TABLE pub' || 'lic.extra (id int)';",
        "EXECUTE 'CREATE SCHEMA IF NOT EXISTS ' || 'else' || 'where';",
        "EXECUTE 'ALTER TABLE org_tenure' || '_sample_1b.workspaces ADD COLUMN IF NOT EXISTS c int';",
    ] {
        let (code, document) = verified(&format!("-- Scope: tenant\nDO $$ BEGIN {body} END $$;"));
        assert!(denied(&document).contains(&"beyond-tenant".to_owned()), "{body}: {document:#}");
        assert_eq!(code, 1, "{body}");
    }
}

#[test]
fn named_or_temporary_outside_effects_are_allowed() {
    for body in [
        "INSERT INTO datalinx_platform.audit (note) VALUES ('x');",
        "CREATE TEMP TABLE imports_now AS SELECT 1 AS a; INSERT INTO imports_now VALUES (2); DROP TABLE imports_now;",
        "UPDATE workspaces SET name = name || 'x' WHERE false;",
        "EXECUTE 'ALTER TABLE workspaces ADD COLUMN colour text';",
        "EXECUTE 'ALTER DEFAULT PRIVILEGES IN SCHEMA {org_schema} GRANT SELECT ON TABLES TO public';",
    ] {
        let (_, document) = verified(&format!("-- Scope: tenant\nDO $$ BEGIN {body} END $$;"));
        assert!(!denied(&document).contains(&"beyond-tenant".to_owned()), "{body}: {document:#}");
    }
    let accepted = "-- Scope: tenant\n-- Allow: beyond-tenant audit because every tenant writes a line\n\
                    DO $$ BEGIN PERFORM datalinx_platform.note(); END $$;";
    assert!(!denied(&verified(accepted).1).contains(&"beyond-tenant".to_owned()));
}

#[test]
fn conditional_effects_on_missing_objects_are_denied() {
    let project = Project::seeds();
    let bodies = [
        ("DROP TABLE IF EXISTS imports;", true),
        ("DROP VIEW IF EXISTS totals;", true),
        ("DROP MATERIALIZED VIEW IF EXISTS totals;", true),
        ("DROP SEQUENCE IF EXISTS numbers;", true),
        ("DROP TYPE IF EXISTS mood;", true),
        ("DROP FUNCTION IF EXISTS helper();", true),
        ("DROP INDEX IF EXISTS by_name;", true),
        ("DROP SEQUENCE IF EXISTS first, numbers;", true),
        ("DROP FUNCTION IF EXISTS helper(int);", true),
        ("DROP FUNCTION IF EXISTS helper(a numeric(4, 2), OUT b text), other();", true),
        ("DROP ROUTINE IF EXISTS helper(text[]);", true),
        ("DROP PROCEDURE IF EXISTS helper(text);", true),
        ("DROP AGGREGATE IF EXISTS helper(text), other(*);", true),
        ("DROP AGGREGATE IF EXISTS {org_schema}.helper(text);", false),
        ("DROP FUNCTION IF EXISTS {org_schema}.helper(int);", false),
        ("DROP FUNCTION IF EXISTS helper(no_such_type);", false),
        ("DROP POLICY IF EXISTS own ON imports;", true),
        ("EXECUTE 'DROP TRIGGER IF EXISTS own ON imports';", true),
        ("DROP RULE IF EXISTS own ON imports;", true),
        ("ALTER TABLE IF EXISTS imports DROP COLUMN IF EXISTS a;", true),
        ("ALTER TABLE IF EXISTS imports DROP CONSTRAINT IF EXISTS a;", true),
        ("DROP POLICY IF EXISTS own ON {org_schema}.imports;", false),
        ("DROP POLICY IF EXISTS own ON workspaces;", false),
        ("ALTER TABLE IF EXISTS imports ADD COLUMN a int;", true),
        ("IF to_regclass('imports') IS NOT NULL THEN DELETE FROM imports; END IF;", true),
        ("IF to_regclass('imports') IS NOT NULL THEN UPDATE imports SET done = true; END IF;", true),
        ("EXECUTE format('DROP TABLE IF EXISTS %I CASCADE', 'im' || 'ports');", false),
        ("EXECUTE format('DROP TABLE IF EXISTS %I CASCADE', 'imports');", true),
        ("DROP TABLE IF EXISTS {org_schema}.imports;", false),
        ("DROP TABLE IF EXISTS public.imports;", false),
        ("CREATE TABLE IF NOT EXISTS imports (id int); DROP TABLE imports;", false),
        ("CREATE TEMP TABLE imports AS SELECT 1 AS a; UPDATE imports SET a = 2; DROP TABLE imports;", false),
        ("IF to_regclass('imports') IS NOT NULL THEN PERFORM count(*) FROM imports; END IF;", false),
        (
            "IF to_regclass('public.countries') IS NOT NULL THEN \
             PERFORM code FROM public.countries FOR UPDATE SKIP LOCKED; END IF;",
            false,
        ),
        ("WHILE to_regclass('old_jobs') IS NOT NULL LOOP PERFORM pg_sleep(0.1); END LOOP;", false),
    ];
    for (number, (body, _)) in bodies.iter().enumerate() {
        project.migration(
            &format!("1.0.{}", number + 4),
            &format!("1.0.{}", number + 5),
            "code",
            &format!("-- Scope: tenant\nDO $$ BEGIN {body} END $$;"),
        );
    }
    // In a function that the step calls.
    let last = bodies.len() + 4;
    project.migration(
        &format!("1.0.{last}"),
        "1.1.0",
        "function",
        "CREATE FUNCTION {org_schema}.forget() RETURNS void LANGUAGE plpgsql AS \
         $$ BEGIN DROP TABLE IF EXISTS imports; END $$;\nSELECT {org_schema}.forget();",
    );
    project.file(
        "tenure.toml",
        "[migrate]\nstatement_timeout = \"2s\"\n[tenants]\nsearch_path = [\"nowhere\"]\n",
    );
    let (_, document) = project.json("verify --shadow");
    let of = |finding: &Value| finding["file"].as_str().unwrap().to_owned();
    let findings = document["findings"].as_array().unwrap_or_else(|| panic!("{document:#}"));
    let denied = findings.iter().filter(|it| it["rule"] == "beyond-tenant" && it["allowed"] == false);
    let found: Vec<String> = denied.map(of).collect();
    for (number, (body, is_denied)) in bodies.iter().enumerate() {
        let file = format!("migrations/v1.0.{}_to_v1.0.{}_code.sql", number + 4, number + 5);
        assert_eq!(found.contains(&file), *is_denied, "{body}: {document:#}");
    }
    assert!(found.contains(&format!("migrations/v1.0.{last}_to_v1.1.0_function.sql")), "{document:#}");
}

#[test]
fn a_step_outside_of_a_transaction_is_judged_too() {
    let project = Project::seeds();
    project.migration(
        "1.0.4",
        "1.0.5",
        "functions",
        "-- Scope: platform\nCREATE TABLE public.imports (id int);\nCREATE TABLE datalinx_platform.notes (note text);\n\
         CREATE FUNCTION public.import() RETURNS void LANGUAGE plpgsql AS \
         'BEGIN INSERT INTO public.imports VALUES (1); END';\n\
         CREATE FUNCTION public.define() RETURNS void LANGUAGE plpgsql AS \
         'BEGIN EXECUTE ''CREATE TABLE IF NOT EXISTS public.made (id int)''; END';\n\
         CREATE FUNCTION public.loud(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS \
         'BEGIN PERFORM public.import(); RETURN upper($1); END';\n\
         CREATE FUNCTION public.bold(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS \
         'BEGIN PERFORM public.define(); RETURN upper($1); END';",
    );
    for (sql, rule) in [
        (
            "-- Scope: tenant\nCREATE INDEX CONCURRENTLY workspaces_loud ON workspaces (public.loud(name));",
            "beyond-tenant",
        ),
        (
            "-- Scope: tenant\nCREATE INDEX CONCURRENTLY workspaces_bold ON workspaces (public.bold(name));",
            "beyond-tenant",
        ),
        (
            "-- Scope: platform\nCREATE INDEX CONCURRENTLY notes_loud ON datalinx_platform.notes (public.loud(note));",
            "beyond-platform",
        ),
        ("-- Scope: tenant\nCREATE INDEX CONCURRENTLY workspaces_name2 ON workspaces (upper(name));", ""),
        ("-- Scope: tenant\nVACUUM workspaces;", ""),
        (
            "-- Scope: tenant\n-- Allow: beyond-tenant imports because a test\n\
             CREATE INDEX CONCURRENTLY workspaces_loud ON workspaces (public.loud(name));",
            "",
        ),
    ] {
        project.migration("1.0.5", "1.0.6", "more", sql);
        let (_, document) = project.json("verify --shadow migrations/v1.0.5_to_v1.0.6_more.sql");
        let found: Vec<_> =
            denied(&document).into_iter().filter(|rule| rule.starts_with("beyond-")).collect();
        let expected: &[&str] = if rule.is_empty() { &[] } else { &[rule] };
        assert_eq!(found, expected, "{sql}: {document:#}");
    }
}

#[test]
fn a_platforms_step_names_what_it_changes_elsewhere() {
    for (sql, is_denied) in [
        ("SELECT datalinx_platform.note();", false),
        ("DO $$ BEGIN EXECUTE 'DELETE FROM public.imp' || 'orts'; END $$;", true),
        (
            "DO $$ BEGIN EXECUTE 'ALTER TABLE org_tenure' || '_sample_1a.work' || 'spaces ADD COLUMN c int'; END $$;",
            true,
        ),
        ("DO $$ BEGIN DELETE FROM public.imports; END $$;", false),
        (
            "DO $$ DECLARE s text; BEGIN FOR s IN SELECT schema_name FROM datalinx_platform.organizations LOOP \
             EXECUTE format('ALTER TABLE %I.workspaces ADD COLUMN c int', s); END LOOP; END $$;",
            false,
        ),
    ] {
        let (_, document) = verified(&format!("-- Scope: platform\n{sql}"));
        assert_eq!(
            denied(&document).contains(&"beyond-platform".to_owned()),
            is_denied,
            "{sql}: {document:#}"
        );
    }
}

#[test]
fn no_file_touches_a_single_tenant_by_name() {
    let project = Project::seeds();
    for (sql, code, rule) in [
        (
            "-- Scope: platform\nALTER TABLE org_acme.workspaces ADD COLUMN c int;",
            "finding-denied",
            "names-one-tenant",
        ),
        (
            "-- Scope: tenant\nGRANT USAGE ON SCHEMA org_globex TO public;",
            "finding-denied",
            "names-one-tenant",
        ),
        ("ALTER TABLE org_acme.workspaces ADD COLUMN c int;", "scope-unclear", ""),
        ("DROP VIEW org_initech.v;", "scope-unclear", ""),
    ] {
        project.migration("1.0.4", "1.0.5", "more", sql);
        let (exit, document) = project.json("migrate up");
        assert_ne!(exit, 0, "{sql}");
        let error = &document["error"];
        assert_eq!(error["code"], code, "{sql}: {document:#}");
        assert!(error["hint"].as_str().unwrap().contains("{org_schema}"), "{sql}: {document:#}");
        assert!(error["message"].as_str().unwrap().contains(rule), "{sql}: {document:#}");
    }
}

#[test]
fn outside_effects_of_a_template_are_reported() {
    let project = Project::seeds();
    for (body, named) in [
        ("EXECUTE 'CREATE TABLE IF NOT EXISTS pub' || 'lic.spare (id int)';", false),
        ("EXECUTE 'CREATE TABLE IF NOT EXISTS public.spare (id int)';", true),
    ] {
        project.file(
            "tenant_templates/default/900_code.sql",
            format!("-- Allow: opaque-code because a test\nDO $$ BEGIN {body} END $$;"),
        );
        let (code, document) = project.json("template check --shadow");
        let told = document.to_string().contains("table spare: added");
        assert_eq!((told, code == 0), (!named, named), "{document:#}");
    }
}

#[test]
fn effects_of_triggers_that_wait_for_commit_are_judged() {
    let project = Project::seeds();
    project.migration(
        "1.0.4",
        "1.0.5",
        "triggers",
        "-- Scope: tenant\n-- Allow: opaque-code because a test\nCREATE TABLE kept (id int);\n\
         CREATE FUNCTION {org_schema}.note() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN IF TG_OP = ''UPDATE'' OR NEW.name = ''n'' THEN \
         EXECUTE ''CREATE TABLE IF NOT EXISTS pub'' || ''lic.noted (id int)''; END IF; RETURN NULL; END';\n\
         CREATE FUNCTION {org_schema}.own() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN INSERT INTO kept VALUES (1); RETURN NULL; END';\n\
         CREATE CONSTRAINT TRIGGER noted AFTER INSERT OR UPDATE ON {org_schema}.workspaces DEFERRABLE INITIALLY DEFERRED \
         FOR EACH ROW EXECUTE FUNCTION {org_schema}.note();\n\
         CREATE CONSTRAINT TRIGGER owned AFTER UPDATE ON {org_schema}.data_sources DEFERRABLE INITIALLY IMMEDIATE \
         FOR EACH ROW EXECUTE FUNCTION {org_schema}.own();",
    );
    for (sql, is_denied) in [
        // No row is changed, so only the trigger asks for a closer look.
        ("INSERT INTO workspaces (name) VALUES ('n');", true),
        ("UPDATE workspaces SET name = name || 'x' WHERE true;", true),
        (
            "UPDATE workspaces SET name = name || 'x' WHERE true;\nALTER TABLE data_sources ADD COLUMN note text;",
            true,
        ),
        ("SET CONSTRAINTS ALL DEFERRED;\nUPDATE data_sources SET name = name || 'x' WHERE true;", false),
    ] {
        project.migration("1.0.5", "1.0.6", "more", &format!("-- Scope: tenant\n{sql}"));
        let (_, document) = project.json("verify --shadow migrations/v1.0.5_to_v1.0.6_more.sql");
        assert_eq!(denied(&document).contains(&"beyond-tenant".to_owned()), is_denied, "{sql}: {document:#}");
    }
}
