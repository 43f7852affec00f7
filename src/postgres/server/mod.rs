//! The private PostgreSQL server that Tenure starts itself. It has two modes: a [`Persistent`] server belongs
//! to a project and outlives the process that starts it; a [`Throwaway`] server ends with this process, even
//! after `kill -9`, and its files are deleted.
//!
//! **Invariants:** a server has no TCP port, only a socket in a folder that only its account and root can
//! enter. It is ready when it answers a query. Every wait has a limit. This folder reads no environment
//! variable: [`Environment`] is an argument. SQL on Tenure's own tables does not belong here.

mod account;
mod address;
mod binaries;
mod environment;
mod layout;
mod log;
mod options;
mod persistent;
mod postmaster;
mod project_role;
mod ready;
mod throwaway;

pub use address::Address;
pub use binaries::Binaries;
pub use environment::Environment;
pub use persistent::{Persistent, Started, Stopped};
pub use throwaway::Throwaway;

use crate::error::{Code, Failure};

/// The superuser of a private server.
pub const ROLE: &str = "tenure";

/// The role of a project's statements on its persistent server.
pub const PROJECT_ROLE: &str = "tenure_dev";

/// The database that `initdb` creates.
const INITIAL_DATABASE: &str = "postgres";

/// The database that exists in every private server.
pub const DATABASE: &str = "tenure";

fn server_failure(message: impl Into<String>) -> Failure {
    Failure::new(Code::PrivateServer, message)
}

/// Options that do not open a symbolic link: a project's files may have brought one.
fn no_link() -> std::fs::OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    options.mode(0o600).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    options
}

fn io_failure(action: &str, path: &std::path::Path, error: &std::io::Error) -> Failure {
    Failure::new(Code::Io, format!("{action} {}: {error}", path.display()))
}

fn spawn_failure(program: &std::path::Path, error: &std::io::Error) -> Failure {
    server_failure(format!("running {}: {error}", program.display()))
}
