//! What comes behind a tenant's transaction: the command of the settings. While it runs no transaction is open and
//! the tenant is in the making; if it fails, the tenant is taken back, in one transaction.

use serde_json::json;

use super::hook::Hook;
use super::results::Task;
use super::worker::Maker;
use super::{After, Provisioned};
use crate::chain::Version;
use crate::error::Failure;
use crate::event::Event;
use crate::ident::literal;
use crate::postgres::batch::{BEGIN, SessionState, SqlBatch};
use crate::postgres::metadata::{Tenant, TenantState};
use crate::postgres::{Connection, ServerError, error};
use crate::tenant::cleanup::{self, Attempt};
use crate::tenant::provisioning::{Afterwards, TenantRecord};
use crate::tenant::{CreatedTenant, operation};

impl<'a> Maker<'a, '_> {
    /// What there is to do when a tenant's schema is there.
    pub(super) fn afterwards(&self) -> Afterwards {
        match &self.creation.after {
            After::Nothing => Afterwards { rows: false, command: None },
            After::Rows => Afterwards { rows: true, command: None },
            After::All(hook) => Afterwards { rows: true, command: hook.as_ref().map(Hook::limit) },
        }
    }

    /// Does what comes behind the transaction that made the tenant at version `at`.
    pub(super) async fn follow(
        &self,
        connection: &mut Connection,
        task: &Task<'a>,
        at: Version,
    ) -> Result<Provisioned, Failure> {
        if let After::All(Some(hook)) = &self.creation.after {
            let slug = task.tenant.slug.as_str();
            let tell = |line: &str| self.results.borrow_mut().sink.take(&Event::HookSaid { slug, line });
            match Box::pin(hook.run(&document(task, &at), self.stop, tell)).await {
                Ok(()) => self.end_making(connection, &task.tenant).await?,
                Err(failure) => return Err(self.undo(connection, task, failure).await),
            }
        }
        Ok(made(&task.tenant, at))
    }

    /// The tenant is made.
    async fn end_making(&self, connection: &mut Connection, tenant: &TenantRecord) -> Result<(), Failure> {
        let mut message = SqlBatch::default();
        let told = format!(
            "SELECT {}.tenure_made({}, '{}')",
            self.run.platform.quoted(),
            literal(tenant.schema.as_str()),
            tenant.id,
        );
        message.begin(self.run.limits, &told);
        operation::enter(&mut message, &self.project.settings, &tenant.schema, TenantState::Active);
        message.commit(SessionState::None);
        let sent = cleanup::send(connection, &message, |_| false).await;
        sent.map(drop).map_err(|server_error| {
            let mut failure = server_error.failure(&format!("making {} active after its command", tenant.slug));
            failure.schema = Some(tenant.schema.as_str().to_owned());
            failure.hint = Some(
                "its command succeeded, but it stays in the state `creating`; a few minutes later it can be created anew"
                    .to_owned(),
            );
            failure
        })
    }

    /// Takes the tenant back after its command or one of its steps failed; the failure to tell.
    pub(super) async fn undo(
        &self,
        connection: &mut Connection,
        task: &Task<'a>,
        mut failure: Failure,
    ) -> Failure {
        let tenant = &task.tenant;
        failure.schema = Some(tenant.schema.as_str().to_owned());
        let attempt = Attempt::Of(tenant.id);
        let message = cleanup::unmaking(&self.project.settings, self.run, &tenant.schema, attempt);
        // An answer that was lost leaves no row behind.
        let is_gone = |server_error: &ServerError| server_error.sqlstate() == Some(error::NO_VERSION_ROW);
        match cleanup::send(connection, &message, is_gone).await {
            Ok(_sets) => {
                failure.message = format!("{}; the tenant {} was taken back", failure.message, tenant.slug);
            }
            Err(server_error) => {
                let why = server_error.failure(&format!("taking the tenant {} back", tenant.slug));
                failure.message = format!("{}; {}", failure.message, why.message);
                self.give_up(connection, tenant).await;
                failure.hint = Some(
                    "it stays in the state `creating`; when what hinders is gone, create it again: that begins anew"
                        .to_owned(),
                );
            }
        }
        failure
    }

    /// Nobody has to wait for this attempt. Where not even that can be said, its time runs out by itself.
    async fn give_up(&self, connection: &mut Connection, tenant: &TenantRecord) {
        let sql = format!(
            "{BEGIN}; UPDATE {}.tenant_version SET making_until = now() WHERE making = '{}'; COMMIT",
            self.run.platform.quoted(),
            tenant.id,
        );
        let _said = connection.run(&sql).await;
    }

    /// Takes back what a run left that is gone: a tenant that is in the making, and may be no more.
    pub(super) async fn take_back(&self, connection: &mut Connection, row: &Tenant) -> Result<(), Failure> {
        let doing = format!("creating {}", row.slug);
        cleanup::take_back(connection, &self.project.settings, self.run, (&row.schema, &doing)).await
    }
}

/// What the command gets to read.
fn document(task: &Task<'_>, at: &Version) -> String {
    let tenant = &task.tenant;
    let document = json!({
        "id": tenant.id.to_string(),
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
        id: Some(tenant.id.to_string()),
        slug: tenant.slug.as_str().to_owned(),
        schema: tenant.schema.clone(),
        version: Some(at),
        role: tenant.role.as_ref().map(|(name, _)| name.clone()),
        password: tenant.role.as_ref().and_then(|(_, secret)| Some(secret.as_ref()?.password.clone())),
    })
}
