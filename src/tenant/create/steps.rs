//! A tenant whose steps need transactions of their own: after the one that makes the template, the fleet's units bring
//! the schema to the platform's version, and a last transaction makes the tenant active. What a run leaves that is
//! killed in between, the same command finishes.

use super::answer::explain;
use super::results::Task;
use super::worker::Maker;
use crate::chain::Version;
use crate::error::Failure;
use crate::executor::catch_up;
use crate::postgres::metadata::{Tenant, TenantState};
use crate::postgres::{Connection, ServerError, error};
use crate::tenant::provisioning::ProvisioningScript;

impl<'a> Maker<'a, '_> {
    /// Does what follows the first transaction of a tenant.
    pub(super) async fn go_on(
        &self,
        connection: &mut Connection,
        mut task: Task<'a>,
        script: &ProvisioningScript<'a>,
        at: Version,
    ) {
        task.attempts += 1;
        let steps = script.later().unwrap_or_default();
        let (subject, schema) = ((self.run, &self.project.chain), &task.tenant.schema);
        let caught_up =
            catch_up(connection, subject, schema, steps, (self.creation.retry_policy, None)).await;
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
                        return self.again_or_failed(task, failure);
                    }
                    Err(self.undo(connection, &task, failure).await)
                }
            },
            Err(failure) => Err(self.undo(connection, &task, failure).await),
        };
        self.results.borrow_mut().settle(task.index, result);
    }

    /// Makes the tenant active. Where the answer is lost, the version row says whether that was done.
    async fn finish(
        &self,
        connection: &mut Connection,
        task: &Task<'a>,
        script: &ProvisioningScript<'a>,
    ) -> Result<(), ServerError> {
        let message = script.finishing(self.run, &task.tenant, &task.filled, self.afterwards());
        let Err(server_error) = connection.send(&message).await else { return Ok(()) };
        if !server_error.failure("").ended_the_session() {
            return Err(server_error);
        }
        let Ok(fresh) = connection.another().await else { return Err(server_error) };
        *connection = fresh;
        match connection.send(&message).await {
            Err(server_error) if !is_finished(&server_error) => Err(server_error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Takes over a tenant that a run began with the same template, name and values, and did not finish; one that was
    /// begun otherwise is taken back, if its time is over. Gives its row where that run has finished it meanwhile.
    pub(super) async fn resume_or_take_back(
        &self,
        connection: &mut Connection,
        row: &Tenant,
        task: &mut Task<'a>,
    ) -> Result<Option<Tenant>, Failure> {
        let id = row.id.as_deref().and_then(|id| id.parse().ok());
        let is_named_so = row.name.as_deref() == Some(task.tenant.name.as_str());
        if let Some(id) = id.filter(|_| is_named_so) {
            let at = self.results.borrow().at.clone();
            let script = self.script(task.template, &at)?;
            if script.later().is_some() && self.is_begun_so(connection, &script, row, task).await? {
                let message = script.resuming(self.run, &row.schema, id, &task.filled);
                match connection.send(&message).await {
                    Ok(_sets) => {
                        task.tenant.id = id;
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
        }
        self.take_back(connection, row).await.map(|()| None)
    }

    /// Whether a tenant in the making is of the task's template and values. Asked without waiting for a unit that has
    /// the version row: it may be a clone's or an import's.
    async fn is_begun_so(
        &self,
        connection: &mut Connection,
        script: &ProvisioningScript<'a>,
        row: &Tenant,
        task: &Task<'a>,
    ) -> Result<bool, Failure> {
        let sql = format!(
            "SELECT true AS same FROM {}.tenant_version WHERE {}",
            self.run.platform.quoted(),
            script.begun_so(&row.schema, &task.filled)
        );
        let sets = connection.query_batch(&sql).await;
        let sets = sets.map_err(|server_error| server_error.failure(&format!("creating {}", row.slug)))?;
        Ok(sets.iter().flatten().next().is_some())
    }
}

/// Whether the refusal says that the tenant was made active before.
fn is_finished(server_error: &ServerError) -> bool {
    matches!(server_error.sqlstate(), Some(error::NOT_OURS | error::OTHER_STATE))
}
