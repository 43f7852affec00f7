//! The isolation audit: `audit` reads facts from the catalog, and the rules turn them into findings. The rules are pure;
//! only `audit` accesses the database.

pub(crate) mod audit;
mod fact;
mod finding;
mod judge;
mod mention;
mod tree;

pub use audit::audit;
pub use fact::{Fact, Kind};
pub use finding::{Audited, Summary};
pub use judge::judge;
