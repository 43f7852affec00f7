//! `tenant export` and `tenant import`: what comes out of the file is what went into it, or nothing does.

use insta::assert_snapshot;
use serde_json::Value;

use super::{fill, rows, runs, state, with_everything};
use crate::support::{Database, Project, Session};

fn code(document: &Value) -> &str {
    document["error"]["code"].as_str().unwrap_or_default()
}

/// The same files on a database of its own, with its platform.
fn another(project: &Project) -> Project {
    let mut other = Project::empty();
    other.dir = copy_of(project);
    other.run("migrate up").passes();
    other
}

fn copy_of(project: &Project) -> crate::support::Folder {
    let copy = Project::empty();
    for folder in ["migrations", "tenant_templates/default"] {
        for entry in std::fs::read_dir(project.dir.path().join(folder)).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{folder}/{}", entry.file_name().into_string().unwrap());
            copy.file(&name, std::fs::read(entry.path()).unwrap());
        }
    }
    let Project { dir, db: _db } = copy;
    dir
}

/// Exports alpha to a file of the project's folder; the file's path.
fn exported(project: &Project) -> String {
    project.run("tenant export alpha --to alpha.tenure").passes();
    project.dir.path().join("alpha.tenure").display().to_string()
}

/// All that `pg_dump` says of a schema, but for how it prints `IN` of a varchar, which is another way after a dump.
fn dump(db: &Database, schema: &str) -> String {
    let text = db.dump_of(schema);
    let list = regex::Regex::new(r"\(ARRAY\[([^\]]*)\]\)::text\[\]").unwrap();
    let one = regex::Regex::new(r"\(('[^']*'::character varying)\)::text").unwrap();
    one.replace_all(&list.replace_all(&text, "ARRAY[$1]"), "$1").into_owned()
}

#[test]
fn a_tenant_travels_to_another_database() {
    let project = with_everything();
    project.db.run("UPDATE datalinx_platform.organizations SET settings = '{\"colour\": \"red\"}', name = 'Alpha \\ \"Inc\"'");
    assert_snapshot!(project.run("tenant export alpha --to alpha.tenure"), @"
    exit code: 0
    ----- stdout -----
    exported alpha  org_alpha  at 1.0.4  to alpha.tenure

    ----- stderr -----
    ");
    let file = project.dir.path().join("alpha.tenure");
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&file).unwrap());
    assert_eq!(mode & 0o777, 0o600, "others can read the rows");
    let other = another(&project);
    let path = file.display().to_string();
    assert_snapshot!(other.run(&format!("tenant import {path}")), @"
    exit code: 0
    ----- stdout -----
    imported alpha  org_alpha  at 1.0.4  id UUID
    26 rows restored

    ----- stderr -----
    ");
    let registry = "SELECT to_jsonb(o)::text FROM datalinx_platform.organizations o";
    assert_eq!(project.db.value(registry), other.db.value(registry));
    assert_eq!(rows(&project.db, "org_alpha"), rows(&other.db, "org_alpha"));
    assert_eq!(dump(&project.db, "org_alpha"), dump(&other.db, "org_alpha"));
    let (code, drift) = other.json("drift");
    assert_eq!((code, &drift["tenants"]["same"]), (0, &1.into()), "{drift}");
    assert_eq!(runs(&other, "import"), ["tenure tenant import done alpha"]);
    let kinds = "SELECT concat_ws(' ', from_version, to_version, name, kind) FROM datalinx_platform.migration_history WHERE schema_name = 'org_alpha'";
    assert_eq!(other.db.column(kinds), ["0.0.0 1.0.4 alpha import"]);
    let (exit, again) = other.json(&format!("tenant import {path}"));
    assert_eq!((exit, self::code(&again)), (1, "tenant-exists"));
}

/// What is taken away where a tenant has no text that holds its schema's name.
const NO_NAME: &str = "DROP FUNCTION {org_schema}.note() CASCADE;";

#[test]
fn beside_the_original_it_is_another_tenant() {
    let project = with_everything();
    project.file("tenant_templates/default/950_no_name.sql", NO_NAME);
    project.create(&["beta"]);
    fill(&project.db, "org_beta");
    project.run("tenant export beta --to beta.tenure").passes();
    let before = dump(&project.db, "org_beta");
    let (exit, imported) = project.json("tenant import beta.tenure --as gamma");
    assert_eq!((exit, &imported["tenant"]["schema"]), (0, &"org_gamma".into()), "{imported}");
    assert_ne!(project.db.value("SELECT count(DISTINCT id)::text FROM datalinx_platform.organizations"), "2");
    assert_eq!(dump(&project.db, "org_beta"), before, "the original is untouched");
    assert_eq!(dump(&project.db, "org_gamma"), before);
    let (_, drift) = project.json("drift --tenant gamma --tenant beta");
    assert_eq!(drift["tenants"]["same"], 2, "{drift}");
    let wrong = project.db.try_run("INSERT INTO org_gamma.members VALUES (1, 77)");
    assert!(wrong.unwrap_err().starts_with("23503"));
}

#[test]
fn a_text_that_holds_the_old_name_makes_another_name_impossible() {
    let project = with_everything();
    let file = exported(&project);
    let before = (state(&project), dump(&project.db, "org_alpha"));
    let output = project.run(&format!("tenant import {file} --as beta"));
    assert_eq!(output.code, 1, "{output}");
    assert!(output.stderr.contains("error[name-in-text]"), "{output}");
    assert!(output.stderr.contains("function note(): body"), "{output}");
    assert_eq!((state(&project), dump(&project.db, "org_alpha")), before);
    // Under its own name it is no other text.
    let other = another(&project);
    other.run(&format!("tenant import {file}")).passes();
}

#[test]
fn an_older_export_is_brought_up_to_date_and_a_newer_one_refused() {
    let project = Project::with_tenants(&["alpha"]);
    project.db.run("INSERT INTO org_alpha.workspaces (name) VALUES ('w')");
    let file = exported(&project);
    project.migration("1.0.4", "1.0.5", "note", "ALTER TABLE workspaces ADD COLUMN note text;");
    let other = another(&project);
    let (exit, imported) = other.json(&format!("tenant import {file}"));
    assert_eq!((exit, &imported["from"], &imported["units"]), (0, &"1.0.4".into(), &1.into()), "{imported}");
    assert_eq!(other.versions(), "platform 1.0.5, alpha 1.0.5");
    assert_eq!(imported["tenant"]["status"], "active");
    other.run("drift").passes();
    let newer = {
        other.run("tenant export alpha --to newer.tenure").passes();
        other.dir.path().join("newer.tenure")
    };
    let behind = Project::with_tenants(&[]);
    for (prepare, wanted) in [("", "version-not-in-chain"), ("file", "not-migrated")] {
        if !prepare.is_empty() {
            behind.migration("1.0.4", "1.0.5", "note", "ALTER TABLE workspaces ADD COLUMN note text;");
        }
        let (exit, document) = behind.json(&format!("tenant import {}", newer.display()));
        assert_ne!(exit, 0);
        assert_eq!(code(&document), wanted, "{document}");
    }
    assert!(state(&behind).is_empty());
}

#[test]
fn an_older_export_that_cannot_be_brought_along_is_taken_back() {
    let project = Project::with_tenants(&["alpha"]);
    project.db.run("INSERT INTO org_alpha.workspaces (name) VALUES ('w')");
    let file = exported(&project);
    let sql = "-- Scope: tenant\n-- Allow: add-check because of this test\nALTER TABLE workspaces ADD CONSTRAINT named CHECK (name <> 'w');";
    project.migration("1.0.4", "1.0.5", "named", sql);
    let other = another(&project);
    let (exit, document) = other.json(&format!("tenant import {file}"));
    assert_eq!((exit, &document["error"]["sqlstate"]), (1, &"23514".into()), "{document}");
    assert!(state(&other).is_empty(), "{:?}", state(&other));
    assert_eq!(runs(&other, "import").last().map(String::as_str), Some("tenure tenant import failed alpha"));
}

#[test]
fn import_names_the_table_of_missing_references() {
    let project = Project::with_tenants(&["alpha"]);
    project.db.run(
        "INSERT INTO datalinx_platform.users (id, email) VALUES ('11111111-1111-4111-8111-111111111111', 'a@example.org'); \
         INSERT INTO org_alpha.pipeline_jobs (job_type, created_by) VALUES ('x', '11111111-1111-4111-8111-111111111111')",
    );
    let file = exported(&project);
    let other = another(&project);
    let (exit, document) = other.json(&format!("tenant import {file}"));
    assert_eq!((exit, &document["error"]["sqlstate"]), (1, &"23503".into()), "{document}");
    let message = document["error"]["message"].as_str().unwrap();
    let expected = "pipeline_jobs (created_by) refers to 1 missing row of datalinx_platform.users";
    assert!(message.ends_with(expected), "{message}");
    assert!(state(&other).is_empty());
}

#[test]
fn import_reports_missing_requirements_first() {
    let project = Project::with_tenants(&["alpha"]);
    let role = format!("clerk_{}", project.db.name);
    project.db.run(&format!("CREATE ROLE {role}; GRANT SELECT ON org_alpha.workspaces TO {role}"));
    let file = exported(&project);
    let other = another(&project);
    other.run(&format!("tenant import {file}")).passes();
    let granted = format!("SELECT has_table_privilege('{role}', 'org_alpha.workspaces', 'SELECT')::text");
    assert_eq!(other.db.value(&granted), "true");
    let third = another(&project);
    project.db.run(&format!("DROP OWNED BY {role}"));
    other.db.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    let (exit, document) = third.json(&format!("tenant import {file}"));
    assert_eq!((exit, code(&document)), (1, "import-needs"), "{document}");
    assert!(document["error"]["message"].as_str().unwrap().contains(&format!("role {role}")), "{document}");
    assert!(state(&third).is_empty());
}

#[test]
fn a_check_imports_the_file_on_a_throwaway_server() {
    let project = with_everything();
    let role = format!("clerk_{}", project.db.name);
    project.db.run(&format!(
        "CREATE ROLE {role}; GRANT SELECT ON org_alpha.workspaces TO {role}; CREATE EXTENSION hstore; \
         INSERT INTO datalinx_platform.users (id, email) VALUES ('11111111-1111-4111-8111-111111111111', 'a@example.org'); \
         INSERT INTO org_alpha.pipeline_jobs (job_type, created_by) VALUES ('x', '11111111-1111-4111-8111-111111111111'); \
         CREATE PUBLICATION published FOR TABLE org_alpha.workspaces; ALTER TABLE org_alpha.notes ADD COLUMN tags hstore"
    ));
    let output = project.run("tenant export alpha --to alpha.tenure --check").ok();
    assert!(output.stdout.ends_with("  to alpha.tenure; it can be imported\n"), "{output}");
    project.db.run(&format!("DROP PUBLICATION published; DROP OWNED BY {role}; DROP ROLE {role}"));
    // What the original accepts only because it was not always so.
    for (prepare, object) in [
        (
            "CREATE FUNCTION org_alpha.small(integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 < 10'; \
          CREATE TABLE org_alpha.sizes (size integer CHECK (org_alpha.small(size))); INSERT INTO org_alpha.sizes VALUES (9); \
          CREATE OR REPLACE FUNCTION org_alpha.small(integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 < 5'",
            "sizes",
        ),
        (
            "DROP TABLE org_alpha.sizes; CREATE FUNCTION org_alpha.inverse(integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 1'; \
          CREATE TABLE org_alpha.parts (n integer); INSERT INTO org_alpha.parts VALUES (0); CREATE INDEX inverses ON org_alpha.parts (org_alpha.inverse(n)); \
          CREATE OR REPLACE FUNCTION org_alpha.inverse(integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 1 / $1'",
            "",
        ),
    ] {
        project.db.run(prepare);
        project.run("tenant export alpha --to alpha.tenure").passes();
        let output = project.run("tenant export alpha --to alpha.tenure --check");
        assert_eq!(output.code, 1, "{output}");
        assert!(output.stderr.contains("alpha.tenure was written but cannot be imported: "), "{output}");
        assert!(output.stderr.contains(object), "{output}");
    }
    let output = project.run("tenant export alpha --to - --check");
    assert_eq!(output.code, 2, "{output}");
}

#[test]
fn a_tenant_that_moves_while_it_is_exported_makes_no_file() {
    let project = with_everything();
    let holder = Session::holding(&project.db, "LOCK TABLE org_alpha.audit IN ACCESS EXCLUSIVE MODE");
    let export = project.start("tenant export alpha --to alpha.tenure --format json");
    project.db.wait_for_waiting(1);
    project.db.run(
        "UPDATE datalinx_platform.tenant_version SET applied_at = now() WHERE schema_name = 'org_alpha'",
    );
    holder.release();
    let output = export.end();
    assert!(output.code == 1 && output.stdout.contains("tenant-moved"), "{output}");
    assert_eq!(files(&project), Vec::<String>::new());
}

/// The files at the top of the project's folder that were not there at the beginning.
fn files(project: &Project) -> Vec<String> {
    let entries = std::fs::read_dir(project.dir.path()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| !matches!(name.as_str(), "migrations" | "tenant_templates")).collect()
}

#[test]
fn an_interrupted_export_leaves_nothing() {
    let project = with_everything();
    for (signal, expected) in [("INT", 130), ("TERM", 130)] {
        let holder = Session::holding(&project.db, "LOCK TABLE org_alpha.audit IN ACCESS EXCLUSIVE MODE");
        let export = project.start("tenant export alpha --to alpha.tenure");
        project.db.wait_for_waiting(1);
        export.signal(signal);
        let output = export.end();
        assert_eq!(output.code, expected, "{output}");
        assert_eq!(files(&project), Vec::<String>::new());
        holder.release();
        project.db.wait_for_silence();
    }
}

#[test]
fn an_incomplete_export_is_refused() {
    let project = with_everything();
    let file = exported(&project);
    let whole = std::fs::read(&file).unwrap();
    let other = another(&project);
    let before = other.db.dump(&[]);
    let mut changed = whole.clone();
    let middle = whole.len() - 4_000;
    changed[middle] ^= 0x55;
    for (name, bytes) in [
        ("empty", Vec::new()),
        ("text", b"hello".to_vec()),
        ("half", whole[..whole.len() / 2].to_vec()),
        ("cut", whole[..whole.len() - 3_000].to_vec()),
        ("changed", changed),
        ("twice", [&whole[..whole.len() - 1_024], &whole[..]].concat()),
    ] {
        other.file(name, bytes);
        let (exit, document) = other.json(&format!("tenant import {name}"));
        assert_eq!((exit, code(&document)), (2, "export-invalid"), "{name}: {document}");
    }
    let (exit, document) = other.json("tenant import nowhere");
    assert_eq!((exit, code(&document)), (2, "io"), "{document}");
    assert_eq!(other.db.dump(&[]), before);
}

#[test]
fn a_connection_that_breaks_half_way_leaves_nothing() {
    let project = with_everything();
    let file = exported(&project);
    let other = another(&project);
    // The foreign key to the users comes last.
    let holder = Session::holding(&other.db, "LOCK TABLE datalinx_platform.users IN ROW EXCLUSIVE MODE");
    let import = other.start(&format!("tenant import {file} --lock-timeout 1m"));
    let pid = other.db.wait_for_waiting(1).remove(0);
    other.db.run(&format!("SELECT pg_terminate_backend({pid})::text"));
    assert_ne!(import.end().code, 0);
    assert!(state(&other).is_empty(), "{:?}", state(&other));
    let import = other.start(&format!("tenant import {file} --lock-timeout 1m"));
    other.db.wait_for_waiting(1);
    import.signal("KILL");
    assert_ne!(import.end().code, 0);
    let (exit, document) = other.json(&format!("tenant import {file} --lock-timeout 200ms"));
    assert_eq!((exit, &document["error"]["sqlstate"]), (1, &"55P03".into()), "{document}");
    holder.release();
    other.db.wait_for_silence();
    assert!(state(&other).is_empty(), "{:?}", state(&other));
    other.run(&format!("tenant import {file}")).passes();
}
