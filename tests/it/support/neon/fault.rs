//! What a test plants, and what the server has seen.

use std::time::Duration;

use serde_json::Value;

/// The requests that the API knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Project,
    Create,
    List,
    Get,
    Update,
    Delete,
    Restore,
    Endpoints,
    Endpoint,
    Start,
    Suspend,
    Databases,
    Roles,
    Password,
    Uri,
    Operation,
    Operations,
    /// None of them.
    Unknown,
}

/// What goes wrong.
#[derive(Debug, Clone)]
pub enum Fault {
    /// 423: the project has running operations.
    Busy,
    /// 429, with what `Retry-After` says.
    TooMany(Option<String>),
    /// 503, which is safe to try again.
    Unavailable,
    /// 500 before anything was done.
    Broken,
    /// 500 after it was done.
    BrokenAfter,
    /// The connection ends without an answer, before anything was done.
    Dropped,
    /// The connection ends without an answer, after it was done.
    DroppedAfter,
    /// The answer comes late.
    Slow(Duration),
    /// Another refusal: status, code, message.
    Refused(u16, &'static str, &'static str),
    /// Sends elsewhere.
    Moved(String),
    /// An answer that is no JSON, such as that of a proxy on the way.
    Html(u16),
}

/// A fault for the next requests of a kind.
#[derive(Debug)]
pub struct Planted {
    pub verb: Verb,
    pub times: usize,
    pub fault: Fault,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    pub verb: Verb,
    pub method: String,
    /// Below the API's base, without the query.
    pub path: String,
    pub query: Vec<(String, String)>,
    pub authorization: Option<String>,
    pub user_agent: Option<String>,
    pub body: Option<Value>,
    /// What was answered; 0 where nothing was.
    pub status: u16,
}
