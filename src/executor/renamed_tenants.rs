//! Handles tenants that were renamed, dropped or deleted during a run. The version rows and the history show the
//! change, so that the run follows a renamed tenant and skips a dropped one.

use super::tenant_executor::TenantExecutor;
use super::unit::UnitOutcome;
use crate::chain::Version;
use crate::ident::{SchemaName, literal};
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
    let (platform, named) = (pass.run.platform.quoted(), literal(schema.as_str()));
    // Follow each name to its latest successor.
    let sql = format!(
        "WITH RECURSIVE way AS ( \
             SELECT {named}::text AS schema_name, 0::int8 AS id \
             UNION ALL SELECT next.schema_name, next.id FROM way, LATERAL ( \
                 SELECT h.schema_name, h.id FROM {platform}.migration_history h \
                 WHERE h.kind IN ('rename', 'drop', 'undrop') AND h.name = way.schema_name AND h.id > way.id \
                 ORDER BY h.id DESC LIMIT 1) next \
         ) SELECT t.schema_name, t.version FROM way JOIN {platform}.tenant_version t USING (schema_name) \
         WHERE t.status <> 'dropped' ORDER BY way.id DESC"
    );
    // Keep the original failure if this query fails.
    let sets = connection.query_batch(&sql).await.ok()?;
    let mut found =
        sets.iter().flatten().map(|row| Some((row.text("schema_name").ok()?, row.text("version").ok()?)));
    let Some((now, version)) = found.next().flatten() else { return Some(None) };
    if now == schema.as_str() {
        return None;
    }
    let step = pass.chain.position(&Version::stored(&version).ok()?)?;
    Some(Some((SchemaName::existing(now).ok()?, step)))
}
