//! `--output` of the verbs with findings: prints findings or a failure as one document in the requested format.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::args::Format;
use super::document::Document;
use super::ui::Outcome;
use super::{Context, ui};
use crate::error::{Code, Failure};
use crate::verify::format::{self, Findings, Report};

/// How findings are written.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct ReportArgs {
    /// Output format on stdout [default: the value of --format]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(super) output: Option<OutputArg>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum OutputArg {
    /// Source lines with annotations
    Human,
    /// One JSON document
    Json,
    /// SARIF 2.1.0 for code scanning
    Sarif,
    /// GitHub Actions annotations
    Github,
    /// Pull request comment
    Markdown,
    /// JUnit XML for test reports
    Junit,
    /// GitLab Code Quality
    Codequality,
}

impl Context {
    /// The format of a report: the value of `--output`, otherwise of `--format`.
    pub(super) fn output(&self, asked: Option<OutputArg>) -> OutputArg {
        asked.unwrap_or(match self.ui.format {
            Format::Human => OutputArg::Human,
            Format::Json => OutputArg::Json,
        })
    }

    /// The path of `file` in `folder`, relative to the root of the repository or else to the current folder.
    pub(super) fn path_in_workspace(&self, folder: &Path, file: &str) -> String {
        let base = std::env::var_os("GITHUB_WORKSPACE").map_or_else(|| self.here.clone(), PathBuf::from);
        let whole = folder.join(file);
        let shown = whole.strip_prefix(&base).unwrap_or(Path::new(file));
        shown.strip_prefix(".").unwrap_or(shown).display().to_string()
    }
}

/// The URL of the repository's root at the commit of a CI job, for links to files; empty outside of CI.
pub(super) fn blob_url() -> String {
    let read = |name: &str| std::env::var(name).unwrap_or_default();
    let [server, repository, commit] = ["GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_SHA"].map(read);
    let [project, gitlab_commit] = ["CI_PROJECT_URL", "CI_COMMIT_SHA"].map(read);
    let url = if [&server, &repository, &commit].iter().all(|part| !part.is_empty()) {
        format!("{server}/{repository}/blob/{commit}/")
    } else if !project.is_empty() && !gitlab_commit.is_empty() {
        format!("{project}/-/blob/{gitlab_commit}/")
    } else {
        return String::new();
    };
    // It becomes a part of a link, and may be public: no other characters, and no credentials.
    let is_plain = url.chars().all(|letter| letter.is_ascii_alphanumeric() || "/:._~-".contains(letter));
    if is_plain && url.starts_with("http") { url } else { String::new() }
}

/// Prints the findings or the failure of a verb. Returns the exit code.
pub(super) fn show<T: Document + Findings>(
    context: &Context,
    asked: Option<OutputArg>,
    found: Result<T, Failure>,
) -> Result<u8, Failure> {
    let output = context.output(asked);
    let folder = context.root().map_or_else(|_| context.here.clone(), |root| root.path);
    let path = |file: &str| context.path_in_workspace(&folder, file);
    let blob = blob_url();
    let format = match output {
        OutputArg::Human => Format::Human,
        OutputArg::Json => Format::Json,
        _ => {
            let report = match &found {
                Ok(found) => Report::of(found, &path, &blob),
                Err(failure) => Report::failed(T::COMMAND, failure, &path),
            };
            print(output, &report)?;
            return Ok(report.exit_code);
        }
    };
    let ui = context.ui.with_format(format);
    match found {
        Ok(found) => {
            let went = if found.exit_code() == 0 { Outcome::Done } else { Outcome::Failed };
            match format {
                Format::Human => ui::print(&found.text(ui.stdout_paint()))?,
                Format::Json => ui.outcome(went, &found, |paint| found.text(paint))?,
            }
            Ok(found.exit_code())
        }
        Err(failure) => {
            ui.failure(&failure);
            Ok(failure.class().exit_code())
        }
    }
}

/// Prints a report for other programs.
pub(super) fn print(output: OutputArg, report: &Report<'_>) -> Result<(), Failure> {
    let text = match output {
        OutputArg::Sarif => {
            format::sarif(report).map_err(|error| Failure::new(Code::Io, error.to_string()))?
        }
        OutputArg::Github => format::github(report),
        OutputArg::Markdown => format::markdown(report),
        OutputArg::Junit => {
            format::junit(report).map_err(|error| Failure::new(Code::Io, error.to_string()))?
        }
        OutputArg::Codequality => {
            format::codequality(report).map_err(|error| Failure::new(Code::Io, error.to_string()))?
        }
        // The verb prints these itself.
        OutputArg::Human | OutputArg::Json => return Ok(()),
    };
    ui::print(&text)
}
