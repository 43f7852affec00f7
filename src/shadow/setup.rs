//! Prepares a shadow like a real database: with `migrate up` and `tenant create` themselves.

use tokio_util::sync::CancellationToken;

use crate::chain::Version;
use crate::error::Failure;
use crate::event::{Silent, Sink};
use crate::executor::RetryPolicy;
use crate::ident::SchemaName;
use crate::migrate;
use crate::postgres::Connection;
use crate::project::Project;
use crate::tenant::{self, After, Creation, IfExists, NewRole, NewTenant};

/// The command in the rows of runs on the shadow.
const COMMAND: &str = "shadow";

/// The slug of a sample tenant.
pub(super) fn sample_slug(number: usize, letter: &str) -> String {
    format!("tenure_sample_{number}{letter}")
}

/// The slug of a tenant that is created after the steps.
pub(super) fn new_slug(number: usize) -> String {
    format!("tenure_new_{number}")
}

/// The slugs of all tenants that a shadow may have. Each template has at most one number.
pub(super) fn slugs(project: &Project) -> impl Iterator<Item = String> {
    (0..=project.templates.len())
        .flat_map(|number| [sample_slug(number, "a"), sample_slug(number, "b"), new_slug(number)])
}

/// Migrates to `to`. The inner failure is that of a unit, the outer one that of the shadow.
pub(super) async fn migrate(
    connection: &mut Connection,
    project: &Project,
    to: &Version,
) -> Result<Option<Failure>, Failure> {
    let how = (to, RetryPolicy { retries: 0 });
    migrate::replay_on_throwaway_database(connection, project, how, COMMAND).await
}

/// Creates tenants; fails with the first that cannot be created.
pub(super) async fn tenants(
    connection: &mut Connection,
    project: &Project,
    requested: &[NewTenant],
    after: After,
) -> Result<Vec<SchemaName>, Failure> {
    let creation = Creation {
        if_exists: IfExists::Fail,
        limits: project.settings.migrate,
        jobs: Some(1),
        retry_policy: RetryPolicy { retries: 0 },
        after,
        // Roles belong to the whole server, which others may use, and would outlive the shadow.
        role: NewRole::None,
        command: COMMAND.to_owned(),
    };
    let talk = (&mut Silent as &mut dyn Sink, &CancellationToken::new());
    let made = tenant::create(connection, project, requested, &creation, talk).await?;
    match made.failures.into_iter().next() {
        Some(failed) => Err(failed.failure),
        None => Ok(made.created.into_iter().map(|tenant| tenant.schema).collect()),
    }
}
