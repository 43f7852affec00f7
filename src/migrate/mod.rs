//! Migrations are verified, then run: `verify` makes an [`ApprovedPlan`], and `run` takes nothing else. Here are too
//! status, baseline and repair, and the text of what all of them show. How a unit is sent is the executor's.
#![expect(clippy::disallowed_methods, reason = "a run measures real time")]

mod approved;
mod baseline;
mod prepared;
mod result;
mod run;
mod slowest;
mod status;
pub mod text;

pub use approved::{ApprovedPlan, Denied, Verdict, follow_platform, replay_on_throwaway_database, verify};
pub use baseline::{BaselineCheck, baseline, repair};
pub use result::{
    Migrated, Planned, PlatformStatus, Status, TenantCounts, TenantLine, TenantStatus, VersionChange,
};
pub use run::run;
pub use status::{List, missing_file, status};
