//! Which database: the one that was named, or the project's private server.

use super::signals::cancel_when_given_up;
use super::{Context, connect, unless_interrupted};
use crate::error::{Code, Failure};
use crate::migrate;
use crate::postgres::server::{Environment, Persistent, Started};
use crate::postgres::{Connection, DatabaseUrl};
use crate::project::{Project, Root};

/// What people write for the project's private server.
pub(super) const EMBEDDED: &str = "embedded";

/// What the private server wants to know of the environment.
pub(super) fn environment() -> Environment {
    Environment {
        bindir: std::env::var_os("TENURE_PG_BINDIR").filter(|folder| !folder.is_empty()).map(Into::into),
        path: std::env::var_os("PATH"),
        temp: std::env::var_os("TMPDIR").map(Into::into),
    }
}

/// Connects to the database that `--database-url` or `DATABASE_URL` names, or, outside CI, to the
/// project's private server, which is started if need be.
pub(super) async fn connect(context: &Context, root: &std::path::Path) -> Result<Connection, Failure> {
    let connection = connect_named(context, root).await?;
    cancel_when_given_up(connection.connector());
    Ok(connection)
}

async fn connect_named(context: &Context, root: &std::path::Path) -> Result<Connection, Failure> {
    let url = match named(context) {
        Some(EMBEDDED) => embedded(context, root).await?,
        Some(url) => return Box::pin(unless_interrupted(connect::connect(context, url))).await,
        None if in_ci() => {
            return Err(Failure::new(
                Code::NoDatabaseUrl,
                "no database was named, and in CI none is started",
            )
            .hint("set DATABASE_URL, or say --database-url embedded"));
        }
        None => {
            context
                .ui
                .note("no DATABASE_URL: using the project's private server (`tenure dev url` names it)");
            embedded(context, root).await?
        }
    };
    Connection::open(&url).await
}

/// Reads the project for a verb that needs a database too. Where the files are no chain, the database may
/// know why: a file that was applied is gone.
pub(super) async fn project(context: &Context) -> Result<Project, Failure> {
    let (project, gone) = project_or_what_is_left(context).await?;
    gone.map_or(Ok(project), Err)
}

/// The same for a verb that only shows: where an applied file is gone, what is left of the project, and that failure.
pub(super) async fn project_or_what_is_left(
    context: &Context,
) -> Result<(Project, Option<Failure>), Failure> {
    let root = context.root()?;
    let loaded = root.clone().load_with_failures();
    let Some(failure) = loaded.failures.into_iter().next() else { return Ok((loaded.project, None)) };
    if !matches!(
        failure.code,
        Code::ChainGap | Code::NoMigrations | Code::ScopeUnclear | Code::TemplateInvalid
    ) {
        return Err(failure);
    }
    // Wrong files are no reason to start a server.
    let private = !matches!(named(context), Some(url) if url != EMBEDDED);
    if private && !Persistent::of(&root.path, &environment())?.is_running().await {
        return Err(failure);
    }
    let Ok(mut connection) = connect(context, &root.path).await else { return Err(failure) };
    let gone = migrate::gone(&mut connection, &root).await;
    connection.close().await;
    match gone {
        Ok(Some(gone)) => Ok((loaded.project, Some(gone))),
        Ok(None) | Err(_) => Err(failure),
    }
}

/// Connects for a verb that needs no migration files.
pub(super) async fn connect_root(context: &Context, root: &Root) -> Result<Connection, Failure> {
    connect(context, &root.path).await
}

/// Refuses the flag without a value: a script's variable that is not set is no wish for the private server, which is
/// another database than the one that was meant.
pub(super) fn check_name(context: &Context) -> Result<(), Failure> {
    match context.global.database_url.as_deref() {
        Some(url) if url.trim().is_empty() => Err(Failure::new(Code::DatabaseUrl, "--database-url is empty")
            .hint("give it a URL; `--database-url embedded` is the project's private server")),
        Some(_) | None => Ok(()),
    }
}

/// The database that a flag or the environment names.
fn named(context: &Context) -> Option<&str> {
    context.global.database_url.as_deref().map(str::trim)
}

async fn embedded(context: &Context, root: &std::path::Path) -> Result<DatabaseUrl, Failure> {
    let server = Persistent::of(root, &environment())?;
    if server.start().await? == Started::Now {
        context.ui.note("the private server is started; `tenure dev stop` stops it");
    }
    DatabaseUrl::parse(&server.url(crate::postgres::server::DATABASE))
}

/// CI systems set CI to something true.
fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|ci| !matches!(ci.as_str(), "" | "0" | "false"))
}
