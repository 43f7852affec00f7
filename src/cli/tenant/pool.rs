//! `tenure tenant pool fill|list|drain`

use super::super::args::{DrainArgs, FillArgs, Pool};
use super::super::ui::Outcome;
use super::super::{Context, command_line, database, stop_on_signals, up};
use crate::error::Failure;
use crate::executor::RetryPolicy;
use crate::tenant;
use crate::tenant::pool::{self, Draining, Filling};

pub(in crate::cli) async fn pool(context: &Context, verb: &Pool) -> Result<u8, Failure> {
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
        limits: up::limits(args.limits, project.settings.migrate),
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
        limits: up::limits(args.limits, project.settings.migrate),
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
