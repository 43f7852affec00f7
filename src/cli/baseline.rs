//! `tenure migrate baseline`

use super::{Context, command_line, database};
use crate::chain::Version;
use crate::error::Failure;
use crate::migrate;

pub(super) async fn run(context: &Context, version: &Version) -> Result<u8, Failure> {
    let project = context.project()?;
    let mut connection = database::connect(context, &project.root).await?;
    let sure = if context.global.yes { migrate::Declared::Surely } else { migrate::Declared::Doubtful };
    let command = command_line("migrate baseline");
    let way = migrate::baseline(&mut connection, &project, (version, sure), &command).await?;
    connection.close().await;
    let document = serde_json::json!({ "platform": way });
    context.ui.result(&document, |paint| {
        format!("{}: the platform is declared to be at {}\n", paint.good("done"), way.to)
    })?;
    Ok(0)
}
