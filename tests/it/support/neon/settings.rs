//! The settings of the fake server.

use std::time::Duration;

use serde_json::{Map, Value};

/// The values that differ between tests.
#[expect(clippy::struct_excessive_bools, reason = "independent flags")]
#[derive(Debug)]
pub struct Settings {
    pub key: String,
    /// The duration of each state of an operation.
    pub step: Duration,
    /// The states of the next operations, in reverse order.
    pub courses: Vec<SchemaReplay>,
    /// The maximum size of a page, even if more is requested.
    pub page: usize,
    /// The plan's limits of branches and of root branches.
    pub branches: usize,
    pub roots: usize,
    pub computes: usize,
    /// The name of a role, and the real server's role.
    pub roles: Vec<(String, String)>,
    pub stores_passwords: bool,
    /// Whether the plan supports `expires_at`.
    pub takes_expiry: bool,
    /// Whether the plan supports `suspend_timeout_seconds`.
    pub takes_suspend_timeout: bool,
    /// The status for the deletion of a deleted branch: 204, or 404 as in older releases.
    pub gone: u16,
    /// The number of connections that each new endpoint closes first.
    pub refusals: u32,
    /// The endpoint that `connection_uri` returns instead of the right one, as in a past fault of Neon.
    pub wrong_target: Option<String>,
    /// Every endpoint connects to the default branch's database.
    pub crossed: bool,
    /// The API returns outdated passwords.
    pub wrong_passwords: bool,
    /// The state of new branches.
    pub branch_state: Option<String>,
    /// Fields of a branch that are not in any release of the API.
    pub extra_fields: Map<String, Value>,
}

/// The states of an operation.
#[derive(Debug)]
pub struct SchemaReplay {
    pub states: Vec<String>,
    pub error: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            key: "napi_a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6".to_owned(),
            step: Duration::from_millis(60),
            courses: Vec::new(),
            page: 100,
            branches: 5000,
            roots: 3,
            computes: 20,
            roles: vec![("neondb_owner".to_owned(), "tenure".to_owned())],
            stores_passwords: true,
            takes_expiry: true,
            takes_suspend_timeout: false,
            gone: 204,
            refusals: 0,
            wrong_target: None,
            crossed: false,
            wrong_passwords: false,
            branch_state: None,
            extra_fields: Map::new(),
        }
    }
}

impl Settings {
    /// Whether all responses should conform to the specification.
    pub fn true_to_spec(&self) -> bool {
        self.extra_fields.is_empty()
    }
}
