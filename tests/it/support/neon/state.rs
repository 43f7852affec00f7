//! The state of the server: branches with their endpoints and real databases, and operations that take time. The progress of an
//! operation is computed from the clock, so there are no background tasks.

use std::collections::BTreeMap;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::{Rfc2822, Rfc3339};
use uuid::Uuid;

use super::fault::{Planted, Seen};
use super::settings::Settings;
use crate::support::Database;

/// The suffix of the endpoints' hosts. It never resolves, so no connection leaves the machine.
pub const DOMAIN: &str = "us-east-2.aws.neon.test";

/// The only project.
pub const PROJECT: &str = "quiet-river-302709";

/// A real database, owned by a branch or by the test.
#[derive(Debug)]
pub enum CopyDatabase {
    Own(Database),
    Lent(ManuallyDrop<Database>),
}

impl Deref for CopyDatabase {
    type Target = Database;

    fn deref(&self) -> &Database {
        match self {
            Self::Own(database) => database,
            Self::Lent(database) => database,
        }
    }
}

/// A database of a branch: its name there, and the real database.
#[derive(Debug)]
pub struct Copy {
    pub name: String,
    pub real: CopyDatabase,
}

/// A branch. A deleted branch is kept without databases.
#[derive(Debug)]
pub struct Branch {
    pub id: String,
    pub name: String,
    pub parent: Option<String>,
    pub parent_lsn: Option<String>,
    pub default: bool,
    pub protected: bool,
    pub init_source: String,
    pub created: OffsetDateTime,
    pub updated: OffsetDateTime,
    pub expires: Option<OffsetDateTime>,
    pub ttl: Option<i64>,
    pub reset: Option<OffsetDateTime>,
    pub deleted: Option<OffsetDateTime>,
    /// A state that is not in any release of the API.
    pub state: Option<String>,
    pub annotation: Map<String, Value>,
    pub copies: Vec<Copy>,
    /// The password of each role.
    pub passwords: BTreeMap<String, String>,
    pub endpoints: Vec<Endpoint>,
}

impl Branch {
    /// Sets the branch's ids in its databases, as Neon's computes do.
    pub fn sign(&self) {
        let Some(endpoint) = self.endpoints.first() else { return };
        for Copy { real, .. } in &self.copies {
            for (name, value) in [
                ("neon.project_id", PROJECT),
                ("neon.branch_id", &self.id),
                ("neon.endpoint_id", &endpoint.id),
            ] {
                real.run(&format!("ALTER DATABASE {} SET {name} = '{value}'", real.name));
            }
        }
    }
}

/// A compute. It listens on two ports of 127.0.0.1 until the server ends.
#[derive(Debug)]
pub struct Endpoint {
    pub id: String,
    pub read_only: bool,
    pub created: OffsetDateTime,
    /// The operation that starts the compute.
    pub start: Option<Uuid>,
    pub direct: u16,
    pub pooled: u16,
    /// The number of connections that it will still close without an error.
    pub refusals: u32,
    pub suspended: bool,
    pub settings: Map<String, Value>,
}

impl Endpoint {
    /// The host of the endpoint, or of its pooler.
    pub fn host(&self, pooled: bool) -> String {
        format!("{}{}.{DOMAIN}", self.id, if pooled { "-pooler" } else { "" })
    }
}

/// An operation.
#[derive(Debug)]
pub struct Operation {
    pub id: Uuid,
    pub action: &'static str,
    pub branch: String,
    pub endpoint: Option<String>,
    pub created: OffsetDateTime,
    pub began: Instant,
    pub step: Duration,
    /// The states in order; the last one is final.
    pub course: Vec<String>,
    pub error: Option<String>,
}

impl Operation {
    fn at(&self) -> usize {
        let steps = self.began.elapsed().as_millis() / self.step.as_millis().max(1);
        usize::try_from(steps).unwrap().min(self.course.len() - 1)
    }

    /// The current state.
    pub fn status(&self) -> &str {
        &self.course[self.at()]
    }

    /// Whether the state is final.
    pub fn over(&self) -> bool {
        self.at() == self.course.len() - 1
    }

    /// Whether the operation succeeded.
    pub fn done(&self) -> bool {
        matches!(self.status(), "finished" | "skipped")
    }

    fn json(&self) -> Value {
        let failures = self.course[..=self.at()].iter().filter(|status| *status == "failed").count();
        let mut json = json!({
            "id": self.id.to_string(), "project_id": PROJECT, "branch_id": self.branch, "action": self.action,
            "status": self.status(), "failures_count": failures, "created_at": text(self.created),
            "updated_at": text(self.created), "total_duration_ms": 100,
        });
        if let Some(endpoint) = &self.endpoint {
            json["endpoint_id"] = json!(endpoint);
        }
        if let Some(error) = &self.error
            && matches!(self.status(), "failed" | "error" | "cancelled")
        {
            json["error"] = json!(error);
        }
        json
    }
}

/// The state of the whole server.
#[derive(Debug, Default)]
pub struct State {
    pub settings: Settings,
    pub branches: Vec<Branch>,
    pub operations: Vec<Operation>,
    pub faults: Vec<Planted>,
    pub seen: Vec<Seen>,
    /// Violations of the specification, and failures of the server itself.
    pub violations: Vec<String>,
    /// The offset of its clock from the real one.
    pub ahead: time::Duration,
}

impl State {
    /// The current time, in whole seconds as in the API.
    pub fn now(&self) -> OffsetDateTime {
        (OffsetDateTime::now_utc() + self.ahead).replace_nanosecond(0).unwrap()
    }

    /// The existing branches.
    pub fn living(&self) -> impl Iterator<Item = &Branch> {
        self.branches.iter().filter(|branch| branch.deleted.is_none())
    }

    pub fn branch(&self, id: &str) -> Option<&Branch> {
        self.living().find(|branch| branch.id == id)
    }

    pub fn branch_mut(&mut self, id: &str) -> Option<&mut Branch> {
        self.branches.iter_mut().find(|branch| branch.deleted.is_none() && branch.id == id)
    }

    pub fn named(&self, name: &str) -> Option<&Branch> {
        self.living().find(|branch| branch.name == name)
    }

    /// The endpoint and its branch.
    pub fn endpoint(&self, id: &str) -> Option<(&Branch, &Endpoint)> {
        self.living().find_map(|branch| Some((branch, branch.endpoints.iter().find(|at| at.id == id)?)))
    }

    pub fn operation(&self, id: &Uuid) -> Option<&Operation> {
        self.operations.iter().find(|operation| operation.id == *id)
    }

    /// Whether an operation is running on a branch.
    pub fn is_busy(&self, branch: &str) -> bool {
        self.operations.iter().any(|operation| operation.branch == branch && !operation.over())
    }

    /// Starts operations, each after the one before. Configured states apply to the start of a compute.
    pub fn begin(&mut self, branch: &str, endpoint: Option<&str>, actions: &[&'static str]) -> Vec<Uuid> {
        let created = self.now();
        let starts = actions.contains(&"start_compute");
        let mut planted = if starts { self.settings.courses.pop() } else { None };
        let mut ids = Vec::new();
        for (index, action) in actions.iter().enumerate() {
            // Each starts after the one before.
            let mut course = vec!["scheduling".to_owned(); index];
            let planted = planted.take_if(|_| index == actions.len() - 1);
            match &planted {
                Some(planted) => course.extend(planted.states.iter().cloned()),
                None => course.extend(["running", "finished"].map(str::to_owned)),
            }
            ids.push(Uuid::new_v4());
            self.operations.push(Operation {
                id: ids[index],
                action,
                branch: branch.to_owned(),
                endpoint: endpoint.filter(|_| action.ends_with("_compute")).map(str::to_owned),
                created,
                began: Instant::now(),
                step: self.settings.step,
                course,
                error: planted.and_then(|planted| planted.error),
            });
        }
        ids
    }

    pub fn operations_json(&self, ids: &[Uuid]) -> Value {
        ids.iter().filter_map(|id| self.operation(id)).map(Operation::json).collect()
    }

    pub fn branch_json(&self, branch: &Branch) -> Value {
        let made = self
            .operations
            .iter()
            .filter(|operation| operation.branch == branch.id && operation.action == "create_branch")
            .all(Operation::done);
        let mut json = json!({
            "id": branch.id, "project_id": PROJECT, "name": branch.name,
            "current_state": if made { "ready" } else { "init" }, "state_changed_at": text(branch.created),
            "creation_source": "console", "init_source": branch.init_source, "primary": branch.default,
            "default": branch.default, "protected": branch.protected, "cpu_used_sec": 0,
            "active_time_seconds": 0, "compute_time_seconds": 0, "written_data_bytes": 0,
            "data_transfer_bytes": 0, "created_at": text(branch.created), "updated_at": text(branch.updated),
        });
        if !made {
            json["pending_state"] = json!("ready");
        }
        if let Some(state) = &branch.state {
            json["current_state"] = json!(state);
        }
        for (field, value) in [
            ("parent_id", branch.parent.clone()),
            ("parent_lsn", branch.parent_lsn.clone()),
            ("expires_at", branch.expires.map(text)),
            ("last_reset_at", branch.reset.map(text)),
        ] {
            if let Some(value) = value {
                json[field] = json!(value);
            }
        }
        if let Some(ttl) = branch.ttl {
            json["ttl_interval_seconds"] = json!(ttl);
        }
        if let Some(deleted) = branch.deleted {
            json["recovery"] = json!({
                "deleted_at": text(deleted), "recoverable_until": text(deleted + Duration::from_hours(168)),
                "deletion_method": if branch.expires.is_some_and(|expires| expires <= deleted) { "ttl" } else { "user" },
            });
        }
        for (field, value) in &self.settings.extra_fields {
            json[field] = value.clone();
        }
        json
    }

    pub fn annotation_json(branch: &Branch) -> Value {
        json!({
            "object": { "type": "console/branch", "id": branch.id }, "value": branch.annotation,
            "created_at": text(branch.created), "updated_at": text(branch.created),
        })
    }

    pub fn endpoint_json(&self, branch: &Branch, endpoint: &Endpoint) -> Value {
        let start = endpoint.start.and_then(|id| self.operation(&id));
        let active = start.is_none_or(Operation::done);
        let mut json = json!({
            "host": endpoint.host(false), "id": endpoint.id, "project_id": PROJECT, "branch_id": branch.id,
            "autoscaling_limit_min_cu": 0.25, "autoscaling_limit_max_cu": 0.25,
            "region_id": "aws-us-east-2", "type": if endpoint.read_only { "read_only" } else { "read_write" },
            "current_state": if endpoint.suspended { "idle" } else if active { "active" } else { "init" },
            "settings": {}, "pooler_enabled": false, "pooler_mode": "transaction", "disabled": false,
            "passwordless_access": true, "creation_source": "console", "created_at": text(endpoint.created),
            "updated_at": text(endpoint.created), "proxy_host": DOMAIN, "suspend_timeout_seconds": 0,
            "provisioner": "k8s-neonvm",
        });
        if !active {
            json["pending_state"] = json!("active");
        }
        for (field, value) in &endpoint.settings {
            json[field] = value.clone();
        }
        json
    }

    /// Deletes expired branches, as Neon does in the background.
    pub fn reap(&mut self) {
        let now = self.now();
        for branch in &mut self.branches {
            if branch.deleted.is_none() && branch.expires.is_some_and(|expires| expires <= now) {
                branch.deleted = Some(now);
                branch.copies.clear();
            }
        }
    }
}

/// A time in HTTP's format.
pub fn http_date(time: OffsetDateTime) -> String {
    time.format(&Rfc2822).unwrap().replace("+0000", "GMT")
}

/// A time in the API's format.
pub fn text(time: OffsetDateTime) -> String {
    time.format(&Rfc3339).unwrap()
}
