//! Prepares a shadow like a real database: with `migrate up` and `tenant create` themselves.

use crate::chain::{Reach, Version};
use crate::error::Failure;
use crate::event::{Silent, Sink};
use crate::executor::{self, Allowed, Prepared, Request, RetryPolicy, Stop};
use crate::ident::SchemaName;
use crate::postgres::Connection;
use crate::project::Project;
use crate::tenant::{self, After, Creation, IfExists, NewRole, NewTenant};

/// The command in the rows of runs on the shadow.
const COMMAND: &str = "shadow";

/// Migrates to `to`. The inner failure is that of a unit, the outer one that of the shadow.
pub(super) async fn migrate(
    connection: &mut Connection,
    project: &Project,
    to: &Version,
) -> Result<Option<Failure>, Failure> {
    if let Err(failure) = project.leaves_the_machine_alone(to) {
        return Ok(Some(failure));
    }
    let request = Request::plain(to, Reach::Fleet, project.settings.migrate, RetryPolicy { retries: 0 });
    let prepared = Prepared::look(connection, project, request).await?;
    let (allowed, talk) = (Allowed::default(), (&mut Silent as &mut dyn Sink, &Stop::default()));
    let migrated = executor::migrate(connection, project, &prepared, &allowed, COMMAND, talk).await?;
    Ok(migrated.failures.into_iter().next().map(|failed| failed.failure))
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
    let talk = (&mut Silent as &mut dyn Sink, &Stop::default());
    let made = tenant::create(connection, project, requested, &creation, talk).await?;
    match made.failures.into_iter().next() {
        Some(failed) => Err(failed.failure),
        None => Ok(made.created.into_iter().map(|tenant| tenant.schema).collect()),
    }
}
