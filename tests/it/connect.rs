//! Connecting to the database: past a pooler or through it, with TLS as the URL asks for it, and with retries.

use std::io::{Read, Write};
use std::mem::ManuallyDrop;
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tenure::postgres::server::DATABASE;

use crate::support::{Database, Output, Pooler, Project};

/// A step that cannot run in a transaction.
fn with_a_step_alone(project: &Project) {
    project.migration("1.0.4", "1.0.5", "index", "CREATE INDEX CONCURRENTLY names ON workspaces (name);");
}

fn nothing_was_written(project: &Project, output: &Output) {
    assert_eq!(output.code, 1, "{output}");
    assert!(
        output.stderr.contains("[session-required]") && output.stderr.contains("v1.0.4_to_v1.0.5_index.sql"),
        "{output}"
    );
    assert_eq!(project.versions(), "platform 1.0.4, acme 1.0.4");
    assert_eq!(
        project
            .db
            .value("SELECT count(*)::text FROM datalinx_platform.run WHERE command = 'tenure migrate up'"),
        "1"
    );
}

#[test]
fn a_pooler_is_found_out_and_what_needs_a_session_is_refused() {
    let project = Project::with_tenants(&["acme"]);
    with_a_step_alone(&project);
    for (settings, said) in [
        ("default_pool_size = 2", "it rejects startup options"),
        ("ignore_startup_parameters = options", "startup options do not reach the server"),
    ] {
        let Some(pooler) = Pooler::with(&project.db, settings) else { return };
        let url = pooler.url(&project.db);
        let up = project.run_env(&[("DATABASE_URL", &url)], "migrate up");
        nothing_was_written(&project, &up);
        assert!(up.stderr.contains(said), "{up}");
        let export = project.run_env(&[("DATABASE_URL", &url)], "tenant export acme --to acme.tenure");
        assert!(export.code == 1 && export.stderr.contains("[session-required]"), "{export}");
        assert!(!project.dir.path().join("acme.tenure").exists());
        let shadow = project.run_env(&[], &format!("verify --shadow-url {url}"));
        assert!(shadow.code == 1 && shadow.stderr.contains("[session-required]"), "{shadow}");
    }
}

#[test]
fn the_servers_own_address_beside_it_is_taken() {
    let project = Project::with_tenants(&["acme"]);
    with_a_step_alone(&project);
    let Some(pooler) = Pooler::start(&project.db) else { return };
    let url = pooler.url(&project.db);
    // Of the same name as the same user, and yet another one.
    let elsewhere = Project::with_tenants(&["acme"]);
    let other = elsewhere.db.url.clone();
    // One that leads elsewhere, or is not the environment's own, is not what belongs to the URL.
    nothing_was_written(
        &project,
        &project.run_env(&[("DATABASE_URL", &url), ("DIRECT_URL", &other)], "migrate up"),
    );
    let given = format!("--database-url {url} migrate up");
    let given_elsewhere =
        [("DATABASE_URL", "postgresql://tenure@elsewhere/app"), ("DIRECT_URL", &project.db.url)];
    nothing_was_written(&project, &project.run_env(&given_elsewhere, &given));
    let both = [("DATABASE_URL", url.as_str()), ("DIRECT_URL", &project.db.url)];
    nothing_was_written(&project, &project.run_env(&both, "migrate up --allow-pooled"));

    let up = project.run_env(&both, "migrate up").ok();
    assert!(up.stderr.contains("connecting directly to") && up.stderr.contains("(DIRECT_URL)"), "{up}");
    assert!(
        !up.stderr.contains("do not reach the server") && !up.stderr.contains("rejects startup options"),
        "{up}"
    );
    assert_eq!(project.versions(), "platform 1.0.5, acme 1.0.5");
}

/// The server of a project's own.
fn own_server(project: &Project) -> ManuallyDrop<Database> {
    let url = project.run_env(&[("DATABASE_URL", "")], "dev url").ok().stdout.trim().to_owned();
    ManuallyDrop::new(Database { name: DATABASE.to_owned(), url })
}

#[test]
fn a_copy_of_the_server_is_not_the_server() {
    let (here, there) = (Project::seeds(), Project::seeds());
    let dev = |project: &Project, what: &str| project.run_env(&[("DATABASE_URL", "")], what).passes();
    // Where the server's account can walk to, the server lives beside the project.
    for project in [&here, &there] {
        std::fs::set_permissions(project.dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    }
    dev(&here, "dev start");
    dev(&here, "migrate up");
    dev(&here, "dev stop");
    // As a restored backup or a snapshot of the disk is: all numbers of it are the same.
    let copied =
        Command::new("cp").arg("-a").arg(here.dir.path().join(".tenure")).arg(there.dir.path()).status();
    assert!(copied.unwrap().success());
    dev(&here, "dev start");
    dev(&there, "dev start");
    let (ours, copy) = (own_server(&here), own_server(&there));
    assert_ne!(ours.url, copy.url);
    let Some(pooler) = Pooler::start(&ours) else { return };
    let url = pooler.url(&ours);
    here.migration("1.0.4", "1.0.5", "more", "ALTER TABLE workspaces ADD COLUMN more int;");
    let version = "SELECT version FROM datalinx_platform.schema_version";

    let up = here.run_env(&[("DATABASE_URL", &url), ("DIRECT_URL", &copy.url)], "migrate up").ok();
    assert!(up.stderr.contains("DIRECT_URL could not be proved to be the same database"), "{up}");
    assert_eq!((ours.value(version).as_str(), copy.value(version).as_str()), ("1.0.5", "1.0.4"), "{up}");
    let up = here.run_env(&[("DATABASE_URL", &url), ("DIRECT_URL", &ours.url)], "status").ok();
    assert!(!up.stderr.contains("could not be proved"), "{up}");
}

#[test]
fn a_pooler_is_used_where_nothing_else_is_reachable() {
    let project = Project::with_tenants(&["acme"]);
    project.migration("1.0.4", "1.0.5", "more", "ALTER TABLE workspaces ADD COLUMN more int;");
    let Some(pooler) = Pooler::start(&project.db) else { return };
    let gone = project.db.url.replace("host=", "host=/nowhere");
    let both = [("DATABASE_URL", pooler.url(&project.db)), ("DATABASE_URL_UNPOOLED", gone)];
    let up =
        project.run_env(&both.each_ref().map(|(name, value)| (*name, value.as_str())), "migrate up").ok();
    assert!(up.stderr.contains("using the pooler"), "{up}");
    assert_eq!(project.versions(), "platform 1.0.5, acme 1.0.5");

    // An address that the server refuses says nothing of the pooler's; a good one behind it is still found.
    let url = pooler.url(&project.db);
    let absent = project.db.url.replace(&project.db.name, "absent");
    let stale = [("DATABASE_URL", url.as_str()), ("DATABASE_URL_UNPOOLED", &absent)];
    let status = project.run_env(&stale, "status").ok();
    let said = ["\"absent\" does not exist", "(DATABASE_URL_UNPOOLED)", "is a transaction pooler (it"];
    assert!(said.iter().all(|said| status.stderr.contains(said)), "{status}");
    let one_is_good = [&stale[..], &[("DIRECT_URL", &project.db.url)]].concat();
    let status = project.run_env(&one_is_good, "status").ok();
    assert!(status.stderr.contains("(DIRECT_URL)") && !status.stderr.contains("pooler (it"), "{status}");
}

#[test]
fn unknown_url_parameters_are_named() {
    let project = Project::seeds();
    let url = format!("{}&pgbouncer=true&schema=public&connection_limit=1", project.db.url);
    let up = project.run_env(&[("DATABASE_URL", &url)], "migrate up").ok();
    assert!(
        up.stderr.contains("ignored parameters of the database URL: connection_limit, pgbouncer, schema"),
        "{up}"
    );
    for (parameter, said) in
        [("sslmod=require", "did you mean \"sslmode\""), ("sslcrl=/x", "is not supported")]
    {
        let url = format!("{}&{parameter}", project.db.url);
        let refused = project.run_env(&[("DATABASE_URL", &url)], "status");
        assert!(refused.code == 2 && refused.stderr.contains(said), "{refused}");
    }
}

/// Closes the connections of these numbers, such as the first ones, as an endpoint does that wakes; others go to the server.
fn sleeper(project: &Project, naps: Range<usize>) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let folder = project.db.url.split("host=").nth(1).and_then(|rest| rest.split('&').next()).unwrap();
    let (socket, came) = (format!("{folder}/.s.PGSQL.5432"), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&came);
    thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            if !naps.contains(&count.fetch_add(1, Ordering::SeqCst)) {
                relay(client, UnixStream::connect(&socket).unwrap());
            }
        }
    });
    (port, came)
}

fn relay(client: TcpStream, server: UnixStream) {
    let (mut client_reads, mut server_reads) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let (mut client, mut server) = (client, server);
    thread::spawn(move || copy(&mut client_reads, &mut server));
    thread::spawn(move || copy(&mut server_reads, &mut client));
}

/// One end is gone at some time, which is how it ends.
fn copy(from: &mut impl Read, to: &mut impl Write) {
    let _copied = std::io::copy(from, to);
}

#[test]
fn a_server_that_wakes_is_waited_for() {
    let project = Project::seeds();
    let (port, came) = sleeper(&project, 0..2);
    let url = format!("postgresql://tenure@127.0.0.1:{port}/{}?sslmode=disable", project.db.name);
    let up = project.run_env(&[("DATABASE_URL", &url)], "migrate up").ok();
    assert!(up.stderr.contains("retrying (2 of 6)") && up.stderr.contains("retrying (3 of 6)"), "{up}");
    assert!(came.load(Ordering::SeqCst) >= 3);
    // The driver asks for TLS first, and the end comes in the place of the answer.
    let (port, came) = sleeper(&project, 0..1);
    let url = format!("postgresql://tenure@127.0.0.1:{port}/{}", project.db.name);
    project.run_env(&[("DATABASE_URL", &url)], "status").passes();
    assert!(came.load(Ordering::SeqCst) >= 2);

    let (port, came) = sleeper(&project, 0..usize::MAX);
    let url = format!("postgresql://tenure@127.0.0.1:{port}/{}?sslmode=disable", project.db.name);
    let never = project.run_env(&[("DATABASE_URL", &url)], "status --connect-attempts 2");
    assert!(never.code == 3 && never.stderr.contains("(tried 2 times)"), "{never}");
    assert_eq!(came.load(Ordering::SeqCst), 2);

    // Also where branches are made, which have connections of their own.
    let (port, came) = sleeper(&project, 1..usize::MAX);
    let url = format!("postgresql://tenure@127.0.0.1:{port}/{}?sslmode=disable", project.db.name);
    let list =
        project.run_env(&[("DATABASE_URL", &url)], "branch list --provider local --connect-attempts 2");
    assert!(list.code == 3 && list.stderr.contains("(tried 2 times)"), "{list}");
    assert_eq!(came.load(Ordering::SeqCst), 3);
}

/// A server that takes no connection without TLS, with a certificate for `localhost`, and the authority's file.
fn behind_tls(project: &Project) -> Option<(Pooler, String)> {
    let file = |name: &str, text: String| {
        project.file(name, text);
        project.dir.path().join(name).display().to_string()
    };
    let key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = file("root.crt", authority.self_signed(&key).unwrap().pem());
    let issuer = Issuer::new(authority, key);
    let key = KeyPair::generate().unwrap();
    let leaf =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let (certificate, key) = (file("server.crt", leaf.pem()), file("server.key", key.serialize_pem()));
    // Another account reads them.
    for path in [project.dir.path().display().to_string(), certificate.clone(), key.clone()] {
        Command::new("chmod").args(["a+rX", &path]).status().unwrap();
    }
    let settings = format!(
        "client_tls_sslmode = require\nclient_tls_cert_file = {certificate}\nclient_tls_key_file = {key}\n\
         default_pool_size = 2"
    );
    Pooler::with(&project.db, &settings).map(|pooler| (pooler, root))
}

#[test]
fn tls_is_as_the_url_asks_for_it() {
    let project = Project::seeds();
    let Some((server, root)) = behind_tls(&project) else { return };
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap().cert.pem();
    project.file("other.crt", other);
    let other = project.dir.path().join("other.crt").display().to_string();
    let status = |host: &str, query: &str| {
        let query = query.replace("ROOT", &root).replace("OTHER", &other);
        let url = format!("postgresql://tenure@{host}:{}/{}?{query}", server.port(), project.db.name);
        project.run_env(&[("DATABASE_URL", &url)], "status")
    };
    for (host, query) in [
        ("localhost", ""),
        ("127.0.0.1", "sslmode=prefer"),
        ("127.0.0.1", "sslmode=require"),
        // It begins without and is refused; then with.
        ("127.0.0.1", "sslmode=allow"),
        ("127.0.0.1", "sslmode=verify-ca&sslrootcert=ROOT"),
        ("127.0.0.1", "sslmode=require&sslrootcert=ROOT"),
        ("localhost", "sslmode=verify-full&sslrootcert=ROOT"),
        ("localhost", "sslmode=require&channel_binding=require&sslrootcert=ROOT"),
    ] {
        let output = status(host, query);
        assert_eq!(output.code, 0, "{query}: {output}");
        assert_eq!(output.stderr.contains("channel_binding"), query.contains("channel_binding"), "{output}");
    }
    for (host, query, code, said) in [
        ("localhost", "sslmode=disable", 3, "SSL required"),
        ("localhost", "sslmode=verify-full", 3, "sslrootcert="),
        ("localhost", "sslmode=verify-ca", 3, "sslrootcert="),
        ("localhost", "sslmode=verify-ca&sslrootcert=OTHER", 3, "sslrootcert="),
        ("localhost", "sslmode=require&sslrootcert=OTHER", 3, "sslrootcert="),
        ("127.0.0.1", "sslmode=verify-full&sslrootcert=ROOT", 3, "another host"),
        ("127.0.0.1", "sslmode=require&channel_binding=require&sslrootcert=ROOT", 3, "another host"),
        ("localhost", "sslmode=require&channel_binding=require", 3, "channel_binding=require"),
        ("localhost", "sslmode=require&sslrootcert=system", 2, "requires sslmode=verify-full"),
        ("localhost", "sslmode=disable&channel_binding=require", 2, "needs TLS"),
    ] {
        let output = status(host, query);
        assert!(output.code == code && output.stderr.contains(said), "{query}: {output}");
    }
    // libpq looks there when no file is named.
    std::fs::create_dir(project.dir.path().join(".postgresql")).unwrap();
    std::fs::copy(&root, project.dir.path().join(".postgresql/root.crt")).unwrap();
    assert_eq!(status("localhost", "sslmode=verify-full").code, 0);
    std::fs::copy(&other, project.dir.path().join(".postgresql/root.crt")).unwrap();
    assert_eq!(status("localhost", "sslmode=require").code, 3);
}
