//! The database's edge: connecting, the one message of a unit, Tenure's own tables, what is in the
//! database, and what a server's error means. Nothing here outlives a transaction (`SET LOCAL` only),
//! so a transaction pooler is safe. Only this layer names sqlx and refinery.

mod archive;
pub mod aside;
pub mod books;
mod cancel;
mod connection;
mod deadline;
mod dump;
pub mod extensions;
pub mod health;
pub mod history;
pub mod holdings;
mod knock;
pub mod ledger;
pub mod message;
pub mod pool;
mod pooler;
pub mod queries;
pub mod refusal;
pub mod restore;
pub mod roll;
pub mod server;
pub mod state;
mod url;

pub use archive::{Archive, Section, pack};
pub use cancel::{Ended, Fate, cancel};
pub use connection::{Connection, Door, Row};
pub use dump::dump;
pub use knock::Knock;
pub use pooler::Sign;
pub use refusal::Refusal;
pub use url::{DatabaseUrl, set_parameters};
