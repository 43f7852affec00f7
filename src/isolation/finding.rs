//! The result of an audit. The JSON has the format of `verify`'s findings.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;

use crate::output::{Paint, plural};
use crate::verify::format::{self, Findings};
use crate::verify::{Counts, Finding, Tool};

/// The counts of findings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Audited {
    /// In order of schemas, objects, rules.
    pub findings: Vec<Finding>,
    /// The counts.
    pub summary: Summary,
}

impl Audited {
    /// Creates the result for `findings` of `tenants` tenants.
    pub fn of(findings: Vec<Finding>, tenants: usize) -> Self {
        let summary = Summary { tenants, counts: Counts::of(&findings) };
        Self { findings, summary }
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

    fn text(&self, paint: Paint) -> String {
        format::findings(&self.findings, &self.summary, paint)
    }
}
