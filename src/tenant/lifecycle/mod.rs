//! What becomes of a tenant after it is created: suspend, resume, rename, drop, undrop, purge.

mod drop;
pub(in crate::tenant) mod name_references;
mod purge;
mod rename;
mod result;
mod suspend;
pub mod text;

pub use drop::{drop, undrop};
pub use purge::{Purge, Registered, candidates, purge};
pub use rename::{NewName, rename};
pub use result::{Dropped, Kept, Purged, PurgedTenant};
pub use suspend::{resume, suspend};
