//! Creates one tenant at a time: checks it, sends its message, and handles the answer.

use std::cell::RefCell;
use std::collections::HashMap;
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
use crate::ident::{DisplayName, SchemaName, Slug};
use crate::postgres::batch::{Run, SqlBatch};
use crate::postgres::metadata::state::{self, Presence};
use crate::postgres::metadata::{Tenant, TenantState};
use crate::postgres::{Connection, ServerError, error};
use crate::project::Project;
use crate::template::Template;
use crate::tenant::CreatedTenant;
use crate::tenant::name_ownership::{NameOwnership, has_schema};
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
            let rows = state::tenants(connection, &self.project.settings, self.presence, &slugs).await;
            let rows: Result<HashMap<String, Tenant>, Failure> =
                rows.map(|rows| rows.into_iter().map(|row| (row.slug.clone(), row)).collect());
            for mut task in page {
                let row = rows.as_ref().map(|rows| rows.get(task.tenant.slug.as_str()));
                let result = match row {
                    Err(failure) => Err(failure.clone()),
                    Ok(Some(row)) if row.status == TenantState::Creating => {
                        match self.resume_or_remove(connection, row, &mut task).await {
                            Ok(Some(row)) => self.judge_existing(connection, &row).await,
                            Ok(None) => {
                                self.queue.borrow_mut().extend([task]);
                                continue;
                            }
                            Err(failure) => Err(failure),
                        }
                    }
                    Ok(Some(row)) => self.judge_existing(connection, row).await,
                    Ok(None) => {
                        self.queue.borrow_mut().extend([task]);
                        continue;
                    }
                };
                self.results.borrow_mut().settle(task.index, result);
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
        let prefix = &self.project.settings.tenants.schema_prefix;
        let slug = Slug::new(&tenant.slug)?;
        let schema = SchemaName::of(prefix, &slug, &self.run.platform)?;
        let template = self.project.template(tenant.template.as_deref())?;
        let filled = template.parameters.bind(&tenant.set, &template.name)?;
        let name = DisplayName::new(tenant.name.as_ref().unwrap_or(&tenant.slug))?;
        let role = match self.creation.role {
            NewRole::None => None,
            NewRole::Closed => Some((self.project.settings.tenant_role(&schema)?, None)),
            NewRole::Login => Some((self.project.settings.tenant_role(&schema)?, Some(Secret::make()))),
        };
        let tenant = TenantRecord { id: Uuid::new_v4(), slug, name, schema, role };
        Ok(Task { index, tenant, template, filled, attempts: 0, moves: 0, begun: false })
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
            Ok(_sets) if pooled.is_none() && script.later().is_some() => {
                task.begun = true;
                self.run_steps(connection, task, &script, at).await;
            }
            Ok(_sets) => {
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
            // Another session may have created it between the lookup and the message.
            Some("42P06" | "23505") if message.place(server_error).is_none() => {
                match self.existing(connection, &task.tenant.slug).await {
                    // The server finished the message before the connection was lost.
                    Ok(Some(row)) if is_own_row(&row, &task) && row.version.is_some() => {
                        return self.resume_created(connection, task, row).await;
                    }
                    Ok(Some(row)) if row.status == TenantState::Creating => {
                        match self.resume_or_remove(connection, &row, &mut task).await {
                            Ok(Some(row)) => self.judge_existing(connection, &row).await,
                            Ok(None) => return self.queue.borrow_mut().push_front(task),
                            Err(failure) => Err(failure),
                        }
                    }
                    Ok(Some(row)) => self.judge_existing(connection, &row).await,
                    Ok(None) => Err(taken(server_error, schema)),
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
        (is_own_row(&row, task) && row.version.is_some()).then_some(row)
    }

    /// Continues after the first transaction, whose answer was lost.
    async fn resume_created(&self, connection: &mut Connection, mut task: Task<'a>, row: Tenant) {
        let at = self.results.borrow().at.clone();
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
        let only = std::slice::from_ref(slug);
        let rows = state::tenants(connection, &self.project.settings, self.presence, only).await?;
        Ok(rows.into_iter().next())
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

/// Whether the existing tenant is the task's own.
fn is_own_row(row: &Tenant, task: &Task<'_>) -> bool {
    row.id.as_deref() == Some(task.tenant.id.to_string().as_str())
}
