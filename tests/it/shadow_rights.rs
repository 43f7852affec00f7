//! The rights of a project's statements on a shadow: none that reach the server's host, whatever the statements try.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{Database, Project};

/// A project whose only step is `step`.
fn project(step: &str) -> Project {
    let project = Project::empty();
    let columns = "id uuid PRIMARY KEY, created_at timestamptz, updated_at timestamptz";
    project.migration("0.0.0", "1.0.0", "base", &format!("-- Scope: platform\nCREATE TABLE t ({columns});"));
    project.migration("1.0.0", "1.0.1", "step", &format!("-- Scope: platform\n{step}"));
    project
}

/// The denials of a verification, each as its rule and message.
fn denials(document: &Value) -> Vec<(String, String)> {
    assert_eq!(document["error"], Value::Null, "{document:#}");
    let findings = document["findings"].as_array().unwrap();
    let denied = findings.iter().filter(|it| it["level"] == "deny" && it["allowed"] == false);
    let text = |it: &Value, key: &str| it[key].as_str().unwrap().to_owned();
    denied.map(|it| (text(it, "rule"), text(it, "message"))).collect()
}

fn has(denials: &[(String, String)], rule: &str) -> bool {
    denials.iter().any(|(it, _)| it == rule)
}

/// A file that a program of the server could create.
fn proof(name: &str) -> PathBuf {
    let file = std::env::temp_dir().join(format!("tenure_{}_{name}", std::process::id()));
    let _removed = std::fs::remove_file(&file);
    file
}

#[test]
fn no_statement_runs_a_program_or_reads_a_file() {
    let file = proof("rights");
    let program = format!("EXECUTE 'COPY (SELECT 1) TO PRO' || 'GRAM ''touch {}''';", file.display());
    let run = format!("DO $x$ BEGIN {program} END $x$;");
    for step in [
        run.clone(),
        format!("CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $x$ BEGIN {program} END $x$; SELECT f();"),
        format!("CREATE TABLE c (a int CHECK (a > 0)); RESET ROLE; RESET SESSION AUTHORIZATION; {run}"),
        // After a statement that the superuser runs.
        format!("CREATE ROLE app; {run}"),
        format!("CREATE ROLE app; ALTER TABLE t OWNER TO app; {run}"),
        format!("CREATE ROLE app IN ROLE pg_execute_server_program; SET ROLE app; {run}"),
        format!("LOCK TABLE t; SELECT count(*) FROM pg_seclabel; CREATE ROLE app; COMMENT ON ROLE app IS 'x'; {run}"),
        // A literal in the condition is a value of the type, whose check is the project's.
        format!(
            "-- Allow: not-observed because x\nCREATE FUNCTION g(int) RETURNS boolean LANGUAGE plpgsql AS $x$ BEGIN {program} \
             RETURN true; END $x$; CREATE DOMAIN d AS int CHECK (g(VALUE)); CREATE TYPE c AS (x d); ALTER TABLE t ADD COLUMN v c; \
             CREATE PUBLICATION p FOR TABLE t WHERE (v = CAST('(1)' AS c)); {run}"
        ),
        // The superuser's texts are only the superuser's.
        "DO $x$ BEGIN EXECUTE 'INSERT INTO pg_tenure.statement SELECT NULL'; END $x$;".to_owned(),
        "CREATE ROLE app; ALTER FUNCTION pg_tenure.run(uuid) OWNER TO app;".to_owned(),
        "CREATE ROLE app; ALTER ROLE app SET session_preload_libraries = 'auto_explain';".to_owned(),
        format!("REVOKE TEMPORARY ON DATABASE tenure FROM PUBLIC, tenure_shadow; CREATE ROLE app; {run}"),
        format!("ALTER ROLE CURRENT_USER SUPERUSER; {run}"),
        format!("DO $x$ BEGIN EXECUTE 'ALTER ROLE tenure_shadow CREATEROLE'; END $x$; {run}"),
        format!("GRANT pg_execute_server_program TO CURRENT_USER; {run}"),
        format!("GRANT \"tenure\" TO CURRENT_USER; {run}"),
        format!("CREATE ROLE app ROLE tenure_shadow SUPERUSER; SET ROLE app; {run}"),
        "DO $x$ BEGIN EXECUTE 'SELECT pg_re' || 'ad_file(''/proc/self/environ'')'; END $x$;".to_owned(),
        "DO $x$ DECLARE a text; BEGIN EXECUTE 'SELECT lo_im' || 'port(''/etc/passwd'')'; END $x$;".to_owned(),
        "DO $x$ BEGIN EXECUTE 'CREATE TABLE f (a text)'; EXECUTE 'COPY f FR' || 'OM ''/etc/passwd'''; END $x$;".to_owned(),
        "DO $x$ BEGIN EXECUTE 'CREATE EXTENSION file' || '_fdw'; END $x$;".to_owned(),
        "DO $x$ BEGIN EXECUTE 'CREATE EXTENSION db' || 'link'; END $x$;".to_owned(),
        "DO $x$ BEGIN EXECUTE 'LO' || 'AD ''auto_explain'''; END $x$;".to_owned(),
        "CREATE EXTENSION file_fdw; CREATE SERVER s FOREIGN DATA WRAPPER file_fdw; \
         CREATE FOREIGN TABLE f (a text) SERVER s OPTIONS (program 'id');"
            .to_owned(),
        "CREATE EXTENSION plpython3u;".to_owned(),
        "CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'system', 'system';".to_owned(),
        // What belongs to a superuser stays what it is: a function of an extension runs with its owner's rights.
        "-- Allow: not-observed because x\n-- Allow: change-function because x\n\
         CREATE EXTENSION citext; ALTER FUNCTION public.regexp_matches(public.citext, public.citext, text) LEAKPROOF SECURITY DEFINER; \
         ALTER FUNCTION public.citext_eq(public.citext, public.citext) LEAKPROOF;"
            .to_owned(),
        "CREATE ROLE app; ALTER VIEW information_schema.tables OWNER TO app;".to_owned(),
        format!("DO $x$ BEGIN EXECUTE 'ALTER ROLE CURRENT_USER PASSWORD ' || quote_literal('x'); END $x$; CREATE ROLE app; {run}"),
        "CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1' PUBLICATION p;".to_owned(),
        "ALTER SYSTEM SET archive_command = 'id';".to_owned(),
    ] {
        let project = project(&step);
        // Publications have conditions since PostgreSQL 15.
        if project.db.major() < 15 && step.contains("PUBLICATION p FOR TABLE") {
            continue;
        }
        let (code, document) = project.json("verify --shadow");
        assert_eq!(code, 1, "{step}: {document:#}");
        let found = denials(&document);
        assert!(has(&found, "not-observed"), "{step}: {document:#}");
        assert!(!file.exists(), "{step}");
    }
}

#[test]
fn an_accepted_statement_is_omitted_and_the_others_run() {
    let file = proof("accepted");
    let run = format!(
        "-- Allow: opaque-code because x\n-- Allow: not-observed because x\n\
         DO $x$ BEGIN EXECUTE 'COPY (SELECT 1) TO PRO' || 'GRAM ''touch {}'''; END $x$;\nALTER TABLE t ADD COLUMN a int;",
        file.display()
    );
    let accepted = project(&run);
    accepted.migration("1.0.1", "1.0.2", "then", "-- Scope: platform\nALTER TABLE t DROP COLUMN a;");
    let (_, document) = accepted.json("verify --shadow");
    let rules: Vec<String> = denials(&document).into_iter().map(|(rule, _)| rule).collect();
    assert_eq!(rules, ["drop-column"], "{document:#}");
    assert!(!file.exists());
    // Never as observed: the line for opaque code is needed, too.
    let (code, document) =
        project(&run.replace("-- Allow: opaque-code because x\n", "")).json("verify --shadow");
    assert_eq!(code, 1, "{document:#}");
    assert!(has(&denials(&document), "opaque-code"), "{document:#}");
    // Without code, the superuser runs it: the publication exists afterwards.
    let publication = project(
        "-- Allow: not-observed because x\nCREATE PUBLICATION p FOR ALL TABLES \
         WITH (publish = 'insert');",
    );
    publication.migration("1.0.1", "1.0.2", "then", "-- Scope: platform\nCOMMENT ON PUBLICATION p IS 'x';");
    let (code, document) = publication.json("verify --shadow");
    assert_eq!((code, denials(&document)), (0, Vec::new()), "{document:#}");
}

#[test]
fn roles_of_the_project_work() {
    for step in [
        "CREATE ROLE app LOGIN PASSWORD 'x'; CREATE ROLE readers; GRANT readers TO app; GRANT SELECT ON t TO readers; \
         COMMENT ON ROLE app IS 'x'; ALTER ROLE app SET search_path = a, b; ALTER TABLE t OWNER TO app; ALTER TABLE t ADD COLUMN b int;",
        "DO $x$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'app') THEN CREATE ROLE app NOLOGIN; END IF; END $x$; \
         GRANT SELECT ON t TO app; ALTER DEFAULT PRIVILEGES FOR ROLE app GRANT SELECT ON TABLES TO app;",
        "CREATE ROLE app /* c */ PASSWORD 'it''s'; COMMENT ON ROLE app IS 'it''s';",
        "DO $x$ BEGIN CREATE ROLE app LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $x$; GRANT SELECT ON t TO app;",
        "DO $x$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'app-user') THEN CREATE ROLE \"app-user\"; END IF; END $x$; \
         GRANT SELECT ON t TO \"app-user\";",
        "CREATE USER app; CREATE SCHEMA more AUTHORIZATION app; CREATE TABLE more.u (id uuid PRIMARY KEY, \
         created_at timestamptz, updated_at timestamptz); ALTER TABLE more.u OWNER TO app; REASSIGN OWNED BY app TO CURRENT_USER;",
        "DO $x$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'app') THEN CREATE ROLE app; END IF; \
         GRANT SELECT ON t TO app; END $x$;",
        "CREATE TYPE a AS ENUM ('x'); CREATE FUNCTION c(a) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1::text'; \
         CREATE CAST (a AS text) WITH FUNCTION c(a) AS ASSIGNMENT; CREATE CAST (text AS a) WITH INOUT;",
        "CREATE GROUP app; ALTER ROLE app RENAME TO other; ALTER TABLE t OWNER TO other; ALTER TABLE t OWNER TO CURRENT_USER; DROP ROLE other;",
    ] {
        let (_, document) = project(step).json("verify --shadow");
        let found = denials(&document);
        assert!(!has(&found, "not-observed") && !has(&found, "execution-fails"), "{step}: {document:#}");
    }
}

#[test]
fn the_role_has_no_right_but_its_database() {
    let facts = "DO $x$ BEGIN IF (SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication FROM pg_roles \
        WHERE rolname = session_user) OR EXISTS (SELECT FROM pg_roles WHERE rolname IN ('pg_execute_server_program', \
        'pg_read_server_files', 'pg_write_server_files', 'tenure') AND pg_has_role(session_user, oid, 'MEMBER')) \
        OR session_user <> current_user OR (SELECT pg_get_userbyid(datdba) <> session_user FROM pg_database \
        WHERE datname = current_database()) THEN RAISE EXCEPTION 'has rights: %', session_user; END IF; END $x$;";
    for more in ["", "CREATE ROLE app; GRANT app TO CURRENT_USER;"] {
        let (code, document) = project(&format!("{more}{facts}")).json("verify --shadow");
        assert!(code == 0 || !document.to_string().contains("has rights"), "{document:#}");
        assert!(!has(&denials(&document), "execution-fails"), "{document:#}");
    }
    // On a server that was given, too, whose role has every right.
    let shadow = Database::fresh();
    let owner = "SELECT pg_get_userbyid(datdba) || (SELECT count(*) FROM pg_roles WHERE rolname ~ '^tenure_shadow_') \
                 FROM pg_database WHERE datname = current_database()";
    let output = project(facts).run_words(["--format", "json", "verify", "--shadow-url", &shadow.url]);
    assert!(!output.stdout.contains("has rights") && !output.stdout.contains("execution-fails"), "{output}");
    let left = format!(
        "SELECT count(*)::text FROM pg_roles r WHERE shobj_description(oid, 'pg_authid') LIKE '%{}%'",
        shadow.name
    );
    assert_eq!(shadow.value(&left), "0");
    assert!(!shadow.value(owner).starts_with("tenure_shadow_"));
}

#[test]
fn a_role_of_a_shadow_that_was_killed_is_dropped_by_the_next() {
    let shadow = Database::fresh();
    let owner = "SELECT pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = current_database()";
    let before = shadow.value(owner);
    let slow = project("DO $x$ BEGIN PERFORM pg_sleep(60); END $x$;");
    let running = slow.start(&format!("verify --shadow-url {}", shadow.url));
    let waits = "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
    crate::support::wait_until("the statement runs", || shadow.value(waits) != "0");
    running.signal("KILL");
    let _killed = running.finish();
    shadow.run("SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'");
    assert_ne!(shadow.value(owner), before);
    let output =
        project("ALTER TABLE t ADD COLUMN a int;").run_words(["verify", "--shadow-url", &shadow.url]);
    assert_eq!(output.code, 0, "{output}");
    assert_eq!(shadow.value(owner), before);
}

#[test]
fn extensions_are_created_before_the_files() {
    let step = "CREATE SCHEMA tools; CREATE EXTENSION citext SCHEMA tools; CREATE EXTENSION pg_trgm; \
                ALTER TABLE t ADD COLUMN a tools.citext; DROP EXTENSION pg_trgm;";
    let (_, document) = project(step).json("verify --shadow");
    let found = denials(&document);
    assert!(!has(&found, "not-observed") && !has(&found, "execution-fails"), "{document:#}");
    // What runs with a superuser's rights finds nothing of the project.
    let hijack = "CREATE FUNCTION public.format(text, VARIADIC text[]) RETURNS text LANGUAGE sql AS $x$ SELECT pg_read_file('/etc/passwd') $x$; \
                  CREATE EXTENSION earthdistance CASCADE;";
    let (_, document) = project(hijack).json("verify --shadow --shadow-extension earthdistance");
    assert!(!has(&denials(&document), "not-observed"), "{document:#}");

    let untrusted = project("CREATE EXTENSION pg_stat_statements;");
    // The settings of a pull request are no permission.
    untrusted.file("tenure.toml", "[shadow]\nextensions = [\"pg_stat_statements\"]\n");
    assert!(has(&denials(&untrusted.json("verify --shadow").1), "not-observed"));
    untrusted.file("base.toml", "[shadow]\nextensions = [\"pg_stat_statements\"]\n");
    let (_, document) = untrusted.json("verify --shadow --policy-from base.toml");
    assert!(!has(&denials(&document), "not-observed"), "{document:#}");
    let (_, document) = untrusted.json("verify --shadow --shadow-extension pg_stat_statements");
    assert!(!has(&denials(&document), "not-observed"), "{document:#}");
    let (_, document) =
        project("CREATE EXTENSION file_fdw;").json("verify --shadow --shadow-extension file_fdw");
    assert!(has(&denials(&document), "not-observed"), "{document:#}");
}

#[test]
fn operators_of_the_project_do_not_change_what_is_observed() {
    let hide = "CREATE FUNCTION public.never(name, name) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT false'; \
                CREATE OPERATOR public.!~ (LEFTARG = name, RIGHTARG = name, FUNCTION = public.never); \
                CREATE OPERATOR public.= (LEFTARG = oid, RIGHTARG = regclass, FUNCTION = public.never2);";
    let hide = format!(
        "CREATE FUNCTION public.never2(oid, regclass) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT false'; {hide}"
    );
    let hiding = project(&hide);
    hiding.migration("1.0.1", "1.0.2", "more", "-- Scope: platform\nALTER TABLE t ADD COLUMN note text;");
    hiding.migration(
        "1.0.2",
        "1.0.3",
        "lose",
        "-- Scope: platform\nDO $x$ BEGIN EXECUTE 'ALTER TABLE t DROP COLUMN note'; END $x$;",
    );
    let (code, document) = hiding.json("verify --shadow");
    assert_eq!(code, 1, "{document:#}");
    assert!(has(&denials(&document), "drop-column"), "{document:#}");
}

#[test]
fn templates_and_references_have_no_more_rights() {
    let file = proof("template");
    let guarded = format!(
        "DO $x$ BEGIN IF current_database() = 'tenure' THEN EXECUTE 'COPY (SELECT 1) TO PRO' || 'GRAM ''touch {}'''; END IF; END $x$;",
        file.display()
    );
    let project = Project::with_tenants(&["acme"]);
    project.migration(
        "1.0.4",
        "1.0.5",
        "code",
        &format!("-- Scope: platform\n-- Allow: opaque-code because x\n{guarded}"),
    );
    project.run("migrate up").passes();
    let _drift = project.run("drift");
    let template = format!("-- Template: v1.0.5\nCREATE TABLE a (id int);\n{guarded}");
    project.file("tenant_templates/other/010_base.sql", template);
    let checked = project.run("template check --shadow");
    assert_ne!(checked.code, 0, "{checked}");
    let squashed = project.run("template squash --replace");
    assert_ne!(squashed.code, 0, "{squashed}");
    assert!(!file.exists());
}

#[test]
#[cfg(target_os = "linux")]
fn the_environment_of_the_program_is_closed_to_others() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt};

    // As root, who may read everything, this runs as another user, who cannot reach the folder of the build.
    let uid = |path: &str| std::fs::metadata(path).unwrap().uid();
    let is_root = uid("/proc/self/environ") == 0;
    let folder = tempfile::tempdir_in(crate::support::temporary_folder()).unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::write(folder.path().join("tenure.toml"), "").unwrap();
    let program = folder.path().join("tenure");
    std::fs::copy(assert_cmd::cargo::cargo_bin!("tenure"), &program).unwrap();
    let as_user = |program: &std::path::Path| {
        let mut command = Command::new(program);
        if is_root {
            command.uid(65534).gid(65534);
        }
        command.current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgresql://me:hunter2@{}/x", silent.local_addr().unwrap());
    let mut running = as_user(&program).arg("doctor").env("DATABASE_URL", url).spawn().unwrap();
    silent.set_nonblocking(true).unwrap();
    crate::support::wait_until("it connects", || silent.accept().is_ok());
    let environment = format!("/proc/{}/environ", running.id());
    // Files in the folder of a process that is not dumpable belong to root, and only a process with the capability reads them.
    let owner = uid(&environment);
    let read = as_user("cat".as_ref()).arg(&environment).status().unwrap();
    running.kill().unwrap();
    running.wait().unwrap();
    assert_eq!(owner, 0);
    assert!(!read.success());
}

#[test]
fn roles_of_a_given_server_stay_as_they_are() {
    let shadow = Database::fresh();
    let name = |of: &str| format!("{}_{of}", shadow.name);
    for role in ["other", "marked"] {
        shadow.run(&format!("CREATE ROLE {} SUPERUSER", name(role)));
    }
    let mark = format!("tenure: the role of a shadow of database \"{}\" tenure", shadow.name);
    shadow.run(&format!("COMMENT ON ROLE {} IS '{mark}'", name("marked")));
    let roles = format!(
        "SELECT string_agg(rolname || rolsuper || coalesce(rolpassword, '-') || coalesce(shobj_description(oid, 'pg_authid'), '-'), ' ' \
         ORDER BY rolname) FROM pg_authid WHERE rolname LIKE '{}\\_%'",
        shadow.name
    );
    let before = shadow.value(&roles);
    let file = proof("given");
    for step in [
        format!("ALTER ROLE {} PASSWORD 'x';", name("other")),
        format!("COMMENT ON ROLE {} IS '{mark}';", name("other")),
        format!("DROP ROLE {};", name("other")),
        // A function of a superuser would have its rights.
        format!(
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'; ALTER FUNCTION f() OWNER TO {};",
            name("other")
        ),
        format!(
            "GRANT {0} TO CURRENT_USER; SET ROLE {0}; DO $x$ BEGIN EXECUTE 'COPY (SELECT 1) TO PRO' || 'GRAM ''touch {1}'''; END $x$;",
            name("other"),
            file.display()
        ),
    ] {
        let output = project(&step).run_words(["--format", "json", "verify", "--shadow-url", &shadow.url]);
        assert_eq!(output.code, 1, "{step}: {output}");
        let found = denials(&serde_json::from_str(&output.stdout).unwrap());
        assert!(has(&found, "not-observed"), "{step}: {output}");
        assert!(!file.exists(), "{step}");
    }
    assert_eq!(shadow.value(&roles), before);
    assert_eq!(shadow.value("SELECT count(*)::text FROM pg_namespace WHERE nspname = 'pg_tenure'"), "0");
    for role in ["other", "marked"] {
        shadow.run(&format!("DROP ROLE {}", name(role)));
    }
}
