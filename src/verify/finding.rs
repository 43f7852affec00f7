//! What verification says of a statement, as a value; its JSON is the contract of CLI.md. A finding
//! knows where it stands and why it was made, not how it is shown.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Place;
use crate::sql::Scope;

/// A rule's name, kebab-case. Only the list of rules makes one, so a value always names a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct RuleId(pub(super) &'static str);

impl RuleId {
    /// The name as programs see it.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The migration is refused, unless an `-- Allow:` line accepts the finding.
    Deny,
    /// People are told.
    Warn,
    /// Nobody is: a rule that is off until the settings say otherwise. No finding has it.
    Off,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deny => "deny",
            Self::Warn => "warn",
            Self::Off => "off",
        })
    }
}

/// Which of verification's questions the finding answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Evidence {
    /// The text of the file.
    Text,
    /// What the migration did to a shadow.
    Effect,
    /// The queries of the running release.
    Queries,
    /// The catalog of the database itself; of an audit.
    Catalog,
}

/// One thing that verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule that made it.
    pub rule: RuleId,
    /// Its weight under the policy, whether or not it was accepted.
    pub level: Level,
    /// Where.
    pub place: Place,
    /// Whose the statement is, where that is known.
    pub scope: Option<Scope>,
    /// How it is known.
    pub evidence: Evidence,
    /// What the statement does and what that breaks.
    pub message: String,
    /// What to do instead.
    pub help: String,
    /// The reason that an `-- Allow:` line gives for accepting it.
    pub allowed: Option<String>,
}

impl Finding {
    /// Whether it refuses the migration.
    pub fn denies(&self) -> bool {
        self.level == Level::Deny && self.allowed.is_none()
    }
}

/// The keys of CLI.md, "Verifying"; those of a place that is a whole file are left out.
#[derive(Serialize)]
struct Shown<'a> {
    rule: RuleId,
    level: Level,
    file: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_column: Option<usize>,
    scope: Option<Scope>,
    evidence: Evidence,
    message: &'a str,
    help: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<&'a str>,
}

impl Serialize for Finding {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (start, end) = (self.place.start(), self.place.end());
        Shown {
            rule: self.rule,
            level: self.level,
            file: self.place.file(),
            line: start.map(|at| at.line),
            column: start.map(|at| at.column),
            end_line: end.map(|at| at.line),
            end_column: end.map(|at| at.column),
            scope: self.scope,
            evidence: self.evidence,
            message: &self.message,
            help: &self.help,
            allowed: self.allowed.is_some(),
            because: self.allowed.as_deref(),
        }
        .serialize(serializer)
    }
}

/// The counts at the end of a report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Files judged.
    pub files: usize,
    /// Statements judged.
    pub statements: usize,
    /// Findings that refuse the migration.
    pub deny: usize,
    /// Findings that only tell.
    pub warn: usize,
    /// Findings of either level that an `-- Allow:` line accepts.
    pub allowed: usize,
}

impl Summary {
    /// Counts `findings` of `files` files with `statements` statements in all.
    pub fn of(findings: &[Finding], files: usize, statements: usize) -> Self {
        let count = |wanted: fn(&Finding) -> bool| findings.iter().filter(|finding| wanted(finding)).count();
        Self {
            files,
            statements,
            deny: count(Finding::denies),
            warn: count(|finding| finding.level == Level::Warn && finding.allowed.is_none()),
            allowed: count(|finding| finding.allowed.is_some()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Source;

    #[test]
    fn the_json_is_the_contract() {
        let source = Source::new("migrations/a.sql", "ALTER TABLE users\nDROP COLUMN email;");
        let mut finding = Finding {
            rule: RuleId("drop-column"),
            level: Level::Deny,
            place: Place::at(&source, 18..35),
            scope: Some(Scope::Tenant),
            evidence: Evidence::Text,
            message: "m".to_owned(),
            help: "h".to_owned(),
            allowed: None,
        };
        insta::assert_snapshot!(serde_json::to_string(&finding).unwrap(), @r#"{"rule":"drop-column","level":"deny","file":"migrations/a.sql","line":2,"column":1,"end_line":2,"end_column":18,"scope":"tenant","evidence":"text","message":"m","help":"h","allowed":false}"#);
        finding.place = Place::File("a.sql".to_owned());
        finding.allowed = Some("nobody reads it".to_owned());
        insta::assert_snapshot!(serde_json::to_string(&finding).unwrap(), @r#"{"rule":"drop-column","level":"deny","file":"a.sql","scope":"tenant","evidence":"text","message":"m","help":"h","allowed":true,"because":"nobody reads it"}"#);
        let summary = Summary::of(&[finding], 1, 2);
        insta::assert_snapshot!(serde_json::to_string(&summary).unwrap(), @r#"{"files":1,"statements":2,"deny":0,"warn":0,"allowed":1}"#);
    }
}
