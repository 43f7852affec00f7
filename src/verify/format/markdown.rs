//! Markdown for a pull request or a job's summary: a sentence, tables, and the source lines in a collapsed section. Text from
//! files and names from a database are code spans: they cannot end a cell, or become a link or a mention.
//! **Invariant:** such text passes through [`crate::output::code`], [`crate::output::prose`] or [`details`], which remove
//! URLs and passwords.

use super::human::one;
use super::report::{Report, more, sentence, worst_first};
use crate::error::Place;
use crate::output::{Paint, Text, code, failure, plural, prose, table_head, without_secrets};
use crate::verify::{Finding, FindingTarget, Lowered};

/// Maximum number of findings with source lines; the table contains all findings.
const MOST_DRAWN: usize = 30;

/// The report as Markdown.
pub fn markdown(report: &Report<'_>) -> Text {
    let mut text = Text::of_line(format_args!("### Tenure {} {}", report.command, first_sentence(report)));
    text.append(&lowered_table(report.lowered));
    if !report.failures.is_empty() {
        text.append(&table_head(["", "where", "error", "what is wrong", "what to do"]));
        for failure in report.failures {
            let place = failure.place.as_ref().map(|place| link(report, place)).unwrap_or_default();
            let (id, hint) = (failure.code.as_str(), failure.hint.as_deref().unwrap_or_default());
            let (message, hint) = (prose(&failure.message), prose(hint));
            text.line(format_args!("| error | {place} | {} | {message} | {hint} |", code(id)));
        }
    }
    let found = worst_first(&report.findings);
    let (accepted, open): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|(finding, _)| finding.allowed.is_some());
    let (denied, warned): (Vec<&(&Finding, usize)>, Vec<_>) =
        open.iter().partition(|(finding, _)| finding.denies());
    if !denied.is_empty() {
        text.append(&table_head(["", "where", "rule", "what is wrong", "what to do", "to accept it"]));
        for found in denied {
            let accept = found.0.allow_line.as_ref().map(|line| code(line)).unwrap_or_default();
            text.line(format_args!("{} {accept} |", row("denied", found, &found.0.help, report)));
        }
    }
    if !warned.is_empty() {
        text.append(&table_head(["", "where", "rule", "what is wrong", "what to do"]));
        for found in warned {
            text.line(row("warning", found, &found.0.help, report));
        }
    }
    details(&mut text, report, &open);
    if !accepted.is_empty() {
        text.blank();
        text.line(format_args!("<details><summary>Accepted by the files: {}</summary>", accepted.len()));
        text.append(&table_head(["", "where", "rule", "what is accepted", "because"]));
        for found in &accepted {
            let because = found.0.allowed.as_deref().unwrap_or_default();
            text.line(row("accepted", found, because, report));
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

/// The first line: errors, what was checked, the numbers of findings.
fn first_sentence(report: &Report<'_>) -> String {
    let failed = match report.failures.len() {
        0 => None,
        failures => Some(format!("failed with {}", plural(failures, "error"))),
    };
    let checked = (!report.summary.is_empty()).then(|| sentence(&report.summary, &report.findings));
    failed.into_iter().chain(checked).collect::<Vec<_>>().join(" and ") + "."
}

/// A row of a table; `last` is its last cell.
fn row(level: &str, (finding, others): &(&Finding, usize), last: &str, report: &Report<'_>) -> String {
    let place = match &finding.subject {
        FindingTarget::Text { place, .. } => link(report, place),
        FindingTarget::Object(object) => code(&object.title()),
    };
    let more = more(*others).map(|more| format!("; {more}")).unwrap_or_default();
    let what = prose(&format!("{}{more}", finding.message));
    format!("| {level} | {place} | {} | {what} | {} |", code(finding.rule.as_str()), prose(last))
}

/// A position as a link to the line.
fn link(report: &Report<'_>, place: &Place) -> String {
    let path = (report.path)(place.file());
    let shown = code(&report.place(place));
    // A file outside of the repository has no link.
    let Some(url) = url::Url::from_file_path(format!("/{path}")).ok().filter(|_| !path.starts_with('/'))
    else {
        return shown;
    };
    let encoded = |letter: char| match letter {
        '(' | ')' | '[' | ']' | '|' | '\\' | '@' | ':' => format!("%{:02X}", u32::from(letter)),
        letter => letter.to_string(),
    };
    let target: String = url.path().trim_start_matches('/').chars().map(encoded).collect();
    let line = place.start().map(|at| format!("#L{}", at.line)).unwrap_or_default();
    format!("[{shown}]({}{target}{line})", report.blob)
}

/// The source lines. Findings about database objects are complete in the table.
fn details(text: &mut Text, report: &Report<'_>, open: &[(&Finding, usize)]) {
    let failures = report.failures.iter().map(|of| failure(of, Paint::PLAIN));
    let of_files = open.iter().filter(|(finding, _)| finding.place().is_some());
    let drawings = failures.chain(of_files.map(|(finding, others)| one(finding, *others, Paint::PLAIN)));
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
