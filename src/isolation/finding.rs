//! What an audit says, as a value; its JSON has the form of `verify`'s findings.

use serde::Serialize;

use crate::verify::{Evidence, Level};

/// One thing that an audit found. Keys of `verify` that are about a file do not apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule that made it.
    pub rule: &'static str,
    /// Its weight under the policy.
    pub level: Level,
    /// The schema of the object; left out for what is in none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// What it is about: `table t`, `role r`.
    pub object: String,
    /// The other tenant's schema, where it is about two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other: Option<String>,
    /// How it is known.
    pub evidence: Evidence,
    /// What is so.
    pub message: String,
    /// What to do: a statement to run, where one does it.
    pub help: String,
    /// Whether somebody accepted it; nobody can, but the key is `verify`'s.
    pub allowed: bool,
}

/// The counts at the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Tenants looked at.
    pub tenants: usize,
    /// Findings that make the exit code 1.
    pub deny: usize,
    /// Findings that only tell.
    pub warn: usize,
    /// Findings that somebody accepted; see [`Finding::allowed`].
    pub allowed: usize,
}

/// The result of an audit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Audited {
    /// In order of schemas, objects, rules.
    pub findings: Vec<Finding>,
    /// In numbers.
    pub summary: Summary,
}

impl Audited {
    /// These findings of so many tenants.
    pub fn of(findings: Vec<Finding>, tenants: usize) -> Self {
        let count = |level| findings.iter().filter(|finding| finding.level == level).count();
        let summary = Summary { tenants, deny: count(Level::Deny), warn: count(Level::Warn), allowed: 0 };
        Self { findings, summary }
    }

    /// The exit code: 1 where a finding denies.
    pub fn exit_code(&self) -> u8 {
        u8::from(self.summary.deny > 0)
    }
}
