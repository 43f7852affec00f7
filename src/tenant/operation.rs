//! What the verbs on one tenant have in common: the tenant is found, the run is noted, and the first statement
//! of the verb's transaction takes the tenant's version row, so that it waits for a unit of `migrate up` and
//! is not there twice.

use std::time::{Duration, Instant};

use crate::chain::Version;
use crate::error::{Code, Failure};
use crate::executor::unknown_tenant;
use crate::ident::{SchemaName, Slug, literal};
use crate::postgres::batch::{Run, SqlBatch, VERSION_COLUMN};
use crate::postgres::metadata::state::{self, State};
use crate::postgres::metadata::{self, RunStatus, Tenant, TenantState, history};
use crate::postgres::{Connection, Row, ServerError, error};
use crate::settings::{Migrate, Settings};

/// How long it waits before it asks again whether a unit that needs to be alone has ended.
const PAUSE: Duration = Duration::from_millis(200);

/// What is to be done about a tenant whose schema somebody dropped.
pub(super) const SCHEMA_GONE: &str =
    "its schema is gone; `tenure tenant drop`, and then `tenure tenant drop --purge`, take away what is left";

/// One verb on one tenant.
#[derive(Debug, Clone)]
pub struct TenantOperation<'a> {
    /// Where the registry is.
    pub settings: &'a Settings,
    /// The limits of its statements.
    pub limits: Migrate,
    /// The command, for the run's row.
    pub command: String,
}

impl TenantOperation<'_> {
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
            metadata::ensure(
                connection,
                &self.settings.platform_schema(),
                self.settings.migrate.lock_timeout,
            )
            .await?;
        }
        Ok((tenant, state))
    }

    /// A run of this verb.
    pub(super) fn run(&self) -> Run {
        Run::new(self.settings, self.limits)
    }

    /// Does `work` as a run that is noted: its beginning, and how it ended.
    pub(super) async fn noted<T>(
        &self,
        connection: &mut Connection,
        counts: &serde_json::Value,
        work: impl AsyncFnOnce(&mut Connection, &Run) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let run = self.run();
        history::begin_run(connection, &run, &self.command).await?;
        let result = work(connection, &run).await;
        let ending = match &result {
            Ok(_) => RunStatus::Done,
            Err(failure) if failure.code == Code::Interrupted => RunStatus::Interrupted,
            Err(_) => RunStatus::Failed,
        };
        let noted = history::end_run(connection, &run, ending.as_str(), &counts.to_string()).await;
        // Without a failure of its own the run's missing last note is the failure.
        let value = result?;
        noted?;
        Ok(value)
    }
}

/// Gives the result on; of a failure the transaction is undone first, or the next statement would be part of it.
pub(super) async fn or_rollback<T>(
    connection: &mut Connection,
    result: Result<T, Failure>,
) -> Result<T, Failure> {
    if result.is_err() {
        // The first failure is the one to tell; a session that is gone has no transaction.
        let _rolled_back = connection.run("ROLLBACK").await;
    }
    result
}

/// Writes the tenant's state, in its version row and, where it has a column for it, in the registry's row.
pub(super) fn enter(message: &mut SqlBatch, settings: &Settings, schema: &SchemaName, state: TenantState) {
    let (platform, named) = (settings.platform_schema().quoted(), literal(schema.as_str()));
    let word = literal(state.as_str());
    message
        .push(&format!("UPDATE {platform}.tenant_version SET status = {word} WHERE schema_name = {named}"));
    say(message, settings, &named, state);
}

/// Writes the state in the registry's row of `schema`, an expression, where the registry has a column for it.
pub(super) fn say(message: &mut SqlBatch, settings: &Settings, schema: &str, state: TenantState) {
    let registry = state::registry(settings);
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

/// Moves the registry's row of the tenant to another schema and slug, both expressions, and to another name, if said.
pub(super) fn reregister(
    message: &mut SqlBatch,
    settings: &Settings,
    tenant: &Tenant,
    (schema, slug): (&str, &str),
    name: Option<&str>,
) {
    // A tenant that the registry does not know has nothing there.
    if tenant.id.is_none() {
        return;
    }
    let (registry, columns) = (state::registry(settings), &settings.tenants.columns);
    let name =
        name.map(|name| format!(", {} = {}", columns.name.quoted(), literal(name))).unwrap_or_default();
    let moved = format!("{} = {schema}, {} = {slug}{name}", columns.schema.quoted(), columns.slug.quoted());
    message.push(&format!(
        "UPDATE {registry} SET {moved} WHERE {} = {}",
        columns.schema.quoted(),
        literal(tenant.schema.as_str())
    ));
    message.push(&format!(
        "SELECT {}.tenure_expect_one((SELECT count(*) FROM {registry} WHERE {} = {schema}), 'the registry')",
        settings.platform_schema().quoted(),
        columns.schema.quoted(),
    ));
}

/// Makes sure that `schema` and `slug` are nobody's.
pub(super) fn expect_free(message: &mut SqlBatch, settings: &Settings, schema: &SchemaName, slug: &Slug) {
    let columns = &settings.tenants.columns;
    let (named, slug) = (literal(schema.as_str()), literal(slug.as_str()));
    message.push(&format!(
        "SELECT {}.tenure_expect_free({named}, (SELECT count(*) FROM {} WHERE {} = {named} OR {} = {slug}))",
        settings.platform_schema().quoted(),
        state::registry(settings),
        columns.schema.quoted(),
        columns.slug.quoted(),
    ));
}

/// Makes sure that `schema` and `slug` are nobody else's than the tenant's, which may have one of them already.
pub(super) fn expect_free_but(
    message: &mut SqlBatch,
    settings: &Settings,
    tenant: &Tenant,
    (schema, slug): (&SchemaName, &Slug),
) {
    if tenant.schema == *schema && tenant.slug == slug.as_str() {
        return;
    }
    let columns = &settings.tenants.columns;
    let (named, own) = (literal(schema.as_str()), literal(tenant.schema.as_str()));
    // Of the schema that it has the server knows.
    let sought = if tenant.schema == *schema { "NULL" } else { &*named };
    message.push(&format!(
        "SELECT {}.tenure_expect_free({sought}, (SELECT count(*) FROM {} WHERE ({of} = {named} OR {} = {}) AND {of} IS DISTINCT FROM {own}))",
        settings.platform_schema().quoted(),
        state::registry(settings),
        columns.slug.quoted(),
        literal(slug.as_str()),
        of = columns.schema.quoted(),
    ));
}

/// The version that a change of name found the tenant at.
pub(super) fn version(sets: &[Vec<Row>]) -> Option<Version> {
    sets.iter().flatten().find_map(|row| row.text(VERSION_COLUMN).ok()).and_then(|text| text.parse().ok())
}

/// The failure of a verb's message.
pub(super) fn refused(
    server_error: &ServerError,
    doing: &str,
    tenant: &Tenant,
    settings: &Settings,
) -> Failure {
    let mut failure = server_error.failure(&format!("{doing} {}", tenant.slug));
    match server_error.sqlstate() {
        // Somebody was quicker between the look and the deed.
        Some("42P06" | "23505") => failure.code = Code::TenantExists,
        Some(error::NO_VERSION_ROW) => {
            failure.code = Code::TenantUnknown;
            failure.hint = Some(
                "somebody renamed, dropped or deleted it meanwhile; `tenure tenant list` shows the tenants"
                    .to_owned(),
            );
        }
        Some("3F000") => {
            failure.code = Code::SchemaUnknown;
            failure.hint = Some(SCHEMA_GONE.to_owned());
        }
        // Only the registry's columns are others' to define.
        Some("22P02" | "22001" | "23514") => {
            failure.code = Code::RegistryInvalid;
            failure.hint = Some(
                "the registry's columns must be able to hold the name, the states active, suspended and dropped, and what a \
                 dropped tenant is called, such as dropped_20260131_org_acme"
                    .to_owned(),
            );
        }
        _ => {}
    }
    failure.schema = Some(tenant.schema.as_str().to_owned());
    if matches!(server_error.sqlstate(), Some("42703" | "42P01" | "42804")) {
        failure.code = Code::RegistryInvalid;
        failure.hint = Some(format!(
            "[tenants] registry and [tenants.columns] in tenure.toml say where it is; now {}",
            settings.tenants.registry
        ));
    }
    failure
}

/// The statement that takes the version row of `schema`, whose tenant must be in one of the states.
pub(super) fn holding(run: &Run, schema: &SchemaName, states: &[TenantState]) -> String {
    let states: Vec<_> = states.iter().map(|state| literal(state.as_str())).collect();
    format!(
        "SELECT {}.tenure_hold({}, ARRAY[{}])",
        run.platform.quoted(),
        literal(schema.as_str()),
        states.join(", ")
    )
}

/// Begins the transaction of a verb on the tenant of `schema`, which must be in one of the states.
pub(super) fn begin(message: &mut SqlBatch, run: &Run, schema: &SchemaName, states: &[TenantState]) {
    hold(message, run, (schema, states), "tenure_hold");
}

/// The same for a verb that changes the schema's name. It is sent by [`in_turn`].
pub(super) fn begin_still(message: &mut SqlBatch, run: &Run, schema: &SchemaName, states: &[TenantState]) {
    hold(message, run, (schema, states), "tenure_hold_still");
}

/// Sends a message that begins still. While a unit that needs to be alone runs on the schema, it is refused; then
/// it is sent again until that unit has ended, or for as long as a statement may run.
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

fn hold(
    message: &mut SqlBatch,
    run: &Run,
    (schema, states): (&SchemaName, &[TenantState]),
    function: &'static str,
) {
    let states: Vec<_> = states.iter().map(|state| literal(state.as_str())).collect();
    let hold = format!(
        "SELECT {}.{function}({}, ARRAY[{}])",
        run.platform.quoted(),
        literal(schema.as_str()),
        states.join(", ")
    );
    message.begin(run.limits, &hold);
}
