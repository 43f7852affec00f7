//! `tenure status`

use clap::Args;

use super::{Context, database};
use crate::error::Failure;
use crate::migrate::text::StatusDocument;
use crate::{migrate, output};

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// List every tenant
    #[arg(long)]
    tenants: bool,
    /// Exit with code 1 if the platform or a tenant is not up to date, if `migrate up` would be refused because of the history, or
    /// if something else changed the platform schema
    #[arg(long)]
    check: bool,
}

pub(super) async fn run(context: &Context, args: &StatusArgs) -> Result<u8, Failure> {
    let (project, missing_file) = database::project_or_partial(context).await?;
    let mut connection = database::connect_for_state(context, &project).await?;
    let list = if args.tenants { migrate::List::Tenants } else { migrate::List::Counts };
    let check = if args.check { migrate::Check::Drift } else { migrate::Check::Versions };
    let status = migrate::status(&mut connection, &project, list, missing_file, check).await?;
    connection.close().await;
    for failure in &status.trouble {
        context.ui.note_text(&output::failure(failure, context.ui.stderr_paint()));
    }
    context.ui.result(&StatusDocument::from(&status), |paint| migrate::text::status(&status, paint))?;
    Ok(u8::from(args.check && status.is_behind()))
}
