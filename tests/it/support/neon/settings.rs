//! How a test wants the server to be.

use std::time::Duration;

use serde_json::{Map, Value};

/// What differs from test to test.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
#[derive(Debug)]
pub struct Settings {
    pub key: String,
    /// How long an operation stays in each of its states.
    pub step: Duration,
    /// The courses of the next operations, the next one last.
    pub courses: Vec<SchemaReplay>,
    /// No page holds more, whatever was asked for.
    pub page: usize,
    /// Branches that the plan allows, and root branches.
    pub branches: usize,
    pub roots: usize,
    pub computes: usize,
    /// A role's name there, and the server's own.
    pub roles: Vec<(String, String)>,
    pub stores_passwords: bool,
    /// The plan takes `expires_at`.
    pub takes_expiry: bool,
    /// The plan takes `suspend_timeout_seconds`.
    pub takes_suspend_timeout: bool,
    /// A branch that is gone is 204 to whoever deletes it again, or 404 as it used to be.
    pub gone: u16,
    /// The connections that each new endpoint closes before it takes one.
    pub refusals: u32,
    /// `connection_uri` tells of this endpoint instead: the server is wrong, as it once was.
    pub wrong_target: Option<String>,
    /// Behind every endpoint the default branch's database answers.
    pub crossed: bool,
    /// The passwords that the API tells are old ones.
    pub wrong_passwords: bool,
    /// The state of branches made from now on.
    pub branch_state: Option<String>,
    /// Fields of a branch that no release of the API has yet.
    pub extra_fields: Map<String, Value>,
}

/// The states that an operation goes through.
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
    /// Nothing that it says is meant to be unknown to the specification.
    pub fn true_to_spec(&self) -> bool {
        self.extra_fields.is_empty()
    }
}
