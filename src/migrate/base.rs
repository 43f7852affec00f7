//! Reads the catalog of a database for `verify --schema-from`. Writes nothing.

use crate::error::Failure;
use crate::output::{plural, plural_of};
use crate::postgres::Connection;
use crate::postgres::catalog::{DatabaseReading, RowEstimate, RowWrite};
use crate::project::{Base, EstimatedRows, PendingWrite, Project};
use crate::sql::Scope;
use crate::verify::DatabaseCatalog;

/// Reads the catalog, and estimates how many rows the pending statements change.
pub async fn read_base(
    connection: &mut Connection,
    project: &Project,
) -> Result<(DatabaseCatalog, Base), Failure> {
    let (mut reading, catalog) = Box::pin(DatabaseReading::begin(connection, &project.settings)).await?;
    let base = Base::of(project, &catalog)?;
    let pending = base.pending_writes(project);
    let writes: Vec<RowWrite> = pending.iter().map(row_write).collect();
    let estimates = reading.estimate(&project.settings, &writes).await?;
    reading.end().await?;
    let found = pending.iter().zip(estimates);
    let estimates = found.filter_map(|(write, estimate)| Some(estimated(write, estimate?))).collect();
    Ok((catalog, base.with_estimates(estimates)))
}

fn row_write(write: &PendingWrite<'_>) -> RowWrite {
    let text = &write.migration.script.source.text[write.statement.range.clone()];
    RowWrite { sql: text.to_owned(), scope: write.scope, before: write.migration.to().clone() }
}

fn estimated(write: &PendingWrite<'_>, estimate: RowEstimate) -> EstimatedRows {
    let rows = plural(usize::try_from(estimate.rows).unwrap_or(usize::MAX), "row");
    let tenants = plural_of(estimate.of, "tenant", "tenants");
    let rows = match write.scope {
        Scope::Platform => format!("{rows} of the platform"),
        Scope::Tenant if estimate.schemas < estimate.of => {
            format!("{rows} in {} of {tenants}", estimate.schemas)
        }
        Scope::Tenant => format!("{rows} in {tenants}"),
    };
    EstimatedRows {
        file: write.migration.script.source.file.clone(),
        range: write.statement.range.clone(),
        rows,
    }
}
