//! `tenure migrate repair`

use super::{Context, command_line, database};
use crate::chain::Divergence;
use crate::error::Failure;
use crate::migrate;
use crate::output::plural;

pub(super) async fn run(context: &Context) -> Result<u8, Failure> {
    let project = database::project(context).await?;
    let mut connection = database::connect(context, &project.root).await?;
    let repaired = migrate::repair(&mut connection, &project, &command_line("migrate repair")).await?;
    connection.close().await;
    let names = |gone: bool| -> Vec<&str> {
        repaired
            .iter()
            .filter_map(|divergence| match divergence {
                Divergence::Edited { file, .. } if !gone => Some(file.as_str()),
                Divergence::Missing { applied } if gone => Some(applied.name.as_str()),
                Divergence::Edited { .. } | Divergence::Missing { .. } => None,
            })
            .collect()
    };
    let (edited, gone) = (names(false), names(true));
    let document = serde_json::json!({ "edited": edited, "gone": gone });
    context.ui.result(&document, |paint| {
        if repaired.is_empty() {
            return format!("{}: files and history match\n", paint.good("nothing to do"));
        }
        let mut text = format!("{}: accepted {}\n", paint.good("done"), plural(repaired.len(), "migration"));
        text.extend(edited.iter().map(|file| format!("  edited:  {file}\n")));
        text.extend(gone.iter().map(|file| format!("  missing: {file}\n")));
        text
    })?;
    Ok(0)
}
