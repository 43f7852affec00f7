//! `tenure template …`

use clap::{Args, Subcommand};

use super::ReportArgs;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Template {
    /// Verify the templates, and show which shared tables are locked while a tenant is made
    Check(CheckArgs),
    /// Write a new version of a template at the chain's end, and prove that it makes the same tenant
    Squash(SquashArgs),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CheckArgs {
    /// Make a tenant of every template on a private server, which is made for it; done anyway where a
    /// template has several versions, which must make the same tenant
    #[arg(long, conflicts_with = "shadow_url")]
    pub(in crate::cli) shadow: bool,
    /// The same on this database, which must be empty; all that it holds is thrown away
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) shadow_url: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) report: ReportArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct SquashArgs {
    /// The template [default: the settings']
    pub(in crate::cli) name: Option<String>,
    /// Put the new files in the place of the old ones, not into a folder of their own
    #[arg(long)]
    pub(in crate::cli) replace: bool,
    /// Try it on this database, which must be empty, instead of a private server's; all that
    /// it holds is thrown away
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) shadow_url: Option<String>,
}
