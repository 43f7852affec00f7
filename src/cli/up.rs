//! `tenure migrate up`

use super::args::{Format, Limits, OnFailureArg, ShadowArgs, UpArgs};
use super::events::Events;
use super::ui::{self, Outcome};
use super::{Context, command_line, database, dry_run, restore, shadow, stop_on_signals};
use crate::chain::{Migration, Reach};
use crate::error::Failure;
use crate::executor::{self, Allowed, OnFailure, Prepared, Request, RetryPolicy};
use crate::ident::Slug;
use crate::migrate::{self, Planned};
use crate::postgres::metadata::RunStatus;
use crate::postgres::{Connection, extensions};
use crate::project::{Project, Review};
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
    let prepared = Prepared::look(&mut connection, &project, request).await?;
    let pending = prepared.pending(&project);
    let wanted = ShadowArgs { shadow: args.shadow, ..ShadowArgs::default() };
    let seen = if args.shadow {
        Box::pin(shadow::watch(context, &project, &pending, &wanted)).await?
    } else {
        shadow::Seen::default()
    };
    let review = Review::of(&project, pending.iter().copied(), [], &seen.witnesses)?;
    let planned = args.plan.then(|| Planned { steps: prepared.plan.steps.clone() });
    if let Some(denial) = review.denial() {
        return refuse(context, &review, &denial, planned.as_ref());
    }
    tell_what_is_left_out(context, &project, &prepared);
    if let Some(planned) = planned {
        context.ui.result(&planned, |paint| migrate::text::planned(&planned, paint))?;
        return Ok(0);
    }
    tell(context, &review);
    tell_of_extensions(context, &mut connection, &project, &pending).await?;
    if args.restore_branch && !prepared.plan.is_empty() {
        Box::pin(restore::branch(context, &project.settings, &connection)).await?;
    }
    let allowed = allowed(&pending, &review);
    let mut events = Events::open(context.ui.progress(), args.events.as_deref())?;
    let stop = stop_on_signals(context.ui);
    let command = command_line("migrate up");
    let migrated =
        executor::migrate(&mut connection, &project, &prepared, &allowed, &command, (&mut events, &stop))
            .await?;
    // Nobody needs the pool sooner than what is left.
    if !prepared.state.pool.is_empty() && matches!(migrated.outcome, RunStatus::Done | RunStatus::Nothing) {
        for note in tenant::pool::keep(&mut connection, &project, limits).await {
            context.ui.note(&note);
        }
    }
    connection.close().await;
    let went = if migrated.failures.is_empty() { Outcome::Done } else { Outcome::Failed };
    context.ui.outcome(went, &migrated, |paint| migrate::text::migrated(&migrated, paint))?;
    Ok(migrated.outcome.exit_code())
}

/// What the flags ask for.
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

/// Tells what was found and does not deny.
pub(super) fn tell(context: &Context, review: &Review) {
    if !review.findings.is_empty() {
        let paint = context.ui.stderr_paint();
        context.ui.note(format::findings(&review.findings, &review.summary, paint).trim_end());
    }
}

/// Tells what this run will not do, and nobody would notice.
fn tell_what_is_left_out(context: &Context, project: &Project, prepared: &Prepared) {
    let waiting = prepared.plan.waiting.clone();
    if let Some(first) = project.chain.migrations().get(waiting.start).filter(|_| !waiting.is_empty()) {
        context.ui.note(&format!(
            "{} for the platform, whose part of {} has to run first: `tenure migrate up` runs it, for all tenants",
            match waiting.len() {
                1 => "1 migration waits".to_owned(),
                several => format!("{several} migrations wait"),
            },
            first.file,
        ));
    }
    let unknown = prepared.unknown();
    if unknown > 0 {
        let (rows, them) = if unknown == 1 { ("row", "it") } else { ("rows", "them") };
        context.ui.note(&format!(
            "{unknown} {rows} of the registry without a version: nothing moves {them} until `tenure tenant adopt` does"
        ));
    }
}

/// Names the setting without which units do not find an extension that the files make, where the database has it, or
/// its control file puts it, elsewhere.
async fn tell_of_extensions(
    context: &Context,
    connection: &mut Connection,
    project: &Project,
    pending: &[&Migration],
) -> Result<(), Failure> {
    let made = pending.iter().flat_map(|migration| {
        migration.statements.iter().filter_map(|(statement, _)| statement.extension_made(&migration.script))
    });
    let made: Vec<String> = made.collect();
    if made.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = made.iter().map(String::as_str).collect();
    for (name, schema) in
        extensions::outside_search_path(connection, &names, &project.settings.shared_path()).await?
    {
        context.ui.note(&format!(
            "the extension {name} is in the schema {schema}, where units do not look: \
             [tenants] search_path = [\"{schema}\"] in tenure.toml adds it to their search path"
        ));
    }
    Ok(())
}

/// The findings that the files accept, for the history.
pub(super) fn allowed(pending: &[&Migration], review: &Review) -> Allowed {
    let json = |migration: &Migration| review.allowed_json(&migration.script.source.file);
    pending.iter().map(|migration| (migration.file.clone(), json(migration))).collect()
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
pub(super) fn refuse(
    context: &Context,
    review: &Review,
    denial: &Failure,
    planned: Option<&Planned>,
) -> Result<u8, Failure> {
    match context.ui.format {
        Format::Human => {
            if let Some(planned) = planned {
                ui::print(&migrate::text::planned(planned, context.ui.stdout_paint()))?;
            }
            let paint = context.ui.stderr_paint();
            ui::complain(format::findings(&review.findings, &review.summary, paint).trim_end());
            context.ui.note("refused: nothing was written");
        }
        Format::Json => {
            let findings = serde_json::to_value(&review.findings).unwrap_or_default();
            let steps =
                planned.map(|planned| ("steps", serde_json::to_value(&planned.steps).unwrap_or_default()));
            context.ui.failure(denial, [("findings", findings)].into_iter().chain(steps));
        }
    }
    Ok(denial.class().exit_code())
}
