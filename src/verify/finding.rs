//! The findings of rules about statements or objects in the database. Their JSON is specified in CLI.md. Text output is in
//! `format`.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule_id::RuleId;
use crate::error::Place;
use crate::output::plural;
use crate::sql::Scope;

/// The level of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Refuses the migration, unless an `-- Allow:` line accepts the finding.
    Deny,
    /// Reported only.
    Warn,
    /// The rule is off unless the settings enable it. No finding has this level.
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

/// The evidence for a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Evidence {
    /// The text of the file.
    Text,
    /// The effect of the migration on a shadow.
    Effect,
    /// The queries of the running release.
    Queries,
    /// The catalog of the database.
    Catalog,
}

/// A finding of a rule.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(into = "FindingJson")]
#[schemars(from = "FindingJson")]
pub struct Finding {
    /// The rule.
    pub rule: RuleId,
    /// Its level under the policy, whether or not it was accepted.
    pub level: Level,
    /// Its target.
    pub subject: FindingTarget,
    /// Its evidence.
    pub evidence: Evidence,
    /// The problem and its consequence.
    pub message: String,
    /// The remedy.
    pub help: String,
    /// The effects on a shadow that confirm it, if it was found in the text.
    pub observed: Vec<String>,
    /// The `-- Allow:` line that accepts it, if it denies a file and can be accepted.
    pub allow_line: Option<String>,
    /// The reason in the `-- Allow:` line that accepts it.
    pub allowed: Option<String>,
}

/// The target of a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FindingTarget {
    /// A statement of a file, or the whole file.
    Text {
        /// Its position.
        place: Place,
        /// The scope of the statement, if it is known.
        scope: Option<Scope>,
    },
    /// An object in the database.
    Object(Object),
}

/// An object in the database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Object {
    /// Its schema; `None` for an object in no schema, or in the platform's.
    pub schema: Option<String>,
    /// Its type and name: `table t`, `role r`, `schema`.
    pub object: String,
    /// The other tenant's schema, if the finding is about two tenants.
    pub other: Option<String>,
}

impl Object {
    /// The schema and the object for text output: `org_a, table t`.
    pub fn title(&self) -> String {
        match &self.schema {
            Some(schema) if self.object != "schema" => format!("{schema}, {}", self.object),
            Some(schema) => format!("schema {schema}"),
            None => self.object.clone(),
        }
    }
}

impl Finding {
    /// Whether it sets the exit code to 1 and refuses a migration.
    pub fn denies(&self) -> bool {
        self.level == Level::Deny && self.allowed.is_none()
    }

    /// How to accept it, if that is possible.
    pub fn acceptance(&self) -> Option<String> {
        let line = self.allow_line.as_ref().filter(|_| self.denies())?;
        Some(format!("to accept it, add the line `{line}`; see also `tenure explain {}`", self.rule))
    }

    /// The position, if it is about a file.
    pub fn place(&self) -> Option<&Place> {
        match &self.subject {
            FindingTarget::Text { place, .. } => Some(place),
            FindingTarget::Object(_) => None,
        }
    }

    /// The object, if it is about the database.
    pub fn object(&self) -> Option<&Object> {
        match &self.subject {
            FindingTarget::Text { .. } => None,
            FindingTarget::Object(object) => Some(object),
        }
    }
}

/// The JSON keys in CLI.md, "Verifying". Keys of the other kind of target are omitted, and for a whole file the position.
#[derive(JsonSchema, Serialize)]
#[expect(clippy::option_option, reason = "a key may be left out or null")]
struct FindingJson {
    rule: RuleId,
    level: Level,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_column: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    other: Option<String>,
    /// `null` if the scope of a statement is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<Option<Scope>>,
    evidence: Evidence,
    message: String,
    help: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    observed: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allow_line: Option<String>,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<String>,
}

impl From<Finding> for FindingJson {
    fn from(finding: Finding) -> Self {
        let denies = finding.denies();
        let Finding { rule, level, subject, evidence, message, help, observed, allow_line, allowed } =
            finding;
        let (place, scope, object) = match subject {
            FindingTarget::Text { place, scope } => (Some(place), Some(scope), None),
            FindingTarget::Object(object) => (None, None, Some(object)),
        };
        let place = place.as_ref();
        let (start, end) = (place.and_then(Place::start), place.and_then(Place::end));
        let (schema, object, other) = match object {
            Some(Object { schema, object, other }) => (schema, Some(object), other),
            None => (None, None, None),
        };
        Self {
            rule,
            level,
            file: place.map(|place| place.file().to_owned()),
            line: start.map(|at| at.line),
            column: start.map(|at| at.column),
            end_line: end.map(|at| at.line),
            end_column: end.map(|at| at.column),
            schema,
            object,
            other,
            scope,
            evidence,
            message,
            help,
            observed,
            allow_line: allow_line.filter(|_| denies),
            allowed: allowed.is_some(),
            because: allowed,
        }
    }
}

/// The numbers of findings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Counts {
    /// Findings that set the exit code to 1.
    pub deny: usize,
    /// Findings that are only reported.
    pub warn: usize,
    /// Accepted findings, of either level.
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Summary {
    /// Number of judged files.
    pub files: usize,
    /// Number of statements in them.
    pub statements: usize,
    /// Number of files that were read, if only new and changed ones were judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read: Option<usize>,
    /// The numbers of findings.
    #[serde(flatten)]
    pub counts: Counts,
}

impl Summary {
    /// Counts the `findings` in `files` files with a total of `statements` statements.
    pub fn of(findings: &[Finding], files: usize, statements: usize) -> Self {
        Self { files, statements, read: None, counts: Counts::of(findings) }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { files, statements, read, counts } = self;
        let read = read.map(|read| format!(" of {read} judged")).unwrap_or_default();
        write!(f, "{}{read}, {}: {counts}", plural(*files, "file"), plural(*statements, "statement"))
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
            observed: Vec::new(),
            allow_line: Some("-- Allow: drop-column users.email because <reason>".to_owned()),
            allowed: None,
        };
        insta::assert_snapshot!(serde_json::to_string(&finding).unwrap(), @r#"{"rule":"drop-column","level":"deny","file":"migrations/a.sql","line":2,"column":1,"end_line":2,"end_column":18,"scope":"tenant","evidence":"text","message":"m","help":"h","allow_line":"-- Allow: drop-column users.email because <reason>","allowed":false}"#);
        finding.subject = FindingTarget::Text { place: Place::File("a.sql".to_owned()), scope: None };
        finding.allowed = Some("nobody reads it".to_owned());
        insta::assert_snapshot!(serde_json::to_string(&finding).unwrap(), @r#"{"rule":"drop-column","level":"deny","file":"a.sql","scope":null,"evidence":"text","message":"m","help":"h","allowed":true,"because":"nobody reads it"}"#);
        let summary = Summary::of(&[finding], 1, 2);
        insta::assert_snapshot!(serde_json::to_string(&summary).unwrap(), @r#"{"files":1,"statements":2,"deny":0,"warn":0,"allowed":1}"#);
    }
}
