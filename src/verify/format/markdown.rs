//! Markdown for a pull request or a job's summary: counts, a table, and the source lines in a collapsed section. Text from
//! files and names from a database are escaped: they cannot end a cell, or become a link or a mention.
//! **Invariant:** such text passes through [`crate::output::code`], [`crate::output::prose`] or [`details`], which remove
//! URLs and passwords.

use std::fmt::Write as _;

use super::human::one;
use super::report::{Report, alike, more};
use super::verified::text_of;
use crate::output::{Paint, code, failure, prose, without_secrets};
use crate::verify::{Finding, FindingTarget, Level};

/// Maximum number of findings with source lines; the table contains all findings.
const MOST_DRAWN: usize = 30;

/// The report as Markdown.
pub fn markdown(report: &Report<'_>) -> String {
    let mut text = format!("### Tenure {}\n\n{}\n", report.command, report.counts());
    if report.failures.is_empty() && report.findings.is_empty() {
        text.push_str("\nNo findings.\n");
    }
    if !report.failures.is_empty() {
        text.push_str(
            "\n| | where | error | what is wrong | what to do |\n| --- | --- | --- | --- | --- |\n",
        );
        for failure in report.failures {
            let place = failure.place.as_ref().map(|place| code(&report.place(place))).unwrap_or_default();
            let (id, hint) = (failure.code.as_str(), failure.hint.as_deref().unwrap_or_default());
            let (message, hint) = (prose(&failure.message), prose(hint));
            let _ = writeln!(text, "| error | {place} | {} | {message} | {hint} |", code(id));
        }
    }
    let found = alike(&report.findings);
    let (accepted, open): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|(finding, _)| finding.allowed.is_some());
    if !open.is_empty() {
        let is_text = open.iter().all(|(finding, _)| finding.place().is_some());
        let what = if is_text { "statement" } else { "what is wrong" };
        let _ = writeln!(text, "\n| | where | rule | {what} | what to do |\n| --- | --- | --- | --- | --- |");
        for (finding, others) in &open {
            let level = match finding.level {
                Level::Deny => "denied",
                Level::Warn | Level::Off => "warning",
            };
            row(&mut text, level, (finding, *others), &finding.help, report);
        }
    }
    details(&mut text, report, &open);
    if !accepted.is_empty() {
        let _ = writeln!(
            text,
            "\n<details><summary>Accepted by the files: {}</summary>\n\n\
             | | where | rule | statement | because |\n| --- | --- | --- | --- | --- |",
            accepted.len()
        );
        for (finding, others) in accepted {
            let because = finding.allowed.as_deref().unwrap_or_default();
            row(&mut text, "accepted", (finding, others), because, report);
        }
        text.push_str("\n</details>\n");
    }
    text
}

fn row(
    text: &mut String,
    level: &str,
    (finding, others): (&Finding, usize),
    last: &str,
    report: &Report<'_>,
) {
    let (place, what) = match &finding.subject {
        FindingTarget::Text { place, .. } => (code(&report.place(place)), code(&text_of(place))),
        FindingTarget::Object(object) => {
            let more = more(others).map(|more| format!("; {more}")).unwrap_or_default();
            (code(&object.title()), prose(&format!("{}{more}", finding.message)))
        }
    };
    let rule = code(finding.rule.as_str());
    let _ = writeln!(text, "| {level} | {place} | {rule} | {what} | {} |", prose(last));
}

/// The source lines. Findings about database objects are complete in the table.
fn details(text: &mut String, report: &Report<'_>, open: &[(&Finding, usize)]) {
    let failures = report.failures.iter().map(|of| failure(of, Paint::Plain));
    let of_files = open.iter().filter(|(finding, _)| finding.place().is_some());
    let drawings: Vec<String> =
        failures.chain(of_files.map(|(finding, others)| one(finding, *others, Paint::Plain))).collect();
    let drawings: Vec<_> = drawings.iter().map(|drawing| without_secrets(drawing)).collect();
    if drawings.is_empty() {
        return;
    }
    text.push_str("\n<details><summary>Details</summary>\n");
    for drawing in drawings.iter().take(MOST_DRAWN) {
        // A fence longer than any in the text.
        let longest = drawing.split(|letter| letter != '`').map(str::len).max().unwrap_or_default();
        let fence = "`".repeat(longest.max(2) + 1);
        let _ = write!(text, "\n{fence}text\n{}\n{fence}\n", drawing.replace('\r', ""));
    }
    if drawings.len() > MOST_DRAWN {
        let _ = write!(text, "\nand {} more\n", drawings.len() - MOST_DRAWN);
    }
    text.push_str("\n</details>\n");
}
