//! The chain run on a shadow, step by step: each step is first watched statement by statement in a
//! transaction that is rolled back, then run as `migrate up` runs it.

use std::collections::BTreeMap;
use std::ops::Range;

use super::database::Shadow;
use super::database_snapshot::DatabaseSnapshot;
use super::queries::Queries;
use super::statements::{When, of_the_server};
use super::step::Step;
use super::{decoy, sample, setup};
use crate::chain::{Migration, Version};
use crate::error::{Class, Failure};
use crate::ident::{SchemaName, Slug};
use crate::postgres::catalog::{self, Change, Property, Transaction, What};
use crate::postgres::{Connection, metadata};
use crate::project::{self, Project};
use crate::queries::Release;
use crate::sql::Scope;
use crate::tenant::{After, NewTenant};

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
    let mut all = Box::pin(on(shadow().await?, (project, release), steps.clone(), Samples::With)).await?;
    let Some(last) = all.pop_if(|step| step.failure.as_ref().is_some_and(may_be_the_rows)) else {
        return Ok(all);
    };
    let rest = on(shadow().await?, (project, release), last.index..steps.end, Samples::Without);
    let rest = Box::pin(rest).await?;
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
    let seen = rehearse(shadow.connections(), what, steps, samples).await;
    let closed = shadow.close().await;
    let mut seen = seen?;
    // What was seen is seen, whatever becomes of the shadow.
    if let (Some(last), Err(failure)) = (seen.last_mut(), closed) {
        last.left = Some(failure);
    }
    Ok(seen)
}

async fn rehearse(
    (connection, observer_conn): (&mut Connection, Option<&mut Connection>),
    (project, release): (&Project, Option<&Release>),
    steps: Range<usize>,
    samples: Samples,
) -> Result<Vec<Step>, Failure> {
    let mut shadow = ShadowRun {
        connection,
        project,
        samples,
        observer_conn,
        tenants: Vec::new(),
        control_tenant: None,
        families: BTreeMap::new(),
    };
    metadata::ensure(
        shadow.connection,
        &project.settings.platform_schema(),
        project.settings.migrate.lock_timeout,
    )
    .await?;
    if steps.start > 0 {
        let from = project.chain.migrations()[steps.start].from();
        if let Some(failure) = shadow.migrate(from).await? {
            return Err(failure);
        }
    }
    let mut all: Vec<Step> = Vec::new();
    let mut look = DatabaseSnapshot::default();
    let mut queries = release.map(Queries::of);
    for index in steps {
        let is_known = !shadow.prepare(&project.chain.migrations()[index]).await? && !all.is_empty();
        let before = if is_known {
            look.with_rows(shadow.connection).await?
        } else {
            look.again(shadow.connection, Transaction::Own).await?
        };
        if let Some(queries) = &mut queries {
            shadow.ask(queries).await?;
        }
        let mut step = shadow.step(index, &before, release.is_some()).await?;
        let is_over = step.failure.is_some();
        if !is_over {
            look = before.again(shadow.connection, Transaction::Own).await?;
            shadow.sum_up(&mut step, &before, &look);
            step.unreachable = shadow.unreachable(&before, &look);
            if let Some(queries) = &mut queries {
                shadow.ask_again(queries, &mut step).await?;
            }
        }
        all.push(step);
        if is_over {
            break;
        }
    }
    if let Some(last) = all.last_mut().filter(|last| last.failure.is_none()) {
        last.new_tenant = shadow.new_tenants(project.chain.migrations()[last.index].to()).await?;
    }
    Ok(all)
}

/// A shadow on which the chain is run.
pub(super) struct ShadowRun<'a> {
    pub(super) connection: &'a mut Connection,
    pub(super) project: &'a Project,
    samples: Samples,
    /// Where the server is not ours to change: a connection that sees what others see.
    pub(super) observer_conn: Option<&'a mut Connection>,
    /// Of each template, that of a tenant who asks for none first.
    pub(super) tenants: Vec<SchemaName>,
    /// The second one of the first template: the statements do not run for it before the step as a whole does.
    pub(super) control_tenant: Option<SchemaName>,
    /// The templates that have their tenants, each with the first of them.
    families: BTreeMap<String, SchemaName>,
}

impl ShadowRun<'_> {
    /// The program's own `migrate up`; the failure of a unit is told apart from that of the shadow.
    async fn migrate(&mut self, to: &Version) -> Result<Option<Failure>, Failure> {
        setup::migrate(self.connection, self.project, to).await
    }

    /// Makes the tenants of each template as soon as there can be some, and rows where there are none; whether it
    /// made tenants.
    async fn prepare(&mut self, migration: &Migration) -> Result<bool, Failure> {
        let settings = &self.project.settings;
        let usual = self.project.template(None).ok();
        let all = usual.into_iter().chain(self.project.templates.values());
        let mut wanted = Vec::new();
        for template in all {
            let oldest = self.project.versions_of(template).into_iter().next();
            let Some(oldest) = oldest.filter(|oldest| oldest.version <= *migration.from()) else { continue };
            if self.families.contains_key(template.family()) {
                continue;
            }
            let number = self.families.len() + 1;
            let slug = Slug::new(&format!("tenure_sample_{number}a"))?;
            let schema = SchemaName::of(&settings.tenants.schema_prefix, &slug, &settings.platform_schema())?;
            self.families.insert(template.family().to_owned(), schema);
            let letters: &[&str] = if number == 1 { &["a", "b"] } else { &["a"] };
            wanted.extend(letters.iter().map(|letter| NewTenant {
                slug: format!("tenure_sample_{number}{letter}"),
                name: None,
                template: Some(oldest.name.clone()),
                set: oldest.parameters.samples(),
            }));
        }
        if !wanted.is_empty() {
            let mut made = setup::tenants(self.connection, self.project, &wanted, After::Nothing).await?;
            if self.tenants.is_empty() && made.len() > 1 {
                self.control_tenant = Some(made.remove(1));
            }
            self.tenants.extend(made);
        }
        if self.samples == Samples::With {
            sample::fill(self.connection, &self.schemas(), &[settings.tenants.registry.as_str()]).await?;
        }
        Ok(!wanted.is_empty())
    }

    /// The platform's schema and those of all tenants.
    pub(super) fn schemas(&self) -> Vec<SchemaName> {
        let mut schemas = vec![self.project.settings.platform_schema()];
        schemas.extend(self.tenants.iter().chain(&self.control_tenant).cloned());
        schemas
    }

    /// The extensions that `after` shows where no unit finds them.
    fn unreachable(&self, before: &DatabaseSnapshot, after: &DatabaseSnapshot) -> Vec<(String, String)> {
        let path = self.project.settings.shared_path();
        let is_found = |schema: &str| schema == "pg_catalog" || path.names().any(|it| it == schema);
        let new = before.new_extensions(after);
        new.filter_map(|thing| Some((thing.names.concat(), thing.schema.clone()?)))
            .filter(|(_, schema)| !is_found(schema))
            .collect()
    }

    /// The schemas of which every change is one that the step is for: where it has two parts, none is.
    fn own_of(&self, migration: &Migration) -> Vec<SchemaName> {
        match (migration.has(Scope::Platform), migration.has(Scope::Tenant)) {
            (true, false) => vec![self.project.settings.platform_schema()],
            (false, true) => self.tenants.clone(),
            _ => Vec::new(),
        }
    }

    /// Makes a tenant of the newest version of each template that has tenants, where the platform is `at`, and says how
    /// it differs from the one that was migrated.
    async fn new_tenants(&mut self, at: &Version) -> Result<Vec<String>, Failure> {
        let mut lines = Vec::new();
        for (number, (family, migrated)) in self.families.iter().enumerate() {
            let of_it = self.project.templates.values().find(|template| template.family() == family);
            let versions = of_it.map(|template| self.project.versions_of(template)).unwrap_or_default();
            let Some(newest) = versions.into_iter().rfind(|template| template.version <= *at) else {
                continue;
            };
            let wanted = [NewTenant {
                slug: format!("tenure_new_{number}"),
                name: None,
                template: Some(newest.name.clone()),
                set: newest.parameters.samples(),
            }];
            let made = setup::tenants(self.connection, self.project, &wanted, After::Nothing).await;
            let schema = match made {
                Ok(made) => made.into_iter().next(),
                Err(failure) if failure.code.class() == Class::Unreachable => return Err(failure),
                Err(failure) => {
                    lines.push(format!("a new tenant cannot be made any more: {}", failure.message));
                    continue;
                }
            };
            let Some(schema) = schema else { continue };
            let both = [migrated.clone(), schema];
            let prints = catalog::fingerprints_as(self.connection, &both, Transaction::Own).await?;
            if prints.get(&both[0]) == prints.get(&both[1]) {
                continue;
            }
            let right = catalog::snapshot_as(self.connection, &both[0], Transaction::Own).await?;
            let seen = catalog::snapshot_as(self.connection, &both[1], Transaction::Own).await?;
            let changes = Change::between(&right, &seen);
            // Whether a materialized view is filled is a matter of its rows.
            let is_filled = |change: &&Change| {
                matches!(&change.what, What::Changed { property: Property::Populated, .. })
            };
            let told = changes.iter().filter(|change| !is_filled(change));
            lines.extend(told.map(|change| {
                format!("a new tenant is not as a migrated one: `{}: {}`", change.object, change.line())
            }));
        }
        Ok(lines)
    }

    async fn step(&mut self, index: usize, before: &DatabaseSnapshot, asks: bool) -> Result<Step, Failure> {
        let migration = &self.project.chain.migrations()[index];
        let mut step = Step::new(index);
        step.without_rows = self.samples == Samples::Without;
        step.no_tenants = self.tenants.is_empty() && migration.has(Scope::Tenant);
        step.failure = project::acting_on_the_machine(migration);
        if step.failure.is_some() {
            return Ok(step);
        }
        if migration.transactional {
            // To look at everything after each statement takes long: it is only done where some statement did
            // something that must be told, or that a query of the release may mind, or changed rows.
            let (failure, after) = self.watch(migration, before, When::AtTheEnd, &mut step).await?;
            step.failure = failure;
            let is_told = before.is_harmed(&after)
                || (asks && before.differs(&after))
                || step.changes_rows()
                || decoy::is_wanted(migration)
                || before.differs_beyond(&after, &self.own_of(migration));
            if step.failure.is_none() && is_told {
                step.statements.clear();
                // No transaction takes back what became of a sequence.
                before.rows.rewind(self.connection).await?;
                (step.failure, _) = self.watch(migration, before, When::AfterEach, &mut step).await?;
                before.rows.rewind(self.connection).await?;
            }
        } else if self.observer_conn.is_some()
            && let Some((statement, _)) = migration.statements.iter().find(|(it, _)| it.acts_on_server())
        {
            step.failure = Some(of_the_server(migration, statement, "it acts on the whole server"));
        }
        if step.failure.is_none() {
            step.failure = self.migrate(migration.to()).await?;
        }
        Ok(step)
    }
}
