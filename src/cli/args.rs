//! The command line (clap): the arguments of every command and those that several share. A command's own arguments are in its
//! file. The doc comments are the `--help` texts.

use std::path::PathBuf;

use clap::{Args, Parser, ValueEnum};

use super::Command;
use crate::postgres::ConnectPolicy;
use crate::settings::{LockTimeout, Migrate, StatementTimeout};

/// Migrations and tenant provisioning for PostgreSQL databases with one schema per tenant.
///
/// One chain of files migrations/vX_to_vY_name.sql migrates the shared platform schema and every tenant
/// schema. Each step on each schema runs in one transaction. Tenure refuses a migration that would break
/// the running release before it changes the database.
#[derive(Debug, Parser)]
#[command(name = "tenure", version, max_term_width = 100)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    /// None shows the project's state.
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

/// Flags of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// The project folder: contains tenure.toml or migrations/ [default: the current folder or its nearest matching parent]
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
    /// Read environment variables from this file; those that are set already keep their values
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) env_file: Option<PathBuf>,
    /// Number of connection attempts, with increasing pauses
    #[arg(
        long,
        global = true,
        value_name = "N",
        env = "TENURE_CONNECT_ATTEMPTS",
        hide_env_values = true,
        default_value_t = ConnectPolicy::DEFAULT.attempts,
        value_parser = clap::value_parser!(u32).range(1..=100)
    )]
    pub(super) connect_attempts: u32,
    /// Connect through a transaction pooler even if the server's direct address is known
    #[arg(long, global = true)]
    pub(super) allow_pooled: bool,
    /// Output format on stdout: text, or exactly one JSON document
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "human",
        env = "TENURE_FORMAT",
        hide_env_values = true
    )]
    pub(super) format: Format,
    /// When to use colors
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "WHEN")]
    pub(super) color: Color,
    /// Print less to stderr
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// Print more to stderr; repeat for debug logs
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
    /// Skip the confirmation prompt of destructive commands; required without a terminal
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

/// Limits of a unit; they override the settings.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Limits {
    /// Maximum wait for a lock, such as 5s; 0s disables the limit
    #[arg(long, value_name = "DURATION")]
    lock_timeout: Option<LockTimeout>,
    /// Maximum run time of a statement, such as 10m; 0s disables the limit
    #[arg(long, value_name = "DURATION")]
    statement_timeout: Option<StatementTimeout>,
}

impl Limits {
    /// The limits of the flags, else those of the settings.
    pub(super) fn or(self, settings: Migrate) -> Migrate {
        Migrate {
            lock_timeout: self.lock_timeout.unwrap_or(settings.lock_timeout),
            statement_timeout: self.statement_timeout.unwrap_or(settings.statement_timeout),
            ..settings
        }
    }
}
