//! The input of every format: the findings and failures of one run of any verb.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use serde::Serialize;

use crate::error::{Failure, Place};
use crate::output::{Paint, Text, plural, plural_of};
use crate::verify::{Counts, Finding, Lowered, RuleId};

/// A result with findings.
pub trait Findings: Serialize {
    /// The command, such as `tenant audit`.
    const COMMAND: &'static str;

    /// The findings, not grouped.
    fn findings(&self) -> Cow<'_, [Finding]>;

    /// One line: the numbers of checked items and of findings.
    fn summary(&self) -> String;

    /// The text output.
    fn text(&self, paint: Paint) -> Text;

    /// The lowered settings.
    fn lowered(&self) -> &[Lowered] {
        &[]
    }

    /// The exit code: 1 if a finding denies.
    fn exit_code(&self) -> u8 {
        u8::from(self.findings().iter().any(Finding::denies))
    }
}

/// The findings and failures of one run.
#[derive(Clone)]
pub struct Report<'a> {
    /// The command.
    pub command: &'a str,
    /// The findings, in output order.
    pub findings: Cow<'a, [Finding]>,
    /// Why items could not be checked.
    pub failures: &'a [Failure],
    /// The lowered settings.
    pub lowered: &'a [Lowered],
    /// The numbers of checked items and of findings, on one line; empty if nothing was checked.
    pub summary: String,
    /// The exit code of the run.
    pub exit_code: u8,
    /// Returns a file's path relative to the root of the repository.
    pub path: &'a dyn Fn(&str) -> String,
    /// The URL of the repository's root at the checked commit; empty for relative links.
    pub blob: &'a str,
}

impl<'a> Report<'a> {
    /// The report of a result.
    pub fn of<T: Findings>(found: &'a T, path: &'a dyn Fn(&str) -> String, blob: &'a str) -> Self {
        Self {
            command: T::COMMAND,
            findings: found.findings(),
            failures: &[],
            lowered: found.lowered(),
            summary: found.summary(),
            exit_code: found.exit_code(),
            path,
            blob,
        }
    }

    /// The report of a failed run.
    pub fn failed(command: &'a str, failure: &'a Failure, path: &'a dyn Fn(&str) -> String) -> Self {
        Self {
            command,
            findings: Cow::default(),
            failures: std::slice::from_ref(failure),
            lowered: &[],
            summary: String::new(),
            exit_code: failure.class().exit_code(),
            path,
            blob: "",
        }
    }

    /// The last line: the number of failures, and the summary.
    pub(super) fn counts(&self) -> String {
        let failures = (!self.failures.is_empty()).then(|| plural(self.failures.len(), "error"));
        let summary = (!self.summary.is_empty()).then(|| self.summary.clone());
        failures.into_iter().chain(summary).collect::<Vec<_>>().join("; ")
    }

    /// A position as text: `file:line:column`.
    pub(super) fn place(&self, place: &Place) -> String {
        let file = (self.path)(place.file());
        place.start().map_or_else(|| file.clone(), |at| format!("{file}:{}:{}", at.line, at.column))
    }
}

/// One sentence: what was checked, and the numbers of findings. `summary` begins with what was checked.
pub(super) fn sentence(summary: &str, findings: &[Finding]) -> String {
    let checked = summary.split(": ").next().unwrap_or_default();
    let Counts { deny, warn, allowed } = Counts::of(findings);
    let counted = [
        (deny, "finding is denied", "findings are denied"),
        (warn, "is a warning", "are warnings"),
        (allowed, "is accepted", "are accepted"),
    ];
    let counted = counted.iter().filter(|(count, ..)| *count > 0);
    let counted: Vec<_> = counted.map(|(count, one, many)| plural_of(*count, one, many)).collect();
    let found = if counted.is_empty() { "nothing found".to_owned() } else { counted.join(", ") };
    format!("checked {checked}: {found}")
}

/// The findings in the order of a report: denials, then warnings, then accepted findings.
pub(super) fn worst_first(findings: &[Finding]) -> Vec<(&Finding, usize)> {
    let mut found = alike(findings);
    found.sort_by_key(|(finding, _)| (finding.allowed.is_some(), finding.level));
    found
}

/// Groups equal findings about different schemas: returns the first of each group and the number of others. Thousands of
/// tenants may have the same difference. Findings about files are not grouped.
pub(super) fn alike(findings: &[Finding]) -> Vec<(&Finding, usize)> {
    let mut alike: Vec<(&Finding, usize)> = Vec::with_capacity(findings.len());
    let mut known: HashMap<(RuleId, String, String), usize> = HashMap::new();
    for finding in findings {
        let Some(object) = finding.object() else {
            alike.push((finding, 0));
            continue;
        };
        let of_no_schema = |text: &str| match &object.schema {
            Some(schema) => text.replace(schema.as_str(), "\0"),
            None => text.to_owned(),
        };
        let key = (finding.rule, of_no_schema(&object.object), of_no_schema(&finding.message));
        match known.entry(key) {
            Entry::Occupied(at) => alike[*at.get()].1 += 1,
            Entry::Vacant(free) => {
                free.insert(alike.len());
                alike.push((finding, 0));
            }
        }
    }
    alike
}

/// The text for the number of other tenants with the same finding.
pub(super) fn more(others: usize) -> Option<String> {
    (others > 0).then(|| format!("also in {}", plural_of(others, "other tenant", "other tenants")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::format::{findings, github, markdown, sarif};
    use crate::verify::{Evidence, FindingTarget, Level, Object};

    const HOSTILE: &str = "s\r\n::error::p%0A|<b>`@x[l](http://e)\u{1b}[31m\u{202e}&amp;";

    fn found(schema: &str, object: &str) -> Finding {
        Finding {
            rule: RuleId::SchemaDrift,
            level: Level::Deny,
            subject: FindingTarget::Object(Object {
                schema: Some(schema.to_owned()),
                object: object.to_owned(),
                other: None,
            }),
            evidence: Evidence::Catalog,
            message: format!("in {schema}, {object}: removed"),
            help: "put it back".to_owned(),
            observed: Vec::new(),
            allow_line: None,
            allowed: None,
        }
    }

    #[test]
    fn no_name_breaks_out_of_a_form() {
        let all = [found(HOSTILE, HOSTILE), found(HOSTILE, "schema")];
        let report = Report {
            command: "drift",
            findings: Cow::Borrowed(&all),
            failures: &[],
            lowered: &[],
            summary: "2 found".to_owned(),
            exit_code: 1,
            path: &|file| file.to_owned(),
            blob: "",
        };
        let hidden = ['\r', '\u{1b}', '\u{202e}'];

        let shown = github(&report).to_string();
        let lines: Vec<_> = shown.split('\n').collect();
        let start = "::error title=schema-drift::in s\\r\\n\\u{3a}:error::p%250A";
        assert!(lines[..2].iter().all(|line| line.starts_with(start)), "{shown}");
        assert_eq!((&lines[2..], shown.contains(hidden)), (["2 found", ""].as_slice(), false), "{shown}");

        let shown = markdown(&report).to_string();
        let rows: Vec<_> = shown.lines().filter(|line| line.starts_with("| denied |")).collect();
        assert_eq!(rows.len(), 2, "{shown}");
        assert!(rows.iter().all(|row| row.replace("\\|", "").matches('|').count() == 7), "{shown}");
        // The name has a backtick, so its spans have two.
        let outside: String = rows[0].split("``").step_by(2).collect();
        assert!(!outside.contains(['@', '[', '<']), "{outside}");
        assert!(!shown.contains(hidden), "{shown}");

        let shown = findings(&all, &[], &"2 found", Paint::PLAIN).to_string();
        assert!(!shown.contains(hidden) && !shown.lines().any(|line| line.starts_with("::")), "{shown}");

        let shown = sarif(&report).unwrap().to_string();
        assert!(!shown.contains(hidden) && !shown.contains("::error"), "{shown}");
        let document: serde_json::Value = serde_json::from_str(&shown).unwrap();
        let result = &document["runs"][0]["results"][0];
        let location = &result["locations"][0];
        assert_eq!(location["logicalLocations"][0]["name"], HOSTILE, "a program gets the name as it is");
        assert_eq!(location.get("physicalLocation"), None);
        assert!(!result["message"]["text"].as_str().unwrap().contains("]("), "{result}");
    }

    #[test]
    fn what_is_the_same_of_several_schemas_is_told_of_one() {
        let all = [
            found("org_a", "table t"),
            found("org_b", "table t"),
            found("org_a", "table u"),
            found("org_c", "table t"),
        ];
        let told: Vec<_> =
            alike(&all).into_iter().map(|(finding, others)| (finding.message.as_str(), others)).collect();
        assert_eq!(told, [("in org_a, table t: removed", 2), ("in org_a, table u: removed", 0)]);
    }
}
