//! The queries of a release: parsed from files, observed on a database before and after a step, and compared.
//! `project` reads the files, and `postgres` observes the queries on the server.
//! No findings, policies, migrations or I/O belong here.

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
