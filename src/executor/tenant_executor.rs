//! One pass over the tenants: some steps of the chain on every tenant that is behind, by several workers
//! that share one queue. Tenants are read in pages, so memory does not grow with their number.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Allowed;
use super::batch::{Batch, BatchSizer, Task};
use super::observer::StatementObserver;
use super::queue::Queue;
use super::request::{OnFailure, Request};
use super::unit::{self, Answer, Part, Unit};
use super::worker_pool::{self, WorkerPool};
use super::{UnitFailure, retry, worker};
use crate::chain::{Chain, Migration, Version};
use crate::error::{Code, Failure};
use crate::event::{Event, Sink};
use crate::ident::{SchemaName, literal};
use crate::postgres::Connection;
use crate::postgres::batch::Run;
use crate::sql::Scope;

/// Tenants of one page.
const PAGE: usize = 2_000;

/// What a pass does, to whom.
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
    /// `Tenant`, or `NewTenant` where the only schema is one that is being made.
    pub(crate) part: Part,
    /// Workers.
    pub(crate) jobs: usize,
    /// About how many tenants there are to be moved.
    pub(crate) tenants: usize,
    /// Only so many tenants, if said.
    pub(crate) limit: Option<usize>,
}

/// What a pass did.
#[derive(Debug, Default)]
pub(crate) struct RunStats {
    pub(crate) units: usize,
    pub(crate) did_something: bool,
    /// The tenants that moved, each with the time of its units.
    pub(crate) moved: HashMap<String, Duration>,
    pub(crate) failures: Vec<UnitFailure>,
    /// Whether something was left when the workers ended.
    pub(crate) is_cut: bool,
}

/// What the workers share. One thread runs them all, so a plain cell is enough.
pub(super) struct Shared<'a> {
    queue: Queue<Task>,
    /// Where the next page begins; `None` when there is none.
    cursor: Option<String>,
    fetching: bool,
    fetched: usize,
    halted: bool,
    batch_sizer: BatchSizer,
    stats: RunStats,
    sink: &'a mut dyn Sink,
}

/// Whether the server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    /// It does.
    There,
    /// No connection could be opened, with as many tries as the settings say.
    Away,
}

/// What a worker is to do next.
pub(super) enum Next {
    /// Send these units.
    Batch(Batch),
    /// Run this task's step, which cannot run in a transaction.
    Alone(Task),
    /// Read the next page.
    Fetch(String),
    /// Wait: others are at work that may come back.
    Wait(Duration),
    /// Nothing is left.
    End,
}

impl TenantExecutor<'_> {
    /// Runs the pass. The first worker uses `connection`.
    pub(crate) async fn run(&self, connection: &mut Connection, sink: &mut dyn Sink) -> RunStats {
        let shared = RefCell::new(Shared {
            queue: Queue::default(),
            cursor: Some(String::new()),
            fetching: false,
            fetched: 0,
            halted: false,
            batch_sizer: BatchSizer::default(),
            stats: RunStats::default(),
            sink,
        });
        let is_over = || shared.borrow().is_over();
        let worker_pool = WorkerPool { jobs: self.jobs, tasks: self.tenants };
        worker_pool::run(connection, worker_pool, is_over, async |own: &mut Connection| {
            worker::work(self, &shared, own).await;
        })
        .await;
        let shared = shared.into_inner();
        let is_cut = !shared.queue.is_empty() || shared.cursor.is_some();
        RunStats { is_cut, ..shared.stats }
    }

    /// What a worker does next.
    pub(super) fn next(&self, shared: &RefCell<Shared<'_>>) -> Next {
        let mut shared = shared.borrow_mut();
        if self.stop.is_cancelled() || shared.halted {
            return Next::End;
        }
        let ready = shared.queue.ready();
        if ready < self.jobs
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
        // Near the end everybody takes a smaller share, so that nobody waits for the last one.
        let share = ready.div_ceil(self.jobs * 2) * self.steps.len();
        let share = share.max(shared.batch_sizer.worth_the_way()).min(shared.batch_sizer.units());
        self.pack(&mut shared, share.max(1))
    }

    fn pack(&self, shared: &mut Shared<'_>, units: usize) -> Next {
        let mut pack = Batch::default();
        while !pack.is_full(units)
            && let Some(task) = shared.queue.pop()
        {
            if self.runs_alone(task.step) {
                if pack.tasks.is_empty() {
                    return Next::Alone(task);
                }
                shared.queue.push_front(task);
                break;
            }
            let first = task.step;
            pack.tasks.push(task);
            for step in first..self.steps.end {
                if self.runs_alone(step) || (step > first && !self.may_follow(step)) {
                    pack.rest.push(Task { step, attempts: 0, ..pack.tasks[pack.tasks.len() - 1].clone() });
                    break;
                }
                let message = self.unit(step, &pack.tasks[pack.tasks.len() - 1].schema).message();
                pack.push(step, &message);
            }
        }
        Next::Batch(pack)
    }

    fn runs_alone(&self, step: usize) -> bool {
        unit::runs_alone(&self.chain.migrations()[step], self.part)
    }

    /// Whether a step may be in the message of the step before it on the same tenant. The transactions of one message
    /// have one time: `now()` is when the message came (manual, chapter 9.9.5).
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

    /// A unit is done: it is counted and told.
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

    /// A unit was refused: it is tried again later, or it has failed. Where the server is away, the others would fail as well,
    /// each after as long a wait: no further one is begun.
    pub(super) fn refused(
        &self,
        shared: &RefCell<Shared<'_>>,
        task: Task,
        (answer, server): (Answer, Server),
    ) {
        let mut shared = shared.borrow_mut();
        let file = &self.chain.migrations()[task.step].file;
        let failure = match answer {
            Answer::Done(..) => return,
            Answer::DoneByAnother => {
                shared.sink.take(&Event::UnitDoneByAnother { schema: &task.schema, migration: file });
                return shared.push_front(Task { step: task.step + 1, attempts: 0, ..task }, self.steps.end);
            }
            Answer::Waits(failure) | Answer::Failed(failure) => failure,
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
        shared.halted |= server == Server::Away;
        // Nobody waits for a schema that is nobody's: it stays behind, and is not taken.
        if task.schema.is_pooled() && self.part != Part::NewTenant && server == Server::There {
            return;
        }
        shared.halted |= self.request.on_failure == OnFailure::Stop;
        let migration = file.clone();
        shared.stats.failures.push(UnitFailure { schema: task.schema, migration, failure, attempts });
    }

    /// A tenant is gone: it is left out, or followed under its new name from the version that it is at.
    pub(super) fn gone(&self, shared: &RefCell<Shared<'_>>, task: Task, now: Option<(SchemaName, usize)>) {
        let mut shared = shared.borrow_mut();
        let name = now.as_ref().map(|(schema, _)| schema);
        shared.sink.take(&Event::TenantGone { schema: &task.schema, now: name });
        if let Some((schema, step)) = now {
            shared.push_front(Task { schema, step, attempts: task.attempts }, self.steps.end);
        }
    }

    /// Tasks that are to be taken next, in this order.
    pub(super) fn give_back(
        &self,
        shared: &RefCell<Shared<'_>>,
        tasks: impl DoubleEndedIterator<Item = Task>,
    ) {
        let mut shared = shared.borrow_mut();
        for task in tasks.rev() {
            shared.push_front(task, self.steps.end);
        }
    }

    /// Reads the page of tenants behind `cursor`.
    pub(super) async fn fetch(
        &self,
        shared: &RefCell<Shared<'_>>,
        connection: &mut Connection,
        cursor: &str,
    ) {
        let left = self.limit.map_or(PAGE, |limit| limit.saturating_sub(shared.borrow().fetched).min(PAGE));
        let page = self.page(connection, cursor, left).await;
        let mut shared = shared.borrow_mut();
        shared.fetching = false;
        match page {
            Ok(tasks) => {
                shared.fetched += tasks.len();
                let is_last = tasks.len() < left || self.limit.is_some_and(|limit| shared.fetched >= limit);
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

    async fn page(
        &self,
        connection: &mut Connection,
        cursor: &str,
        limit: usize,
    ) -> Result<Vec<Task>, Failure> {
        // Those that go first show what the others have to expect: they are somebody's.
        let pool = if self.limit.is_some() { Pool::Without } else { Pool::With };
        let tenants = those_behind(&self.chain.migrations()[..self.steps.end], self.only, pool);
        let sql = format!(
            "SELECT schema_name, version FROM {}.tenant_version WHERE {tenants} AND schema_name > {} \
             ORDER BY schema_name LIMIT {limit}",
            self.run.platform.quoted(),
            literal(cursor),
        );
        let doing = "reading the tenants";
        let odd = |error: String| Failure::new(Code::StatementFailed, format!("{doing}: {error}"));
        let sets = retry::ask(connection, &sql, doing, self.request.retry_policy).await?;
        sets.iter()
            .flatten()
            .map(|row| {
                let version =
                    Version::stored(&row.text("version")?).map_err(|error| odd(error.to_string()))?;
                let step = self
                    .chain
                    .position(&version)
                    .ok_or_else(|| odd(format!("{version} is not in the chain")))?;
                let schema = SchemaName::existing(row.text("schema_name")?)?;
                Ok(Task { schema, step, attempts: 0 })
            })
            .collect()
    }
}

/// Whether schemas that were made in advance are meant too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pool {
    /// Yes.
    With,
    /// Only tenants.
    Without,
}

/// The condition on `tenant_version` of the tenants that have one of `steps` before them; of only these
/// schemas, if some are named.
pub(crate) fn those_behind(steps: &[Migration], only: &[SchemaName], pool: Pool) -> String {
    let versions: Vec<String> = steps.iter().map(|migration| format!("'{}'", migration.from())).collect();
    let schemas: Vec<String> = only.iter().map(|schema| literal(schema.as_str())).collect();
    let of_these = if schemas.is_empty() {
        String::new()
    } else {
        format!(" AND schema_name IN ({})", schemas.join(", "))
    };
    let not = match pool {
        Pool::With => "<> 'dropped'",
        Pool::Without => "NOT IN ('dropped', 'pooled')",
    };
    format!("version IN ({}) AND status {not}{of_these}", versions.join(", "))
}

impl Shared<'_> {
    /// Learns how long so many units took.
    pub(super) fn learn(&mut self, units: usize, elapsed: Duration) {
        self.batch_sizer.learn(units, elapsed);
    }

    /// Whether a further worker would find nothing to do.
    fn is_over(&self) -> bool {
        self.halted || (self.queue.is_idle() && self.cursor.is_none() && !self.fetching)
    }

    fn push_front(&mut self, task: Task, end: usize) {
        if task.step < end {
            self.queue.push_front(task);
        }
    }
}
