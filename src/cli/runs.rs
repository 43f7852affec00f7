//! `tenure run list`, `tenure run show`

use clap::{Args, Subcommand, ValueEnum};

use super::args::Format;
use super::{Context, database, ui};
use crate::error::Failure;
use crate::output::Text;
use crate::postgres::metadata::state;
use crate::runs::{self, RunId};

#[derive(Debug, Subcommand)]
pub(super) enum RunVerb {
    /// List the newest runs
    List {
        /// Maximum number of runs
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        limit: u32,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Show a run's units, failures by cause and slowest tenants
    Show {
        /// ID of the run, or its first characters
        #[arg(value_name = "ID")]
        id: RunId,
        #[command(flatten)]
        output: OutputArgs,
    },
}

#[derive(Debug, Clone, Copy, Args)]
pub(super) struct OutputArgs {
    /// Output format on stdout [default: the value of --format]
    #[arg(long, value_enum, value_name = "FORMAT")]
    output: Option<OutputArg>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OutputArg {
    /// Text
    Human,
    /// One JSON document
    Json,
    /// One row for each run, or for each unit of a run
    Csv,
}

pub(super) async fn run(context: &Context, verb: RunVerb) -> Result<u8, Failure> {
    let (RunVerb::List { output: OutputArgs { output }, .. }
    | RunVerb::Show { output: OutputArgs { output }, .. }) = verb;
    let ui = match output {
        Some(OutputArg::Json) => context.ui.with_format(Format::Json),
        Some(OutputArg::Human | OutputArg::Csv) => context.ui.with_format(Format::Human),
        None => context.ui,
    };
    let is_csv = output == Some(OutputArg::Csv);
    let shown = async {
        let root = context.root()?;
        let platform = root.settings.platform_schema();
        let mut connection = database::connect_root(context, &root).await?;
        let has_tables = state::presence(&mut connection, &root.settings).await?.own_tables;
        match verb {
            RunVerb::List { limit, .. } => {
                let list = runs::list(&mut connection, &platform, limit, has_tables).await?;
                connection.close().await;
                if is_csv {
                    return ui::print(&Text::of_lines(&list.csv()?));
                }
                ui.result(&list, |paint| runs::text::list(&list, paint))
            }
            RunVerb::Show { id, .. } => {
                let details = runs::show(&mut connection, &platform, &id, has_tables).await?;
                connection.close().await;
                if is_csv {
                    return ui::print(&Text::of_lines(&details.csv()?));
                }
                ui.result(&details, |paint| runs::text::details(&details, paint))
            }
        }
    };
    match shown.await {
        Ok(()) => Ok(0),
        Err(failure) => {
            ui.failure(&failure);
            Ok(failure.class().exit_code())
        }
    }
}
