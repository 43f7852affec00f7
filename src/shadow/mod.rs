//! Runs migrations on a throwaway database and observes their effects: changed objects, lost rows, locks, rewrites, broken
//! queries. Returns them as values that `verify` judges; no rule and no text output lives here. The database may be changed
//! freely, and no other database is written to.

mod attribute;
mod attributed;
mod beyond;
mod data;
mod database;
mod database_snapshot;
mod decoy;
mod effects;
mod export_check;
mod observe;
mod observed_effects;
mod prepared;
mod queries;
mod renames;
mod repeat;
mod reverse;
mod sample;
mod setup;
mod shadow_run;
mod squash;
mod statements;
mod step;
mod templates;
mod temporary_role;
mod watch;

pub use attributed::{Attributed, SchemaOwner};
pub use data::{DataChange, DataLoss};
pub use database::{MissingExtension, Shadow, ShadowRequest};
pub use database_snapshot::is_own;
pub use export_check::check_export;
pub use observe::{ShadowResult, observe};
pub use reverse::Reversed;
pub use squash::{Dump, squash};
pub use step::{ObservedStatement, Step};
pub use templates::prove;
pub use temporary_role::role_with_more_rights;
pub use watch::{Lock, LockSample, StatementTrace, Table, TableUsage};

/// A failure of a shadow's run. Nothing is committed that a later run could continue.
fn of_shadow(failure: crate::error::Failure) -> crate::error::Failure {
    if failure.session_ended() {
        return failure.hint(
            "run the command again; if the session ends at the same statement, the server's log says why",
        );
    }
    failure
}
