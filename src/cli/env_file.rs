//! `--env-file FILE`: starts the program again with the variables of a file, since only it has them then. Without the flag no file
//! of variables is read.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::io;
use crate::error::{Code, Failure, Place};
use crate::program;

/// Starts the program again with the variables in `file` that are not set yet. Returns only if that failed.
pub(super) fn restart(file: &OsStr, arguments: &[OsString]) -> Failure {
    match variables(Path::new(file)) {
        Ok(variables) => {
            let error = program::restart(arguments, variables);
            Failure::new(Code::Io, format!("starting the program with the variables of a file: {error}"))
        }
        Err(failure) => failure,
    }
}

fn variables(file: &Path) -> Result<Vec<(String, String)>, Failure> {
    let read = dotenvy::from_path_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let variables = read.map_err(|error| {
        if let dotenvy::Error::Io(error) = &error {
            return io(file, error);
        }
        // The error contains the line, which may contain a password.
        let shown = file.display().to_string();
        Failure::new(Code::Usage, format!("{shown} contains a line that is not NAME=VALUE"))
            .at(Place::File(shown))
            .hint("quote values with spaces, # or $")
    })?;
    // An empty variable counts as unset.
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    Ok(variables.into_iter().filter(|(name, _)| !is_set(name)).collect())
}
