//! `tenure migrate up --branch`: a dry run on a temporary copy of the database.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::branch::{self, AtNeon, ProviderArg};
use super::events::Events;
use super::ui::Outcome;
use super::up::{self, UpArgs};
use super::{Context, command_line, database, io, unless_interrupted};
use crate::branch::{Notify, Provider as _, Urls};
use crate::dry_run::{self, Listener, Outcome as Tried, Trial};
use crate::error::Failure;
use crate::postgres::ConnectPolicy;
use crate::project::Review;
use crate::shadow::{MissingExtension, ShadowRequest};

/// A dry run on a branch.
#[derive(Debug, Args)]
#[command(next_help_heading = "Dry run on a branch")]
pub(super) struct DryRunArgs {
    /// Run the migrations on a temporary copy of the database and report the locks of each statement; the
    /// database itself is not changed
    #[arg(long, value_enum, value_name = "PROVIDER", conflicts_with = "plan")]
    pub(super) branch: Option<ProviderArg>,
    /// Keep the branch and print its URL
    #[arg(long, requires = "branch")]
    pub(super) keep_branch: bool,
    /// Queries of the running release that must still work, as for verify; repeatable
    #[arg(long, value_name = "PATH", requires = "branch")]
    pub(super) queries: Vec<PathBuf>,
    /// Also write a Markdown report for a pull request to this file; contains no URLs
    #[arg(long, value_name = "FILE", requires = "branch")]
    pub(super) report: Option<PathBuf>,
}

pub(super) async fn run(context: &Context, args: &UpArgs, provider: ProviderArg) -> Result<u8, Failure> {
    // Report an unwritable file before creating a branch.
    let report = args.dry_run.report.as_deref().map(|path| create(&context.here.join(path))).transpose()?;
    let tried = tried(context, args, provider).await;
    let text = match &tried {
        Ok(Tried::Denied(denied)) => dry_run::text::denied_markdown(&denied.review),
        Ok(Tried::Run(run)) => dry_run::text::dry_run_markdown(run),
        Err(failure) => dry_run::text::no_dry_run_markdown(failure.code),
    };
    if let Some(mut file) = report
        && let Err(error) = file.write_all(text.as_str().as_bytes())
    {
        context.ui.note(&format!("writing the report failed: {error}"));
    }
    match tried? {
        Tried::Denied(denied) => up::refuse(context, &denied, None),
        Tried::Run(run) => {
            let impact = run.branch.breaks_queries();
            let is_good = run.migrated.failures.is_empty() && !impact;
            let went = if is_good { Outcome::Done } else { Outcome::Failed };
            let ui = if args.dry_run.keep_branch { context.ui.revealing() } else { context.ui };
            ui.outcome(went, &*run, |paint| dry_run::text::dry_run(&run, paint))?;
            Ok(match run.migrated.outcome.exit_code() {
                0 => u8::from(impact),
                code => code,
            })
        }
    }
}

fn create(path: &Path) -> Result<File, Failure> {
    File::create(path).map_err(|error| io(path, &error))
}

async fn tried(context: &Context, args: &UpArgs, provider: ProviderArg) -> Result<Tried, Failure> {
    let project = context.project()?;
    // Report invalid requests before creating a branch.
    project.chain.check_starts_at_zero()?;
    let environment = database::environment();
    let extensions = args.extensions.of(&project);
    let trial = Trial {
        request: up::request(args, &project)?,
        release: project.release(&context.here, &args.dry_run.queries)?,
        keep_branch: args.dry_run.keep_branch,
        connect_policy: ConnectPolicy::times(context.global.connect_attempts),
        shadow: ShadowRequest {
            url: None,
            extensions: &extensions,
            missing: MissingExtension::Refused,
            environment: &environment,
        },
        command: &command_line("migrate up --branch"),
    };
    let mut events = Events::open(context.ui.progress(), args.events.as_deref())?;
    let settings = branch::overlaid(project.settings.clone())?;
    let provider =
        branch::provider(context, &settings, provider.into(), &AtNeon { project_id: None }).await?;
    let wanted = branch::wanted(&settings, provider.kind(), None, None)?;
    let tried = dry_run::on_branch(&project, trial, (provider, wanted), context, &mut events);
    unless_interrupted(Box::pin(tried)).await
}

impl Listener for Context {
    fn tell(&self) -> Notify {
        branch::tell(self.ui)
    }

    fn urls(&self, urls: &Urls) {
        branch::mask(urls);
    }

    fn found(&self, review: &Review) {
        up::tell(self, review);
    }
}
