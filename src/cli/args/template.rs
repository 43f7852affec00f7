//! `tenure template …`

use clap::{Args, Subcommand};

use super::ReportArgs;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Template {
    /// Verify the templates and list the shared tables that creating a tenant locks
    Check(CheckArgs),
    /// Write a new template version for the latest version and prove that it creates the same tenant
    Squash(SquashArgs),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CheckArgs {
    /// Create a tenant from each template on a temporary private server; always done if a template has
    /// several versions, which must create the same tenant
    #[arg(long, conflicts_with = "shadow_url")]
    pub(in crate::cli) shadow: bool,
    /// Like --shadow, on this database; it must be empty and all its contents are deleted
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) shadow_url: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) report: ReportArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct SquashArgs {
    /// Template [default: from the settings]
    pub(in crate::cli) name: Option<String>,
    /// Replace the old files instead of writing a new folder
    #[arg(long)]
    pub(in crate::cli) replace: bool,
    /// Use this database instead of a temporary private server; it must be empty and all its contents are
    /// deleted
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) shadow_url: Option<String>,
}
