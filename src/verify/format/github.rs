//! GitHub's workflow commands: a line an annotation, which the runner shows beside the changed lines.
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>

use std::fmt::Write as _;

use super::report::{Report, alike, more};
use crate::error::Place;
use crate::output::{is_hidden, without_secrets};
use crate::verify::Level;

/// Each failure and finding as a command; then the counts, for those who read the log.
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

/// The command that hides a text from the runner's log from then on.
pub fn github_mask(secret: &str) -> String {
    format!("::add-mask::{}", data(secret))
}

fn with_help(message: &str, help: Option<&str>) -> String {
    help.map_or_else(|| message.to_owned(), |help| format!("{message}\nhelp: {help}"))
}

fn command(text: &mut String, name: &str, place: Option<String>, title: &str, message: &str) {
    let place = place.map(|place| format!("{place},")).unwrap_or_default();
    let message = without_secrets(message);
    // The runner decodes three signs only; what else would steer a terminal is made visible.
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

/// The runner refuses columns of a span of several lines.
fn properties(report: &Report<'_>, place: &Place) -> String {
    let mut text = format!("file={}", property(&(report.path)(place.file())));
    if let (Some(start), Some(end)) = (place.start(), place.end()) {
        let _ = write!(text, ",line={},endLine={}", start.line, end.line);
        if start.line == end.line {
            // Ours points behind the last character, theirs at it.
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
