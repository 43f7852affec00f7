//! `tenure migrate baseline`

use super::{Context, command_line, database};
use crate::chain::Version;
use crate::error::{Code, Failure};
use crate::migrate;
use crate::migrate::VersionChange;
use crate::output::Text;
use schemars::JsonSchema;
use serde::Serialize;

/// The result of `migrate baseline`.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Baselined<'a> {
    /// The platform's versions.
    platform: &'a VersionChange,
}

pub(super) async fn run(context: &Context, version: &Version) -> Result<u8, Failure> {
    let no_file = |failure: Failure| {
        match failure.code {
        Code::VersionNotInChain | Code::NoMigrations => failure.hint(format!(
            "no file leads to {version} or starts there: `tenure migrate new NAME --from {version}` writes a first migration \
             that starts there; `tenure init --from-database` writes the files of the database, in a new folder"
        )),
        _ => failure,
    }
    };
    let project = context.project().map_err(no_file)?;
    project.chain.find(version).map_err(|error| no_file(error.into()))?;
    let mut connection = database::connect(context, &project.root).await?;
    let declared =
        if context.global.yes { migrate::BaselineCheck::Skip } else { migrate::BaselineCheck::Enforce };
    let command = command_line("migrate baseline");
    let change = migrate::baseline(&mut connection, &project, (version, declared), &command).await?;
    connection.close().await;
    let document = Baselined { platform: &change };
    context.ui.result(&document, |paint| {
        let head = paint.good("done");
        Text::of_line(format_args!("{head}: declared the platform's version as {}", change.to))
    })?;
    Ok(0)
}
