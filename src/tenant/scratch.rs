//! A schema that is made step by step as a new tenant's is, in transactions that are committed, to be looked at and
//! removed. It has a version row like a schema of the pool, but no place there, so nobody takes it. What a run leaves
//! that is killed, the next one that needs such a schema removes when its time is over, as `tenure tenant pool drain`
//! does.

use uuid::Uuid;

use super::create::explain;
use super::pool::remove_one;
use super::provisioning::ProvisioningScript;
use crate::chain::{Chain, Version};
use crate::error::{Code, Failure};
use crate::executor::{RetryPolicy, StatementObserver, catch_up};
use crate::ident::{SchemaName, literal};
use crate::postgres::Connection;
use crate::postgres::batch::Run;
use crate::postgres::metadata::pool;
use crate::template::BoundParameters;

/// Makes such a schema, does `look` with it, and removes it.
pub(super) async fn with<T>(
    connection: &mut Connection,
    (run, chain): (&Run, &Chain),
    (script, filled): (&ProvisioningScript<'_>, &BoundParameters),
    observer: Option<&dyn StatementObserver>,
    look: impl AsyncFnOnce(&mut Connection, &SchemaName) -> Result<T, Failure>,
) -> Result<T, Failure> {
    for left in
        pool::read(connection, &run.platform, None).await?.into_iter().filter(|row| row.slot.is_none())
    {
        // Another run may be quicker.
        let _removed = remove_one(connection, run, &left.schema).await;
    }
    let schema = SchemaName::pooled(Uuid::new_v4().as_u128());
    let message = script.pooled(run, &schema, None, filled)?;
    connection.send(&message).await.map_err(|server_error| explain(&server_error, &message, &schema))?;
    let steps = script.later().unwrap_or_default();
    let looked = match catch_up(connection, (run, chain), &schema, steps, (RetryPolicy::USUAL, observer))
        .await
    {
        Ok(()) => match look(connection, &schema).await {
            Ok(value) => expect_still_at(connection, run, &schema, script.version()).await.map(|()| value),
            Err(failure) => Err(failure),
        },
        Err(failure) => Err(failure),
    };
    let removed = remove_one(connection, run, &schema).await;
    let value = looked?;
    removed.map_err(|server_error| server_error.failure(&format!("removing {schema}")))?;
    Ok(value)
}

/// Refused if a migration has moved the schema meanwhile, as it moves the pool.
async fn expect_still_at(
    connection: &mut Connection,
    run: &Run,
    schema: &SchemaName,
    version: &Version,
) -> Result<(), Failure> {
    let sql = format!(
        "SELECT version = '{version}' AS still FROM {}.tenant_version WHERE schema_name = {}",
        run.platform.quoted(),
        literal(schema.as_str())
    );
    let sets = connection
        .query_batch(&sql)
        .await
        .map_err(|server_error| server_error.failure("reading a version"))?;
    if sets.iter().flatten().next().map(|row| row.get_bool("still")).transpose()? == Some(true) {
        return Ok(());
    }
    let moved = format!("a migration moved {schema} while it was looked at");
    Err(Failure::new(Code::NotMigrated, moved).hint("run the command again when the migration has ended"))
}
