//! Shared by all operations on one tenant: finds the tenant, records the run, and locks the tenant's version row in the first
//! statement, so that operations wait for units of `migrate up` and for each other.

use std::time::{Duration, Instant};

use crate::chain::Version;
use crate::error::{Code, Failure};
use crate::ident::{SchemaName, Slug, literal};
use crate::postgres::batch::{Run, SqlBatch, VERSION_COLUMN};
use crate::postgres::metadata::state::{self, State};
use crate::postgres::metadata::{
    self, RunStatus, Tenant, TenantState, checks, registry, runs, unknown_tenant, version_rows,
};
use crate::postgres::{Connection, Row, ServerError, error};
use crate::settings::{Migrate, Settings};

/// The pause before a retry while a non-transactional unit runs.
const PAUSE: Duration = Duration::from_millis(200);

/// The hint for a tenant whose schema was dropped by other means.
pub(super) const SCHEMA_GONE: &str =
    "its schema is missing; remove the rest with `tenure tenant drop` and then `tenure tenant drop --purge`";

/// An operation on one tenant.
#[derive(Debug, Clone)]
pub struct TenantOperation<'a> {
    /// The settings, which name the registry.
    pub settings: &'a Settings,
    /// The limits of its statements.
    pub limits: Migrate,
    /// The command, for the run's row.
    pub command: String,
}

impl TenantOperation<'_> {
    /// Finds the tenant, and upgrades Tenure's own tables if necessary.
    pub(super) async fn find(
        &self,
        connection: &mut Connection,
        slug: &Slug,
    ) -> Result<(Tenant, State), Failure> {
        let state = state::read(connection, self.settings).await?;
        let only = std::slice::from_ref(slug);
        let rows = state::tenants(connection, self.settings, state.presence, only).await?;
        let Some(tenant) = rows.into_iter().find(|row| row.version.is_some()) else {
            return Err(unknown_tenant(connection, self.settings, slug).await);
        };
        if !state.presence.own_tables_current {
            metadata::ensure(
                connection,
                &self.settings.platform_schema(),
                self.settings.migrate.lock_timeout,
            )
            .await?;
        }
        Ok((tenant, state))
    }

    /// A new run of this operation.
    pub(super) fn run(&self) -> Run {
        Run::new(self.settings, self.limits)
    }

    /// Runs `work` and records the run's start and outcome.
    pub(super) async fn recorded<T>(
        &self,
        connection: &mut Connection,
        counts: &serde_json::Value,
        work: impl AsyncFnOnce(&mut Connection, &Run) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let run = self.run();
        runs::begin(connection, &run, &self.command).await?;
        let result = work(connection, &run).await;
        let ending = match &result {
            Ok(_) => RunStatus::Done,
            Err(failure) if failure.code == Code::Interrupted => RunStatus::Interrupted,
            Err(_) => RunStatus::Failed,
        };
        let recorded = runs::end(connection, &run, ending.as_str(), &counts.to_string()).await;
        // If the work succeeded, a failure to record the run's end is the failure.
        let value = result?;
        recorded?;
        Ok(value)
    }
}

/// Rolls back after a failure: otherwise the next statement would be part of the transaction. Returns the result.
pub(super) async fn or_rollback<T>(
    connection: &mut Connection,
    result: Result<T, Failure>,
) -> Result<T, Failure> {
    if result.is_err() {
        // The first failure is reported; a lost session has no transaction.
        let _rolled_back = connection.run("ROLLBACK").await;
    }
    result
}

/// Writes the tenant's state into its version row and, if it has a status column, into the registry row.
pub(super) fn enter(message: &mut SqlBatch, settings: &Settings, schema: &SchemaName, state: TenantState) {
    message.push(&version_rows::set_status(&settings.platform_schema(), schema, state));
    say(message, settings, &literal(schema.as_str()), state);
}

/// Writes the state into the registry row of `schema`, an SQL expression, if the registry has a status column.
pub(super) fn say(message: &mut SqlBatch, settings: &Settings, schema: &str, state: TenantState) {
    let registry = registry::table(settings);
    if let Some(column) = &settings.tenants.columns.status {
        message.push(&format!(
            "UPDATE {} SET {} = {} WHERE {} = {schema}",
            registry,
            column.quoted(),
            literal(state.as_str()),
            settings.tenants.columns.schema.quoted(),
        ));
    }
}

/// Changes schema and slug, both SQL expressions, of the tenant's registry row, and the display name if given.
pub(super) fn reregister(
    message: &mut SqlBatch,
    settings: &Settings,
    tenant: &Tenant,
    (schema, slug): (&str, &str),
    name: Option<&str>,
) {
    // A tenant without an id has no registry row.
    if tenant.id.is_none() {
        return;
    }
    message.push(&registry::rename(settings, &tenant.schema, (schema, slug), name));
    message.push(&checks::expect_registered(settings, schema));
}

/// The tenant's version when its name was changed.
pub(super) fn version(sets: &[Vec<Row>]) -> Option<Version> {
    sets.iter().flatten().find_map(|row| row.text(VERSION_COLUMN).ok()).and_then(|text| text.parse().ok())
}

/// The failure of an operation's message.
pub(super) fn refused(
    server_error: &ServerError,
    doing: &str,
    tenant: &Tenant,
    settings: &Settings,
) -> Failure {
    let mut failure = server_error.failure(&format!("{doing} {}", tenant.slug));
    match server_error.sqlstate() {
        // Another session was faster between the check and the change.
        Some("42P06" | "23505") => failure.code = Code::TenantExists,
        Some(error::NO_VERSION_ROW) => {
            failure.code = Code::TenantUnknown;
            failure.hint =
                Some("another session renamed, dropped or deleted it; see `tenure tenant list`".to_owned());
        }
        Some(error::NO_ROLE) if !settings.tenants.roles => {
            failure.hint = Some(format!(
                "set roles = true under [tenants] in tenure.toml, then run `tenure tenant grant {}`",
                tenant.slug
            ));
        }
        Some("3F000") => {
            failure.code = Code::SchemaUnknown;
            failure.hint = Some(SCHEMA_GONE.to_owned());
        }
        Some("55000") => {
            failure.code = Code::RegistryInvalid;
            failure.hint = server_error.registry_hint().map(str::to_owned);
        }
        // Only the registry's columns are defined by the user.
        Some("22P02" | "22001" | "23514") => {
            failure.code = Code::RegistryInvalid;
            failure.hint = Some(
                "the registry's columns must accept the name, the states active, suspended and dropped, and the name of a \
                 dropped tenant, such as dropped_20260131_org_acme"
                    .to_owned(),
            );
        }
        _ => {}
    }
    failure.schema = Some(tenant.schema.as_str().to_owned());
    failure.hint = failure.hint.map(|hint| hint.replace("SLUG", &tenant.slug));
    if matches!(server_error.sqlstate(), Some("42703" | "42P01" | "42804")) {
        failure.code = Code::RegistryInvalid;
        failure.hint = Some(format!(
            "[tenants] registry and [tenants.columns] in tenure.toml say where it is; now {}",
            settings.tenants.registry
        ));
    }
    failure
}

/// Begins the transaction of an operation on the tenant of `schema`, which must be in one of the states.
pub(super) fn begin(message: &mut SqlBatch, run: &Run, schema: &SchemaName, states: &[TenantState]) {
    message.begin(run.limits, &version_rows::hold(&run.platform, schema, states));
}

/// The same for an operation that changes the schema's name. Send it with [`in_turn`].
pub(super) fn begin_still(message: &mut SqlBatch, run: &Run, schema: &SchemaName, states: &[TenantState]) {
    message.begin(run.limits, &version_rows::hold_still(&run.platform, schema, states));
}

/// Sends a message from `begin_still`. While a non-transactional unit runs on the schema, the server refuses it; then it is sent
/// again until that unit has ended, at most for the statement timeout.
pub(super) async fn in_turn(
    connection: &mut Connection,
    message: &SqlBatch,
    limits: Migrate,
) -> Result<Vec<Vec<Row>>, ServerError> {
    let (began, limit) = (Instant::now(), limits.statement_timeout.milliseconds());
    loop {
        match connection.send(message).await {
            Err(server_error)
                if server_error.sqlstate() == Some(error::NON_TRANSACTIONAL_RUNNING)
                    && (limit == 0 || began.elapsed().as_millis() < limit) =>
            {
                tokio::time::sleep(PAUSE).await;
            }
            answer => return answer,
        }
    }
}
