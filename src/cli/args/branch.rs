//! `tenure branch …`: database branches.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::branch::{BranchName, Kind};
use crate::settings::{Age, Expiry};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum BranchVerb {
    /// Create a branch, or reset an existing one to its parent's current state; print its URL
    Create(CreateBranchArgs),
    /// List the branches that Tenure created
    List(ListBranchArgs),
    /// Delete a branch that Tenure created; succeeds if it does not exist
    Delete(DeleteBranchArgs),
    /// Delete old branches that Tenure created
    Gc(GcArgs),
}

/// A provider of branches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ProviderArg {
    /// A branch of a Neon project; needs NEON_API_KEY, and NEON_PROJECT_ID or a .neon file
    Neon,
    /// A copy of the database on the same server
    Local,
}

impl From<ProviderArg> for Kind {
    fn from(arg: ProviderArg) -> Self {
        match arg {
            ProviderArg::Neon => Self::Neon,
            ProviderArg::Local => Self::Local,
        }
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CreateBranchArgs {
    /// Branch name [default: from the pull request number, else random]
    #[arg(value_parser = BranchNameParser)]
    pub(in crate::cli) name: Option<BranchName>,
    /// Branch provider
    #[arg(long, value_enum)]
    pub(in crate::cli) provider: ProviderArg,
    /// Branch or database to copy [default: from the settings, else the project's default branch or the
    /// database in the URL]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) parent: Option<String>,
    /// Time until the branch is deleted automatically, such as 1h [default: from the settings, else 2h]
    #[arg(long, value_name = "DURATION")]
    pub(in crate::cli) expires: Option<Expiry>,
    /// Copy no rows except the schemas' versions
    #[arg(long)]
    pub(in crate::cli) schema_only: bool,
    #[command(flatten)]
    pub(in crate::cli) at: AtNeon,
}

/// The Neon project.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct AtNeon {
    /// Neon project ID [default: NEON_PROJECT_ID, else from the .neon file]
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) project_id: Option<String>,
}

/// The provider and project whose branches are listed or deleted.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct ProviderArgs {
    /// Branch provider [default: neon if NEON_API_KEY is set, else local]
    #[arg(long, value_enum)]
    pub(in crate::cli) provider: Option<ProviderArg>,
    #[command(flatten)]
    pub(in crate::cli) at: AtNeon,
}

/// A dry run on a branch.
#[derive(Debug, Args)]
#[command(next_help_heading = "Dry run on a branch")]
pub(in crate::cli) struct DryRunArgs {
    /// Run the migrations on a temporary copy of the database and report the locks of each statement; the
    /// database itself is not changed
    #[arg(long, value_enum, value_name = "PROVIDER", conflicts_with = "plan")]
    pub(in crate::cli) branch: Option<ProviderArg>,
    /// Keep the branch and print its URL
    #[arg(long, requires = "branch")]
    pub(in crate::cli) keep_branch: bool,
    /// Queries of the running release that must still work, as for verify; repeatable
    #[arg(long, value_name = "PATH", requires = "branch")]
    pub(in crate::cli) queries: Vec<PathBuf>,
    /// Also write a Markdown report for a pull request to this file; contains no URLs
    #[arg(long, value_name = "FILE", requires = "branch")]
    pub(in crate::cli) report: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ListBranchArgs {
    #[command(flatten)]
    pub(in crate::cli) provider_args: ProviderArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct DeleteBranchArgs {
    /// Branch name [default: from the pull request number]
    #[arg(value_parser = BranchNameParser)]
    pub(in crate::cli) name: Option<BranchName>,
    #[command(flatten)]
    pub(in crate::cli) provider_args: ProviderArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct GcArgs {
    /// Prefix of the branch names
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) prefix: String,
    /// Minimum age, such as 1d
    #[arg(long, value_name = "DURATION")]
    pub(in crate::cli) older_than: Age,
    #[command(flatten)]
    pub(in crate::cli) provider_args: ProviderArgs,
}

/// Parses a branch name. clap's own parser would repeat the value, which may be a URL with a password.
#[derive(Debug, Clone, Copy)]
struct BranchNameParser;

impl clap::builder::TypedValueParser for BranchNameParser {
    type Value = BranchName;

    fn parse_ref(
        &self,
        command: &clap::Command,
        _argument: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<BranchName, clap::Error> {
        let invalid = |why: String| {
            clap::Error::raw(clap::error::ErrorKind::InvalidValue, format!("{why}\n")).with_cmd(command)
        };
        value
            .to_str()
            .ok_or_else(|| invalid("the branch name is not valid UTF-8".to_owned()))?
            .parse()
            .map_err(invalid)
    }
}
