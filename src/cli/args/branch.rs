//! `tenure branch …`: copies of a database to try things on.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::branch::{BranchName, Kind};
use crate::settings::{Age, Expiry};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum BranchVerb {
    /// Make a branch, or make one of ours as its parent is now; its URL is the result
    Create(CreateBranchArgs),
    /// List the branches that Tenure made
    List(ListBranchArgs),
    /// Delete a branch that Tenure made; one that is gone already is no failure
    Delete(DeleteBranchArgs),
    /// Delete the branches that Tenure made and nobody needs any more
    Gc(GcArgs),
}

/// Who makes branches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ProviderArg {
    /// A branch of a Neon project: NEON_API_KEY, and NEON_PROJECT_ID or a .neon file
    Neon,
    /// A copy of a database on its own server
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
    /// Its name [default: by the number of the pull request, else by chance]
    #[arg(value_parser = BranchNames)]
    pub(in crate::cli) name: Option<BranchName>,
    /// Who makes it
    #[arg(long, value_enum)]
    pub(in crate::cli) provider: ProviderArg,
    /// What it is a copy of [default: the settings', else the project's default branch, or the database that
    /// is named]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) parent: Option<String>,
    /// How long it lives when nobody deletes it, such as 1h [default: the settings', else 2h]
    #[arg(long, value_name = "DURATION")]
    pub(in crate::cli) expires: Option<Expiry>,
    /// Copy no rows but those that say at which versions the schemas are
    #[arg(long)]
    pub(in crate::cli) schema_only: bool,
    #[command(flatten)]
    pub(in crate::cli) at: AtNeon,
}

/// Which project at Neon.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct AtNeon {
    /// The project at Neon [default: NEON_PROJECT_ID, else what a .neon file says]
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) project_id: Option<String>,
}

/// Whose branches.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct Whose {
    /// Who made them [default: neon where NEON_API_KEY is set, else local]
    #[arg(long, value_enum)]
    pub(in crate::cli) provider: Option<ProviderArg>,
    #[command(flatten)]
    pub(in crate::cli) at: AtNeon,
}

/// A dry run on a branch.
#[derive(Debug, Args)]
#[command(next_help_heading = "On a branch")]
pub(in crate::cli) struct DryRunArgs {
    /// Do it on a copy of the database, which is made for it and deleted again: measure what each statement locks and
    /// for how long, and leave the database as it is
    #[arg(long, value_enum, value_name = "PROVIDER", conflicts_with = "plan")]
    pub(in crate::cli) branch: Option<ProviderArg>,
    /// Leave the branch there, and show its URL
    #[arg(long, requires = "branch")]
    pub(in crate::cli) keep_branch: bool,
    /// Queries of the running release that must go on working there, as for verify; may be repeated
    #[arg(long, value_name = "PATH", requires = "branch")]
    pub(in crate::cli) queries: Vec<PathBuf>,
    /// Write what was seen into this file too, as Markdown for a pull request, without any address
    #[arg(long, value_name = "FILE", requires = "branch")]
    pub(in crate::cli) report: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ListBranchArgs {
    #[command(flatten)]
    pub(in crate::cli) whose: Whose,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct DeleteBranchArgs {
    /// Its name [default: by the number of the pull request]
    #[arg(value_parser = BranchNames)]
    pub(in crate::cli) name: Option<BranchName>,
    #[command(flatten)]
    pub(in crate::cli) whose: Whose,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct GcArgs {
    /// What their names begin with
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) prefix: String,
    /// How long ago they were made at least, such as 1d
    #[arg(long, value_name = "DURATION")]
    pub(in crate::cli) older_than: Age,
    #[command(flatten)]
    pub(in crate::cli) whose: Whose,
}

/// Reads a branch's name. The parser's own message would repeat what is wrong, and that may be a URL with a password.
#[derive(Debug, Clone, Copy)]
struct BranchNames;

impl clap::builder::TypedValueParser for BranchNames {
    type Value = BranchName;

    fn parse_ref(
        &self,
        command: &clap::Command,
        _argument: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<BranchName, clap::Error> {
        let wrong = |why: String| {
            clap::Error::raw(clap::error::ErrorKind::InvalidValue, format!("{why}\n")).with_cmd(command)
        };
        value
            .to_str()
            .ok_or_else(|| wrong("the name of a branch is no text".to_owned()))?
            .parse()
            .map_err(wrong)
    }
}
