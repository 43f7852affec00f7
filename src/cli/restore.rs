//! `tenure restore-point`

use super::{Context, database};
use crate::error::{Code, Failure};
use crate::postgres::restore::{self, Which};
use crate::postgres::state;
use crate::report;

pub(super) async fn run(context: &Context, run: Option<&str>) -> Result<u8, Failure> {
    let which = match run {
        None => Which::Newest,
        Some(id) => Which::Run(id.parse().map_err(|_| {
            Failure::new(Code::Usage, format!("{id:?} is not a run's id"))
                .hint("`tenure migrate history` shows the runs of this database")
        })?),
    };
    let root = context.root()?;
    let mut connection = database::connect_root(context, &root).await?;
    let presence = state::presence(&mut connection, &root.settings).await?;
    if !presence.own_tables {
        return Err(Failure::new(Code::RunUnknown, "this database has seen no run"));
    }
    let project = std::env::var("NEON_PROJECT_ID").ok().filter(|project| !project.is_empty());
    let point =
        restore::read(&mut connection, &root.settings.platform_schema(), which, project.as_deref()).await?;
    connection.close().await;
    context.ui.result(&point, |paint| report::restore_point(&point, paint))?;
    Ok(0)
}
