//! The chain: all migrations in order, one path from version to version. From file names and texts to
//! checked migrations, and from the state of a fleet to the plan that moves it. Pure: no file is
//! opened here, no database asked.

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
pub use checksum::Checksum;
pub use error::ChainError;
pub use file_name::FileName;
pub use header::{ScopeLines, template_line};
pub use migration::Migration;
pub use plan::{FleetState, Plan, PlanError, Reach, Stage, Step};
pub use uses::{Privilege, TableUse, uses_lines};
pub use version::{Bump, Version, VersionError};
