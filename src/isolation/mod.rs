//! The audit of the isolation between tenants: facts that the server's catalog gives become findings. What each rule means is in the
//! table of all rules (`verify`). `audit/` asks the server; the rest is pure.

pub(crate) mod audit;
mod fact;
mod finding;
mod judge;
mod mention;

pub use audit::audit;
pub use fact::{Fact, Kind};
pub use finding::{Audited, Summary};
pub use judge::judge;
