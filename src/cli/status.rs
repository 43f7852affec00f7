//! `tenure status`

use super::args::StatusArgs;
use super::{Context, database};
use crate::error::Failure;
use crate::{fleet, report};

pub(super) async fn run(context: &Context, args: &StatusArgs) -> Result<u8, Failure> {
    let project = database::project(context).await?;
    let mut connection = database::connect(context, &project.root).await?;
    let list = if args.tenants { fleet::List::Tenants } else { fleet::List::Nothing };
    let status = fleet::status(&mut connection, &project, list).await?;
    connection.close().await;
    context.ui.result(&status, |paint| report::status(&status, paint))?;
    Ok(u8::from(args.check && status.is_behind()))
}
