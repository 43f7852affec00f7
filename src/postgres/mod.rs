//! Everything that talks to PostgreSQL: connections, the SQL of a unit, Tenure's own tables, catalogs, and the
//! meaning of server errors. No session state outlives a transaction (`SET LOCAL` only), so a transaction
//! pooler is safe. Only this folder uses sqlx and refinery; decisions about migrations do not belong here.

mod activity;
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
mod notice;
mod privilege;
pub mod queries;
mod restricted_role;
pub mod server;
mod server_text;
mod tools;

pub use activity::activity;
pub use backoff::Backoff;
pub use cancel::{CancelledSession, SessionOutcome, cancel};
pub use connect::{ConnectPolicy, DatabaseUrl, PoolerEvidence, libpq_target, set_parameters};
pub use connection::{Connection, Connector, Row};
pub use error::ServerError;
pub use notice::{NOTICES, Notice, receive_notice};
pub use restricted_role::{Prepared, RestrictedRole, Superuser, SuperuserRuns};
pub use server_text::shown_notice;
pub use tools::{Archive, ForeignKey, Keys, Section, dump, dump_archive};
