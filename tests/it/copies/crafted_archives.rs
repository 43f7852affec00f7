//! Files that were made to look like an export, programs that are not there, secrets: an import believes nothing, and
//! an export tells nothing.

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tenure::postgres::server::Binaries;

use super::state;
use crate::support::{Project, environment};

/// An export of alpha with its description changed and, if one is given, another dump.
fn crafted(project: &Project, change: impl Fn(&mut Value), dump: Option<Vec<u8>>) {
    let file = project.dir.path().join("alpha.tenure");
    if !file.exists() {
        project.run("tenant export alpha --to alpha.tenure").passes();
    }
    let mut archive = tar::Archive::new(std::fs::File::open(file).unwrap());
    let mut parts = archive.entries().unwrap().map(|entry| {
        let mut bytes = Vec::new();
        entry.unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    });
    let mut manifest: Value = serde_json::from_slice(&parts.next().unwrap()).unwrap();
    let dump = dump.unwrap_or_else(|| parts.next().unwrap());
    let sum = Sha256::digest(&dump).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    manifest["dump"] = json!({ "bytes": dump.len(), "sha256": sum });
    change(&mut manifest);
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in [("manifest.json", manifest.to_string().into_bytes()), ("tenant.dump", dump)] {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        builder.append_data(&mut header, name, bytes.as_slice()).unwrap();
    }
    project.file("crafted", builder.into_inner().unwrap());
}

/// The code with which it is refused as `--as beta`, and its words; nothing has changed then.
fn refused(project: &Project) -> (String, String) {
    let things = "SELECT count(*)::text FROM pg_class UNION ALL SELECT count(*)::text FROM pg_proc \
                  UNION ALL SELECT nspname::text FROM pg_namespace";
    let before = (state(project), project.db.column(things));
    let (exit, document) = project.json("tenant import crafted --as beta");
    assert_ne!(exit, 0, "{document}");
    assert_eq!((state(project), project.db.column(things)), before, "{document}");
    let text = |key: &str| document["error"][key].as_str().unwrap().to_owned();
    (text("code"), text("message"))
}

#[test]
fn a_description_that_lies_is_refused() {
    let project = Project::with_tenants(&["alpha"]);
    let set = |path: &'static str, value: Value| {
        move |manifest: &mut Value| *manifest.pointer_mut(path).unwrap() = value.clone()
    };
    for (path, value) in [
        ("/tenant/schema", json!("public")),
        ("/tenant/schema", json!("pg_catalog")),
        ("/tenant/schema", json!("datalinx_platform")),
        ("/tenant/schema", json!("information_schema")),
        ("/tenant/schema", json!("")),
        ("/tenant/schema", json!("x".repeat(64))),
        ("/tenant/schema", json!(7)),
        ("/tenant/slug", json!("../../x")),
        ("/tenant/slug", json!("a'; DROP SCHEMA org_alpha CASCADE; --")),
        ("/version", json!("1.0.4'; DROP TABLE x")),
        ("/format_version", json!(2)),
        ("/format", json!("other")),
        ("/dump/sha256", json!("00")),
        ("/dump/bytes", json!(1)),
        ("/fingerprint", json!({})),
    ] {
        crafted(&project, set(path, value.clone()), None);
        let (code, message) = refused(&project);
        assert_eq!(code, "export-invalid", "{path} {value}: {message}");
    }
    // A name that is as good as any other, and not that of what comes out.
    for name in ["a\"; DROP SCHEMA org_alpha CASCADE; --", "it's", "org_other", "Org Alpha"] {
        crafted(&project, set("/tenant/schema", json!(name)), None);
        let (code, message) = refused(&project);
        assert!(
            ["export-invalid", "schema-unknown", "statement-failed"].contains(&code.as_str()),
            "{name}: {code} {message}"
        );
    }
    for (object, property, was) in [
        ("table workspaces: column name", "type", "character varying(7)"),
        ("table workspaces: column settings", "default", "'[]'::jsonb"),
    ] {
        let change = |manifest: &mut Value| {
            manifest["fingerprint"]["objects"][object] = json!("0000000000000000");
            manifest["fingerprint"]["texts"][object][property] = json!(was);
        };
        crafted(&project, change, None);
        let (_, message) = refused(&project);
        let shown = format!("{object}: definition changed: {property} was `{was}`, is `");
        assert!(message.contains(&shown), "{message}");
    }
    crafted(&project, set("/fingerprint/objects/table workspaces", json!("0000000000000000")), None);
    let (code, message) = refused(&project);
    assert_eq!(
        (code.as_str(), message.contains("table workspaces: definition changed")),
        ("import-differs", true)
    );
    let (exit, forced) = project.json("tenant import crafted --as beta --force");
    assert_eq!((exit, &forced["differences"][0]["object"]), (0, &"table workspaces".into()), "{forced}");
}

#[test]
fn missing_or_extra_archive_entries_are_refused_even_with_force() {
    let project = Project::with_tenants(&["alpha"]);
    for (name, word) in [("table ghost", "removed"), ("table workspaces: column name", "added")] {
        let change = |manifest: &mut Value| {
            let objects = manifest["fingerprint"]["objects"].as_object_mut().unwrap();
            if objects.shift_remove(name).is_none() {
                objects.insert(name.to_owned(), json!("0000000000000000"));
            }
        };
        crafted(&project, change, None);
        let (code, message) = refused(&project);
        assert_eq!(
            (code.as_str(), message.contains(&format!("{name}: {word}"))),
            ("import-differs", true),
            "{message}"
        );
        project.expect_error("tenant import crafted --as beta --force", "import-differs");
    }
}

#[test]
fn a_dump_of_more_than_one_schema_is_refused() {
    let project = Project::with_tenants(&["alpha"]);
    project.db.run("CREATE SCHEMA evil; CREATE TABLE evil.t AS SELECT 1 AS one");
    let file = project.dir.path().join("two.dump").display().to_string();
    let _written =
        project.db.dump(&["--format=custom", "--schema=org_alpha", "--schema=evil", "--file", &file]);
    project.db.run("DROP SCHEMA evil CASCADE");
    crafted(&project, |_| {}, Some(std::fs::read(file).unwrap()));
    let (code, message) = refused(&project);
    assert_eq!((code.as_str(), message.contains("evil")), ("export-invalid", true), "{message}");
    crafted(&project, |_| {}, Some(b"PGDMP but no dump".to_vec()));
    let (code, message) = refused(&project);
    assert_eq!(code, "export-invalid", "{message}");
}

#[test]
fn the_originals_role_may_do_nothing_in_a_copy() {
    let project = Project::with_tenants(&[]);
    let slug = format!("w_{}", project.db.name);
    let role = format!("org_{slug}");
    project.create(&[&slug]);
    project.db.run(&format!(
        "CREATE ROLE {role}; GRANT USAGE ON SCHEMA {role} TO {role}; GRANT ALL ON ALL TABLES IN SCHEMA {role} TO {role}; \
         ALTER DEFAULT PRIVILEGES IN SCHEMA {role} GRANT SELECT ON TABLES TO {role}"
    ));
    project.run(&format!("tenant export {slug} --to w.tenure")).passes();
    project.run("tenant import w.tenure --as beta").passes();
    project.db.run("CREATE TABLE org_beta.later (id int)");
    let rights = format!(
        "SELECT concat_ws(' ', has_schema_privilege('{role}', 'org_beta', 'USAGE'), \
         bool_or(has_table_privilege('{role}', c.oid, 'SELECT, INSERT'))) FROM pg_class c \
         WHERE c.relnamespace = 'org_beta'::regnamespace AND c.relkind = 'r'"
    );
    assert_eq!(project.db.value(&rights), "f f");
    project.db.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
fn a_password_is_on_no_command_line() {
    let project = Project::with_tenants(&["alpha"]);
    let major = project.db.value("SELECT (current_setting('server_version_num')::int / 10000)::text");
    let folder = project.dir.path().join("programs");
    let script = format!(
        "#!/bin/sh\nif [ \"$1\" = --version ]; then echo 'pg_dump (PostgreSQL) {major}.0'; exit; fi\n\
         echo \"$@\" > {0}/words; echo \"$PGPASSWORD\" > {0}/secret; echo 'no luck' >&2; exit 1\n",
        folder.display()
    );
    project.file("programs/pg_dump", script);
    let program = folder.join("pg_dump");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let url = project.db.url.replacen("://tenure@", "://tenure:hunter2%20x@", 1) + "&sslmode=disable";
    let bindir = folder.display().to_string();
    let output = project.run_env(
        &[("DATABASE_URL", &url), ("TENURE_PG_BINDIR", &bindir)],
        "tenant export alpha --to a.tenure",
    );
    assert!(output.code == 1 && output.stderr.contains("running pg_dump: no luck"), "{output}");
    assert!(!output.to_string().contains("hunter2"), "{output}");
    let said = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    assert!(
        !said("words").contains("hunter2") && said("words").contains("sslmode=disable"),
        "{}",
        said("words")
    );
    assert_eq!(said("secret").trim(), "hunter2 x");
    assert!(!project.dir.path().join("a.tenure").exists());
    let nothing = project.run_env(
        &[("PATH", "/nowhere"), ("TENURE_PG_BINDIR", "/nowhere")],
        "tenant export alpha --to a.tenure",
    );
    assert!(nothing.code == 2 && nothing.stderr.contains("no-client-programs"), "{nothing}");
}

/// `pg_dump` of a minor release that does not know the option writes it for every column.
#[test]
fn the_servers_own_options_of_an_older_dump_are_left_out() {
    let project = Project::with_tenants(&["alpha"]);
    project.db.run(
        "ALTER TABLE org_alpha.workspaces ALTER name SET (n_distinct = 5); \
         CREATE TABLE org_alpha.\"odd; (name\" (\"SET\" int); \
         ALTER TABLE org_alpha.\"odd; (name\" ALTER \"SET\" SET (n_distinct = -0.5, n_distinct_inherited = 2)",
    );
    project.run("tenant export alpha --to alpha.tenure").passes();
    let restore = Binaries::compatible_client(&environment(), "pg_restore", 14).unwrap();
    // Another column gets the option alone.
    let script = format!(
        "#!/bin/sh\n'{}' \"$@\" | sed -E -e 's/^(.*) name SET \\((n_distinct=5)\\);$/\\1 name SET (pg_attver=22158952, \\2);\\n\\1 id SET (pg_attver=22158952);/' \
         -e 's/SET \\((n_distinct=-0.5), /SET (\\1, pg_attver=7, /'\n",
        restore.display(),
    );
    project.file("programs/pg_restore", script);
    let program = project.dir.path().join("programs/pg_restore");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let bindir = program.parent().unwrap().display().to_string();
    project.run_env(&[("TENURE_PG_BINDIR", &bindir)], "tenant import alpha.tenure --as beta").passes();
    let options = "SELECT attrelid::regclass || ' ' || attname || ' ' || o FROM pg_attribute, unnest(attoptions) o \
                   WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'org_beta'::regnamespace) \
                   AND o LIKE 'n_%' ORDER BY 1";
    assert_eq!(
        project.db.column(options),
        [
            "org_beta.\"odd; (name\" SET n_distinct=-0.5",
            "org_beta.\"odd; (name\" SET n_distinct_inherited=2",
            "org_beta.workspaces name n_distinct=5",
        ]
    );
}

#[test]
fn a_role_that_can_only_read_can_export() {
    let project = Project::with_tenants(&["alpha"]);
    let role = format!("saver_{}", project.db.name);
    project.db.run(&format!(
        "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA datalinx_platform, org_alpha TO {role}; \
         GRANT SELECT ON ALL TABLES IN SCHEMA datalinx_platform TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA org_alpha TO {role}"
    ));
    let before = project.db.dump(&[]);
    let url = project.db.url_as(&role);
    project.run_env(&[("DATABASE_URL", &url)], "tenant export alpha --to a.tenure").passes();
    assert_eq!(project.db.dump(&[]), before);
    project.expect_error("tenant export ghost --to a.tenure", "tenant-unknown");
    project.expect_error("tenant export alpha --to -", "usage");
    project.expect_error("tenant export alpha --to no/such/folder/a.tenure", "io");
    project.db.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}
