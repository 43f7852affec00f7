//! The result of an audit. The JSON has the format of `verify`'s findings.

use std::borrow::Cow;
use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use crate::output::{Paint, Text, plural};
use crate::verify::format::{self, Findings};
use crate::verify::{Counts, Finding, Lowered, Tool};

/// The counts of findings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Summary {
    /// Audited tenants.
    pub tenants: usize,
    /// The findings by level. No finding of an audit can be accepted.
    #[serde(flatten)]
    pub counts: Counts,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", plural(self.tenants, "tenant"), self.counts)
    }
}

/// The result of an audit.
#[derive(Debug, Clone, Default, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Audited {
    /// In order of schemas, objects, rules.
    pub findings: Vec<Finding>,
    /// The lowered settings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lowered: Vec<Lowered>,
    /// The counts.
    pub summary: Summary,
}

impl Audited {
    /// Creates the result for `findings` of `tenants` tenants.
    pub fn of(findings: Vec<Finding>, lowered: Vec<Lowered>, tenants: usize) -> Self {
        let summary = Summary { tenants, counts: Counts::of(&findings) };
        Self { findings, lowered, summary }
    }
}

impl Findings for Audited {
    const COMMAND: &'static str = Tool::Audit.command();

    fn findings(&self) -> Cow<'_, [Finding]> {
        Cow::Borrowed(&self.findings)
    }

    fn summary(&self) -> String {
        self.summary.to_string()
    }

    fn text(&self, paint: Paint) -> Text {
        format::findings(&self.findings, &self.lowered, &self.summary, paint)
    }

    fn lowered(&self) -> &[Lowered] {
        &self.lowered
    }
}
