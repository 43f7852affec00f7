//! What comes behind a tenant's transaction: the command of the settings. While it runs no transaction is open and
//! the tenant is in the making; if it fails, the tenant is taken back, in one transaction.

use serde_json::json;

use super::super::act;
use super::super::hook::Hook;
use super::super::script::{Afterwards, Identity};
use super::queue::Task;
use super::worker::Maker;
use super::{After, Made};
use crate::chain::Version;
use crate::error::Failure;
use crate::event::Event;
use crate::ident::{SchemaName, literal};
use crate::outcome::{CreatedTenant, Tenant, TenantState};
use crate::postgres::message::{BEGIN, HistoryRow, Kind, Leftovers, Message};
use crate::postgres::{Connection, Refusal, refusal, state};

/// How often what ends the making of a tenant is sent, each time on a new connection where the old one broke.
const TRIES: usize = 3;

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
    ) -> Result<Made, Failure> {
        if let After::All(Some(hook)) = &self.creation.after {
            let slug = task.tenant.slug.as_str();
            let tell = |line: &str| self.queue.borrow_mut().sink.take(&Event::HookSaid { slug, line });
            match Box::pin(hook.run(&document(task, &at), self.stop, tell)).await {
                Ok(()) => self.end_making(connection, &task.tenant).await?,
                Err(failure) => return Err(self.undo(connection, task, &at, failure).await),
            }
        }
        Ok(made(&task.tenant, at))
    }

    /// The tenant is made.
    async fn end_making(&self, connection: &mut Connection, tenant: &Identity) -> Result<(), Failure> {
        let mut message = Message::default();
        let told = format!(
            "SELECT {}.tenure_made({}, '{}')",
            self.run.platform.quoted(),
            literal(tenant.schema.as_str()),
            tenant.id,
        );
        message.begin(self.run.limits, &told);
        act::enter(&mut message, &self.project.settings, &tenant.schema, TenantState::Active);
        message.commit(Leftovers::None);
        let sent = send(connection, &message, |_| false).await;
        sent.map_err(|refusal| {
            let mut failure = refusal.failure(&format!("making {} active after its command", tenant.slug));
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
        at: &Version,
        mut failure: Failure,
    ) -> Failure {
        let tenant = &task.tenant;
        failure.schema = Some(tenant.schema.as_str().to_owned());
        let attempt = format!("'{}'", tenant.id);
        let message = self.unmaking(&tenant.schema, (&attempt, at, &task.template.name));
        // An answer that was lost leaves no row behind.
        let is_gone = |refusal: &Refusal| refusal.sqlstate() == Some(refusal::NO_VERSION_ROW);
        match send(connection, &message, is_gone).await {
            Ok(()) => {
                failure.message = format!("{}; the tenant {} was taken back", failure.message, tenant.slug);
            }
            Err(refusal) => {
                let why = refusal.failure(&format!("taking the tenant {} back", tenant.slug));
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
    async fn give_up(&self, connection: &mut Connection, tenant: &Identity) {
        let sql = format!(
            "{BEGIN}; UPDATE {}.tenant_version SET making_until = now() WHERE making = '{}'; COMMIT",
            self.run.platform.quoted(),
            tenant.id,
        );
        let _said = connection.run(&sql).await;
    }

    /// Takes back what a run left that is gone: a tenant that is in the making, and may be no more.
    pub(super) async fn take_back(&self, connection: &mut Connection, row: &Tenant) -> Result<(), Failure> {
        let at = row.version.clone().unwrap_or(Version::ZERO);
        let template = row.template.as_deref().unwrap_or_default();
        let message = self.unmaking(&row.schema, ("NULL", &at, template));
        match connection.send(&message).await {
            Ok(_sets) => Ok(()),
            Err(refusal) => {
                let mut failure = refusal.failure(&format!("creating {}", row.slug));
                failure.schema = Some(row.schema.as_str().to_owned());
                Err(failure)
            }
        }
    }

    /// The message that takes a tenant back: schema, version row and registry row, with a row of the history.
    fn unmaking(&self, schema: &SchemaName, (attempt, at, template): (&str, &Version, &str)) -> Message {
        let settings = &self.project.settings;
        let named = literal(schema.as_str());
        let mut message = Message::default();
        let unmake = format!("SELECT {}.tenure_unmake({named}, {attempt})", self.run.platform.quoted());
        message.begin(self.run.limits, &unmake);
        message.push(&format!(
            "DELETE FROM {} WHERE {} = {named}",
            state::registry(settings),
            settings.tenants.columns.schema.quoted(),
        ));
        let row = HistoryRow {
            schema,
            from: at,
            to: &Version::ZERO,
            name: template,
            checksum: None,
            kind: Kind::Undone,
            allowed: "[]",
        };
        message.history(self.run, &row);
        message.commit(Leftovers::None);
        message
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

/// Sends a message that may be sent again: on another connection, where this one broke. `is_done` says which refusal
/// tells that it was done before.
async fn send(
    connection: &mut Connection,
    message: &Message,
    is_done: impl Fn(&Refusal) -> bool,
) -> Result<(), Refusal> {
    let mut tries = 1;
    loop {
        let refusal = match connection.send(message).await {
            Ok(_sets) => return Ok(()),
            Err(refusal) if tries > 1 && is_done(&refusal) => return Ok(()),
            Err(refusal) => refusal,
        };
        if tries == TRIES || !refusal.failure("").ended_the_session() {
            return Err(refusal);
        }
        tries += 1;
        match connection.another().await {
            Ok(fresh) => *connection = fresh,
            Err(_) => return Err(refusal),
        }
    }
}

pub(super) fn made(tenant: &Identity, at: Version) -> Made {
    Made::New(CreatedTenant {
        id: Some(tenant.id.to_string()),
        slug: tenant.slug.as_str().to_owned(),
        schema: tenant.schema.clone(),
        version: Some(at),
        role: tenant.role.as_ref().map(|(name, _)| name.clone()),
        password: tenant.role.as_ref().and_then(|(_, secret)| Some(secret.as_ref()?.password.clone())),
    })
}
