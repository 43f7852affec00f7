//! `migrate` besides running the chain: status, baseline, repair, and the text of what all of them show.

mod baseline;
mod result;
mod status;
pub mod text;

pub use baseline::{Declared, baseline, repair};
pub use result::{Planned, PlatformStatus, Status, TenantLine, TenantStatus};
pub use status::{List, gone, status};
