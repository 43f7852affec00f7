//! `tenure drift`

use clap::Args;

use super::{Context, database};
use crate::drift;
use crate::error::Failure;
use crate::ident::Slug;

#[derive(Debug, Args)]
pub(super) struct DriftArgs {
    /// Only this tenant; may be repeated
    #[arg(long, value_name = "SLUG")]
    tenant: Vec<String>,
}

pub(super) async fn run(context: &Context, args: &DriftArgs) -> Result<u8, Failure> {
    let project = database::project(context).await?;
    let tenants = args.tenant.iter().map(|slug| Slug::new(slug)).collect::<Result<Vec<_>, _>>()?;
    let mut connection = database::connect(context, &project.root).await?;
    let drifted = drift::drift(&mut connection, &project, &tenants, &database::environment()).await?;
    connection.close().await;
    context.ui.result(&drifted, |paint| drift::text::drifted(&drifted, paint))?;
    Ok(drifted.exit_code())
}
