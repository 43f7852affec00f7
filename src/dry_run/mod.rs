//! `migrate up` on a branch, to see what it does there: the fleet is migrated as ever, and between the statements of
//! each unit the server is asked what they locked and how long that took. What comes out is told, and the branch is
//! whoever's who made it. Nothing here knows another database than the branch.

mod catalog_diff;
mod measure;
mod on_branch;
mod questions;
mod result;
pub mod text;

pub use self::on_branch::{Listener, Outcome, Trial, on_branch};
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
use crate::executor::SlowTenant;
use crate::migrate::{self, ApprovedPlan, Migrated};
use crate::postgres::Connection;
use crate::project::Project;
use crate::queries::Release;

/// How many of the slowest tenants are told.
const SLOWEST: usize = 5;

/// What was seen.
#[derive(Debug)]
struct Seen {
    /// What the run did.
    migrated: Migrated,
    /// What each statement did.
    statements: Vec<MeasuredStatement>,
    /// The tenants that took longest.
    slowest: Vec<SlowTenant>,
    /// What is different in the catalog.
    changes: Vec<ObjectChange>,
    /// What became of the release's queries.
    queries: Option<QueriesAsked>,
    /// What could not be seen, and why.
    notes: Vec<String>,
}

/// Runs `plan` on the branch that `connection` leads to, and measures it.
async fn run(
    connection: &mut Connection,
    project: &Project,
    mut plan: ApprovedPlan,
    (release, command): (Option<&Release>, &str),
    sink: &mut dyn Sink,
) -> Result<Seen, Failure> {
    let platform = project.settings.platform_schema();
    let tenants = plan.tenants(connection, &project.settings).await?;
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
    plan.observe(Rc::<Measure>::clone(&measure));
    let talk = (sink, &CancellationToken::new());
    let mut migrated = migrate::run(connection, project, &plan, command, talk).await?;
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
