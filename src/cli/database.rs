//! Selects the database: the given URL, or the project's private server.

use std::path::Path;

use super::signals::cancel_when_given_up;
use super::{Context, connect, lock_wait, unless_interrupted};
use crate::error::{Code, Failure};
use crate::migrate;
use crate::postgres::metadata::state;
use crate::postgres::server::{Environment, Persistent, Started};
use crate::postgres::{Connection, DatabaseUrl, libpq_target};
use crate::project::{Project, Root};

/// Value of `--database-url` that selects the project's private server.
pub(super) const EMBEDDED: &str = "embedded";

/// The environment variables that the private server uses.
pub(super) fn environment() -> Environment {
    Environment {
        bindir: std::env::var_os("TENURE_PG_BINDIR").filter(|folder| !folder.is_empty()).map(Into::into),
        path: std::env::var_os("PATH"),
        temp: std::env::var_os("TMPDIR").map(Into::into),
    }
}

/// Connects to the database in `--database-url` or `DATABASE_URL`. Without one, and outside CI, starts and
/// uses the project's private server.
pub(super) async fn connect(context: &Context, root: &Path) -> Result<Connection, Failure> {
    connect_and_ask(context, root, None).await
}

/// Like [`connect`], for a command that first reads the state of the database: that is asked with the first message.
pub(super) async fn connect_for_state(context: &Context, project: &Project) -> Result<Connection, Failure> {
    let question = state::first_question(&project.settings);
    connect_and_ask(context, &project.root, Some(&question)).await
}

async fn connect_and_ask(
    context: &Context,
    root: &Path,
    question: Option<&str>,
) -> Result<Connection, Failure> {
    let connection = connect_requested(context, root, question).await?;
    cancel_when_given_up(connection.connector());
    if context.reports_waits {
        lock_wait::report(context.ui, connection.connector());
    }
    Ok(connection)
}

async fn connect_requested(
    context: &Context,
    root: &Path,
    question: Option<&str>,
) -> Result<Connection, Failure> {
    match requested_url(context) {
        Some(EMBEDDED) => embedded(context, root).await,
        Some(url) => Box::pin(unless_interrupted(connect::connect(context, url, question))).await,
        None if !libpq_target().is_empty() => {
            let message = format!("no database URL was given, but {}", libpq_target().join(", "));
            Err(Failure::new(Code::NoDatabaseUrl, format!("{message} would choose a database for libpq")).hint(
                "pass --database-url postgresql:// to use PGHOST, PGPORT, PGUSER and PGDATABASE, or --database-url embedded for \
                 the private server",
            ))
        }
        None if in_ci() => Err(Failure::new(
            Code::NoDatabaseUrl,
            "no database URL was given, and the private server is not started in CI",
        )
        .hint("set DATABASE_URL, or pass --database-url embedded")),
        None => {
            let note =
                "no DATABASE_URL: using the project's private server (`tenure dev url` prints its URL)";
            if root.join(".env").is_file() {
                context.ui.note(&format!("{note}; `.env` is read only with `--env-file .env`"));
            } else {
                context.ui.note(note);
            }
            embedded(context, root).await
        }
    }
}

/// Loads the project for a command that needs a database. If the files do not form a chain, checks in the
/// database whether an applied file is missing.
pub(super) async fn project(context: &Context) -> Result<Project, Failure> {
    let (project, missing_file) = project_or_partial(context).await?;
    missing_file.map_or(Ok(project), Err)
}

/// Like [`project`], but if an applied file is missing, returns the remaining project and that failure.
pub(super) async fn project_or_partial(context: &Context) -> Result<(Project, Option<Failure>), Failure> {
    let root = context.root()?;
    let loaded = root.clone().load_with_failures();
    let Some(failure) = loaded.failures.into_iter().next() else { return Ok((loaded.project, None)) };
    if !matches!(
        failure.code,
        Code::ChainGap | Code::NoMigrations | Code::ScopeUnclear | Code::TemplateInvalid
    ) {
        return Err(failure);
    }
    // Invalid files are no reason to start the private server.
    let private = !matches!(requested_url(context), Some(url) if url != EMBEDDED);
    if private && !Persistent::of(&root.path, &environment())?.is_running().await {
        return Err(failure);
    }
    let Ok(mut connection) = connect(context, &root.path).await else { return Err(failure) };
    let missing_file = migrate::missing_file(&mut connection, &root).await;
    connection.close().await;
    match missing_file {
        Ok(Some(missing_file)) => Ok((loaded.project, Some(missing_file))),
        Ok(None) | Err(_) => Err(failure),
    }
}

/// Connects for a command that needs no migration files.
pub(super) async fn connect_root(context: &Context, root: &Root) -> Result<Connection, Failure> {
    connect(context, &root.path).await
}

/// Rejects an empty `--database-url`: an unset variable in a script must not select the private server.
pub(super) fn check_database_url(context: &Context) -> Result<(), Failure> {
    match context.global.database_url.as_deref() {
        Some(url) if url.trim().is_empty() => Err(Failure::new(Code::DatabaseUrl, "--database-url is empty")
            .hint("pass a URL, or `--database-url embedded` for the project's private server")),
        Some(_) | None => Ok(()),
    }
}

/// The URL that was given, unless it selects the private server.
pub(super) fn given_url(context: &Context) -> Option<&str> {
    requested_url(context).filter(|url| *url != EMBEDDED)
}

/// The URL of the project's private server if it is running.
pub(super) async fn running_private_server(root: &Path) -> Option<DatabaseUrl> {
    let server = Persistent::of(root, &environment()).ok()?;
    if server.is_running().await { DatabaseUrl::parse(&server.url()).ok() } else { None }
}

/// The database URL of the flag or the environment.
fn requested_url(context: &Context) -> Option<&str> {
    context.global.database_url.as_deref().map(str::trim)
}

async fn embedded(context: &Context, root: &Path) -> Result<Connection, Failure> {
    let server = Persistent::of(root, &environment())?;
    if server.start().await? == Started::Now {
        context.ui.note("started the private server; `tenure dev stop` stops it");
    }
    let connection = Connection::open(&DatabaseUrl::parse(&server.url())?).await?;
    Ok(connection.of_restricted_role(server.role()?))
}

/// Whether `CI` is set to a true value.
fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|ci| !matches!(ci.as_str(), "" | "0" | "false"))
}
