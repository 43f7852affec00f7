//! `tenure migrate up --branch`: the same on a copy of the database, which is deleted again.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use super::args::{AtNeon, DryRunArgs, ProviderArg, ShadowArgs, UpArgs};
use super::events::Events;
use super::ui::{Outcome, complain};
use super::{Context, branch, command_line, io, shadow, unless_interrupted, up};
use crate::branch::{AnyProvider, Branch, BranchRequest, Guard, Kind, Provider as _};
use crate::chain::Migration;
use crate::dry_run::{self, BranchReport, DryRun, QueryBreak};
use crate::error::{Code, Failure};
use crate::executor::{Allowed, Prepared, Stop};
use crate::postgres::{ConnectPolicy, Connection, DatabaseUrl};
use crate::project::{Project, Review};
use crate::shadow::Shadow;
use crate::sql::Script;
use crate::verify::accepted;
use crate::verify::format::{self, Verified};

/// What came of it.
enum Tried {
    /// Verification refused it, so nothing was run.
    Denied(Box<(Review, Failure)>),
    /// It was run.
    Run(Box<DryRun>),
}

pub(super) async fn run(context: &Context, args: &UpArgs, provider: ProviderArg) -> Result<u8, Failure> {
    // What cannot be written is told before anything is made.
    let report = args.dry_run.report.as_deref().map(|path| create(&context.here.join(path))).transpose()?;
    let tried = tried(context, args, provider).await;
    let text = match &tried {
        Ok(Tried::Denied(denied)) => denied_markdown(&denied.0),
        Ok(Tried::Run(run)) => dry_run::text::dry_run_markdown(run),
        Err(failure) => dry_run::text::no_dry_run_markdown(failure.code),
    };
    if let Some(mut file) = report
        && let Err(error) = file.write_all(text.as_bytes())
    {
        context.ui.note(&format!("the report could not be written: {error}"));
    }
    match tried? {
        Tried::Denied(denied) => up::refuse(context, &denied.0, &denied.1, None),
        Tried::Run(run) => {
            let impact = run.branch.breaks_queries();
            let is_good = run.migrated.failures.is_empty() && !impact;
            let went = if is_good { Outcome::Done } else { Outcome::Failed };
            context.ui.outcome(went, &run, |paint| dry_run::text::dry_run(&run, paint))?;
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
    // What is wrong with what was asked for is told before anything is made.
    project.chain.begins_empty()?;
    let request = up::request(args, &project)?;
    let release = shadow::release(context, &project, &args.dry_run.queries)?;
    let events = Events::open(context.ui.progress(), args.events.as_deref())?;
    let settings = branch::overlaid(project.settings.clone())?;
    let provider =
        branch::provider(context, &settings, provider.into(), &AtNeon { project_id: None }).await?;
    let wanted = branch::wanted(&settings, provider.kind(), None, None)?;
    // Whatever ends this early, the guard deletes the branch.
    unless_interrupted(Box::pin(async {
        let on = Place { context, project: &project, args: &args.dry_run };
        // The shadow's server starts while the branch is made.
        let (made, shadow) = tokio::join!(on.branch(provider, wanted), shadow::a_shadow(&project, None));
        let (guard, url) = made?;
        let shadow = shadow?;
        let mut connection = on.connect(&url).await?;
        let prepared = Prepared::look(&mut connection, &project, request).await?;
        if guard.branch()?.0.kind() == Kind::Local
            && let Err(refused) = stays_in_its_database(&prepared.pending(&project))
        {
            connection.close().await;
            on.end(guard, None).await?;
            return Err(refused);
        }
        let (review, allowed) = match on.review(&prepared, shadow).await? {
            Ok(judged) => judged,
            Err(denied) => {
                connection.close().await;
                on.end(guard, None).await?;
                return Ok(Tried::Denied(denied));
            }
        };
        up::tell(context, &review);
        let accepting: Vec<_> =
            prepared.pending(&project).iter().map(|migration| migration.script.clone()).collect();
        let mut events = events;
        let talk = (&mut events as &mut dyn crate::event::Sink, &Stop::default());
        let told = (&allowed, command_line("migrate up --branch"));
        let seen =
            dry_run::run(&mut connection, &project, prepared, release.as_ref(), (told.0, &told.1), talk);
        let seen = Box::pin(seen).await;
        connection.close().await;
        on.is_still_there(&guard).await?;
        let mut seen = seen?;
        accept(&accepting, seen.queries.iter_mut().flat_map(|queries| &mut queries.broken));
        for note in &seen.notes {
            context.ui.note(note);
        }
        let (kind, branch) = {
            let (provider, branch) = guard.branch()?;
            (provider.kind().as_str(), branch.clone())
        };
        let deleted = on.end(guard, args.dry_run.keep_branch.then_some(&url)).await?;
        let branch = on.tried_on(branch, kind, (deleted, &url), &seen);
        Ok(Tried::Run(Box::new(DryRun { migrated: seen.migrated, branch })))
    }))
    .await
}

/// Marks what the lines of the pending files accept.
fn accept<'b>(pending: &[Script], broken: impl Iterator<Item = &'b mut QueryBreak>) {
    // What is only told needs nobody's word, so it uses up no line.
    let mut broken: Vec<_> = broken.filter(|broken| broken.kind != "warn").collect();
    // What comes after the name is its place.
    let names: Vec<_> =
        broken.iter().map(|broken| broken.query.split(" (").next().unwrap_or_default().to_owned()).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    for (broken, allowed) in broken.iter_mut().zip(accepted(pending, "query-breaks", &names)) {
        broken.allowed = allowed;
    }
}

/// What all parts of it need.
struct Place<'a> {
    context: &'a Context,
    project: &'a Project,
    args: &'a DryRunArgs,
}

impl Place<'_> {
    /// Has the branch made, and waits for it.
    async fn branch(
        &self,
        provider: AnyProvider,
        wanted: BranchRequest,
    ) -> Result<(Guard<AnyProvider>, DatabaseUrl), Failure> {
        let guard = Guard::create(provider, wanted, branch::tell(self.context.ui)).await?;
        let (provider, branch) = guard.branch()?;
        provider.ready(branch).await?;
        let urls = provider.urls(branch).await?;
        branch::mask(&urls);
        Ok((guard, urls.direct))
    }

    async fn connect(&self, url: &DatabaseUrl) -> Result<Connection, Failure> {
        let connect_policy = ConnectPolicy::times(self.context.global.connect_attempts);
        Connection::connect_with_retry(url, connect_policy, |why| self.context.ui.note(why)).await
    }

    /// Verifies what is pending there, with what a shadow shows.
    async fn review(
        &self,
        prepared: &Prepared,
        ready: Shadow,
    ) -> Result<Result<(Review, Allowed), Box<(Review, Failure)>>, Failure> {
        let pending = prepared.pending(self.project);
        let wanted = ShadowArgs { shadow: true, queries: self.args.queries.clone(), ..ShadowArgs::default() };
        let seen = shadow::watch_on(self.context, self.project, &pending, &wanted, Some(ready));
        let seen = Box::pin(seen).await?;
        let review = Review::of(self.project, pending.iter().copied(), [], &seen.witnesses)?;
        if let Some(denial) = review.denial() {
            return Ok(Err(Box::new((review, denial))));
        }
        let allowed = up::allowed(&pending, &review);
        Ok(Ok((review, allowed)))
    }

    /// That what was seen was seen on the branch of this run: another one of the same name takes it away.
    async fn is_still_there(&self, guard: &Guard<AnyProvider>) -> Result<(), Failure> {
        let (provider, branch) = guard.branch()?;
        // Where nobody can tell, what was seen stands.
        if provider.is_unchanged(branch).await.unwrap_or(true) {
            return Ok(());
        }
        let message = format!("another run made the branch {} anew before this one was done", branch.name);
        Err(Failure::new(Code::BranchTarget, message).hint(
            "run this again; jobs of one branch go one after the other in a concurrency group (docs/ci.md)",
        ))
    }

    /// Deletes the branch, or leaves it to who wants it; whether it is gone.
    async fn end(&self, guard: Guard<AnyProvider>, kept: Option<&DatabaseUrl>) -> Result<bool, Failure> {
        if kept.is_some() {
            guard.keep();
            return Ok(false);
        }
        match guard.finish().await {
            Ok(_) => Ok(true),
            // What was found out stands; that something is left is told.
            Err(failure) => {
                let how = failure.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
                complain(&format!("{failure}{how}"));
                Ok(false)
            }
        }
    }

    fn tried_on(
        &self,
        branch: Branch,
        provider: &'static str,
        (deleted, url): (bool, &DatabaseUrl),
        seen: &dry_run::Seen,
    ) -> BranchReport {
        BranchReport {
            name: branch.name.to_string(),
            provider,
            parent: branch.parent,
            deleted,
            expires_at: branch.expires_at.filter(|_| !deleted),
            database_url: self.args.keep_branch.then(|| url.reveal().to_owned()),
            statements: seen.statements.clone(),
            slowest: seen.slowest.clone(),
            changes: seen.changes.clone(),
            queries: seen.queries.clone(),
        }
    }
}

/// Refuses what a copy on the same server does not keep apart: its roles, databases and settings are the real ones.
fn stays_in_its_database(pending: &[&Migration]) -> Result<(), Failure> {
    for migration in pending {
        let script = &migration.script;
        let Some((statement, _)) =
            migration.statements.iter().find(|(statement, _)| statement.reaches_beyond_database(script))
        else {
            continue;
        };
        let message = format!(
            "{} reaches past the database, and a local branch is on the server that it would reach: nothing was run",
            statement.verb()
        );
        return Err(Failure::new(Code::BranchRefused, message)
            .hint("try it with --branch neon, or on a server of its own")
            .at(script.place(statement)));
    }
    Ok(())
}

/// What verification found, as `verify` says it.
fn denied_markdown(review: &Review) -> String {
    format::markdown(&Verified {
        findings: &review.findings,
        summary: &review.summary,
        failures: &[],
        effects: None,
        unchecked: &[],
        path: &|file| file.to_owned(),
    })
}
