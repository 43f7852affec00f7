//! Handles tenants that were renamed, dropped or deleted during a run. The version rows and the history show the
//! change, so that the run follows a renamed tenant and skips a dropped one.

use super::tenant_executor::TenantExecutor;
use super::unit::UnitOutcome;
use crate::chain::Version;
use crate::ident::SchemaName;
use crate::postgres::metadata::history;
use crate::postgres::{Connection, error};

/// Returns the new schema and step of a renamed tenant, or `Some(None)` for a dropped one. Returns `None` if `answer`
/// has another cause.
pub(super) async fn find_successor(
    pass: &TenantExecutor<'_>,
    connection: &mut Connection,
    schema: &SchemaName,
    answer: &UnitOutcome,
) -> Option<Option<(SchemaName, usize)>> {
    let UnitOutcome::Failed(failure) = answer else { return None };
    if !matches!(failure.sqlstate.as_deref(), Some(error::NO_VERSION_ROW | "3F000")) {
        return None;
    }
    // Keep the original failure if this query fails.
    let found = history::renamed(connection, &pass.run.platform, schema).await.ok()?;
    let Some((now, version)) = found else { return Some(None) };
    if now == schema.as_str() {
        return None;
    }
    let step = pass.chain.position(&Version::stored(&version).ok()?)?;
    Some(Some((SchemaName::existing(now).ok()?, step)))
}
