//! `tenure drift`

use clap::Args;

use super::report::{self, ReportArgs};
use super::{Context, database};
use crate::drift::{self, Drifted};
use crate::error::Failure;
use crate::ident::Slug;

#[derive(Debug, Args)]
pub(super) struct DriftArgs {
    /// Compare only this tenant; repeatable
    #[arg(long, value_name = "SLUG")]
    tenant: Vec<String>,
    #[command(flatten)]
    report: ReportArgs,
}

pub(super) async fn run(context: &Context, args: &DriftArgs) -> Result<u8, Failure> {
    report::show(context, args.report.output, Box::pin(look(context, args)).await)
}

async fn look(context: &Context, args: &DriftArgs) -> Result<Drifted, Failure> {
    let project = database::project(context).await?;
    let tenants = args.tenant.iter().map(|slug| Slug::new(slug)).collect::<Result<Vec<_>, _>>()?;
    let mut connection = database::connect(context, &project.root).await?;
    let drifted =
        Box::pin(drift::drift(&mut connection, &project, &tenants, &database::environment())).await?;
    connection.close().await;
    Ok(drifted)
}
