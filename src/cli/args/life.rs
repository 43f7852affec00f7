//! What the verbs of a tenant's life take: renamed, put aside, brought back, deleted for good, looked at.

use clap::Args;

use super::Limits;

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
