//! Stories against a real PostgreSQL: one module a capability. Given this project on disk, when this
//! command runs, then this is in the database and this was printed.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "tests use the disk and stop at what fails"
)]

mod bad_files;
mod bad_sql;
mod baseline;
mod command_line;
mod contract;
mod demo;
mod docs;
mod house;
mod layers;
mod looking;
mod migrate_up;
mod refusals;
mod server;
mod support;
mod unreachable;
