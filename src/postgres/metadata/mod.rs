//! Tenure's own tables in the platform schema, and the registry: their migrations, and all SQL that names them. A function
//! returns either a statement for a batch or queried values. No other folder of `src` names these tables, their columns or their
//! functions in SQL; `tests/it/own_sql.rs` checks that.

mod adapter;
pub mod attempts;
pub mod checks;
pub mod dropped;
pub mod failures;
pub mod fleet_times;
pub mod history;
mod install;
pub mod platform_fingerprint;
pub mod pool;
pub mod reached;
pub mod registry;
pub mod registry_facts;
pub mod roles;
pub mod run_details;
mod run_status;
pub mod runs;
pub mod state;
mod tenant;
pub mod tenant_registry;
pub mod tenant_stats;
mod unknown_tenant;
pub mod version_rows;
pub mod version_state;

pub use failures::{Cause, FailedUnit, KeptFailure};
pub use history::HistoryEntry;
pub use install::{
    BLOCKED, BLOCKED_HELP, OwnTables, UNSUPPORTED, UNSUPPORTED_HELP, blocking_publication, ensure,
    expect_names_free, expect_version_columns, is_readable,
};
pub use run_details::{MigrationTimes, RecordedRun, RecordedUnit};
pub use run_status::RunStatus;

pub use tenant::{ListedTenant, SCHEMA_MISSING, Tenant, TenantState};
pub use unknown_tenant::{not_dropped, unknown_tenant};
