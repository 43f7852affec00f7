//! No database: exit 3, host and port named, and the password never, however much is to be said.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use serde_json::json;

use crate::support::{Output, Project, Wire, wait_until};

const SECRET: &str = "hunter2";

/// A port that nobody listens on.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A server that asks for a password and refuses whatever it gets, as PostgreSQL does (manual, chapter
/// 55.2.1). It ends with the test binary.
fn server_that_refuses() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            refuse(stream.unwrap()).unwrap_or_default();
        }
    });
    port
}

fn refuse(mut stream: TcpStream) -> std::io::Result<()> {
    let mut start = [0; 4096];
    let _length = stream.read(&mut start)?;
    // AuthenticationCleartextPassword.
    stream.write_all(b"R\0\0\0\x08\0\0\0\x03")?;
    let length = stream.read(&mut start)?;
    assert!(String::from_utf8_lossy(&start[..length]).contains(SECRET), "the password was not sent");
    let body = b"SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user \"me\"\0\0";
    stream.write_all(b"E")?;
    stream.write_all(&u32::try_from(body.len() + 4).unwrap().to_be_bytes())?;
    stream.write_all(body)
}

fn run(project: &Project, url: &str, line: &str) -> Output {
    project.run_env(&[("DATABASE_URL", url), ("TENURE_CONNECT_ATTEMPTS", "1")], line)
}

/// Every way of asking names the place and keeps the secret.
fn keeps_the_secret(project: &Project, url: &str, address: &str, sqlstate: Option<&str>) {
    for verb in [
        "migrate up",
        "migrate up --plan",
        "status",
        "tenant create acme_corp",
        "tenant list",
        "migrate history",
    ] {
        for flags in ["", "--format json", "-q", "-v", "-vv", "-vvv", "-vvv --format json"] {
            let output = run(project, url, &format!("{verb} {flags}"));
            assert_eq!(output.code, 3, "{verb} {flags}: {output}");
            let everything = format!("{}{}", output.stdout, output.stderr);
            assert!(everything.contains(address), "{verb} {flags}: {everything}");
            assert!(!everything.contains(SECRET), "{verb} {flags}: {everything}");
            if flags.contains("json") {
                let document: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
                let code = if sqlstate.is_some() { "authentication-failed" } else { "server-unreachable" };
                assert_eq!(document["error"]["code"], code);
                assert_eq!(document["error"].get("sqlstate").cloned(), sqlstate.map(|state| json!(state)));
            } else {
                assert_eq!(output.stdout, "");
            }
        }
    }
}

#[test]
fn a_server_that_is_not_there_is_named_without_the_password() {
    let (project, port) = (Project::seeds(), closed_port());
    let address = format!("127.0.0.1:{port}");
    keeps_the_secret(&project, &format!("postgresql://me:{SECRET}@{address}/app"), &address, None);
}

#[test]
fn a_wrong_password_is_not_printed() {
    let (project, port) = (Project::seeds(), server_that_refuses());
    let address = format!("127.0.0.1:{port}");
    let url = format!("postgresql://me:{SECRET}@{address}/app?sslmode=disable");
    keeps_the_secret(&project, &url, &address, Some("28P01"));
}

#[test]
fn a_missing_database_or_role_is_named() {
    let project = Project::seeds();
    let nowhere = project.db.url.replace(&project.db.name, "nowhere");
    for (url, said, sqlstate) in [
        (nowhere, "database \"nowhere\" does not exist", "3D000"),
        (project.db.url_as("nobody"), "role \"nobody\" does not exist", "28000"),
    ] {
        let output = run(&project, &url, "status --format json");
        let document: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
        assert_eq!(output.code, 3, "{output}");
        assert!(document["error"]["message"].as_str().unwrap().ends_with(said), "{document}");
        assert_eq!(document["error"]["sqlstate"], sqlstate);
    }
}

#[test]
fn a_url_that_cannot_be_understood_is_not_repeated() {
    let project = Project::seeds();
    for url in [
        format!("mysql://me:{SECRET}@localhost/app"),
        format!("postgresql://me:{SECRET}@localhost:port/app"),
        format!("postgresql://me@localhost/app?sslmode={SECRET}"),
        format!("host=localhost password={SECRET}"),
        SECRET.to_owned(),
    ] {
        for flags in ["", "--format json", "-vvv"] {
            let output = run(&project, &url, &format!("status {flags}"));
            assert_eq!(output.code, 2, "{output}");
            assert!(format!("{}{}", output.stdout, output.stderr).contains("database-url"), "{output}");
            assert!(!format!("{}{}", output.stdout, output.stderr).contains(SECRET), "{output}");
        }
    }
}

#[test]
fn the_help_does_not_show_the_password() {
    let project = Project::empty();
    let output = run(&project, &format!("postgresql://me:{SECRET}@localhost/app"), "migrate up --help");
    assert_eq!(output.code, 0);
    assert!(output.stdout.contains("DATABASE_URL") && !output.stdout.contains(SECRET), "{output}");
}

#[test]
fn an_answer_that_never_comes_is_not_waited_for_without_end() {
    let project = Project::with_tenants(&["a"]);
    project.migration(
        "1.0.4",
        "1.0.5",
        "slow",
        "ALTER TABLE workspaces ADD COLUMN slow text DEFAULT pg_sleep(0.7)::text;",
    );
    project.db.run("INSERT INTO org_a.workspaces (name) VALUES ('x')");
    let wire = Wire::of(&project.db);
    let running = project.start(&format!(
        "--database-url {} migrate up --jobs 1 --statement-timeout 1s --format json",
        wire.url(&project.db)
    ));
    let asleep = "SELECT count(*)::text FROM pg_stat_activity \
                  WHERE datname = current_database() AND wait_event = 'PgSleep'";
    wait_until("the unit to be under way", || project.db.value(asleep) == "1");
    wire.swallow();
    let output = running.end();
    assert_eq!(output.code, 0, "{output}");
    // The server did it, and nobody did it again.
    assert_eq!(project.versions(), "platform 1.0.5, a 1.0.5");
    assert_eq!(project.repeated_units(), [""; 0]);
}
