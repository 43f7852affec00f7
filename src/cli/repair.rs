//! `tenure migrate repair`

use super::{Context, command_line, database};
use crate::chain::Divergence;
use crate::error::Failure;
use crate::migrate;
use crate::output::{Text, plural};

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
            return Text::of_line(format_args!("{}: files and history match", paint.good("nothing to do")));
        }
        let (head, count) = (paint.good("done"), plural(repaired.len(), "migration"));
        let mut text = Text::of_line(format_args!("{head}: accepted {count}"));
        for file in &edited {
            text.line(format_args!("  edited:  {file}"));
        }
        for file in &gone {
            text.line(format_args!("  missing: {file}"));
        }
        text
    })?;
    Ok(0)
}
