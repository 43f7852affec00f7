//! A throwaway database on which a migration is run to see what it really does: what it changes, what
//! happens to rows, what each statement locks. Text can hide that; this cannot.

mod attribute;
mod beyond;
mod caused;
mod data;
mod database;
mod decoy;
mod effects;
mod look;
mod queries;
mod rehearse;
mod repeat;
mod reverse;
mod sample;
mod squash;
mod stage;
mod statements;
mod step;
mod templates;
mod watch;
mod witness;

pub use caused::{Caused, Whose};
pub use data::{DataChange, DataLoss};
pub use database::Shadow;
pub use look::is_own;
pub use rehearse::watch;
pub use reverse::Reversed;
pub use squash::{Dump, squash};
pub use step::{Seen, Step};
pub use templates::prove;
pub use watch::{Lock, Moment, Table, Treatment, Watched};
