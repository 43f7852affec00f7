//! `migrate up --branch`: creates a branch, verifies the pending migrations on a shadow, runs and measures them on the
//! branch, and deletes the branch.

use std::cell::Cell;

use futures_util::future::join;

use super::{BranchReport, DryRun, QueryBreak, Seen};
use crate::branch::{AnyProvider, BranchRequest, Guard, Kind, Notify, Provider as _, Severity, Urls};
use crate::chain::Migration;
use crate::error::{Code, Failure};
use crate::event::Sink;
use crate::executor::Request;
use crate::migrate::{self, Denied, Migrated, Verdict};
use crate::postgres::{ConnectPolicy, Connection, DatabaseUrl};
use crate::project::{EffectsByFile, Project, Review};
use crate::queries::Release;
use crate::shadow::{self, Shadow, ShadowRequest};
use crate::sql::Script;
use crate::verify::{Evidence, RuleId, accepted};

/// The parameters of a dry run.
pub struct Trial<'a> {
    /// The migrations to run.
    pub request: Request,
    /// The queries of the running release, if given.
    pub release: Option<Release>,
    /// Whether to keep the branch.
    pub keep_branch: bool,
    /// How to connect to the branch.
    pub connect_policy: ConnectPolicy,
    /// The shadow on which the migrations run first.
    pub shadow: ShadowRequest<'a>,
    /// The command that is recorded with the run.
    pub command: &'a str,
}

/// Receives intermediate results.
pub trait Listener {
    /// Returns the function that prints notes and warnings.
    fn tell(&self) -> Notify;

    /// Receives the URLs of the branch before any output could contain them.
    fn urls(&self, urls: &Urls);

    /// Receives the findings, none of which denies.
    fn found(&self, review: &Review);
}

/// The outcome of a dry run.
pub enum Outcome {
    /// Verification refused the plan; nothing was run.
    Denied(Box<Denied>),
    /// The migrations were run.
    Run(Box<DryRun>),
}

/// Runs a dry run. After an early return, the guard deletes the branch.
pub async fn on_branch(
    project: &Project,
    trial: Trial<'_>,
    (provider, wanted): (AnyProvider, BranchRequest),
    listener: &impl Listener,
    sink: &mut dyn Sink,
) -> Result<Outcome, Failure> {
    let tell = listener.tell();
    // Start the shadow's server while the branch is created.
    let (made, shadow) =
        join(make(provider, wanted, listener), Box::pin(Shadow::for_chain(project, trial.shadow))).await;
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
            None => Shadow::for_chain(project, trial.shadow).await,
        };
        let observed = shadow::observe(project, pending, trial.release.as_ref(), another).await?;
        observed.notes.iter().for_each(|line| note(line));
        if is_local {
            is_observed(pending, &observed.effects_by_file)?;
        }
        Ok(observed.effects_by_file)
    });
    let plan = match Box::pin(verdict).await {
        Ok(Verdict::Approved(plan)) => *plan,
        Ok(Verdict::Denied(denied)) => {
            let hidden =
                if is_local { has_no_hidden_code(&mut connection, &denied.review).await } else { Ok(()) };
            connection.close().await;
            delete(guard, &tell).await;
            return hidden.map(|()| Outcome::Denied(denied));
        }
        Err(refused) if refused.code == Code::BranchRefused => {
            connection.close().await;
            delete(guard, &tell).await;
            return Err(refused);
        }
        Err(failure) => return Err(failure),
    };
    if is_local && let Err(refused) = has_no_hidden_code(&mut connection, plan.review()).await {
        connection.close().await;
        delete(guard, &tell).await;
        return Err(refused);
    }
    listener.found(plan.review());
    let lowered = plan.review().lowered.clone();
    let pending: Vec<Script> =
        plan.pending(project).into_iter().map(|migration| migration.script.clone()).collect();
    let what = (trial.release.as_ref(), trial.command);
    let seen = Box::pin(super::run(&mut connection, project, plan, what, sink)).await;
    connection.close().await;
    is_still_there(&guard).await?;
    let mut seen = seen?;
    accept(&pending, seen.queries.iter_mut().flat_map(|queries| &mut queries.broken));
    seen.notes.iter().for_each(|line| note(line));
    let (migrated, branch) = end(guard, seen, (trial.keep_branch, &url), &tell).await?;
    Ok(Outcome::Run(Box::new(DryRun { migrated, lowered, branch })))
}

/// Creates the branch and waits until it is ready.
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

/// Checks that the measurements are from this run's branch: a run with the same branch name replaces the branch.
async fn is_still_there(guard: &Guard<AnyProvider>) -> Result<(), Failure> {
    let (provider, branch) = guard.branch()?;
    // If the provider cannot be asked, keep the measurements.
    if provider.is_unchanged(branch).await.unwrap_or(true) {
        return Ok(());
    }
    let message = format!("another run recreated the branch {} before this run finished", branch.name);
    Err(Failure::new(Code::BranchTarget, message).hint(
        "run this again; a concurrency group makes jobs of the same branch run one at a time (docs/ci.md)",
    ))
}

/// Deletes or keeps the branch and returns the result.
async fn end(
    guard: Guard<AnyProvider>,
    seen: Seen,
    (keep, url): (bool, &DatabaseUrl),
    tell: &Notify,
) -> Result<(Migrated, BranchReport), Failure> {
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
    Ok((seen.migrated, branch))
}

/// Deletes the branch. Returns whether it was deleted; a failure is printed as a warning.
async fn delete(guard: Guard<AnyProvider>, tell: &Notify) -> bool {
    match guard.finish().await {
        Ok(_) => true,
        Err(failure) => {
            let how = failure.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
            tell(Severity::Warning, &format!("{failure}{how}"));
            false
        }
    }
}

/// Marks the broken queries that Allow lines of the pending files accept.
fn accept<'b>(pending: &[Script], broken: impl Iterator<Item = &'b mut QueryBreak>) {
    // Warnings need no Allow line, so they must not use one up.
    let mut broken: Vec<_> = broken.filter(|broken| broken.kind != "warn").collect();
    // The position follows the name, in parentheses.
    let names: Vec<_> =
        broken.iter().map(|broken| broken.query.split(" (").next().unwrap_or_default().to_owned()).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    for (broken, allowed) in broken.iter_mut().zip(accepted(pending, RuleId::QueryBreaks, &names)) {
        broken.allowed = allowed;
    }
}

/// Refuses code whose effects its text does not show and that no Allow line accepts, if the role of a local branch could run
/// programs: code may behave differently on a shadow, and a local branch is on the same server.
async fn has_no_hidden_code(connection: &mut Connection, review: &Review) -> Result<(), Failure> {
    let Some(hidden) = review.findings.iter().find(|finding| {
        finding.rule == RuleId::OpaqueCode
            && (finding.evidence == Evidence::Effect || finding.allowed.is_none())
    }) else {
        return Ok(());
    };
    let Some(role) = shadow::role_with_more_rights(connection).await? else { return Ok(()) };
    let message = format!(
        "the text of this code does not show its effects, and the role {role:?} could run programs on the server of a local branch: \
         nothing was run"
    );
    let failure = Failure::new(Code::BranchRefused, message)
        .hint("use --branch neon, connect as a role that is neither SUPERUSER nor CREATEROLE, or accept it with an Allow line for opaque-code");
    Err(match hidden.place() {
        Some(place) => failure.at(place.clone()),
        None => failure,
    })
}

/// Refuses statements that did not run on the shadow: what they do on a local branch, they may do to its server.
fn is_observed(pending: &[&Migration], effects: &EffectsByFile) -> Result<(), Failure> {
    for migration in pending {
        let observed = effects.get(&migration.file).into_iter().flat_map(|effects| &effects.observed);
        let Some(effect) = observed.clone().find(|effect| effect.rule == RuleId::NotObserved) else {
            continue;
        };
        let statement = migration.statements.iter().find(|(statement, _)| statement.range == effect.range);
        let message = "its effects were not observed on the shadow and may leave the database, and a local branch is on the same server: \
                       nothing was run";
        let failure = Failure::new(Code::BranchRefused, message)
            .hint("use --branch neon, or test it on a separate server");
        return Err(match statement {
            Some((statement, _)) => failure.at(migration.script.place(statement)),
            None => failure,
        });
    }
    Ok(())
}

/// Refuses statements that act outside of the database: a local branch shares the server's roles, databases and settings.
fn stays_in_its_database(pending: &[&Migration]) -> Result<(), Failure> {
    for migration in pending {
        let script = &migration.script;
        let Some((statement, _)) =
            migration.statements.iter().find(|(statement, _)| statement.acts_outside_database(script))
        else {
            continue;
        };
        let message = format!(
            "{} acts outside of the database, and a local branch is on the same server: nothing was run",
            statement.verb()
        );
        return Err(Failure::new(Code::BranchRefused, message)
            .hint("use --branch neon, or test it on a separate server")
            .at(script.place(statement)));
    }
    Ok(())
}
