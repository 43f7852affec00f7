//! `tenant create`: creates tenants from a template, each in one message and one transaction (registry row, schema, template,
//! later steps, version row, history). Several workers create tenants in parallel. The SQL of a tenant is composed in
//! `provisioning`, copies of existing schemas are in `copy`.

pub(super) mod answer;
mod csv;
mod follow;
mod hook;
mod pool;
mod results;
mod steps;
pub mod text;
mod worker;

use std::cell::RefCell;
use std::collections::HashMap;

pub(super) use self::answer::explain;
pub use self::csv::{NewTenant, from_csv};
pub use self::hook::Hook;
use tokio_util::sync::CancellationToken;

use self::results::Results;
use self::worker::Maker;
use super::{Created, CreatedTenant, NewRole};
use crate::chain::{Divergence, Version};
use crate::error::{Code, Failure};
use crate::event::{Activity, Event, Sink};
use crate::executor::queue::{self, Queue};
use crate::executor::{RetryPolicy, Watch, jobs};
use crate::ident::{Identifier, Slug};
use crate::output::plural;
use crate::postgres::Connection;
use crate::postgres::batch::Run;
use crate::postgres::metadata::registry;
use crate::postgres::metadata::state::{self, State};
use crate::postgres::metadata::{self, RunStatus, runs};
use crate::project::Project;
use crate::settings::Migrate;
use crate::sql::Condition;

/// The action for an existing tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfExists {
    /// Fail.
    Fail,
    /// Report it as existing.
    Accept,
}

/// Options for all tenants of a command.
#[derive(Debug, Clone)]
pub struct Creation {
    /// The action for existing tenants.
    pub if_exists: IfExists,
    /// The limits of a unit.
    pub limits: Migrate,
    /// The number of connections; derived from the server's free connections if missing.
    pub jobs: Option<usize>,
    /// When a tenant is retried after a lock timeout or a lost connection.
    pub retry_policy: RetryPolicy,
    /// The steps after a tenant's schema is created.
    pub after: After,
    /// Whether the tenants get roles.
    pub role: NewRole,
    /// Where the values of the registry's columns without a default come from.
    pub registry_values: RegistryValues,
    /// The command, for the run's row.
    pub command: String,
}

/// Where the values of the registry's columns without a default come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistryValues {
    /// The request.
    Requested,
    /// Sample values, in a throwaway database.
    Samples,
}

/// The steps after a tenant's schema is created.
#[derive(Debug, Clone, Default)]
pub enum After {
    /// Nothing.
    #[default]
    Nothing,
    /// The template's statements in `after_create`.
    Rows,
    /// Also the command of the settings, if any.
    All(Option<Hook>),
}

/// The outcome for one tenant.
#[derive(Debug, Clone)]
enum Provisioned {
    New(CreatedTenant),
    Existing(CreatedTenant),
}

/// Creates tenants. Fails only before the first tenant; a tenant's own failure is in the result, which is in the order of
/// `wanted`.
pub async fn create(
    connection: &mut Connection,
    project: &Project,
    requested: &[NewTenant],
    creation: &Creation,
    (sink, stop): (&mut dyn Sink, &CancellationToken),
) -> Result<Created, Failure> {
    let state = ready(connection, project).await?;
    let run = Run::new(&project.settings, creation.limits);
    sink.take(&Event::Began { run: run.id.to_string(), expected: requested.len() });
    let (queue, results) =
        (RefCell::new(Queue::default()), RefCell::new(Results::new(requested, state.platform, sink)));
    let (presence, scripts, pool) = (state.presence, RefCell::default(), RefCell::default());
    let shape = state.registry.unwrap_or_default();
    let settings = &project.settings;
    for tenant in requested {
        let names = tenant.columns.keys().map(|name| Identifier::new(name.as_str()));
        let names = names.collect::<Result<Vec<_>, _>>()?;
        shape.expect_settable(settings, names.iter())?;
    }
    let shape = RefCell::new(shape);
    let mut samples = HashMap::new();
    if creation.registry_values == RegistryValues::Samples {
        for tenant in requested {
            let slug = Slug::new(&tenant.slug)?;
            let values = registry::samples(connection, settings, &slug).await?;
            samples.insert(slug, values);
        }
    }
    let maker = Maker {
        project,
        run: &run,
        creation,
        presence,
        shape,
        samples,
        queue: &queue,
        results: &results,
        scripts,
        pool,
        stop,
    };
    maker.enqueue(requested, connection).await;
    let tenants = queue.borrow_mut().ready();
    // A command that changes nothing has no run record.
    let is_noted = tenants > 0 && !stop.is_cancelled();
    if is_noted {
        maker.read_pool(connection, &state.pool, tenants).await?;
        runs::begin(connection, &run, &creation.command).await?;
        let jobs = match creation.jobs {
            _ if tenants == 1 => 1,
            Some(jobs) => jobs,
            None => jobs::default(state.free_connections),
        };
        let mut watch = Watch::new(connection);
        let work = queue::work(connection, &queue, jobs, stop, async |own, task| maker.make(own, task).await);
        let report = |activity: &Activity| {
            let delayed = queue.borrow().delayed();
            results.borrow_mut().sink.take(&Event::Running { oldest: None, delayed, activity });
        };
        Box::pin(watch.during(work, || queue.borrow().delayed() > 0, report)).await;
        watch.close().await;
    }
    maker.settle_duplicates();
    results.borrow_mut().interrupt_remaining();
    results.borrow_mut().sink.take(&Event::Ended);
    let outcome = results.borrow().outcome();
    if is_noted {
        let recorded = end(connection, &run, &outcome).await;
        let has_passwords = outcome.created.iter().any(|tenant| tenant.password.is_some());
        match recorded {
            // New passwords must always be shown.
            Err(failure) if has_passwords => {
                results.borrow_mut().sink.take(&Event::RunRecordFailed { failure: &failure });
            }
            // If no tenant failed, a failure to record the run's end is the failure.
            recorded if outcome.failures.is_empty() => recorded?,
            _ => {}
        }
    }
    Ok(outcome)
}

/// The slugs of the registry's rows that have no schema, or only the name of one that does not exist: those that `condition`
/// selects.
pub async fn without_schema(
    connection: &mut Connection,
    project: &Project,
    condition: Option<&Condition>,
) -> Result<Vec<String>, Failure> {
    let _state = ready(connection, project).await?;
    let rows = registry::rows_without_tenant(connection, &project.settings, condition).await?;
    let without_slug = rows.iter().filter(|row| row.slug.is_none()).count();
    if without_slug > 0 {
        let (settings, column) = (&project.settings, &project.settings.tenants.columns.slug);
        let rows = plural(without_slug, "row");
        return Err(Failure::new(
            Code::RegistryInvalid,
            format!(
                "{rows} of the registry {} without a slug: the column {column} is NULL",
                registry::shown(settings)
            ),
        )
        .hint("give each tenant a slug, or exclude such rows with --where or [tenants] where"));
    }
    Ok(rows.into_iter().filter_map(|row| row.slug).collect())
}

/// Fails unless tenants can be created.
pub(super) async fn ready(connection: &mut Connection, project: &Project) -> Result<State, Failure> {
    let mut state = state::read(connection, &project.settings).await?;
    Divergence::check(&project.chain, &state.applied, &state.fleet())?;
    let platform = project.settings.platform_schema();
    if !state.presence.registry || state.platform == Version::ZERO {
        let registry = &project.settings.tenants.registry;
        let (what, hint) = match (state.presence.registry, state.platform == Version::ZERO) {
            (true, _) => (
                format!("the platform schema {platform} has {registry}, but no version"),
                "`tenure migrate up` creates the platform; `tenure migrate baseline VERSION` declares the version of one that exists",
            ),
            (false, true) => (
                format!("the platform schema {platform} is at {} and has no {registry}", state.platform),
                "run `tenure migrate up` first",
            ),
            (false, false) => (
                format!("the platform schema {platform} is at {} and has no {registry}", state.platform),
                "[tenants] registry in tenure.toml names the table of tenants",
            ),
        };
        return Err(Failure::new(Code::NotMigrated, what).hint(hint));
    }
    project.chain.find_platform(&state.platform)?;
    if let Some(shape) = &state.registry {
        shape.expect_columns(&project.settings)?;
    }
    if !state.presence.own_tables_current {
        metadata::ensure(connection, &platform, project.settings.migrate.lock_timeout).await?;
        state.presence.own_tables = true;
    }
    Ok(state)
}

async fn end(connection: &mut Connection, run: &Run, outcome: &Created) -> Result<(), Failure> {
    let ending = match outcome.ending() {
        RunStatus::Nothing => RunStatus::Done,
        ending => ending,
    };
    let counts = serde_json::json!({
        "created": outcome.created.len(),
        "existing": outcome.existing.len(),
        "failed": outcome.failures.len(),
    });
    runs::end(connection, run, ending.as_str(), &counts.to_string()).await
}
