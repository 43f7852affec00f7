//! `tenure migrate up`

use schemars::JsonSchema;
use serde::Serialize;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::args::{Format, Limits};
use super::dry_run::{self, DryRunArgs};
use super::events::{self, Events};
use super::shadow::{self, ShadowArgs, ShadowExtensions};
use super::ui::{self, Outcome};
use super::{Context, command_line, database, restore, stop_on_signals};
use crate::chain::Step;
use crate::chain::{Reach, Version};
use crate::error::{Code, Failure};
use crate::event::Sink;
use crate::executor::{OnFailure, Request, RetryPolicy};
use crate::ident::Slug;
use crate::migrate::text::Unfinished;
use crate::migrate::{self, Denied, Planned, Verdict};
use crate::output::Text;
use crate::postgres::metadata::RunStatus;
use crate::project::{EffectsByFile, Project, Review};
use crate::settings::Migrate;
use crate::tenant;
use crate::verify::format;
use crate::verify::{Finding, Lowered};

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(super) struct UpArgs {
    /// Target version [default: the latest]
    #[arg(long, value_name = "VERSION")]
    to: Option<Version>,
    /// Show the steps without running them
    #[arg(long)]
    plan: bool,
    /// Migrate only this tenant, up to the next step that needs the platform; repeatable
    #[arg(long, value_name = "SLUG", conflicts_with = "platform_only")]
    tenant: Vec<String>,
    /// Migrate only the platform
    #[arg(long)]
    platform_only: bool,
    /// Run the steps on a temporary private server first and check their effects
    #[arg(long)]
    shadow: bool,
    /// Number of parallel tenant connections [default: based on cores and free connections, at most 16]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    jobs: Option<u16>,
    /// Migrate N tenants first; continue only if they all succeed
    #[arg(long, value_name = "N", default_value_t = 0)]
    canary: usize,
    /// Succeed without changes if the database is ahead of this checkout
    #[arg(long)]
    allow_newer: bool,
    /// How to proceed after a tenant fails
    #[arg(long, value_enum, default_value = "stop", value_name = "WHAT")]
    on_failure: OnFailureArg,
    /// Retries per unit after a lock timeout, a deadlock or a lost connection
    #[arg(long, value_name = "N", default_value_t = RetryPolicy::USUAL.retries)]
    retries: u32,
    /// Append events to this file as JSON lines; `-` writes them to stdout, the result as the last one
    #[arg(long, value_name = "FILE")]
    pub(super) events: Option<PathBuf>,
    /// Neon only: create a branch of the current database first, for a restore
    #[arg(long, conflicts_with_all = ["plan", "branch"])]
    restore_branch: bool,
    #[command(flatten)]
    limits: Limits,
    #[command(flatten)]
    pub(super) extensions: ShadowExtensions,
    #[command(flatten)]
    pub(super) dry_run: DryRunArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum OnFailureArg {
    /// Start no further tenants
    Stop,
    /// Continue with the other tenants; the platform's next step still waits
    Continue,
}

impl UpArgs {
    /// Whether the events go to stdout.
    pub(super) fn streams_events(&self) -> bool {
        self.events.as_deref() == Some(Path::new(events::STDOUT))
    }
}

pub(super) async fn run(context: &Context, args: &UpArgs) -> Result<u8, Failure> {
    if args.streams_events() && !context.ui.writes_events() {
        return Err(Failure::new(Code::Usage, "--events - and --format json both write to stdout")
            .hint("omit --format json: the last event is the result"));
    }
    if let Some(provider) = args.dry_run.branch {
        return Box::pin(dry_run::run(context, args, provider)).await;
    }
    let project = database::project(context).await?;
    let request = request(args, &project)?;
    let limits = request.limits;
    let mut connection = database::connect_for_state(context, &project).await?;
    let verdict = migrate::verify(&mut connection, &project, request, async |pending| {
        if !args.shadow {
            return Ok(EffectsByFile::new());
        }
        let extensions = args.extensions.clone();
        let wanted = ShadowArgs { shadow: true, extensions, ..ShadowArgs::default() };
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
    context.ui.notes(&plan.search_path_notes(&mut connection, &project).await?);
    if args.restore_branch && !plan.is_empty() {
        Box::pin(restore::branch(context, &project.settings, &connection)).await?;
    }
    let mut events = Events::open(context.ui.progress(), args.events.as_deref())?;
    let stop = stop_on_signals(context.ui);
    let talk = (&mut events as &mut dyn Sink, &stop);
    let migrated = migrate::run(&mut connection, &project, &plan, &command_line("migrate up"), talk).await?;
    drop(events);
    if !migrated.notices.is_empty() {
        context.ui.note_text(&migrate::text::notices(&migrated.notices, context.ui.stderr_paint()));
    }
    // Check the pool last, after a complete run.
    if plan.has_pool() && matches!(migrated.outcome, RunStatus::Done | RunStatus::Nothing) {
        context.ui.notes(&tenant::pool::reprove(&mut connection, &project, limits).await);
    }
    connection.close().await;
    let went = if migrated.failures.is_empty() { Outcome::Done } else { Outcome::Failed };
    context
        .ui
        .outcome(went, &migrated, |paint| migrate::text::migrated(&migrated, Unfinished::Resumed, paint))?;
    Ok(migrated.outcome.exit_code())
}

/// The keys next to the failure of a refused `migrate up`.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Refused<'a> {
    findings: &'a [Finding],
    /// The lowered settings.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    lowered: &'a [Lowered],
    /// The refused steps, with `--plan`.
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<&'a [Step]>,
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
        limits: Migrate {
            allow_newer: args.allow_newer || project.settings.migrate.allow_newer,
            ..args.limits.or(project.settings.migrate)
        },
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
    if !(review.findings.is_empty() && review.lowered.is_empty()) {
        context.ui.note_text(&findings_text(context, review));
    }
}

fn findings_text(context: &Context, review: &Review) -> Text {
    format::findings(&review.findings, &review.lowered, &review.summary, context.ui.stderr_paint())
}

/// Prints all findings, and the plan if requested.
pub(super) fn refuse(context: &Context, denied: &Denied, planned: Option<&Planned>) -> Result<u8, Failure> {
    let Denied { review, failure, .. } = denied;
    match context.ui.format {
        Format::Human => {
            if let Some(planned) = planned {
                ui::print(&migrate::text::planned(planned, context.ui.stdout_paint()))?;
            }
            ui::print_error(&findings_text(context, review));
            context.ui.note("refused: nothing was written");
        }
        Format::Json => {
            if context.ui.writes_events() {
                ui::print_error(&findings_text(context, review));
            }
            let (findings, lowered) = (review.findings.as_slice(), review.lowered.as_slice());
            let steps = planned.map(|planned| planned.steps.as_slice());
            context.ui.failure_with(failure, &Refused { findings, lowered, steps });
        }
    }
    Ok(failure.class().exit_code())
}
