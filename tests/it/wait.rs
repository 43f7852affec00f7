//! `tenure wait`: an application's start-up waits for a version; only reads.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Output, Project, Running, Session, Wire, is_pooled};

fn shown(output: &Output) -> Value {
    serde_json::from_str(&output.stdout).unwrap()
}

#[test]
fn a_version_that_is_reached_ends_the_wait() {
    let project = Project::with_tenants(&["acme", "globex"]);
    let before = project.db.dump(&[]);
    for line in
        ["wait --version 1.0.4", "wait --version 1.0.3 --timeout 0s", "wait --version 1.0.4 --tenant acme"]
    {
        assert!(project.run(line).ok().stdout.starts_with("reached  "), "{line}");
    }
    let (code, document) = project.json("wait --version 1.0.4");
    assert_eq!((code, &document["reached"], &document["missing"]), (0, &json!(true), &json!([])));
    assert_eq!(document["platform"]["version"], "1.0.4");
    assert_eq!(document["tenants"], json!({"total": 2, "reached": 2, "missing": 0, "versions": {}}));
    let (_, document) = project.json("wait --version 1.0.4 --tenant acme --tenant globex");
    assert_eq!((document.get("platform"), &document["tenants"]["total"]), (None, &json!(2)));
    assert_eq!(project.db.dump(&[]), before, "it wrote something");
}

#[test]
fn at_the_time_limit_it_says_what_is_missing() {
    let project = Project::with_tenants(&["acme", "globex"]);
    project.db.run(
        "UPDATE datalinx_platform.tenant_version SET version = '1.0.3' WHERE schema_name = 'org_globex'",
    );
    let began = Instant::now();
    let document = project.expect_error("wait --version 1.0.4 --timeout 1s", "wait-timeout");
    assert!((1..20).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    assert_eq!(document["missing"], json!([{"schema": "org_globex", "version": "1.0.3"}]));
    assert_eq!(document["tenants"]["versions"], json!({"1.0.3": 1}));
    assert_eq!(document["platform"]["reached"], true);
    let output = project.run("wait --version 1.0.4 --timeout 0s");
    assert_eq!((output.code, output.stdout.as_str()), (1, ""), "{output}");
    assert!(
        output.stderr.contains("error[wait-timeout]") && output.stderr.contains("1 at 1.0.3: org_globex"),
        "{output}"
    );
    // The other tenant is there, and one that does not exist is not.
    project.run("wait --version 1.0.4 --timeout 0s --tenant acme").passes();
    let document = project
        .expect_error("wait --version 1.0.4 --timeout 0s --tenant acme --tenant nobody", "wait-timeout");
    assert_eq!(document["missing"], json!([{"slug": "nobody", "version": null}]));
    // Dropped tenants are of no interest.
    project.run("tenant drop globex --confirm globex").passes();
    project.run("wait --version 1.0.4 --timeout 0s").passes();
}

#[test]
fn an_empty_database_and_a_fleet_without_tenants() {
    let project = Project::seeds();
    let document = project.expect_error("wait --version 1.0.4 --timeout 0s", "wait-timeout");
    assert_eq!(
        document["platform"],
        json!({"schema": "datalinx_platform", "version": null, "reached": false})
    );
    let document = project.expect_error("wait --version 1.0.4 --timeout 0s --tenant acme", "wait-timeout");
    assert_eq!(document["missing"], json!([{"slug": "acme", "version": null}]));
    let _migrated = project.run("migrate up").ok();
    project.run("wait --version 1.0.4 --timeout 0s").passes();
}

#[test]
fn a_migration_ends_a_wait_that_runs() {
    let project = Project::with_tenants(&["acme"]);
    project.next_migration("ALTER TABLE workspaces ADD COLUMN waited int;");
    let mut waiting = Running::spawn(project.command(["wait", "--version", "1.0.5", "--timeout", "2m"]));
    waiting.says("waiting: platform at 1.0.4, 0 of 1 tenant at 1.0.5");
    project.run("migrate up").passes();
    assert!(waiting.end().ok().stdout.starts_with("reached"));
}

#[test]
fn bad_arguments_are_refused_at_once() {
    let project = Project::seeds();
    project.expect_error("wait --version 9.9.9", "version-not-in-chain");
    project.expect_error("wait --version 1.0.4 --tenant Acme;", "slug-invalid");
    for line in [
        "wait",
        "wait --version newest",
        "wait --version 1.0.4 --timeout 5",
        "wait --version 1.0.4 --timeout -1s",
        "wait --version 1.0.4 --timeout 999999years",
    ] {
        project.expect_error(line, "usage");
    }
    Project::empty().expect_error("wait --version 1.0.4", "no-project");
    project.db.run(&format!("CREATE ROLE blind_{} LOGIN", project.db.name));
    let _migrated = project.run("migrate up").ok();
    let url = project.db.url_as(&format!("blind_{}", project.db.name));
    let output = project.run_env(&[("DATABASE_URL", &url)], "wait --version 1.0.4");
    assert!(output.code == 1 && output.stderr.contains("permission-denied"), "{output}");
    project.db.run(&format!("DROP ROLE blind_{}", project.db.name));
}

#[test]
fn a_role_with_two_privileges_and_a_read_only_database_suffice() {
    let project = Project::with_tenants(&["acme"]);
    let role = format!("waits_{}", project.db.name);
    project.db.run(&format!(
        "CREATE ROLE {role} LOGIN; ALTER ROLE {role} SET default_transaction_read_only = on; \
         GRANT USAGE ON SCHEMA datalinx_platform TO {role}; \
         GRANT SELECT ON datalinx_platform.schema_version, datalinx_platform.tenant_version TO {role}"
    ));
    let output = project.run_env(&[("DATABASE_URL", &project.db.url_as(&role))], "wait --version 1.0.4");
    project.db.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    output.passes();
}

#[test]
fn a_database_that_is_not_reached_is_tried_until_the_time_limit() {
    let project = Project::seeds();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("postgresql://me:hunter2@127.0.0.1:{port}/db");
    let began = Instant::now();
    let output =
        project.run_env(&[("DATABASE_URL", &url)], "wait --version 1.0.4 --timeout 2s --format json");
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(
        (output.code, &shown(&output)["error"]["code"]),
        (3, &json!("server-unreachable")),
        "{output}"
    );
    assert!(!format!("{output}").contains("hunter2"));
    // A server that accepts and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgresql://me@127.0.0.1:{}/db?sslmode=disable", silent.local_addr().unwrap().port());
    let began = Instant::now();
    let output = project.run_env(&[("DATABASE_URL", &url)], "wait --version 1.0.4 --timeout 1s");
    assert_eq!(output.code, 3, "{output}");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

/// A port that begins to answer later, as a database that starts.
#[test]
fn a_database_that_starts_later_is_reached() {
    let project = Project::with_tenants(&["acme"]);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("postgresql://tenure@127.0.0.1:{port}/{}?sslmode=disable", project.db.name);
    let mut command = project.command(["wait", "--version", "1.0.4", "--timeout", "1m"]);
    command.env("DATABASE_URL", url);
    let mut waiting = Running::spawn(command);
    waiting.says("waiting: cannot connect");
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let socket = format!("{}/.s.PGSQL.5432", project.db.socket_folder().replace("%2F", "/"));
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (mut client, server) =
                (client.unwrap(), std::os::unix::net::UnixStream::connect(&socket).unwrap());
            let (mut answers, mut questions) = (server.try_clone().unwrap(), server);
            let mut back = client.try_clone().unwrap();
            std::thread::spawn(move || pass(&mut answers, &mut back));
            std::thread::spawn(move || pass(&mut client, &mut questions));
        }
    });
    assert!(waiting.end().ok().stdout.starts_with("reached"));
}

fn pass(from: &mut impl std::io::Read, to: &mut impl std::io::Write) {
    let mut bytes = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        if to.write_all(&bytes[..length]).is_err() {
            return;
        }
    }
}

#[test]
fn a_try_is_one_query_and_what_is_reached_is_read_twice() {
    if is_pooled() {
        return;
    }
    let project = Project::with_tenants(&["acme", "globex"]);
    let wire = Wire::of(&project.db);
    let url = wire.url(&project.db);
    let count = |line: &str| {
        let _counted = wire.counted();
        let output = project.run_env(&[("DATABASE_URL", &url)], line);
        (output.code, wire.counted())
    };
    // The first message detects a pooler.
    assert_eq!(count("wait --version 1.0.4 --timeout 0s"), (0, (3, 1)));
    project.next_migration("ALTER TABLE workspaces ADD COLUMN waited int;");
    assert_eq!(count("wait --version 1.0.5 --timeout 0s"), (1, (2, 1)));
    let (code, (questions, connections)) = count("wait --version 1.0.5 --timeout 2s");
    assert!((code, connections) == (1, 1) && (3..=7).contains(&questions), "{questions}");
}

/// The second reading is what counts: a row that is gone by then was not on disk.
#[test]
fn a_version_that_is_lost_between_the_readings_does_not_count() {
    let project = Project::with_tenants(&["acme"]);
    project.db.run(&format!("ALTER DATABASE {} SET application_name = ''", project.db.name));
    let delay = project.db.value("SELECT setting FROM pg_settings WHERE name = 'wal_writer_delay'");
    let pause = Duration::from_millis(delay.parse().unwrap()) * 3;
    let began = Instant::now();
    project.run("wait --version 1.0.4").passes();
    assert!(began.elapsed() >= pause, "{:?}", began.elapsed());
    let mut other = Session::open(&project.db.url);
    let waiting = Running::spawn(project.command(["wait", "--version", "1.0.4", "--timeout", "0s"]));
    let read = "SELECT (count(*) > 0)::text FROM pg_stat_activity WHERE datname = current_database() \
                AND query LIKE '%wal_writer_delay%schema_version%' AND state = 'idle' AND pid <> pg_backend_pid()";
    crate::support::wait_until("the first reading", || other.value(read) == "true");
    other.run("UPDATE datalinx_platform.tenant_version SET version = '1.0.3'");
    assert_eq!(waiting.end().code, 1);
}

#[test]
fn an_interrupted_wait_ends_at_once() {
    let project = Project::seeds();
    let mut waiting = Running::spawn(project.command(["wait", "--version", "1.0.4"]));
    waiting.says("waiting: ");
    waiting.signal("TERM");
    assert_eq!(waiting.end().code, 130);
}

#[test]
fn a_slug_of_no_tenant_is_named() {
    let project = Project::with_tenants(&["acme"]);
    let document = project
        .expect_error("wait --version 1.0.4 --timeout 0s --tenant acme --tenant acmee", "wait-timeout");
    let hint = document["error"]["hint"].as_str().unwrap();
    assert!(hint.starts_with("there is no tenant \"acmee\""), "{hint}");
}
