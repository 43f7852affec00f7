//! The walls between tenants, judged: facts that the server's catalog told become findings, each by a rule that says why
//! it matters and what to do. Pure: who asked the server, and how, is another layer's matter.

pub(crate) mod audit;
mod fact;
mod finding;
mod judge;
mod mention;
mod policy;
mod rule;
pub mod text;

pub use audit::audit;
pub use fact::{Fact, Kind};
pub use finding::{Audited, Finding, Summary};
pub use judge::judge;
pub use policy::Policy;
pub use rule::{RULES, Rule};
