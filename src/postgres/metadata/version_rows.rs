//! Statements on the version rows of the platform, the tenants and the pool schemas.

use std::collections::BTreeMap;

use super::TenantState;
use super::checks::refuse;
use crate::chain::{Migration, Version};
use crate::error::Failure;
use crate::ident::{Identifier, SchemaName, literal};
use crate::postgres::batch::{HistoryRow, Run};
use crate::postgres::{Connection, Row, error};

/// The column with the schemas whose rows a platform unit advanced.
pub const MOVED: &str = "tenure_moved_schema";

/// The condition on version rows of schemas that are migrated.
const MIGRATED: &str = "status <> 'dropped'";

/// The outcome of a unit whose answer was lost.
#[derive(Debug)]
pub struct Committed {
    /// The version of the unit's schema.
    pub version: Option<String>,
    /// The unit's duration in milliseconds, if this run committed it.
    pub took: Option<i64>,
    /// The rows that a platform unit advanced.
    pub moved: Vec<Row>,
}

/// Whether pool schemas are included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pool {
    /// Tenants and pool schemas.
    With,
    /// Only tenants.
    Without,
}

/// The table and the condition for the row of `schema`.
pub(super) fn row_of(platform: &SchemaName, schema: &SchemaName) -> String {
    format!("{}.tenant_version WHERE schema_name = {}", platform.quoted(), literal(schema.as_str()))
}

/// Locks the platform's row.
pub fn lock_platform(platform: &SchemaName) -> String {
    format!("SELECT 1 FROM {}.schema_version FOR UPDATE", platform.quoted())
}

/// Advances the platform's row. Fails if it is at another version.
pub fn advance_platform(platform: &SchemaName, from: &Version, to: &Version) -> String {
    format!("SELECT {}.tenure_advance_platform('{from}', '{to}')", platform.quoted())
}

/// Fails unless the platform is at `version`; locks that until the end of the transaction.
pub fn expect_platform(platform: &SchemaName, version: &Version) -> String {
    format!("SELECT {}.tenure_expect_platform('{version}')", platform.quoted())
}

/// Deletes the platform's row.
pub fn delete_platform(platform: &SchemaName) -> String {
    format!("DELETE FROM {}.schema_version", platform.quoted())
}

/// Advances a tenant's row. Fails if it is at another version.
pub fn advance(platform: &SchemaName, schema: &SchemaName, from: &Version, to: &Version) -> String {
    format!("SELECT {}.tenure_advance({}, '{from}', '{to}')", platform.quoted(), literal(schema.as_str()))
}

/// Advances all rows at `from`.
pub fn advance_all(platform: &SchemaName, from: &Version, to: &Version) -> String {
    format!(
        "UPDATE {}.tenant_version SET version = '{to}', applied_at = clock_timestamp() \
         WHERE version = '{from}' AND {MIGRATED} RETURNING schema_name AS {MOVED}",
        platform.quoted(),
    )
}

/// Reads whether a unit whose answer was lost was committed, and whether by this run. The rows that a platform unit advanced are
/// those that existed before it.
pub async fn committed(
    connection: &mut Connection,
    run: &Run,
    unit: &HistoryRow<'_>,
) -> Result<Committed, Failure> {
    let (platform, named) = (run.platform.quoted(), literal(unit.schema.as_str()));
    let version = if *unit.schema == run.platform {
        format!("SELECT regexp_replace(version, '^v', '') AS version FROM {platform}.schema_version")
    } else {
        format!("SELECT version FROM {}", row_of(&run.platform, unit.schema))
    };
    let ours = format!(
        "FROM {platform}.migration_history WHERE run_id = '{}' AND schema_name = {named} AND to_version = '{}' AND kind = '{}'",
        run.id,
        unit.to,
        unit.kind.as_str(),
    );
    let sql = format!(
        "{version}; SELECT duration_ms::int8 AS took {ours}; \
         SELECT schema_name AS {MOVED} FROM {platform}.tenant_version \
         WHERE version = '{}' AND {MIGRATED} AND created_at < (SELECT min(applied_at) {ours})",
        unit.to,
    );
    let sets = connection.query_batch(&sql).await;
    let mut sets = sets.map_err(|server_error| server_error.failure("reading the version"))?.into_iter();
    let first = |set: Option<Vec<Row>>| set.and_then(|rows| rows.into_iter().next());
    Ok(Committed {
        version: first(sets.next()).map(|row| row.text("version")).transpose()?,
        took: first(sets.next()).map(|row| row.integer("took")).transpose()?,
        moved: sets.next().unwrap_or_default(),
    })
}

/// A page of at most `limit` schemas after `cursor` that satisfy `behind`, with their versions.
pub fn page_behind(platform: &SchemaName, behind: &str, (cursor, limit): (&str, usize)) -> String {
    format!(
        "SELECT schema_name, version FROM {}.tenant_version WHERE {behind} AND schema_name > {} ORDER BY schema_name LIMIT {limit}",
        platform.quoted(),
        literal(cursor),
    )
}

/// The number of schemas that satisfy `behind`, in the column `tenants`.
pub fn count_behind(platform: &SchemaName, behind: &str) -> String {
    format!("SELECT count(*)::int8 AS tenants FROM {}.tenant_version WHERE {behind}", platform.quoted())
}

/// The condition that one of `steps` is the next step of a schema; only of the schemas in `only`, if any.
pub fn behind(steps: &[Migration], only: &[SchemaName], pool: Pool) -> String {
    let versions: Vec<String> = steps.iter().map(|migration| format!("'{}'", migration.from())).collect();
    let of_these =
        if only.is_empty() { String::new() } else { format!(" AND schema_name IN ({})", names(only.iter())) };
    let status = match pool {
        Pool::With => MIGRATED,
        Pool::Without => "status NOT IN ('dropped', 'pooled')",
    };
    format!("version IN ({}) AND {status}{of_these}", versions.join(", "))
}

fn names<'a>(schemas: impl Iterator<Item = &'a SchemaName>) -> String {
    schemas.map(|schema| literal(schema.as_str())).collect::<Vec<_>>().join(", ")
}

/// The schema and version in a row of such a query.
pub fn version_of(row: &Row) -> Result<(String, String), Failure> {
    Ok((row.text("schema_name")?, row.text("version")?))
}

/// The versions of the schemas that have a version row.
pub async fn versions<'a>(
    connection: &mut Connection,
    platform: &SchemaName,
    schemas: impl Iterator<Item = &'a SchemaName>,
) -> Result<Vec<(String, String)>, Failure> {
    let sql = format!(
        "SELECT schema_name, version FROM {}.tenant_version WHERE schema_name IN ({})",
        platform.quoted(),
        names(schemas)
    );
    let sets = connection.query_batch(&sql).await;
    let sets = sets.map_err(|server_error| server_error.failure("reading versions"))?;
    sets.iter().flatten().map(version_of).collect()
}

/// A text that differs after each change of the row's version or status; empty if there is no row.
pub async fn stamp(
    connection: &mut Connection,
    platform: &SchemaName,
    schema: &SchemaName,
) -> Result<String, Failure> {
    let row = row_of(platform, schema);
    let sql = format!("SELECT concat_ws(' ', version, status, applied_at) AS row FROM {row}");
    let sets = connection.query_batch(&sql).await;
    let sets = sets.map_err(|server_error| server_error.failure("reading the tenant's version"))?;
    Ok(sets.iter().flatten().next().map(|row| row.text("row")).transpose()?.unwrap_or_default())
}

/// Changes the search paths of functions in `schema` from the schema's name `from` to `to`.
pub fn follow_settings(
    platform: &SchemaName,
    schema: &SchemaName,
    from: &SchemaName,
    to: &SchemaName,
) -> String {
    let [schema, from, to] = [schema, from, to].map(|name| literal(name.as_str()));
    format!("SELECT {}.tenure_follow_settings({schema}, {from}, {to})", platform.quoted())
}

/// Makes the row that [`try_alone`] locks, unless a session changes the schema's name. Send it in a transaction of its own.
pub fn make_lock(platform: &SchemaName, schema: &SchemaName) -> String {
    let (own, named) = (platform.quoted(), literal(schema.as_str()));
    let is_platform = platform == schema;
    format!(
        "INSERT INTO {own}.tenure_lock SELECT {named} \
         WHERE NOT EXISTS (SELECT FROM {own}.tenure_lock WHERE name = {named}) AND ({is_platform} OR EXISTS (SELECT FROM \
             (SELECT 1 FROM {own}.tenant_version WHERE schema_name = {named} FOR KEY SHARE SKIP LOCKED) here)) \
         ON CONFLICT DO NOTHING"
    )
}

/// Selects, as `taken`, whether the lock of a non-transactional unit on its schema could be taken. Without a version row there is
/// nothing to lock.
pub fn try_alone(platform: &SchemaName, schema: &SchemaName) -> String {
    let (own, named) = (platform.quoted(), literal(schema.as_str()));
    let is_platform = platform == schema;
    format!(
        "WITH held AS MATERIALIZED (SELECT name FROM {own}.tenure_lock WHERE name = {named} FOR UPDATE SKIP LOCKED) \
         SELECT EXISTS (SELECT FROM held) OR NOT ({is_platform} \
             OR EXISTS (SELECT FROM {own}.tenant_version WHERE schema_name = {named})) AS taken"
    )
}

/// Locks the row of `schema`. Fails unless it is in one of the states.
pub fn hold(platform: &SchemaName, schema: &SchemaName, states: &[TenantState]) -> String {
    format!("SELECT FROM {}", held(platform, schema, states))
}

/// Like [`hold`]; also fails while a non-transactional unit runs on the schema.
pub fn hold_still(platform: &SchemaName, schema: &SchemaName, states: &[TenantState]) -> String {
    format!("SELECT FROM {}.tenure_hold({}, true)", platform.quoted(), of_states(schema, states))
}

/// Like [`hold`]; evaluates `refusal` if the condition on the row `held` is true.
pub(super) fn hold_unless(
    platform: &SchemaName,
    (schema, states): (&SchemaName, &[TenantState]),
    condition: &str,
    refusal: &str,
) -> String {
    format!("SELECT {refusal} FROM {} AS held WHERE {condition}", held(platform, schema, states))
}

fn held(platform: &SchemaName, schema: &SchemaName, states: &[TenantState]) -> String {
    format!("{}.tenure_hold({})", platform.quoted(), of_states(schema, states))
}

fn of_states(schema: &SchemaName, states: &[TenantState]) -> String {
    let states: Vec<_> = states.iter().map(|state| literal(state.as_str())).collect();
    format!("{}, ARRAY[{}]", literal(schema.as_str()), states.join(", "))
}

/// Locks the row of a dropped tenant. Fails if the tenant was purged.
pub fn hold_dropped(platform: &SchemaName, schema: &SchemaName) -> String {
    let message = literal(&format!("the tenant of schema {schema} is deleted already"));
    let refusal = refuse(platform, error::NO_VERSION_ROW, &message, None);
    hold_unless(platform, (schema, &[TenantState::Dropped]), "held.purged_at IS NOT NULL", &refusal)
}

/// Inserts the row of a new tenant, with its role.
pub fn insert(
    platform: &SchemaName,
    (schema, role): (&SchemaName, Option<(&Identifier, bool)>),
    (version, template): (&Version, &str),
    (state, values): (TenantState, &BTreeMap<String, String>),
) -> String {
    format!(
        "INSERT INTO {}.tenant_version (schema_name, version, template, status, parameters, role, login) \
         VALUES ({}, '{version}', {}, {}, {}, {}, {})",
        platform.quoted(),
        literal(schema.as_str()),
        literal(template),
        literal(state.as_str()),
        parameters(values),
        role.map_or_else(|| "NULL".to_owned(), |(name, _)| literal(name.as_str())),
        role.is_some_and(|(_, may_log_in)| may_log_in),
    )
}

/// The parameter values that affect the schema's structure, as stored in the row. Others may be secret and are not stored.
pub(super) fn parameters(values: &BTreeMap<String, String>) -> String {
    if values.is_empty() {
        return "NULL".to_owned();
    }
    literal(&serde_json::to_string(values).unwrap_or_default())
}

/// The status in the row of `schema`, in the column `status`.
pub fn status(platform: &SchemaName, schema: &SchemaName) -> String {
    format!("SELECT status FROM {}", row_of(platform, schema))
}

/// Changes columns of the row of `schema`.
pub(super) fn update(platform: &SchemaName, schema: &SchemaName, set: &str) -> String {
    format!(
        "UPDATE {}.tenant_version SET {set} WHERE schema_name = {}",
        platform.quoted(),
        literal(schema.as_str())
    )
}

/// Sets the tenant's status.
pub fn set_status(platform: &SchemaName, schema: &SchemaName, state: TenantState) -> String {
    update(platform, schema, &format!("status = {}", literal(state.as_str())))
}

/// Sets the row's schema to `new`.
pub fn rename(platform: &SchemaName, schema: &SchemaName, new: &SchemaName) -> String {
    update(platform, schema, &format!("schema_name = {}", literal(new.as_str())))
}

/// The setting with the new name of a dropped tenant, as an expression.
pub const DROPPED: &str = "current_setting('tenure.dropped')";

/// Drops a tenant: renames its schema and updates its row. The new name is in the column `dropped` and in [`DROPPED`].
pub fn drop(platform: &SchemaName, schema: &SchemaName, slug: &str) -> String {
    format!(
        "SELECT {}.tenure_drop_tenant({}, {}) AS dropped",
        platform.quoted(),
        literal(schema.as_str()),
        literal(slug)
    )
}

/// Restores a dropped tenant under a free name, in its former status. Fails after a purge began.
pub fn undrop(platform: &SchemaName, dropped: &SchemaName, schema: &SchemaName) -> [String; 3] {
    let message = literal(&format!("the tenant of schema {dropped} is being deleted for good"));
    [
        format!(
            "SELECT {} FROM {} AND coalesce(purge_began_at, purged_at) IS NOT NULL",
            refuse(platform, error::WRONG_STATE, &message, None),
            row_of(platform, dropped),
        ),
        format!("ALTER SCHEMA {} RENAME TO {}", dropped.quoted(), schema.quoted()),
        update(
            platform,
            dropped,
            &format!(
                "schema_name = {}, status = coalesce(former_status, 'active'), former_status = NULL, former_schema = NULL, \
                 former_slug = NULL, dropped_at = NULL",
                literal(schema.as_str())
            ),
        ),
    ]
}

/// Drops objects of a dropped tenant with about `locks` locks. Their number is in the column `dropped`.
pub fn purge_some(platform: &SchemaName, schema: &SchemaName, locks: u32) -> String {
    format!(
        "SELECT {}.tenure_purge_some({}, {locks})::int8 AS dropped",
        platform.quoted(),
        literal(schema.as_str())
    )
}

/// Deletes the row.
pub fn delete(platform: &SchemaName, schema: &SchemaName) -> String {
    format!("DELETE FROM {}", row_of(platform, schema))
}

/// Marks the row of a tenant as purged. Without the row, the registry row would be a tenant without a version.
pub fn set_purged(platform: &SchemaName, schema: &SchemaName) -> String {
    update(platform, schema, "purged_at = now()")
}

/// Drops a schema, if it exists. Fails if objects outside of it depend on its objects.
pub fn drop_schema(platform: &SchemaName, schema: &SchemaName) -> [String; 2] {
    [
        super::checks::expect_no_dependents(platform, schema),
        format!("DROP SCHEMA IF EXISTS {} CASCADE", schema.quoted()),
    ]
}
