//! Workflow commands of GitHub: one annotation per line, which GitHub displays at the changed lines.
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>

use std::fmt::Write as _;

use super::report::{Report, alike, more};
use crate::error::Place;
use crate::output::{is_hidden, without_secrets};
use crate::verify::Level;

/// A command for each failure and finding; then the counts, for the log.
pub fn github(report: &Report<'_>) -> String {
    let mut text = String::new();
    for failure in report.failures {
        let place = failure.place.as_ref().map(|place| properties(report, place));
        let message = with_help(&failure.message, failure.hint.as_deref());
        command(&mut text, "error", place, failure.code.as_str(), &message);
    }
    for (finding, others) in alike(&report.findings) {
        let place = finding.place().map(|place| properties(report, place));
        let found = [Some(finding.message.clone()), more(others)].into_iter().flatten().collect::<Vec<_>>();
        let found = found.join("\n");
        let (name, message) = match (&finding.allowed, finding.level) {
            (Some(because), _) => ("notice", format!("{found}\nallowed because {because}")),
            (None, Level::Deny) => ("error", with_help(&found, Some(&finding.help))),
            (None, Level::Warn | Level::Off) => ("warning", with_help(&found, Some(&finding.help))),
        };
        command(&mut text, name, place, finding.rule.as_str(), &message);
    }
    let _ = writeln!(text, "{}", report.counts());
    text
}

/// The command that masks a secret in the runner's log.
pub fn github_mask(secret: &str) -> String {
    format!("::add-mask::{}", data(secret))
}

fn with_help(message: &str, help: Option<&str>) -> String {
    help.map_or_else(|| message.to_owned(), |help| format!("{message}\nhelp: {help}"))
}

fn command(text: &mut String, name: &str, place: Option<String>, title: &str, message: &str) {
    let place = place.map(|place| format!("{place},")).unwrap_or_default();
    let message = without_secrets(message);
    // The runner decodes only three characters; escape the other control characters.
    let shown: String = message
        .chars()
        .map(|letter| match letter {
            '\n' | '\r' | '\t' => letter.to_string(),
            letter if is_hidden(letter) => letter.escape_default().to_string(),
            letter => letter.to_string(),
        })
        .collect();
    let _ = writeln!(text, "::{name} {place}title={}::{}", property(title), data(&shown));
}

/// The properties of a position. The runner rejects columns for a span of several lines.
fn properties(report: &Report<'_>, place: &Place) -> String {
    let mut text = format!("file={}", property(&(report.path)(place.file())));
    if let (Some(start), Some(end)) = (place.start(), place.end()) {
        let _ = write!(text, ",line={},endLine={}", start.line, end.line);
        if start.line == end.line {
            // Tenure's end is exclusive, GitHub's is inclusive.
            let last = end.column.saturating_sub(1).max(start.column);
            let _ = write!(text, ",col={},endColumn={last}", start.column);
        }
    }
    text
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
