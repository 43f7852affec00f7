//! `tenant drop --purge`: tenants that were dropped long enough ago are deleted for good. To drop a schema takes a lock
//! for each thing in it, and the server's table of locks is small, so the schema is emptied in portions, each a
//! transaction. What was begun and not ended is gone on with by the next run; two at once take turns.

use tokio_util::sync::CancellationToken;

use super::drop::unknown;
use crate::error::{Code, Failure};
use crate::executor::RetryPolicy;
use crate::ident::{Slug, literal};
use crate::postgres::batch::{Kind, Run, SessionState, SqlBatch};
use crate::postgres::metadata::dropped::{self, DroppedTenant};
use crate::postgres::metadata::{self, TenantState, state};
use crate::postgres::{Connection, ServerError, error};
use crate::settings::{Retention, Settings};
use crate::tenant::operation::{self, TenantOperation};
use crate::tenant::roles::role;
use crate::tenant::{FailedTenant, Kept, Purged, PurgedTenant};

/// A tenant that was put aside was deleted for good.
const PURGE: Kind = Kind::of_verb("purge");

/// About so many locks are taken in one transaction. The server has room for 6,400 of them, for everybody, where nobody
/// said otherwise.
const LOCKS: u32 = 600;

/// Whether the registry's row is deleted too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registered {
    /// It is.
    Goes,
    /// It stays, since others refer to it.
    Stays,
}

/// How dropped tenants are deleted.
#[derive(Debug)]
pub struct Purge<'a> {
    /// The verb.
    pub operation: &'a TenantOperation<'a>,
    /// The registry's rows.
    pub registered: Registered,
    /// How often a portion is tried again that met a lock or a lost connection.
    pub retry_policy: RetryPolicy,
    /// Asked between two portions.
    pub stop: &'a CancellationToken,
}

/// The dropped tenants.
#[derive(Debug, Default)]
pub struct Candidates {
    /// Those that were dropped long enough ago.
    pub due: Vec<DroppedTenant>,
    /// The others.
    pub kept: Vec<DroppedTenant>,
}

/// The dropped tenants, or those that had the slug `slug`. Where that one was dropped, but not long enough ago, nothing is due.
pub async fn candidates(
    connection: &mut Connection,
    settings: &Settings,
    slug: Option<&Slug>,
    retention: Retention,
) -> Result<Candidates, Failure> {
    let state = state::read(connection, settings).await?;
    if !state.presence.own_tables || !state.presence.registry {
        return slug.map_or_else(|| Ok(Candidates::default()), |slug| Err(unknown(slug)));
    }
    if !state.presence.own_tables_current {
        metadata::ensure(connection, &settings.platform_schema(), settings.migrate.lock_timeout).await?;
    }
    let all = dropped::read(connection, settings, slug, retention.seconds()).await?;
    match slug {
        Some(slug) if all.is_empty() => Err(unknown(slug)),
        _ => {
            let (due, kept) = all.into_iter().partition(|aside| aside.due);
            Ok(Candidates { due, kept })
        }
    }
}

/// Deletes those that are due, one after the other. A tenant's own failure is in the result.
pub async fn purge(
    connection: &mut Connection,
    how: &Purge<'_>,
    found: Candidates,
) -> Result<Purged, Failure> {
    let kept = |aside: DroppedTenant| Kept { slug: aside.former_slug, schema: aside.tenant.schema };
    let kept = found.kept.into_iter().map(kept).collect();
    if found.due.is_empty() {
        return Ok(Purged::of(Vec::new(), kept, Vec::new()));
    }
    let slugs: Vec<_> = found.due.iter().map(|aside| aside.former_slug.as_str()).collect();
    let counts = serde_json::json!({ "slugs": slugs });
    let (mut purged, mut failed) = (Vec::new(), Vec::new());
    let noted = how
        .operation
        .noted(connection, &counts, async |connection, run| {
            for aside in &found.due {
                match one(connection, how, run, aside).await {
                    Ok(Some(done)) => purged.push(done),
                    // Another one did it.
                    Ok(None) => {}
                    Err(failure) => failed.push(FailedTenant { slug: aside.former_slug.clone(), failure }),
                }
            }
            failed.first().map_or(Ok(()), |first: &FailedTenant| Err(first.failure.clone()))
        })
        .await;
    // Without a failure of its own the run's missing last note is the failure.
    if failed.is_empty() {
        noted?;
    }
    Ok(Purged::of(purged, kept, failed))
}

async fn one(
    connection: &mut Connection,
    how: &Purge<'_>,
    run: &Run,
    aside: &DroppedTenant,
) -> Result<Option<PurgedTenant>, Failure> {
    let stopped = || {
        Failure::new(Code::Interrupted, format!("deleting {} was interrupted", aside.former_slug))
            .hint("the same command again does the rest")
    };
    if how.stop.is_cancelled() {
        return Err(stopped());
    }
    match send(connection, how, &look(how, run, aside), aside).await {
        Ok(_sets) => {}
        Err(Refused::Answer(server_error)) => return ended(how, aside, &server_error),
        Err(Refused::Failure(failure)) => return Err(failure),
    }
    let schema = &aside.tenant.schema;
    let (mut objects, mut transactions) = (0, 1);
    let mut portion = SqlBatch::default();
    begin(&mut portion, run, aside);
    portion.push(&format!(
        "SELECT {}.tenure_purge_some({}, {LOCKS})::int8 AS dropped",
        run.platform.quoted(),
        literal(schema.as_str())
    ));
    portion.commit(SessionState::None);
    loop {
        let sets = match send(connection, how, &portion, aside).await {
            Ok(sets) => sets,
            Err(Refused::Answer(server_error)) => return ended(how, aside, &server_error),
            Err(Refused::Failure(failure)) => return Err(failure),
        };
        let dropped = sets.iter().flatten().find_map(|row| row.integer("dropped").ok()).unwrap_or_default();
        let Ok(dropped @ 1..) = u64::try_from(dropped) else { break };
        objects += dropped;
        transactions += 1;
        if how.stop.is_cancelled() {
            return Err(stopped());
        }
    }
    match send(connection, how, &last(how, run, aside), aside).await {
        Ok(_sets) => {}
        // The answer to our own COMMIT may have been lost.
        Err(Refused::Answer(server_error))
            if server_error.sqlstate() == Some(error::NO_VERSION_ROW)
                && was_us(connection, run, aside).await? => {}
        Err(Refused::Answer(server_error)) => return ended(how, aside, &server_error),
        Err(Refused::Failure(failure)) => return Err(failure),
    }
    Ok(Some(PurgedTenant { slug: aside.former_slug.clone(), schema: schema.clone(), objects, transactions }))
}

/// Makes sure that nothing refers to the tenant any more, by trying what cannot be tried at the end, when there is no
/// way back.
fn look(how: &Purge<'_>, run: &Run, aside: &DroppedTenant) -> SqlBatch {
    let mut message = SqlBatch::default();
    begin(&mut message, run, aside);
    message.push(&format!(
        "SELECT {}.tenure_expect_no_dependents({})",
        run.platform.quoted(),
        literal(aside.tenant.schema.as_str())
    ));
    message.push(&format!(
        "SELECT {}.tenure_expect_ours({})",
        run.platform.quoted(),
        literal(aside.tenant.schema.as_str())
    ));
    message.push(&role::looking(&run.platform, &aside.tenant.schema));
    if how.registered == Registered::Goes {
        unregister(&mut message, how, aside);
        message.push("SET CONSTRAINTS ALL IMMEDIATE");
    }
    message.push("ROLLBACK");
    message
}

/// Begins a transaction on a tenant that nobody has deleted yet: where the registry's row was to stay, the version row is
/// there all the same.
fn begin(message: &mut SqlBatch, run: &Run, aside: &DroppedTenant) {
    operation::begin(message, run, &aside.tenant.schema, &[TenantState::Dropped]);
    message.push(&format!(
        "SELECT {}.tenure_expect_unpurged({})",
        run.platform.quoted(),
        literal(aside.tenant.schema.as_str())
    ));
}

/// The last transaction: what is left of the schema, the role, the rows, the history.
fn last(how: &Purge<'_>, run: &Run, aside: &DroppedTenant) -> SqlBatch {
    let (platform, named) = (run.platform.quoted(), literal(aside.tenant.schema.as_str()));
    let mut message = SqlBatch::default();
    begin(&mut message, run, aside);
    message.push(&format!("SELECT {platform}.tenure_purge_rest({named})"));
    message.push(&role::dropping(&run.platform, &aside.tenant.schema));
    message.name_history(run, &named, &aside.former_schema, PURGE);
    match how.registered {
        Registered::Goes => {
            unregister(&mut message, how, aside);
            message.push(&format!("DELETE FROM {platform}.tenant_version WHERE schema_name = {named}"));
        }
        // Without it the registry's row would be a tenant that nobody knows.
        Registered::Stays => {
            message.push(&format!(
                "UPDATE {platform}.tenant_version SET purged_at = now() WHERE schema_name = {named}"
            ));
        }
    }
    message.commit(SessionState::None);
    message
}

fn unregister(message: &mut SqlBatch, how: &Purge<'_>, aside: &DroppedTenant) {
    let settings = how.operation.settings;
    let (registry, column) = (state::registry(settings), settings.tenants.columns.schema.quoted());
    let named = literal(aside.tenant.schema.as_str());
    message.push(&format!("DELETE FROM {registry} WHERE {column} = {named}"));
    // A trigger may keep it, and it would be a tenant that nobody knows.
    message.push(&format!(
        "SELECT {}.tenure_expect_gone({named}, (SELECT count(*) FROM {registry} WHERE {column} = {named}))",
        settings.platform_schema().quoted(),
    ));
}

/// Why a message was not done.
enum Refused {
    Answer(ServerError),
    Failure(Failure),
}

/// Sends a portion, and again what passes by itself. What the lost answer of a broken connection said does not matter: a
/// portion is whatever is left.
async fn send(
    connection: &mut Connection,
    how: &Purge<'_>,
    message: &SqlBatch,
    aside: &DroppedTenant,
) -> Result<Vec<Vec<crate::postgres::Row>>, Refused> {
    let mut attempts = 0;
    loop {
        let server_error = match connection.send(message).await {
            Ok(sets) => return Ok(sets),
            Err(server_error) => server_error,
        };
        attempts += 1;
        let failure = explain(how, aside, &server_error);
        let Some(pause) = how.retry_policy.pause(&failure, attempts).filter(|_| !how.stop.is_cancelled())
        else {
            return Err(Refused::Answer(server_error));
        };
        tokio::time::sleep(pause).await;
        if failure.ended_the_session() {
            *connection = connection.another().await.map_err(Refused::Failure)?;
        }
    }
}

/// Whether this run noted that it deleted the tenant.
async fn was_us(connection: &mut Connection, run: &Run, aside: &DroppedTenant) -> Result<bool, Failure> {
    let sql = format!(
        "SELECT true AS noted FROM {}.migration_history WHERE run_id = '{}' AND schema_name = {} AND kind = {}",
        run.platform.quoted(),
        run.id,
        literal(aside.tenant.schema.as_str()),
        literal(PURGE.as_str()),
    );
    let doing = format!("deleting {}", aside.former_slug);
    let sets = connection.query_batch(&sql).await.map_err(|server_error| server_error.failure(&doing))?;
    Ok(sets.iter().flatten().next().is_some())
}

/// What a refusal means for the tenant: another one may have deleted it in the meantime.
fn ended(
    how: &Purge<'_>,
    aside: &DroppedTenant,
    server_error: &ServerError,
) -> Result<Option<PurgedTenant>, Failure> {
    match server_error.sqlstate() {
        Some(error::NO_VERSION_ROW) => Ok(None),
        _ => Err(explain(how, aside, server_error)),
    }
}

fn explain(how: &Purge<'_>, aside: &DroppedTenant, server_error: &ServerError) -> Failure {
    let mut failure = operation::refused(server_error, "deleting", &aside.tenant, how.operation.settings);
    if server_error.sqlstate() == Some("23503") {
        failure.code = Code::TenantInUse;
        let table = server_error.table().unwrap_or_default();
        failure.hint = Some(format!(
            "delete or change those rows of {table}, or leave the registry's row with --keep-registry"
        ));
    }
    failure
}
