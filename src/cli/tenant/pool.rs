//! `tenure tenant pool fill|list|drain`

use clap::{Args, Subcommand};

use crate::cli::args::Limits;
use crate::cli::ui::Outcome;
use crate::cli::{Context, command_line, database, stop_on_signals};
use crate::error::Failure;
use crate::executor::RetryPolicy;
use crate::tenant;
use crate::tenant::pool::{self, Draining, Filling};

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
    wanted: u32,
    /// Template [default: from the settings]
    #[arg(long)]
    template: Option<String>,
    /// Number of parallel connections [default: based on cores and free connections, at most 16]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    jobs: Option<u16>,
    /// Retries per schema after a lock timeout, a deadlock or a lost connection
    #[arg(long, value_name = "N", default_value_t = RetryPolicy::USUAL.retries)]
    retries: u32,
    #[command(flatten)]
    limits: Limits,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct DrainArgs {
    /// Drop only schemas of this template
    #[arg(long)]
    template: Option<String>,
    #[command(flatten)]
    limits: Limits,
}

pub(super) async fn run(context: &Context, verb: &Pool) -> Result<u8, Failure> {
    match verb {
        Pool::Fill(args) => fill(context, args).await,
        Pool::List => list(context).await,
        Pool::Drain(args) => drain(context, args).await,
    }
}

async fn fill(context: &Context, args: &FillArgs) -> Result<u8, Failure> {
    let project = database::project(context).await?;
    let filling = Filling {
        requested: usize::try_from(args.wanted).unwrap_or(usize::MAX),
        template: args.template.clone(),
        jobs: args.jobs.map(usize::from),
        limits: args.limits.or(project.settings.migrate),
        retry_policy: RetryPolicy { retries: args.retries },
        command: command_line("tenant pool fill"),
    };
    let mut connection = database::connect(context, &project.root).await?;
    let (mut progress, stop) = (context.ui.progress(), stop_on_signals(context.ui));
    let filled = pool::fill(&mut connection, &project, &filling, (&mut progress, &stop)).await?;
    connection.close().await;
    let ui_outcome = if filled.failures.is_empty() { Outcome::Done } else { Outcome::Failed };
    context.ui.outcome(ui_outcome, &filled, |paint| tenant::pool::text::pool_filled(&filled, paint))?;
    Ok(filled.outcome.exit_code())
}

async fn list(context: &Context) -> Result<u8, Failure> {
    let project = context.project()?;
    let mut connection = database::connect(context, &project.root).await?;
    let list = pool::list(&mut connection, &project).await?;
    connection.close().await;
    context.ui.result(&list, |paint| tenant::pool::text::pool_list(&list, paint))?;
    Ok(0)
}

async fn drain(context: &Context, args: &DrainArgs) -> Result<u8, Failure> {
    let project = database::project(context).await?;
    let draining = Draining {
        template: args.template.clone(),
        limits: args.limits.or(project.settings.migrate),
        command: command_line("tenant pool drain"),
    };
    let mut connection = database::connect(context, &project.root).await?;
    let stop = stop_on_signals(context.ui);
    let drained = pool::drain(&mut connection, &project, &draining, &stop).await?;
    connection.close().await;
    let ui_outcome = if drained.failures.is_empty() { Outcome::Done } else { Outcome::Failed };
    context.ui.outcome(ui_outcome, &drained, |paint| tenant::pool::text::pool_drained(&drained, paint))?;
    Ok(drained.outcome.exit_code())
}
