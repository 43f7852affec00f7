//! The environment variables that the private server uses, as a value: only `cli` reads the environment.

use std::ffi::OsString;
use std::path::PathBuf;

/// Decides which PostgreSQL is run and where its files are.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `TENURE_PG_BINDIR`: the folder of PostgreSQL's programs. If it is set, no other folder is searched.
    pub bindir: Option<PathBuf>,
    /// `PATH`.
    pub path: Option<OsString>,
    /// `TMPDIR`. `/tmp` and `/var/tmp` are used too.
    pub temp: Option<PathBuf>,
}
