//! Runs the stages of a plan and counts the results.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::prepared::Prepared;
use super::slowest::slowest;
use super::{ApprovedPlan, Migrated, TenantCounts, VersionChange};
use crate::chain::{Chain, Migration, Reach, Stage, Version};
use crate::error::Failure;
use crate::event::{Activity, Event, Sink, UnderWay};
use crate::executor::unverified::{Part, Started, TenantExecutor, Unit, UnitOutcome, send_non_transactional};
use crate::executor::{Allowed, Notices, OnFailure, StatementObserver, UnitFailure, Watch, jobs, retry};
use crate::ident::SchemaName;
use crate::postgres::Connection;
use crate::postgres::batch::{BEGIN, NO_IDLE_TIMEOUT, Run};
use crate::postgres::metadata::version_rows;
use crate::postgres::metadata::{self, FailedUnit, RunStatus, failures, runs};
use crate::project::Project;

/// The platform unit of a step without platform statements. It moves the platform's version row, writes the history, and waits
/// for tenants that are behind.
const SETTLE: Part = Part::Platform { moves_tenants: false, waits: true, records_fingerprint: false };

/// Runs an approved plan. Returns an error only for a failure before the first unit; failures of units are in the result.
pub async fn run(
    connection: &mut Connection,
    project: &Project,
    plan: &ApprovedPlan,
    command: &str,
    (sink, stop): (&mut dyn Sink, &CancellationToken),
) -> Result<Migrated, Failure> {
    let (began, prepared) = (Instant::now(), &plan.prepared);
    let mut runner = Runner {
        run: Run::new(&project.settings, prepared.request.limits),
        chain: &project.chain,
        prepared,
        allowed: &plan.allowed,
        observer: plan.observer.as_deref(),
        records_fingerprint: plan.records_fingerprint,
        watch: Watch::new(connection),
        connection,
        sink,
        stop,
        began,
        at: prepared.state.platform.clone(),
        units: 0,
        did_something: false,
        started: None,
        end: RunEnd::Separate,
        canary_done: false,
        attempts: 0,
        moved: HashMap::new(),
        failures: Vec::new(),
        notices: Notices::default(),
    };
    if prepared.plan.is_empty() {
        return Ok(runner.result(RunStatus::Nothing));
    }
    prepared.check_connection(runner.connection)?;
    if !prepared.state.presence.own_tables_current {
        metadata::ensure(runner.connection, &runner.run.platform, runner.run.limits.lock_timeout).await?;
    }
    runner.begin(command).await?;
    let expected = prepared.plan.steps.iter().map(|step| step.tenants + usize::from(step.platform)).sum();
    runner.sink.take(&Event::Began { run: runner.run.id.to_string(), expected });
    let ending = runner.stages().await;
    runner.sink.take(&Event::Ended);
    let mut result = runner.result(ending);
    result.run = Some(runner.run.id.to_string());
    result.tenants.left = match ending {
        RunStatus::Done | RunStatus::Nothing => None,
        // Unknown if the database is unreachable.
        RunStatus::Failed | RunStatus::Partial | RunStatus::Interrupted => runner.left().await.ok(),
    };
    if runner.end != RunEnd::Recorded
        && let Err(failure) = runner.record_end(ending, &counts(&result)).await
    {
        runner.sink.take(&Event::RunRecordFailed { failure: &failure });
    } else if let Err(failure) = runner.keep_failures().await {
        runner.sink.take(&Event::RunRecordFailed { failure: &failure });
    }
    runner.watch.close().await;
    Ok(result)
}

/// The counts in the row of a run.
fn counts(result: &Migrated) -> String {
    serde_json::json!({ "units": result.units, "tenants": result.tenants }).to_string()
}

/// Sends a unit of the platform, which is reported while it takes long.
async fn reported<T>(
    watch: &mut Watch,
    sink: &mut dyn Sink,
    (schema, file, attempts): (&SchemaName, &str, u32),
    send: impl Future<Output = T>,
) -> T {
    let began = Instant::now();
    let report = |activity: &Activity| {
        let (schema, migration) = (schema.clone(), file.to_owned());
        let unit = UnderWay { schema, migration, others: 0, elapsed: began.elapsed() };
        sink.take(&Event::Running { oldest: Some(&unit), delayed: 0, activity });
    };
    watch.during(send, || attempts > 1, report).await
}

/// Where the end of a run is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RunEnd {
    /// In a message of its own.
    Separate,
    /// In the message of the platform's next unit, the last one of the run.
    WithUnit,
    /// It is recorded.
    Recorded,
}

struct Runner<'a> {
    run: Run,
    chain: &'a Chain,
    prepared: &'a Prepared,
    allowed: &'a Allowed,
    observer: Option<&'a dyn StatementObserver>,
    records_fingerprint: bool,
    connection: &'a mut Connection,
    watch: Watch,
    sink: &'a mut dyn Sink,
    stop: &'a CancellationToken,
    began: Instant,
    /// The first pass, whose first tenants were read in the message that began the run.
    started: Option<Started>,
    end: RunEnd,
    /// The platform's version.
    at: Version,
    /// Number of units with statements that this run committed.
    units: usize,
    /// Whether this run changed anything.
    did_something: bool,
    /// Whether the pass over the canary tenants has begun.
    canary_done: bool,
    /// Number of attempts at the platform's current unit.
    attempts: u32,
    /// The migrated tenants, with the duration of their units.
    moved: HashMap<String, Duration>,
    failures: Vec<UnitFailure>,
    notices: Notices,
}

/// Maximum number of passes over the tenants. A pass reads the tenants in pages, in order. A tenant that is renamed during a pass
/// may sort before the current page; the next pass finds it.
const ROUNDS: usize = 3;

/// Whether the run continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Continue,
    Halt,
}

impl<'a> Runner<'a> {
    /// Records the start of the run. If tenants go first, the same message reads them.
    async fn begin(&mut self, command: &str) -> Result<(), Failure> {
        let begin = runs::begin_marked(&self.run, command);
        let sent = if let Some(Stage::Tenants(steps)) = self.prepared.plan.stages.first() {
            let (run, canary) = (self.run.clone(), self.prepared.request.canary);
            let pass = self.executor(&run, steps.clone(), (canary > 0).then_some(canary));
            let started = pass.start(self.connection, Some(&begin)).await;
            started.map(|started| self.started = Some(started))
        } else {
            self.connection.run(begin.sql()).await
        };
        sent.map_err(|server_error| server_error.failure("noting the run"))
    }

    /// Runs the stages in order until one halts, and returns how the run ended.
    async fn stages(&mut self) -> RunStatus {
        let mut is_cut = false;
        let mut stages = self.prepared.plan.stages.iter().peekable();
        while let Some(stage) = stages.next() {
            let following = stages.peek().copied();
            let next = match stage {
                Stage::Platform { step, moves_tenants } => self.platform(*step, *moves_tenants).await,
                Stage::Tenants(steps) => self.tenants(steps.clone(), following).await,
                Stage::Settle(steps) => self.settle(steps.clone(), following).await,
            };
            if next == Next::Halt {
                is_cut = true;
                break;
            }
        }
        match (self.failures.is_empty(), self.did_something) {
            (true, _) if is_cut => RunStatus::Interrupted,
            (true, true) => RunStatus::Done,
            // Another run completed all steps.
            (true, false) => RunStatus::Nothing,
            (false, true) => RunStatus::Partial,
            (false, false) => RunStatus::Failed,
        }
    }

    /// Runs the platform unit of a step. With `moves_tenants`, the unit also moves the tenants' version rows, since the step has no
    /// tenant part.
    async fn platform(&mut self, step: usize, moves_tenants: bool) -> Next {
        // A run of the platform alone does not wait: its tenants are migrated later.
        let waits = self.prepared.request.reach != Reach::Platform;
        let records_fingerprint =
            self.records_fingerprint && self.prepared.plan.last_platform_step() == Some(step);
        match self.unit(step, Part::Platform { moves_tenants, waits, records_fingerprint }).await {
            Some(UnitOutcome::Done(moved, _)) => {
                for schema in moved {
                    self.moved.entry(schema).or_default();
                }
                self.reached(step)
            }
            Some(UnitOutcome::DoneByAnother) => self.reached(step),
            Some(UnitOutcome::Waits(failure) | UnitOutcome::Failed(failure)) => self.fail(step, failure),
            None => Next::Halt,
        }
    }

    /// Runs the tenant parts of `steps` on every tenant that is behind. If the platform's row moves in the following stage, that
    /// finds tenants that a pass missed.
    async fn tenants(&mut self, steps: Range<usize>, following: Option<&Stage>) -> Next {
        let canary = self.prepared.request.canary;
        if canary > 0 && !self.canary_done {
            self.canary_done = true;
            if self.pass(steps.clone(), Some(canary)).await == Next::Halt {
                return Next::Halt;
            }
        }
        for _round in 0..ROUNDS {
            if self.pass(steps.clone(), None).await == Next::Halt {
                return Next::Halt;
            }
            if self.prepared.request.reach == Reach::Fleet && matches!(following, Some(Stage::Settle(_))) {
                break;
            }
            match self.behind(steps.end).await {
                Ok(0) => break,
                Ok(_) => {}
                Err(failure) => return self.fail(steps.start, failure),
            }
        }
        Next::Continue
    }

    /// Runs the tenant parts of `steps` once on the tenants that are behind, or on at most `limit` of them.
    async fn pass(&mut self, steps: Range<usize>, limit: Option<usize>) -> Next {
        let (run, first) = (self.run.clone(), steps.start);
        let pass = self.executor(&run, steps, limit);
        let started = match self.started.take() {
            Some(started) => started,
            None => match pass.start(self.connection, None).await {
                Ok(started) => started,
                Err(server_error) => return self.fail(first, server_error.failure("reading the tenants")),
            },
        };
        let stats = pass.run(started, self.connection, (self.sink, Some(&mut self.watch))).await;
        self.units += stats.units;
        self.did_something |= stats.did_something;
        for (schema, elapsed) in stats.moved {
            *self.moved.entry(schema).or_default() += elapsed;
        }
        let failed = !stats.failures.is_empty();
        self.failures.extend(stats.failures);
        self.notices.extend(stats.notices);
        if failed || (self.stop.is_cancelled() && stats.is_cut) { Next::Halt } else { Next::Continue }
    }

    /// A pass over the tenants.
    fn executor<'e>(&self, run: &'e Run, steps: Range<usize>, limit: Option<usize>) -> TenantExecutor<'e>
    where
        'a: 'e,
    {
        let (request, state) = (&self.prepared.request, &self.prepared.state);
        // Statements outside of a transaction run one at a time: concurrent index builds wait for each other's transactions.
        let alone = self.chain.migrations()[steps.clone()].iter().any(|migration| !migration.transactional);
        let end = steps.end;
        let is_behind = |at: &Version| self.chain.position(at).is_some_and(|at| at < end);
        let behind = || {
            let tenants = state.tenants.iter().filter(|(at, _)| is_behind(at)).map(|(_, count)| count);
            let pool = state.pool.iter().filter(|((at, _), _)| is_behind(at)).map(|(_, count)| count);
            if self.prepared.only.is_empty() { tenants.chain(pool).sum() } else { self.prepared.only.len() }
        };
        TenantExecutor {
            run,
            chain: self.chain,
            request,
            only: &self.prepared.only,
            allowed: self.allowed,
            observer: self.observer,
            stop: self.stop,
            steps,
            part: Part::Tenant,
            jobs: if alone {
                1
            } else {
                request.jobs.unwrap_or_else(|| jobs::default(state.free_connections)).max(1)
            },
            tenants: limit.unwrap_or_else(behind),
            limit,
        }
    }

    /// Advances the platform's version row over `steps`, which have no platform statements, after all tenants. The last one ends the
    /// run if no stage follows.
    async fn settle(&mut self, steps: Range<usize>, following: Option<&Stage>) -> Next {
        let end = steps.end;
        for step in steps {
            self.end =
                if step + 1 == end && following.is_none() { RunEnd::WithUnit } else { RunEnd::Separate };
            let mut answer = self.unit(step, SETTLE).await;
            if matches!(answer, Some(UnitOutcome::Waits(_))) {
                // Only some tenants were requested: the platform's row waits for the others.
                if self.prepared.request.reach == Reach::Tenants {
                    return Next::Continue;
                }
                // Tenants were created or renamed during the pass.
                answer = match self.tenants(0..end, None).await {
                    Next::Continue => self.unit(step, SETTLE).await,
                    Next::Halt => None,
                };
            }
            if matches!(answer, Some(UnitOutcome::Waits(_))) {
                answer = self.settle_with_lock(step, end).await;
            }
            match answer {
                Some(UnitOutcome::Done(..) | UnitOutcome::DoneByAnother) => self.reached(step),
                Some(UnitOutcome::Waits(failure) | UnitOutcome::Failed(failure)) => {
                    return self.fail(step, failure);
                }
                None => return Next::Halt,
            };
        }
        Next::Continue
    }

    /// Migrates tenants that were created during the run, while holding the lock on the platform's version row, so that no
    /// further tenants can be created before it moves.
    async fn settle_with_lock(&mut self, step: usize, end: usize) -> Option<UnitOutcome> {
        let lock = format!(
            "{BEGIN}; {NO_IDLE_TIMEOUT}; SET LOCAL lock_timeout = 0; {}",
            version_rows::lock_platform(&self.run.platform)
        );
        let mut holder = match self.connection.open_another().await {
            Ok(holder) => holder,
            Err(failure) => return Some(UnitOutcome::Failed(failure)),
        };
        if let Err(server_error) = holder.run(&lock).await {
            return Some(UnitOutcome::Failed(server_error.failure("locking the platform's version row")));
        }
        let answer = if self.tenants(0..end, None).await == Next::Continue {
            // The unit runs in the transaction that holds the lock.
            std::mem::swap(self.connection, &mut holder);
            let answer = self.unit(step, SETTLE).await;
            std::mem::swap(self.connection, &mut holder);
            answer
        } else {
            None
        };
        holder.close().await;
        answer
    }

    /// Records that the platform has the version after `step`.
    fn reached(&mut self, step: usize) -> Next {
        self.at = self.chain.migrations()[step].to().clone();
        Next::Continue
    }

    /// Runs one unit of the platform with retries and reports it. Returns `None` if the run was
    /// stopped.
    async fn unit(&mut self, step: usize, part: Part) -> Option<UnitOutcome> {
        let (chain, schema) = (self.chain, self.run.platform.clone());
        let migration: &Migration = &chain.migrations()[step];
        let allowed = self.allowed.get(&migration.file).map_or("[]", String::as_str);
        let (run, observer) = (&self.run.clone(), self.observer);
        let unit = Unit { run, chain, migration, schema: &schema, part, allowed, observer };
        let has_work = migration.has(unit.scope());
        let (file, schema) = (migration.file.as_str(), &schema);
        let mut was_broken = false;
        self.attempts = 0;
        loop {
            if self.stop.is_cancelled() {
                return None;
            }
            self.attempts += 1;
            let answer = if migration.transactional || !has_work {
                let after = (self.end == RunEnd::WithUnit).then(|| {
                    let result = self.result(RunStatus::Done);
                    runs::ended(&self.run, RunStatus::Done.as_str(), &counts(&result))
                });
                let send = Box::pin(unit.send(self.connection, after.as_ref()));
                let (answer, is_complete) =
                    reported(&mut self.watch, self.sink, (schema, file, self.attempts), send).await;
                if self.end == RunEnd::WithUnit && is_complete {
                    self.end = RunEnd::Recorded;
                }
                answer
            } else {
                let send = Box::pin(send_non_transactional(&unit, self.connection, self.stop));
                reported(&mut self.watch, self.sink, (schema, file, self.attempts), send).await?
            };
            let (answer, is_broken) = self.resolve_lost_result(answer, &unit, was_broken).await;
            was_broken |= is_broken;
            if let UnitOutcome::Failed(failure) = &answer
                && let Some(pause) = self.prepared.request.retry_policy.pause(failure, self.attempts)
            {
                self.sink.take(&Event::UnitDelayed { schema, migration: file, failure, pause });
                tokio::time::sleep(pause).await;
                continue;
            }
            let notices = self.connection.take_notices();
            if matches!(answer, UnitOutcome::Done(..)) {
                self.did_something = true;
                self.notices.add(&unit, &notices, self.sink);
            }
            match &answer {
                UnitOutcome::Done(_, elapsed) if has_work => {
                    self.units += 1;
                    self.sink.take(&Event::UnitDone { schema, migration: file, elapsed: *elapsed });
                }
                UnitOutcome::DoneByAnother if has_work => {
                    self.sink.take(&Event::UnitDoneByAnother { schema, migration: file });
                }
                UnitOutcome::Failed(failure) => {
                    self.sink.take(&Event::UnitFailed { schema, migration: file, failure });
                }
                UnitOutcome::Done(..) | UnitOutcome::DoneByAnother | UnitOutcome::Waits(_) => {}
            }
            return Some(answer);
        }
    }

    /// After a lost connection, checks in the version row and the history whether the platform's unit was committed, and by
    /// which run. Also returns whether the connection was lost.
    async fn resolve_lost_result(
        &mut self,
        answer: UnitOutcome,
        unit: &Unit<'_>,
        was_broken: bool,
    ) -> (UnitOutcome, bool) {
        let is_broken = match &answer {
            UnitOutcome::Failed(failure) => failure.session_ended(),
            _ => false,
        };
        if is_broken {
            let Ok(fresh) = self.connection.open_another().await else { return (answer, true) };
            *self.connection = fresh;
        } else if !(was_broken && matches!(answer, UnitOutcome::DoneByAnother)) {
            return (answer, false);
        }
        let committed = unit.committed(self.connection).await.ok().flatten();
        (committed.unwrap_or(answer), is_broken)
    }

    /// Records how the run ended; uses a new connection if this one is broken.
    async fn record_end(&mut self, ending: RunStatus, counts: &str) -> Result<(), Failure> {
        let ending = ending.as_str();
        let noted = runs::end(self.connection, &self.run, ending, counts).await;
        let Err(failure) = noted else { return Ok(()) };
        if !failure.session_ended() {
            return Err(failure);
        }
        *self.connection = self.connection.open_another().await?;
        runs::end(self.connection, &self.run, ending, counts).await
    }

    /// Keeps the failures for `status`.
    async fn keep_failures(&mut self) -> Result<(), Failure> {
        let steps = self.chain.migrations();
        let kept = self.failures.iter().filter_map(|UnitFailure { schema, migration, failure, attempts }| {
            let step = steps.iter().find(|step| step.file == *migration)?;
            Some(FailedUnit {
                schema,
                from: step.from(),
                to: step.to(),
                migration,
                failure,
                attempts: *attempts,
            })
        });
        failures::keep(self.connection, &self.run, &kept.collect::<Vec<_>>()).await
    }

    /// Number of the requested tenants that are still behind.
    async fn left(&mut self) -> Result<usize, Failure> {
        let end = self.prepared.request.to.as_ref().and_then(|to| self.chain.position(to));
        self.behind(end.unwrap_or(self.chain.migrations().len())).await
    }

    /// Number of tenants with a pending step before `end`.
    async fn behind(&mut self, end: usize) -> Result<usize, Failure> {
        let steps = &self.chain.migrations()[..end];
        let behind = version_rows::behind(steps, &self.prepared.only, version_rows::Pool::Without);
        let sql = version_rows::count_behind(&self.run.platform, &behind);
        let doing = "counting the remaining tenants";
        let sets = retry::query(self.connection, &sql, doing, self.prepared.request.retry_policy).await?;
        let row = sets.first().and_then(|rows| rows.first());
        let count = row.map(|row| row.integer("tenants")).transpose()?.unwrap_or_default();
        Ok(usize::try_from(count).unwrap_or_default())
    }

    /// Records a failed platform unit, which ends the run.
    fn fail(&mut self, step: usize, failure: Failure) -> Next {
        let migration = self.chain.migrations()[step].file.clone();
        let schema = self.run.platform.clone();
        self.failures.push(UnitFailure { schema, migration, failure, attempts: self.attempts.max(1) });
        Next::Halt
    }

    /// The result of the run, without the number of tenants that are left.
    fn result(&self, outcome: RunStatus) -> Migrated {
        let total: usize = self.prepared.state.tenants.values().sum();
        let failed: HashSet<&str> = self
            .failures
            .iter()
            .filter(|failure| failure.schema != self.run.platform)
            .map(|failure| failure.schema.as_str())
            .collect();
        let migrated = self.moved.keys().filter(|schema| !failed.contains(schema.as_str())).count();
        let total = total.max(migrated + failed.len());
        Migrated {
            outcome,
            run: None,
            platform: VersionChange { from: self.prepared.state.platform.clone(), to: self.at.clone() },
            tenants: TenantCounts {
                total,
                migrated,
                unchanged: total - migrated - failed.len(),
                failed: failed.len(),
                unknown: self.prepared.unknown(),
                left: None,
            },
            stopped_early: self.prepared.request.on_failure == OnFailure::Stop
                && self.failures.iter().any(|failure| failure.schema != self.run.platform),
            slowest: slowest(&self.moved),
            units: self.units,
            duration_ms: self.began.elapsed().as_millis(),
            failures: self.failures.clone(),
            notices: self.notices.clone(),
        }
    }
}
