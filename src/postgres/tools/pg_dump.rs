//! A schema as `pg_dump` writes it.

use std::process::{Command, Stdio};

use crate::error::{Code, Failure};
use crate::ident::SchemaName;
use crate::postgres::DatabaseUrl;
use crate::postgres::server::{Binaries, Environment};
use crate::sql::without_server_options;

/// What `schema` of the database holds, without rows and without what only a server sets, as SQL. `major` is the server's: another release's
/// `pg_dump` may not read it, or write what it does not understand.
pub fn dump(
    url: &DatabaseUrl,
    schema: &SchemaName,
    major: u32,
    environment: &Environment,
) -> Result<String, Failure> {
    let program = Binaries::client(environment, "pg_dump", major).ok_or_else(|| {
        Failure::new(Code::NoServerBinaries, format!("pg_dump of PostgreSQL {major} was not found"))
            .hint("install PostgreSQL's client programs, such as the package postgresql-client")
    })?;
    let broken = |why: String| Failure::new(Code::StatementFailed, format!("running pg_dump: {why}"));
    let (url, password) = url.for_libpq();
    let mut command = Command::new(program);
    command
        .args(["--schema-only", "--no-owner", "--no-password", "--lock-wait-timeout=10s"])
        .arg(format!("--schema={}", schema.quoted()))
        .arg(format!("--dbname={url}"))
        .stdin(Stdio::null())
        // This variable would send it elsewhere, whatever the URL says.
        .env_remove("PGHOSTADDR");
    if let Some(password) = password {
        // Arguments can be read by everybody on the machine.
        command.env("PGPASSWORD", password);
    }
    let output = command.output().map_err(|error| broken(error.to_string()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(broken(said.lines().next().unwrap_or("it failed and said nothing").to_owned()));
    }
    let text = String::from_utf8(output.stdout).map_err(|error| broken(error.to_string()))?;
    Ok(without_server_options(&text).into_owned())
}
