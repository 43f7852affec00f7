//! Tenure's own tables in the platform schema, and the registry: installing them, and all SQL that reads them.
//!
//! Nothing else names `tenant_version`, `schema_version`, `migration_history` or `run` in a query of its own.

mod adapter;
pub mod dropped;
pub mod history;
mod install;
pub mod pool;
mod run_status;
pub mod state;
mod tenant;
pub mod tenant_registry;
pub mod tenant_stats;
pub mod version_state;

pub use history::HistoryEntry;
pub use install::{MIGRATIONS_TABLE, ensure, needed};
pub use run_status::RunStatus;
pub use tenant::{ListedTenant, Tenant, TenantState};
