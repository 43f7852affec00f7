//! Stories against a real PostgreSQL: one module a capability. Given this project on disk, when this
//! command runs, then this is in the database and this was printed.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "tests use the disk and stop at what fails"
)]

mod adopt;
mod alone;
mod alone_names;
mod astray;
mod bad_files;
mod bad_sql;
mod baseline;
mod beyond;
mod blindness;
mod branch;
mod broken;
mod capture;
mod catalog;
mod ci;
mod command_line;
mod concurrency;
mod context;
mod contract;
mod copies;
mod corpus;
mod demo;
mod docs;
mod drift;
mod dropped;
mod dry_run;
mod extensions;
mod failures;
mod fleet;
mod fuzz;
mod hidden;
mod hooks;
mod house;
mod late_start;
mod layers;
mod life;
mod listing;
mod looking;
mod migrate_up;
mod names;
mod neon;
mod new_tenants;
mod output;
mod own_schema;
mod own_sql;
mod parameters;
mod pointing;
mod pool;
mod pool_faults;
mod poolable;
mod pooler;
mod progress;
mod provisioning;
mod purge;
mod queries;
mod refusals;
mod rehearsal;
mod rename;
mod restore;
mod seeds;
mod server;
mod session;
mod setup;
mod shadow;
mod shadow_database;
mod signals;
mod squash;
mod support;
mod tenants;
mod unreachable;
mod untold;
mod verify;
mod versions;
mod walls;
mod ways;
