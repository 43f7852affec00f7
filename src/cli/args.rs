//! The command line as clap reads it: what every verb takes, and what several take. A verb's own arguments stand in its
//! file. The doc comments are `--help`.

use std::path::PathBuf;

use clap::{Args, Parser, ValueEnum};

use super::Command;
use crate::postgres::ConnectPolicy;
use crate::settings::{LockTimeout, Migrate, StatementTimeout};

/// Migrations and provisioning for PostgreSQL products that give every customer a schema of its own.
///
/// One chain of files migrations/vX_to_vY_name.sql moves the shared platform schema and every tenant
/// schema, each step on each schema in one transaction. A migration that would break the release still
/// running is refused before it touches the database.
#[derive(Debug, Parser)]
#[command(name = "tenure", version, max_term_width = 100)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Flags that every verb takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Everywhere")]
pub(super) struct Global {
    /// The folder with tenure.toml or migrations/ [default: here, or the nearest parent that has one]
    #[arg(
        short = 'C',
        long,
        global = true,
        value_name = "DIR",
        env = "TENURE_PROJECT",
        hide_env_values = true
    )]
    pub(super) project: Option<PathBuf>,
    /// A PostgreSQL URL, or `embedded` for the project's private server
    #[arg(long, global = true, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    pub(super) database_url: Option<String>,
    /// How often a server that does not answer yet is tried, with growing pauses
    #[arg(
        long,
        global = true,
        value_name = "N",
        env = "TENURE_CONNECT_ATTEMPTS",
        hide_env_values = true,
        default_value_t = ConnectPolicy::USUAL.attempts,
        value_parser = clap::value_parser!(u32).range(1..=100)
    )]
    pub(super) connect_attempts: u32,
    /// Stay with a transaction pooler, also where the server's own address is known
    #[arg(long, global = true)]
    pub(super) allow_pooled: bool,
    /// What is written to stdout: text for people, or exactly one JSON document
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "human",
        env = "TENURE_FORMAT",
        hide_env_values = true
    )]
    pub(super) format: Format,
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "WHEN")]
    pub(super) color: Color,
    /// Say less on stderr
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// Say more on stderr; twice for much more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
    /// Answer yes to the question that a dangerous verb asks; required where there is no terminal
    #[arg(long, global = true)]
    pub(super) yes: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Human,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    Auto,
    Always,
    Never,
}

/// The limits of a unit; the settings' where they are not given.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Limits {
    /// How long a statement waits for a lock, such as 5s; 0s for ever
    #[arg(long, value_name = "DURATION")]
    lock_timeout: Option<LockTimeout>,
    /// How long a statement may run, such as 10m; 0s for ever
    #[arg(long, value_name = "DURATION")]
    statement_timeout: Option<StatementTimeout>,
}

impl Limits {
    /// The settings' limits, where no flag says otherwise.
    pub(super) fn or(self, settings: Migrate) -> Migrate {
        Migrate {
            lock_timeout: self.lock_timeout.unwrap_or(settings.lock_timeout),
            statement_timeout: self.statement_timeout.unwrap_or(settings.statement_timeout),
        }
    }
}
