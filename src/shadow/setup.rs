//! What makes a shadow like a database of the project: the program's own `migrate up` and `tenant create`.

use crate::chain::{Reach, Version};
use crate::error::Failure;
use crate::event::{Silent, Sink};
use crate::executor::{self, Allowed, Prepared, Request, RetryPolicy, Stop};
use crate::ident::SchemaName;
use crate::postgres::Connection;
use crate::project::Project;
use crate::tenant::{self, After, Creation, IfExists, NewRole, NewTenant};

/// For the rows of runs, which are thrown away with the shadow.
const COMMAND: &str = "shadow";

/// Migrates to `to`; the failure of a unit is told apart from that of the shadow.
pub(super) async fn migrate(
    connection: &mut Connection,
    project: &Project,
    to: &Version,
) -> Result<Option<Failure>, Failure> {
    if let Err(failure) = project.check_server_host(to) {
        return Ok(Some(failure));
    }
    let request = Request::plain(to, Reach::Fleet, project.settings.migrate, RetryPolicy { retries: 0 });
    let prepared = Prepared::look(connection, project, request).await?;
    let (allowed, talk) = (Allowed::default(), (&mut Silent as &mut dyn Sink, &Stop::default()));
    let migrated = executor::migrate(connection, project, &prepared, &allowed, COMMAND, talk).await?;
    Ok(migrated.failures.into_iter().next().map(|failed| failed.failure))
}

/// Makes tenants; the first that cannot be made is the failure.
pub(super) async fn tenants(
    connection: &mut Connection,
    project: &Project,
    wanted: &[NewTenant],
    after: After,
) -> Result<Vec<SchemaName>, Failure> {
    let creation = Creation {
        if_exists: IfExists::Fail,
        limits: project.settings.migrate,
        jobs: Some(1),
        retry_policy: RetryPolicy { retries: 0 },
        after,
        // Roles belong to the whole server, which others may share, and would outlive the shadow.
        role: NewRole::None,
        command: COMMAND.to_owned(),
    };
    let talk = (&mut Silent as &mut dyn Sink, &Stop::default());
    let made = tenant::create(connection, project, wanted, &creation, talk).await?;
    match made.failures.into_iter().next() {
        Some(failed) => Err(failed.failure),
        None => Ok(made.created.into_iter().map(|tenant| tenant.schema).collect()),
    }
}
