//! Verifies plans. [`run`](super::run) requires an [`ApprovedPlan`], and only this file constructs one, so no plan runs
//! unverified.

use std::rc::Rc;

use tokio_util::sync::CancellationToken;

use super::prepared::Prepared;
use super::run::run;
use super::{Migrated, Planned};
use crate::chain::{Migration, Reach, Version};
use crate::error::{Code, Failure};
use crate::event::{Silent, Sink};
use crate::executor::{Allowed, Request, RetryPolicy, StatementObserver};
use crate::ident::{Identifier, SchemaName, Slug};
use crate::postgres::metadata::state;
use crate::postgres::{Connection, RestrictedRole, extensions};
use crate::project::{EffectsByFile, Focus, LEAVES_DATABASE, Project, Review, accepts_not_observed};
use crate::settings::{Migrate, Settings};

/// A plan that passed verification.
#[derive(Debug)]
pub struct ApprovedPlan {
    pub(super) prepared: Prepared,
    /// The findings that Allow lines accept.
    pub(super) allowed: Allowed,
    pub(super) observer: Option<Rc<dyn StatementObserver>>,
    /// Whether the last platform unit records the schema's fingerprint; nobody asks for that of a throwaway database.
    pub(super) records_fingerprint: bool,
    review: Review,
}

/// A plan that verification refused. Nothing was written.
#[derive(Debug)]
pub struct Denied {
    /// All findings.
    pub review: Review,
    /// The first finding that denies.
    pub failure: Failure,
    /// The refused steps.
    pub planned: Planned,
}

/// The result of the verification of a plan.
#[derive(Debug)]
pub enum Verdict {
    /// The plan can be run.
    Approved(Box<ApprovedPlan>),
    /// The plan was refused.
    Denied(Box<Denied>),
}

/// Plans a request and verifies the pending migrations. Writes nothing. `observe` returns the effects of the pending
/// migrations on a shadow, if one was requested.
pub async fn verify(
    connection: &mut Connection,
    project: &Project,
    request: Request,
    observe: impl AsyncFnOnce(&[&Migration]) -> Result<EffectsByFile, Failure>,
) -> Result<Verdict, Failure> {
    let prepared = Prepared::look(connection, project, request).await?;
    prepared.expect_no_tables(connection, project).await?;
    let pending = prepared.pending(project);
    let effects_by_file = observe(&pending).await?;
    let review = Review::of(project, pending.iter().copied(), [], &effects_by_file, Focus::default())?;
    if let Some(failure) = review.denial() {
        let planned = Planned { steps: prepared.plan.steps };
        return Ok(Verdict::Denied(Box::new(Denied { review, failure, planned })));
    }
    let json = |migration: &Migration| review.allowed_json(&migration.script.source.file);
    let allowed = pending.iter().map(|migration| (migration.file.clone(), json(migration))).collect();
    Ok(Verdict::Approved(Box::new(ApprovedPlan {
        prepared,
        allowed,
        observer: None,
        records_fingerprint: true,
        review,
    })))
}

/// Replays the chain up to `to` on a throwaway database: a shadow, or the reference of `drift`. Returns the failure of a
/// unit as `Ok(Some(_))`, other failures as `Err`. Skips verification, since the database is deleted.
pub async fn replay_on_throwaway_database(
    connection: &mut Connection,
    project: &Project,
    (to, retry_policy): (&Version, RetryPolicy),
    command: &str,
) -> Result<Option<Failure>, Failure> {
    let role = connection.restricted_role().cloned();
    if let Err(failure) = omit_on_throwaway_database(project, to, role.as_ref()) {
        return Ok(Some(failure));
    }
    let request = Request::plain(to, Reach::Fleet, project.settings.migrate, retry_policy);
    loop {
        let prepared = Prepared::look(connection, project, request.clone()).await?;
        let plan = ApprovedPlan::unverified(prepared);
        let talk = (&mut Silent as &mut dyn Sink, &CancellationToken::new());
        let migrated = Box::pin(run(connection, project, &plan, command, talk)).await?;
        let failure = migrated.failures.into_iter().next().map(|failed| failed.failure);
        match (failure, &role) {
            (Some(failure), Some(role)) if accept_without_rights(role, project, &failure) => {}
            (failure, _) => return Ok(failure),
        }
    }
}

/// Records in `role` the statements up to `to` that do not run on a throwaway database. Fails with the first that no line of its
/// file accepts.
pub fn omit_on_throwaway_database(
    project: &Project,
    to: &Version,
    role: Option<&RestrictedRole>,
) -> Result<(), Failure> {
    for (script, statement) in project.omitted_on_throwaway(to)? {
        let role = role.ok_or_else(|| Failure::new(Code::LeavesDatabase, LEAVES_DATABASE))?;
        role.accept(&script.source.file, statement.range.start, LEAVES_DATABASE);
    }
    Ok(())
}

/// Whether `failure` is that of a statement for which the role has no right, and its file accepts that it is not observed. Then the
/// statement is omitted from now on.
pub fn accept_without_rights(role: &RestrictedRole, project: &Project, failure: &Failure) -> bool {
    let Some(place) = failure.place.as_ref().filter(|_| failure.code == Code::PermissionDenied) else {
        return false;
    };
    let file = place.file();
    let Some(step) = project.chain.migrations().iter().find(|step| step.script.source.file == file) else {
        return false;
    };
    let accepted = role.accepted_in(file);
    let (mut others, mut refused) = (Vec::new(), None);
    for (statement, _) in &step.statements {
        if accepted.iter().any(|(start, _)| *start == statement.range.start) {
            others.push(statement);
        } else if place.bytes().is_some_and(|at| statement.range.contains(&at.start)) {
            refused = Some(statement);
        }
    }
    let Some(statement) = refused.filter(|it| accepts_not_observed(&step.script, &others, it)) else {
        return false;
    };
    role.accept(file, statement.range.start, &failure.message);
    true
}

/// Migrates one tenant to the platform's version. The steps were verified when the platform was migrated.
pub async fn follow_platform(
    connection: &mut Connection,
    project: &Project,
    (tenant, limits): (&Slug, Migrate),
    command: &str,
    talk: (&mut dyn Sink, &CancellationToken),
) -> Result<Migrated, Failure> {
    let platform = state::read(connection, &project.settings).await?.platform;
    let request = Request {
        tenants: vec![tenant.clone()],
        ..Request::plain(&platform, Reach::Tenants, limits, RetryPolicy::USUAL)
    };
    let plan = ApprovedPlan::unverified(Prepared::look(connection, project, request).await?);
    Box::pin(run(connection, project, &plan, command, talk)).await
}

impl ApprovedPlan {
    /// Only for the two functions above, which document why they skip verification.
    fn unverified(prepared: Prepared) -> Self {
        Self {
            prepared,
            allowed: Allowed::default(),
            observer: None,
            records_fingerprint: false,
            review: Review::empty(),
        }
    }

    /// The findings, none of which denies.
    pub fn review(&self) -> &Review {
        &self.review
    }

    /// The steps.
    pub fn planned(&self) -> Planned {
        Planned { steps: self.prepared.plan.steps.clone() }
    }

    /// Whether the plan has no steps.
    pub fn is_empty(&self) -> bool {
        self.prepared.plan.is_empty()
    }

    /// Whether the database has pool schemas that a run may change.
    pub fn has_pool(&self) -> bool {
        self.prepared.newer.is_none() && !self.prepared.state.pool.is_empty()
    }

    /// Its migrations, in order.
    pub fn pending<'p>(&self, project: &'p Project) -> Vec<&'p Migration> {
        self.prepared.pending(project)
    }

    /// Sets the observer, which queries the server between the statements of each unit.
    pub fn observe(&mut self, observer: Rc<dyn StatementObserver>) {
        self.observer = Some(observer);
    }

    /// The schemas of its tenants, including those that are up to date.
    pub async fn tenants(
        &self,
        connection: &mut Connection,
        settings: &Settings,
    ) -> Result<Vec<SchemaName>, Failure> {
        let Prepared { only, state, .. } = &self.prepared;
        if !only.is_empty() {
            return Ok(only.clone());
        }
        let all = state::tenants(connection, settings, state.presence, &[]).await?;
        Ok(all.into_iter().filter(|tenant| tenant.version.is_some()).map(|tenant| tenant.schema).collect())
    }

    /// Notes about what the plan leaves out: all work on a newer database, migrations, registry rows.
    pub fn left_out(&self, project: &Project) -> Vec<String> {
        if let Some(newer) = &self.prepared.newer {
            return vec![format!("{newer}: this checkout is older than the database, nothing is changed")];
        }
        let mut notes = Vec::new();
        let waiting = &self.prepared.plan.waiting;
        if let Some(first) = project.chain.migrations().get(waiting.start).filter(|_| !waiting.is_empty()) {
            notes.push(format!(
                "{} for the platform part of {}: run `tenure migrate up` for all tenants",
                match waiting.len() {
                    1 => "1 migration waits".to_owned(),
                    several => format!("{several} migrations wait"),
                },
                first.file,
            ));
        }
        let unknown = self.prepared.unknown();
        if unknown > 0 {
            let rows = if unknown == 1 { "row" } else { "rows" };
            notes.push(format!(
                "{unknown} registry {rows} without a version: not migrated; `tenure tenant create --from-registry` creates missing \
                 schemas, `tenure tenant adopt` adds existing ones"
            ));
        }
        notes
    }

    /// Notes about the search path of units: its schemas that neither exist nor are created by the files, and extensions that the
    /// files create in a schema which is not on it.
    pub async fn search_path_notes(
        &self,
        connection: &mut Connection,
        project: &Project,
    ) -> Result<Vec<String>, Failure> {
        let mut notes = self.missing_schemas(connection, project).await?;
        notes.extend(self.unreachable_extensions(connection, project).await?);
        Ok(notes)
    }

    async fn missing_schemas(
        &self,
        connection: &mut Connection,
        project: &Project,
    ) -> Result<Vec<String>, Failure> {
        let pending = self.pending(project);
        let statements = pending.iter().flat_map(|migration| &migration.statements);
        let created: Vec<&str> = statements.filter_map(|(statement, _)| statement.created_schema()).collect();
        let shared = project.settings.tenants.search_path.iter().map(Identifier::as_str);
        let shared: Vec<&str> = shared.filter(|schema| !created.contains(schema)).collect();
        if shared.is_empty() {
            return Ok(Vec::new());
        }
        let missing = extensions::missing_schemas(connection, &shared).await?;
        let note = |schema| {
            format!("the schema {schema} of [tenants] search_path does not exist: units find nothing in it")
        };
        Ok(missing.into_iter().map(note).collect())
    }

    async fn unreachable_extensions(
        &self,
        connection: &mut Connection,
        project: &Project,
    ) -> Result<Vec<String>, Failure> {
        let pending = self.pending(project);
        let made: Vec<String> = pending
            .iter()
            .flat_map(|migration| {
                let statements = migration.statements.iter();
                statements.filter_map(|(statement, _)| statement.created_extension(&migration.script))
            })
            .collect();
        if made.is_empty() {
            return Ok(Vec::new());
        }
        let names: Vec<&str> = made.iter().map(String::as_str).collect();
        let found =
            extensions::outside_search_path(connection, &names, &project.settings.shared_path()).await?;
        let note = |(name, schema): (String, String)| {
            format!(
                "the extension {name} is in the schema {schema}, which is not on the search path of units: \
                 [tenants] search_path = [\"{schema}\"] in tenure.toml adds it"
            )
        };
        Ok(found.into_iter().map(note).collect())
    }
}
