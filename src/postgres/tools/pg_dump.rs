//! Dumps schemas with `pg_dump`.

use std::process::Stdio;

use crate::error::{Code, Failure};
use crate::ident::SchemaName;
use crate::postgres::DatabaseUrl;
use crate::postgres::server::{Binaries, Environment};
use crate::program::{self, Needs};
use crate::sql::without_server_options;

/// The definitions in `schemas` as SQL, without rows, owners and server-specific options. `major` is the
/// server's version: an older `pg_dump` refuses it, and a newer one is only used if there is none of that version.
pub fn dump(
    url: &DatabaseUrl,
    schemas: &[SchemaName],
    major: u32,
    environment: &Environment,
) -> Result<String, Failure> {
    let path = Binaries::compatible_client(environment, "pg_dump", major).ok_or_else(|| {
        Failure::new(Code::NoServerBinaries, format!("pg_dump of PostgreSQL {major} or newer was not found"))
            .hint(format!(
                "install the client programs of PostgreSQL {major}, such as the package postgresql-client-{major}, or set \
                 TENURE_PG_BINDIR to their folder"
            ))
    })?;
    let failure = |error: String| Failure::new(Code::StatementFailed, format!("running pg_dump: {error}"));
    let (url, password) = url.for_libpq();
    let mut command = program::command(path, Needs::Connection);
    command
        .args(["--schema-only", "--no-owner", "--no-password", "--lock-wait-timeout=10s"])
        .args(schemas.iter().map(|schema| format!("--schema={}", schema.quoted())))
        .arg(format!("--dbname={url}"))
        .stdin(Stdio::null());
    if let Some(password) = password {
        // Other users of the machine can read arguments.
        command.env("PGPASSWORD", password);
    }
    let output = command.output().map_err(|error| failure(error.to_string()))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(failure(stderr.lines().next().unwrap_or("it failed without a message").to_owned()));
    }
    let text = String::from_utf8(output.stdout).map_err(|error| failure(error.to_string()))?;
    Ok(without_server_options(&text).into_owned())
}
