//! Stories against a real PostgreSQL: one module a capability.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests use the disk and stop at what fails"
)]

mod server;
