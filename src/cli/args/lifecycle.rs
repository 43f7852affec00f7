//! `tenure tenant rename|drop|undrop|list|show`.

use clap::{Args, ValueEnum};

use super::Limits;
use crate::chain::Version;
use crate::postgres::metadata::TenantState;

#[derive(Debug, Args)]
pub(in crate::cli) struct RenameArgs {
    /// Current slug
    #[arg(value_name = "OLD")]
    pub(in crate::cli) slug: String,
    /// New slug
    #[arg(value_name = "NEW")]
    pub(in crate::cli) new: String,
    /// New display name [default: unchanged]
    #[arg(long)]
    pub(in crate::cli) name: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) limits: Limits,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct DropArgs {
    /// Slug of the tenant; with --purge, its former slug [default with --purge: all tenants past the retention time]
    #[arg(required_unless_present = "purge")]
    pub(in crate::cli) slug: Option<String>,
    /// Repeat the slug to skip the confirmation prompt
    #[arg(long, value_name = "SLUG", requires = "slug")]
    pub(in crate::cli) confirm: Option<String>,
    /// Permanently delete dropped tenants older than `[tenants] retention`
    #[arg(long)]
    pub(in crate::cli) purge: bool,
    /// Ignore the retention time
    #[arg(long, requires = "purge")]
    pub(in crate::cli) now: bool,
    /// Keep the registry row, which other tables may reference
    #[arg(long, requires = "purge")]
    pub(in crate::cli) keep_registry: bool,
    #[command(flatten)]
    pub(in crate::cli) limits: Limits,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct UndropArgs {
    /// Former slug; if several tenants had it, the one dropped last
    pub(in crate::cli) slug: String,
    /// Restore under another slug
    #[arg(long = "as", value_name = "NEW")]
    pub(in crate::cli) new: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) limits: Limits,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    /// List only tenants in this state; repeatable. Dropped and pooled ones are hidden by default
    #[arg(long, value_enum, value_name = "STATE")]
    pub(in crate::cli) status: Vec<StateArg>,
    /// List only tenants at this version
    #[arg(long, value_name = "VERSION")]
    pub(in crate::cli) at: Option<Version>,
    /// Maximum number of tenants; pass `next` of the JSON result to --after for the next page
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) limit: Option<u32>,
    /// List only tenants whose slug sorts after this one
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
    /// Slug of the tenant
    pub(in crate::cli) slug: String,
    /// Count the rows instead of showing the server's estimates
    #[arg(long)]
    pub(in crate::cli) count: bool,
    /// Also compare the schema with the one that its version defines
    #[arg(long)]
    pub(in crate::cli) drift: bool,
}
