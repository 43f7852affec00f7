//! Runs steps of the chain on every tenant that is behind, with several workers that share one queue. Tenants are read
//! in pages, so that memory does not grow with their number.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::Allowed;
use super::batch::{Batch, BatchSizer, Task};
use super::observer::StatementObserver;
use super::queue::Queue;
use super::request::{OnFailure, Request};
use super::unit::{self, Part, Unit, UnitOutcome};
use super::worker_pool::{self, WorkerPool};
use super::{Notices, UnitFailure, Watch, retry, worker};
use crate::chain::{Chain, Migration, Version};
use crate::error::{Code, Failure};
use crate::event::{Activity, Event, Sink, UnderWay};
use crate::ident::SchemaName;
use crate::postgres::batch::{Run, SqlBatch};
use crate::postgres::metadata::version_rows::{self, Pool};
use crate::postgres::{Connection, Notice, Row, ServerError};
use crate::sql::Scope;

/// Tenants per page.
const PAGE: usize = 2_000;

/// The parameters of a pass over the tenants.
pub(crate) struct TenantExecutor<'a> {
    pub(crate) run: &'a Run,
    pub(crate) chain: &'a Chain,
    pub(crate) request: &'a Request,
    pub(crate) only: &'a [SchemaName],
    pub(crate) allowed: &'a Allowed,
    pub(crate) observer: Option<&'a dyn StatementObserver>,
    pub(crate) stop: &'a CancellationToken,
    /// The steps, as indices into the chain.
    pub(crate) steps: Range<usize>,
    /// `Tenant`, or `NewTenant` for a schema that is being created.
    pub(crate) part: Part,
    /// Number of workers.
    pub(crate) jobs: usize,
    /// Approximate number of tenants to migrate.
    pub(crate) tenants: usize,
    /// Maximum number of tenants.
    pub(crate) limit: Option<usize>,
}

/// A pass whose first tenants are read.
#[derive(Debug)]
pub(crate) struct Started {
    worker_pool: WorkerPool,
    page: Result<Vec<Task>, Failure>,
    /// The duration of that query, little more than a round trip.
    latency: Duration,
}

/// The results of a pass.
#[derive(Debug, Default)]
pub(crate) struct RunStats {
    pub(crate) units: usize,
    pub(crate) did_something: bool,
    /// The migrated tenants, with the duration of their units.
    pub(crate) moved: HashMap<String, Duration>,
    pub(crate) failures: Vec<UnitFailure>,
    pub(crate) notices: Notices,
    /// Whether tasks remained when the workers ended.
    pub(crate) is_cut: bool,
}

/// The state shared by the workers. They run on one thread.
pub(super) struct Shared<'a> {
    /// Number of workers.
    jobs: usize,
    queue: Queue<Task>,
    /// Start of the next page; `None` after the last.
    cursor: Option<String>,
    fetching: bool,
    fetched: usize,
    halted: bool,
    latency: Duration,
    /// When the first batch was sent.
    first_batch: Option<Instant>,
    batch_sizer: BatchSizer,
    stats: RunStats,
    /// The messages without an answer, oldest first.
    under_way: Vec<(Instant, UnderWay)>,
    sink: &'a mut dyn Sink,
}

/// Whether the server is reachable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    Reachable,
    /// All connection attempts failed.
    Unreachable,
}

/// The next action of a worker.
pub(super) enum Next {
    /// Send this batch.
    Batch(Batch),
    /// Run this task's non-transactional step.
    NonTransactional(Task),
    /// Read the next page.
    Fetch(String),
    /// Wait for delayed tasks or for other workers.
    Wait(Duration),
    End,
}

impl TenantExecutor<'_> {
    /// Reads the first page of tenants while the further workers connect. The message begins with the statements of `before`; the
    /// result is an error only if one of these fails.
    pub(crate) async fn start(
        &self,
        connection: &mut Connection,
        before: Option<&SqlBatch>,
    ) -> Result<Started, ServerError> {
        let worker_pool = WorkerPool::open(connection, self.jobs, self.tenants);
        let query = self.page_after("", self.page_size(0));
        let began = Instant::now();
        let answer = match before {
            None => retry::query(connection, &query, READING, self.request.retry_policy).await,
            Some(before) => match connection.query_batch(&format!("{}{query}", before.sql())).await {
                Ok(mut sets) => Ok(sets.split_off(before.statements())),
                Err(server_error) if server_error.completed < before.statements() => {
                    worker_pool.close().await;
                    return Err(server_error);
                }
                Err(server_error) => Err(server_error.failure(READING)),
            },
        };
        let latency = began.elapsed();
        let page = answer.and_then(|sets| self.tasks(sets.first().map_or(&[], Vec::as_slice)));
        Ok(Started { worker_pool, page, latency })
    }

    /// Runs the pass. The first worker uses `connection`. With a `watch`, the pass is reported while it takes long.
    pub(crate) async fn run(
        &self,
        Started { worker_pool, page, latency }: Started,
        connection: &mut Connection,
        (sink, watch): (&mut dyn Sink, Option<&mut Watch>),
    ) -> RunStats {
        let mut shared = Shared {
            jobs: worker_pool.jobs(),
            queue: Queue::default(),
            cursor: None,
            fetching: false,
            fetched: 0,
            halted: false,
            latency,
            first_batch: None,
            batch_sizer: BatchSizer::default(),
            stats: RunStats::default(),
            under_way: Vec::new(),
            sink,
        };
        self.add_page(&mut shared, page);
        let shared = RefCell::new(shared);
        let is_over = || shared.borrow().is_over();
        let work =
            Box::pin(worker_pool::run(connection, worker_pool, is_over, async |own: &mut Connection| {
                worker::work(self, &shared, own).await;
            }));
        match watch {
            None => work.await,
            Some(watch) => {
                let is_delayed = || shared.borrow().queue.delayed() > 0;
                watch.during(work, is_delayed, |activity| shared.borrow_mut().report(activity)).await;
            }
        }
        let shared = shared.into_inner();
        let is_cut = !shared.queue.is_empty() || shared.cursor.is_some();
        RunStats { is_cut, ..shared.stats }
    }

    /// Selects the next action of a worker.
    pub(super) fn next(&self, shared: &RefCell<Shared<'_>>) -> Next {
        let mut shared = shared.borrow_mut();
        if self.stop.is_cancelled() || shared.halted {
            return Next::End;
        }
        let ready = shared.queue.ready();
        if ready < shared.jobs
            && !shared.fetching
            && let Some(cursor) = shared.cursor.clone()
        {
            shared.fetching = true;
            return Next::Fetch(cursor);
        }
        if ready == 0 {
            return match shared.queue.wait() {
                Some(pause) => Next::Wait(pause),
                None if shared.fetching => Next::Wait(Duration::from_millis(2)),
                None => Next::End,
            };
        }
        // The first answer shows how many units a message should have: wait for it, if it is only on its way.
        let may_be_on_its_way = |sent: &Instant| sent.elapsed() < 2 * shared.latency;
        if shared.batch_sizer.is_new() && shared.first_batch.as_ref().is_some_and(may_be_on_its_way) {
            return Next::Wait(Duration::from_millis(1));
        }
        // Use smaller batches near the end, so that all workers finish at about the same time.
        let share = ready.div_ceil(shared.jobs * 2) * self.steps.len();
        let share = share.max(shared.batch_sizer.min_useful_units()).min(shared.batch_sizer.units());
        self.next_batch(&mut shared, share.max(1))
    }

    fn next_batch(&self, shared: &mut Shared<'_>, units: usize) -> Next {
        let mut batch = Batch::default();
        while !batch.is_full(units)
            && let Some(task) = shared.queue.pop()
        {
            if self.is_non_transactional(task.step) {
                if batch.tasks.is_empty() {
                    return Next::NonTransactional(task);
                }
                shared.queue.push_front(task);
                break;
            }
            let first = task.step;
            batch.tasks.push(task);
            for step in first..self.steps.end {
                if self.is_non_transactional(step) || (step > first && !self.may_follow(step)) {
                    batch.rest.push(Task { step, attempts: 0, ..batch.tasks[batch.tasks.len() - 1].clone() });
                    break;
                }
                let message = self.unit(step, &batch.tasks[batch.tasks.len() - 1].schema).message();
                batch.push(step, &message);
            }
        }
        shared.first_batch.get_or_insert_with(Instant::now);
        Next::Batch(batch)
    }

    fn is_non_transactional(&self, step: usize) -> bool {
        unit::is_non_transactional(&self.chain.migrations()[step], self.part)
    }

    /// Whether a step may share a message with the previous step of the same tenant. `now()` is equal in all transactions of
    /// one message (manual, chapter 9.9.5).
    fn may_follow(&self, step: usize) -> bool {
        let mut part = self.chain.migrations()[step].part(Scope::Tenant);
        part.all(|statement| statement.same_in_one_transaction)
    }

    /// The unit of a step on a tenant.
    pub(super) fn unit<'u>(&'u self, step: usize, schema: &'u SchemaName) -> Unit<'u> {
        let migration = &self.chain.migrations()[step];
        Unit {
            run: self.run,
            chain: self.chain,
            migration,
            schema,
            part: self.part,
            allowed: self.allowed.get(&migration.file).map_or("[]", String::as_str),
            observer: self.observer,
        }
    }

    /// Counts and reports a completed unit.
    pub(super) fn done(
        &self,
        shared: &RefCell<Shared<'_>>,
        schema: &SchemaName,
        step: usize,
        elapsed: Duration,
    ) {
        let mut shared = shared.borrow_mut();
        let migration: &Migration = &self.chain.migrations()[step];
        shared.stats.did_something = true;
        if !schema.is_pooled() {
            *shared.stats.moved.entry(schema.as_str().to_owned()).or_default() += elapsed;
        }
        if migration.has(Scope::Tenant) {
            shared.stats.units += 1;
            shared.sink.take(&Event::UnitDone { schema, migration: &migration.file, elapsed });
        }
    }

    /// Records and reports the notices of a completed unit.
    pub(super) fn notices(
        &self,
        shared: &RefCell<Shared<'_>>,
        schema: &SchemaName,
        step: usize,
        notices: &[Notice],
    ) {
        if !notices.is_empty() {
            let shared = &mut *shared.borrow_mut();
            shared.stats.notices.add(&self.unit(step, schema), notices, shared.sink);
        }
    }

    /// Sends a message with `tasks`, which is reported as under way until its answer.
    pub(super) async fn under_way<T>(
        &self,
        shared: &RefCell<Shared<'_>>,
        tasks: &[Task],
        send: impl Future<Output = T>,
    ) -> T {
        let Some(first) = tasks.first() else { return send.await };
        let since = shared.borrow_mut().sent(first, self.chain, tasks.len() - 1);
        let answer = send.await;
        shared
            .borrow_mut()
            .under_way
            .retain(|(other, message)| *other != since || message.schema != first.schema);
        answer
    }

    /// Handles a failed unit: delays it for a retry or records the failure. If the server is unreachable, no further units are
    /// started.
    pub(super) fn handle_failure(
        &self,
        shared: &RefCell<Shared<'_>>,
        task: Task,
        (answer, server): (UnitOutcome, Server),
    ) {
        let mut shared = shared.borrow_mut();
        let file = &self.chain.migrations()[task.step].file;
        let failure = match answer {
            UnitOutcome::Done(..) => return,
            UnitOutcome::DoneByAnother => {
                shared.sink.take(&Event::UnitDoneByAnother { schema: &task.schema, migration: file });
                return shared.push_front(Task { step: task.step + 1, attempts: 0, ..task }, self.steps.end);
            }
            UnitOutcome::Waits(failure) | UnitOutcome::Failed(failure) => failure,
        };
        let attempts = task.attempts + 1;
        if let Some(pause) = self.request.retry_policy.pause(&failure, attempts)
            && !self.stop.is_cancelled()
        {
            shared.sink.take(&Event::UnitDelayed {
                schema: &task.schema,
                migration: file,
                failure: &failure,
                pause,
            });
            return shared.queue.delay(Task { attempts, ..task }, pause);
        }
        shared.sink.take(&Event::UnitFailed { schema: &task.schema, migration: file, failure: &failure });
        shared.halted |= server == Server::Unreachable;
        // A pooled schema has no owner: it stays behind and is not used.
        if task.schema.is_pooled() && self.part != Part::NewTenant && server == Server::Reachable {
            return;
        }
        shared.halted |= self.request.on_failure == OnFailure::Stop;
        let migration = file.clone();
        shared.stats.failures.push(UnitFailure { schema: task.schema, migration, failure, attempts });
    }

    /// Skips a dropped tenant, or continues with a renamed one at its current step.
    pub(super) fn handle_missing(
        &self,
        shared: &RefCell<Shared<'_>>,
        task: Task,
        now: Option<(SchemaName, usize)>,
    ) {
        let mut shared = shared.borrow_mut();
        let name = now.as_ref().map(|(schema, _)| schema);
        shared.sink.take(&Event::TenantGone { schema: &task.schema, now: name });
        if let Some((schema, step)) = now {
            shared.push_front(Task { schema, step, attempts: task.attempts }, self.steps.end);
        }
    }

    /// Puts tasks back at the front of the queue, in order.
    pub(super) fn requeue(&self, shared: &RefCell<Shared<'_>>, tasks: impl DoubleEndedIterator<Item = Task>) {
        let mut shared = shared.borrow_mut();
        for task in tasks.rev() {
            shared.push_front(task, self.steps.end);
        }
    }

    /// Reads the page of tenants after `cursor`.
    pub(super) async fn fetch(
        &self,
        shared: &RefCell<Shared<'_>>,
        connection: &mut Connection,
        cursor: &str,
    ) {
        let sql = self.page_after(cursor, self.page_size(shared.borrow().fetched));
        let page = retry::query(connection, &sql, READING, self.request.retry_policy).await;
        let page = page.and_then(|sets| self.tasks(sets.first().map_or(&[], Vec::as_slice)));
        let mut shared = shared.borrow_mut();
        shared.fetching = false;
        self.add_page(&mut shared, page);
    }

    /// The number of tenants in the page after `fetched` tenants.
    fn page_size(&self, fetched: usize) -> usize {
        self.limit.map_or(PAGE, |limit| limit.saturating_sub(fetched).min(PAGE))
    }

    fn add_page(&self, shared: &mut Shared<'_>, page: Result<Vec<Task>, Failure>) {
        match page {
            Ok(tasks) => {
                let is_last = tasks.len() < self.page_size(shared.fetched);
                shared.fetched += tasks.len();
                let is_last = is_last || self.limit.is_some_and(|limit| shared.fetched >= limit);
                shared.cursor = tasks.last().filter(|_| !is_last).map(|task| task.schema.as_str().to_owned());
                shared.queue.extend(tasks);
            }
            Err(failure) => {
                let migration = self.chain.migrations()[self.steps.start].file.clone();
                let schema = self.run.platform.clone();
                shared.stats.failures.push(UnitFailure { schema, migration, failure, attempts: 1 });
                shared.halted = true;
            }
        }
    }

    /// The query of the page after `cursor`.
    fn page_after(&self, cursor: &str, limit: usize) -> String {
        // Canaries must be real tenants, not pooled schemas.
        let pool = if self.limit.is_some() { Pool::Without } else { Pool::With };
        let behind = version_rows::behind(&self.chain.migrations()[..self.steps.end], self.only, pool);
        version_rows::page_behind(&self.run.platform, &behind, (cursor, limit))
    }

    fn tasks(&self, page: &[Row]) -> Result<Vec<Task>, Failure> {
        let task = |row| {
            let (schema, version) = version_rows::version_of(row)?;
            let version = Version::stored(&version).map_err(|error| odd_answer(&error.to_string()))?;
            let step = self.chain.position(&version);
            let step = step.ok_or_else(|| odd_answer(&format!("version {version} is not in the chain")))?;
            Ok(Task { schema: SchemaName::existing(schema)?, step, attempts: 0 })
        };
        page.iter().map(task).collect()
    }
}

const READING: &str = "reading the tenants";

fn odd_answer(error: &str) -> Failure {
    Failure::new(Code::StatementFailed, format!("{READING}: {error}"))
}

impl Shared<'_> {
    /// Records the duration of `units` units.
    pub(super) fn record(&mut self, units: usize, elapsed: Duration) {
        self.batch_sizer.record(units, elapsed);
    }

    /// Notes a message that is being sent: its first task, and the number of the others. Returns the time that identifies it.
    fn sent(&mut self, first: &Task, chain: &Chain, others: usize) -> Instant {
        let (now, migration) = (Instant::now(), chain.migrations()[first.step].file.clone());
        let schema = first.schema.clone();
        self.under_way.push((now, UnderWay { schema, migration, others, elapsed: Duration::ZERO }));
        now
    }

    fn report(&mut self, activity: &Activity) {
        let oldest = self.under_way.first();
        let oldest = oldest.map(|(since, message)| UnderWay { elapsed: since.elapsed(), ..message.clone() });
        let delayed = self.queue.delayed();
        self.sink.take(&Event::Running { oldest: oldest.as_ref(), delayed, activity });
    }

    /// Whether another worker would have no work.
    fn is_over(&self) -> bool {
        self.halted || (self.queue.is_idle() && self.cursor.is_none() && !self.fetching)
    }

    fn push_front(&mut self, task: Task, end: usize) {
        if task.step < end {
            self.queue.push_front(task);
        }
    }
}
