//! The test server itself: what it says of branches is so, and what it says is as the specification has it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::support::neon::{Fault, Neon, PROJECT, Verb};
use crate::support::{Project, Session};

/// A client that knows nothing: the status and the answer; 0 where the connection ended without one.
fn call(neon: &Neon, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    let [(_, key), (_, base), _] = neon.environment();
    let address = base.trim_start_matches("http://").split('/').next().unwrap().to_owned();
    let body = body.map_or_else(String::new, |body| body.to_string());
    let mut stream = TcpStream::connect(&address).unwrap();
    let head = format!(
        "{method} /api/v2/projects/{PROJECT}{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Authorization: Bearer {key}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return (0, Value::Null) };
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

#[test]
fn a_branch_is_a_database_behind_its_own_endpoint() {
    let project = Project::with_tenants(&["acme"]);
    let neon = Neon::start(&project.db);
    let wanted = json!({ "branch": { "name": "pr-1" }, "endpoints": [{ "type": "read_write" }] });
    let (status, made) = call(&neon, "POST", "/branches", Some(wanted));
    assert_eq!(status, 201, "{made}");
    let url = made["connection_uris"][0]["connection_uri"].as_str().unwrap();
    assert_eq!(url, neon.url("pr-1", false));
    assert!(url.contains(made["endpoints"][0]["host"].as_str().unwrap()));
    let mut session = Session::open(url);
    session.run("DROP SCHEMA org_acme CASCADE");
    let schema = "SELECT to_regnamespace('org_acme')::text";
    assert_eq!(project.db.value(schema), "org_acme");
    assert_eq!(neon.database("pr-1").value(schema), "-");
    if neon.pools() {
        let mut pooled = Session::open(&neon.url("pr-1", true));
        assert_eq!(pooled.value("SELECT coalesce(to_regnamespace('org_acme')::text, 'gone')"), "gone");
    }
    let id = neon.id_of("pr-1");
    let (status, _) = call(&neon, "DELETE", &format!("/branches/{id}"), None);
    assert_eq!(status, 200);
    let (status, _) = call(&neon, "DELETE", &format!("/branches/{id}"), None);
    assert_eq!(status, 204);
    assert_eq!((neon.branches(), neon.ever_made()), (vec![], 1));
}

#[test]
fn faults_come_as_often_as_they_were_planted() {
    let project = Project::empty();
    let neon = Neon::start(&project.db);
    neon.plant(Verb::List, 2, Fault::Busy).plant(Verb::List, 1, Fault::Dropped);
    let statuses: Vec<_> = (0..2).map(|_| call(&neon, "GET", "/branches", None).0).collect();
    assert_eq!(statuses, [423, 423]);
    assert_eq!(call(&neon, "GET", "/branches", None).0, 0);
    let (status, list) = call(&neon, "GET", "/branches", None);
    assert_eq!((status, &list["branches"][0]["name"]), (200, &json!("main")));
    let seen: Vec<_> = neon.seen(Verb::List).iter().map(|seen| seen.status).collect();
    assert_eq!(seen, [423, 423, 0, 200]);
}
