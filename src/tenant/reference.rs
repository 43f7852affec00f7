//! What the project's files make at a version, seen in the very database that is asked about: a schema of a random
//! name is made in a transaction, photographed and rolled back. So no server of our own is needed, and two
//! photographs are printed by the same hand.

use uuid::Uuid;

use super::provisioning::ProvisioningScript;
use super::scratch;
use crate::chain::Version;
use crate::error::{Code, Failure};
use crate::ident::SchemaName;
use crate::postgres::Connection;
use crate::postgres::batch::{BEGIN, Run, SessionState, SqlBatch};
use crate::postgres::catalog::{
    self, Change, Kind, Property, SchemaDifference, SchemaSnapshot, Transaction, What,
};
use crate::project::Project;
use crate::template::{Filled, Template};

/// How a schema differs from what it should be.
#[derive(Debug, Clone, Default)]
pub(super) struct Differences {
    /// In what it is.
    pub(super) definitions: Vec<SchemaDifference>,
    /// In who owns it and who may use it: roles belong to a server, not to the files.
    pub(super) access: Vec<SchemaDifference>,
}

/// The photograph of a tenant of `template` at `version`. Waits for locks no longer than the run's limits say; leaves
/// nothing.
pub(super) async fn snapshot(
    connection: &mut Connection,
    project: &Project,
    (template, version, filled): (&Template, &Version, &Filled),
    run: &Run,
) -> Result<SchemaSnapshot, Failure> {
    let (script, limits) = (ProvisioningScript::new(project, template, version)?, run.limits);
    if script.later().is_some() {
        let look = async |connection: &mut Connection, schema: &SchemaName| {
            catalog::snapshot(connection, schema).await
        };
        return scratch::with(connection, (run, &project.chain), (&script, filled), None, look).await;
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
        let mut failure = server_error.failure(&format!("making a tenant at {version} to compare with"));
        failure.place = message.place(&server_error);
        if failure.code == Code::StatementFailed {
            failure.code = Code::UnitFailed;
        }
        failure
    })?;
    let snapshot = catalog::snapshot_as(connection, &schema, Transaction::Current).await?;
    // A lock of the session is no part of the transaction.
    let undone = connection.run("SELECT pg_catalog.pg_advisory_unlock_all(); ROLLBACK").await;
    undone.map_err(|server_error| server_error.failure("undoing the tenant to compare with"))?;
    Ok(snapshot)
}

/// How `schema`, seen as `seen`, differs from `right`. Extensions belong to the database.
pub(super) fn differences(right: &SchemaSnapshot, seen: &SchemaSnapshot, schema: &SchemaName) -> Differences {
    differ(right, seen, schema, |_| true)
}

/// The same, but for whether a materialized view is filled, which is a matter of its rows.
pub(super) fn differences_but_rows(
    right: &SchemaSnapshot,
    seen: &SchemaSnapshot,
    schema: &SchemaName,
) -> Differences {
    let is_filled =
        |change: &Change| matches!(&change.what, What::Changed { property: Property::Populated, .. });
    differ(right, seen, schema, |change| !is_filled(change))
}

fn differ(
    right: &SchemaSnapshot,
    seen: &SchemaSnapshot,
    schema: &SchemaName,
    is_told: impl Fn(&Change) -> bool,
) -> Differences {
    let without = |snapshot: &SchemaSnapshot| snapshot.clone().without(|key| key.kind == Kind::Extension);
    let mut found = Differences::default();
    for change in Change::between(&without(right), &without(seen)).into_iter().filter(is_told) {
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
