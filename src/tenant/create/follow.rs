//! Runs the `after_create` command after a tenant's transaction. While it runs, no transaction is open and the tenant is in the
//! state `creating`. If it fails, the tenant is removed, in one transaction.

use serde_json::json;

use super::hook::Hook;
use super::results::Task;
use super::worker::Maker;
use super::{After, Provisioned};
use crate::chain::Version;
use crate::error::Failure;
use crate::event::Event;
use crate::postgres::batch::{SessionState, SqlBatch};
use crate::postgres::metadata::attempts::{self, Attempt};
use crate::postgres::metadata::{Tenant, TenantState};
use crate::postgres::{Connection, ServerError, error};
use crate::tenant::cleanup;
use crate::tenant::provisioning::{Afterwards, TenantRecord};
use crate::tenant::{CreatedTenant, operation};

impl<'a> Maker<'a, '_> {
    /// The steps after a tenant's schema is created.
    pub(super) fn afterwards(&self) -> Afterwards {
        match &self.creation.after {
            After::Nothing => Afterwards { rows: false, command: None },
            After::Rows => Afterwards { rows: true, command: None },
            After::All(hook) => Afterwards { rows: true, command: hook.as_ref().map(Hook::limit) },
        }
    }

    /// Runs the steps that follow the transaction that created the tenant at version `at`.
    pub(super) async fn follow(
        &self,
        connection: &mut Connection,
        task: &Task<'a>,
        at: Version,
    ) -> Result<Provisioned, Failure> {
        if let After::All(Some(hook)) = &self.creation.after {
            let slug = task.tenant.slug.as_str();
            let report = |line: &str| self.results.borrow_mut().sink.take(&Event::HookOutput { slug, line });
            match Box::pin(hook.run(&document(task, &at), self.stop, report)).await {
                Ok(()) => self.end_making(connection, &task.tenant).await?,
                Err(failure) => return Err(self.clean_up(connection, task, failure).await),
            }
        }
        Ok(made(&task.tenant, at))
    }

    /// Makes the tenant active.
    async fn end_making(&self, connection: &mut Connection, tenant: &TenantRecord) -> Result<(), Failure> {
        let mut message = SqlBatch::default();
        message
            .begin(self.run.limits, &attempts::activate(&self.run.platform, &tenant.schema, tenant.attempt));
        operation::enter(&mut message, &self.project.settings, &tenant.schema, TenantState::Active);
        message.commit(SessionState::None);
        let sent = cleanup::send(connection, &message, |_| false).await;
        sent.map(drop).map_err(|server_error| {
            let mut failure = server_error.failure(&format!("activating {} after its command", tenant.slug));
            failure.schema = Some(tenant.schema.as_str().to_owned());
            failure.hint = Some(
                "its command succeeded, but it is still in the state `creating`; create it again in a few minutes"
                    .to_owned(),
            );
            failure
        })
    }

    /// Removes the tenant after its command or one of its steps failed. Returns the failure to report.
    pub(super) async fn clean_up(
        &self,
        connection: &mut Connection,
        task: &Task<'a>,
        mut failure: Failure,
    ) -> Failure {
        let tenant = &task.tenant;
        failure.schema = Some(tenant.schema.as_str().to_owned());
        let attempt = Attempt::Of(tenant.attempt);
        let message = cleanup::unmaking(&self.project.settings, self.run, &tenant.schema, attempt);
        // The row is missing if an earlier answer was lost.
        let is_missing = |server_error: &ServerError| server_error.sqlstate() == Some(error::NO_VERSION_ROW);
        match cleanup::send(connection, &message, is_missing).await {
            Ok(_sets) => {
                failure.message = format!("{}; the tenant {} was removed", failure.message, tenant.slug);
            }
            Err(server_error) => {
                let why = server_error.failure(&format!("removing the tenant {}", tenant.slug));
                failure.message = format!("{}; {}", failure.message, why.message);
                self.give_up(connection, tenant).await;
                failure.hint = Some(
                    "it is still in the state `creating`; correct the cause and create it again, which starts over"
                        .to_owned(),
                );
            }
        }
        failure
    }

    /// Ends the deadline of this attempt, so that no other run waits for it. If that fails, it expires by itself.
    async fn give_up(&self, connection: &mut Connection, tenant: &TenantRecord) {
        let _said = connection.run(&attempts::give_up(&self.run.platform, tenant.attempt)).await;
    }

    /// Removes an unfinished tenant of a run that no longer exists, if its deadline has passed.
    pub(super) async fn remove_expired(
        &self,
        connection: &mut Connection,
        row: &Tenant,
    ) -> Result<(), Failure> {
        let doing = format!("creating {}", row.slug);
        cleanup::remove_expired(connection, &self.project.settings, self.run, (&row.schema, &doing)).await
    }
}

/// The document on the command's standard input.
fn document(task: &Task<'_>, at: &Version) -> String {
    let tenant = &task.tenant;
    let document = json!({
        "id": tenant.id,
        "slug": tenant.slug,
        "name": tenant.name.as_str(),
        "schema": tenant.schema,
        "version": at,
        "template": task.template.name,
        "parameters": task.filled.given,
    });
    format!("{document}\n")
}

pub(super) fn made(tenant: &TenantRecord, at: Version) -> Provisioned {
    Provisioned::New(CreatedTenant {
        id: tenant.id.clone(),
        slug: tenant.slug.as_str().to_owned(),
        schema: tenant.schema.clone(),
        version: Some(at),
        role: tenant.role.as_ref().map(|(name, _)| name.clone()),
        password: tenant.role.as_ref().and_then(|(_, secret)| Some(secret.as_ref()?.password.clone())),
        completed: tenant.registration.completes,
    })
}
