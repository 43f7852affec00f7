//! What the verbs of a tenant's life take: renamed, put aside, brought back, deleted for good, looked at.

use clap::{Args, ValueEnum};

use super::Limits;
use crate::chain::Version;
use crate::postgres::metadata::TenantState;

#[derive(Debug, Args)]
pub(in crate::cli) struct RenameArgs {
    /// Its slug now
    #[arg(value_name = "OLD")]
    pub(in crate::cli) slug: String,
    /// Its new slug
    #[arg(value_name = "NEW")]
    pub(in crate::cli) new: String,
    /// A new display name too [default: the one that it has]
    #[arg(long)]
    pub(in crate::cli) name: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) limits: Limits,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct DropArgs {
    /// Its slug; with --purge the one that it had [default with --purge: all that were dropped long enough ago]
    #[arg(required_unless_present = "purge")]
    pub(in crate::cli) slug: Option<String>,
    /// Its slug once more, so that nobody has to be asked
    #[arg(long, value_name = "SLUG", requires = "slug")]
    pub(in crate::cli) confirm: Option<String>,
    /// Delete for good what was dropped longer ago than `[tenants] retention` says
    #[arg(long)]
    pub(in crate::cli) purge: bool,
    /// However short ago it was dropped
    #[arg(long, requires = "purge")]
    pub(in crate::cli) now: bool,
    /// Leave the row in the registry, which rows of other tables may refer to
    #[arg(long, requires = "purge")]
    pub(in crate::cli) keep_registry: bool,
    #[command(flatten)]
    pub(in crate::cli) limits: Limits,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct UndropArgs {
    /// The slug that it had; of several the one that was dropped last
    pub(in crate::cli) slug: String,
    /// Another slug than the one that it had
    #[arg(long = "as", value_name = "NEW")]
    pub(in crate::cli) new: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) limits: Limits,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    /// Only tenants in this state; may be repeated. Dropped and pooled ones are shown only when asked for
    #[arg(long, value_enum, value_name = "STATE")]
    pub(in crate::cli) status: Vec<StateArg>,
    /// Only tenants at this version
    #[arg(long, value_name = "VERSION")]
    pub(in crate::cli) at: Option<Version>,
    /// No more than so many; the JSON's `next` says where the next page begins
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) limit: Option<u32>,
    /// Only tenants behind this one, in order of slugs
    #[arg(long, value_name = "SLUG")]
    pub(in crate::cli) after: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum StateArg {
    Active,
    Suspended,
    Creating,
    Pooled,
    Dropped,
    Unknown,
}

impl From<StateArg> for TenantState {
    fn from(state: StateArg) -> Self {
        match state {
            StateArg::Active => Self::Active,
            StateArg::Suspended => Self::Suspended,
            StateArg::Creating => Self::Creating,
            StateArg::Pooled => Self::Pooled,
            StateArg::Dropped => Self::Dropped,
            StateArg::Unknown => Self::Unknown,
        }
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ShowArgs {
    /// Its slug
    pub(in crate::cli) slug: String,
    /// Count the rows of its tables, instead of the server's estimates
    #[arg(long)]
    pub(in crate::cli) count: bool,
    /// Say too how its schema differs from what its version says
    #[arg(long)]
    pub(in crate::cli) drift: bool,
}
