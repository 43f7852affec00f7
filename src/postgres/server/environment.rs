//! What the private server wants to know of the environment. Only `cli` may read that, so it comes
//! as a value.

use std::ffi::OsString;
use std::path::PathBuf;

/// The part of the environment that decides which PostgreSQL is run, and where it may live.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `TENURE_PG_BINDIR`: the folder of PostgreSQL's programs. With it, no other is looked at.
    pub bindir: Option<PathBuf>,
    /// `PATH`.
    pub path: Option<OsString>,
    /// The folder for temporary files (`TMPDIR`). `/tmp` and `/var/tmp` are known besides.
    pub temp: Option<PathBuf>,
}
