//! `tenure doctor`

use super::{Context, database};
use crate::doctor::{self, Health};
use crate::error::Failure;

pub(super) async fn run(context: &Context) -> Result<u8, Failure> {
    let root = context.root()?;
    let mut connection = database::connect_root(context, &root).await?;
    let diagnosis = doctor::examine(&mut connection, &root.settings).await?;
    connection.close().await;
    context.ui.result(&diagnosis, |paint| doctor::text::diagnosis(&diagnosis, paint))?;
    Ok(u8::from(diagnosis.outcome == Health::Fail))
}
