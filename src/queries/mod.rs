//! The queries of a release as evidence: read from what people keep of them, seen on a database before and
//! after a step, and compared. Pure: the texts come from `project`, what the server says of them from
//! `postgres`. This layer knows no finding, no policy, no migration.

pub mod capture;
mod compare;
mod observation;
mod plan;
mod read;
mod release;
pub mod sample;
pub mod text;

pub use compare::{Break, Kind, compare};
pub use observation::{
    Column, Observation, PrepareResult, Prepared, QueryError, Schemas, SearchPath, Trial, Type, Unchecked,
};
pub use plan::{Access, Plan};
pub use read::{Format, read};
pub use release::{Query, Release, Skipped, Tenants};
