//! Statements on the version rows: the platform's, and those of the tenants and of the pool's schemas.

use std::collections::BTreeMap;

use super::TenantState;
use super::checks::refuse;
use crate::chain::{Migration, Version};
use crate::error::Failure;
use crate::ident::{Identifier, SchemaName, literal};
use crate::postgres::batch::{HistoryRow, Run};
use crate::postgres::{Connection, Row, error};

/// The column of the schemas whose rows a platform's unit moved.
pub const MOVED: &str = "tenure_moved_schema";

/// The condition on the version rows of schemas that units are run on.
const MIGRATED: &str = "status <> 'dropped'";

/// What a lost answer to a unit's message would have said.
#[derive(Debug)]
pub struct Committed {
    /// The version of the unit's schema.
    pub version: Option<String>,
    /// How many milliseconds the unit took, if this run did it.
    pub took: Option<i64>,
    /// The rows of which a platform's unit moved the version.
    pub moved: Vec<Row>,
}

/// Whether schemas of the pool are meant too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pool {
    /// Yes.
    With,
    /// Only tenants.
    Without,
}

/// The row of `schema`: the table and the condition.
pub(super) fn row_of(platform: &SchemaName, schema: &SchemaName) -> String {
    format!("{}.tenant_version WHERE schema_name = {}", platform.quoted(), literal(schema.as_str()))
}

/// Locks the platform's row.
pub fn lock_platform(platform: &SchemaName) -> String {
    format!("SELECT 1 FROM {}.schema_version FOR UPDATE", platform.quoted())
}

/// Moves the platform's row, unless it is at another version.
pub fn advance_platform(platform: &SchemaName, from: &Version, to: &Version) -> String {
    format!("SELECT {}.tenure_advance_platform('{from}', '{to}')", platform.quoted())
}

/// Refused unless the platform is at `version`; keeps it there until the end of the transaction.
pub fn expect_platform(platform: &SchemaName, version: &Version) -> String {
    format!("SELECT {}.tenure_expect_platform('{version}')", platform.quoted())
}

/// How somebody deletes the platform's row.
pub fn delete_platform(platform: &SchemaName) -> String {
    format!("DELETE FROM {}.schema_version", platform.quoted())
}

/// Moves a tenant's row, unless it is at another version.
pub fn advance(platform: &SchemaName, schema: &SchemaName, from: &Version, to: &Version) -> String {
    format!("SELECT {}.tenure_advance({}, '{from}', '{to}')", platform.quoted(), literal(schema.as_str()))
}

/// Moves the rows of all that are at `from`.
pub fn advance_all(platform: &SchemaName, from: &Version, to: &Version) -> String {
    format!(
        "UPDATE {}.tenant_version SET version = '{to}', applied_at = clock_timestamp() \
         WHERE version = '{from}' AND {MIGRATED} RETURNING schema_name AS {MOVED}",
        platform.quoted(),
    )
}

/// Whether a unit, whose answer was lost, was committed, and by whom. The rows that the platform's moved are those that are
/// there and were before it.
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

/// The schemas that have one of `steps` before them, and their versions: a page of `limit`, after `cursor`; of only these schemas, if
/// some are named.
pub fn page_behind(platform: &SchemaName, behind: &str, (cursor, limit): (&str, usize)) -> String {
    format!(
        "SELECT schema_name, version FROM {}.tenant_version WHERE {behind} AND schema_name > {} ORDER BY schema_name LIMIT {limit}",
        platform.quoted(),
        literal(cursor),
    )
}

/// How many have one of the steps before them, in the column `tenants`.
pub fn count_behind(platform: &SchemaName, behind: &str) -> String {
    format!("SELECT count(*)::int8 AS tenants FROM {}.tenant_version WHERE {behind}", platform.quoted())
}

/// The condition that one of `steps` is before a schema; of only these schemas, if some are named.
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

/// A schema and its version, of a row of such a query.
pub fn version_of(row: &Row) -> Result<(String, String), Failure> {
    Ok((row.text("schema_name")?, row.text("version")?))
}

/// The versions of the schemas that have one.
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

/// A text that is another after each change of the row's version or status; empty where there is no row.
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

/// The lock that a unit outside of a transaction has on its schema, taken if it is free: an expression.
pub fn try_alone(schema: &SchemaName) -> String {
    format!("pg_try_advisory_xact_lock(hashtext('tenure alone'), hashtext({}))", literal(schema.as_str()))
}

/// Locks the row of `schema`, which must be in one of the states.
pub fn hold(platform: &SchemaName, schema: &SchemaName, states: &[TenantState]) -> String {
    format!("SELECT FROM {}", held(platform, schema, states))
}

/// The same while no unit runs on the schema outside of a transaction.
pub fn hold_still(platform: &SchemaName, schema: &SchemaName, states: &[TenantState]) -> String {
    format!("SELECT FROM {}.tenure_hold({}, true)", platform.quoted(), of_states(schema, states))
}

/// The same with a condition on the row `held`: where it holds, `refusal` is evaluated.
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

/// Locks the row of a dropped tenant; refused where the tenant is purged and only its rows stayed.
pub fn hold_dropped(platform: &SchemaName, schema: &SchemaName) -> String {
    let message = literal(&format!("the tenant of schema {schema} is deleted already"));
    let refusal = refuse(platform, error::NO_VERSION_ROW, &message, None);
    hold_unless(platform, (schema, &[TenantState::Dropped]), "held.purged_at IS NOT NULL", &refusal)
}

/// Writes the row of a new tenant, with the role that was made for it.
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

/// The values of parameters that give the schema its shape, as they stand in the row. Others may be secrets, and stand
/// nowhere but where the template puts them.
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

/// Writes the tenant's status.
pub fn set_status(platform: &SchemaName, schema: &SchemaName, state: TenantState) -> String {
    update(platform, schema, &format!("status = {}", literal(state.as_str())))
}

/// Gives the row to the schema `new`.
pub fn rename(platform: &SchemaName, schema: &SchemaName, new: &SchemaName) -> String {
    update(platform, schema, &format!("schema_name = {}", literal(new.as_str())))
}

/// The setting that holds the name of a tenant that was dropped, as an expression.
pub const DROPPED: &str = "current_setting('tenure.dropped')";

/// Drops a tenant: its schema and its row get another name, in the column `dropped` and in [`DROPPED`].
pub fn drop(platform: &SchemaName, schema: &SchemaName, slug: &str) -> String {
    format!(
        "SELECT {}.tenure_drop_tenant({}, {}) AS dropped",
        platform.quoted(),
        literal(schema.as_str()),
        literal(slug)
    )
}

/// Brings a dropped tenant back under a name that is free, in the status that it had; refused once its purge began.
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

/// Drops objects of a dropped tenant with about `locks` locks; how many, in the column `dropped`.
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

/// Keeps the row of a tenant that is purged: without it the registry's row would be a tenant without a version.
pub fn set_purged(platform: &SchemaName, schema: &SchemaName) -> String {
    update(platform, schema, "purged_at = now()")
}

/// Drops what there is of a schema, unless others depend on what is in it.
pub fn drop_schema(platform: &SchemaName, schema: &SchemaName) -> [String; 2] {
    [
        super::checks::expect_no_dependents(platform, schema),
        format!("DROP SCHEMA IF EXISTS {} CASCADE", schema.quoted()),
    ]
}
