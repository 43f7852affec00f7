//! The migration chain: all migrations in order, as one path from version to version. It is assembled from file names and
//! parsed texts, compared with the history, and turned into a plan for a fleet. No file or database access belongs here.

mod applied;
mod assemble;
mod checksum;
mod error;
mod file_name;
pub mod header;
mod migration;
mod plan;
mod uses;
mod version;

pub use applied::{Applied, ChainCoverage, Divergence};
pub use assemble::{Chain, Content, MigrationFile};
pub use checksum::{Checksum, with_unix_lines};
pub use error::ChainError;
pub use file_name::FileName;
pub use header::{ScopeLines, template_line};
pub use migration::Migration;
pub use plan::{FleetState, Plan, PlanError, Reach, Stage, Step};
pub use uses::{Privilege, TableUse, uses_lines};
pub use version::{Bump, Version, VersionError};
