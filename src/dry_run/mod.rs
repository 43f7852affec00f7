//! Runs `migrate up` on a branch and measures it: the locks and the duration of each statement, the changes of the catalog
//! and the results of the release's queries. The caller creates and deletes the branch. Nothing here accesses another
//! database.

mod catalog_diff;
mod measure;
mod release_queries;
mod result;
pub mod text;

pub use self::result::{
    BranchReport, DryRun, MeasuredStatement, MeasuredTable, ObjectChange, QueriesAsked, QueryBreak,
};
use std::rc::Rc;

use self::catalog_diff::CatalogDiff;
use self::measure::Measure;
use self::release_queries::ReleaseQueries;
use crate::error::Failure;
use crate::event::Sink;
use crate::executor::{self, Allowed, Migrated, Prepared, SlowTenant, Stop};
use crate::ident::SchemaName;
use crate::postgres::Connection;
use crate::postgres::metadata::state;
use crate::project::Project;
use crate::queries::Release;

/// Number of slowest tenants in the result.
const SLOWEST: usize = 5;

/// The measurements.
#[derive(Debug)]
pub struct Seen {
    /// The result of the run.
    pub migrated: Migrated,
    /// The measured statements.
    pub statements: Vec<MeasuredStatement>,
    /// The slowest tenants.
    pub slowest: Vec<SlowTenant>,
    /// The changes of the catalog.
    pub changes: Vec<ObjectChange>,
    /// The results of the release's queries.
    pub queries: Option<QueriesAsked>,
    /// Notes about missing measurements.
    pub notes: Vec<String>,
}

/// Migrates the branch behind `connection` and measures it.
pub async fn run(
    connection: &mut Connection,
    project: &Project,
    mut prepared: Prepared,
    release: Option<&Release>,
    (allowed, command): (&Allowed, &str),
    (sink, stop): (&mut dyn Sink, &Stop),
) -> Result<Seen, Failure> {
    let platform = project.settings.platform_schema();
    let tenants = tenants(connection, project, &prepared).await?;
    let before = CatalogDiff::take(connection, &platform, &tenants).await?;
    let mut release_queries = match release {
        Some(release) => {
            let tenant = tenants.first().unwrap_or(&platform);
            let shared = project.settings.shared_path();
            Some(ReleaseQueries::observe_before(connection, release, (tenant, &platform, &shared)).await?)
        }
        None => None,
    };
    let measure = Rc::new(Measure::new(platform.clone())?);
    prepared.observer = Some(Rc::<Measure>::clone(&measure));
    let mut migrated =
        executor::migrate(connection, project, &prepared, allowed, command, (sink, stop)).await?;
    let queries = match &mut release_queries {
        Some(release_queries) => Some(release_queries.observe_after(connection).await?),
        None => None,
    };
    let changes = before.changes(connection).await?;
    let summary = measure.summary(SLOWEST);
    // The run's own durations include the measuring.
    if !migrated.slowest.is_empty() {
        migrated.slowest.clone_from(&summary.slowest);
    }
    Ok(Seen {
        migrated,
        statements: summary.statements,
        slowest: summary.slowest,
        changes,
        queries,
        notes: summary.trouble.into_iter().collect(),
    })
}

/// The schemas of the requested tenants.
async fn tenants(
    connection: &mut Connection,
    project: &Project,
    prepared: &Prepared,
) -> Result<Vec<SchemaName>, Failure> {
    if !prepared.only.is_empty() {
        return Ok(prepared.only.clone());
    }
    let all = state::tenants(connection, &project.settings, prepared.state.presence, &[]).await?;
    Ok(all.into_iter().filter(|tenant| tenant.version.is_some()).map(|tenant| tenant.schema).collect())
}
