//! The whole of `migrate up --branch`: a branch is made, what is pending there is watched on a shadow and verified, then
//! run and measured, and the branch is deleted again.

use std::cell::Cell;

use futures_util::future::join;

use super::{BranchReport, DryRun, QueryBreak, Seen};
use crate::branch::{AnyProvider, BranchRequest, Guard, Kind, Notify, Provider as _, Severity, Urls};
use crate::chain::Migration;
use crate::error::{Code, Failure};
use crate::event::Sink;
use crate::executor::Request;
use crate::migrate::{self, Denied, Verdict};
use crate::postgres::server::Environment;
use crate::postgres::{ConnectPolicy, Connection, DatabaseUrl};
use crate::project::{Project, Review};
use crate::queries::Release;
use crate::shadow::{self, Shadow};
use crate::sql::Script;
use crate::verify::{RuleId, accepted};

/// What is asked for.
pub struct Trial<'a> {
    /// What is to be run.
    pub request: Request,
    /// The queries of the running release, where some were given.
    pub release: Option<Release>,
    /// Whether the branch stays.
    pub keep_branch: bool,
    /// How the branch is connected to.
    pub connect_policy: ConnectPolicy,
    /// Where the shadow's server programs are.
    pub environment: &'a Environment,
    /// The command, for the run's row.
    pub command: &'a str,
}

/// Who hears what happens meanwhile.
pub trait Listener {
    /// A line for people.
    fn tell(&self) -> Notify;

    /// The URLs of the branch, before anything could show them.
    fn urls(&self, urls: &Urls);

    /// What verification found, none of which denies.
    fn found(&self, review: &Review);
}

/// How it ended.
pub enum Outcome {
    /// Verification refused it, so nothing was run.
    Denied(Box<Denied>),
    /// It was run.
    Run(Box<DryRun>),
}

/// Does it. Whatever ends this early, the guard deletes the branch.
pub async fn on_branch(
    project: &Project,
    trial: Trial<'_>,
    (provider, wanted): (AnyProvider, BranchRequest),
    listener: &impl Listener,
    sink: &mut dyn Sink,
) -> Result<Outcome, Failure> {
    let tell = listener.tell();
    // The shadow's server starts while the branch is made.
    let (made, shadow) =
        join(make(provider, wanted, listener), Box::pin(Shadow::for_chain(project, None, trial.environment)))
            .await;
    let (guard, url) = made?;
    let shadow = Cell::new(Some(shadow?));
    let note = |line: &str| tell(Severity::Note, line);
    let mut connection = Connection::connect_with_retry(&url, trial.connect_policy, note).await?;
    let is_local = guard.branch()?.0.kind() == Kind::Local;
    let verdict = migrate::verify(&mut connection, project, trial.request.clone(), async |pending| {
        if is_local {
            stays_in_its_database(pending)?;
        }
        let another = async || match shadow.take() {
            Some(ready) => Ok(ready),
            None => Shadow::for_chain(project, None, trial.environment).await,
        };
        let observed = shadow::observe(project, pending, trial.release.as_ref(), another).await?;
        observed.notes.iter().for_each(|line| note(line));
        Ok(observed.effects_by_file)
    });
    let plan = match Box::pin(verdict).await {
        Ok(Verdict::Approved(plan)) => *plan,
        Ok(Verdict::Denied(denied)) => {
            connection.close().await;
            delete(guard, &tell).await;
            return Ok(Outcome::Denied(denied));
        }
        Err(refused) if refused.code == Code::BranchRefused => {
            connection.close().await;
            delete(guard, &tell).await;
            return Err(refused);
        }
        Err(failure) => return Err(failure),
    };
    listener.found(plan.review());
    let pending: Vec<Script> =
        plan.pending(project).into_iter().map(|migration| migration.script.clone()).collect();
    let what = (trial.release.as_ref(), trial.command);
    let seen = Box::pin(super::run(&mut connection, project, plan, what, sink)).await;
    connection.close().await;
    is_still_there(&guard).await?;
    let mut seen = seen?;
    accept(&pending, seen.queries.iter_mut().flat_map(|queries| &mut queries.broken));
    seen.notes.iter().for_each(|line| note(line));
    Ok(Outcome::Run(Box::new(end(guard, seen, (trial.keep_branch, &url), &tell).await?)))
}

/// Has the branch made, and waits for it.
async fn make(
    provider: AnyProvider,
    wanted: BranchRequest,
    listener: &impl Listener,
) -> Result<(Guard<AnyProvider>, DatabaseUrl), Failure> {
    let guard = Guard::create(provider, wanted, listener.tell()).await?;
    let (provider, branch) = guard.branch()?;
    provider.ready(branch).await?;
    let urls = provider.urls(branch).await?;
    listener.urls(&urls);
    Ok((guard, urls.direct))
}

/// Makes sure that what was seen was seen on the branch of this run: another one of the same name takes it away.
async fn is_still_there(guard: &Guard<AnyProvider>) -> Result<(), Failure> {
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

/// Deletes the branch, or leaves it to who wants it, and reports it.
async fn end(
    guard: Guard<AnyProvider>,
    seen: Seen,
    (keep, url): (bool, &DatabaseUrl),
    tell: &Notify,
) -> Result<DryRun, Failure> {
    let (provider, branch) = {
        let (provider, branch) = guard.branch()?;
        (provider.kind().as_str(), branch.clone())
    };
    let deleted = if keep {
        guard.keep();
        false
    } else {
        delete(guard, tell).await
    };
    let branch = BranchReport {
        name: branch.name.to_string(),
        provider,
        parent: branch.parent,
        deleted,
        expires_at: branch.expires_at.filter(|_| !deleted),
        database_url: keep.then(|| url.reveal().to_owned()),
        statements: seen.statements,
        slowest: seen.slowest,
        changes: seen.changes,
        queries: seen.queries,
    };
    Ok(DryRun { migrated: seen.migrated, branch })
}

/// Deletes the branch; whether it is gone.
async fn delete(guard: Guard<AnyProvider>, tell: &Notify) -> bool {
    match guard.finish().await {
        Ok(_) => true,
        // What was found out stands; that something is left is told.
        Err(failure) => {
            let how = failure.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
            tell(Severity::Warning, &format!("{failure}{how}"));
            false
        }
    }
}

/// Marks what the lines of the pending files accept.
fn accept<'b>(pending: &[Script], broken: impl Iterator<Item = &'b mut QueryBreak>) {
    // What is only told needs nobody's word, so it uses up no line.
    let mut broken: Vec<_> = broken.filter(|broken| broken.kind != "warn").collect();
    // What comes after the name is its place.
    let names: Vec<_> =
        broken.iter().map(|broken| broken.query.split(" (").next().unwrap_or_default().to_owned()).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    for (broken, allowed) in broken.iter_mut().zip(accepted(pending, RuleId::QueryBreaks, &names)) {
        broken.allowed = allowed;
    }
}

/// Refuses what a copy on the same server does not keep apart: its roles, databases and settings are the real ones.
fn stays_in_its_database(pending: &[&Migration]) -> Result<(), Failure> {
    for migration in pending {
        let script = &migration.script;
        let Some((statement, _)) =
            migration.statements.iter().find(|(statement, _)| statement.acts_outside_database(script))
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
