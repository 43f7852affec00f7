//! `tenure migrate …`

use clap::Subcommand;

use super::history::{self, HistoryArgs};
use super::new::{self, NewArgs};
use super::up::{self, UpArgs};
use super::{Context, baseline, repair};
use crate::chain::Version;
use crate::error::Failure;

#[derive(Debug, Subcommand)]
pub(super) enum Migrate {
    /// Verify what is pending, then run it
    Up(UpArgs),
    /// Write the next migration's file
    New(NewArgs),
    /// Show what was run, when and by whom
    History(HistoryArgs),
    /// Declare the version of a database that was made by other means
    Baseline {
        /// The version of the chain that the database is at
        #[arg(value_name = "VERSION")]
        at: Version,
    },
    /// Accept applied migrations that were edited or are gone
    Repair,
}

pub(super) async fn run(context: &Context, verb: Migrate) -> Result<u8, Failure> {
    match verb {
        Migrate::Up(args) => up::run(context, &args).await,
        Migrate::New(args) => new::run(context, &args),
        Migrate::History(args) => history::run(context, &args).await,
        Migrate::Baseline { at } => baseline::run(context, &at).await,
        Migrate::Repair => repair::run(context).await,
    }
}
