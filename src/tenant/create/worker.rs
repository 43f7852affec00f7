//! Creates one tenant at a time: checks it, sends its message, and handles the answer.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::answer::{explain, taken};
use super::pool::{Counts, Pool};
use super::results::{Results, Task};
use super::{Creation, IfExists, Provisioned};
use crate::chain::Version;
use crate::error::{Code, Failure};
use crate::event::Event;
use crate::executor::queue::Queue;
use crate::ident::{DisplayName, Identifier, Slug, literal};
use crate::postgres::batch::{Run, SqlBatch};
use crate::postgres::metadata::registry::{self, ExistingRow, RowValues, Shape};
use crate::postgres::metadata::state::{self, Presence};
use crate::postgres::metadata::{Tenant, TenantState, attempts, tenant_registry};
use crate::postgres::{Connection, ServerError, error};
use crate::project::Project;
use crate::template::Template;
use crate::tenant::CreatedTenant;
use crate::tenant::name_ownership::{self, NameOwnership, Registration, has_schema};
use crate::tenant::provisioning::{ProvisioningScript, TenantRecord};
use crate::tenant::roles::role::Secret;
use crate::tenant::{NewRole, NewTenant};

/// The number of tenants in one lookup query.
const PAGE: usize = 2_000;

/// The context of all workers.
pub(super) struct Maker<'a, 'q> {
    pub(super) project: &'a Project,
    pub(super) run: &'a Run,
    pub(super) creation: &'a Creation,
    pub(super) presence: Presence,
    /// The registry in the catalog.
    pub(super) shape: RefCell<Shape>,
    /// Values of the registry's other columns, as SQL, in a throwaway database.
    pub(super) samples: HashMap<Slug, BTreeMap<Identifier, String>>,
    pub(super) queue: &'q RefCell<Queue<Task<'a>>>,
    pub(super) results: &'q RefCell<Results<'a>>,
    /// Compiled once per template and platform version.
    pub(super) scripts: RefCell<HashMap<(&'a str, Version), Rc<ProvisioningScript<'a>>>>,
    /// The free pool schemas.
    pub(super) pool: RefCell<Pool>,
    /// Set on interruption.
    pub(super) stop: &'a CancellationToken,
}

impl<'a> Maker<'a, '_> {
    /// Records failures and existing tenants; puts the others into the queue.
    pub(super) async fn enqueue(&self, requested: &'a [NewTenant], connection: &mut Connection) {
        let mut first: HashMap<Slug, usize> = HashMap::new();
        let mut tasks = Vec::new();
        for (index, tenant) in requested.iter().enumerate() {
            match self.task(index, tenant) {
                Ok(task) => {
                    if let Some(before) = first.get(&task.tenant.slug) {
                        self.results.borrow_mut().add_duplicate(index, *before);
                    } else {
                        first.insert(task.tenant.slug.clone(), index);
                        tasks.push(task);
                    }
                }
                Err(failure) => self.results.borrow_mut().settle(index, Err(failure)),
            }
        }
        let mut tasks = tasks.into_iter().peekable();
        while tasks.peek().is_some() {
            let page: Vec<Task<'a>> = tasks.by_ref().take(PAGE).collect();
            let slugs: Vec<Slug> = page.iter().map(|task| task.tenant.slug.clone()).collect();
            let found = self.look_up(connection, &slugs).await;
            for mut task in page {
                let known = match &found {
                    Ok(found) => self.known(found, &task.tenant.slug),
                    Err(failure) => Err(failure.clone()),
                };
                let result = match known {
                    Ok(known) => self.judge(connection, &mut task, known).await,
                    Err(failure) => Err(failure),
                };
                match result {
                    Ok(None) => self.queue.borrow_mut().extend([task]),
                    Ok(Some(existing)) => self.results.borrow_mut().settle(task.index, Ok(existing)),
                    Err(failure) => self.results.borrow_mut().settle(task.index, Err(failure)),
                }
            }
        }
    }

    /// Reads pool schemas for `tasks` tasks.
    pub(super) async fn read_pool(
        &self,
        connection: &mut Connection,
        counts: &Counts,
        tasks: usize,
    ) -> Result<(), Failure> {
        let at = self.results.borrow().at.clone();
        let found = Pool::find(connection, self.project, (counts, &at), tasks).await?;
        *self.pool.borrow_mut() = found;
        Ok(())
    }

    fn task(&self, index: usize, tenant: &NewTenant) -> Result<Task<'a>, Failure> {
        let settings = &self.project.settings;
        let slug = Slug::new(&tenant.slug)?;
        let schema = settings.tenant_schema(&slug)?;
        let template = self.project.template(tenant.template.as_deref())?;
        let filled = template.parameters.bind(&tenant.set, &template.name)?;
        let named = tenant.name.as_ref().map(DisplayName::new).transpose()?;
        let name = match &named {
            Some(name) => name.clone(),
            None => DisplayName::new(slug.as_str())?,
        };
        let columns = self.columns(&slug, tenant)?;
        let role = match self.creation.role {
            NewRole::None => None,
            NewRole::Closed => Some((settings.tenant_role(&schema)?, None)),
            NewRole::Login => Some((settings.tenant_role(&schema)?, Some(Secret::make()))),
        };
        let (attempt, registration) = (Uuid::new_v4(), Registration::default());
        let tenant = TenantRecord { id: None, attempt, slug, name, schema, role, registration };
        Ok(Task {
            index,
            tenant,
            template,
            filled,
            attempts: 0,
            moves: 0,
            begun: false,
            named,
            columns,
            completes: None,
        })
    }

    /// The requested values of the registry's other columns, as SQL.
    fn columns(&self, slug: &Slug, tenant: &NewTenant) -> Result<BTreeMap<Identifier, String>, Failure> {
        let mut columns = self.samples.get(slug).cloned().unwrap_or_default();
        for (name, value) in &tenant.columns {
            let value = DisplayName::new(value.as_str())?;
            columns.insert(Identifier::new(name.as_str())?, literal(value.as_str()));
        }
        Ok(columns)
    }

    /// The statements that write the registry row of a task.
    fn registration(&self, task: &Task<'a>) -> Registration {
        let (settings, shape) = (&self.project.settings, &self.shape.borrow());
        let is_given = task.columns.contains_key(&settings.tenants.columns.id);
        let id = task.tenant.attempt.to_string();
        let needs_id = task.completes.is_none() && !is_given && shape.needs_uuid(settings);
        let name = match &task.completes {
            Some(_) => task.named.as_ref(),
            None => Some(&task.tenant.name),
        };
        let values = RowValues {
            slug: &task.tenant.slug,
            schema: &task.tenant.schema,
            name: name.map(DisplayName::as_str),
            id: needs_id.then_some(id.as_str()),
            columns: &task.columns,
        };
        Registration::new(settings, shape, task.completes.as_ref(), values)
    }

    /// Records the outcomes of duplicate slugs, after the first of each.
    pub(super) fn settle_duplicates(&self) {
        let mut results = self.results.borrow_mut();
        for (index, first) in results.duplicates() {
            let result = match results.result(first) {
                None => continue,
                Some(Ok(Provisioned::New(tenant) | Provisioned::Existing(tenant))) => {
                    // The password is only shown with the first.
                    self.existing_or_fail(CreatedTenant { role: None, password: None, ..tenant })
                }
                Some(Err(failure)) => Err(failure),
            };
            results.settle(index, result);
        }
    }

    /// Tries to create a tenant.
    pub(super) async fn make(&self, connection: &mut Connection, mut task: Task<'a>) {
        let at = self.results.borrow().at.clone();
        let script = match self.script(task.template, &at) {
            Ok(script) => script,
            Err(failure) => return self.results.borrow_mut().settle(task.index, Err(failure)),
        };
        if task.begun {
            return self.run_steps(connection, task, &script, at).await;
        }
        task.tenant.registration = self.registration(&task);
        let (run, tenant, filled, after) = (self.run, &task.tenant, &task.filled, self.afterwards());
        let pooled = self.pool.borrow_mut().give(&task);
        let message = match &pooled {
            Some(pooled) => script.taking(run, tenant, (pooled, filled), after),
            None => script.message(run, tenant, filled, after),
        };
        let message = match message {
            Ok(message) => message,
            Err(failure) => return self.results.borrow_mut().settle(task.index, Err(failure)),
        };
        task.attempts += 1;
        match connection.send(&message).await {
            Ok(sets) if pooled.is_none() && script.later().is_some() => {
                task.tenant.id = name_ownership::id(&sets);
                task.begun = true;
                self.run_steps(connection, task, &script, at).await;
            }
            Ok(sets) => {
                task.tenant.id = name_ownership::id(&sets);
                let result = self.follow(connection, &task, at).await;
                self.results.borrow_mut().settle(task.index, result);
            }
            Err(server_error) => {
                if let Some(pooled) = pooled {
                    if server_error.sqlstate() == Some(error::POOL_SCHEMA_TAKEN) {
                        return self.queue.borrow_mut().push_front(task);
                    }
                    self.pool.borrow_mut().put_back(&task, pooled);
                }
                self.refused(connection, task, &message, &server_error).await;
            }
        }
    }

    pub(super) fn script(
        &self,
        template: &'a Template,
        at: &Version,
    ) -> Result<Rc<ProvisioningScript<'a>>, Failure> {
        let key = (template.name.as_str(), at.clone());
        if let Some(script) = self.scripts.borrow().get(&key) {
            return Ok(Rc::clone(script));
        }
        let script = Rc::new(ProvisioningScript::new(self.project, template, at)?);
        self.scripts.borrow_mut().insert(key, Rc::clone(&script));
        Ok(script)
    }

    async fn refused(
        &self,
        connection: &mut Connection,
        mut task: Task<'a>,
        message: &SqlBatch,
        server_error: &ServerError,
    ) {
        let schema = task.tenant.schema.clone();
        let schema = &schema;
        let result = match server_error.sqlstate() {
            Some(error::PLATFORM_VERSION_CHANGED) => return self.platform_moved(connection, task).await,
            // Another session may have created it, or its row, between the lookup and the message.
            Some(state @ ("42P06" | "23505" | error::NOT_ONE_ROW))
                if message.place(server_error).is_none()
                    && (state != error::NOT_ONE_ROW || task.completes.is_some()) =>
            {
                match self.after_conflict(connection, &mut task, server_error).await {
                    Ok(Next::Resume(row)) => return self.resume_created(connection, task, row).await,
                    Ok(Next::Retry) => return self.queue.borrow_mut().push_front(task),
                    Ok(Next::Settle(existing)) => Ok(existing),
                    Err(failure) => Err(failure),
                }
            }
            _ => {
                let failure = explain(server_error, message, schema);
                match self.read_after_disconnect(connection, &task, &failure).await {
                    Some(row) => return self.resume_created(connection, task, row).await,
                    None => return self.retry_or_fail(task, failure),
                }
            }
        };
        self.results.borrow_mut().settle(task.index, result);
    }

    /// What to do after another session has taken the name.
    async fn after_conflict(
        &self,
        connection: &mut Connection,
        task: &mut Task<'a>,
        server_error: &ServerError,
    ) -> Result<Next, Failure> {
        match self.find(connection, &task.tenant.slug).await? {
            // The server finished the message before the connection was lost.
            Known::Tenant(row) if row.version.is_some() && self.is_own(connection, task).await? => {
                Ok(Next::Resume(row))
            }
            Known::Nothing => Err(self.taken(connection, task, server_error).await),
            // Nothing has changed, or too often.
            Known::Row(row) if task.completes.as_ref() == Some(&row) || task.attempts > MOST_CONFLICTS => {
                Err(self.taken(connection, task, server_error).await)
            }
            known => match self.judge(connection, task, known).await? {
                Some(existing) => Ok(Next::Settle(existing)),
                None => Ok(Next::Retry),
            },
        }
    }

    /// The failure for a name that belongs to no tenant of this slug.
    async fn taken(
        &self,
        connection: &mut Connection,
        task: &Task<'a>,
        server_error: &ServerError,
    ) -> Failure {
        let (settings, tenant) = (&self.project.settings, &task.tenant);
        let ownership = NameOwnership::read(connection, settings, &tenant.slug, &tenant.schema).await;
        let other = ownership.ok().and_then(|ownership| {
            let mut entries = ownership.entries.into_iter();
            entries.find(|entry| entry.schema.as_deref() == Some(tenant.schema.as_str()))?.slug
        });
        taken(server_error, &tenant.schema, (&tenant.slug, other.as_deref()))
    }

    /// Retries after a platform migration, at most once per step of the chain.
    async fn platform_moved(&self, connection: &mut Connection, mut task: Task<'a>) {
        task.moves += 1;
        if task.moves > self.project.chain.migrations().len() {
            let failure = Failure::new(
                Code::NotMigrated,
                "the platform's version keeps changing: a migration is in progress",
            )
            .hint("run the command again when the migration has ended");
            return self.results.borrow_mut().settle(task.index, Err(failure));
        }
        let refreshed = self.refresh_state(connection).await;
        match refreshed {
            Ok(()) => self.queue.borrow_mut().push_front(task),
            Err(failure) => self.results.borrow_mut().settle(task.index, Err(failure)),
        }
    }

    async fn refresh_state(&self, connection: &mut Connection) -> Result<(), Failure> {
        let state = state::read(connection, &self.project.settings).await?;
        self.results.borrow_mut().at = state.platform;
        *self.shape.borrow_mut() = state.registry.unwrap_or_default();
        let tasks = self.queue.borrow_mut().ready() + 1;
        self.read_pool(connection, &state.pool, tasks).await
    }

    /// After a lost connection, reads whether the tenant was created.
    async fn read_after_disconnect(
        &self,
        connection: &mut Connection,
        task: &Task<'a>,
        failure: &Failure,
    ) -> Option<Tenant> {
        if !failure.session_ended() {
            return None;
        }
        *connection = connection.open_another().await.ok()?;
        let row = self.existing(connection, &task.tenant.slug).await.ok()??;
        let is_own = row.version.is_some() && self.is_own(connection, task).await.ok()?;
        is_own.then_some(row)
    }

    /// Whether this run has created the task's schema.
    async fn is_own(&self, connection: &mut Connection, task: &Task<'a>) -> Result<bool, Failure> {
        attempts::is_of_run(connection, self.run, &task.tenant.schema).await
    }

    /// Continues after the first transaction, whose answer was lost.
    async fn resume_created(&self, connection: &mut Connection, mut task: Task<'a>, row: Tenant) {
        let at = self.results.borrow().at.clone();
        task.tenant.id.clone_from(&row.id);
        match self.script(task.template, &at) {
            Ok(script) if script.later().is_some() && row.status == TenantState::Creating => {
                task.begun = true;
                self.run_steps(connection, task, &script, at).await;
            }
            _ => {
                let result = self.follow(connection, &task, row.version.unwrap_or(at)).await;
                self.results.borrow_mut().settle(task.index, result);
            }
        }
    }

    pub(super) fn retry_or_fail(&self, task: Task<'a>, failure: Failure) {
        let mut results = self.results.borrow_mut();
        match self.creation.retry_policy.pause(&failure, task.attempts) {
            Some(pause) => {
                let slug = task.tenant.slug.as_str();
                results.sink.take(&Event::TenantDelayed { slug, failure: &failure, pause });
                self.queue.borrow_mut().delay(task, pause);
            }
            None => results.settle(task.index, Err(failure)),
        }
    }

    pub(super) async fn existing(
        &self,
        connection: &mut Connection,
        slug: &Slug,
    ) -> Result<Option<Tenant>, Failure> {
        match self.find(connection, slug).await? {
            Known::Tenant(row) => Ok(Some(row)),
            Known::Nothing | Known::Row(_) => Ok(None),
        }
    }

    async fn find(&self, connection: &mut Connection, slug: &Slug) -> Result<Known, Failure> {
        let found = self.look_up(connection, std::slice::from_ref(slug)).await?;
        self.known(&found, slug)
    }

    async fn look_up(&self, connection: &mut Connection, slugs: &[Slug]) -> Result<Found, Failure> {
        let settings = &self.project.settings;
        let found = tenant_registry::look_up(connection, settings, self.presence, slugs).await?;
        let mut by_slug = Found::default();
        for row in found.tenants {
            by_slug.tenants.insert(row.slug.clone(), row);
        }
        for row in found.waiting {
            by_slug.waiting.entry(row.slug.clone()).or_default().push(row);
        }
        Ok(by_slug)
    }

    fn known(&self, found: &Found, slug: &Slug) -> Result<Known, Failure> {
        let waiting = found.waiting.get(slug.as_str()).map(Vec::as_slice).unwrap_or_default();
        match (found.tenants.get(slug.as_str()), waiting) {
            (Some(row), _) => Ok(Known::Tenant(row.clone())),
            (None, []) => Ok(Known::Nothing),
            (None, [row]) => Ok(Known::Row(row.clone())),
            (None, rows) => {
                let settings = &self.project.settings;
                let (registry, column) = (registry::shown(settings), &settings.tenants.columns.slug);
                Err(Failure::new(
                    Code::RegistryInvalid,
                    format!(
                        "{} rows of the registry {registry} have the {column} {slug:?}",
                        rows.len(),
                        slug = slug.as_str()
                    ),
                )
                .hint(format!("a unique constraint on the column {column} prevents that")))
            }
        }
    }

    /// Whether the task remains to be done, for a new row or for an existing one. Returns the tenant if it exists.
    async fn judge(
        &self,
        connection: &mut Connection,
        task: &mut Task<'a>,
        known: Known,
    ) -> Result<Option<Provisioned>, Failure> {
        let known = match known {
            Known::Tenant(row) if row.status == TenantState::Creating => {
                match self.resume_or_remove(connection, &row, task).await? {
                    Some(row) => Known::Tenant(row),
                    None if task.begun => return Ok(None),
                    // Its registry row may have existed before.
                    None => self.find(connection, &task.tenant.slug).await?,
                }
            }
            known => known,
        };
        match known {
            Known::Tenant(row) => self.judge_existing(connection, &row).await.map(Some),
            Known::Nothing => {
                task.completes = None;
                self.shape.borrow().expect_insertable(&self.project.settings).map(|()| None)
            }
            Known::Row(row) => complete(task, row).map(|()| None),
        }
    }

    pub(super) async fn judge_existing(
        &self,
        connection: &mut Connection,
        row: &Tenant,
    ) -> Result<Provisioned, Failure> {
        let slug = &row.slug;
        if row.version.is_none() {
            let in_the_registry =
                |but: &str| Failure::new(Code::TenantExists, format!("{slug} is in the registry, but {but}"));
            return Err(if has_schema(connection, &row.schema).await? {
                in_the_registry("its version is unknown")
                    .hint("the schema was not created by Tenure: make it a tenant with `tenure tenant adopt`")
            } else {
                in_the_registry(&format!("there is no schema {}", row.schema)).hint(NameOwnership::ROW_ALONE)
            });
        }
        if row.status == TenantState::Creating {
            return Err(Failure::new(Code::TenantState, format!("{slug} is being created by another run"))
                .hint("`tenure tenant list` shows when it is active"));
        }
        self.existing_or_fail(CreatedTenant {
            id: row.id.clone(),
            slug: slug.clone(),
            schema: row.schema.clone(),
            version: row.version.clone(),
            role: None,
            password: None,
            completed: false,
        })
    }

    fn existing_or_fail(&self, tenant: CreatedTenant) -> Result<Provisioned, Failure> {
        match self.creation.if_exists {
            IfExists::Accept => Ok(Provisioned::Existing(tenant)),
            IfExists::Fail => {
                Err(Failure::new(Code::TenantExists, format!("the tenant {} already exists", tenant.slug))
                    .hint("choose another slug, or accept it with --if-not-exists"))
            }
        }
    }
}

/// What the registry has for the slugs of a page.
#[derive(Debug, Default)]
struct Found {
    tenants: HashMap<String, Tenant>,
    waiting: HashMap<String, Vec<ExistingRow>>,
}

/// What the registry has for a slug.
#[derive(Debug)]
enum Known {
    Nothing,
    /// A row without a schema.
    Row(ExistingRow),
    Tenant(Tenant),
}

/// What to do after a conflict with another session.
enum Next {
    Resume(Tenant),
    Retry,
    Settle(Provisioned),
}

/// How often a tenant is tried again after conflicts with other sessions.
const MOST_CONFLICTS: u32 = 10;

/// Makes the task complete this row.
fn complete(task: &mut Task<'_>, row: ExistingRow) -> Result<(), Failure> {
    let (slug, schema) = (&task.tenant.slug, &task.tenant.schema);
    if let Some(other) = row.schema.as_ref().filter(|other| *other != schema.as_str()) {
        return Err(Failure::new(
            Code::TenantExists,
            format!("{slug} is in the registry with the schema {other}, but its schema would be {schema}"),
        )
        .hint("empty that column of the row, or correct it; [tenants] schema_prefix in tenure.toml is part of the name"));
    }
    if task.named.is_none() {
        let name = row.name.as_deref().unwrap_or(slug.as_str());
        task.tenant.name = DisplayName::new(name)?;
    }
    task.completes = Some(row);
    Ok(())
}
