//! The test server itself: what it says of branches is so, and what it says is as the specification has it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Fault, LIMIT, Neon, PROJECT, Project, Session, Verb, wait_until};

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
    stream.set_read_timeout(Some(LIMIT)).unwrap();
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

#[test]
fn requests_outside_of_the_specification_are_recorded() {
    let project = Project::empty();
    let neon = Neon::start(&project.db);
    if !Neon::is_checked() {
        return;
    }
    let wrong = [
        ("POST", "/branches", Some(json!({ "branch": { "nmae": "pr-1" } }))),
        ("POST", "/branches", Some(json!({ "branch": { "name": "" }, "endpoints": [{}] }))),
        ("POST", "/branches", Some(json!({ "annotation_value": { "a": 1 } }))),
        ("GET", "/branches?limit=0", None),
        ("GET", "/branches?seek=x", None),
        ("GET", "/connection_uri?database_name=neondb", None),
        ("POST", "/branches/br-x/restore", None),
    ];
    for (method, path, body) in wrong {
        let asked = format!("{method} {path} {body:?}");
        let _answer = call(&neon, method, path, body);
        assert!(!neon.forgive().is_empty(), "{asked}");
    }
    // And what is said to be odd is let through.
    neon.set(|settings| settings.extra_fields = [("mood".to_owned(), json!("calm"))].into_iter().collect());
    assert_eq!(call(&neon, "GET", "/branches", None).1["branches"][0]["mood"], "calm");
}

#[test]
fn branches_come_in_pages_and_by_part_of_their_name() {
    let project = Project::empty();
    let neon = Neon::with(&project.db, |settings| settings.page = 2);
    for name in ["pr-1", "pr-14", "other", "pr-2"] {
        neon.foreign(name);
    }
    let mut names: Vec<String> = Vec::new();
    let mut cursor = String::new();
    loop {
        let (_, page) =
            call(&neon, "GET", &format!("/branches?search=pr-&sort_by=name&sort_order=asc{cursor}"), None);
        names.extend(
            page["branches"]
                .as_array()
                .unwrap()
                .iter()
                .map(|branch| branch["name"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["pagination"]["next"].as_str() else { break };
        let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
        cursor = format!("&cursor={next}");
    }
    assert_eq!(names, ["pr-1", "pr-14", "pr-2"]);
}

#[test]
fn operations_take_their_time_and_lock_the_branch() {
    let project = Project::empty();
    let neon = Neon::start(&project.db);
    neon.course("scheduling failed running finished", Some("no room"));
    let wanted = json!({ "branch": { "name": "pr-1" }, "endpoints": [{ "type": "read_write" }] });
    let (_, made) = call(&neon, "POST", "/branches", Some(wanted));
    let operation = made["operations"][1]["id"].as_str().unwrap().to_owned();
    let branch = format!("/branches/{}", neon.id_of("pr-1"));
    assert_eq!(call(&neon, "DELETE", &branch, None).0, 423);
    assert_eq!(made["operations"][1]["status"], "scheduling");
    let mut last = Value::Null;
    wait_until("the operation", || {
        last = call(&neon, "GET", &format!("/operations/{operation}"), None).1["operation"].clone();
        last["status"] == "finished"
    });
    assert_eq!(last["failures_count"], 1);
    assert_eq!(call(&neon, "DELETE", &branch, None).0, 200);
}

#[test]
fn a_schema_only_branch_has_no_rows_and_no_parent_and_one_that_expires_goes() {
    let project = Project::with_tenants(&["acme"]);
    let neon = Neon::start(&project.db);
    let wanted = json!({
        "branch": { "name": "pr-1", "init_source": "schema-only" }, "endpoints": [{ "type": "read_write" }],
    });
    let (_, made) = call(&neon, "POST", "/branches", Some(wanted));
    assert_eq!(made["branch"]["parent_id"], Value::Null);
    let rows = "SELECT count(*)::text FROM datalinx_platform.schema_version";
    assert_eq!((neon.database("pr-1").value(rows), project.db.value(rows)), ("0".to_owned(), "1".to_owned()));
    let now = neon.branch_json("main")["created_at"].as_str().unwrap().to_owned();
    let past = json!({ "branch": { "name": "pr-2", "expires_at": now } });
    assert_eq!(call(&neon, "POST", "/branches", Some(past)).0, 400);
    let expires = (time::OffsetDateTime::now_utc() + Duration::from_hours(2)).replace_nanosecond(0).unwrap();
    let expires = expires.format(&time::format_description::well_known::Rfc3339).unwrap();
    let wanted = json!({ "branch": { "name": "pr-2", "expires_at": expires } });
    assert_eq!(call(&neon, "POST", "/branches", Some(wanted)).0, 201);
    neon.later(Duration::from_hours(1));
    assert_eq!(neon.branches(), ["pr-1", "pr-2"]);
    neon.later(Duration::from_hours(2));
    assert_eq!(neon.branches(), ["pr-1"]);
}

#[test]
fn an_endpoint_refuses_sleeps_and_knows_its_passwords() {
    let project = Project::empty();
    let neon = Neon::with(&project.db, |settings| settings.refusals = 2);
    let wanted = json!({ "branch": { "name": "pr-1" }, "endpoints": [{ "type": "read_write" }] });
    let _made = call(&neon, "POST", "/branches", Some(wanted));
    let url = neon.url("pr-1", false);
    let mut refused = 0;
    wait_until("the endpoint", || {
        let opened = Session::try_open(&url);
        refused += usize::from(opened.is_err());
        opened.is_ok()
    });
    assert_eq!(refused, 2);
    let mut session = Session::open(&url);
    assert_eq!(session.value("SELECT current_setting('neon.branch_id')"), neon.id_of("pr-1"));
    let wrong = url.replacen("npg_", "npg_x", 1);
    let refusal = Session::try_open(&wrong).unwrap_err();
    assert!(refusal.contains("password authentication failed for user 'neondb_owner'"), "{refusal}");
    let main = Session::open(&neon.url("main", false)).value("SELECT current_setting('neon.branch_id')");
    assert_eq!(main, neon.id_of("main"));
}
