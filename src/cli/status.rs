//! `tenure status`

use super::args::StatusArgs;
use super::{Context, database};
use crate::error::Failure;
use crate::fleet;
use crate::report::{self, StatusDocument};

pub(super) async fn run(context: &Context, args: &StatusArgs) -> Result<u8, Failure> {
    let (project, gone) = database::project_or_what_is_left(context).await?;
    let mut connection = database::connect(context, &project.root).await?;
    let list = if args.tenants { fleet::List::Tenants } else { fleet::List::Nothing };
    let status = fleet::status(&mut connection, &project, list, gone).await?;
    connection.close().await;
    for failure in &status.trouble {
        context.ui.note(&report::failure(failure, context.ui.stderr_paint()));
    }
    context.ui.result(&StatusDocument::from(&status), |paint| report::status(&status, paint))?;
    Ok(u8::from(args.check && status.is_behind()))
}
