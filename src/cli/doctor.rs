//! `tenure doctor`

use super::{Context, database};
use crate::error::Failure;
use crate::outcome::Health;
use crate::postgres::health;
use crate::report;

pub(super) async fn run(context: &Context) -> Result<u8, Failure> {
    let root = context.root()?;
    let mut connection = database::connect_root(context, &root).await?;
    let diagnosis = health::examine(&mut connection, &root.settings.platform_schema()).await?;
    connection.close().await;
    context.ui.result(&diagnosis, |paint| report::diagnosis(&diagnosis, paint))?;
    Ok(u8::from(diagnosis.outcome == Health::Fail))
}
