//! What every format is made of: findings and failures of one run, whichever verb made them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use serde::Serialize;

use crate::error::{Failure, Place};
use crate::output::{Paint, plural};
use crate::verify::{Finding, RuleId};

/// A result with findings.
pub trait Findings: Serialize {
    /// The command that gives it: `tenant audit`.
    const COMMAND: &'static str;

    /// The findings, each by itself.
    fn findings(&self) -> Cow<'_, [Finding]>;

    /// One line: what was looked at and what was found.
    fn summary(&self) -> String;

    /// All of it, for people.
    fn text(&self, paint: Paint) -> String;

    /// The exit code.
    fn exit_code(&self) -> u8;
}

/// The findings and failures of one run.
#[derive(Clone)]
pub struct Report<'a> {
    /// The command.
    pub command: &'a str,
    /// In the order in which they are shown.
    pub findings: Cow<'a, [Finding]>,
    /// What could not be looked at.
    pub failures: &'a [Failure],
    /// One line: what was looked at and what was found; empty where nothing was.
    pub summary: String,
    /// The exit code of the run.
    pub exit_code: u8,
    /// A file's path from the root of the repository, where the readers of the report count from.
    pub path: &'a dyn Fn(&str) -> String,
}

impl<'a> Report<'a> {
    /// Of a result.
    pub fn of<T: Findings>(found: &'a T, path: &'a dyn Fn(&str) -> String) -> Self {
        Self {
            command: T::COMMAND,
            findings: found.findings(),
            failures: &[],
            summary: found.summary(),
            exit_code: found.exit_code(),
            path,
        }
    }

    /// Of a run that failed.
    pub fn failed(command: &'a str, failure: &'a Failure, path: &'a dyn Fn(&str) -> String) -> Self {
        Self {
            command,
            findings: Cow::default(),
            failures: std::slice::from_ref(failure),
            summary: String::new(),
            exit_code: failure.class().exit_code(),
            path,
        }
    }

    /// The last line: the failures, and the summary.
    pub(super) fn counts(&self) -> String {
        let failures = (!self.failures.is_empty()).then(|| plural(self.failures.len(), "error"));
        let summary = (!self.summary.is_empty()).then(|| self.summary.clone());
        failures.into_iter().chain(summary).collect::<Vec<_>>().join("; ")
    }

    /// Where something in a file is, as people read it: `file:line:column`.
    pub(super) fn place(&self, place: &Place) -> String {
        let file = (self.path)(place.file());
        place.start().map_or_else(|| file.clone(), |at| format!("{file}:{}:{}", at.line, at.column))
    }
}

/// The findings, each with the number of other schemas of which the same is found: thousands of tenants may differ in the
/// same way. A finding about a file stands for itself.
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

/// Says of how many others the same is found.
pub(super) fn more(others: usize) -> Option<String> {
    (others > 0)
        .then(|| format!("the same of {}", crate::output::plural_of(others, "other tenant", "other tenants")))
}
