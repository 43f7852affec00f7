//! The result of an audit. The JSON has the format of `verify`'s findings.

use serde::Serialize;

use crate::verify::{Evidence, Level};

/// A finding of an audit. Keys of `verify` about files are omitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule.
    pub rule: &'static str,
    /// Its level under the policy.
    pub level: Level,
    /// The schema of the object, if it is in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// The object, such as `table t` or `role r`.
    pub object: String,
    /// The other tenant's schema, if two are concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other: Option<String>,
    /// The kind of evidence.
    pub evidence: Evidence,
    /// The message.
    pub message: String,
    /// The remedy: a statement to run if possible.
    pub help: String,
    /// Always false; present for compatibility with `verify`.
    pub allowed: bool,
}

/// The counts of findings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Audited tenants.
    pub tenants: usize,
    /// Denied findings, which set exit code 1.
    pub deny: usize,
    /// Warnings.
    pub warn: usize,
    /// Accepted findings; see [`Finding::allowed`].
    pub allowed: usize,
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
        let count = |level| findings.iter().filter(|finding| finding.level == level).count();
        let summary = Summary { tenants, deny: count(Level::Deny), warn: count(Level::Warn), allowed: 0 };
        Self { findings, summary }
    }

    /// The exit code: 1 if a finding is denied.
    pub fn exit_code(&self) -> u8 {
        u8::from(self.summary.deny > 0)
    }
}
