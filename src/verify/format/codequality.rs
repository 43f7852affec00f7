//! Code Quality of GitLab: a JSON array of issues, which a merge request displays in its changes.
//! <https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format>

use serde::Serialize;

use super::fingerprint::Fingerprints;
use super::report::Report;
use crate::error::{Failure, Place};
use crate::output::{Text, escape, without_secrets};
use crate::verify::{Finding, FindingTarget, Level};

/// An issue needs a file; this one stands for a failure of the whole project.
const WHOLE_PROJECT: &str = "tenure.toml";

#[derive(Serialize)]
struct Issue {
    description: String,
    check_name: &'static str,
    fingerprint: String,
    severity: &'static str,
    location: Location,
}

#[derive(Serialize)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: usize,
}

/// The document: failures, then findings. An accepted finding has the lowest severity.
pub fn codequality(report: &Report<'_>) -> Result<Text, serde_json::Error> {
    let mut fingerprints = Fingerprints::default();
    let failures = report.failures.iter().map(|failure| of_failure(report, failure, &mut fingerprints));
    let mut issues: Vec<Issue> = failures.collect();
    issues.extend(report.findings.iter().map(|finding| of_finding(report, finding, &mut fingerprints)));
    Text::pretty_json(&issues)
}

fn of_failure(report: &Report<'_>, failure: &Failure, fingerprints: &mut Fingerprints) -> Issue {
    let check_name = failure.code.as_str();
    let whole = Place::File(WHOLE_PROJECT.to_owned());
    let place = failure.place.as_ref().unwrap_or(&whole);
    let fingerprint = match &failure.place {
        Some(place) => fingerprints.of_place(check_name, place),
        None => fingerprints.next(format!("{check_name}\n{}", failure.message)),
    };
    let description = text(&failure.message, failure.hint.as_deref());
    Issue { description, check_name, fingerprint, severity: "blocker", location: location(report, place) }
}

fn of_finding(report: &Report<'_>, finding: &Finding, fingerprints: &mut Fingerprints) -> Issue {
    let check_name = finding.rule.as_str();
    let (location, fingerprint) = match &finding.subject {
        FindingTarget::Text { place, .. } => {
            (location(report, place), fingerprints.of_place(check_name, place))
        }
        FindingTarget::Object(object) => {
            let location = Location { path: without_secrets(&object.title()), lines: Lines { begin: 1 } };
            (location, fingerprints.of_object(check_name, object))
        }
    };
    let (severity, description) = match (&finding.allowed, finding.level) {
        (Some(because), _) => {
            ("info", text(&format!("{}; allowed because {because}", finding.message), None))
        }
        (None, Level::Deny) => ("critical", text(&finding.message, Some(&finding.help))),
        (None, Level::Warn | Level::Off) => ("minor", text(&finding.message, Some(&finding.help))),
    };
    Issue { description, check_name, fingerprint, severity, location }
}

fn text(message: &str, help: Option<&str>) -> String {
    let help = help.map(|help| format!(". Help: {help}")).unwrap_or_default();
    escape(&without_secrets(&format!("{message}{help}")))
}

fn location(report: &Report<'_>, place: &Place) -> Location {
    let begin = place.start().map_or(1, |at| at.line);
    Location { path: without_secrets(&(report.path)(place.file())), lines: Lines { begin } }
}
