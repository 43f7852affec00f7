//! `tenure tenant pool …`: schemas created in advance.

use clap::{Args, Subcommand};

use super::Limits;
use crate::executor::RetryPolicy;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Pool {
    /// Create schemas in advance until the pool has N at the platform's version
    Fill(FillArgs),
    /// List the pool's schemas
    List,
    /// Drop the pool's schemas
    Drain(DrainArgs),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct FillArgs {
    /// Target size of the pool
    #[arg(value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub(in crate::cli) wanted: u32,
    /// Template [default: from the settings]
    #[arg(long)]
    pub(in crate::cli) template: Option<String>,
    /// Number of parallel connections [default: based on cores and free connections, at most 16]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(in crate::cli) jobs: Option<u16>,
    /// Retries per schema after a lock timeout, a deadlock or a lost connection
    #[arg(long, value_name = "N", default_value_t = RetryPolicy::USUAL.retries)]
    pub(in crate::cli) retries: u32,
    #[command(flatten)]
    pub(in crate::cli) limits: Limits,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct DrainArgs {
    /// Drop only schemas of this template
    #[arg(long)]
    pub(in crate::cli) template: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) limits: Limits,
}
