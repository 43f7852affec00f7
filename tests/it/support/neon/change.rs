//! The requests that write: create, update, reset and delete branches, start and stop computes.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::api::{self, Reply};
use super::state::{Branch, Copy, CopyDatabase, Endpoint, State};
use super::{Shared, relay};
use crate::support::Database;

/// The maximum time until a branch expires.
const LONGEST: Duration = Duration::from_hours(30 * 24);

pub fn create(shared: &Shared, state: &mut State, body: &Value) -> Reply {
    let wanted = &body["branch"];
    let given = |field: &str| wanted[field].as_str();
    let name = given("name").map_or_else(|| word("br"), str::to_owned);
    if state.named(&name).is_some() {
        return Reply::refused(409, "", format!("branch already exists; branch_name:\"{name}\""));
    }
    let schema_only = given("init_source") == Some("schema-only");
    let parent = match given("parent_id") {
        Some(id) => state.branch(id),
        None => state.living().find(|branch| branch.default),
    };
    let Some(parent) = parent else { return Reply::refused(404, "", "branch not found") };
    if parent.expires.is_some() {
        return Reply::refused(422, "", "a branch that expires cannot have children");
    }
    if state.is_busy(&parent.id) {
        return busy();
    }
    if let Some(refused) = over_limit(state, schema_only, body) {
        return refused;
    }
    let expires = match expiry(state, given("expires_at")) {
        Ok(expires) => expires,
        Err(refused) => return refused,
    };
    let mut endpoints = Vec::new();
    for asked in body["endpoints"].as_array().into_iter().flatten() {
        if asked.get("suspend_timeout_seconds").is_some() && !state.settings.takes_suspend_timeout {
            return Reply::refused(412, "", "suspend interval changing is not allowed");
        }
        endpoints.push(endpoint(shared, state, asked));
    }
    let parent = state.branch(&parent.id).unwrap();
    let now = state.now();
    let branch = Branch {
        id: word("br"),
        name,
        parent: (!schema_only).then(|| parent.id.clone()),
        parent_lsn: Some(parent.copies[0].real.value("SELECT pg_current_wal_lsn()::text")),
        default: false,
        protected: wanted["protected"] == true,
        init_source: if schema_only { "schema-only" } else { "parent-data" }.to_owned(),
        created: now,
        updated: now,
        expires,
        ttl: expires.map(|expires| (expires - now).whole_seconds()),
        reset: None,
        deleted: None,
        state: state.settings.branch_state.clone(),
        annotation: body["annotation_value"].as_object().cloned().unwrap_or_default(),
        copies: copies(parent, schema_only),
        // The passwords of a protected branch are not copied.
        passwords: if parent.protected { passwords(state) } else { parent.passwords.clone() },
        endpoints,
    };
    branch.sign();
    let (id, first) = (branch.id.clone(), branch.endpoints.first().map(|endpoint| endpoint.id.clone()));
    state.branches.push(branch);
    let actions: &[&str] =
        if first.is_some() { &["create_branch", "start_compute"] } else { &["create_branch"] };
    let operations = state.begin(&id, first.as_deref(), actions);
    for endpoint in &mut state.branch_mut(&id).unwrap().endpoints {
        endpoint.start = operations.last().copied();
    }
    let branch = state.branch(&id).unwrap();
    let mut answer = json!({
        "branch": state.branch_json(branch),
        "endpoints": api::endpoints_json(state, branch),
        "operations": state.operations_json(&operations),
        "roles": api::roles_json(state, branch),
        "databases": api::databases_json(state, branch),
    });
    // With several roles or databases the default is ambiguous.
    if let ([copy], [(role, _)], Some(endpoint)) =
        (branch.copies.as_slice(), state.settings.roles.as_slice(), branch.endpoints.first())
    {
        let password = &branch.passwords[role];
        answer["connection_uris"] = json!([{
            "connection_uri": api::uri(endpoint, role, password, &copy.name, false),
            "connection_parameters": {
                "database": copy.name, "password": password, "role": role,
                "host": endpoint.host(false), "pooler_host": endpoint.host(true),
            },
        }]);
    }
    Reply { status: 201, ..Reply::ok(answer) }
}

pub fn update(state: &mut State, id: &str, body: &Value) -> Reply {
    if state.is_busy(id) {
        return busy();
    }
    let wanted = &body["branch"];
    let expires = match expiry(state, wanted["expires_at"].as_str()) {
        Ok(expires) => expires,
        Err(refused) => return refused,
    };
    if let Some(name) = wanted["name"].as_str()
        && state.named(name).is_some_and(|other| other.id != id)
    {
        return Reply::refused(409, "", format!("branch already exists; branch_name:\"{name}\""));
    }
    let now = state.now();
    let branch = state.branch_mut(id).unwrap();
    if let Some(name) = wanted["name"].as_str() {
        name.clone_into(&mut branch.name);
    }
    if let Some(protected) = wanted["protected"].as_bool() {
        branch.protected = protected;
    }
    if wanted.get("expires_at").is_some() {
        branch.expires = expires;
        branch.ttl = expires.map(|expires| (expires - now).whole_seconds());
    }
    branch.updated = now;
    let branch = state.branch(id).unwrap();
    Reply::ok(json!({ "branch": state.branch_json(branch), "operations": [] }))
}

/// Resets a branch to the current data of its source.
pub fn restore(state: &mut State, id: &str, body: &Value) -> Reply {
    if state.is_busy(id) {
        return busy();
    }
    let source = body["source_branch_id"].as_str().unwrap_or_default();
    if state.branch(source).is_none() {
        return Reply::refused(404, "", "branch not found");
    }
    let has_children = state.living().any(|branch| branch.parent.as_deref() == Some(id));
    if (has_children || source == id) && body["preserve_under_name"].is_null() {
        return Reply::refused(422, "", "preserve_under_name is required: the branch has children");
    }
    let now = state.now();
    let copies = copies(state.branch(source).unwrap(), false);
    let branch = state.branch_mut(id).unwrap();
    // Drops the old databases, and ends the sessions on them.
    branch.copies = copies;
    branch.sign();
    branch.reset = Some(now);
    branch.updated = now;
    branch.expires = branch.ttl.map(|seconds| now + time::Duration::seconds(seconds));
    let endpoint = branch.endpoints.first().map(|endpoint| endpoint.id.clone());
    let operations = state.begin(id, endpoint.as_deref(), &["create_timeline", "start_compute"]);
    let branch = state.branch_mut(id).unwrap();
    for endpoint in &mut branch.endpoints {
        endpoint.start = operations.last().copied();
    }
    let branch = state.branch(id).unwrap();
    Reply::ok(json!({
        "branch": state.branch_json(branch), "operations": state.operations_json(&operations),
    }))
}

pub fn delete(state: &mut State, id: &str) -> Reply {
    let Some(branch) = state.branch(id) else {
        if state.settings.gone == 404 || state.branches.iter().all(|branch| branch.id != id) {
            return Reply::refused(404, "", "branch not found");
        }
        return Reply { status: 204, body: None, retry_after: None, odd: false };
    };
    let why = if branch.default {
        Some("cannot delete the default branch")
    } else if branch.protected {
        Some("cannot delete a protected branch")
    } else if state.living().any(|other| other.parent.as_deref() == Some(id)) {
        Some("cannot delete a branch that has children")
    } else {
        None
    };
    if let Some(why) = why {
        return Reply::refused(422, "", why);
    }
    if state.is_busy(id) {
        return busy();
    }
    let endpoint = branch.endpoints.first().map(|endpoint| endpoint.id.clone());
    let json = state.branch_json(branch);
    let now = state.now();
    let actions: &[&str] =
        if endpoint.is_some() { &["suspend_compute", "delete_timeline"] } else { &["delete_timeline"] };
    let operations = state.begin(id, endpoint.as_deref(), actions);
    let branch = state.branch_mut(id).unwrap();
    branch.deleted = Some(now);
    branch.copies.clear();
    Reply::ok(json!({ "branch": json, "operations": state.operations_json(&operations) }))
}

/// Starts or suspends a compute. A suspension ends every session.
pub fn power(state: &mut State, id: &str, on: bool) -> Reply {
    let branch = state.endpoint(id).unwrap().0.id.clone();
    if state.is_busy(&branch) {
        return busy();
    }
    let action = if on { "start_compute" } else { "suspend_compute" };
    let operations = state.begin(&branch, Some(id), &[action]);
    let found = state.branch_mut(&branch).unwrap();
    for endpoint in found.endpoints.iter_mut().filter(|endpoint| endpoint.id == id) {
        endpoint.suspended = !on;
        endpoint.start = on.then(|| operations[0]).or(endpoint.start);
    }
    if !on {
        found.copies.iter().for_each(|copy| end_sessions(&copy.real));
    }
    let (branch, endpoint) = state.endpoint(id).unwrap();
    Reply::ok(json!({
        "endpoint": state.endpoint_json(branch, endpoint), "operations": state.operations_json(&operations),
    }))
}

/// Ends the sessions of a database with 57P01.
pub fn end_sessions(real: &Database) {
    let _ended = real.rows(
        "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
}

pub fn busy() -> Reply {
    Reply::refused(423, "", "project already has running operations, scheduling of new ones is prohibited")
}

fn over_limit(state: &State, root: bool, body: &Value) -> Option<Reply> {
    let settings = &state.settings;
    let computes: usize =
        state.living().filter(|branch| !branch.default).map(|branch| branch.endpoints.len()).sum();
    let wants = body["endpoints"].as_array().map_or(0, Vec::len);
    let (code, what) = if state.living().count() >= settings.branches {
        ("BRANCHES_LIMIT_EXCEEDED", "branches")
    } else if root && state.living().filter(|branch| branch.parent.is_none()).count() >= settings.roots {
        ("ROOT_BRANCHES_LIMIT_EXCEEDED", "root branches")
    } else if computes + wants > settings.computes {
        ("ACTIVE_ENDPOINTS_LIMIT_EXCEEDED", "active endpoints")
    } else {
        return None;
    };
    Some(Reply::refused(422, code, format!("{what} limit exceeded")))
}

fn expiry(state: &State, text: Option<&str>) -> Result<Option<OffsetDateTime>, Reply> {
    let Some(text) = text else { return Ok(None) };
    if !state.settings.takes_expiry {
        return Err(Reply::refused(403, "", "branch expiration is not available for this project"));
    }
    let Ok(expires) = OffsetDateTime::parse(text, &Rfc3339) else {
        return Err(Reply::refused(400, "", "expires_at is no RFC 3339 time"));
    };
    let now = state.now();
    if expires <= now || expires > now + LONGEST {
        return Err(Reply::refused(400, "", "expires_at must be in the future, and at most 30 days away"));
    }
    Ok(Some(expires))
}

/// Copies all databases of a branch.
fn copies(source: &Branch, schema_only: bool) -> Vec<Copy> {
    let copy = |copy: &Copy| Copy {
        name: copy.name.clone(),
        real: CopyDatabase::Own(Database::branch_of(&copy.real, schema_only)),
    };
    source.copies.iter().map(copy).collect()
}

/// A new endpoint that already listens.
pub fn endpoint(shared: &Shared, state: &State, asked: &Value) -> Endpoint {
    let id = word("ep");
    let mut settings: Map<String, Value> = asked.as_object().cloned().unwrap_or_default();
    let _kind = settings.remove("type");
    Endpoint {
        direct: relay::listen(shared, &id, false),
        pooled: relay::listen(shared, &id, true),
        id,
        read_only: asked["type"] == "read_only",
        created: state.now(),
        start: None,
        refusals: state.settings.refusals,
        suspended: false,
        settings,
    }
}

/// A password for each role.
pub fn passwords(state: &State) -> BTreeMap<String, String> {
    let password = || format!("npg_{}", &Uuid::new_v4().simple().to_string()[..16]);
    state.settings.roles.iter().map(|(role, _)| (role.clone(), password())).collect()
}

/// An id in Neon's format: `br-quiet-meadow-0a1b2c3d`.
pub fn word(prefix: &str) -> String {
    const FIRST: [&str; 8] = ["aged", "broad", "calm", "dark", "falling", "quiet", "silent", "wispy"];
    const SECOND: [&str; 8] = ["boat", "cloud", "leaf", "meadow", "pine", "salad", "smoke", "wind"];
    let random = Uuid::new_v4();
    let [first, second, ..] = random.as_bytes();
    let tail = &random.simple().to_string()[24..];
    format!("{prefix}-{}-{}-{tail}", FIRST[usize::from(first % 8)], SECOND[usize::from(second % 8)])
}
