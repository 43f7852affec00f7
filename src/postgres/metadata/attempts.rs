//! Tenants and pool schemas that are created in more than one transaction. The version row contains the attempt and its deadline,
//! until which no other run removes the schema.

use std::collections::BTreeMap;
use std::time::Duration;

use uuid::Uuid;

use super::checks::refuse;
use super::version_rows::{self, hold_unless, parameters, update};
use super::{TenantState, history, registry, roles};
use crate::chain::{Checksum, Migration};
use crate::error::Failure;
use crate::ident::{SchemaName, literal};
use crate::postgres::batch::{BEGIN, Kind, Run};
use crate::postgres::{Connection, error};

/// The attempt whose tenant is removed.
#[derive(Debug, Clone, Copy)]
pub enum Attempt {
    /// This attempt.
    Of(Uuid),
    /// Any attempt whose deadline has passed.
    Stale,
}

/// The template and the values that a tenant is created from.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The template's name.
    pub template: &'a str,
    /// The template's checksum.
    pub checksum: &'a Checksum,
    /// The values of the parameters that affect the schema's structure.
    pub values: &'a BTreeMap<String, String>,
}

fn until(limit: Duration) -> String {
    format!("making_until = clock_timestamp() + interval '{} milliseconds'", limit.as_millis())
}

fn lost(schema: &SchemaName) -> String {
    literal(&format!("the tenant of schema {schema} is no longer being made by this run"))
}

/// Sets the attempt `id` and its deadline in the tenant's row.
pub fn mark(platform: &SchemaName, schema: &SchemaName, id: Uuid, limit: Duration) -> String {
    update(platform, schema, &format!("making = '{id}', {}", until(limit)))
}

/// Like [`mark`]; also sets the checksum of the template whose steps remain.
pub fn mark_unfinished(
    platform: &SchemaName,
    schema: &SchemaName,
    checksum: &Checksum,
    (id, limit): (Uuid, Duration),
) -> String {
    let made_from = literal(checksum.as_str());
    update(platform, schema, &format!("made_from = {made_from}, making = '{id}', {}", until(limit)))
}

/// The transaction that extends the attempt's deadline. Skips a row that a unit has locked.
pub fn extend(run: &Run, schema: &SchemaName, limit: Duration) -> String {
    let table = format!("{}.tenant_version", run.platform.quoted());
    format!(
        "{BEGIN}; UPDATE {table} SET {} WHERE schema_name = \
         (SELECT schema_name FROM {table} WHERE schema_name = {} AND making = '{}' FOR UPDATE SKIP LOCKED); COMMIT",
        until(limit),
        literal(schema.as_str()),
        run.id,
    )
}

/// The transaction that ends the attempt's deadline.
pub fn give_up(platform: &SchemaName, id: Uuid) -> String {
    format!(
        "{BEGIN}; UPDATE {}.tenant_version SET making_until = now() WHERE making = '{id}'; COMMIT",
        platform.quoted()
    )
}

/// Locks the row of a tenant that the attempt `id` creates.
pub fn hold(platform: &SchemaName, schema: &SchemaName, id: Uuid) -> String {
    let refusal = refuse(platform, error::NOT_OWNED_BY_RUN, &lost(schema), None);
    let condition = format!("held.making IS DISTINCT FROM '{id}'");
    hold_unless(platform, (schema, &[TenantState::Creating]), &condition, &refusal)
}

/// Selects the status of the tenant that the attempt `id` creates. Waits for sessions that write the row; if there is no row, the
/// first statement inserts one, which the caller rolls back.
pub fn status(platform: &SchemaName, schema: &SchemaName, id: Uuid) -> [String; 2] {
    let (table, named) = (format!("{}.tenant_version", platform.quoted()), literal(schema.as_str()));
    [
        format!(
            "INSERT INTO {table} (schema_name, version, status) VALUES ({named}, '0.0.0', 'creating') \
             ON CONFLICT (schema_name) DO NOTHING"
        ),
        format!("SELECT status FROM {table} WHERE schema_name = {named} AND making = '{id}' FOR UPDATE"),
    ]
}

/// Records in the tenant's row that its registry row existed before, as [`registry::complete`] found it.
pub fn note_found_row(platform: &SchemaName, schema: &SchemaName) -> String {
    // A later transaction does not have the setting.
    let found =
        format!("found_row = coalesce(nullif(current_setting('{}', true), ''), found_row)", registry::FOUND);
    update(platform, schema, &found)
}

/// Whether the newest event of the schema is one of this run, which has therefore created it.
pub async fn is_of_run(connection: &mut Connection, run: &Run, schema: &SchemaName) -> Result<bool, Failure> {
    let sql = format!(
        "SELECT h.run_id = '{}' AND h.kind <> '{}' AS is_own FROM {}.migration_history h WHERE h.schema_name = {} \
         ORDER BY h.id DESC LIMIT 1",
        run.id,
        Kind::UNDONE.as_str(),
        run.platform.quoted(),
        literal(schema.as_str()),
    );
    let sets = connection.query_batch(&sql).await;
    let sets = sets.map_err(|server_error| server_error.failure("reading who created a tenant"))?;
    sets.iter().flatten().next().map_or(Ok(false), |row| row.get_bool("is_own"))
}

/// Removes an unfinished tenant except its registry row. The history keeps its rows and gets a row of kind `undone`.
pub fn undo(run: &Run, schema: &SchemaName, attempt: Attempt) -> Vec<String> {
    let platform = &run.platform;
    let mut statements = Vec::new();
    match attempt {
        Attempt::Of(id) => statements.push(hold(platform, schema, id)),
        Attempt::Stale => {
            let message = literal(&format!("the tenant of schema {schema} is being made by another run"));
            let row = version_rows::row_of(platform, schema);
            let locked = refuse(platform, error::BEING_COPIED, &message, None);
            // A run that copies rows keeps the version row locked.
            statements.push(format!(
                "SELECT {locked} WHERE EXISTS (SELECT FROM {row}) \
                 AND NOT EXISTS (SELECT FROM {row} FOR UPDATE SKIP LOCKED)"
            ));
            let creating: (_, &[_]) = (schema, &[TenantState::Creating]);
            let detail =
                "to_char(held.making_until AT TIME ZONE 'UTC', '\"until\" YYYY-MM-DD HH24:MI:SS \"UTC\"')";
            let refusal = refuse(platform, error::BEING_CREATED, &message, Some(detail));
            statements.push(hold_unless(
                platform,
                creating,
                "held.making_until > clock_timestamp()",
                &refusal,
            ));
            statements.push(format!("SELECT {locked} FROM {row} AND making_until IS NULL"));
        }
    }
    // Before the version row is deleted: what becomes of the registry row.
    statements.push(format!(
        "SELECT set_config('{}', coalesce(found_row, ''), true) FROM {}",
        registry::FOUND,
        version_rows::row_of(platform, schema)
    ));
    statements.extend(version_rows::drop_schema(platform, schema));
    statements.push(roles::drop(platform, schema));
    statements.push(history::undone(run, schema));
    statements.push(version_rows::delete(platform, schema));
    statements
}

/// Activates the tenant that the attempt `id` created. Idempotent.
pub fn activate(platform: &SchemaName, schema: &SchemaName, id: Uuid) -> String {
    format!(
        "WITH made AS ({} AND making = '{id}' AND status IN ('creating', 'active') RETURNING 1) \
         SELECT {} WHERE NOT EXISTS (SELECT FROM made)",
        version_rows::set_status(platform, schema, TenantState::Active),
        refuse(platform, error::NOT_OWNED_BY_RUN, &lost(schema), None),
    )
}

/// Ends the attempt at a tenant with the steps `steps`. Fails while one of them is pending, or if another run has ended the
/// attempt. The caller has locked the row.
pub fn finish(platform: &SchemaName, schema: &SchemaName, steps: &[Migration]) -> [String; 2] {
    let behind: Vec<String> = steps.iter().map(|step| format!("'{}'", step.from())).collect();
    [
        format!(
            "SELECT {} WHERE NOT EXISTS (SELECT FROM {} AND made_from IS NOT NULL AND version NOT IN ({}))",
            refuse(platform, error::NOT_OWNED_BY_RUN, &lost(schema), None),
            version_rows::row_of(platform, schema),
            behind.join(", ")
        ),
        update(platform, schema, "made_from = NULL, making_until = NULL"),
    ]
}

/// Fails unless the tenant is being created from that source. The caller has locked the row.
pub fn expect_source(platform: &SchemaName, schema: &SchemaName, source: Source<'_>) -> String {
    let refusal = refuse(platform, error::NOT_OWNED_BY_RUN, "'the tenant is made otherwise'", None);
    format!("SELECT {refusal} WHERE NOT EXISTS ({})", being_made(platform, schema, source))
}

/// The attempt that creates the tenant from that source, if there is one, and whether the registry row existed before.
pub async fn attempt_of(
    connection: &mut Connection,
    platform: &SchemaName,
    schema: &SchemaName,
    source: Source<'_>,
    doing: &str,
) -> Result<Option<(Uuid, bool)>, Failure> {
    let sets = connection.query_batch(&being_made(platform, schema, source)).await;
    let sets = sets.map_err(|server_error| server_error.failure(doing))?;
    let Some(row) = sets.iter().flatten().next() else { return Ok(None) };
    let (attempt, is_found) = (row.optional_text("attempt")?, row.get_bool("is_found")?);
    Ok(attempt.and_then(|id| Some((id.parse().ok()?, is_found))))
}

fn being_made(platform: &SchemaName, schema: &SchemaName, source: Source<'_>) -> String {
    format!(
        "SELECT making::text AS attempt, found_row IS NOT NULL AS is_found FROM {} AND status = 'creating' AND template = {} \
         AND made_from = {} AND parameters IS NOT DISTINCT FROM {}::jsonb",
        version_rows::row_of(platform, schema),
        literal(source.template),
        literal(source.checksum.as_str()),
        parameters(source.values),
    )
}
