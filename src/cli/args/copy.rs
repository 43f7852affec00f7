//! `tenure tenant adopt|clone|export|import`: tenants made of what is there.

use std::path::PathBuf;

use clap::Args;

use super::Limits;
use crate::chain::Version;

#[derive(Debug, Args)]
pub(in crate::cli) struct AdoptArgs {
    /// The schema as it is called
    pub(in crate::cli) schema: String,
    /// The slug that the tenant gets
    #[arg(long)]
    pub(in crate::cli) slug: String,
    /// The version of the chain that the schema is at
    #[arg(long)]
    pub(in crate::cli) version: Version,
    /// The display name, where the registry has no row yet [default: the slug]
    #[arg(long)]
    pub(in crate::cli) name: Option<String>,
    /// The template that it is compared with [default: the settings']
    #[arg(long)]
    pub(in crate::cli) template: Option<String>,
    /// The value of a parameter of the template that the schema was made with; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = crate::cli::args::tenant::key_and_value)]
    pub(in crate::cli) set: Vec<(String, String)>,
    /// Adopt it also where it is different
    #[arg(long)]
    pub(in crate::cli) force: bool,
    #[command(flatten)]
    pub(in crate::cli) limits: Limits,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CloneArgs {
    /// The slug of the tenant that there is
    pub(in crate::cli) source: String,
    /// The slug of the new one
    pub(in crate::cli) target: String,
    /// The display name of the new one [default: its slug]
    #[arg(long)]
    pub(in crate::cli) name: Option<String>,
    /// Copy the rows too, as they are at one moment
    #[arg(long)]
    pub(in crate::cli) data: bool,
    #[command(flatten)]
    pub(in crate::cli) limits: Limits,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ExportArgs {
    /// Its slug
    pub(in crate::cli) slug: String,
    /// The file, which is replaced if it is there; - for stdout
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) to: PathBuf,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ImportArgs {
    /// The file; - for stdin
    pub(in crate::cli) file: PathBuf,
    /// Another slug than the one that it was exported under; it is another tenant then, with an id of its own
    #[arg(long = "as", value_name = "SLUG")]
    pub(in crate::cli) slug: Option<String>,
    /// Import it also where PostgreSQL prints a definition in other words than before
    #[arg(long)]
    pub(in crate::cli) force: bool,
    #[command(flatten)]
    pub(in crate::cli) limits: Limits,
}
