//! The database's edge: connecting, the one message of a unit, Tenure's own tables, what is in the
//! database, and what a server's error means. Nothing here outlives a transaction (`SET LOCAL` only),
//! so a transaction pooler is safe. Only this layer names sqlx and refinery.

mod backoff;
pub mod batch;
mod cancel;
pub mod catalog;
mod connect;
mod connection;
mod deadline;
pub mod error;
pub mod extensions;
pub mod metadata;
pub mod queries;
pub mod server;
mod tools;

pub use backoff::Backoff;
pub use cancel::{Ended, Fate, cancel};
pub use connect::{ConnectPolicy, DatabaseUrl, PoolerEvidence, set_parameters};
pub use connection::{Connection, Connector, Row};
pub use error::ServerError;
pub use tools::{Archive, Section, dump, pack};
