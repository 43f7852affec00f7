//! What a rule says of a statement or of an object in the database, as a value; its JSON is the contract of CLI.md.
//! A finding knows its place and its reason, not how it is shown.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::rule_id::RuleId;
use crate::error::Place;
use crate::output::plural;
use crate::sql::Scope;

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

/// One thing that a rule found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule that made it.
    pub rule: RuleId,
    /// Its weight under the policy, whether or not it was accepted.
    pub level: Level,
    /// What it is about.
    pub subject: FindingTarget,
    /// How it is known.
    pub evidence: Evidence,
    /// What is found and what that breaks.
    pub message: String,
    /// What to do.
    pub help: String,
    /// The reason that an `-- Allow:` line gives for accepting it.
    pub allowed: Option<String>,
}

/// What a finding is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FindingTarget {
    /// A statement of a file, or the whole file.
    Text {
        /// Where.
        place: Place,
        /// Whose the statement is, where that is known.
        scope: Option<Scope>,
    },
    /// Something in the database.
    Object(Object),
}

/// Something in the database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Object {
    /// Its schema; `None` for what is in no schema, or in the platform's.
    pub schema: Option<String>,
    /// What it is: `table t`, `role r`, `schema`.
    pub object: String,
    /// The other tenant's schema, where the finding is about two.
    pub other: Option<String>,
}

impl Object {
    /// Where it is, as people read it: `org_a, table t`.
    pub fn title(&self) -> String {
        match &self.schema {
            Some(schema) if self.object != "schema" => format!("{schema}, {}", self.object),
            Some(schema) => format!("schema {schema}"),
            None => self.object.clone(),
        }
    }
}

impl Finding {
    /// Whether it makes the exit code 1: of a migration, refuses it.
    pub fn denies(&self) -> bool {
        self.level == Level::Deny && self.allowed.is_none()
    }

    /// The place in a file, if it is about a file.
    pub fn place(&self) -> Option<&Place> {
        match &self.subject {
            FindingTarget::Text { place, .. } => Some(place),
            FindingTarget::Object(_) => None,
        }
    }

    /// The object, if it is about one in the database.
    pub fn object(&self) -> Option<&Object> {
        match &self.subject {
            FindingTarget::Text { .. } => None,
            FindingTarget::Object(object) => Some(object),
        }
    }
}

/// The keys of CLI.md, "Verifying"; those of a place that is a whole file, and those of the other kind of subject, are left
/// out.
#[derive(Serialize)]
#[expect(clippy::option_option, reason = "a key may be left out or null")]
struct Shown<'a> {
    rule: RuleId,
    level: Level,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_column: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    other: Option<&'a str>,
    /// `null` for a statement of which nobody knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<Option<Scope>>,
    evidence: Evidence,
    message: &'a str,
    help: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<&'a str>,
}

impl Serialize for Finding {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (place, object) = (self.place(), self.object());
        let (start, end) = (place.and_then(Place::start), place.and_then(Place::end));
        Shown {
            rule: self.rule,
            level: self.level,
            file: place.map(Place::file),
            line: start.map(|at| at.line),
            column: start.map(|at| at.column),
            end_line: end.map(|at| at.line),
            end_column: end.map(|at| at.column),
            schema: object.and_then(|it| it.schema.as_deref()),
            object: object.map(|it| it.object.as_str()),
            other: object.and_then(|it| it.other.as_deref()),
            scope: match &self.subject {
                FindingTarget::Text { scope, .. } => Some(*scope),
                FindingTarget::Object(_) => None,
            },
            evidence: self.evidence,
            message: &self.message,
            help: &self.help,
            allowed: self.allowed.is_some(),
            because: self.allowed.as_deref(),
        }
        .serialize(serializer)
    }
}

/// Findings in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Findings that make the exit code 1.
    pub deny: usize,
    /// Findings that only tell.
    pub warn: usize,
    /// Findings of either level that an `-- Allow:` line accepts.
    pub allowed: usize,
}

impl Counts {
    /// Counts `findings`.
    pub fn of(findings: &[Finding]) -> Self {
        let count = |wanted: fn(&Finding) -> bool| findings.iter().filter(|finding| wanted(finding)).count();
        Self {
            deny: count(Finding::denies),
            warn: count(|finding| finding.level == Level::Warn && finding.allowed.is_none()),
            allowed: count(|finding| finding.allowed.is_some()),
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = [(self.deny, "denied"), (self.warn, "warned"), (self.allowed, "allowed")];
        let found: Vec<String> = found
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        f.write_str(&if found.is_empty() { "nothing found".to_owned() } else { found.join(", ") })
    }
}

/// The counts at the end of a report on files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Files judged.
    pub files: usize,
    /// Statements judged.
    pub statements: usize,
    /// What was found in them.
    #[serde(flatten)]
    pub counts: Counts,
}

impl Summary {
    /// Counts `findings` of `files` files with `statements` statements in all.
    pub fn of(findings: &[Finding], files: usize, statements: usize) -> Self {
        Self { files, statements, counts: Counts::of(findings) }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { files, statements, counts } = self;
        write!(f, "{}, {}: {counts}", plural(*files, "file"), plural(*statements, "statement"))
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
            rule: RuleId::DropColumn,
            level: Level::Deny,
            subject: FindingTarget::Text { place: Place::at(&source, 18..35), scope: Some(Scope::Tenant) },
            evidence: Evidence::Text,
            message: "m".to_owned(),
            help: "h".to_owned(),
            allowed: None,
        };
        insta::assert_snapshot!(serde_json::to_string(&finding).unwrap(), @r#"{"rule":"drop-column","level":"deny","file":"migrations/a.sql","line":2,"column":1,"end_line":2,"end_column":18,"scope":"tenant","evidence":"text","message":"m","help":"h","allowed":false}"#);
        finding.subject = FindingTarget::Text { place: Place::File("a.sql".to_owned()), scope: None };
        finding.allowed = Some("nobody reads it".to_owned());
        insta::assert_snapshot!(serde_json::to_string(&finding).unwrap(), @r#"{"rule":"drop-column","level":"deny","file":"a.sql","scope":null,"evidence":"text","message":"m","help":"h","allowed":true,"because":"nobody reads it"}"#);
        let summary = Summary::of(&[finding], 1, 2);
        insta::assert_snapshot!(serde_json::to_string(&summary).unwrap(), @r#"{"files":1,"statements":2,"deny":0,"warn":0,"allowed":1}"#);
    }
}
