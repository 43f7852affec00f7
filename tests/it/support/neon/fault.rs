//! Simulated faults, and the record of requests.

use std::time::Duration;

use serde_json::Value;

/// The operations of the API.
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
    /// An unknown operation.
    Unknown,
}

/// A simulated fault.
#[derive(Debug, Clone)]
pub enum Fault {
    /// 423: the project has running operations.
    Busy,
    /// 429, with this `Retry-After`.
    TooMany(Option<String>),
    /// 503, which can be retried safely.
    Unavailable,
    /// 500 before the operation.
    Broken,
    /// 500 after the operation.
    BrokenAfter,
    /// The connection is closed without a response, before the operation.
    Dropped,
    /// The connection is closed without a response, after the operation.
    DroppedAfter,
    /// The response is delayed.
    Slow(Duration),
    /// Another error: status, code, message.
    Refused(u16, &'static str, &'static str),
    /// A redirect.
    Moved(String),
    /// A response that is not JSON, such as that of a proxy.
    Html(u16),
}

/// A fault for the next requests of an operation.
#[derive(Debug)]
pub struct Planted {
    pub verb: Verb,
    pub times: usize,
    pub fault: Fault,
}

/// A recorded request.
#[derive(Debug, Clone)]
pub struct Seen {
    pub verb: Verb,
    pub method: String,
    /// The path below the API's base, without the query.
    pub path: String,
    pub query: Vec<(String, String)>,
    pub authorization: Option<String>,
    pub user_agent: Option<String>,
    pub body: Option<Value>,
    /// The status of the response; 0 without a response.
    pub status: u16,
}
