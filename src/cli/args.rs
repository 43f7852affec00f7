//! The command line, as clap reads it. The doc comments are `--help`.
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
    Whose,
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
        default_value_t = ConnectPolicy::DEFAULT.attempts,
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

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Move the platform and every tenant along the chain of migrations
    #[command(subcommand)]
    Migrate(Migrate),
    /// Show where the platform and the tenants are
    Status(StatusArgs),
    /// Make and look at tenants
    #[command(subcommand)]
    Tenant(Tenant),
    /// Look at the tenant templates
    #[command(subcommand)]
    Template(Template),
    /// Judge migrations and templates by their text, without a database
    Verify(VerifyArgs),
    /// Explain a rule or an error code, with examples
    Explain(ExplainArgs),
    /// Compare every tenant's schema with what its version says
    Drift(DriftArgs),
    /// The queries that the running release sends
    #[command(subcommand)]
    Queries(Queries),
    /// Copies of a database to try things on
    #[command(subcommand)]
    Branch(BranchVerb),
    /// Begin a project: settings, a first migration, a tenant template
    Init,
    /// Show the main job end to end, in a folder and on a private server of its own
    Demo(DemoArgs),
    /// Run the project's private server
    #[command(subcommand)]
    Dev(Dev),
    /// Look at the server, the role and the connection, and say what is not as it should be
    Doctor,
    /// How to get back to just before a run
    RestorePoint {
        /// The run's id; one that is not known shows the newest [default: the newest that changed something]
        #[arg(value_name = "RUN")]
        run: Option<String>,
    },
    /// Write a completion script for a shell to stdout
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the man pages into a folder
    Man {
        /// The folder; it is made if it is missing
        dir: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Migrate {
    /// Verify what is pending, then run it
    Up(UpArgs),
    /// Write the next migration's file
    New(NewArgs),
    /// Show what was run, when and by whom
    History(HistoryArgs),
    /// Declare the version of a database that was made by other means
    Baseline {
        /// The version of the chain that the database is at
        #[arg(value_name = "VERSION")]
        at: Version,
    },
    /// Accept applied migrations that were edited or are gone
    Repair,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(super) struct UpArgs {
    /// Stop at this version [default: the chain's end]
    #[arg(long, value_name = "VERSION")]
    pub(super) to: Option<Version>,
    /// Write nothing; show the steps
    #[arg(long)]
    pub(super) plan: bool,
    /// Only this tenant, as far as it can go before the platform must move; may be repeated
    #[arg(long, value_name = "SLUG", conflicts_with = "platform_only")]
    pub(super) tenant: Vec<String>,
    /// Only the platform; tenants are left for later
    #[arg(long)]
    pub(super) platform_only: bool,
    /// Run the steps on a private server first, which is made for it, and judge what they do there
    #[arg(long)]
    pub(super) shadow: bool,
    /// How many connections work on tenants [default: by cores and free connections, at most 16]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(super) jobs: Option<u16>,
    /// So many tenants go first, alone; the others follow if all is well
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) canary: usize,
    /// What a tenant that fails means for the others
    #[arg(long, value_enum, default_value = "stop", value_name = "WHAT")]
    pub(super) on_failure: OnFailureArg,
    /// How often a unit is tried again that met a lock, a deadlock or a lost connection
    #[arg(long, value_name = "N", default_value_t = RetryPolicy::USUAL.retries)]
    pub(super) retries: u32,
    /// Add what happens to this file, as JSON lines
    #[arg(long, value_name = "FILE")]
    pub(super) events: Option<PathBuf>,
    /// At Neon: first make a branch of the database as it is, to go back to
    #[arg(long, conflicts_with_all = ["plan", "branch"])]
    pub(super) restore_branch: bool,
    #[command(flatten)]
    pub(super) limits: Limits,
    #[command(flatten)]
    pub(super) dry_run: DryRunArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum OnFailureArg {
    /// No further tenant is begun
    Stop,
    /// The others go on; the platform waits all the same
    Continue,
}

/// The limits of a unit; the settings' where they are not given.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Limits {
    /// How long a statement waits for a lock, such as 5s; 0s for ever
    #[arg(long, value_name = "DURATION")]
    pub(super) lock_timeout: Option<LockTimeout>,
    /// How long a statement may run, such as 10m; 0s for ever
    #[arg(long, value_name = "DURATION")]
    pub(super) statement_timeout: Option<StatementTimeout>,
}

#[derive(Debug, Args)]
pub(super) struct NewArgs {
    /// What it does, in a few words
    pub(super) name: String,
    /// Whose its statements are; they say it themselves where the names are known
    #[arg(long, value_enum)]
    pub(super) scope: Option<ScopeArg>,
    /// Which part of the version grows
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
    /// A tenant's history instead of the platform's
    #[arg(long, value_name = "SLUG")]
    pub(super) tenant: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// List every tenant
    #[arg(long)]
    pub(super) tenants: bool,
    /// Exit with 1 when anything is behind
    #[arg(long)]
    pub(super) check: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Queries {
    /// Write down the queries that the server has seen, from pg_stat_statements
    Capture(CaptureArgs),
}

#[derive(Debug, Args)]
pub(super) struct CaptureArgs {
    /// The file to write [default: stdout]
    #[arg(long, value_name = "FILE")]
    pub(super) to: Option<PathBuf>,
    /// Its form [default: by the file's name, else csv]
    #[arg(long, value_enum, value_name = "FORM")]
    pub(super) output: Option<ExportArg>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ExportArg {
    Csv,
    Json,
}

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// Files to judge [default: the whole chain and the templates]
    pub(super) files: Vec<PathBuf>,
    /// SQL that makes the schema on which a file outside of the migrations is judged; may be repeated
    #[arg(long, value_name = "FILE", requires = "files")]
    pub(super) base: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) shadow: ShadowArgs,
    /// What is written to stdout [default: as --format says]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(super) output: Option<OutputArg>,
    /// Judge nothing; list the rules, with the level that each has here
    #[arg(long, conflicts_with = "files")]
    pub(super) rules: bool,
}

/// What the migrations are watched on, and by whose queries.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct ShadowArgs {
    /// Run the migrations on a private server, which is made for it, and judge what they do there
    #[arg(long, conflicts_with_all = ["shadow_url", "rules"])]
    pub(super) shadow: bool,
    /// The same on this database, which must be empty; all that it holds is thrown away
    #[arg(long, value_name = "URL", conflicts_with = "rules")]
    pub(super) shadow_url: Option<String>,
    /// Queries of the running release that must go on working there: .sql, .sqlx/query-*.json, an export of
    /// pg_stat_statements, or a folder of such files; may be repeated
    #[arg(long, value_name = "PATH", conflicts_with = "rules")]
    pub(super) queries: Vec<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum OutputArg {
    /// The lines, with what is wrong under them
    Human,
    /// One JSON document
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// Annotations of GitHub Actions
    Github,
    /// A comment for a pull request
    Markdown,
}

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// A rule, such as drop-column, or an error code, such as chain-gap
    #[arg(value_name = "RULE")]
    pub(super) name: String,
}

#[derive(Debug, Args)]
pub(super) struct DriftArgs {
    /// Only this tenant; may be repeated
    #[arg(long, value_name = "SLUG")]
    pub(super) tenant: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// The folder to make; one that an earlier demo made is made anew
    #[arg(long, value_name = "DIR", default_value = "tenure-demo")]
    pub(super) dir: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(super) enum Dev {
    /// Start the private server; it goes on until it is stopped
    Start,
    /// Stop it
    Stop,
    /// Stop it and delete its data
    Reset,
    /// Open psql on it
    Psql {
        /// Arguments for psql
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Print its URL, for other programs
    Url,
}
