//! Tests against a real PostgreSQL: one module a capability. Given this project on disk, when this
//! command runs, then this is in the database and this was printed.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "tests use the disk and stop at what fails"
)]

mod adopt;
mod applied_files;
mod bad_files;
mod bad_sql;
mod baseline;
mod branch;
mod catalog;
mod chain_start;
mod ci;
mod command_line;
mod concurrency;
mod connect;
mod context;
mod copies;
mod corpus;
mod demo;
mod docs;
mod drift;
mod dropped;
mod dry_run;
mod error_locations;
mod escaping;
mod extensions;
mod failures;
mod files_of_other_tools;
mod fleet;
mod function_list;
mod fuzz;
mod hidden_effects;
mod hooks;
mod hostile_names;
mod isolation;
mod json_contract;
mod layers;
mod listing;
mod lost_connections;
mod migrate_up;
mod names;
mod neon;
mod new_tenants;
mod non_transactional;
mod non_transactional_names;
mod oracle;
mod outside_effects;
mod own_schema;
mod own_sql;
mod parameters;
mod policy_from;
mod pool;
mod pool_eligibility;
mod pool_faults;
mod pooler;
mod private_rights;
mod progress;
mod provisioning;
mod purge;
mod queries;
mod query_capture;
mod query_execution;
mod read_only;
mod refusals;
mod registry_errors;
mod rename;
mod repo_lints;
mod reported_findings;
mod reports;
mod restore;
mod retired_names;
mod reverse_files;
mod schema_from;
mod secrets;
mod seeds;
mod server;
mod session;
mod setup;
mod shadow;
mod shadow_coverage;
mod shadow_database;
mod shadow_rights;
mod signals;
mod since;
mod squash;
mod support;
mod suspend;
mod tenants;
mod unreachable;
mod unwritable_output;
mod verify;
mod versions;
