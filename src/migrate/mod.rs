//! Verifies and runs migrations: `verify` returns an [`ApprovedPlan`], which `run` requires. Status, baseline, repair and
//! their text output are here too. The execution of units belongs to `executor`.
#![expect(clippy::disallowed_methods, reason = "a run measures real time")]

mod approved;
mod base;
mod baseline;
mod prepared;
mod result;
mod run;
mod slowest;
mod status;
pub mod text;

pub use approved::{
    ApprovedPlan, Denied, Verdict, accept_without_rights, follow_platform, omit_on_throwaway_database,
    replay_on_throwaway_database, verify,
};
pub use base::read_base;
pub use baseline::{BaselineCheck, baseline, repair, repairable};
pub use result::{
    Migrated, Planned, PlatformStatus, Status, TenantCounts, TenantLine, TenantStatus, VersionChange,
};
pub use run::run;
pub use status::{Check, List, missing_file, status};
