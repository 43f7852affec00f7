//! Stories against a real PostgreSQL: one module a capability. Given this project on disk, when this
//! command runs, then this is in the database and this was printed.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "tests use the disk and stop at what fails"
)]

mod alone;
mod bad_files;
mod bad_sql;
mod baseline;
mod capture;
mod catalog;
mod command_line;
mod concurrency;
mod context;
mod contract;
mod corpus;
mod demo;
mod docs;
mod drift;
mod failures;
mod fleet;
mod fuzz;
mod hidden;
mod house;
mod layers;
mod life;
mod looking;
mod migrate_up;
mod pooler;
mod progress;
mod provisioning;
mod queries;
mod refusals;
mod rehearsal;
mod seeds;
mod server;
mod session;
mod shadow;
mod squash;
mod support;
mod tenants;
mod unreachable;
mod verify;
mod walls;
