//! The reference schema of a version, created from the project's files in the same database: in a transaction that is rolled
//! back. So no other server is needed, and both snapshots are printed by the same server.

use uuid::Uuid;

use super::provisioning::ProvisioningScript;
use super::scratch;
use crate::chain::Version;
use crate::error::{Code, Failure};
use crate::ident::SchemaName;
use crate::postgres::Connection;
use crate::postgres::batch::{BEGIN, Run, SessionState, SqlBatch};
use crate::postgres::catalog::{
    self, Change, Fingerprint, Fingerprints, Kind, Property, SchemaDifference, SchemaSnapshot, Transaction,
    What,
};
use crate::project::Project;
use crate::template::{BoundParameters, Template};

/// The differences between a schema and its reference.
#[derive(Debug, Clone, Default)]
pub(super) struct Differences {
    /// Differences in definitions.
    pub(super) definitions: Vec<SchemaDifference>,
    /// Differences in owners and privileges: roles belong to a server, not to the files.
    pub(super) access: Vec<SchemaDifference>,
}

/// The fingerprint and the snapshot of a tenant of `template` at `version`, with sample values of parameters.
pub async fn expected_schema(
    connection: &mut Connection,
    project: &Project,
    (template, version): (&Template, &Version),
) -> Result<(Fingerprint, SchemaSnapshot), Failure> {
    let filled = template.parameters.bind(&template.parameters.samples(), &template.name)?;
    let run = Run::new(&project.settings, project.settings.migrate);
    snapshot(connection, project, (template, version, &filled), &run).await
}

/// The fingerprint and the snapshot of a tenant of `template` at `version`. Respects the run's lock timeout; leaves nothing
/// behind, and reads and writes neither the registry nor Tenure's own tables.
pub(super) async fn snapshot(
    connection: &mut Connection,
    project: &Project,
    (template, version, filled): (&Template, &Version, &BoundParameters),
    run: &Run,
) -> Result<(Fingerprint, SchemaSnapshot), Failure> {
    let (script, limits) = (ProvisioningScript::new(project, template, version)?, run.limits);
    if script.later().is_some() {
        let read = async |connection: &mut Connection, schema: &SchemaName| {
            read(connection, schema, Transaction::Own).await
        };
        return scratch::with(connection, (run, &project.chain), (&script, filled), None, read).await;
    }
    let schema = SchemaName::existing(format!("tenure_{}", Uuid::new_v4().simple()))?;
    let mut message = SqlBatch::default();
    message.push(BEGIN);
    message.push(&format!("SET LOCAL statement_timeout = {}", limits.statement_timeout.milliseconds()));
    message.push(&format!("SET LOCAL lock_timeout = {}", limits.lock_timeout.milliseconds()));
    script.structure((&schema, None), filled, &mut message)?;
    if script.left() == SessionState::Possible {
        message.reset_role();
    }
    connection.send(&message).await.map_err(|server_error| {
        let mut failure = server_error.failure(&format!("creating a tenant at {version} to compare with"));
        failure.place = message.place(&server_error);
        if failure.code == Code::StatementFailed {
            failure.code = Code::UnitFailed;
        }
        failure
    })?;
    let made = read(connection, &schema, Transaction::Current).await?;
    // Session locks survive the rollback.
    let undone = connection.run("SELECT pg_catalog.pg_advisory_unlock_all(); ROLLBACK").await;
    undone.map_err(|server_error| server_error.failure("rolling back the tenant to compare with"))?;
    Ok(made)
}

async fn read(
    connection: &mut Connection,
    schema: &SchemaName,
    transaction: Transaction,
) -> Result<(Fingerprint, SchemaSnapshot), Failure> {
    let only = std::slice::from_ref(schema);
    let (prints, snapshots) =
        catalog::changed_since(connection, only, &Fingerprints::new(), transaction).await?;
    match (prints.into_values().next(), snapshots.into_values().next()) {
        (Some(print), Some(snapshot)) => Ok((print, snapshot)),
        _ => Err(Failure::new(Code::StatementFailed, "the tenant to compare with has no schema")),
    }
}

/// The differences of `schema`, whose snapshot is `seen`, from `right`, a schema with another name. Extensions are excluded: they belong to the database.
pub(super) fn differences(
    right: &SchemaSnapshot,
    seen: &SchemaSnapshot,
    schemas: (&SchemaName, Option<&SchemaName>),
) -> Differences {
    differ(right, seen, schemas, |_| true)
}

/// The same, except whether a materialized view is populated, which depends on its rows.
pub(super) fn differences_but_rows(
    right: &SchemaSnapshot,
    seen: &SchemaSnapshot,
    schemas: (&SchemaName, Option<&SchemaName>),
) -> Differences {
    let is_filled =
        |change: &Change| matches!(&change.what, What::Changed { property: Property::Populated, .. });
    differ(right, seen, schemas, |change| !is_filled(change))
}

fn differ(
    right: &SchemaSnapshot,
    seen: &SchemaSnapshot,
    (schema, other): (&SchemaName, Option<&SchemaName>),
    is_reported: impl Fn(&Change) -> bool,
) -> Differences {
    let without = |snapshot: &SchemaSnapshot| snapshot.clone().without(|key| key.kind == Kind::Extension);
    let mut found = Differences::default();
    let names: Vec<&SchemaName> = std::iter::once(schema).chain(other).collect();
    let changes = Change::between_tenants(&without(right), &without(seen), &names);
    for change in changes.into_iter().filter(is_reported) {
        let line = SchemaDifference {
            schema: schema.clone(),
            object: change.object.to_string(),
            change: change.line(),
        };
        let list = if change.is_access() { &mut found.access } else { &mut found.definitions };
        list.push(line);
    }
    found
}
