//! `report --html`: one page about the chain, the fleet, failures, drift, durations, findings, the tables and the runs. Only reads.

mod cause;
mod page;

use crate::diagram::{self, Output};
use crate::drift::{self, Drifted};
use crate::error::Failure;
use crate::migrate::{self, Check, List, Status};
use crate::postgres::Connection;
use crate::postgres::metadata::fleet_times::{self, FleetTimes};
use crate::postgres::metadata::state;
use crate::postgres::server::Environment;
use crate::project::{EffectsByFile, Focus, Project, Review};
use crate::runs::{self, RunList};

/// The number of runs.
const RUNS: u32 = 50;

/// What the page shows.
#[derive(Debug)]
pub struct Report<'a> {
    project: &'a Project,
    /// The database, without credentials.
    database: String,
    status: Status,
    times: FleetTimes,
    runs: RunList,
    /// The tenants' drift, if it was requested.
    drift: Option<Drifted>,
    review: Result<Review, Failure>,
    /// The diagram of the files as SVG.
    diagram: Option<String>,
}

/// Reads what the page shows. `missing_file` is the failure of an applied file that is missing; `drift` is the environment of the
/// private server with which the tenants' schemas are compared, if that was requested.
pub async fn read<'a>(
    connection: &mut Connection,
    project: &'a Project,
    missing_file: Option<Failure>,
    drift: Option<&Environment>,
) -> Result<Report<'a>, Failure> {
    let platform = project.settings.platform_schema();
    let status = migrate::status(connection, project, List::Tenants, missing_file, Check::Drift).await?;
    let has_tables = state::presence(connection, &project.settings).await?.own_tables;
    let times = fleet_times::read(connection, &platform, has_tables).await?;
    let runs = runs::list(connection, &platform, RUNS, has_tables).await?;
    let drift = match drift {
        Some(environment) => Some(Box::pin(drift::drift(connection, project, &[], environment)).await?),
        None => None,
    };
    let (effects, focus) = (EffectsByFile::new(), Focus::default());
    let review = Review::of(project, project.chain.migrations(), project.templates.values(), &effects, focus);
    let diagram = diagram::of_files(project).ok().map(|diagram| diagram.text(Output::Svg));
    let url = connection.url();
    let database = format!("{} at {}", url.database(), url.address());
    Ok(Report { project, database, status, times, runs, drift, review, diagram })
}

impl Report<'_> {
    /// The page.
    pub fn html(&self) -> String {
        page::page(self)
    }

    /// The number of tenants.
    pub fn tenants(&self) -> usize {
        self.status.tenants.total
    }
}
