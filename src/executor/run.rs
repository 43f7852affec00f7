//! Follows the plan, stage by stage, and counts what happened.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use super::request::Prepared;
use super::slowest::slowest;
use super::tenant_executor::{Pool, TenantExecutor, those_behind};
use super::unit::{Answer, Part, Unit};
use super::{Migrated, Stop, TenantCounts, UnitFailure, VersionChange, jobs, non_transactional, retry};
use crate::chain::{Chain, Migration, Reach, Stage, Version};
use crate::error::Failure;
use crate::event::{Event, Sink};
use crate::postgres::Connection;
use crate::postgres::batch::{BEGIN, NO_IDLE_TIMEOUT, Run};
use crate::postgres::metadata::{self, RunStatus, history};
use crate::project::Project;

/// The platform's unit in a step that only tenants have a part in: its version row and its history.
const SETTLE: Part = Part::Platform { moves_tenants: false, waits: true };

/// Accepted findings by file, as the JSON that goes into the history.
pub type Allowed = HashMap<String, String>;

/// Runs a prepared request. The failure is of what comes before the first unit; a unit's is in the result.
pub async fn migrate(
    connection: &mut Connection,
    project: &Project,
    prepared: &Prepared,
    allowed: &Allowed,
    command: &str,
    (sink, stop): (&mut dyn Sink, &Stop),
) -> Result<Migrated, Failure> {
    let began = Instant::now();
    let mut runner = Runner {
        run: Run::new(&project.settings, prepared.request.limits),
        chain: &project.chain,
        prepared,
        allowed,
        connection,
        sink,
        stop,
        at: prepared.state.platform.clone(),
        units: 0,
        did_something: false,
        canary_done: false,
        attempts: 0,
        moved: HashMap::new(),
        failures: Vec::new(),
    };
    if prepared.plan.is_empty() {
        return Ok(runner.result(RunStatus::Nothing, began));
    }
    prepared.can_go_through(runner.connection)?;
    if !prepared.state.presence.own_tables_current {
        metadata::ensure(runner.connection, &runner.run.platform, runner.run.limits.lock_timeout).await?;
    }
    history::begin_marked_run(runner.connection, &runner.run, command).await?;
    let expected = prepared.plan.steps.iter().map(|step| step.tenants + usize::from(step.platform)).sum();
    runner.sink.take(&Event::Began { expected });
    let ending = runner.stages().await;
    runner.sink.take(&Event::Ended);
    let mut result = runner.result(ending, began);
    result.tenants.left = match ending {
        RunStatus::Done | RunStatus::Nothing => None,
        // A database that no longer answers does not say.
        RunStatus::Failed | RunStatus::Partial | RunStatus::Interrupted => runner.left().await.ok(),
    };
    let counts = serde_json::json!({ "units": result.units, "tenants": result.tenants }).to_string();
    if let Err(failure) = runner.note_end(ending, &counts).await {
        runner.sink.take(&Event::RunRecordFailed { failure: &failure });
    }
    Ok(result)
}

/// A run under way.
struct Runner<'a> {
    run: Run,
    chain: &'a Chain,
    prepared: &'a Prepared,
    allowed: &'a Allowed,
    connection: &'a mut Connection,
    sink: &'a mut dyn Sink,
    stop: &'a Stop,
    at: Version,
    units: usize,
    did_something: bool,
    canary_done: bool,
    /// How often the platform's unit under way was tried.
    attempts: u32,
    /// The tenants that moved, each with the time of its units.
    moved: HashMap<String, Duration>,
    failures: Vec<UnitFailure>,
}

/// So often the tenants are gone through: one that is renamed meanwhile may get a name that was passed already.
const ROUNDS: usize = 3;

/// Whether the run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    GoOn,
    Halt,
}

impl Runner<'_> {
    async fn stages(&mut self) -> RunStatus {
        let mut is_cut = false;
        for stage in &self.prepared.plan.stages {
            let next = match stage {
                Stage::Platform { step, moves_tenants } => self.platform(*step, *moves_tenants).await,
                Stage::Tenants(steps) => self.tenants(steps.start, steps.end).await,
                Stage::Settle(steps) => self.settle(steps.start, steps.end).await,
            };
            if next == Next::Halt {
                is_cut = true;
                break;
            }
        }
        match (self.failures.is_empty(), self.did_something) {
            (true, _) if is_cut => RunStatus::Interrupted,
            (true, true) => RunStatus::Done,
            // All of it had been done by another runner.
            (true, false) => RunStatus::Nothing,
            (false, true) => RunStatus::Partial,
            (false, false) => RunStatus::Failed,
        }
    }

    async fn platform(&mut self, step: usize, moves_tenants: bool) -> Next {
        let waits = self.prepared.request.reach != Reach::Platform;
        match self.unit(step, Part::Platform { moves_tenants, waits }).await {
            Some(Answer::Done(moved, _)) => {
                for schema in moved {
                    self.moved.entry(schema).or_default();
                }
                self.reached(step)
            }
            Some(Answer::DoneByAnother) => self.reached(step),
            Some(Answer::Waits(failure) | Answer::Failed(failure)) => self.fail(step, failure),
            None => Next::Halt,
        }
    }

    /// The tenant parts of the steps from `start` to before `end`, on every tenant that is behind.
    async fn tenants(&mut self, start: usize, end: usize) -> Next {
        let canary = self.prepared.request.canary;
        if canary > 0 && !self.canary_done {
            self.canary_done = true;
            if self.pass(start, end, Some(canary)).await == Next::Halt {
                return Next::Halt;
            }
        }
        for _round in 0..ROUNDS {
            if self.pass(start, end, None).await == Next::Halt {
                return Next::Halt;
            }
            match self.behind(end).await {
                Ok(0) => break,
                Ok(_) => {}
                Err(failure) => return self.fail(start, failure),
            }
        }
        Next::GoOn
    }

    async fn pass(&mut self, start: usize, end: usize, limit: Option<usize>) -> Next {
        let request = &self.prepared.request;
        // Builds of indexes that run alone wait for each other's transactions.
        let alone = self.chain.migrations()[start..end].iter().any(|migration| !migration.transactional);
        let jobs = match request.jobs {
            _ if alone => 1,
            Some(jobs) => jobs,
            None => match jobs::default(self.connection).await {
                Ok(jobs) => jobs,
                Err(failure) => return self.fail(start, failure),
            },
        };
        let pass = TenantExecutor {
            run: &self.run,
            chain: self.chain,
            request,
            only: &self.prepared.only,
            allowed: self.allowed,
            observer: self.prepared.observer.as_deref(),
            stop: self.stop,
            steps: start..end,
            part: Part::Tenant,
            jobs: jobs.max(1),
            tenants: limit.unwrap_or_else(|| {
                let state = &self.prepared.state;
                state.tenants.values().chain(state.pool.values()).sum()
            }),
            limit,
        };
        let stats = pass.run(self.connection, self.sink).await;
        self.units += stats.units;
        self.did_something |= stats.did_something;
        for (schema, elapsed) in stats.moved {
            *self.moved.entry(schema).or_default() += elapsed;
        }
        let failed = !stats.failures.is_empty();
        self.failures.extend(stats.failures);
        if failed || (self.stop.asked() && stats.is_cut) { Next::Halt } else { Next::GoOn }
    }

    /// The platform's row over steps that have nothing for it, once every tenant is there.
    async fn settle(&mut self, start: usize, end: usize) -> Next {
        for step in start..end {
            let mut answer = self.unit(step, SETTLE).await;
            if matches!(answer, Some(Answer::Waits(_))) {
                // Only some tenants were asked for: the platform's row waits for the others, rightly.
                if self.prepared.request.reach == Reach::Tenants {
                    return Next::GoOn;
                }
                answer = self.settle_alone(step, end).await;
            }
            match answer {
                Some(Answer::Done(..) | Answer::DoneByAnother) => self.reached(step),
                Some(Answer::Waits(failure) | Answer::Failed(failure)) => {
                    return self.fail(step, failure);
                }
                None => return Next::Halt,
            };
        }
        Next::GoOn
    }

    /// Tenants were made meanwhile, at the platform's old version. They are brought along while its row
    /// is locked, so that no more can be made until it has moved.
    async fn settle_alone(&mut self, step: usize, end: usize) -> Option<Answer> {
        let lock = format!(
            "{BEGIN}; {NO_IDLE_TIMEOUT}; SET LOCAL lock_timeout = 0; \
             SELECT 1 FROM {}.schema_version FOR UPDATE",
            self.run.platform.quoted()
        );
        let mut holder = match self.connection.open_another().await {
            Ok(holder) => holder,
            Err(failure) => return Some(Answer::Failed(failure)),
        };
        if let Err(server_error) = holder.run(&lock).await {
            return Some(Answer::Failed(server_error.failure("holding the platform's version")));
        }
        let answer = if self.tenants(0, end).await == Next::GoOn {
            // The unit joins the transaction that holds the row.
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

    fn reached(&mut self, step: usize) -> Next {
        self.at = self.chain.migrations()[step].to().clone();
        Next::GoOn
    }

    /// Runs one unit of the platform and tells it, with as many tries as patience has; `None` if the run was
    /// asked to stop before it.
    async fn unit(&mut self, step: usize, part: Part) -> Option<Answer> {
        let (chain, schema) = (self.chain, self.run.platform.clone());
        let migration: &Migration = &chain.migrations()[step];
        let allowed = self.allowed.get(&migration.file).map_or("[]", String::as_str);
        let (run, observer) = (&self.run.clone(), self.prepared.observer.as_deref());
        let unit = Unit { run, chain, migration, schema: &schema, part, allowed, observer };
        let has_work = migration.has(unit.scope());
        let (file, schema) = (migration.file.as_str(), &schema);
        let mut was_broken = false;
        self.attempts = 0;
        loop {
            if self.stop.asked() {
                return None;
            }
            self.attempts += 1;
            let answer = if migration.transactional || !has_work {
                unit.send(self.connection).await
            } else {
                non_transactional::send(&unit, self.connection, self.stop).await?
            };
            let (answer, is_broken) = self.settled(answer, &unit, was_broken).await;
            was_broken |= is_broken;
            if let Answer::Failed(failure) = &answer
                && let Some(pause) = self.prepared.request.retry_policy.pause(failure, self.attempts)
            {
                self.sink.take(&Event::UnitDelayed { schema, migration: file, failure, pause });
                tokio::time::sleep(pause).await;
                continue;
            }
            self.did_something |= matches!(answer, Answer::Done(..));
            match &answer {
                Answer::Done(_, elapsed) if has_work => {
                    self.units += 1;
                    self.sink.take(&Event::UnitDone { schema, migration: file, elapsed: *elapsed });
                }
                Answer::DoneByAnother if has_work => {
                    self.sink.take(&Event::UnitDoneByAnother { schema, migration: file });
                }
                Answer::Failed(failure) => {
                    self.sink.take(&Event::UnitFailed { schema, migration: file, failure });
                }
                Answer::Done(..) | Answer::DoneByAnother | Answer::Waits(_) => {}
            }
            return Some(answer);
        }
    }

    /// After a lost connection only the version row says whether the platform's unit was committed, and the history by whom.
    /// Whether it was lost just now comes along: what the server went on with may be found done by the next try.
    async fn settled(&mut self, answer: Answer, unit: &Unit<'_>, was_broken: bool) -> (Answer, bool) {
        let is_broken = match &answer {
            Answer::Failed(failure) => failure.ended_the_session(),
            _ => false,
        };
        if is_broken {
            let Ok(fresh) = self.connection.open_another().await else { return (answer, true) };
            *self.connection = fresh;
        } else if !(was_broken && matches!(answer, Answer::DoneByAnother)) {
            return (answer, false);
        }
        let committed = unit.committed(self.connection).await.ok().flatten();
        (committed.unwrap_or(answer), is_broken)
    }

    /// Notes how the run ended; over another connection where this one broke.
    async fn note_end(&mut self, ending: RunStatus, counts: &str) -> Result<(), Failure> {
        let ending = ending.as_str();
        let noted = history::end_run(self.connection, &self.run, ending, counts).await;
        let Err(failure) = noted else { return Ok(()) };
        if !failure.ended_the_session() {
            return Err(failure);
        }
        *self.connection = self.connection.open_another().await?;
        history::end_run(self.connection, &self.run, ending, counts).await
    }

    /// How many of the tenants that are meant are not where they should be.
    async fn left(&mut self) -> Result<usize, Failure> {
        let end = self.prepared.request.to.as_ref().and_then(|to| self.chain.position(to));
        self.behind(end.unwrap_or(self.chain.migrations().len())).await
    }

    /// How many of them have one of the steps before `end` before them.
    async fn behind(&mut self, end: usize) -> Result<usize, Failure> {
        let steps = &self.chain.migrations()[..end];
        let tenants = those_behind(steps, &self.prepared.only, Pool::Without);
        let sql = format!(
            "SELECT count(*)::int8 AS tenants FROM {}.tenant_version WHERE {tenants}",
            self.run.platform.quoted()
        );
        let doing = "counting what is left";
        let sets = retry::ask(self.connection, &sql, doing, self.prepared.request.retry_policy).await?;
        let row = sets.first().and_then(|rows| rows.first());
        let count = row.map(|row| row.integer("tenants")).transpose()?.unwrap_or_default();
        Ok(usize::try_from(count).unwrap_or_default())
    }

    /// The platform's unit of `step` failed, and with it the run ends.
    fn fail(&mut self, step: usize, failure: Failure) -> Next {
        let migration = self.chain.migrations()[step].file.clone();
        let schema = self.run.platform.clone();
        self.failures.push(UnitFailure { schema, migration, failure, attempts: self.attempts.max(1) });
        Next::Halt
    }

    fn result(&self, outcome: RunStatus, began: Instant) -> Migrated {
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
            platform: VersionChange { from: self.prepared.state.platform.clone(), to: self.at.clone() },
            tenants: TenantCounts {
                total,
                migrated,
                unchanged: total - migrated - failed.len(),
                failed: failed.len(),
                unknown: self.prepared.unknown(),
                left: None,
            },
            slowest: slowest(&self.moved),
            units: self.units,
            duration_ms: began.elapsed().as_millis(),
            failures: self.failures.clone(),
        }
    }
}
