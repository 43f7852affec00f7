//! The arguments of the command line (clap). The doc comments are the `--help` texts.
#![expect(clippy::doc_markdown, reason = "the doc comments are read on a terminal")]

mod branch;
mod copy;
mod lifecycle;
mod pool;
mod template;
mod tenant;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(super) use self::branch::{
    AtNeon, BranchVerb, CreateBranchArgs, DeleteBranchArgs, DryRunArgs, GcArgs, ListBranchArgs, ProviderArg,
    ProviderArgs,
};
pub(super) use self::copy::{AdoptArgs, CloneArgs, ExportArgs, ImportArgs};
pub(super) use self::lifecycle::{DropArgs, ListArgs, RenameArgs, ShowArgs, UndropArgs};
pub(super) use self::pool::{DrainArgs, FillArgs, Pool};
pub(super) use self::template::{CheckArgs, SquashArgs, Template};
pub(super) use self::tenant::{AuditArgs, CreateArgs, GrantArgs, LoginArgs, OneTenant, Tenant};
use crate::chain::Version;
use crate::executor::RetryPolicy;
use crate::postgres::ConnectPolicy;
use crate::settings::{LockTimeout, StatementTimeout};

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
    #[command(subcommand)]
    pub(super) command: Command,
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

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Migrate the platform and all tenants
    #[command(subcommand)]
    Migrate(Migrate),
    /// Show the versions of the platform and the tenants
    Status(StatusArgs),
    /// Create, inspect and change tenants
    #[command(subcommand)]
    Tenant(Tenant),
    /// Check and squash tenant templates
    #[command(subcommand)]
    Template(Template),
    /// Check migrations and templates for unsafe changes, without a database
    Verify(VerifyArgs),
    /// Explain a rule or an error code, with examples
    Explain(ExplainArgs),
    /// Compare each tenant's schema with the schema that its version defines
    Drift(DriftArgs),
    /// Capture the queries of the running release
    #[command(subcommand)]
    Queries(Queries),
    /// Create and delete database branches (copies)
    #[command(subcommand)]
    Branch(BranchVerb),
    /// Create a project: settings, a first migration, a tenant template
    Init,
    /// Run an end-to-end example in a new folder, on its own private server
    Demo(DemoArgs),
    /// Manage the project's private server
    #[command(subcommand)]
    Dev(Dev),
    /// Check the server, the role and the connection for problems
    Doctor,
    /// Show how to restore the database to its state before a run
    RestorePoint {
        /// ID of the run; an unknown ID lists recent runs [default: the latest run that changed something]
        #[arg(value_name = "RUN")]
        run: Option<String>,
    },
    /// Print a shell completion script
    Completions {
        /// Name of the shell
        shell: clap_complete::Shell,
    },
    /// Write the man pages to a folder
    Man {
        /// Target folder; created if missing
        dir: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Migrate {
    /// Verify the pending migrations, then run them
    Up(UpArgs),
    /// Create the next migration file
    New(NewArgs),
    /// Show applied migrations with time and user
    History(HistoryArgs),
    /// Declare the version of an existing database
    Baseline {
        /// Current version of the database; must be in the chain
        #[arg(value_name = "VERSION")]
        at: Version,
    },
    /// Accept applied migrations whose files were edited or deleted
    Repair,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(super) struct UpArgs {
    /// Target version [default: the latest]
    #[arg(long, value_name = "VERSION")]
    pub(super) to: Option<Version>,
    /// Show the steps without running them
    #[arg(long)]
    pub(super) plan: bool,
    /// Migrate only this tenant, up to the next step that needs the platform; repeatable
    #[arg(long, value_name = "SLUG", conflicts_with = "platform_only")]
    pub(super) tenant: Vec<String>,
    /// Migrate only the platform
    #[arg(long)]
    pub(super) platform_only: bool,
    /// Run the steps on a temporary private server first and check their effects
    #[arg(long)]
    pub(super) shadow: bool,
    /// Number of parallel tenant connections [default: based on cores and free connections, at most 16]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(super) jobs: Option<u16>,
    /// Migrate N tenants first; continue only if they all succeed
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) canary: usize,
    /// How to proceed after a tenant fails
    #[arg(long, value_enum, default_value = "stop", value_name = "WHAT")]
    pub(super) on_failure: OnFailureArg,
    /// Retries per unit after a lock timeout, a deadlock or a lost connection
    #[arg(long, value_name = "N", default_value_t = RetryPolicy::USUAL.retries)]
    pub(super) retries: u32,
    /// Append events to this file as JSON lines
    #[arg(long, value_name = "FILE")]
    pub(super) events: Option<PathBuf>,
    /// Neon only: create a branch of the current database first, for a restore
    #[arg(long, conflicts_with_all = ["plan", "branch"])]
    pub(super) restore_branch: bool,
    #[command(flatten)]
    pub(super) limits: Limits,
    #[command(flatten)]
    pub(super) dry_run: DryRunArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum OnFailureArg {
    /// Start no further tenants
    Stop,
    /// Continue with the other tenants; the platform's next step still waits
    Continue,
}

/// Limits of a unit; they override the settings.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Limits {
    /// Maximum wait for a lock, such as 5s; 0s disables the limit
    #[arg(long, value_name = "DURATION")]
    pub(super) lock_timeout: Option<LockTimeout>,
    /// Maximum run time of a statement, such as 10m; 0s disables the limit
    #[arg(long, value_name = "DURATION")]
    pub(super) statement_timeout: Option<StatementTimeout>,
}

#[derive(Debug, Args)]
pub(super) struct NewArgs {
    /// Short description, such as "add phone"
    pub(super) name: String,
    /// Scope of all statements [default: derived from the names in each statement]
    #[arg(long, value_enum)]
    pub(super) scope: Option<ScopeArg>,
    /// Version part to increment
    #[arg(long, value_enum, default_value = "patch")]
    pub(super) bump: BumpArg,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ScopeArg {
    Platform,
    Tenant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum BumpArg {
    Major,
    Minor,
    Patch,
}

#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    /// Show this tenant's history instead of the platform's
    #[arg(long, value_name = "SLUG")]
    pub(super) tenant: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// List every tenant
    #[arg(long)]
    pub(super) tenants: bool,
    /// Exit with code 1 if the platform or a tenant is not up to date
    #[arg(long)]
    pub(super) check: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Queries {
    /// Export the queries recorded by pg_stat_statements
    Capture(CaptureArgs),
}

#[derive(Debug, Args)]
pub(super) struct CaptureArgs {
    /// Output file [default: stdout]
    #[arg(long, value_name = "FILE")]
    pub(super) to: Option<PathBuf>,
    /// Output format [default: from the file extension, else csv]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(super) output: Option<ExportArg>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ExportArg {
    Csv,
    Json,
}

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// Files to check [default: all migrations and templates]
    pub(super) files: Vec<PathBuf>,
    /// SQL that creates the schema for checking a file outside migrations/; repeatable
    #[arg(long, value_name = "FILE", requires = "files")]
    pub(super) base: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) shadow: ShadowArgs,
    #[command(flatten)]
    pub(super) report: ReportArgs,
    /// List the rules with their levels in this project
    #[arg(long, conflicts_with = "files")]
    pub(super) rules: bool,
}

/// The shadow database and the release's queries.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct ShadowArgs {
    /// Run the migrations on a temporary private server and check their effects
    #[arg(long, conflicts_with_all = ["shadow_url", "rules"])]
    pub(super) shadow: bool,
    /// Like --shadow, on this database; it must be empty and all its contents are deleted
    #[arg(long, value_name = "URL", conflicts_with = "rules")]
    pub(super) shadow_url: Option<String>,
    /// Queries of the running release that must still work: .sql, .sqlx/query-*.json, an export of
    /// pg_stat_statements, or a folder with such files; repeatable
    #[arg(long, value_name = "PATH", conflicts_with = "rules")]
    pub(super) queries: Vec<PathBuf>,
}

/// How findings are written.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct ReportArgs {
    /// What is written to stdout [default: as --format says]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(super) output: Option<OutputArg>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum OutputArg {
    /// Source lines with annotations
    Human,
    /// One JSON document
    Json,
    /// SARIF 2.1.0 for code scanning
    Sarif,
    /// GitHub Actions annotations
    Github,
    /// Pull request comment
    Markdown,
}

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// Rule, such as drop-column, or error code, such as chain-gap
    #[arg(value_name = "RULE")]
    pub(super) name: String,
}

#[derive(Debug, Args)]
pub(super) struct DriftArgs {
    /// Compare only this tenant; repeatable
    #[arg(long, value_name = "SLUG")]
    pub(super) tenant: Vec<String>,
    #[command(flatten)]
    pub(super) report: ReportArgs,
}

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Folder to create; a folder of an earlier demo is replaced
    #[arg(long, value_name = "DIR", default_value = "tenure-demo")]
    pub(super) dir: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(super) enum Dev {
    /// Start the private server; it runs until it is stopped
    Start,
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
