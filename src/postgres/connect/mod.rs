//! The way to a server: URL and TLS, repeated attempts, and whether a pooler stands in between.

mod neon;
pub(in crate::postgres) mod pooler;
pub(in crate::postgres) mod retry;
mod url;

pub use pooler::PoolerEvidence;
pub use retry::ConnectPolicy;
pub use url::{DatabaseUrl, set_parameters};
