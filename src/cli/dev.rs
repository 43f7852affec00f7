//! `tenure dev start|stop|reset|psql|url`: the project's private server

use schemars::JsonSchema;
use serde::Serialize;
use std::os::unix::process::CommandExt as _;

use clap::Subcommand;

use super::{Context, database};
use crate::error::{Code, Failure};
use crate::ident::Identifier;
use crate::output::Text;
use crate::postgres::server::{Persistent, Started, Stopped};
use crate::program::{self, Needs};
use crate::project::Root;

#[derive(Debug, Subcommand)]
pub(super) enum Dev {
    /// Start the private server; it runs until it is stopped
    Start {
        /// Also create an extension that needs a superuser, if the database is empty; repeatable
        #[arg(long = "extension", value_name = "NAME")]
        extensions: Vec<String>,
    },
    /// Stop the private server
    Stop,
    /// Stop the server and delete its data
    Reset,
    /// Open psql on the private server
    Psql {
        /// Arguments for psql
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Print the private server's URL
    Url,
}

fn server(context: &Context) -> Result<Persistent, Failure> {
    // Invalid settings must not prevent stopping the server.
    let folder = Root::folder(context.global.project.as_deref(), &context.here)?;
    Persistent::of(&folder, &database::environment())
}

pub(super) async fn run(context: &Context, verb: Dev) -> Result<u8, Failure> {
    match verb {
        Dev::Start { extensions } => start(context, &extensions).await,
        Dev::Stop => stop(context).await,
        Dev::Reset => reset(context).await,
        Dev::Psql { args } => psql(context, &args).await,
        Dev::Url => url(context),
    }
}

/// The result of `dev start`.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct DevStarted<'a> {
    running: bool,
    /// Whether it was not running before.
    started: bool,
    url: &'a str,
}

/// The result of `dev stop`.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct DevStopped {
    running: bool,
    /// Whether it was running before.
    stopped: bool,
}

/// The result of `dev reset`.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct DevReset {
    running: bool,
    reset: bool,
}

/// The result of `dev url`.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct DevUrl<'a> {
    url: &'a str,
}

async fn start(context: &Context, extensions: &[String]) -> Result<u8, Failure> {
    let extensions = extensions.iter().map(Identifier::new).collect::<Result<Vec<_>, _>>()?;
    let server = server(context)?;
    let started = server.start().await?;
    server.create_extensions(&extensions).await?;
    let url = server.url();
    let document = DevStarted { running: true, started: started == Started::Now, url: &url };
    context.ui.result(&document, |paint| {
        let word = if started == Started::Now { "started" } else { "already running" };
        Text::of_line(format_args!("{}: {url}", paint.good(word)))
    })?;
    Ok(0)
}

async fn stop(context: &Context) -> Result<u8, Failure> {
    let stopped = server(context)?.stop().await?;
    let document = DevStopped { running: false, stopped: stopped == Stopped::Now };
    context.ui.result(&document, |paint| {
        let word = if stopped == Stopped::Now { "stopped" } else { "not running" };
        Text::of_line(paint.good(word))
    })?;
    Ok(0)
}

async fn reset(context: &Context) -> Result<u8, Failure> {
    let server = server(context)?;
    context.ui.confirm("delete all data of the project's private server")?;
    server.reset().await?;
    let document = DevReset { running: false, reset: true };
    context
        .ui
        .result(&document, |paint| Text::of_line(format_args!("{}: data deleted", paint.good("done"))))?;
    Ok(0)
}

async fn psql(context: &Context, args: &[String]) -> Result<u8, Failure> {
    let server = server(context)?;
    let psql = server.binaries().psql().ok_or_else(|| {
        Failure::new(Code::NoServerBinaries, "psql was not found in the folder of the server programs")
            .hint("install PostgreSQL's client programs, such as the package postgresql-client")
    })?;
    server.start().await?;
    let mut command = program::command(psql, Needs::Terminal);
    command.arg(server.url()).args(args);
    // psql replaces this process, so it owns the exit code and the terminal.
    let error = command.exec();
    Err(Failure::new(Code::Io, format!("starting psql: {error}")))
}

fn url(context: &Context) -> Result<u8, Failure> {
    let url = server(context)?.url();
    let document = DevUrl { url: &url };
    context.ui.result(&document, |_paint| Text::of_line(&url))?;
    Ok(0)
}
