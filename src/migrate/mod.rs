//! The operations `status`, `migrate baseline` and `migrate repair`, and the text output of all `migrate` commands.
//! Running the chain is in `executor`.

mod baseline;
mod result;
mod status;
pub mod text;

pub use baseline::{BaselineCheck, baseline, repair};
pub use result::{Planned, PlatformStatus, Status, TenantLine, TenantStatus};
pub use status::{List, missing_file, status};
