//! `migrate up` on a branch, to see what it does there: the fleet is migrated as ever, and between the statements of
//! each unit the server is asked what they locked and how long that took. What comes out is told, and the branch is
//! whoever's who made it. Nothing here knows another database than the branch.

mod catalog_diff;
mod measure;
mod questions;
mod result;
pub mod text;

pub use self::result::{
    BranchReport, DryRun, MeasuredStatement, MeasuredTable, ObjectChange, QueriesAsked, QueryBreak,
};
use std::rc::Rc;

use tokio_util::sync::CancellationToken;

use self::catalog_diff::CatalogDiff;
use self::measure::Measure;
use self::questions::Questions;
use crate::error::Failure;
use crate::event::Sink;
use crate::executor::{self, Allowed, Migrated, Prepared, SlowTenant};
use crate::ident::SchemaName;
use crate::postgres::Connection;
use crate::postgres::metadata::state;
use crate::project::Project;
use crate::queries::Release;

/// How many of the slowest tenants are told.
const SLOWEST: usize = 5;

/// What was seen.
#[derive(Debug)]
pub struct Seen {
    /// What the run did.
    pub migrated: Migrated,
    /// What each statement did.
    pub statements: Vec<MeasuredStatement>,
    /// The tenants that took longest.
    pub slowest: Vec<SlowTenant>,
    /// What is different in the catalog.
    pub changes: Vec<ObjectChange>,
    /// What became of the release's queries.
    pub queries: Option<QueriesAsked>,
    /// What could not be seen, and why.
    pub notes: Vec<String>,
}

/// Migrates the branch that `connection` leads to.
pub async fn run(
    connection: &mut Connection,
    project: &Project,
    mut prepared: Prepared,
    release: Option<&Release>,
    (allowed, command): (&Allowed, &str),
    (sink, stop): (&mut dyn Sink, &CancellationToken),
) -> Result<Seen, Failure> {
    let platform = project.settings.platform_schema();
    let tenants = tenants(connection, project, &prepared).await?;
    let before = CatalogDiff::take(connection, &platform, &tenants).await?;
    let mut questions = match release {
        Some(release) => {
            let tenant = tenants.first().unwrap_or(&platform);
            let shared = project.settings.shared_path();
            Some(Questions::ask(connection, release, (tenant, &platform, &shared)).await?)
        }
        None => None,
    };
    let measure = Rc::new(Measure::new(platform.clone())?);
    prepared.observer = Some(Rc::<Measure>::clone(&measure));
    let mut migrated =
        executor::migrate(connection, project, &prepared, allowed, command, (sink, stop)).await?;
    let queries = match &mut questions {
        Some(questions) => Some(questions.ask_again(connection).await?),
        None => None,
    };
    let changes = before.changes(connection).await?;
    let told = measure.told(SLOWEST);
    // Those of the run have the time in them that measuring took.
    if !migrated.slowest.is_empty() {
        migrated.slowest.clone_from(&told.slowest);
    }
    Ok(Seen {
        migrated,
        statements: told.statements,
        slowest: told.slowest,
        changes,
        queries,
        notes: told.trouble.into_iter().collect(),
    })
}

/// The schemas of the tenants that are meant.
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
