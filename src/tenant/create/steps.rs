//! Tenants whose steps need transactions of their own: the first transaction runs the template, units of `migrate up` run the
//! steps, and a last transaction makes the tenant active. If a run is killed in between, the same command continues.

use super::answer::explain;
use super::results::Task;
use super::worker::Maker;
use crate::chain::Version;
use crate::error::Failure;
use crate::executor::catch_up;
use crate::ident::DisplayName;
use crate::postgres::metadata::{Tenant, TenantState, attempts};
use crate::postgres::{Connection, ServerError, error};
use crate::tenant::provisioning::ProvisioningScript;
use uuid::Uuid;

impl<'a> Maker<'a, '_> {
    /// Runs the steps that follow a tenant's first transaction.
    pub(super) async fn run_steps(
        &self,
        connection: &mut Connection,
        mut task: Task<'a>,
        script: &ProvisioningScript<'a>,
        at: Version,
    ) {
        task.attempts += 1;
        let steps = script.later().unwrap_or_default();
        let (context, schema) = ((self.run, &self.project.chain), &task.tenant.schema);
        let caught_up =
            catch_up(connection, context, schema, steps, (self.creation.retry_policy, None)).await;
        let result = match caught_up {
            Ok(()) => match self.finish(connection, &task, script).await {
                Ok(()) => self.follow(connection, &task, at).await,
                Err(server_error) if is_finished(&server_error) => {
                    match self.existing(connection, &task.tenant.slug).await {
                        Ok(Some(row)) => self.judge_existing(connection, &row).await,
                        Ok(None) => Err(server_error.failure(&format!("creating {schema}"))),
                        Err(failure) => Err(failure),
                    }
                }
                Err(server_error) => {
                    let message = script.finishing(self.run, &task.tenant, &task.filled, self.afterwards());
                    let failure = explain(&server_error, &message, schema);
                    if self.creation.retry_policy.pause(&failure, task.attempts).is_some() {
                        return self.retry_or_fail(task, failure);
                    }
                    Err(self.clean_up(connection, &task, failure).await)
                }
            },
            Err(failure) => Err(self.clean_up(connection, &task, failure).await),
        };
        self.results.borrow_mut().settle(task.index, result);
    }

    /// Makes the tenant active. If the answer is lost, the version row shows whether that was done.
    async fn finish(
        &self,
        connection: &mut Connection,
        task: &Task<'a>,
        script: &ProvisioningScript<'a>,
    ) -> Result<(), ServerError> {
        let message = script.finishing(self.run, &task.tenant, &task.filled, self.afterwards());
        let Err(server_error) = connection.send(&message).await else { return Ok(()) };
        if !server_error.failure("").session_ended() {
            return Err(server_error);
        }
        let Ok(fresh) = connection.open_another().await else { return Err(server_error) };
        *connection = fresh;
        match connection.send(&message).await {
            Err(server_error) if !is_finished(&server_error) => Err(server_error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Takes over an unfinished tenant with the same template, name and values. An unfinished tenant with others is removed if
    /// its deadline has passed. Returns the tenant's row if its run has finished it meanwhile.
    pub(super) async fn resume_or_remove(
        &self,
        connection: &mut Connection,
        row: &Tenant,
        task: &mut Task<'a>,
    ) -> Result<Option<Tenant>, Failure> {
        let at = self.results.borrow().at.clone();
        let script = self.script(task.template, &at)?;
        let attempt = match script.later() {
            Some(_) => self.attempt_of(connection, &script, row, task).await?,
            None => None,
        };
        let is_named_so = row.name.as_deref() == Some(task.tenant.name.as_str());
        // The name of a row that existed before was kept.
        let attempt = attempt.filter(|(_, is_found)| is_named_so || (*is_found && task.named.is_none()));
        if let Some((attempt, is_found)) = attempt {
            let message = script.resuming(self.run, &row.schema, attempt, &task.filled);
            match connection.send(&message).await {
                Ok(_sets) => {
                    task.tenant.id.clone_from(&row.id);
                    task.tenant.attempt = attempt;
                    task.tenant.registration.completes = is_found;
                    if let Some(name) = &row.name {
                        task.tenant.name = DisplayName::new(name.as_str())?;
                    }
                    task.begun = true;
                    return Ok(None);
                }
                Err(server_error) if is_finished(&server_error) => {
                    let now = self.existing(connection, &task.tenant.slug).await?;
                    if let Some(now) = now.filter(|now| now.status != TenantState::Creating) {
                        return Ok(Some(now));
                    }
                }
                Err(server_error) => return Err(server_error.failure(&format!("creating {}", row.slug))),
            }
        }
        self.remove_expired(connection, row).await.map(|()| None)
    }

    /// The attempt at an unfinished tenant with the task's template and values. Does not lock the version row, since the tenant may be a
    /// clone or an import in progress.
    async fn attempt_of(
        &self,
        connection: &mut Connection,
        script: &ProvisioningScript<'a>,
        row: &Tenant,
        task: &Task<'a>,
    ) -> Result<Option<(Uuid, bool)>, Failure> {
        let (platform, doing) = (&self.run.platform, format!("creating {}", row.slug));
        let source = script.source(&task.filled);
        attempts::attempt_of(connection, platform, &row.schema, source, &doing).await
    }
}

/// Whether the error shows that the tenant is already active.
fn is_finished(server_error: &ServerError) -> bool {
    matches!(server_error.sqlstate(), Some(error::NOT_OWNED_BY_RUN | error::WRONG_STATE))
}
