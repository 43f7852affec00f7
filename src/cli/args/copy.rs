//! `tenure tenant adopt|clone|export|import`.

use std::path::PathBuf;

use clap::Args;

use super::Limits;
use crate::chain::Version;

#[derive(Debug, Args)]
pub(in crate::cli) struct AdoptArgs {
    /// Name of the existing schema
    pub(in crate::cli) schema: String,
    /// Slug of the new tenant
    #[arg(long)]
    pub(in crate::cli) slug: String,
    /// Current version of the schema; must be in the chain
    #[arg(long)]
    pub(in crate::cli) version: Version,
    /// Display name, if the registry has no row yet [default: the slug]
    #[arg(long)]
    pub(in crate::cli) name: Option<String>,
    /// Template to compare with [default: from the settings]
    #[arg(long)]
    pub(in crate::cli) template: Option<String>,
    /// Template parameter with which the schema was created; repeatable
    #[arg(long, value_name = "KEY=VALUE", value_parser = crate::cli::args::tenant::parse_key_value)]
    pub(in crate::cli) set: Vec<(String, String)>,
    /// Adopt the schema even if it differs
    #[arg(long)]
    pub(in crate::cli) force: bool,
    #[command(flatten)]
    pub(in crate::cli) limits: Limits,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CloneArgs {
    /// Slug of the existing tenant
    pub(in crate::cli) source: String,
    /// Slug of the new tenant
    pub(in crate::cli) target: String,
    /// Display name of the new tenant [default: its slug]
    #[arg(long)]
    pub(in crate::cli) name: Option<String>,
    /// Also copy the rows, from one snapshot
    #[arg(long)]
    pub(in crate::cli) data: bool,
    #[command(flatten)]
    pub(in crate::cli) limits: Limits,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ExportArgs {
    /// Slug of the tenant
    pub(in crate::cli) slug: String,
    /// Output file, replaced if it exists; - for stdout
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) to: PathBuf,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ImportArgs {
    /// File to import; - for stdin
    pub(in crate::cli) file: PathBuf,
    /// Import under another slug, as a new tenant with its own ID
    #[arg(long = "as", value_name = "SLUG")]
    pub(in crate::cli) slug: Option<String>,
    /// Import even if PostgreSQL prints a definition differently than at export
    #[arg(long)]
    pub(in crate::cli) force: bool,
    #[command(flatten)]
    pub(in crate::cli) limits: Limits,
}
