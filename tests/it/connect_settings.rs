//! The address, the password and the settings of a connection: what libpq would do is done, or refused by name.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use serde_json::Value;

use crate::support::{Project, Session, needs_the_server_itself};

/// A server at `address` that asks for a password and answers with this error. It ends with the test binary.
fn refusing_server(address: &str, sqlstate: &'static str, message: &'static str) -> Option<u16> {
    let listener = TcpListener::bind(address).ok()?;
    let port = listener.local_addr().unwrap().port();
    let answer = move |mut stream: TcpStream| -> std::io::Result<()> {
        let mut bytes = [0; 4096];
        let _start = stream.read(&mut bytes)?;
        // AuthenticationCleartextPassword.
        stream.write_all(b"R\0\0\0\x08\0\0\0\x03")?;
        let _password = stream.read(&mut bytes)?;
        let body = format!("SFATAL\0VFATAL\0C{sqlstate}\0M{message}\0\0");
        stream.write_all(b"E")?;
        stream.write_all(&u32::try_from(body.len() + 4).unwrap().to_be_bytes())?;
        stream.write_all(body.as_bytes())
    };
    thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap()).unwrap_or_default();
        }
    });
    Some(port)
}

fn error_at(project: &Project, environment: &[(&str, &str)], line: &str) -> (i32, Value) {
    let environment = [environment, &[("TENURE_CONNECT_ATTEMPTS", "1")]].concat();
    let output = project.run_env(&environment, &format!("{line} --format json"));
    let document: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output}"));
    (output.code, document["error"].clone())
}

fn text<'a>(error: &'a Value, key: &str) -> &'a str {
    error[key].as_str().unwrap_or_default()
}

#[test]
fn a_refused_user_is_no_unreachable_server() {
    let project = Project::seeds();
    for (sqlstate, message, user, hint) in [
        (
            "28P01",
            "password authentication failed for user \"me\"",
            "me:wrong",
            "check the user and the password",
        ),
        ("28P01", "password authentication failed for user \"me\"", "me", "no password was given"),
        ("28000", "no pg_hba.conf entry for host \"10.0.0.1\", user \"me\"", "me:right", "pg_hba.conf"),
        ("XX000", "password authentication failed for user 'me'", "me", "no password was given"),
    ] {
        let port = refusing_server("127.0.0.1:0", sqlstate, message).unwrap();
        let url = format!("postgresql://{user}@127.0.0.1:{port}/app?sslmode=disable");
        for line in ["status", "migrate up"] {
            let (code, error) = error_at(&project, &[("DATABASE_URL", &url)], line);
            assert_eq!((code, text(&error, "code")), (3, "authentication-failed"), "{error}");
            assert!(text(&error, "hint").contains(hint), "{user}: {error}");
            assert_eq!(error["retryable"], false, "{error}");
        }
        // A password of the environment counts.
        let (_, error) = error_at(&project, &[("DATABASE_URL", &url), ("PGPASSWORD", "secret")], "status");
        assert!(!text(&error, "hint").contains("no password"), "{error}");
    }
    let (code, error) = error_at(&project, &[("DATABASE_URL", "postgresql://me@127.0.0.1:1/app")], "status");
    assert_eq!(
        (code, text(&error, "code"), &error["retryable"]),
        (3, "server-unreachable", &Value::Bool(true)),
        "{error}"
    );
}

#[test]
#[expect(clippy::print_stderr, reason = "says what was skipped")]
fn an_ipv6_address_is_reached() {
    let Some(port) = refusing_server("[::1]:0", "28P01", "password authentication failed") else {
        eprintln!("SKIPPED: this machine has no IPv6");
        return;
    };
    let project = Project::seeds();
    for url in [
        format!("postgres://u:p@[::1]:{port}/db?sslmode=disable"),
        format!("postgresql:///db?user=u&password=p&host=::1&port={port}&sslmode=disable"),
    ] {
        let (code, error) = error_at(&project, &[("DATABASE_URL", &url)], "status");
        assert_eq!((code, text(&error, "sqlstate")), (3, "28P01"), "{error}");
        assert!(text(&error, "message").contains(&format!("[::1]:{port}")), "{error}");
    }
}

#[test]
fn settings_that_cannot_be_obeyed_are_refused_by_name() {
    let project = Project::seeds();
    let url = project.db.url.as_str();
    let long = |query: &str| format!("postgresql://me:hunter2@db.example/app?{query}");
    for (environment, named) in [
        (vec![("DATABASE_URL", long("target_session_attrs=read-write"))], "target_session_attrs"),
        (vec![("DATABASE_URL", long("target_session_attrs=primary"))], "target_session_attrs"),
        (vec![("DATABASE_URL", long("service=prod"))], "service"),
        (vec![("DATABASE_URL", "postgresql://me:hunter2@a:5432,b:5433/app".to_owned())], "several hosts"),
        (vec![("DATABASE_URL", long("host=a,b"))], "several hosts"),
        (vec![("DATABASE_URL", "host=db.example dbname=app password=hunter2".to_owned())], "key=value"),
        (vec![("DATABASE_URL", "dbname=app".to_owned())], "key=value"),
        (vec![("DATABASE_URL", long("hostaddr=10.0.0.1&sslmode=verify-full"))], "hostaddr"),
        (vec![("DATABASE_URL", long("hostaddr=10.0.0.1&sslrootcert=system"))], "hostaddr"),
        (vec![("DATABASE_URL", long("sslmode=verify-full&sslrootcert=missing.crt"))], "sslrootcert"),
        (
            vec![
                ("DATABASE_URL", long("sslmode=verify-ca")),
                ("PGSSLROOTCERT", "/missing/root.crt".to_owned()),
            ],
            "sslrootcert",
        ),
        (vec![("DATABASE_URL", long("sslmode=require&sslcert=missing.crt&sslkey=missing.key"))], "sslcert"),
        (vec![("DATABASE_URL", url.to_owned()), ("PGHOSTADDR", "10.0.0.1".to_owned())], "PGHOSTADDR"),
        (
            vec![("DATABASE_URL", url.to_owned()), ("PGTARGETSESSIONATTRS", "standby".to_owned())],
            "PGTARGETSESSIONATTRS",
        ),
    ] {
        let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let (code, error) = error_at(&project, &environment, "status");
        assert_eq!((code, text(&error, "code")), (2, "database-url"), "{environment:?}: {error}");
        assert!(text(&error, "message").contains(named), "{environment:?}: {error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    // What has no effect with one server is accepted.
    for (name, value) in [("PGTARGETSESSIONATTRS", "any"), ("PGSERVICE", "prod")] {
        project.run_env(&[(name, value)], "status").passes();
    }
    assert!(project.run_env(&[("PGSERVICE", "prod")], "status").stderr.contains("PGSERVICE is ignored"));
}

#[test]
fn variables_of_libpq_alone_choose_no_database_silently() {
    let project = Project::with_tenants(&["acme"]);
    let database = project.db.name.as_str();
    for variables in [vec![("PGHOST", "db.example")], vec![("PGDATABASE", database), ("PGSERVICE", "prod")]] {
        let environment = [&[("DATABASE_URL", "")], variables.as_slice()].concat();
        let (code, error) = error_at(&project, &environment, "migrate up");
        assert_eq!((code, text(&error, "code")), (2, "no-database-url"), "{error}");
        assert!(variables.iter().all(|(name, _)| text(&error, "message").contains(name)), "{error}");
        assert!(!project.dir.path().join(".tenure").exists());
    }
    // The hint works.
    let folder = project.db.socket_folder();
    let environment =
        [("DATABASE_URL", ""), ("PGHOST", folder), ("PGDATABASE", database), ("PGUSER", "tenure")];
    let output = project.run_env(&environment, "--database-url postgresql:// status").ok();
    assert!(output.stdout.contains("1.0.4"), "{output}");
}

#[test]
fn a_read_only_default_is_obeyed() {
    if needs_the_server_itself("its sessions are older than the setting") {
        return;
    }
    for command in ["migrate up", "tenant create globex", "migrate baseline 1.0.4 --yes"] {
        let project =
            if command.contains("baseline") { Project::seeds() } else { Project::with_tenants(&["acme"]) };
        project.next_migration("ALTER TABLE workspaces ADD COLUMN note text;");
        project.db.run(&format!("ALTER DATABASE {} SET default_transaction_read_only = on", project.db.name));
        let before = project.db.dump(&[]);
        let (code, document) = project.json(command);
        let error = &document["error"];
        assert_eq!((code, text(error, "sqlstate")), (1, "25006"), "{command}: {document}");
        assert!(text(error, "hint").contains("default_transaction_read_only"), "{document}");
        assert!(text(error, "hint").contains("a standby is read-only: connect to the primary"), "{document}");
        assert!(project.db.dump(&[]) == before, "{command}");
        project.run("status").passes();
        project.db.run(&format!("BEGIN READ WRITE; ALTER DATABASE {} RESET ALL; COMMIT", project.db.name));
    }
}

#[test]
fn a_connection_that_a_proxy_lost_inside_a_unit_is_tried_again() {
    for (state, scope) in [("08006", "platform"), ("08006", "tenant"), ("08003", "tenant")] {
        let project = Project::with_tenants(&["acme"]);
        project.without_rules();
        project.db.run("CREATE SEQUENCE public.attempts");
        project.next_migration(&format!(
            "-- Scope: {scope}\nCREATE TABLE lost (id int);\nDO $$ BEGIN IF nextval('public.attempts') < 3 THEN\n\
             RAISE EXCEPTION 'connection to server was lost' USING ERRCODE = '{state}'; END IF; END $$;"
        ));
        project.run("migrate up").passes();
        assert_eq!(project.versions(), "platform 1.0.5, acme 1.0.5", "{state} {scope}");
        assert_eq!(project.db.value("SELECT last_value::text FROM public.attempts"), "3");
        // Without retries it is a failure that says that a retry can help.
        project.next_migration(&format!(
            "-- Scope: {scope}\nDO $$ BEGIN RAISE EXCEPTION 'lost' USING ERRCODE = '{state}'; END $$;"
        ));
        let (_, document) = project.json("migrate up --retries 0");
        assert_eq!(document["failures"][0]["retryable"], true, "{document}");
    }
}

#[test]
fn the_limits_of_a_role_end_a_statement_that_runs_alone() {
    if needs_the_server_itself("its sessions are older than the setting") {
        return;
    }
    for (setting, value, sqlstate) in
        [("lock_timeout", "300ms", "55P03"), ("statement_timeout", "900ms", "57014")]
    {
        let project = Project::with_tenants(&["acme"]);
        project.next_migration("CREATE INDEX CONCURRENTLY by_name ON workspaces (name);");
        let holder =
            Session::holding(&project.db, "LOCK TABLE org_acme.workspaces IN SHARE ROW EXCLUSIVE MODE");
        project.db.run(&format!("ALTER DATABASE {} SET {setting} = '{value}'", project.db.name));
        let (code, document) = project.json("migrate up --retries 0");
        let error = &document["failures"][0];
        assert_eq!((code, text(error, "sqlstate")), (1, sqlstate), "{document}");
        assert_eq!(error["retryable"], sqlstate == "55P03", "{document}");
        let output = project.run("migrate up --retries 0");
        assert!(output.stderr.contains(&format!("ALTER ROLE … SET {setting}")), "{output}");
        assert!(!output.stderr.contains("-timeout"), "{output}");
        holder.release();
        // In a transaction the limits are Tenure's.
        project.remove("migrations/v1.0.4_to_v1.0.5_next.sql");
        project.next_migration("CREATE INDEX by_name ON workspaces (name);");
        project.without_rules();
        let holder =
            Session::holding(&project.db, "LOCK TABLE org_acme.workspaces IN SHARE ROW EXCLUSIVE MODE");
        let output = project.run("migrate up --retries 0 --lock-timeout 200ms");
        assert!(output.stderr.contains("--lock-timeout"), "{output}");
        holder.release();
    }
}
