//! Markdown for a pull request or a job's summary: counts, a table, and the lines themselves behind a fold.
//! Whatever a file holds stays text: no cell ends early, no name becomes a link or a mention. **Invariant:** what a file
//! holds gets here by [`crate::output::code`], [`crate::output::prose`] or [`details`], which strike out URLs and passwords.

use std::fmt::Write as _;

use super::human::one;
use super::verified::{Verified, text_of};
use crate::output::{Paint, code, failure, prose, without_secrets};
use crate::verify::{Finding, Level};

/// A comment has room for so many drawings; the table has them all.
const MOST_DRAWN: usize = 30;

/// The whole report.
pub fn markdown(verified: &Verified<'_>) -> String {
    let mut text = format!("### Tenure verify\n\n{}\n", verified.counts());
    if verified.failures.is_empty() && verified.findings.is_empty() {
        text.push_str("\nNo findings.\n");
    }
    if !verified.failures.is_empty() {
        text.push_str(
            "\n| | where | error | what is wrong | what to do |\n| --- | --- | --- | --- | --- |\n",
        );
        for failure in verified.failures {
            let place = failure.place.as_ref().map(|place| code(&verified.place(place))).unwrap_or_default();
            let (id, hint) = (failure.code.as_str(), failure.hint.as_deref().unwrap_or_default());
            let (message, hint) = (prose(&failure.message), prose(hint));
            let _ = writeln!(text, "| error | {place} | {} | {message} | {hint} |", code(id));
        }
    }
    let (accepted, open): (Vec<_>, Vec<_>) =
        verified.findings.iter().partition(|finding| finding.allowed.is_some());
    if !open.is_empty() {
        text.push_str("\n| | where | rule | statement | what to do |\n| --- | --- | --- | --- | --- |\n");
        for finding in &open {
            let level = match finding.level {
                Level::Deny => "denied",
                Level::Warn | Level::Off => "warning",
            };
            row(&mut text, level, finding, &finding.help, verified);
        }
    }
    details(&mut text, verified, &open);
    if !accepted.is_empty() {
        let _ = writeln!(
            text,
            "\n<details><summary>Accepted by the files: {}</summary>\n\n\
             | | where | rule | statement | because |\n| --- | --- | --- | --- | --- |",
            accepted.len()
        );
        for finding in accepted {
            row(&mut text, "accepted", finding, finding.allowed.as_deref().unwrap_or_default(), verified);
        }
        text.push_str("\n</details>\n");
    }
    text
}

fn row(text: &mut String, level: &str, finding: &Finding, last: &str, verified: &Verified<'_>) {
    let place = code(&verified.place(&finding.place));
    let (rule, statement) = (code(finding.rule.as_str()), code(&text_of(&finding.place)));
    let _ = writeln!(text, "| {level} | {place} | {rule} | {statement} | {} |", prose(last));
}

fn details(text: &mut String, verified: &Verified<'_>, open: &[&Finding]) {
    let failures = verified.failures.iter().map(|of| failure(of, Paint::Plain));
    let drawings: Vec<String> =
        failures.chain(open.iter().map(|finding| one(finding, Paint::Plain))).collect();
    let drawings: Vec<_> = drawings.iter().map(|drawing| without_secrets(drawing)).collect();
    if drawings.is_empty() {
        return;
    }
    text.push_str("\n<details><summary>Details</summary>\n");
    for drawing in drawings.iter().take(MOST_DRAWN) {
        // A fence that nothing inside can close.
        let longest = drawing.split(|letter| letter != '`').map(str::len).max().unwrap_or_default();
        let fence = "`".repeat(longest.max(2) + 1);
        let _ = write!(text, "\n{fence}text\n{}\n{fence}\n", drawing.replace('\r', ""));
    }
    if drawings.len() > MOST_DRAWN {
        let _ = write!(text, "\nand {} more\n", drawings.len() - MOST_DRAWN);
    }
    text.push_str("\n</details>\n");
}
