//! `tenant pool fill`: each place of a template's pool is one message in one transaction, which first takes the place;
//! of two runs that fill the same place one has made nothing.

use std::cell::RefCell;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::super::create::answer::explain;
use super::{PoolFailure, PoolFilled, PoolState, interrupted, proof, remove, remove_one, state_of};
use crate::chain::Chain;
use crate::error::{Code, Failure};
use crate::event::{Event, Sink};
use crate::executor::queue::{self, Queue};
use crate::executor::{RetryPolicy, catch_up, jobs};
use crate::ident::SchemaName;
use crate::postgres::batch::{Run, SqlBatch};
use crate::postgres::metadata::pool::{self, Pooled};
use crate::postgres::metadata::{RunStatus, history};
use crate::postgres::{Connection, error};
use crate::project::Project;
use crate::settings::Migrate;
use crate::template::Filled;
use crate::tenant::provisioning::ProvisioningScript;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Filling {
    /// How many there are to be.
    pub wanted: usize,
    /// The template; the settings' if none is named.
    pub template: Option<String>,
    /// How many connections; chosen by what the server has free if not said.
    pub jobs: Option<usize>,
    /// The limits of a unit.
    pub limits: Migrate,
    /// How often a schema is tried again that met a lock or a lost connection.
    pub retry_policy: RetryPolicy,
    /// The command, for the run's row.
    pub command: String,
}

/// A place to be filled.
struct Place {
    slot: u32,
    schema: SchemaName,
    name: String,
    attempts: u32,
}

/// What the workers share. One thread runs them all.
struct Shared<'a> {
    made: usize,
    /// Places that another run filled.
    others: usize,
    failed: Vec<PoolFailure>,
    sink: &'a mut dyn Sink,
}

/// What makes a schema.
struct Maker<'a> {
    script: &'a ProvisioningScript<'a>,
    chain: &'a Chain,
    run: &'a Run,
    filled: &'a Filled,
    retry_policy: RetryPolicy,
    queue: RefCell<Queue<Place>>,
}

/// Makes sure that the template's pool has so many schemas at the platform's version.
pub async fn fill(
    connection: &mut Connection,
    project: &Project,
    filling: &Filling,
    (sink, stop): (&mut dyn Sink, &CancellationToken),
) -> Result<PoolFilled, Failure> {
    let state = super::super::create::ready(connection, project).await?;
    let (platform, version) = (project.settings.platform_schema(), state.platform);
    let template = project.template(filling.template.as_deref())?;
    let rows = pool::read(connection, &platform, Some(&template.name)).await?;
    let kind = |row: &Pooled| state_of(row, project, &version);
    let (stays, goes): (Vec<Pooled>, Vec<Pooled>) =
        rows.into_iter().partition(|row| matches!(kind(row), PoolState::Ready | PoolState::Unproved));
    let is_unproved = stays.iter().any(|row| kind(row) == PoolState::Unproved);
    let places = places(filling.wanted, &stays);
    let mut result = PoolFilled {
        outcome: RunStatus::Nothing,
        template: template.name.clone(),
        version: version.clone(),
        wanted: filling.wanted,
        there: stays.len(),
        made: 0,
        removed: 0,
        failures: Vec::new(),
    };
    if places.is_empty() && goes.is_empty() && !is_unproved {
        return Ok(result);
    }
    let run = Run::new(&project.settings, filling.limits);
    let is_proved = stays.iter().any(|row| kind(row) == PoolState::Ready);
    if is_unproved || !(is_proved || places.is_empty()) {
        proof::prove(connection, project, &run, (template, &version)).await?;
    }
    history::begin_run(connection, &run, &filling.command).await?;
    if is_unproved {
        proof::note(connection, &run, (template, &version)).await?;
    }
    (result.removed, result.failures) = remove(connection, &run, &goes, stop).await;
    if !places.is_empty() && stop.is_cancelled() {
        result.failures.push(interrupted());
    } else if !places.is_empty() {
        let script = ProvisioningScript::new(project, template, &version)?;
        let filled = template.parameters.usual();
        let chain = &project.chain;
        let retry_policy = filling.retry_policy;
        let tasks = places.len();
        let queue = RefCell::new(places.into_iter().collect());
        let maker = Maker { script: &script, chain, run: &run, filled: &filled, retry_policy, queue };
        let shared = maker.fill(connection, (tasks, filling.jobs), (sink, stop)).await?;
        (result.made, result.there) = (shared.made, result.there + shared.others);
        result.failures.extend(shared.failed);
    }
    result.outcome =
        RunStatus::of_many(result.made + result.removed + usize::from(is_unproved), &result.failures);
    let ending = if result.outcome == RunStatus::Nothing { RunStatus::Done } else { result.outcome };
    let counts = serde_json::json!({ "template": template.name, "wanted": filling.wanted, "there": result.there,
        "made": result.made, "removed": result.removed, "failed": result.failures.len() });
    let noted = history::end_run(connection, &run, ending.as_str(), &counts.to_string()).await;
    // Without a failure of its own the run's missing last note is the failure.
    if result.failures.is_empty() { noted.map(|()| result) } else { Ok(result) }
}

/// The lowest places that are free, so many as are missing.
fn places(wanted: usize, there: &[Pooled]) -> Vec<Place> {
    let taken: Vec<u32> = there.iter().filter_map(|row| row.slot).collect();
    let free = (1..).filter(|slot| !taken.contains(slot));
    let place = |slot| {
        let schema = SchemaName::pooled(Uuid::new_v4().as_u128());
        Place { slot, name: schema.to_string(), schema, attempts: 0 }
    };
    free.map(place).take(wanted.saturating_sub(there.len())).collect()
}

impl Maker<'_> {
    async fn fill<'s>(
        &self,
        connection: &mut Connection,
        (tasks, wanted_jobs): (usize, Option<usize>),
        (sink, stop): (&'s mut dyn Sink, &CancellationToken),
    ) -> Result<Shared<'s>, Failure> {
        let jobs = match wanted_jobs {
            _ if tasks == 1 => 1,
            Some(jobs) => jobs,
            None => jobs::default(connection).await?,
        };
        sink.take(&Event::Began { expected: tasks });
        let shared = RefCell::new(Shared { made: 0, others: 0, failed: Vec::new(), sink });
        queue::work(connection, &self.queue, jobs, stop, async |own, place| {
            self.make(own, place, &shared).await;
        })
        .await;
        let mut shared = shared.into_inner();
        shared.sink.take(&Event::Ended);
        if stop.is_cancelled() && !self.queue.borrow().is_empty() {
            shared.failed.push(interrupted());
        }
        Ok(shared)
    }

    /// Tries to fill a place.
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
        // The place, or after a lost answer our own row, is there.
        if server_error.sqlstate() == Some("23505") && message.place(&server_error).is_none() {
            if place.attempts > 1 && server_error.detail().is_some_and(|detail| detail.contains(&place.name))
            {
                return self.finish(connection, &place, shared).await;
            }
            let mut shared = shared.borrow_mut();
            shared.others += 1;
            return shared.sink.take(&Event::TenantDone { slug: &place.name });
        }
        if failure.ended_the_session()
            && let Ok(fresh) = connection.another().await
        {
            *connection = fresh;
        }
        let mut shared = shared.borrow_mut();
        if let Some(pause) = self.retry_policy.pause(&failure, place.attempts) {
            shared.sink.take(&Event::TenantDelayed { slug: &place.name, failure: &failure, pause });
            return self.queue.borrow_mut().delay(place, pause);
        }
        if server_error.sqlstate() == Some(error::PLATFORM_MOVED) {
            failure = Failure::new(Code::NotMigrated, "the platform moved while the pool was filled")
                .hint("run the command again when `tenure status` is quiet");
            // Every other place would fail so too.
            self.queue.take();
        }
        shared.sink.take(&Event::TenantFailed { slug: &place.name, failure: &failure });
        shared.failed.push(PoolFailure(failure));
    }

    /// Does the steps that follow the first transaction, if any do; the schema is removed where that fails.
    async fn finish(&self, connection: &mut Connection, place: &Place, shared: &RefCell<Shared<'_>>) {
        let whole =
            match self.script.later() {
                None => Ok(()),
                Some(steps) => {
                    let subject = (self.run, self.chain);
                    let caught_up =
                        catch_up(connection, subject, &place.schema, steps, (self.retry_policy, None)).await;
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
            Err(failure) => self.take_back(connection, place, failure, shared).await,
        }
    }

    async fn take_back(
        &self,
        connection: &mut Connection,
        place: &Place,
        failure: Failure,
        shared: &RefCell<Shared<'_>>,
    ) {
        // What cannot be removed now is removed by the next run, once its time is over.
        let _removed = remove_one(connection, self.run, &place.schema).await;
        let mut shared = shared.borrow_mut();
        shared.sink.take(&Event::TenantFailed { slug: &place.name, failure: &failure });
        shared.failed.push(PoolFailure(failure));
    }
}
