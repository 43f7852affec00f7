//! `tenure tenant pool …`: schemas that are made in advance.

use clap::{Args, Subcommand};

use super::Limits;
use crate::executor::RetryPolicy;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Pool {
    /// Make schemas in advance, until there are so many at the platform's version
    Fill(FillArgs),
    /// List the schemas that were made in advance
    List,
    /// Remove schemas that were made in advance
    Drain(DrainArgs),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct FillArgs {
    /// How many there are to be
    #[arg(value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub(in crate::cli) wanted: u32,
    /// The template [default: the settings']
    #[arg(long)]
    pub(in crate::cli) template: Option<String>,
    /// How many connections make them [default: by cores and free connections, at most 16]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(in crate::cli) jobs: Option<u16>,
    /// How often a schema is tried again that met a lock, a deadlock or a lost connection
    #[arg(long, value_name = "N", default_value_t = RetryPolicy::USUAL.retries)]
    pub(in crate::cli) retries: u32,
    #[command(flatten)]
    pub(in crate::cli) limits: Limits,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct DrainArgs {
    /// Only those of this template
    #[arg(long)]
    pub(in crate::cli) template: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) limits: Limits,
}
