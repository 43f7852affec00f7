//! `tenant drop --purge`: deletes dropped tenants after the retention period. Dropping a schema locks every object in it, and the
//! server's lock table is limited, so the schema is emptied in batches, each in a transaction. A later run continues an
//! unfinished purge; two concurrent runs take turns.

use tokio_util::sync::CancellationToken;

use crate::error::{Code, Failure};
use crate::executor::RetryPolicy;
use crate::ident::{Slug, literal};
use crate::postgres::batch::{Kind, Run, SessionState, SqlBatch};
use crate::postgres::metadata::dropped::{self, DroppedTenant};
use crate::postgres::metadata::{self, checks, history, not_dropped, registry, roles, state, version_rows};
use crate::postgres::{Connection, Row, ServerError, error};
use crate::settings::{Retention, Settings};
use crate::tenant::operation::{self, TenantOperation};
use crate::tenant::{FailedTenant, Kept, Purged, PurgedTenant};

/// The kind of the history row of a deleted tenant.
const PURGE: Kind = Kind::of_verb("purge");

/// The approximate number of locks per transaction. With the default settings, the server's lock table has room for
/// 6,400 in total.
const LOCKS: u32 = 600;

/// Whether the registry row is deleted too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistryRow {
    /// Delete it.
    Delete,
    /// Keep it, since other rows reference it.
    Keep,
}

/// Options of a purge.
#[derive(Debug)]
pub struct Purge<'a> {
    /// The settings, the limits of the statements, and the command line for the record of the run.
    pub operation: &'a TenantOperation<'a>,
    /// The action for the registry rows.
    pub registered: RegistryRow,
    /// When a batch is retried after a lock timeout or a lost connection.
    pub retry_policy: RetryPolicy,
    /// Checked between batches.
    pub stop: &'a CancellationToken,
}

/// Dropped tenants, divided by whether their retention period has ended.
#[derive(Debug, Default)]
pub struct Candidates {
    /// Those whose retention period has ended.
    pub due: Vec<DroppedTenant>,
    /// The others.
    pub kept: Vec<DroppedTenant>,
}

/// Reads the dropped tenants, or only those that had the slug `slug`. Fails if there is none of that slug. A tenant is due only
/// after its retention period, even if it is requested by its slug.
pub async fn candidates(
    connection: &mut Connection,
    settings: &Settings,
    slug: Option<&Slug>,
    retention: Retention,
) -> Result<Candidates, Failure> {
    let state = state::read(connection, settings).await?;
    if !state.presence.own_tables || !state.presence.registry {
        return match slug {
            None => Ok(Candidates::default()),
            Some(slug) => Err(not_dropped(connection, settings, slug).await),
        };
    }
    if !state.presence.own_tables_current {
        metadata::ensure(connection, &settings.platform_schema(), settings.migrate.lock_timeout).await?;
    }
    let all = dropped::read(connection, settings, slug, retention.seconds()).await?;
    match slug {
        Some(slug) if all.is_empty() => Err(not_dropped(connection, settings, slug).await),
        _ => {
            let (due, kept) = all.into_iter().partition(|dropped| dropped.due);
            Ok(Candidates { due, kept })
        }
    }
}

/// Deletes the due tenants one by one. A tenant's own failure is in the result.
pub async fn purge(
    connection: &mut Connection,
    how: &Purge<'_>,
    found: Candidates,
) -> Result<Purged, Failure> {
    let kept = |dropped: DroppedTenant| Kept { slug: dropped.former_slug, schema: dropped.tenant.schema };
    let kept = found.kept.into_iter().map(kept).collect();
    if found.due.is_empty() {
        return Ok(Purged::of(Vec::new(), kept, Vec::new()));
    }
    let slugs: Vec<_> = found.due.iter().map(|dropped| dropped.former_slug.as_str()).collect();
    let counts = serde_json::json!({ "slugs": slugs });
    let (mut purged, mut failed) = (Vec::new(), Vec::new());
    let recorded = how
        .operation
        .recorded(connection, &counts, async |connection, run| {
            for dropped in &found.due {
                match one(connection, how, run, dropped).await {
                    Ok(Some(done)) => purged.push(done),
                    // Another run deleted it.
                    Ok(None) => {}
                    Err(failure) => failed.push(FailedTenant { slug: dropped.former_slug.clone(), failure }),
                }
            }
            failed.first().map_or(Ok(()), |first: &FailedTenant| Err(first.failure.clone()))
        })
        .await;
    // If no tenant failed, a failure to record the run's end is the failure.
    if failed.is_empty() {
        recorded?;
    }
    Ok(Purged::of(purged, kept, failed))
}

/// Deletes one dropped tenant in several transactions. Returns `None` if another run has deleted it.
async fn one(
    connection: &mut Connection,
    how: &Purge<'_>,
    run: &Run,
    dropped: &DroppedTenant,
) -> Result<Option<PurgedTenant>, Failure> {
    let stopped = || {
        Failure::new(Code::Interrupted, format!("deleting {} was interrupted", dropped.former_slug))
            .hint("run the same command again to delete the rest")
    };
    if how.stop.is_cancelled() {
        return Err(stopped());
    }
    match send(connection, how, &check(how, run, dropped), dropped).await {
        Ok(_sets) => {}
        Err(SendError::Server(server_error)) => return ended(how, dropped, &server_error),
        Err(SendError::Failure(failure)) => return Err(failure),
    }
    let schema = &dropped.tenant.schema;
    let (mut objects, mut transactions) = (0, 1);
    let mut portion = SqlBatch::default();
    begin(&mut portion, run, dropped);
    portion.push(&version_rows::purge_some(&run.platform, schema, LOCKS));
    portion.commit(SessionState::None);
    // Each batch deletes a part of the objects. The last one finds none.
    loop {
        let sets = match send(connection, how, &portion, dropped).await {
            Ok(sets) => sets,
            Err(SendError::Server(server_error)) => return ended(how, dropped, &server_error),
            Err(SendError::Failure(failure)) => return Err(failure),
        };
        let count = sets.iter().flatten().find_map(|row| row.integer("dropped").ok()).unwrap_or_default();
        let Ok(count @ 1..) = u64::try_from(count) else { break };
        objects += count;
        transactions += 1;
        if how.stop.is_cancelled() {
            return Err(stopped());
        }
    }
    let mut kept_role = None;
    match send(connection, how, &last(how, run, dropped), dropped).await {
        Ok(sets) => {
            let kept = |row: &Row| row.optional_text(roles::KEPT_ROLE).ok().flatten();
            kept_role = sets.iter().flatten().find_map(kept);
        }
        // If this run recorded the deletion, its transaction was committed and only the answer to COMMIT was lost.
        Err(SendError::Server(server_error))
            if server_error.sqlstate() == Some(error::NO_VERSION_ROW)
                && history::was_recorded(
                    connection,
                    run,
                    (schema, PURGE),
                    &format!("deleting {}", dropped.former_slug),
                )
                .await? => {}
        Err(SendError::Server(server_error)) => return ended(how, dropped, &server_error),
        Err(SendError::Failure(failure)) => return Err(failure),
    }
    Ok(Some(PurgedTenant {
        slug: dropped.former_slug.clone(),
        schema: schema.clone(),
        objects,
        transactions,
        kept_role,
    }))
}

/// Checks that nothing references the tenant, by trying the last steps in a transaction that is rolled back: at the end of the
/// purge it would be too late.
fn check(how: &Purge<'_>, run: &Run, dropped: &DroppedTenant) -> SqlBatch {
    let mut message = SqlBatch::default();
    begin(&mut message, run, dropped);
    let (platform, schema) = (&run.platform, &dropped.tenant.schema);
    message.push(&checks::expect_no_dependents(platform, schema));
    message.push(&checks::expect_ownership(platform, schema));
    message.push(&roles::expect_droppable(platform, schema));
    if how.registered == RegistryRow::Delete {
        unregister(&mut message, how, dropped);
        message.push("SET CONSTRAINTS ALL IMMEDIATE");
    }
    message.push("ROLLBACK");
    message
}

/// Begins a transaction on a dropped tenant and checks that no other run has purged it. A purge that keeps
/// the registry row also keeps the version row, and marks it as purged.
fn begin(message: &mut SqlBatch, run: &Run, dropped: &DroppedTenant) {
    message.begin(run.limits, &version_rows::hold_dropped(&run.platform, &dropped.tenant.schema));
}

/// The last transaction: deletes the rest of the schema, the role and the rows, and adds a history row.
fn last(how: &Purge<'_>, run: &Run, dropped: &DroppedTenant) -> SqlBatch {
    let (platform, schema) = (&run.platform, &dropped.tenant.schema);
    let mut message = SqlBatch::default();
    begin(&mut message, run, dropped);
    message.push_each(&version_rows::drop_schema(platform, schema));
    message.push(&roles::drop(platform, schema));
    message.name_history(run, &literal(schema.as_str()), &dropped.former_schema, PURGE);
    match how.registered {
        RegistryRow::Delete => {
            unregister(&mut message, how, dropped);
            message.push(&version_rows::delete(platform, schema));
        }
        RegistryRow::Keep => message.push(&version_rows::set_purged(platform, schema)),
    }
    message.commit(SessionState::None);
    message
}

/// Deletes the registry row, and checks that it is gone.
fn unregister(message: &mut SqlBatch, how: &Purge<'_>, dropped: &DroppedTenant) {
    let settings = how.operation.settings;
    let (table, column) = (registry::table(settings), settings.tenants.columns.schema.quoted());
    let named = literal(dropped.tenant.schema.as_str());
    message.push(&format!("DELETE FROM {table} WHERE {column} = {named}"));
    // A trigger may keep the registry row, which would then be a tenant without a version.
    message.push(&checks::expect_unregistered(settings, &dropped.tenant.schema));
}

/// The cause of a failed message.
enum SendError {
    Server(ServerError),
    Failure(Failure),
}

/// Sends a message with retries. After a lost answer the message may run twice. This is safe: a batch deletes only what remains.
async fn send(
    connection: &mut Connection,
    how: &Purge<'_>,
    message: &SqlBatch,
    dropped: &DroppedTenant,
) -> Result<Vec<Vec<crate::postgres::Row>>, SendError> {
    let mut attempts = 0;
    loop {
        let server_error = match connection.send(message).await {
            Ok(sets) => return Ok(sets),
            Err(server_error) => server_error,
        };
        attempts += 1;
        let failure = explain(how, dropped, &server_error);
        let Some(pause) = how.retry_policy.pause(&failure, attempts).filter(|_| !how.stop.is_cancelled())
        else {
            return Err(SendError::Server(server_error));
        };
        tokio::time::sleep(pause).await;
        if failure.session_ended() {
            *connection = connection.open_another().await.map_err(SendError::Failure)?;
        }
    }
}

/// The result for a tenant after a server error: `None` if another run has deleted the tenant meanwhile, otherwise the failure.
fn ended(
    how: &Purge<'_>,
    dropped: &DroppedTenant,
    server_error: &ServerError,
) -> Result<Option<PurgedTenant>, Failure> {
    match server_error.sqlstate() {
        Some(error::NO_VERSION_ROW) => Ok(None),
        _ => Err(explain(how, dropped, server_error)),
    }
}

/// Converts a server error into the tenant's failure. SQLSTATE 23503 is a foreign key violation: rows of another table reference
/// the registry row.
fn explain(how: &Purge<'_>, dropped: &DroppedTenant, server_error: &ServerError) -> Failure {
    let mut failure = operation::refused(server_error, "deleting", &dropped.tenant, how.operation.settings);
    if server_error.sqlstate() == Some("23503") {
        failure.code = Code::TenantInUse;
        let table = server_error.table().unwrap_or_default();
        failure.hint = Some(format!(
            "delete or change those rows of {table}, or keep the registry row with --keep-registry"
        ));
    }
    failure
}
