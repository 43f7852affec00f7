//! Runs `migrate up` on a branch and measures it: the locks and the duration of each statement, the changes of the catalog
//! and the results of the release's queries. The caller creates and deletes the branch. Nothing here accesses another
//! database.

mod catalog_diff;
mod known_names;
mod measure;
mod on_branch;
mod release_queries;
mod result;
pub mod text;

pub use self::on_branch::{Listener, Outcome, Trial, on_branch};
pub use self::result::{
    BranchReport, DryRun, HeldLock, MeasuredStatement, MeasuredTable, ObjectChange, QueriesAsked, QueryBreak,
};
use std::rc::Rc;

use tokio_util::sync::CancellationToken;

use self::catalog_diff::CatalogDiff;
use self::known_names::KnownNames;
use self::measure::Measure;
use self::release_queries::ReleaseQueries;
use crate::error::Failure;
use crate::event::{Activity, Event, Sink};
use crate::executor::{Notices, SlowTenant};
use crate::migrate::{self, ApprovedPlan, Migrated};
use crate::postgres::Connection;
use crate::project::Project;
use crate::queries::Release;

/// Number of slowest tenants in the result.
const SLOWEST: usize = 5;

/// The measurements.
#[derive(Debug)]
struct Seen {
    /// The result of the run.
    migrated: Migrated,
    /// The measured statements.
    statements: Vec<MeasuredStatement>,
    /// The slowest tenants.
    slowest: Vec<SlowTenant>,
    /// The changes of the catalog.
    changes: Vec<ObjectChange>,
    /// The results of the release's queries.
    queries: Option<QueriesAsked>,
    /// Notes about missing measurements.
    notes: Vec<String>,
}

/// Passes events on, without texts of the server that may contain rows: the log of a dry run may be public.
struct Publishing<'s>(&'s mut dyn Sink);

impl Sink for Publishing<'_> {
    fn take(&mut self, event: &Event<'_>) {
        match event {
            Event::UnitDelayed { schema, migration, failure, pause } => {
                let failure = &(*failure).clone().published();
                self.0.take(&Event::UnitDelayed { schema, migration, failure, pause: *pause });
            }
            Event::UnitFailed { schema, migration, failure } => {
                let failure = &(*failure).clone().published();
                self.0.take(&Event::UnitFailed { schema, migration, failure });
            }
            Event::Notice { .. } => {}
            // The branch has no other sessions, but their queries would not be published either.
            Event::Running { oldest, delayed, activity } => {
                let activity = &Activity { holder: None, ..(*activity).clone() };
                self.0.take(&Event::Running { oldest: *oldest, delayed: *delayed, activity });
            }
            other => self.0.take(other),
        }
    }
}

/// Migrates the branch behind `connection` and measures it.
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
    let mut known = KnownNames::of(project, &tenants.iter().chain([&platform]).collect::<Vec<_>>(), release);
    before.before().for_each(|snapshot| known.add_snapshot(snapshot));
    let mut release_queries = match release {
        Some(release) => {
            let tenant = tenants.first().unwrap_or(&platform);
            let shared = project.settings.shared_path();
            Some(ReleaseQueries::observe_before(connection, release, (tenant, &platform, &shared)).await?)
        }
        None => None,
    };
    let measure = Rc::new(Measure::new(platform.clone())?);
    plan.observe(Rc::<Measure>::clone(&measure));
    let talk = (&mut Publishing(sink) as &mut dyn Sink, &CancellationToken::new());
    let migrated = migrate::run(connection, project, &plan, command, talk).await;
    let mut migrated = migrated.map_err(Failure::published)?;
    migrated.notices = Notices::default();
    for failed in &mut migrated.failures {
        failed.failure = failed.failure.clone().published();
    }
    let mut queries = match &mut release_queries {
        Some(release_queries) => Some(release_queries.observe_after(connection).await?),
        None => None,
    };
    let changes = before.changes(connection, &known).await?;
    let mut summary = measure.summary(SLOWEST);
    let broken = queries.as_mut().map(|queries| queries.broken.as_mut_slice()).unwrap_or_default();
    known.publish(&mut summary.statements, broken);
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
