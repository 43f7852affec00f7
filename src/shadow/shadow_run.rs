//! Runs the chain on a shadow step by step. Each step runs twice: first statement by statement in a transaction that is rolled
//! back, then as `migrate up` runs it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::data::{KnownRows, Rows};
use super::database::Shadow;
use super::database_snapshot::DatabaseSnapshot;
use super::queries::Queries;
use super::statements::{SnapshotTiming, server_change_failure};
use super::step::Step;
use super::watch::Table;
use super::{decoy, sample, setup};
use crate::chain::{Migration, Version};
use crate::error::{Class, Failure};
use crate::ident::{SchemaName, Slug};
use crate::migrate;
use crate::postgres::catalog::{self, Change, Property, Transaction, What};
use crate::postgres::{Connection, metadata};
use crate::project::Project;
use crate::queries::Release;
use crate::sql::Scope;
use crate::tenant::{After, NewTenant};

/// How many steps may run without sample rows because these violate an assumption. Each needs another database, on which the
/// steps before it run again.
const MAX_WITHOUT_ROWS: usize = 8;

/// The steps whose tables have no sample rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WithoutRows {
    /// None.
    None,
    /// The first one.
    First,
    /// All.
    All,
}

/// Runs the chain up to `steps` on a database from `shadow`, then observes these steps. Ends with the first step that fails. A
/// step that fails on the sample rows runs again on another database without rows, and the steps after it with rows: the sample
/// rows may violate an assumption that real rows meet.
///
/// With `release`, each of its queries is prepared and run before the first step and after each.
pub(super) async fn watch(
    project: &Project,
    steps: Range<usize>,
    release: Option<&Release>,
    shadow: impl AsyncFn() -> Result<Shadow, Failure>,
) -> Result<Vec<Step>, Failure> {
    let mut all: Vec<Step> = Vec::new();
    let (mut next, mut without_rows, mut failed_on_rows) = (steps.start, WithoutRows::None, None);
    for databases in 1.. {
        let run = run_and_close(shadow().await?, (project, release), next..steps.end, without_rows);
        let mut observed = Box::pin(run).await?;
        if let Some(first) = observed.first_mut().filter(|first| first.failure.is_none()) {
            first.failed_on_rows = failed_on_rows.take();
        }
        let is_first = observed.len() == 1 && without_rows != WithoutRows::None;
        all.append(&mut observed);
        let failed = all.pop_if(|last| {
            !is_first
                && without_rows != WithoutRows::All
                && last.failure.as_ref().is_some_and(may_be_the_rows)
        });
        let Some(failed) = failed else { break };
        next = failed.index;
        failed_on_rows = failed.failure;
        without_rows = if databases > MAX_WITHOUT_ROWS { WithoutRows::All } else { WithoutRows::First };
    }
    Ok(all)
}

/// Whether the sample rows may be the cause of a failure, by its SQLSTATE (manual, appendix A): a data exception (class 22), a
/// constraint violation (23), an error in PL/pgSQL code (P0), or `object_not_in_prerequisite_state` (55000).
fn may_be_the_rows(failure: &Failure) -> bool {
    failure.sqlstate.as_deref().is_some_and(|state| {
        state.starts_with("22") || state.starts_with("23") || state.starts_with("P0") || state == "55000"
    })
}

/// Runs the steps on `shadow` and closes it. A failure to clean up is recorded in the last step.
async fn run_and_close(
    mut shadow: Shadow,
    what: (&Project, Option<&Release>),
    steps: Range<usize>,
    without_rows: WithoutRows,
) -> Result<Vec<Step>, Failure> {
    let seen = Box::pin(run_steps(shadow.connections(), what, steps, without_rows)).await;
    let closed = shadow.close().await;
    let mut seen = seen?;
    // The observations stay valid if the cleanup fails.
    if let (Some(last), Err(failure)) = (seen.last_mut(), closed) {
        last.cleanup_failure = Some(failure);
    }
    Ok(seen)
}

/// Migrates to the version before `steps`, then runs and observes these steps until one fails.
async fn run_steps(
    (connection, observer_conn): (&mut Connection, Option<&mut Connection>),
    (project, release): (&Project, Option<&Release>),
    steps: Range<usize>,
    without_rows: WithoutRows,
) -> Result<Vec<Step>, Failure> {
    let mut shadow = ShadowRun {
        connection,
        project,
        has_rows: without_rows == WithoutRows::None,
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
    let mut snapshot = DatabaseSnapshot::default();
    let mut queries = release.map(Queries::of);
    for index in steps {
        // The snapshot after the previous step is still valid, except for the rows, unless tenants were created since.
        let prepared = shadow.prepare(&project.chain.migrations()[index], &snapshot.rows).await?;
        let before = match prepared {
            Prepared::Rows(changed) if !all.is_empty() => {
                snapshot.with_rows(shadow.connection, &changed).await?
            }
            _ => snapshot.refreshed(shadow.connection, Transaction::Own).await?,
        };
        if let Some(queries) = &mut queries {
            shadow.observe_before(queries).await?;
        }
        let (mut step, observed) = shadow.step(index, &before, release.is_some()).await?;
        let has_failed = step.failure.is_some();
        if !has_failed {
            // The migrated schemas are usually those that the transaction showed; the control tenant was not in it.
            let control = shadow.control_tenant.clone();
            let may_differ =
                |table: &Table| control.as_ref().is_some_and(|control| control.as_str() == table.0);
            snapshot = match observed.filter(|_| !step.has_deferred) {
                Some(observed) => {
                    let known: KnownRows<'_> = (&observed.rows, &may_differ);
                    observed.refreshed_knowing(shadow.connection, Transaction::Own, Some(known)).await?
                }
                None => before.refreshed(shadow.connection, Transaction::Own).await?,
            };
            let migration = &project.chain.migrations()[index];
            shadow.attribute_changes(migration, &mut step, &before, &snapshot);
            if !migration.transactional {
                step.beyond = shadow.beyond_step(migration, (&before, &snapshot));
            }
            step.unreachable = shadow.unreachable(migration, &before, &snapshot);
            if let Some(queries) = &mut queries {
                shadow.observe_after(queries, &mut step).await?;
            }
        }
        all.push(step);
        if has_failed {
            break;
        }
        shadow.has_rows |= without_rows == WithoutRows::First;
    }
    if let Some(last) = all.last_mut().filter(|last| last.failure.is_none()) {
        last.new_tenant = shadow.new_tenants(project.chain.migrations()[last.index].to()).await?;
    }
    Ok(all)
}

/// What the preparation of a step changed.
enum Prepared {
    /// Tenants were created.
    Tenants,
    /// The rows of these tables.
    Rows(BTreeSet<Table>),
}

/// A run of the chain on a shadow.
pub(super) struct ShadowRun<'a> {
    pub(super) connection: &'a mut Connection,
    pub(super) project: &'a Project,
    /// Whether empty tables are filled with sample rows.
    has_rows: bool,
    /// A connection outside of the shadow's transaction; `None` on a temporary server that Tenure has started.
    pub(super) observer_conn: Option<&'a mut Connection>,
    /// A tenant of each template, that of the default template first.
    pub(super) tenants: Vec<SchemaName>,
    /// A second tenant of the first template. Single statements do not run for it, only whole steps.
    pub(super) control_tenant: Option<SchemaName>,
    /// The first tenant of each template that has tenants, by the template's family: its name without a version.
    families: BTreeMap<String, SchemaName>,
}

impl ShadowRun<'_> {
    /// Runs `migrate up`. The inner failure is that of a unit; the outer one means that the shadow does not work.
    async fn migrate(&mut self, to: &Version) -> Result<Option<Failure>, Failure> {
        setup::migrate(self.connection, self.project, to).await
    }

    /// Creates the tenants of each template as soon as its base version is reached, and fills empty tables; `known` are the rows
    /// before.
    async fn prepare(&mut self, migration: &Migration, known: &Rows) -> Result<Prepared, Failure> {
        let settings = &self.project.settings;
        // The default template is the first.
        let usual = self.project.template(None).ok();
        let all = usual.into_iter().chain(self.project.templates.values());
        let mut requested = Vec::new();
        for template in all {
            let oldest = self.project.versions_of(template).into_iter().next();
            let Some(oldest) = oldest.filter(|oldest| oldest.version <= *migration.from()) else { continue };
            if self.families.contains_key(template.family()) {
                continue;
            }
            let number = self.families.len() + 1;
            let slug = Slug::new(&setup::sample_slug(number, "a"))?;
            let schema = SchemaName::of(&settings.tenants.schema_prefix, &slug, &settings.platform_schema())?;
            self.families.insert(template.family().to_owned(), schema);
            let letters: &[&str] = if number == 1 { &["a", "b"] } else { &["a"] };
            requested.extend(letters.iter().map(|letter| NewTenant {
                slug: setup::sample_slug(number, letter),
                name: None,
                template: Some(oldest.name.clone()),
                set: oldest.parameters.samples(),
            }));
        }
        if !requested.is_empty() {
            let mut made = setup::tenants(self.connection, self.project, &requested, After::Nothing).await?;
            if self.tenants.is_empty() && made.len() > 1 {
                self.control_tenant = Some(made.remove(1));
            }
            self.tenants.extend(made);
        }
        let mut changed = BTreeSet::new();
        if self.has_rows {
            let but = [settings.tenants.registry.as_str()];
            changed = sample::fill(self.connection, &self.schemas(), &but, known).await?;
        }
        Ok(if requested.is_empty() { Prepared::Rows(changed) } else { Prepared::Tenants })
    }

    /// The platform's schema and those of all tenants.
    pub(super) fn schemas(&self) -> Vec<SchemaName> {
        let mut schemas = vec![self.project.settings.platform_schema()];
        schemas.extend(self.tenants.iter().chain(&self.control_tenant).cloned());
        schemas
    }

    /// The extensions that the step creates and that are on no unit's search path, each with its schema.
    fn unreachable(
        &self,
        migration: &Migration,
        before: &DatabaseSnapshot,
        after: &DatabaseSnapshot,
    ) -> Vec<(String, String)> {
        let path = self.project.settings.shared_path();
        let is_found = |schema: &str| schema == "pg_catalog" || path.names().any(|it| it == schema);
        let named = migration.statements.iter();
        let named: Vec<String> =
            named.filter_map(|(statement, _)| statement.created_extension(&migration.script)).collect();
        after
            .extensions()
            .filter(|it| named.iter().any(|name| name == it.0) || !before.extensions().any(|old| old == *it))
            .filter(|(_, schema)| !is_found(schema))
            .map(|(name, schema)| (name.to_owned(), schema.to_owned()))
            .collect()
    }

    /// The schemas in which a step with one part is expected to make changes. Empty for a step with two parts, so that each of its
    /// changes is attributed to a statement.
    fn expected_schemas(&self, migration: &Migration) -> Vec<SchemaName> {
        match (migration.has(Scope::Platform), migration.has(Scope::Tenant)) {
            (true, false) => vec![self.project.settings.platform_schema()],
            (false, true) => self.tenants.clone(),
            _ => Vec::new(),
        }
    }

    /// Creates a tenant from the newest version of each template in use, with the platform at `at`, and describes how it differs
    /// from the migrated tenant.
    async fn new_tenants(&mut self, at: &Version) -> Result<Vec<String>, Failure> {
        let mut lines = Vec::new();
        for (number, (family, migrated)) in self.families.iter().enumerate() {
            let of_it = self.project.templates.values().find(|template| template.family() == family);
            let versions = of_it.map(|template| self.project.versions_of(template)).unwrap_or_default();
            let Some(newest) = versions.into_iter().rfind(|template| template.version <= *at) else {
                continue;
            };
            let requested = [NewTenant {
                slug: setup::new_slug(number),
                name: None,
                template: Some(newest.name.clone()),
                set: newest.parameters.samples(),
            }];
            let made = setup::tenants(self.connection, self.project, &requested, After::Nothing).await;
            let schema = match made {
                Ok(made) => made.into_iter().next(),
                Err(failure) if failure.code.class() == Class::Unreachable => return Err(failure),
                Err(failure) => {
                    lines.push(format!("a new tenant can no longer be created: {}", failure.message));
                    continue;
                }
            };
            let Some(schema) = schema else { continue };
            let both = [migrated.clone(), schema];
            let fingerprints = catalog::fingerprints_as(self.connection, &both, Transaction::Own).await?;
            if fingerprints.get(&both[0]) == fingerprints.get(&both[1]) {
                continue;
            }
            let right = catalog::snapshot_as(self.connection, &both[0], Transaction::Own).await?;
            let seen = catalog::snapshot_as(self.connection, &both[1], Transaction::Own).await?;
            let changes = Change::between(&right, &seen);
            // Whether a materialized view is populated depends on its rows.
            let is_filled = |change: &&Change| {
                matches!(&change.what, What::Changed { property: Property::Populated, .. })
            };
            let reported = changes.iter().filter(|change| !is_filled(change));
            lines.extend(reported.map(|change| {
                format!("a new tenant differs from a migrated one: `{}: {}`", change.object, change.line())
            }));
        }
        Ok(lines)
    }

    /// Observes the statements of a step in a transaction that is rolled back, then migrates to its version. Returns the snapshot at
    /// the end of that transaction, too.
    async fn step(
        &mut self,
        index: usize,
        before: &DatabaseSnapshot,
        has_queries: bool,
    ) -> Result<(Step, Option<DatabaseSnapshot>), Failure> {
        let migration = &self.project.chain.migrations()[index];
        let mut step = Step::new(index);
        step.without_rows = !self.has_rows;
        step.no_tenants = self.tenants.is_empty() && migration.has(Scope::Tenant);
        step.failure = self.omit(migration.to());
        if step.failure.is_some() {
            return Ok((step, None));
        }
        let mut observed = None;
        if migration.transactional {
            // A snapshot after each statement is slow. It is taken only if the step has an effect that is reported, that may
            // concern a query of the release, or that changes rows.
            let after = loop {
                step.statements.clear();
                let (failure, after) =
                    self.watch(migration, before, SnapshotTiming::AtTheEnd, &mut step).await?;
                step.failure = failure;
                if !step.failure.as_ref().is_some_and(|failure| self.accepts(failure)) {
                    break after;
                }
                before.rows.reset_sequences(self.connection).await?;
            };
            let needs_detail = before.has_hazards(&after)
                || (has_queries && before.differs(&after))
                || step.changes_rows()
                || step.has_deferred
                || decoy::is_needed(migration)
                || before.differs_beyond(&after, &self.expected_schemas(migration));
            if step.failure.is_none() && needs_detail {
                step.statements.clear();
                // A rollback does not reset sequences.
                before.rows.reset_sequences(self.connection).await?;
                (step.failure, _) =
                    self.watch(migration, before, SnapshotTiming::AfterEach, &mut step).await?;
                before.rows.reset_sequences(self.connection).await?;
            }
            observed = Some(after);
        } else if self.observer_conn.is_some()
            && let Some((statement, _)) = migration.statements.iter().find(|(it, _)| it.is_server_wide())
        {
            step.failure = Some(server_change_failure(migration, statement, "it acts on the whole server"));
        }
        if step.failure.is_none() {
            step.failure = self.migrate(migration.to()).await?;
        }
        let role = self.connection.restricted_role();
        let omitted = role.map(|role| role.accepted_in(&migration.script.source.file)).unwrap_or_default();
        for (start, why) in omitted {
            let found = migration.statements.iter().find(|(statement, _)| statement.range.start == start);
            step.not_observed.extend(found.map(|(statement, _)| {
                (statement.range.clone(), statement.main_name(&migration.script), why.clone())
            }));
        }
        Ok((step, observed))
    }

    /// Records which statements are not run, or returns the failure of one that no line of its file accepts.
    fn omit(&self, to: &Version) -> Option<Failure> {
        let role = self.connection.restricted_role();
        migrate::omit_on_throwaway_database(self.project, to, role).err()
    }

    /// Whether the file accepts that the statement which `failure` is about is not observed.
    fn accepts(&self, failure: &Failure) -> bool {
        let role = self.connection.restricted_role();
        role.is_some_and(|role| migrate::accept_without_rights(role, self.project, failure))
    }
}
