//! Markdown for a pull request or a job's summary: counts, a table, and the source lines in a collapsed section. Text from
//! files and names from a database are code spans: they cannot end a cell, or become a link or a mention.
//! **Invariant:** such text passes through [`crate::output::code`], [`crate::output::prose`] or [`details`], which remove
//! URLs and passwords.

use super::human::one;
use super::report::{Report, alike, more};
use super::verified::text_of;
use crate::output::{Paint, Text, code, failure, prose, table_head, without_secrets};
use crate::verify::{Finding, FindingTarget, Level, Lowered};

/// Maximum number of findings with source lines; the table contains all findings.
const MOST_DRAWN: usize = 30;

/// The report as Markdown.
pub fn markdown(report: &Report<'_>) -> Text {
    let mut text = Text::of_line(format_args!("### Tenure {}", report.command));
    text.blank();
    text.line(report.counts());
    if report.failures.is_empty() && report.findings.is_empty() {
        text.blank();
        text.line("No findings.");
    }
    text.append(&lowered_table(report.lowered));
    if !report.failures.is_empty() {
        text.append(&table_head(["", "where", "error", "what is wrong", "what to do"]));
        for failure in report.failures {
            let place = failure.place.as_ref().map(|place| code(&report.place(place))).unwrap_or_default();
            let (id, hint) = (failure.code.as_str(), failure.hint.as_deref().unwrap_or_default());
            let (message, hint) = (prose(&failure.message), prose(hint));
            text.line(format_args!("| error | {place} | {} | {message} | {hint} |", code(id)));
        }
    }
    let found = alike(&report.findings);
    let (accepted, open): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|(finding, _)| finding.allowed.is_some());
    if !open.is_empty() {
        let is_text = open.iter().all(|(finding, _)| finding.place().is_some());
        let what = if is_text { "statement" } else { "what is wrong" };
        text.append(&table_head(["", "where", "rule", what, "what to do"]));
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
        text.blank();
        text.line(format_args!("<details><summary>Accepted by the files: {}</summary>", accepted.len()));
        text.append(&table_head(["", "where", "rule", "statement", "because"]));
        for (finding, others) in accepted {
            let because = finding.allowed.as_deref().unwrap_or_default();
            row(&mut text, "accepted", (finding, others), because, report);
        }
        text.blank();
        text.line("</details>");
    }
    text
}

/// A table of the lowered settings, if there are any.
pub fn lowered_table(lowered: &[Lowered]) -> Text {
    let mut text = Text::default();
    if !lowered.is_empty() {
        text.append(&table_head(["lowered setting", "value", "instead of", ""]));
    }
    for Lowered { setting, value, instead_of, taken } in lowered {
        let [setting, value, instead_of] = [setting, value, instead_of].map(|text| code(text));
        let state = if *taken { "in effect" } else { "not taken: the base is stricter" };
        text.line(format_args!("| {setting} | {value} | {instead_of} | {state} |"));
    }
    text
}

fn row(text: &mut Text, level: &str, (finding, others): (&Finding, usize), last: &str, report: &Report<'_>) {
    let (place, what) = match &finding.subject {
        FindingTarget::Text { place, .. } => (code(&report.place(place)), code(&text_of(place))),
        FindingTarget::Object(object) => {
            let more = more(others).map(|more| format!("; {more}")).unwrap_or_default();
            (code(&object.title()), prose(&format!("{}{more}", finding.message)))
        }
    };
    let rule = code(finding.rule.as_str());
    text.line(format_args!("| {level} | {place} | {rule} | {what} | {} |", prose(last)));
}

/// The source lines. Findings about database objects are complete in the table.
fn details(text: &mut Text, report: &Report<'_>, open: &[(&Finding, usize)]) {
    let failures = report.failures.iter().map(|of| failure(of, Paint::Plain));
    let of_files = open.iter().filter(|(finding, _)| finding.place().is_some());
    let drawings = failures.chain(of_files.map(|(finding, others)| one(finding, *others, Paint::Plain)));
    let drawings: Vec<_> = drawings.map(|drawing| without_secrets(drawing.as_str())).collect();
    if drawings.is_empty() {
        return;
    }
    text.blank();
    text.line("<details><summary>Details</summary>");
    for drawing in drawings.iter().take(MOST_DRAWN) {
        // A fence longer than any in the text.
        let longest = drawing.split(|letter| letter != '`').map(str::len).max().unwrap_or_default();
        let fence = "`".repeat(longest.max(2) + 1);
        text.blank();
        text.line(format_args!("{fence}text"));
        text.append(&Text::of_lines(drawing));
        text.line(fence);
    }
    if drawings.len() > MOST_DRAWN {
        text.blank();
        text.line(format_args!("and {} more", drawings.len() - MOST_DRAWN));
    }
    text.blank();
    text.line("</details>");
}
