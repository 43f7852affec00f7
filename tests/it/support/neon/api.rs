//! Routes the requests, and answers those that only read.

use serde_json::{Value, json};

use super::fault::{Seen, Verb};
use super::state::{Branch, Endpoint, PROJECT, State, text};
use super::{Shared, change};

/// A response.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub body: Option<Value>,
    pub retry_after: Option<String>,
    /// It violates the specification on purpose.
    pub odd: bool,
}

impl Reply {
    pub fn ok(body: Value) -> Self {
        Self { status: 200, body: Some(body), retry_after: None, odd: false }
    }

    pub fn refused(status: u16, code: &str, message: impl Into<String>) -> Self {
        let id = uuid::Uuid::new_v4();
        let body = json!({ "request_id": id.to_string(), "code": code, "message": message.into() });
        Self { status, body: Some(body), retry_after: None, odd: false }
    }
}

/// The valid format of an id.
pub fn is_id(text: &str) -> bool {
    (1..=60).contains(&text.len()) && text.chars().all(|letter| matches!(letter, 'a'..='z' | '0'..='9' | '-'))
}

/// The operation of a path, and the ids in it.
pub fn route(method: &str, path: &str) -> (Verb, Vec<String>) {
    let parts: Vec<_> = path.trim_matches('/').split('/').collect();
    let (verb, ids): (Verb, &[&str]) = match (method, parts.as_slice()) {
        ("GET", ["projects", _]) => (Verb::Project, &[]),
        ("POST", ["projects", _, "branches"]) => (Verb::Create, &[]),
        ("GET", ["projects", _, "branches"]) => (Verb::List, &[]),
        ("GET", ["projects", _, "branches", _]) => (Verb::Get, &parts[3..]),
        ("PATCH", ["projects", _, "branches", _]) => (Verb::Update, &parts[3..]),
        ("DELETE", ["projects", _, "branches", _]) => (Verb::Delete, &parts[3..]),
        ("POST", ["projects", _, "branches", _, "restore"]) => (Verb::Restore, &parts[3..4]),
        ("GET", ["projects", _, "branches", _, "endpoints"]) => (Verb::Endpoints, &parts[3..4]),
        ("GET", ["projects", _, "branches", _, "databases"]) => (Verb::Databases, &parts[3..4]),
        ("GET", ["projects", _, "branches", _, "roles"]) => (Verb::Roles, &parts[3..4]),
        ("GET", ["projects", _, "branches", _, "roles", _, "reveal_password"]) => {
            (Verb::Password, &parts[3..6])
        }
        ("GET", ["projects", _, "endpoints", _]) => (Verb::Endpoint, &parts[3..]),
        ("POST", ["projects", _, "endpoints", _, "start"]) => (Verb::Start, &parts[3..4]),
        ("POST", ["projects", _, "endpoints", _, "suspend"]) => (Verb::Suspend, &parts[3..4]),
        ("GET", ["projects", _, "connection_uri"]) => (Verb::Uri, &[]),
        ("GET", ["projects", _, "operations"]) => (Verb::Operations, &[]),
        ("GET", ["projects", _, "operations", _]) => (Verb::Operation, &parts[3..]),
        _ => (Verb::Unknown, &[]),
    };
    (verb, ids.iter().map(|id| (*id).to_owned()).collect())
}

/// Executes a request.
pub fn answer(shared: &Shared, state: &mut State, asked: &Seen, ids: &[String]) -> Reply {
    state.reap();
    let key = format!("Bearer {}", state.settings.key);
    if asked.authorization.as_deref() != Some(key.as_str()) {
        return Reply::refused(401, "", "supplied credentials do not pass authentication");
    }
    let project = asked.path.trim_matches('/').split('/').nth(1).unwrap_or_default();
    if asked.verb == Verb::Unknown || !is_id(project) {
        return Reply::refused(404, "", "this route does not exist");
    }
    if project != PROJECT {
        return Reply::refused(404, "", "project not found");
    }
    let id = ids.first().map_or("", String::as_str);
    let on_endpoint = matches!(asked.verb, Verb::Endpoint | Verb::Start | Verb::Suspend);
    let free = matches!(asked.verb, Verb::Delete | Verb::Operation);
    if on_endpoint && state.endpoint(id).is_none() {
        return Reply::refused(404, "", "endpoint not found");
    }
    if !ids.is_empty() && !on_endpoint && !free && state.branch(id).is_none() {
        return Reply::refused(404, "", "branch not found");
    }
    match asked.verb {
        Verb::Project => Reply::ok(json!({ "project": project_json(state) })),
        Verb::Create => change::create(shared, state, asked.body.as_ref().unwrap_or(&Value::Null)),
        Verb::Update => change::update(state, id, asked.body.as_ref().unwrap_or(&Value::Null)),
        Verb::Delete => change::delete(state, id),
        Verb::Restore => change::restore(state, id, asked.body.as_ref().unwrap_or(&Value::Null)),
        Verb::Start | Verb::Suspend => change::power(state, id, asked.verb == Verb::Start),
        Verb::List => list(state, asked),
        Verb::Uri => connection_uri(state, asked),
        Verb::Get => {
            let branch = state.branch(id).unwrap();
            Reply::ok(json!({
                "branch": state.branch_json(branch), "annotation": State::annotation_json(branch),
            }))
        }
        Verb::Endpoints => {
            let branch = state.branch(id).unwrap();
            Reply::ok(json!({ "endpoints": endpoints_json(state, branch) }))
        }
        Verb::Endpoint => {
            let (branch, endpoint) = state.endpoint(id).unwrap();
            Reply::ok(json!({ "endpoint": state.endpoint_json(branch, endpoint) }))
        }
        Verb::Databases => {
            Reply::ok(json!({ "databases": databases_json(state, state.branch(id).unwrap()) }))
        }
        Verb::Roles => Reply::ok(json!({ "roles": roles_json(state, state.branch(id).unwrap()) })),
        Verb::Password => match state.branch(id).unwrap().passwords.get(&ids[2]) {
            None => Reply::refused(404, "", "role not found"),
            Some(_) if !state.settings.stores_passwords => {
                Reply::refused(412, "", "passwords are not stored in this project")
            }
            Some(password) => Reply::ok(json!({ "password": password })),
        },
        Verb::Operation => {
            let found = id.parse().ok().and_then(|id| state.operation(&id));
            match found {
                None => Reply::refused(404, "", "operation not found"),
                Some(operation) => Reply::ok(json!({
                    "operation": state.operations_json(&[operation.id])[0],
                })),
            }
        }
        Verb::Operations => {
            let ids: Vec<_> = state.operations.iter().rev().map(|operation| operation.id).collect();
            Reply::ok(json!({ "operations": state.operations_json(&ids) }))
        }
        Verb::Unknown => unreachable!("answered above"),
    }
}

/// One page of branches, sorted. The cursor names the last branch, so a concurrent deletion does not shift the pages; it contains
/// characters that the client must percent-encode.
fn list(state: &State, asked: &Seen) -> Reply {
    let given = |name: &str| asked.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let sort = given("sort_by").unwrap_or("updated_at");
    let key = |branch: &Branch| match sort {
        "name" => (branch.name.clone(), branch.id.clone()),
        "created_at" => (text(branch.created), branch.id.clone()),
        _ => (text(branch.updated), branch.id.clone()),
    };
    let deleted = given("include_deleted") == Some("true");
    let mut found: Vec<&Branch> = state
        .branches
        .iter()
        .filter(|branch| deleted || branch.deleted.is_none())
        .filter(|branch| {
            given("search").is_none_or(|part| branch.name.contains(part) || branch.id.contains(part))
        })
        .collect();
    found.sort_by_key(|branch| key(branch));
    if given("sort_order") != Some("asc") {
        found.reverse();
    }
    if let Some(cursor) = given("cursor") {
        let Some((value, id)) = cursor.split_once("/+") else {
            return Reply::refused(400, "", "invalid cursor");
        };
        let last = (value.to_owned(), id.to_owned());
        let descends = given("sort_order") != Some("asc");
        found.retain(|branch| if descends { key(branch) < last } else { key(branch) > last });
    }
    let limit = given("limit").and_then(|limit| limit.parse().ok()).unwrap_or(usize::MAX);
    let more = found.len() > limit.min(state.settings.page);
    found.truncate(limit.min(state.settings.page));
    let mut pagination = json!({ "sort_by": sort, "sort_order": given("sort_order").unwrap_or("desc") });
    if let Some(last) = found.last().filter(|_| more) {
        let (value, id) = key(last);
        pagination["next"] = json!(format!("{value}/+{id}"));
    }
    let annotations: serde_json::Map<_, _> = found
        .iter()
        .filter(|branch| !branch.annotation.is_empty())
        .map(|branch| (branch.id.clone(), State::annotation_json(branch)))
        .collect();
    let branches: Vec<_> = found.iter().map(|branch| state.branch_json(branch)).collect();
    Reply::ok(json!({ "branches": branches, "annotations": annotations, "pagination": pagination }))
}

fn connection_uri(state: &State, asked: &Seen) -> Reply {
    let given = |name: &str| asked.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let branch = match given("branch_id") {
        Some(id) => state.branch(id),
        None => state.living().find(|branch| branch.default),
    };
    let Some(mut branch) = branch else { return Reply::refused(404, "", "branch not found") };
    let mut endpoint = match given("endpoint_id") {
        Some(id) => branch.endpoints.iter().find(|endpoint| endpoint.id == id),
        None => branch.endpoints.iter().find(|endpoint| !endpoint.read_only),
    };
    if let Some(wrong) = &state.settings.wrong_target {
        branch = state.named(wrong).unwrap();
        endpoint = branch.endpoints.first();
    }
    let Some(endpoint) = endpoint else { return Reply::refused(404, "", "endpoint not found") };
    let (role, database) = (given("role_name").unwrap_or(""), given("database_name").unwrap_or(""));
    let Some(password) = branch.passwords.get(role) else {
        return Reply::refused(404, "", "role not found");
    };
    if !branch.copies.iter().any(|copy| copy.name == database) {
        return Reply::refused(404, "", "database not found");
    }
    if !state.settings.stores_passwords {
        return Reply::refused(412, "", "passwords are not stored in this project");
    }
    let uri = uri(endpoint, role, password, database, given("pooled") == Some("true"));
    Reply::ok(json!({ "uri": uri }))
}

/// The URL of a database behind an endpoint. The host is the endpoint's; `hostaddr` and the port are those on this machine.
pub fn uri(endpoint: &Endpoint, role: &str, password: &str, database: &str, pooled: bool) -> String {
    let (host, port) = (endpoint.host(pooled), if pooled { endpoint.pooled } else { endpoint.direct });
    format!("postgresql://{role}:{password}@{host}:{port}/{database}?hostaddr=127.0.0.1&sslmode=disable")
}

pub fn endpoints_json(state: &State, branch: &Branch) -> Value {
    branch.endpoints.iter().map(|endpoint| state.endpoint_json(branch, endpoint)).collect()
}

pub fn databases_json(state: &State, branch: &Branch) -> Value {
    let owner = &state.settings.roles[0].0;
    let row = |(index, copy): (usize, &super::state::Copy)| {
        json!({
            "id": 834_686 + index, "branch_id": branch.id, "name": copy.name, "owner_name": owner,
            "created_at": text(branch.created), "updated_at": text(branch.created),
        })
    };
    branch.copies.iter().enumerate().map(row).collect()
}

pub fn roles_json(state: &State, branch: &Branch) -> Value {
    let row = |(name, _): &(String, String)| {
        json!({
            "branch_id": branch.id, "name": name, "protected": false,
            "created_at": text(branch.created), "updated_at": text(branch.created),
        })
    };
    state.settings.roles.iter().map(row).collect()
}

fn project_json(state: &State) -> Value {
    let now = text(state.now());
    json!({
        "data_storage_bytes_hour": 0, "data_transfer_bytes": 0, "written_data_bytes": 0,
        "compute_time_seconds": 0, "active_time_seconds": 0, "cpu_used_sec": 0, "id": PROJECT,
        "platform_id": "aws", "region_id": "aws-us-east-2", "name": "a product", "provisioner": "k8s-neonvm",
        "pg_version": 17, "proxy_host": super::state::DOMAIN, "branch_logical_size_limit": 0,
        "branch_logical_size_limit_bytes": 0, "store_passwords": state.settings.stores_passwords,
        "creation_source": "console", "history_retention_seconds": 86400, "created_at": now,
        "updated_at": now, "consumption_period_start": now, "consumption_period_end": now,
        "owner_id": "org-quiet-sea-12345678",
    })
}
