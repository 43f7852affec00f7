//! `tenant pool fill`: creates pool schemas, each in one message and one transaction, which takes a slot of the pool first; two
//! runs cannot fill the same slot.

use std::cell::RefCell;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{PoolFailure, PoolFilled, PoolState, interrupted, proof, remove, remove_one, state_of};
use crate::chain::Chain;
use crate::error::{Code, Failure};
use crate::event::{Activity, Event, Sink};
use crate::executor::queue::{self, Queue};
use crate::executor::{RetryPolicy, Watch, catch_up, jobs};
use crate::ident::SchemaName;
use crate::postgres::batch::{Run, SqlBatch};
use crate::postgres::metadata::pool::{self, Pooled};
use crate::postgres::metadata::{RunStatus, runs};
use crate::postgres::{Connection, error};
use crate::project::Project;
use crate::settings::Migrate;
use crate::template::BoundParameters;
use crate::tenant::create::answer::explain;
use crate::tenant::provisioning::ProvisioningScript;

/// Options of `tenant pool fill`.
#[derive(Debug, Clone)]
pub struct Filling {
    /// The target size of the pool.
    pub requested: usize,
    /// The template; that of the settings if missing.
    pub template: Option<String>,
    /// The number of connections; derived from the server's free connections if missing.
    pub jobs: Option<usize>,
    /// The limits of a unit.
    pub limits: Migrate,
    /// When a schema is retried after a lock timeout or a lost connection.
    pub retry_policy: RetryPolicy,
    /// The command, for the run's row.
    pub command: String,
}

/// A slot to fill.
struct Place {
    slot: u32,
    schema: SchemaName,
    name: String,
    attempts: u32,
}

/// The state that workers share, on one thread.
struct Shared<'a> {
    made: usize,
    /// The number of slots that another run filled.
    others: usize,
    failed: Vec<PoolFailure>,
    sink: &'a mut dyn Sink,
}

/// Creates pool schemas.
struct Maker<'a> {
    script: &'a ProvisioningScript<'a>,
    chain: &'a Chain,
    run: &'a Run,
    filled: &'a BoundParameters,
    retry_policy: RetryPolicy,
    queue: RefCell<Queue<Place>>,
}

/// Fills the template's pool with schemas at the platform's version.
pub async fn fill(
    connection: &mut Connection,
    project: &Project,
    filling: &Filling,
    (sink, stop): (&mut dyn Sink, &CancellationToken),
) -> Result<PoolFilled, Failure> {
    let state = crate::tenant::create::ready(connection, project).await?;
    let (platform, version) = (project.settings.platform_schema(), state.platform);
    let jobs = filling.jobs.unwrap_or_else(|| jobs::default(state.free_connections));
    let template = project.template(filling.template.as_deref())?;
    let rows = pool::read(connection, &platform, Some(&template.name)).await?;
    let kind = |row: &Pooled| state_of(row, project, &version);
    let (usable, unusable): (Vec<Pooled>, Vec<Pooled>) =
        rows.into_iter().partition(|row| matches!(kind(row), PoolState::Ready | PoolState::Unproved));
    let is_unproved = usable.iter().any(|row| kind(row) == PoolState::Unproved);
    let places = places(filling.requested, &usable);
    let mut result = PoolFilled {
        outcome: RunStatus::Nothing,
        template: template.name.clone(),
        version: version.clone(),
        wanted: filling.requested,
        there: usable.len(),
        made: 0,
        removed: 0,
        failures: Vec::new(),
    };
    if places.is_empty() && unusable.is_empty() && !is_unproved {
        return Ok(result);
    }
    let run = Run::new(&project.settings, filling.limits);
    let is_proved = usable.iter().any(|row| kind(row) == PoolState::Ready);
    if is_unproved || !(is_proved || places.is_empty()) {
        proof::prove(connection, project, &run, (template, &version)).await?;
    }
    runs::begin(connection, &run, &filling.command).await?;
    if is_unproved {
        proof::note(connection, &run, (template, &version)).await?;
    }
    (result.removed, result.failures) = remove(connection, &run, &unusable, stop).await;
    if !places.is_empty() && stop.is_cancelled() {
        result.failures.push(interrupted());
    } else if !places.is_empty() {
        let script = ProvisioningScript::new(project, template, &version)?;
        let filled = template.parameters.defaults();
        let chain = &project.chain;
        let retry_policy = filling.retry_policy;
        let tasks = places.len();
        let queue = RefCell::new(places.into_iter().collect());
        let maker = Maker { script: &script, chain, run: &run, filled: &filled, retry_policy, queue };
        let shared = maker.fill(connection, (tasks, jobs), (sink, stop)).await?;
        (result.made, result.there) = (shared.made, result.there + shared.others);
        result.failures.extend(shared.failed);
    }
    result.outcome =
        RunStatus::of_many(result.made + result.removed + usize::from(is_unproved), &result.failures);
    let ending = if result.outcome == RunStatus::Nothing { RunStatus::Done } else { result.outcome };
    let counts = serde_json::json!({ "template": template.name, "wanted": filling.requested, "there": result.there,
        "made": result.made, "removed": result.removed, "failed": result.failures.len() });
    let recorded = runs::end(connection, &run, ending.as_str(), &counts.to_string()).await;
    // If no schema failed, a failure to record the run's end is the failure.
    if result.failures.is_empty() { recorded.map(|()| result) } else { Ok(result) }
}

/// The lowest free slots, as many as are missing.
fn places(requested: usize, there: &[Pooled]) -> Vec<Place> {
    let taken: Vec<u32> = there.iter().filter_map(|row| row.slot).collect();
    let free = (1..).filter(|slot| !taken.contains(slot));
    let place = |slot| {
        let schema = SchemaName::pooled(Uuid::new_v4().as_u128());
        Place { slot, name: schema.to_string(), schema, attempts: 0 }
    };
    free.map(place).take(requested.saturating_sub(there.len())).collect()
}

impl Maker<'_> {
    async fn fill<'s>(
        &self,
        connection: &mut Connection,
        (tasks, jobs): (usize, usize),
        (sink, stop): (&'s mut dyn Sink, &CancellationToken),
    ) -> Result<Shared<'s>, Failure> {
        let jobs = if tasks == 1 { 1 } else { jobs };
        sink.take(&Event::Began { run: self.run.id.to_string(), expected: tasks });
        let shared = RefCell::new(Shared { made: 0, others: 0, failed: Vec::new(), sink });
        let mut watch = Watch::new(connection);
        let work = queue::work(connection, &self.queue, jobs, stop, async |own, place| {
            self.make(own, place, &shared).await;
        });
        let report = |activity: &Activity| {
            let delayed = self.queue.borrow().delayed();
            shared.borrow_mut().sink.take(&Event::Running { oldest: None, delayed, activity });
        };
        Box::pin(watch.during(work, || self.queue.borrow().delayed() > 0, report)).await;
        watch.close().await;
        let mut shared = shared.into_inner();
        shared.sink.take(&Event::Ended);
        if stop.is_cancelled() && !self.queue.borrow().is_empty() {
            shared.failed.push(interrupted());
        }
        Ok(shared)
    }

    /// Tries to fill a slot.
    async fn make(&self, connection: &mut Connection, mut place: Place, shared: &RefCell<Shared<'_>>) {
        let message: SqlBatch =
            match self.script.pooled(self.run, &place.schema, Some(place.slot), self.filled) {
                Ok(message) => message,
                Err(failure) => return shared.borrow_mut().failed.push(PoolFailure(failure)),
            };
        place.attempts += 1;
        let server_error = match connection.send(&message).await {
            Ok(_sets) => return self.finish(connection, &place, shared).await,
            Err(server_error) => server_error,
        };
        let mut failure = explain(&server_error, &message, &place.schema);
        // The slot is taken, or after a lost answer this run's own row exists.
        if server_error.sqlstate() == Some("23505") && message.place(&server_error).is_none() {
            if place.attempts > 1 && server_error.is_about_key(&place.name) {
                return self.finish(connection, &place, shared).await;
            }
            let mut shared = shared.borrow_mut();
            shared.others += 1;
            return shared.sink.take(&Event::TenantDone { slug: &place.name });
        }
        if failure.session_ended()
            && let Ok(fresh) = connection.open_another().await
        {
            *connection = fresh;
        }
        let mut shared = shared.borrow_mut();
        if let Some(pause) = self.retry_policy.pause(&failure, place.attempts) {
            shared.sink.take(&Event::TenantDelayed { slug: &place.name, failure: &failure, pause });
            return self.queue.borrow_mut().delay(place, pause);
        }
        if server_error.sqlstate() == Some(error::PLATFORM_VERSION_CHANGED) {
            failure = Failure::new(Code::NotMigrated, "the platform was migrated while the pool was filled")
                .hint("run the command again when the migration has ended");
            // The other slots would fail in the same way.
            self.queue.take();
        }
        shared.sink.take(&Event::TenantFailed { slug: &place.name, failure: &failure });
        shared.failed.push(PoolFailure(failure));
    }

    /// Runs the steps that follow the first transaction, if any; removes the schema if one fails.
    async fn finish(&self, connection: &mut Connection, place: &Place, shared: &RefCell<Shared<'_>>) {
        let whole =
            match self.script.later() {
                None => Ok(()),
                Some(steps) => {
                    let context = (self.run, self.chain);
                    let caught_up =
                        catch_up(connection, context, &place.schema, steps, (self.retry_policy, None)).await;
                    let message = self.script.pooled_whole(self.run, &place.schema);
                    match caught_up {
                        Ok(()) => connection.send(&message).await.map(drop).map_err(|server_error| {
                            server_error.failure(&format!("finishing {}", place.schema))
                        }),
                        Err(failure) => Err(failure),
                    }
                }
            };
        match whole {
            Ok(()) => {
                let mut shared = shared.borrow_mut();
                shared.made += 1;
                shared.sink.take(&Event::TenantDone { slug: &place.name });
            }
            Err(failure) => self.remove_failed(connection, place, failure, shared).await,
        }
    }

    async fn remove_failed(
        &self,
        connection: &mut Connection,
        place: &Place,
        failure: Failure,
        shared: &RefCell<Shared<'_>>,
    ) {
        // A schema that cannot be removed now is removed by the next run after its deadline.
        let _removed = remove_one(connection, self.run, &place.schema).await;
        let mut shared = shared.borrow_mut();
        shared.sink.take(&Event::TenantFailed { slug: &place.name, failure: &failure });
        shared.failed.push(PoolFailure(failure));
    }
}
