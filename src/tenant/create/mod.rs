//! `tenant create`: registry row, schema, template, the steps after it, version row and history, in one
//! message and one transaction a tenant. Many are made by several workers side by side.

pub(super) mod answer;
mod csv;
mod follow;
mod hook;
mod pool;
mod results;
mod steps;
pub mod text;
mod worker;

use std::cell::RefCell;

pub(super) use self::answer::explain;
pub use self::csv::{NewTenant, from_csv};
pub use self::hook::Hook;
use tokio_util::sync::CancellationToken;

use self::results::Results;
use self::worker::Maker;
use super::{Created, CreatedTenant, NewRole};
use crate::chain::{Divergence, Version};
use crate::error::{Code, Failure};
use crate::event::{Event, Sink};
use crate::executor::queue::{self, Queue};
use crate::executor::{RetryPolicy, jobs};
use crate::postgres::Connection;
use crate::postgres::batch::Run;
use crate::postgres::metadata::state::{self, State};
use crate::postgres::metadata::{self, RunStatus, history};
use crate::project::Project;
use crate::settings::Migrate;

/// What to do about a tenant that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfExists {
    /// It is a failure.
    Fail,
    /// It is as good as made.
    Accept,
}

/// What all tenants of one command share.
#[derive(Debug, Clone)]
pub struct Creation {
    /// About those that are there.
    pub if_exists: IfExists,
    /// The limits of a unit.
    pub limits: Migrate,
    /// How many connections; chosen by what the server has free if not said.
    pub jobs: Option<usize>,
    /// How often a tenant is tried again that met a lock or a lost connection.
    pub retry_policy: RetryPolicy,
    /// What is done when a tenant's schema is there.
    pub after: After,
    /// Whether they get roles.
    pub role: NewRole,
    /// The command, for the run's row.
    pub command: String,
}

/// What is done when a tenant's schema is there.
#[derive(Debug, Clone, Default)]
pub enum After {
    /// Nothing: it only shows what a template makes.
    #[default]
    Nothing,
    /// The template's own statements for that are run.
    Rows,
    /// And the command, if the settings name one.
    All(Option<Hook>),
}

/// What became of one tenant.
#[derive(Debug, Clone)]
enum Provisioned {
    New(CreatedTenant),
    Existing(CreatedTenant),
}

/// Makes tenants. The failure is of what comes before the first; a tenant's own failure is in the result,
/// which is in the order of `wanted`.
pub async fn create(
    connection: &mut Connection,
    project: &Project,
    wanted: &[NewTenant],
    creation: &Creation,
    (sink, stop): (&mut dyn Sink, &CancellationToken),
) -> Result<Created, Failure> {
    let state = ready(connection, project).await?;
    let run = Run::new(&project.settings, creation.limits);
    sink.take(&Event::Began { expected: wanted.len() });
    let (queue, results) =
        (RefCell::new(Queue::default()), RefCell::new(Results::new(wanted, state.platform, sink)));
    let (presence, scripts, pool) = (state.presence, RefCell::default(), RefCell::default());
    let maker = Maker {
        project,
        run: &run,
        creation,
        presence,
        queue: &queue,
        results: &results,
        scripts,
        pool,
        stop,
    };
    maker.look(wanted, connection).await;
    let tenants = queue.borrow_mut().ready();
    // A command that changes nothing has no row.
    let is_noted = tenants > 0 && !stop.is_cancelled();
    if is_noted {
        maker.look_into_pool(connection, &state.pool, tenants).await?;
        history::begin_run(connection, &run, &creation.command).await?;
        let jobs = match creation.jobs {
            _ if tenants == 1 => 1,
            Some(jobs) => jobs,
            None => jobs::default(connection).await?,
        };
        queue::work(connection, &queue, jobs, stop, async |own, task| maker.make(own, task).await).await;
    }
    maker.settle_repeats();
    results.borrow_mut().interrupt_the_rest();
    results.borrow_mut().sink.take(&Event::Ended);
    let outcome = results.borrow().outcome();
    if is_noted {
        let noted = end(connection, &run, &outcome).await;
        let has_passwords = outcome.created.iter().any(|tenant| tenant.password.is_some());
        match noted {
            // Passwords that roles have must be shown.
            Err(failure) if has_passwords => {
                results.borrow_mut().sink.take(&Event::RunRecordFailed { failure: &failure });
            }
            // Without a failure of its own the run's missing last note is the failure.
            noted if outcome.failures.is_empty() => noted?,
            _ => {}
        }
    }
    Ok(outcome)
}

/// Makes sure that tenants can be made at all.
pub(super) async fn ready(connection: &mut Connection, project: &Project) -> Result<State, Failure> {
    let mut state = state::read(connection, &project.settings).await?;
    Divergence::refuse(&project.chain, &state.applied, &state.fleet())?;
    let platform = project.settings.platform_schema();
    if !state.presence.registry || state.platform == Version::ZERO {
        return Err(Failure::new(
            Code::NotMigrated,
            format!(
                "the platform schema {platform} is at {} and has no {}",
                state.platform, project.settings.tenants.registry
            ),
        )
        .hint("run `tenure migrate up` first"));
    }
    project.chain.find_platform(&state.platform)?;
    if !state.presence.own_tables_current {
        metadata::ensure(connection, &platform, project.settings.migrate.lock_timeout).await?;
        state.presence.own_tables = true;
    }
    Ok(state)
}

async fn end(connection: &mut Connection, run: &Run, outcome: &Created) -> Result<(), Failure> {
    let ending = match outcome.ending() {
        RunStatus::Nothing => RunStatus::Done,
        ending => ending,
    };
    let counts = serde_json::json!({
        "created": outcome.created.len(),
        "existing": outcome.existing.len(),
        "failed": outcome.failures.len(),
    });
    history::end_run(connection, run, ending.as_str(), &counts.to_string()).await
}
