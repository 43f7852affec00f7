//! The pool of schemas that are created in advance: `tenant create` renames one, so that a new tenant costs a few rows. Each has
//! a version row in the state `pooled` and no registry row; `migrate up` migrates them, but does not wait for them. This folder
//! fills, proves, lists and drains the pool; `create` takes schemas from it.

mod fill;
mod proof;
mod result;
pub mod text;

pub use self::result::{PoolDrained, PoolFailure, PoolFilled, PoolList, PoolState, PooledSchema};
use tokio_util::sync::CancellationToken;

use super::operation;
use crate::chain::Version;
use crate::error::Failure;
use crate::ident::SchemaName;
use crate::postgres::batch::{Run, SessionState, SqlBatch};
use crate::postgres::metadata::pool::{self, Pooled};
use crate::postgres::metadata::{RunStatus, runs, state};
use crate::postgres::{Connection, ServerError, error};
use crate::project::Project;
use crate::settings::Migrate;

pub use self::fill::{Filling, fill};
pub use self::proof::reprove;

/// All schemas of the pool.
pub async fn list(connection: &mut Connection, project: &Project) -> Result<PoolList, Failure> {
    let state = state::read(connection, &project.settings).await?;
    if !state.presence.own_tables {
        return Ok(PoolList { pool: Vec::new() });
    }
    let rows = pool::read(connection, &project.settings.platform_schema(), None).await?;
    let shown = |row: Pooled| PooledSchema {
        state: state_of(&row, project, &state.platform),
        schema: row.schema,
        template: row.template,
        version: row.version,
        created_at: row.created_at,
    };
    Ok(PoolList { pool: rows.into_iter().map(shown).collect() })
}

/// The state of a pool schema, with the platform at `at`.
fn state_of(row: &Pooled, project: &Project, at: &Version) -> PoolState {
    let template = project.templates.get(&row.template);
    let is_of_it =
        template.is_some_and(|template| row.made_from.as_deref() == Some(template.checksum.as_str()));
    if !is_of_it || !row.is_there {
        PoolState::Outdated
    } else if row.version != *at {
        PoolState::Behind
    } else if row.proved_at.as_deref() != Some(at.to_string().as_str()) {
        PoolState::Unproved
    } else {
        PoolState::Ready
    }
}

/// Options of `tenant pool drain`.
#[derive(Debug, Clone)]
pub struct Draining {
    /// Only the schemas of this template.
    pub template: Option<String>,
    /// The limits of a unit.
    pub limits: Migrate,
    /// The command, for the run's row.
    pub command: String,
}

/// Removes schemas of the pool.
pub async fn drain(
    connection: &mut Connection,
    project: &Project,
    draining: &Draining,
    stop: &CancellationToken,
) -> Result<PoolDrained, Failure> {
    let _state = super::create::ready(connection, project).await?;
    let platform = project.settings.platform_schema();
    let rows = pool::read(connection, &platform, draining.template.as_deref()).await?;
    if rows.is_empty() {
        return Ok(PoolDrained { outcome: RunStatus::Nothing, removed: 0, failures: Vec::new() });
    }
    let run = Run::new(&project.settings, draining.limits);
    runs::begin(connection, &run, &draining.command).await?;
    let (removed, failed) = remove(connection, &run, &rows, stop).await;
    let outcome = RunStatus::of_many(removed, &failed);
    let counts = serde_json::json!({ "removed": removed, "failed": failed.len() }).to_string();
    let ending = if outcome == RunStatus::Nothing { RunStatus::Done } else { outcome };
    runs::end(connection, &run, ending.as_str(), &counts).await?;
    Ok(PoolDrained { outcome, removed, failures: failed })
}

/// Removes these schemas, unless another session takes or removes them first.
async fn remove(
    connection: &mut Connection,
    run: &Run,
    rows: &[Pooled],
    stop: &CancellationToken,
) -> (usize, Vec<PoolFailure>) {
    let (mut removed, mut failed) = (0, Vec::new());
    for row in rows {
        if stop.is_cancelled() {
            failed.push(interrupted());
            break;
        }
        match remove_one(connection, run, &row.schema).await {
            Ok(()) => removed += 1,
            Err(server_error)
                if matches!(server_error.sqlstate(), Some(error::NO_VERSION_ROW | error::WRONG_STATE)) => {}
            Err(server_error) => {
                failed.push(PoolFailure(server_error.failure(&format!("removing {}", row.schema))));
            }
        }
    }
    (removed, failed)
}

/// Removes a schema of the pool.
pub(super) async fn remove_one(
    connection: &mut Connection,
    run: &Run,
    schema: &SchemaName,
) -> Result<(), ServerError> {
    let mut message = SqlBatch::default();
    message.begin_each(run.limits, &pool::remove(&run.platform, schema));
    message.commit(SessionState::None);
    operation::in_turn(connection, &message, run.limits).await.map(drop)
}

fn interrupted() -> PoolFailure {
    let failure = Failure::new(crate::error::Code::Interrupted, "interrupted before it was complete");
    PoolFailure(failure.hint("run the command again to do the rest"))
}
