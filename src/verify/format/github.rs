//! Workflow commands of GitHub: one annotation per line, which GitHub displays at the changed lines.
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>

use super::report::{Report, alike, more};
use crate::error::Place;
use crate::output::{Text, escape, without_secrets};
use crate::verify::Level;

/// A command for each failure and finding; then the counts, for the log.
pub fn github(report: &Report<'_>) -> Text {
    let mut text = Text::default();
    for failure in report.failures {
        let place = failure.place.as_ref();
        let message = with_help(&failure.message, failure.hint.as_deref());
        command(&mut text, ("error", failure.code.as_str()), (report, place), &message);
    }
    for lowered in report.lowered {
        command(&mut text, ("warning", "lowered level"), (report, None), &lowered.to_string());
    }
    for (finding, others) in alike(&report.findings) {
        let found = [Some(finding.message.clone()), more(others)].into_iter().flatten().collect::<Vec<_>>();
        let found = found.join("; ");
        let (name, message) = match (&finding.allowed, finding.level) {
            (Some(because), _) => ("notice", lines(&[&found, &format!("allowed because {because}")])),
            (None, Level::Deny) => ("error", with_help(&found, Some(&finding.help))),
            (None, Level::Warn | Level::Off) => ("warning", with_help(&found, Some(&finding.help))),
        };
        command(&mut text, (name, finding.rule.as_str()), (report, finding.place()), &message);
    }
    text.line(report.counts());
    text
}

/// The command that masks a secret in the runner's log.
pub fn github_mask(secret: &str) -> Text {
    let mut text = Text::default();
    text.command("add-mask", &[], secret);
    text
}

fn with_help(message: &str, help: Option<&str>) -> String {
    let help = help.map(|help| format!("help: {help}"));
    lines(&[Some(message), help.as_deref()].into_iter().flatten().collect::<Vec<_>>())
}

/// Lines of a message. Text from outside cannot begin one.
fn lines(lines: &[&str]) -> String {
    lines.iter().map(|line| escape(line)).collect::<Vec<_>>().join("\n")
}

fn command(
    text: &mut Text,
    (name, title): (&str, &str),
    (report, place): (&Report<'_>, Option<&Place>),
    message: &str,
) {
    let mut properties = place.map(|place| properties(report, place)).unwrap_or_default();
    properties.push(("title", title.to_owned()));
    text.command(name, &properties, &without_secrets(message));
}

/// The properties of a position. The runner rejects columns for a span of several lines.
fn properties(report: &Report<'_>, place: &Place) -> Vec<(&'static str, String)> {
    let mut properties = vec![("file", (report.path)(place.file()))];
    if let (Some(start), Some(end)) = (place.start(), place.end()) {
        properties.extend([("line", start.line.to_string()), ("endLine", end.line.to_string())]);
        if start.line == end.line {
            // Tenure's end is exclusive, GitHub's is inclusive.
            let last = end.column.saturating_sub(1).max(start.column);
            properties.extend([("col", start.column.to_string()), ("endColumn", last.to_string())]);
        }
    }
    properties
}
