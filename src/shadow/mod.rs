//! A throwaway database on which a migration is run to see what it really does: what it changes, what
//! happens to rows, what each statement locks. Text can hide that; this cannot.

mod attribute;
mod attributed;
mod beyond;
mod data;
mod database;
mod database_snapshot;
mod decoy;
mod effects;
mod observe;
mod observed_effects;
mod queries;
mod repeat;
mod reverse;
mod sample;
mod setup;
mod shadow_run;
mod squash;
mod statements;
mod step;
mod templates;
mod watch;

pub use attributed::{Attributed, Whose};
pub use data::{DataChange, DataLoss};
pub use database::Shadow;
pub use database_snapshot::is_own;
pub use observe::{Observed, observe};
pub use reverse::Reversed;
pub use squash::{Dump, squash};
pub use step::{Seen, Step};
pub use templates::prove;
pub use watch::{Lock, LockSample, StatementTrace, Table, TableUsage};
