//! Changes a tenant after its creation: suspend, resume, rename, drop, undrop, purge. Each verb locks the tenant's version row
//! first and changes schema, registry and history in the same transaction. Roles are handled in `roles`.

mod drop;
mod in_use;
pub(in crate::tenant) mod name_references;
mod purge;
mod rename;
mod result;
mod suspend;
pub mod text;

pub use drop::{drop, undrop};
pub use in_use::SessionInUse;
pub use purge::{Purge, RegistryRow, candidates, purge};
pub use rename::{NewName, rename};
pub use result::{Dropped, Kept, Purged, PurgedTenant};
pub use suspend::{resume, suspend};
