//! Connects to a server: URL and TLS parameters, retries, and the detection of a pooler. `connection` sends
//! statements; nothing here does, except for the probes of a new session.

mod neon;
pub(in crate::postgres) mod pooler;
pub(in crate::postgres) mod retry;
mod url;

pub use pooler::PoolerEvidence;
pub use retry::ConnectPolicy;
pub use url::{DatabaseUrl, libpq_target, set_parameters};
