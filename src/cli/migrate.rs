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
    /// Verify the pending migrations, then run them
    Up(UpArgs),
    /// Create the next migration file
    New(NewArgs),
    /// Show applied migrations with time and user
    History(HistoryArgs),
    /// Declare the version of an existing database
    Baseline {
        /// Current version of the database; must be in the chain
        #[arg(value_name = "VERSION")]
        at: Version,
    },
    /// Accept applied migrations whose files were edited or deleted; shows them, asks (`--yes` in scripts), changes no schema
    Repair,
}

pub(super) async fn run(context: &Context, verb: Migrate) -> Result<u8, Failure> {
    match verb {
        Migrate::Up(args) => up::run(context, &args).await,
        Migrate::New(args) => new::run(context, &args).await,
        Migrate::History(args) => history::run(context, &args).await,
        Migrate::Baseline { at } => baseline::run(context, &at).await,
        Migrate::Repair => repair::run(context).await,
    }
}
