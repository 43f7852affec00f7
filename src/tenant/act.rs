//! What the verbs on one tenant have in common: the tenant is found, the run is noted, and the first statement
//! of the verb's transaction takes the tenant's version row, so that it waits for a unit of `migrate up` and
//! is not there twice.

use uuid::Uuid;

use crate::error::{Code, Failure};
use crate::fleet::unknown_tenant;
use crate::ident::{SchemaName, Slug, literal};
use crate::outcome::{Ending, Tenant, TenantState};
use crate::postgres::message::{Message, Run};
use crate::postgres::state::State;
use crate::postgres::{Connection, Refusal, books, history, state};
use crate::settings::{Migrate, Settings};

/// One verb on one tenant.
#[derive(Debug, Clone)]
pub struct Act<'a> {
    /// Where the registry is.
    pub settings: &'a Settings,
    /// The limits of its statements.
    pub limits: Migrate,
    /// The command, for the run's row.
    pub command: String,
}

impl Act<'_> {
    /// Finds the tenant, and brings Tenure's own tables to what this program needs.
    pub(super) async fn find(
        &self,
        connection: &mut Connection,
        slug: &Slug,
    ) -> Result<(Tenant, State), Failure> {
        let state = state::read(connection, self.settings).await?;
        let only = std::slice::from_ref(slug);
        let rows = state::tenants(connection, self.settings, state.presence, only).await?;
        let tenant =
            rows.into_iter().find(|row| row.version.is_some()).ok_or_else(|| unknown_tenant(slug))?;
        if !state.presence.own_tables_current {
            books::ensure(connection, &self.settings.platform_schema()).await?;
        }
        Ok((tenant, state))
    }

    /// Does `work` as a run that is noted: its beginning, and how it ended.
    pub(super) async fn noted<T>(
        &self,
        connection: &mut Connection,
        counts: &serde_json::Value,
        work: impl AsyncFnOnce(&mut Connection, &Run) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let platform = self.settings.platform_schema();
        let run = Run { id: Uuid::new_v4(), platform, limits: self.limits };
        history::begin_run(connection, &run, &self.command).await?;
        let result = work(connection, &run).await;
        let ending = if result.is_ok() { Ending::Done } else { Ending::Failed };
        let noted = history::end_run(connection, &run, ending.as_str(), &counts.to_string()).await;
        // Without a failure of its own the run's missing last note is the failure.
        let value = result?;
        noted?;
        Ok(value)
    }
}

/// Writes the tenant's state, in its version row and, where it has a column for it, in the registry's row.
pub(super) fn enter(message: &mut Message, settings: &Settings, schema: &SchemaName, state: TenantState) {
    let (platform, named) = (settings.platform_schema().quoted(), literal(schema.as_str()));
    let word = literal(state.as_str());
    message
        .push(&format!("UPDATE {platform}.tenant_version SET status = {word} WHERE schema_name = {named}"));
    if let Some(column) = &settings.tenants.columns.status {
        message.push(&format!(
            "UPDATE {} SET {} = {word} WHERE {} = {named}",
            state::registry(settings),
            column.quoted(),
            settings.tenants.columns.schema.quoted(),
        ));
    }
}

/// The failure of a verb's message.
pub(super) fn refused(refusal: &Refusal, doing: &str, tenant: &Tenant, settings: &Settings) -> Failure {
    let mut failure = refusal.failure(&format!("{doing} {}", tenant.slug));
    failure.schema = Some(tenant.schema.as_str().to_owned());
    if matches!(refusal.sqlstate(), Some("42703" | "42P01" | "42804")) {
        failure.code = Code::RegistryInvalid;
        failure.hint = Some(format!(
            "[tenants] registry and [tenants.columns] in tenure.toml say where it is; now {}",
            settings.tenants.registry
        ));
    }
    failure
}

/// Begins the transaction of a verb on the tenant of `schema`, which must be in one of the states.
pub(super) fn begin(message: &mut Message, run: &Run, schema: &SchemaName, states: &[TenantState]) {
    let states: Vec<_> = states.iter().map(|state| literal(state.as_str())).collect();
    let hold = format!(
        "SELECT {}.tenure_hold({}, ARRAY[{}])",
        run.platform.quoted(),
        literal(schema.as_str()),
        states.join(", ")
    );
    message.begin(run.limits, &hold);
}
