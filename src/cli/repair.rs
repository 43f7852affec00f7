//! `tenure migrate repair`

use super::{Context, command_line, database};
use crate::chain::Divergence;
use crate::error::Failure;
use crate::migrate;
use crate::output::{Text, plural};
use crate::project::Project;
use schemars::JsonSchema;
use serde::Serialize;

/// The result of `migrate repair`.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Repaired<'a> {
    /// The accepted files that were edited.
    edited: &'a [&'a str],
    /// The accepted files that are gone.
    gone: &'a [&'a str],
}

pub(super) async fn run(context: &Context) -> Result<u8, Failure> {
    let project = database::project(context).await?;
    let mut connection = database::connect(context, &project.root).await?;
    let found = migrate::repairable(&mut connection, &project).await?;
    if !found.is_empty() {
        for divergence in &found {
            context.ui.note_text(&shown(&project, divergence));
        }
        let files = plural(found.len(), "file");
        context.ui.confirm(&format!("record {files} as applied; no schema is changed"))?;
        migrate::repair(&mut connection, &project, &found, &command_line("migrate repair")).await?;
    }
    connection.close().await;
    let names = |gone: bool| -> Vec<&str> {
        found
            .iter()
            .filter_map(|divergence| match divergence {
                Divergence::Edited { file, .. } if !gone => Some(file.as_str()),
                Divergence::Missing { applied } if gone => Some(applied.name.as_str()),
                _ => None,
            })
            .collect()
    };
    let (edited, gone) = (names(false), names(true));
    let document = Repaired { edited: &edited, gone: &gone };
    context.ui.result(&document, |paint| {
        if found.is_empty() {
            return Text::of_line(format_args!("{}: files and history match", paint.good("nothing to do")));
        }
        let (head, count) = (paint.good("done"), plural(found.len(), "migration"));
        let mut text = Text::of_line(format_args!("{head}: accepted {count}; no schema was changed"));
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

/// What has changed. The history has no texts of files, but a commit may have the applied one.
fn shown(project: &Project, divergence: &Divergence) -> Text {
    let mut text = Text::of_line(divergence);
    let Divergence::Edited { applied, file, .. } = divergence else { return text };
    let now = project.chain.migrations().iter().find(|migration| migration.file == *file);
    let then = applied.checksum.as_ref().and_then(|checksum| project.committed_text(&applied.name, checksum));
    match (then, now) {
        (Some(then), Some(now)) => {
            text.append(&migrate::text::changed_lines(&then, &now.script.source.text));
        }
        _ => text.line("  no commit of git has the applied text, so the changed lines are unknown"),
    }
    text
}
