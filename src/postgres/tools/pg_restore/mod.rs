//! A schema with its rows as `pg_dump` packs it, and back through a connection of ours: `pg_restore` only turns the
//! file into text, which is sent within the transaction that is open. So all of it is one transaction with what
//! comes before and after, and no word of the file ever reaches a shell.

mod text;

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{ChildStdout, Command};

use self::text::{Data, Line};
use crate::error::{Code, Failure};
use crate::ident::SchemaName;
use crate::postgres::server::{Binaries, Environment};
use crate::postgres::{Connection, ServerError};
use crate::sql::without_server_options;

/// How often it is asked whether somebody wants a program to end.
const PAUSE: Duration = Duration::from_millis(50);

/// So many bytes of rows are sent at once.
const BATCH: usize = 1 << 18;

/// Packs `schema` with its rows into `to`. `major` is the server's: an older program may not read it. The password
/// travels in the environment, where other users of the machine do not see it.
pub async fn pack(
    connection: &Connection,
    (schema, major): (&SchemaName, u32),
    to: &File,
    environment: &Environment,
    is_stopped: impl Fn() -> bool,
) -> Result<(), Failure> {
    let (url, password) = connection.url().for_libpq();
    let mut command = Command::new(program(environment, "pg_dump", major)?);
    command
        .args(["--format=custom", "--encoding=UTF8", "--strict-names", "--no-password"])
        .arg("--lock-wait-timeout=10s")
        .arg(format!("--schema={}", schema.quoted()))
        .arg(format!("--dbname={url}"))
        // This variable would send it elsewhere, whatever the URL says.
        .env_remove("PGHOSTADDR")
        .stdout(Stdio::from(to.try_clone().map_err(|error| io(&error))?));
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
    running.succeed().await
}

/// A part of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section<'a> {
    /// The schema and what rows need: types, tables, functions, views.
    Before,
    /// What comes behind the rows: indexes, keys, triggers, policies, rights. What this role gave of what it would
    /// make, the current one gives of what that will.
    After(Option<&'a str>),
}

/// A packed schema.
#[derive(Debug)]
pub struct Archive {
    file: File,
    program: PathBuf,
}

impl Archive {
    /// Of a file, to be unpacked for a server of release `major`.
    pub fn new(file: File, major: u32, environment: &Environment) -> Result<Self, Failure> {
        Ok(Self { file, program: program(environment, "pg_restore", major)? })
    }

    /// Makes the definitions of a section, in the transaction that is open.
    pub async fn define(&self, connection: &mut Connection, section: Section<'_>) -> Result<(), Failure> {
        let (name, owner) = match section {
            Section::Before => ("pre-data", None),
            Section::After(owner) => ("post-data", owner),
        };
        let (mut running, mut stdout) = self.start(name)?;
        let mut bytes = Vec::new();
        let read = stdout.read_to_end(&mut bytes).await;
        running.succeed().await?;
        read.map_err(|error| io(&error))?;
        let text = String::from_utf8(bytes)
            .map_err(|_| Failure::new(Code::ExportInvalid, "the definitions in the file are no UTF-8"))?;
        let mut sql = without_server_options(&text::definitions(&text)).into_owned();
        if let Some(owner) = owner {
            sql = text::given_by_us(&sql, owner);
        }
        connection.attempt(&sql).await.map(drop).map_err(|server_error| {
            let about = server_error.position().and_then(|position| text::about(&sql, position));
            let what = about.map(|about| format!(" {about}")).unwrap_or_default();
            server_error.failure(&format!("making{what}"))
        })
    }

    /// Copies the rows in and sets the sequences, in the transaction that is open; how many rows.
    pub async fn fill(
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
                    rows += copy(connection, &sql, (&mut lines, &mut data), &is_stopped).await?;
                }
            }
        }
        running.succeed().await?;
        data.end()?;
        Ok(rows)
    }

    fn start(&self, section: &str) -> Result<(Running, ChildStdout), Failure> {
        let mut command = Command::new(&self.program);
        command
            .arg(format!("--section={section}"))
            .args(["--no-owner", "--no-tablespaces", "--no-security-labels", "--file=-"])
            .stdout(Stdio::piped());
        let mut file = self.file.try_clone().map_err(|error| io(&error))?;
        file.rewind().map_err(|error| io(&error))?;
        let mut running = Running::start(command, "pg_restore", Stdio::from(file))?;
        match running.child.stdout.take() {
            Some(stdout) => Ok((running, stdout)),
            None => Err(Failure::new(Code::Io, "running pg_restore: it has no output")),
        }
    }
}

/// The lines of a text that is still being written.
struct Lines {
    reader: BufReader<ChildStdout>,
    line: Vec<u8>,
}

impl Lines {
    /// Whether there is another one.
    async fn next(&mut self) -> Result<bool, Failure> {
        self.line.clear();
        let read = self.reader.read_until(b'\n', &mut self.line).await;
        read.map(|bytes| bytes > 0).map_err(|error| io(&error))
    }
}

/// One table's rows.
async fn copy(
    connection: &mut Connection,
    sql: &str,
    (lines, data): (&mut Lines, &mut Data),
    is_stopped: &impl Fn() -> bool,
) -> Result<u64, Failure> {
    let table = sql.trim_start_matches("COPY ").split([' ', '(']).next().unwrap_or_default().to_owned();
    let refused = |error: sqlx::Error| ServerError::from(error).failure(&format!("copying into {table}"));
    let mut copy = connection.driver().copy_in_raw(sql).await.map_err(&refused)?;
    let mut batch = Vec::with_capacity(BATCH);
    while lines.next().await? {
        let Line::Row(row) = data.line(&lines.line)? else {
            copy.send(batch).await.map_err(&refused)?;
            return copy.finish().await.map_err(&refused);
        };
        batch.extend_from_slice(row);
        if batch.len() >= BATCH {
            if is_stopped() {
                copy.abort("interrupted").await.map_err(&refused)?;
                return Err(Failure::new(Code::Interrupted, "interrupted; nothing is kept of the import"));
            }
            copy.send(std::mem::take(&mut batch)).await.map_err(&refused)?;
        }
    }
    Err(Failure::new(Code::ExportInvalid, format!("the rows of {table} in the file have no end")))
}

/// A program under way. It ends with this value; what it complains of goes into a file without a name.
struct Running {
    child: tokio::process::Child,
    name: &'static str,
    complaints: File,
}

impl Running {
    fn start(mut command: Command, name: &'static str, stdin: Stdio) -> Result<Self, Failure> {
        let complaints = tempfile::tempfile().map_err(|error| io(&error))?;
        let stderr = complaints.try_clone().map_err(|error| io(&error))?;
        command.stdin(stdin).stderr(Stdio::from(stderr)).kill_on_drop(true);
        let child =
            command.spawn().map_err(|error| Failure::new(Code::Io, format!("running {name}: {error}")))?;
        Ok(Self { child, name, complaints })
    }

    fn has_ended(&mut self) -> Result<bool, Failure> {
        self.child.try_wait().map(|status| status.is_some()).map_err(|error| io(&error))
    }

    /// Waits for its end, and insists on success.
    async fn succeed(&mut self) -> Result<(), Failure> {
        let status = self.child.wait().await.map_err(|error| io(&error))?;
        if status.success() {
            return Ok(());
        }
        let mut said = Vec::new();
        let read = self.complaints.rewind().and_then(|()| self.complaints.read_to_end(&mut said));
        let said = String::from_utf8_lossy(&said).into_owned();
        let first = said.lines().find(|line| !line.trim().is_empty()).filter(|_| read.is_ok());
        let first = first.unwrap_or("it failed and said nothing");
        // What pg_restore cannot read is no archive of pg_dump's, or a newer one's.
        let code = if self.name == "pg_restore" { Code::ExportInvalid } else { Code::StatementFailed };
        Err(Failure::new(code, format!("running {}: {first}", self.name)))
    }
}

fn program(environment: &Environment, name: &str, major: u32) -> Result<PathBuf, Failure> {
    Binaries::client_since(environment, name, major).ok_or_else(|| {
        Failure::new(Code::NoClientPrograms, format!("{name} of PostgreSQL {major} or newer was not found"))
            .hint("install PostgreSQL's client programs, such as the package postgresql-client")
    })
}

fn io(error: &std::io::Error) -> Failure {
    Failure::new(Code::Io, format!("a temporary file or a program's output: {error}"))
}
