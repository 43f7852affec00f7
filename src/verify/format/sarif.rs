//! SARIF 2.1.0 for code scanning. Accepted findings are included as suppressed in source.
//! <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>

use std::collections::BTreeMap;

use serde_json::json;
use serde_sarif::sarif::{
    ArtifactLocation, Invocation, Location, LogicalLocation, Message, MultiformatMessageString, Notification,
    PhysicalLocation, PropertyBag, Region, ReportingConfiguration, ReportingDescriptor,
    ReportingDescriptorReference, Result as Entry, ResultLevel, Run, Sarif, Suppression, Tool, ToolComponent,
};

use super::explain::{explained_code, explained_rule};
use super::fingerprint::Fingerprints;
use super::report::Report;
use crate::error::{Failure, Place};
use crate::output::Text;
use crate::verify::{Finding, FindingTarget, Level, Lowered};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The base id for the root of the repository, which code scanning resolves.
const ROOT: &str = "%SRCROOT%";

/// The document, pretty-printed.
pub fn sarif(report: &Report<'_>) -> Result<Text, serde_json::Error> {
    let mut run = Builder { report, rules: Vec::new(), fingerprints: Fingerprints::default() };
    let mut entries: Vec<Entry> = Vec::new();
    // A result without a location is not displayed; report such failures as notifications of the run.
    let (placed, bare): (Vec<_>, Vec<_>) =
        report.failures.iter().partition(|failure| failure.place.is_some());
    entries.extend(placed.into_iter().map(|failure| run.failure(failure)));
    entries.extend(report.findings.iter().map(|finding| run.finding(finding)));
    let driver = ToolComponent::builder()
        .name("tenure")
        .version(env!("CARGO_PKG_VERSION"))
        .semantic_version(env!("CARGO_PKG_VERSION"))
        .short_description(multiformat("Migrations of PostgreSQL databases with a schema for every tenant"))
        .rules(run.rules)
        .build();
    let invocation = Invocation::builder()
        .execution_successful(report.failures.is_empty())
        .exit_code(i64::from(report.exit_code))
        .tool_execution_notifications(bare.into_iter().map(notification).collect::<Vec<_>>())
        .tool_configuration_notifications(report.lowered.iter().map(lowered).collect::<Vec<_>>())
        .build();
    let run = Run::builder()
        .tool(Tool::builder().driver(driver).build())
        .invocations(vec![invocation])
        .column_kind("unicodeCodePoints")
        .results(entries)
        .build();
    let document = Sarif::builder().schema(SCHEMA).version("2.1.0").runs(vec![run]).build();
    Text::pretty_json(&document)
}

struct Builder<'a> {
    report: &'a Report<'a>,
    rules: Vec<ReportingDescriptor>,
    fingerprints: Fingerprints,
}

impl Builder<'_> {
    fn finding(&mut self, finding: &Finding) -> Entry {
        let id = finding.rule.as_str();
        let rule = finding.rule.rule();
        let index = self.index(id, || {
            let tags: Vec<_> = match rule.impact {
                [] => vec![rule.tool().command().to_owned()],
                impact => impact.iter().map(ToString::to_string).collect(),
            };
            let help = explained_rule(rule, Some(rule.level));
            descriptor(id, &capital(&rule.summary()), rule.remediation, &help, rule.level, &tags)
        });
        let level = match finding.level {
            Level::Deny => ResultLevel::Error,
            Level::Warn | Level::Off => ResultLevel::Warning,
        };
        let text = format!("{}. Instead: {}.", finding.message, finding.help);
        let (location, fingerprint) = match &finding.subject {
            FindingTarget::Text { place, .. } => (self.location(place), self.fingerprint(id, place)),
            FindingTarget::Object(object) => {
                let title = object.title();
                let fingerprint = self.fingerprints.of_object(id, object);
                let fingerprint = BTreeMap::from([("tenureObject/v1".to_owned(), fingerprint)]);
                let logical = LogicalLocation::builder().name(object.object.as_str()).kind("resource");
                let logical = logical.fully_qualified_name(title).build();
                (Location::builder().logical_locations(vec![logical]).build(), fingerprint)
            }
        };
        let mut entry = entry(id, index, level, &text, (location, fingerprint));
        entry.suppressions = finding.allowed.as_ref().map(|because| {
            let status = json!("accepted");
            let builder = Suppression::builder().kind("inSource").status(status);
            vec![builder.justification(because.clone()).build()]
        });
        entry
    }

    fn failure(&mut self, failure: &Failure) -> Entry {
        let (id, doc) = (failure.code.as_str(), failure.code.doc());
        let index = self.index(id, || {
            descriptor(id, doc, "", &explained_code(failure.code), Level::Deny, &["error".to_owned()])
        });
        let text = sentence(failure);
        // Callers pass only failures with a place.
        let nowhere = Place::File(String::new());
        let place = failure.place.as_ref().unwrap_or(&nowhere);
        let located = (self.location(place), self.fingerprint(id, place));
        entry(id, index, ResultLevel::Error, &text, located)
    }

    /// The rule's index in the list. Adds the rule if it is missing.
    fn index(&mut self, id: &str, rule: impl FnOnce() -> ReportingDescriptor) -> i64 {
        let at = self.rules.iter().position(|known| known.id == id).unwrap_or_else(|| {
            self.rules.push(rule());
            self.rules.len() - 1
        });
        i64::try_from(at).unwrap_or(-1)
    }

    fn location(&self, place: &Place) -> Location {
        let artifact = artifact(&(self.report.path)(place.file()));
        let number = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
        let physical = PhysicalLocation::builder().artifact_location(artifact);
        let physical = match (place.start(), place.end()) {
            (Some(start), Some(end)) => physical
                .region(
                    Region::builder()
                        .start_line(number(start.line))
                        .start_column(number(start.column))
                        .end_line(number(end.line))
                        .end_column(number(end.column))
                        .build(),
                )
                .build(),
            _ => physical.build(),
        };
        Location::builder().physical_location(physical).build()
    }

    fn fingerprint(&mut self, id: &str, place: &Place) -> BTreeMap<String, String> {
        let fingerprint = self.fingerprints.of_place(id, place);
        BTreeMap::from([("tenureStatement/v1".to_owned(), fingerprint)])
    }
}

type Located = (Location, BTreeMap<String, String>);

fn entry(id: &str, index: i64, level: ResultLevel, text: &str, (location, fingerprint): Located) -> Entry {
    Entry::builder()
        .rule_id(id)
        .rule_index(index)
        .level(level)
        .message(Message::builder().text(without_links(text)).build())
        .locations(vec![location])
        .partial_fingerprints(fingerprint)
        .build()
}

/// Prevents links: viewers render `[text](url)` in a message as a link (chapter 3.11.6).
fn without_links(text: &str) -> String {
    text.replace("](", "] (")
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn descriptor(
    id: &str,
    short: &str,
    remediation: &str,
    help: &str,
    level: Level,
    tags: &[String],
) -> ReportingDescriptor {
    let level = match level {
        Level::Deny => "error",
        Level::Warn => "warning",
        Level::Off => "none",
    };
    let markdown = format!("```text\n{}\n```", help.trim_end());
    let tags = json!({ "tags": tags });
    let properties = serde_json::from_value::<PropertyBag>(tags).unwrap_or_default();
    let full =
        if remediation.is_empty() { short.to_owned() } else { format!("{short}. Instead: {remediation}.") };
    ReportingDescriptor::builder()
        .id(id)
        .short_description(multiformat(short))
        .full_description(multiformat(&full))
        .help(MultiformatMessageString::builder().text(help).markdown(markdown).build())
        .default_configuration(ReportingConfiguration::builder().level(level).build())
        .properties(properties)
        .build()
}

fn notification(failure: &Failure) -> Notification {
    Notification::builder()
        .level("error")
        .descriptor(ReportingDescriptorReference::builder().id(failure.code.as_str()).build())
        .message(Message::builder().text(sentence(failure)).build())
        .build()
}

fn lowered(lowered: &Lowered) -> Notification {
    Notification::builder()
        .level("warning")
        .message(Message::builder().text(format!("{lowered}.")).build())
        .build()
}

fn sentence(failure: &Failure) -> String {
    match &failure.hint {
        Some(hint) => format!("{}. Help: {hint}.", failure.message),
        None => format!("{}.", failure.message),
    }
}

fn multiformat(text: &str) -> MultiformatMessageString {
    MultiformatMessageString::builder().text(text).build()
}

/// The URI of a path: relative to the root of the repository, or absolute if it is outside.
fn artifact(path: &str) -> ArtifactLocation {
    let absolute = path.starts_with('/');
    let whole = if absolute { path.to_owned() } else { format!("/{path}") };
    let url = url::Url::from_file_path(&whole).ok();
    match url {
        Some(url) if absolute => ArtifactLocation::builder().uri(url.as_str()).build(),
        Some(url) => {
            ArtifactLocation::builder().uri(url.path().trim_start_matches('/')).uri_base_id(ROOT).build()
        }
        None => ArtifactLocation::builder().uri(path).uri_base_id(ROOT).build(),
    }
}
