//! `tenure queries capture`

use schemars::JsonSchema;
use serde::Serialize;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};

use super::args::Format;
use super::{Context, database, io, ui};
use crate::error::{Code, Failure};
use crate::output::Text;
use crate::queries::capture::{Captured, capture, to_csv};
use crate::{postgres, project, queries};

#[derive(Debug, Subcommand)]
pub(super) enum Queries {
    /// Export the queries recorded by pg_stat_statements
    Capture(CaptureArgs),
}

#[derive(Debug, Args)]
pub(super) struct CaptureArgs {
    /// Output file [default: stdout]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Output format [default: from the file extension, else csv]
    #[arg(long, value_enum, value_name = "FORMAT")]
    output: Option<ExportArg>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ExportArg {
    Csv,
    Json,
}

/// The result of `queries capture`.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct CapturedTo<'a> {
    #[serde(flatten)]
    captured: &'a Captured,
    /// The file written.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'a str>,
}

pub(super) async fn run(context: &Context, verb: Queries) -> Result<u8, Failure> {
    match verb {
        Queries::Capture(args) => capture_queries(context, &args).await,
    }
}

async fn capture_queries(context: &Context, args: &CaptureArgs) -> Result<u8, Failure> {
    let project = database::project(context).await?;
    let mut connection = database::connect(context, &project.root).await?;
    let (statistics, around) = postgres::queries::statistics(&mut connection, &project.settings).await?;
    connection.close().await;
    let captured = capture(&statistics, &around, &project::statements(&project));
    let written = args.to.as_deref().map(|file| write(context, file, args.output, &captured)).transpose()?;
    let document = CapturedTo { captured: &captured, to: written.as_deref() };
    match (&written, context.ui.format) {
        // stdout contains only the export; the summary goes to stderr.
        (None, Format::Human) => {
            ui::print(&Text::of_lines(&export(args.output.unwrap_or(ExportArg::Csv), &captured)?))?;
            context.ui.note_text(&queries::text::captured(&captured, None, context.ui.stderr_paint()));
        }
        (written, _) => {
            let file = written.as_deref();
            context.ui.result(&document, |paint| queries::text::captured(&captured, file, paint))?;
        }
    }
    Ok(0)
}

fn write(
    context: &Context,
    file: &Path,
    asked: Option<ExportArg>,
    captured: &Captured,
) -> Result<String, Failure> {
    let is_json = file.extension().is_some_and(|end| end.eq_ignore_ascii_case("json"));
    let export = export(asked.unwrap_or(if is_json { ExportArg::Json } else { ExportArg::Csv }), captured)?;
    let shown = file.display().to_string();
    std::fs::write(context.here.join(file), export).map_err(|error| io(file, &error))?;
    Ok(shown)
}

fn export(form: ExportArg, captured: &Captured) -> Result<String, Failure> {
    let failed = |error: String| Failure::new(Code::Io, format!("writing the queries: {error}"));
    match form {
        ExportArg::Csv => to_csv(&captured.queries).map_err(|error| failed(error.to_string())),
        ExportArg::Json => serde_json::to_string_pretty(&captured.queries)
            .map(|text| text + "\n")
            .map_err(|error| failed(error.to_string())),
    }
}
