//! `tenure migrate up`

use super::args::{Format, Limits, OnFailureArg, ShadowArgs, UpArgs};
use super::events::Events;
use super::ui::{self, Outcome};
use super::{Context, command_line, database, dry_run, restore, shadow, stop_on_signals};
use crate::chain::Reach;
use crate::error::Failure;
use crate::event::Sink;
use crate::executor::{OnFailure, Request, RetryPolicy};
use crate::ident::Slug;
use crate::migrate::{self, Denied, Planned, Verdict};
use crate::postgres::metadata::RunStatus;
use crate::project::{EffectsByFile, Project, Review};
use crate::verify::format;
use crate::{settings, tenant};

pub(super) async fn run(context: &Context, args: &UpArgs) -> Result<u8, Failure> {
    if let Some(provider) = args.dry_run.branch {
        return Box::pin(dry_run::run(context, args, provider)).await;
    }
    let project = database::project(context).await?;
    let request = request(args, &project)?;
    let limits = request.limits;
    let mut connection = database::connect(context, &project.root).await?;
    let verdict = migrate::verify(&mut connection, &project, request, async |pending| {
        if !args.shadow {
            return Ok(EffectsByFile::new());
        }
        let wanted = ShadowArgs { shadow: true, ..ShadowArgs::default() };
        Ok(Box::pin(shadow::observe(context, &project, pending, &wanted)).await?.effects_by_file)
    });
    let plan = match verdict.await? {
        Verdict::Approved(plan) => plan,
        Verdict::Denied(denied) => return refuse(context, &denied, args.plan.then_some(&denied.planned)),
    };
    context.ui.notes(&plan.left_out(&project));
    if args.plan {
        let planned = plan.planned();
        context.ui.result(&planned, |paint| migrate::text::planned(&planned, paint))?;
        return Ok(0);
    }
    tell(context, plan.review());
    context.ui.notes(&plan.unreachable_extensions(&mut connection, &project).await?);
    if args.restore_branch && !plan.is_empty() {
        Box::pin(restore::branch(context, &project.settings, &connection)).await?;
    }
    let mut events = Events::open(context.ui.progress(), args.events.as_deref())?;
    let stop = stop_on_signals(context.ui);
    let talk = (&mut events as &mut dyn Sink, &stop);
    let migrated = migrate::run(&mut connection, &project, &plan, &command_line("migrate up"), talk).await?;
    // Nobody needs the pool sooner than what is left.
    if plan.has_pool() && matches!(migrated.outcome, RunStatus::Done | RunStatus::Nothing) {
        context.ui.notes(&tenant::pool::reprove(&mut connection, &project, limits).await);
    }
    connection.close().await;
    let went = if migrated.failures.is_empty() { Outcome::Done } else { Outcome::Failed };
    context.ui.outcome(went, &migrated, |paint| migrate::text::migrated(&migrated, paint))?;
    Ok(migrated.outcome.exit_code())
}

/// Builds the request from the flags.
pub(super) fn request(args: &UpArgs, project: &Project) -> Result<Request, Failure> {
    let tenants = args.tenant.iter().map(|slug| Slug::new(slug)).collect::<Result<Vec<_>, _>>()?;
    let reach = match (args.platform_only, tenants.is_empty()) {
        (true, _) => Reach::Platform,
        (false, false) => Reach::Tenants,
        (false, true) => Reach::Fleet,
    };
    Ok(Request {
        to: args.to.clone(),
        tenants,
        reach,
        limits: limits(args.limits, project.settings.migrate),
        jobs: args.jobs.map(usize::from),
        canary: args.canary,
        on_failure: match args.on_failure {
            OnFailureArg::Stop => OnFailure::Stop,
            OnFailureArg::Continue => OnFailure::Continue,
        },
        retry_policy: RetryPolicy { retries: args.retries },
    })
}

/// Prints findings that do not deny.
pub(super) fn tell(context: &Context, review: &Review) {
    if !review.findings.is_empty() {
        let paint = context.ui.stderr_paint();
        context.ui.note(format::findings(&review.findings, &review.summary, paint).trim_end());
    }
}

/// The settings' limits, where no flag says otherwise.
pub(super) fn limits(flags: Limits, settings: settings::Migrate) -> settings::Migrate {
    let Limits { lock_timeout, statement_timeout } = flags;
    settings::Migrate {
        lock_timeout: lock_timeout.unwrap_or(settings.lock_timeout),
        statement_timeout: statement_timeout.unwrap_or(settings.statement_timeout),
    }
}

/// Shows all findings, not just the first that denies; and the plan, where that was asked for.
pub(super) fn refuse(context: &Context, denied: &Denied, planned: Option<&Planned>) -> Result<u8, Failure> {
    let Denied { review, failure, .. } = denied;
    match context.ui.format {
        Format::Human => {
            if let Some(planned) = planned {
                ui::print(&migrate::text::planned(planned, context.ui.stdout_paint()))?;
            }
            let paint = context.ui.stderr_paint();
            ui::print_error(format::findings(&review.findings, &review.summary, paint).trim_end());
            context.ui.note("refused: nothing was written");
        }
        Format::Json => {
            let findings = serde_json::to_value(&review.findings).unwrap_or_default();
            let steps =
                planned.map(|planned| ("steps", serde_json::to_value(&planned.steps).unwrap_or_default()));
            context.ui.failure(failure, [("findings", findings)].into_iter().chain(steps));
        }
    }
    Ok(failure.class().exit_code())
}
