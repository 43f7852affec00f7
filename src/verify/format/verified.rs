//! The result of a verification, for every output format: findings, counts, and failures for files that could not be judged.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Serialize;

use super::report::Report;
use crate::error::{Failure, Place};
use crate::output::{ErrorJson, Paint, Text, plural};
use crate::queries::Unchecked;
use crate::verify::{Finding, Lowered, StatementEffect, Summary, Tool};

/// The result of a verification.
#[derive(Clone, Copy)]
pub struct Verified<'a> {
    /// The findings, by file and position.
    pub findings: &'a [Finding],
    /// The counts.
    pub summary: &'a Summary,
    /// Why some files, or all, could not be judged.
    pub failures: &'a [Failure],
    /// The lowered settings.
    pub lowered: &'a [Lowered],
    /// The effects of each statement on the shadow, if there was one.
    pub effects: Option<&'a [StatementEffect]>,
    /// The release's queries that could not be checked.
    pub unchecked: &'a [Unchecked],
    /// Returns a file's path relative to the root of the repository, not of the project.
    pub path: &'a dyn Fn(&str) -> String,
    /// The URL of the repository's root at the checked commit; empty for relative links.
    pub blob: &'a str,
}

impl Verified<'_> {
    /// The exit code: that of the failures, otherwise that of the findings.
    pub fn exit_code(&self) -> u8 {
        match self.failures.first() {
            Some(failure) => failure.class().exit_code(),
            None => u8::from(self.summary.counts.deny > 0),
        }
    }

    /// The findings and the counts as text.
    pub fn text(&self, paint: Paint) -> Text {
        let errors = plural(self.failures.len(), "error");
        let summary = match self.failures {
            [] => self.summary.to_string(),
            _ => format!("{}; {errors}, so not all could be judged", self.summary),
        };
        super::findings(self.findings, self.lowered, &summary, paint)
    }

    /// The JSON document. `error` is the first failure, `errors` are all.
    pub fn json(&self) -> VerifiedJson {
        let checked_on_shadow = self.effects.map(|effects| {
            let unchecked =
                |it: &Unchecked| UncheckedJson { place: it.place.to_string(), why: it.why.clone() };
            (effects.to_vec(), self.unchecked.iter().map(unchecked).collect())
        });
        let (effects, unchecked) = checked_on_shadow.unzip();
        VerifiedJson {
            findings: self.findings.to_vec(),
            summary: *self.summary,
            effects,
            unchecked,
            lowered: self.lowered.to_vec(),
            error: self.failures.first().map(ErrorJson::from),
            errors: self.failures.iter().map(ErrorJson::from).collect(),
        }
    }
}

/// The JSON document of `verify`.
#[derive(JsonSchema, Serialize)]
pub struct VerifiedJson {
    /// The findings, by file and position.
    findings: Vec<Finding>,
    summary: Summary,
    /// The effects of each statement on the shadow, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    effects: Option<Vec<StatementEffect>>,
    /// The release's queries that could not be checked, if there was a shadow.
    #[serde(skip_serializing_if = "Option::is_none")]
    unchecked: Option<Vec<UncheckedJson>>,
    /// The settings of the branch that were lowered against the base.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lowered: Vec<Lowered>,
    /// The first failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorJson>,
    /// All failures.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<ErrorJson>,
}

/// A query that was not checked.
#[derive(JsonSchema, Serialize)]
struct UncheckedJson {
    /// Its file and line.
    place: String,
    why: String,
}

impl<'a> From<&'a Verified<'a>> for Report<'a> {
    fn from(verified: &'a Verified<'a>) -> Self {
        Self {
            command: Tool::Verify.command(),
            findings: Cow::Borrowed(verified.findings),
            failures: verified.failures,
            lowered: verified.lowered,
            summary: verified.summary.to_string(),
            exit_code: verified.exit_code(),
            path: verified.path,
            blob: verified.blob,
        }
    }
}

/// The text at `place`, on one line.
pub(super) fn text_of(place: &Place) -> String {
    let text = match place {
        Place::File(_) => "",
        Place::Span(source, range) => {
            let (start, end) =
                (source.text.floor_char_boundary(range.start), source.text.ceil_char_boundary(range.end));
            &source.text[start..end.max(start)]
        }
    };
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
