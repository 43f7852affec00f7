//! Dumps a schema with `pg_dump`.

use std::process::Stdio;

use crate::error::{Code, Failure};
use crate::ident::SchemaName;
use crate::postgres::DatabaseUrl;
use crate::postgres::server::{Binaries, Environment};
use crate::program::{self, Needs};
use crate::sql::without_server_options;

/// The definitions in `schema` as SQL, without rows and without server-specific options. `major` is the
/// server's version: `pg_dump` of another release may fail or produce unsupported SQL.
pub fn dump(
    url: &DatabaseUrl,
    schema: &SchemaName,
    major: u32,
    environment: &Environment,
) -> Result<String, Failure> {
    let path = Binaries::client(environment, "pg_dump", major).ok_or_else(|| {
        Failure::new(Code::NoServerBinaries, format!("pg_dump of PostgreSQL {major} was not found"))
            .hint("install PostgreSQL's client programs, such as the package postgresql-client")
    })?;
    let failure = |error: String| Failure::new(Code::StatementFailed, format!("running pg_dump: {error}"));
    let (url, password) = url.for_libpq();
    let mut command = program::command(path, Needs::Connection);
    command
        .args(["--schema-only", "--no-owner", "--no-password", "--lock-wait-timeout=10s"])
        .arg(format!("--schema={}", schema.quoted()))
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
