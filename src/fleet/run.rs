//! Follows the plan, stage by stage, and counts what happened.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use super::request::Prepared;
use super::unit::{Answer, Part, Unit};
use super::{Stop, alone};
use crate::chain::{Chain, Migration, Reach, Stage, Version};
use crate::error::{Code, Failure};
use crate::event::{Event, Sink};
use crate::ident::{SchemaName, literal};
use crate::outcome::{Ending, Migrated, TenantCounts, UnitFailure, Way};
use crate::postgres::message::Run;
use crate::postgres::{Connection, books, history};
use crate::project::Project;

/// How often the platform waits for tenants that appeared during a run without any of them moving.
const ROUNDS: usize = 5;

/// Accepted findings by file, as the JSON that goes into the history.
pub type Allowed = HashMap<String, String>;

/// Runs a prepared request. The failure is of what comes before the first unit; a unit's own failure is
/// in the result.
pub async fn migrate(
    connection: &mut Connection,
    project: &Project,
    prepared: &Prepared,
    allowed: &Allowed,
    command: &str,
    (sink, stop): (&mut dyn Sink, &Stop),
) -> Result<Migrated, Failure> {
    let began = Instant::now();
    let platform = project.settings.platform_schema();
    let mut runner = Runner {
        run: Run { id: uuid::Uuid::new_v4(), platform, limits: prepared.request.limits },
        chain: &project.chain,
        prepared,
        allowed,
        connection,
        sink,
        stop,
        at: prepared.state.platform.clone(),
        units: 0,
        did_something: false,
        finished: 0,
        moved: HashSet::new(),
        failures: Vec::new(),
    };
    if prepared.plan.is_empty() {
        return Ok(runner.result(Ending::Nothing, began));
    }
    if !prepared.state.presence.own_tables_current {
        books::ensure(runner.connection, &runner.run.platform).await?;
    }
    history::begin_run(runner.connection, &runner.run, command).await?;
    let expected = prepared.plan.steps.iter().map(|step| step.tenants + usize::from(step.platform)).sum();
    runner.sink.take(&Event::Began { expected });
    let ending = runner.stages().await;
    runner.sink.take(&Event::Ended);
    let result = runner.result(ending, began);
    let counts = serde_json::json!({ "units": result.units, "tenants": result.tenants }).to_string();
    let noted = history::end_run(runner.connection, &runner.run, ending.as_str(), &counts).await;
    // Without a failure of its own the run's missing last note is the failure.
    if runner.failures.is_empty() { noted.map(|()| result) } else { Ok(result) }
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
    /// Units that are done, by us or by another runner.
    finished: usize,
    moved: HashSet<String>,
    failures: Vec<UnitFailure>,
}

/// Whether the run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    GoOn,
    Halt,
}

impl Runner<'_> {
    async fn stages(&mut self) -> Ending {
        for stage in &self.prepared.plan.stages {
            let next = match stage {
                Stage::Platform { step, moves_tenants } => self.platform(*step, *moves_tenants).await,
                Stage::Tenants(steps) => self.tenants(steps.start, steps.end).await,
                Stage::Settle(steps) => self.settle(steps.start, steps.end).await,
            };
            if next == Next::Halt {
                break;
            }
        }
        match (self.failures.is_empty(), self.did_something) {
            (true, _) if self.stop.asked() => Ending::Interrupted,
            (true, true) => Ending::Done,
            // All of it had been done by another runner.
            (true, false) => Ending::Nothing,
            (false, true) => Ending::Partial,
            (false, false) => Ending::Failed,
        }
    }

    async fn platform(&mut self, step: usize, moves_tenants: bool) -> Next {
        let waits = self.prepared.request.reach != Reach::Platform;
        let schema = self.run.platform.clone();
        match self.unit(step, &schema, Part::Platform { moves_tenants, waits }).await {
            Some(Answer::Done(moved, _)) => {
                self.moved.extend(moved);
                self.reached(step)
            }
            Some(Answer::DoneByAnother) => self.reached(step),
            Some(Answer::Waits(failure) | Answer::Failed(failure)) => self.fail(step, schema, failure),
            None => Next::Halt,
        }
    }

    /// The tenant parts of the steps from `start` to before `end`, tenant by tenant.
    async fn tenants(&mut self, start: usize, end: usize) -> Next {
        let tenants = match self.tenants_behind(end).await {
            Ok(tenants) => tenants,
            Err(failure) => return self.fail(start, self.run.platform.clone(), failure),
        };
        for (schema, version) in tenants {
            let Some(position) = self.chain.position(&version) else { continue };
            for step in position.max(start)..end {
                match self.unit(step, &schema, Part::Tenant).await {
                    Some(Answer::Done(..)) => {
                        self.moved.insert(schema.as_str().to_owned());
                    }
                    Some(Answer::DoneByAnother) => {}
                    Some(Answer::Failed(failure) | Answer::Waits(failure)) => {
                        return self.fail(step, schema, failure);
                    }
                    None => return Next::Halt,
                }
            }
        }
        Next::GoOn
    }

    /// The platform's row over steps that have nothing for it, once every tenant is there. Tenants that
    /// were made meanwhile, at the platform's old version, are brought along first.
    async fn settle(&mut self, start: usize, end: usize) -> Next {
        let schema = self.run.platform.clone();
        let mut rounds = 0;
        let mut step = start;
        while step < end {
            match self.unit(step, &schema, Part::Platform { moves_tenants: false, waits: true }).await {
                Some(Answer::Done(..) | Answer::DoneByAnother) => {
                    self.reached(step);
                    step += 1;
                }
                // Only some tenants were asked for: the platform's row waits for the others, rightly.
                Some(Answer::Waits(_)) if self.prepared.request.reach == Reach::Tenants => return Next::GoOn,
                Some(Answer::Waits(_)) if rounds < ROUNDS => {
                    let before = self.finished;
                    if self.tenants(0, end).await == Next::Halt {
                        return Next::Halt;
                    }
                    // While tenants are made one after another, each attempt finds the next of them.
                    rounds = if self.finished > before { 0 } else { rounds + 1 };
                }
                Some(Answer::Waits(failure) | Answer::Failed(failure)) => {
                    return self.fail(step, schema, failure);
                }
                None => return Next::Halt,
            }
        }
        Next::GoOn
    }

    fn reached(&mut self, step: usize) -> Next {
        self.at = self.chain.migrations()[step].to().clone();
        Next::GoOn
    }

    /// Runs one unit and tells it; `None` if the run was asked to stop before it.
    async fn unit(&mut self, step: usize, schema: &SchemaName, part: Part) -> Option<Answer> {
        if self.stop.asked() {
            return None;
        }
        let chain = self.chain;
        let migration: &Migration = &chain.migrations()[step];
        let unit = Unit {
            run: &self.run,
            chain,
            migration,
            schema,
            part,
            allowed: self.allowed.get(&migration.file).map_or("[]", String::as_str),
        };
        let has_work = migration.has(unit.scope());
        let answer = if migration.transactional || !has_work {
            unit.send(self.connection).await
        } else {
            alone::send(&unit, self.connection).await
        };
        let migration = migration.file.as_str();
        self.did_something |= matches!(answer, Answer::Done(..));
        self.finished += usize::from(matches!(answer, Answer::Done(..) | Answer::DoneByAnother));
        match &answer {
            Answer::Done(_, elapsed) if has_work => {
                self.units += 1;
                self.sink.take(&Event::UnitDone { schema, migration, elapsed: *elapsed });
            }
            Answer::DoneByAnother if has_work => {
                self.sink.take(&Event::UnitDoneByAnother { schema, migration });
            }
            Answer::Failed(failure) => self.sink.take(&Event::UnitFailed { schema, migration, failure }),
            Answer::Done(..) | Answer::DoneByAnother | Answer::Waits(_) => {}
        }
        Some(answer)
    }

    fn fail(&mut self, step: usize, schema: SchemaName, failure: Failure) -> Next {
        let migration = self.chain.migrations()[step].file.clone();
        self.failures.push(UnitFailure { schema, migration, failure, attempts: 1 });
        Next::Halt
    }

    /// The tenants at a version before step `end`, with their versions, in order of their schemas.
    async fn tenants_behind(&mut self, end: usize) -> Result<Vec<(SchemaName, Version)>, Failure> {
        let versions: Vec<String> = self.chain.migrations()[..end]
            .iter()
            .map(|migration| format!("'{}'", migration.from()))
            .collect();
        let only: Vec<String> = self.prepared.only.iter().map(|schema| literal(schema.as_str())).collect();
        let only = if only.is_empty() {
            String::new()
        } else {
            format!("AND schema_name IN ({}) ", only.join(", "))
        };
        let sql = format!(
            "SELECT schema_name, version FROM {}.tenant_version \
             WHERE version IN ({}) AND status <> 'dropped' {only}ORDER BY schema_name",
            self.run.platform.quoted(),
            versions.join(", "),
        );
        let doing = "reading the tenants";
        let odd = |error: String| Failure::new(Code::StatementFailed, format!("{doing}: {error}"));
        let sets = self.connection.sets(&sql).await.map_err(|refusal| refusal.failure(doing))?;
        sets.iter()
            .flatten()
            .map(|row| {
                let version = row.text("version")?.parse().map_err(|error| odd(format!("{error}")))?;
                Ok((SchemaName::existing(row.text("schema_name")?)?, version))
            })
            .collect()
    }

    fn result(&self, outcome: Ending, began: Instant) -> Migrated {
        let total: usize = self.prepared.state.tenants.values().sum();
        let failed: HashSet<&str> = self
            .failures
            .iter()
            .filter(|failure| failure.schema != self.run.platform)
            .map(|failure| failure.schema.as_str())
            .collect();
        let migrated = self.moved.iter().filter(|schema| !failed.contains(schema.as_str())).count();
        let total = total.max(migrated + failed.len());
        Migrated {
            outcome,
            platform: Way { from: self.prepared.state.platform.clone(), to: self.at.clone() },
            tenants: TenantCounts {
                total,
                migrated,
                unchanged: total - migrated - failed.len(),
                failed: failed.len(),
            },
            units: self.units,
            elapsed_ms: began.elapsed().as_millis(),
            failures: self.failures.clone(),
        }
    }
}
