//! Creates a temporary schema as a new tenant would be created, inspects it and removes it. It is for templates whose later steps
//! need transactions of their own, so that the schema cannot be created in one transaction and rolled back. The schema has a
//! version row like a pool schema, but no slot in the pool, so no tenant takes it. If a run is killed, the schema remains. After
//! the deadline in its version row, the next run that needs such a schema removes it, and so does `tenure tenant pool drain`.

use uuid::Uuid;

use super::create::explain;
use super::pool::remove_one;
use super::provisioning::ProvisioningScript;
use crate::chain::{Chain, Version};
use crate::error::{Code, Failure};
use crate::executor::{RetryPolicy, StatementObserver, catch_up};
use crate::ident::SchemaName;
use crate::postgres::Connection;
use crate::postgres::batch::Run;
use crate::postgres::metadata::{pool, version_rows};
use crate::template::BoundParameters;

/// Creates the schema, runs `inspect` on it, and removes it.
pub(super) async fn with<T>(
    connection: &mut Connection,
    (run, chain): (&Run, &Chain),
    (script, filled): (&ProvisioningScript<'_>, &BoundParameters),
    observer: Option<&dyn StatementObserver>,
    inspect: impl AsyncFnOnce(&mut Connection, &SchemaName) -> Result<T, Failure>,
) -> Result<T, Failure> {
    // Remove the schemas of killed runs.
    for left in
        pool::read(connection, &run.platform, None).await?.into_iter().filter(|row| row.slot.is_none())
    {
        // Another run may have removed it.
        let _removed = remove_one(connection, run, &left.schema).await;
    }
    let schema = SchemaName::pooled(Uuid::new_v4().as_u128());
    let message = script.pooled(run, &schema, None, filled)?;
    connection.send(&message).await.map_err(|server_error| explain(&server_error, &message, &schema))?;
    let steps = script.later().unwrap_or_default();
    let inspected = match catch_up(connection, (run, chain), &schema, steps, (RetryPolicy::USUAL, observer))
        .await
    {
        Ok(()) => match inspect(connection, &schema).await {
            Ok(value) => expect_still_at(connection, run, &schema, script.version()).await.map(|()| value),
            Err(failure) => Err(failure),
        },
        Err(failure) => Err(failure),
    };
    let removed = remove_one(connection, run, &schema).await;
    let value = inspected?;
    removed.map_err(|server_error| server_error.failure(&format!("removing {schema}")))?;
    Ok(value)
}

/// Fails if a migration has changed the schema meanwhile.
async fn expect_still_at(
    connection: &mut Connection,
    run: &Run,
    schema: &SchemaName,
    version: &Version,
) -> Result<(), Failure> {
    let found = version_rows::versions(connection, &run.platform, std::iter::once(schema)).await?;
    if found.first().is_some_and(|(_, at)| *at == version.to_string()) {
        return Ok(());
    }
    let moved = format!("a migration changed {schema} while it was inspected");
    Err(Failure::new(Code::NotMigrated, moved).hint("run the command again when the migration has ended"))
}
