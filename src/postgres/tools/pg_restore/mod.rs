//! Dumps a schema with its rows to an archive, and restores an archive over Tenure's own connection:
//! `pg_restore` only converts the archive to text, which is sent in the open transaction. So an import is one
//! transaction, and no text of the file reaches a shell.

mod text;

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{ChildStdout, Command};

pub use self::text::ForeignKey;
use self::text::{Data, Line};
use crate::error::{Code, Failure};
use crate::ident::SchemaName;
use crate::postgres::server::{Binaries, Environment};
use crate::postgres::{Connection, ServerError};
use crate::program::{self, Needs};
use crate::sql::without_server_options;

/// The interval at which a program is polled and an interruption is checked.
const PAUSE: Duration = Duration::from_millis(50);

/// The size in bytes of one message with rows.
const BATCH: usize = 1 << 18;

/// Dumps `schema` with its rows to `output`. `major` is the server's version: an older program may fail. The
/// password is passed in the environment, which other users cannot read.
pub async fn dump_archive(
    connection: &Connection,
    (schema, major): (&SchemaName, u32),
    output: &File,
    environment: &Environment,
    is_stopped: impl Fn() -> bool,
) -> Result<(), Failure> {
    let (url, password) = connection.url().for_libpq();
    let path = client(environment, "pg_dump", major)?;
    let mut command = Command::from(program::command(path, Needs::Connection));
    command
        .args(["--format=custom", "--encoding=UTF8", "--strict-names", "--no-password"])
        .arg("--lock-wait-timeout=10s")
        .arg(format!("--schema={}", schema.quoted()))
        .arg(format!("--dbname={url}"))
        .stdout(Stdio::from(output.try_clone().map_err(|error| io_failure(&error))?));
    if let Some(password) = password {
        command.env("PGPASSWORD", password);
    }
    let mut running = Running::start(command, "pg_dump", Stdio::null())?;
    while !running.has_ended()? {
        if is_stopped() {
            return Err(Failure::new(Code::Interrupted, "interrupted; nothing is kept of the export"));
        }
        tokio::time::sleep(PAUSE).await;
    }
    if is_stopped() {
        return Err(Failure::new(Code::Interrupted, "interrupted; nothing is kept of the export"));
    }
    running.wait_for_success().await
}

/// A section of an archive (manual, `pg_restore`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section<'a> {
    /// `pre-data`: the schema, types, tables, functions, views.
    Before,
    /// `post-data`: indexes, keys, triggers, policies, privileges. Default privileges of this role become those
    /// of the current role.
    After(Option<&'a str>),
}

/// Whether the rows that foreign keys refer to must exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys<'a> {
    /// They must.
    Checked,
    /// Those in schemas other than this one, that of the archive, are not checked, except for foreign keys of partitioned tables.
    Unchecked(&'a SchemaName),
}

/// A dump of a schema in `pg_dump`'s custom format.
#[derive(Debug)]
pub struct Archive {
    file: File,
    program: PathBuf,
    /// Whether tables and indexes are created in their tablespaces.
    with_tablespaces: bool,
}

impl Archive {
    /// An archive for a server of version `major`.
    pub fn new(file: File, major: u32, environment: &Environment) -> Result<Self, Failure> {
        Ok(Self { file, program: client(environment, "pg_restore", major)?, with_tablespaces: true })
    }

    /// Creates all tables and indexes in the default tablespace.
    pub fn ignore_tablespaces(&mut self) {
        self.with_tablespaces = false;
    }

    /// Runs the definitions of a section in the open transaction. Returns the foreign keys that were added unchecked.
    pub async fn define(
        &self,
        connection: &mut Connection,
        (section, keys): (Section<'_>, Keys<'_>),
    ) -> Result<Vec<ForeignKey>, Failure> {
        let (name, owner) = match section {
            Section::Before => ("pre-data", None),
            Section::After(owner) => ("post-data", owner),
        };
        let (mut running, mut stdout) = self.start(name)?;
        let mut bytes = Vec::new();
        let read = stdout.read_to_end(&mut bytes).await;
        running.wait_for_success().await?;
        read.map_err(|error| io_failure(&error))?;
        let text = String::from_utf8(bytes)
            .map_err(|_| Failure::new(Code::ExportInvalid, "the definitions in the file are not UTF-8"))?;
        let mut sql = without_server_options(&text::definitions(&text)).into_owned();
        if let Some(owner) = owner {
            sql = text::with_own_default_privileges(&sql, owner);
        }
        let mut unchecked = Vec::new();
        if let Keys::Unchecked(own) = keys {
            (sql, unchecked) = text::with_unchecked_keys(&sql, own);
        }
        connection.attempt(&sql).await.map(|_sets| unchecked).map_err(|server_error| {
            let entry = server_error.position().and_then(|position| text::entry_at(&sql, position));
            let entry = entry.map(|entry| format!(" {entry}")).unwrap_or_default();
            server_error.failure(&format!("creating{entry}"))
        })
    }

    /// Copies the rows and sets the sequences in the open transaction; returns the number of rows.
    pub async fn copy_rows(
        &self,
        connection: &mut Connection,
        is_stopped: impl Fn() -> bool,
    ) -> Result<u64, Failure> {
        let (mut running, stdout) = self.start("data")?;
        let mut lines = Lines { reader: BufReader::with_capacity(BATCH, stdout), line: Vec::new() };
        let (mut data, mut rows) = (Data::default(), 0);
        while lines.next().await? {
            match data.line(&lines.line)? {
                Line::Nothing | Line::Row(_) | Line::End => {}
                Line::Sequence(sql) => {
                    let set = connection.attempt(&sql).await;
                    set.map_err(|server_error| server_error.failure("setting a sequence"))?;
                }
                Line::Copy(sql) => {
                    rows += copy_table(connection, &sql, (&mut lines, &mut data), &is_stopped).await?;
                }
            }
        }
        running.wait_for_success().await?;
        data.end()?;
        Ok(rows)
    }

    fn start(&self, section: &str) -> Result<(Running, ChildStdout), Failure> {
        let mut command = Command::from(program::command(&self.program, Needs::User));
        command
            .arg(format!("--section={section}"))
            .args(["--no-owner", "--no-security-labels", "--file=-"])
            .args((!self.with_tablespaces).then_some("--no-tablespaces"))
            .stdout(Stdio::piped());
        let mut file = self.file.try_clone().map_err(|error| io_failure(&error))?;
        file.rewind().map_err(|error| io_failure(&error))?;
        let mut running = Running::start(command, "pg_restore", Stdio::from(file))?;
        match running.child.stdout.take() {
            Some(stdout) => Ok((running, stdout)),
            None => Err(Failure::new(Code::Io, "running pg_restore: it has no output")),
        }
    }
}

/// The lines of a program's output.
struct Lines {
    reader: BufReader<ChildStdout>,
    line: Vec<u8>,
}

impl Lines {
    /// Reads the next line; `false` at the end.
    async fn next(&mut self) -> Result<bool, Failure> {
        self.line.clear();
        let read = self.reader.read_until(b'\n', &mut self.line).await;
        read.map(|bytes| bytes > 0).map_err(|error| io_failure(&error))
    }
}

/// Copies the rows of one table.
async fn copy_table(
    connection: &mut Connection,
    sql: &str,
    (lines, data): (&mut Lines, &mut Data),
    is_stopped: &impl Fn() -> bool,
) -> Result<u64, Failure> {
    let table = sql.trim_start_matches("COPY ").split([' ', '(']).next().unwrap_or_default().to_owned();
    let failure = |error: sqlx::Error| ServerError::from(error).failure(&format!("copying into {table}"));
    let mut copy = connection.driver().copy_in_raw(sql).await.map_err(&failure)?;
    let mut batch = Vec::with_capacity(BATCH);
    while lines.next().await? {
        let Line::Row(row) = data.line(&lines.line)? else {
            copy.send(batch).await.map_err(&failure)?;
            return copy.finish().await.map_err(&failure);
        };
        batch.extend_from_slice(row);
        if batch.len() >= BATCH {
            if is_stopped() {
                copy.abort("interrupted").await.map_err(&failure)?;
                return Err(Failure::new(Code::Interrupted, "interrupted; the import is rolled back"));
            }
            copy.send(std::mem::take(&mut batch)).await.map_err(&failure)?;
        }
    }
    Err(Failure::new(Code::ExportInvalid, format!("the rows of {table} in the file are incomplete")))
}

/// A running program. It is killed when the value is dropped; its standard error goes to an unnamed temporary
/// file.
struct Running {
    child: tokio::process::Child,
    name: &'static str,
    stderr_file: File,
}

impl Running {
    fn start(mut command: Command, name: &'static str, stdin: Stdio) -> Result<Self, Failure> {
        let stderr_file = tempfile::tempfile().map_err(|error| io_failure(&error))?;
        let stderr = stderr_file.try_clone().map_err(|error| io_failure(&error))?;
        command.stdin(stdin).stderr(Stdio::from(stderr)).kill_on_drop(true);
        let child =
            command.spawn().map_err(|error| Failure::new(Code::Io, format!("running {name}: {error}")))?;
        Ok(Self { child, name, stderr_file })
    }

    fn has_ended(&mut self) -> Result<bool, Failure> {
        self.child.try_wait().map(|status| status.is_some()).map_err(|error| io_failure(&error))
    }

    /// Waits for its end. It is an error if it fails.
    async fn wait_for_success(&mut self) -> Result<(), Failure> {
        let status = self.child.wait().await.map_err(|error| io_failure(&error))?;
        if status.success() {
            return Ok(());
        }
        let mut text = Vec::new();
        let read = self.stderr_file.rewind().and_then(|()| self.stderr_file.read_to_end(&mut text));
        let text = String::from_utf8_lossy(&text).into_owned();
        let first = text.lines().find(|line| !line.trim().is_empty()).filter(|_| read.is_ok());
        let first = first.unwrap_or("it failed without a message");
        // pg_restore fails if the file is not an archive, or is one of a newer version.
        let code = if self.name == "pg_restore" { Code::ExportInvalid } else { Code::StatementFailed };
        Err(Failure::new(code, format!("running {}: {first}", self.name)))
    }
}

fn client(environment: &Environment, name: &str, major: u32) -> Result<PathBuf, Failure> {
    Binaries::compatible_client(environment, name, major).ok_or_else(|| {
        Failure::new(Code::NoClientPrograms, format!("{name} of PostgreSQL {major} or newer was not found"))
            .hint("install PostgreSQL's client programs, such as the package postgresql-client")
    })
}

fn io_failure(error: &std::io::Error) -> Failure {
    Failure::new(Code::Io, format!("reading or writing a temporary file or a program's output: {error}"))
}
