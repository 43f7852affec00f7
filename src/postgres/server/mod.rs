//! The private PostgreSQL server: for a project without a database of its own, for the shadow, for
//! the tests.
//!
//! A [`Persistent`] server belongs to a project and outlives the process that starts it. A
//! [`Throwaway`] one belongs to this process and dies with it, even when the process is killed.
//! **Invariants:** a server has no TCP port, only a socket in a folder that nobody but its account
//! (and root) may enter; it is ready when it answers a query, whatever its log says; nobody waits
//! for ever. This module reads no environment variable: [`Environment`] is an argument.

mod account;
mod address;
mod binaries;
mod environment;
mod layout;
mod log;
mod options;
mod persistent;
mod postmaster;
mod ready;
mod throwaway;

pub use address::Address;
pub use binaries::Binaries;
pub use environment::Environment;
pub use persistent::{Persistent, Started, Stopped};
pub use throwaway::Throwaway;

use crate::error::{Code, Failure};

/// The role that owns everything in a private server, a superuser.
pub const ROLE: &str = "tenure";

/// The database that every private server has.
pub const DATABASE: &str = "tenure";

/// A failure of the private server, with what was being done.
fn broken(message: impl Into<String>) -> Failure {
    Failure::new(Code::PrivateServer, message)
}

/// A file or folder of the private server that could not be used.
fn unusable(doing: &str, path: &std::path::Path, error: &std::io::Error) -> Failure {
    Failure::new(Code::Io, format!("{doing} {}: {error}", path.display()))
}
