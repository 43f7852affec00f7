//! The chain run on a shadow, step by step: each step is first watched statement by statement in a
//! transaction that is rolled back, then run as `migrate up` runs it.

use std::ops::Range;

use super::caused::{Caused, Whose};
use super::data::DataChange;
use super::database::Shadow;
use super::look::Look;
use super::queries::Queries;
use super::reverse::Reversed;
use super::watch::{Lock, Moment, Table, Treatment, Watched};
use super::{repeat, sample, stage};
use crate::catalog::{Asked, Change};
use crate::chain::{Migration, Version};
use crate::error::Failure;
use crate::ident::SchemaName;
use crate::postgres::message::{BEGIN, Message};
use crate::postgres::{Connection, books};
use crate::project::Project;
use crate::queries::{Break, Release, Unchecked};
use crate::sql::{Scope, Statement};
use crate::tenant::{After, NewTenant};

/// The tenants of the sample.
const SAMPLES: [&str; 2] = ["tenure_sample_a", "tenure_sample_b"];

/// One step of the chain, as the shadow saw it.
#[derive(Debug, Clone)]
pub struct Step {
    /// Where it stands in the chain.
    pub index: usize,
    /// Its statements, as far as they were watched.
    pub statements: Vec<Seen>,
    /// What it changed in all, each with the statement that did it.
    pub changes: Vec<Caused<Change>>,
    /// What it did to rows.
    pub lost: Vec<Caused<DataChange>>,
    /// What it did to queries of the running release.
    pub broken: Vec<Caused<Break>>,
    /// What of the release says nothing about it.
    pub unchecked: Vec<Unchecked>,
    /// What became of undoing it, where the chain has a file that does.
    pub reversed: Option<Reversed>,
    /// Why it could not be run.
    pub failure: Option<Failure>,
    /// Why it could not be run on the sample rows, though it could without them.
    pub failed_on_rows: Option<Failure>,
}

/// One statement, watched.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Where it stands in the file.
    pub range: Range<usize>,
    /// Whose it is.
    pub scope: Scope,
    /// Locks and costs.
    pub watched: Watched,
    /// Whether it may have written to a table that had no sample row, so that nobody can say what it does to rows.
    pub blind: bool,
    /// Why it cannot be run again, though it says so.
    pub(super) unrepeatable: Option<String>,
    pub(super) changes: Vec<(SchemaName, Vec<Change>)>,
    lost: Vec<DataChange>,
}

/// When everything is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    AfterEach,
    AtTheEnd,
}

/// Whether tables hold rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Samples {
    With,
    Without,
}

/// Runs the chain up to `steps` on a database from `shadow`, then watches these. Ends with the first step
/// that cannot be run. One that fails on the sample rows is run again, with those behind it, on another
/// database without rows: it is no fault of a migration that our rows are odd.
///
/// Where `release` is given, each of its queries is prepared and tried before the first of the steps and after
/// each.
pub async fn watch(
    project: &Project,
    steps: Range<usize>,
    release: Option<&Release>,
    shadow: impl AsyncFn() -> Result<Shadow, Failure>,
) -> Result<Vec<Step>, Failure> {
    let mut all = on(shadow().await?, (project, release), steps.clone(), Samples::With).await?;
    let Some(last) = all.pop_if(|step| step.failure.as_ref().is_some_and(may_be_the_rows)) else {
        return Ok(all);
    };
    let rest = on(shadow().await?, (project, release), last.index..steps.end, Samples::Without).await?;
    let mut rest = rest.into_iter();
    if let Some(mut first) = rest.next() {
        if first.failure.is_none() {
            first.failed_on_rows = last.failure;
        }
        all.push(first);
    }
    all.extend(rest);
    Ok(all)
}

/// Data exceptions, violated constraints, errors that code raises (manual, appendix A).
fn may_be_the_rows(failure: &Failure) -> bool {
    failure.sqlstate.as_deref().is_some_and(|state| {
        state.starts_with("22") || state.starts_with("23") || state.starts_with("P0") || state == "55000"
    })
}

async fn on(
    mut shadow: Shadow,
    what: (&Project, Option<&Release>),
    steps: Range<usize>,
    samples: Samples,
) -> Result<Vec<Step>, Failure> {
    let seen = rehearse(&mut shadow.connection, what, steps, samples).await;
    let closed = shadow.close().await;
    let seen = seen?;
    closed?;
    Ok(seen)
}

async fn rehearse(
    connection: &mut Connection,
    (project, release): (&Project, Option<&Release>),
    steps: Range<usize>,
    samples: Samples,
) -> Result<Vec<Step>, Failure> {
    let mut shadow = Rehearsal { connection, project, samples, tenants: Vec::new() };
    books::ensure(shadow.connection, &project.settings.platform_schema()).await?;
    if steps.start > 0 {
        let from = project.chain.migrations()[steps.start].from();
        if let Some(failure) = shadow.migrate(from).await? {
            return Err(failure);
        }
    }
    let mut all = Vec::new();
    let mut look = Look::default();
    let mut queries = release.map(Queries::of);
    for index in steps {
        let is_known = !shadow.prepare(&project.chain.migrations()[index]).await? && !all.is_empty();
        let before = if is_known {
            look.with_rows(shadow.connection).await?
        } else {
            look.again(shadow.connection, Asked::Alone).await?
        };
        if let Some(queries) = &mut queries {
            shadow.ask(queries).await?;
        }
        let mut step = shadow.step(index, &before, release.is_some()).await?;
        let is_over = step.failure.is_some();
        if !is_over {
            look = before.again(shadow.connection, Asked::Alone).await?;
            shadow.sum_up(&mut step, &before, &look);
            if let Some(queries) = &mut queries {
                shadow.ask_again(queries, &mut step).await?;
            }
        }
        all.push(step);
        if is_over {
            break;
        }
    }
    Ok(all)
}

/// A shadow on which the chain is run.
pub(super) struct Rehearsal<'a> {
    pub(super) connection: &'a mut Connection,
    pub(super) project: &'a Project,
    samples: Samples,
    pub(super) tenants: Vec<SchemaName>,
}

impl Rehearsal<'_> {
    /// The program's own `migrate up`; the failure of a unit is told apart from that of the shadow.
    async fn migrate(&mut self, to: &Version) -> Result<Option<Failure>, Failure> {
        stage::migrate(self.connection, self.project, to).await
    }

    /// Makes the tenants as soon as there can be some, and rows where there are none; whether it made tenants.
    async fn prepare(&mut self, migration: &Migration) -> Result<bool, Failure> {
        let there = self.tenants.len();
        let settings = &self.project.settings;
        if self.tenants.is_empty()
            && let Ok(template) = self.project.template(None)
            && let Some(template) = self.project.versions_of(template).first()
            && template.version <= *migration.from()
        {
            let wanted = SAMPLES.map(|slug| NewTenant {
                slug: slug.to_owned(),
                name: None,
                template: Some(template.name.clone()),
                set: template.parameters.samples(),
            });
            self.tenants = stage::tenants(self.connection, self.project, &wanted, After::Nothing).await?;
        }
        if self.samples == Samples::With {
            let mut schemas = vec![settings.platform_schema()];
            schemas.extend(self.tenants.iter().cloned());
            sample::fill(self.connection, &schemas, &[settings.tenants.registry.as_str()]).await?;
        }
        Ok(self.tenants.len() > there)
    }

    async fn step(&mut self, index: usize, before: &Look, asks: bool) -> Result<Step, Failure> {
        let migration = &self.project.chain.migrations()[index];
        let mut step = Step {
            index,
            statements: Vec::new(),
            changes: Vec::new(),
            lost: Vec::new(),
            broken: Vec::new(),
            unchecked: Vec::new(),
            reversed: None,
            failure: None,
            failed_on_rows: None,
        };
        if migration.transactional {
            // To look at everything after each statement takes long: it is only done where some statement did
            // something that must be told, or that a query of the release may mind.
            let (failure, after) = self.watch(migration, before, When::AtTheEnd, &mut step).await?;
            step.failure = failure;
            if step.failure.is_none() && (before.is_harmed(&after) || (asks && before.differs(&after))) {
                step.statements.clear();
                (step.failure, _) = self.watch(migration, before, When::AfterEach, &mut step).await?;
            }
        }
        if step.failure.is_none() {
            step.failure = self.migrate(migration.to()).await?;
        }
        Ok(step)
    }

    /// Runs the statements one by one in a transaction that is rolled back. The failure is that of a
    /// statement; the look is the last one.
    async fn watch(
        &mut self,
        migration: &Migration,
        before: &Look,
        when: When,
        step: &mut Step,
    ) -> Result<(Option<Failure>, Look), Failure> {
        let doing = "watching a migration on the shadow";
        let platform = self.project.settings.platform_schema();
        let mut schemas = vec![platform.clone()];
        schemas.extend(self.tenants.iter().cloned());
        let question = Moment::question(&schemas);
        let sets = self
            .connection
            .sets(&format!("{BEGIN}; {question}"))
            .await
            .map_err(|refusal| refusal.failure(doing))?;
        let first = Moment::read(sets.last().map(Vec::as_slice).unwrap_or_default())?;
        let mut look = before.clone();
        // The order of a run: the platform's part, then the tenant's.
        let mut statements: Vec<&(Statement, Scope)> = migration.statements.iter().collect();
        statements.sort_by_key(|(_, scope)| *scope != Scope::Platform);
        for (statement, scope) in statements {
            let schema = match scope {
                Scope::Platform => &platform,
                Scope::Tenant => match self.tenants.first() {
                    Some(tenant) => tenant,
                    None => continue,
                },
            };
            let mut message = Message::default();
            message.search_path(schema);
            message.push(&question);
            message.push_file(&migration.script, std::iter::once(statement), schema);
            message.push(&question);
            let sets = match self.connection.send(&message).await {
                Ok(sets) => sets,
                Err(refusal) => {
                    let mut failure = refusal.failure(&format!("{} on the shadow", migration.file));
                    failure.place =
                        message.place(&refusal).or_else(|| Some(migration.script.place(statement)));
                    return Ok((Some(failure), look));
                }
            };
            let moment = |at: usize| Moment::read(sets.get(at).map(Vec::as_slice).unwrap_or_default());
            let (start, end) = (moment(1)?, moment(sets.len().saturating_sub(1))?);
            let now = match when {
                When::AfterEach => look.again(self.connection, Asked::Within).await?,
                When::AtTheEnd => look.clone(),
            };
            let watched = end.since(&start, |table| first.tables().any(|old| old == table));
            let writes = |(table, treatment): (&Table, &Treatment)| {
                treatment.lock >= Some(Lock::RowExclusive) && look.rows.lack(table)
            };
            let unrepeatable = repeat::failing(self.connection, migration, statement, schema, &now).await?;
            step.statements.push(Seen {
                unrepeatable,
                range: statement.range.clone(),
                scope: *scope,
                blind: watched.tables.iter().any(writes),
                watched,
                changes: look.changes(&now),
                lost: look.rows.lost(&now.rows),
            });
            look = now;
        }
        if when == When::AtTheEnd {
            look = look.again(self.connection, Asked::Within).await?;
        }
        step.reversed = self.reverse(migration, before, &look).await?;
        self.connection.run("ROLLBACK").await.map_err(|refusal| refusal.failure(doing))?;
        Ok((None, look))
    }

    /// What the step did in all, each with the last statement that was seen to do it.
    fn sum_up(&self, step: &mut Step, before: &Look, after: &Look) {
        let changes = before.changes(after);
        let of_first = changes.iter().find(|(schema, _)| Some(schema) == self.tenants.first());
        let of_first: Vec<Change> = of_first.map(|(_, changes)| changes.clone()).unwrap_or_default();
        for (schema, changes) in changes {
            let whose = self.whose(&schema);
            for change in changes {
                // What happens to every tenant is told once.
                let is_other = whose == Whose::OtherTenant;
                if is_other && of_first.contains(&change) {
                    continue;
                }
                let did = |seen: &&Seen| {
                    seen.changes.iter().any(|(of, all)| {
                        *of == schema
                            && all
                                .iter()
                                .any(|other| other.object == change.object && other.part == change.part)
                    })
                };
                let touched = |seen: &&Seen| {
                    seen.changes.iter().any(|(of, all)| {
                        *of == schema && all.iter().any(|other| other.object == change.object)
                    })
                };
                let by = step
                    .statements
                    .iter()
                    .rev()
                    .find(did)
                    .or_else(|| step.statements.iter().rev().find(touched));
                let statement = by.map(|seen| seen.range.clone());
                step.changes.push(Caused { what: change, schema: whose, statement });
            }
        }
        for lost in before.rows.lost(&after.rows) {
            let schema = self.tenants.iter().find(|tenant| tenant.as_str() == lost.table.0);
            let whose = match schema {
                Some(tenant) if Some(tenant) == self.tenants.first() => Whose::Tenant,
                Some(_) => Whose::OtherTenant,
                None if self.project.settings.platform_schema().as_str() == lost.table.0 => Whose::Platform,
                None => Whose::Elsewhere,
            };
            // The same of the other tenant says nothing new.
            let twin = |other: &Caused<DataChange>| {
                other.what.table.1 == lost.table.1 && other.what.what == lost.what
            };
            if whose == Whose::OtherTenant && step.lost.iter().any(twin) {
                continue;
            }
            let did = |seen: &&Seen| seen.lost.contains(&lost);
            let statement = step.statements.iter().find(did).map(|seen| seen.range.clone());
            step.lost.push(Caused { what: lost, schema: whose, statement });
        }
    }

    fn whose(&self, schema: &SchemaName) -> Whose {
        match self.tenants.iter().position(|tenant| tenant == schema) {
            Some(0) => Whose::Tenant,
            Some(_) => Whose::OtherTenant,
            None if *schema == self.project.settings.platform_schema() => Whose::Platform,
            None => Whose::Elsewhere,
        }
    }
}
