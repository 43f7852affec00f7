//! The type of a rule, and [`RULES`], the only table of rules. Judging, policies, `-- Allow:` lines, reports, help and
//! documentation read it. To add a rule, add its name to [`RuleId`] and a row to the table.

use std::fmt;
use std::str::FromStr as _;

use schemars::JsonSchema;
use serde::Serialize;
use squawk_syntax::SyntaxKind;
use strum::VariantArray as _;

use super::finding::Level;
use super::rule_context::{RuleContext, Span};
use super::rule_id::RuleId;
use super::rules;

/// A rule.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Its name. A published name does not change.
    pub id: RuleId,
    /// Its default level.
    pub level: Level,
    /// What the finding endangers, in the order of [`Impact::ALL`]. Empty except for rules of `verify`.
    pub impact: &'static [Impact],
    /// The reason. For a rule of `verify`, the end of a sentence that begins with the statement: "`DROP TABLE a` removes …".
    pub why: &'static str,
    /// The remedy or the alternative.
    pub remediation: &'static str,
    /// SQL with a finding; for a rule that judges the database, SQL or a command that causes one.
    pub bad: &'static str,
    /// SQL for the same purpose that is not denied; empty if the rule does not judge SQL.
    pub good: &'static str,
    /// Whether statements on objects that the same file creates are skipped. Otherwise all are checked, or the rule itself
    /// decides.
    pub(super) ignores_new_objects: bool,
    /// How it produces findings.
    pub(super) judge: Judge,
}

impl Rule {
    /// The squawk rules that it uses, if any.
    pub fn source(&self) -> Option<String> {
        match self.judge {
            Judge::Known(theirs, _) | Judge::Filtered(theirs, ..) if !theirs.is_empty() => {
                let names: Vec<_> = theirs.iter().map(ToString::to_string).collect();
                Some(format!("squawk: {}", names.join(", ")))
            }
            _ => None,
        }
    }

    /// The tool that reports its findings.
    pub fn tool(&self) -> Tool {
        match self.judge {
            Judge::Catalog(tool, _) => tool,
            _ => Tool::Verify,
        }
    }

    /// What it finds in the database; `None` for a rule that judges statements.
    pub fn finds(&self) -> Option<&'static str> {
        match self.judge {
            Judge::Catalog(_, finds) => Some(finds),
            _ => None,
        }
    }

    /// A sentence that describes its findings, without a full stop.
    pub fn summary(&self) -> String {
        self.finds().map_or_else(|| format!("the statement {}", self.why), str::to_owned)
    }

    /// Whether its level cannot be changed.
    pub fn is_fixed(&self) -> bool {
        self.id == RuleId::Unverifiable || self.tool().settings().is_none()
    }

    /// Whether an Allow line can accept its findings.
    pub fn can_be_accepted(&self) -> bool {
        self.tool() == Tool::Verify && !rules::verification::ROWS.iter().any(|row| row.id == self.id)
    }

    /// The row of a rule that judges the database. `finds`, `why` and `remediation` have no full stop. `bad` causes a finding.
    pub(super) const fn of_catalog(
        (tool, id, level): (Tool, RuleId, Level),
        finds: &'static str,
        why: &'static str,
        remediation: &'static str,
        bad: &'static str,
    ) -> Self {
        let judge = Judge::Catalog(tool, finds);
        Self { id, level, impact: &[], why, remediation, bad, good: "", ignores_new_objects: false, judge }
    }
}

/// A command that reports findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tool {
    /// `tenure verify`, and commands that verify before they run.
    Verify,
    /// `tenure tenant audit`.
    Audit,
    /// `tenure drift`.
    Drift,
}

impl Tool {
    /// The command line.
    pub const fn command(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Audit => "tenant audit",
            Self::Drift => "drift",
        }
    }

    /// The table of `tenure.toml` with the levels of its rules.
    pub const fn settings(self) -> Option<&'static str> {
        match self {
            Self::Verify => Some("verify.levels"),
            Self::Audit => Some("audit.levels"),
            Self::Drift => None,
        }
    }

    /// Its rules, in documentation order.
    pub fn rules(self) -> impl Iterator<Item = &'static Rule> {
        RULES.iter().filter(move |rule| rule.tool() == self)
    }
}

/// What a rule protects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Impact {
    /// Rows that a rollback does not restore.
    Data,
    /// Reads of the running release.
    OldReaders,
    /// Writes of the running release.
    OldWriters,
    /// Requests that wait for a lock or a rewrite.
    Locks,
    /// Conventions for files.
    Conventions,
    /// Objects outside of the schemas that Tenure migrates.
    Others,
    /// The verification itself: the text does not determine the effect.
    Verification,
}

impl Impact {
    /// All values, in documentation order.
    pub const ALL: &[Self] = &[
        Self::Data,
        Self::OldReaders,
        Self::OldWriters,
        Self::Locks,
        Self::Conventions,
        Self::Others,
        Self::Verification,
    ];

    /// The description.
    pub const fn doc(self) -> &'static str {
        match self {
            Self::Data => "rows are lost that no rollback brings back",
            Self::OldReaders => "the release that is still running no longer reads what it reads now",
            Self::OldWriters => "the release that is still running can no longer write what it writes now",
            Self::Locks => "requests wait behind a lock or a rewrite",
            Self::Conventions => "the file is not written as the server or Tenure expects",
            Self::Others => "it reaches what lies outside the schemas that Tenure moves",
            Self::Verification => "the text does not say what would happen",
        }
    }
}

impl fmt::Display for Impact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Data => "data",
            Self::OldReaders => "old readers",
            Self::OldWriters => "old writers",
            Self::Locks => "locks",
            Self::Conventions => "conventions",
            Self::Others => "others",
            Self::Verification => "verification",
        })
    }
}

/// How a rule produces findings.
#[derive(Debug, Clone, Copy)]
pub(super) enum Judge {
    /// Findings of these squawk rules, and nodes of these kinds. Squawk covers the most common statements; the kinds cover
    /// the others.
    Known(&'static [squawk_linter::Rule], &'static [SyntaxKind]),
    /// As `Known`; the function then filters the findings by the state of the schema.
    Filtered(&'static [squawk_linter::Rule], &'static [SyntaxKind], fn(&RuleContext<'_>, &Span) -> bool),
    /// A function that returns the findings of a statement.
    Code(fn(&RuleContext<'_>) -> Vec<Span>),
    /// Reported by the verification itself.
    Verification,
    /// Reported by a tool that judges the database, with the description of the findings.
    Catalog(Tool, &'static str),
}

/// The schema for the rules' examples.
pub const EXAMPLES_ACT_ON: &str = "\
CREATE TABLE teams (id uuid PRIMARY KEY, created_at timestamptz, updated_at timestamptz);
CREATE TYPE mood AS ENUM ('ok', 'bad');
CREATE TYPE address AS (street text, zip text);
CREATE DOMAIN email_address AS text;
CREATE SEQUENCE invoice_numbers;
CREATE TABLE users (
    id uuid PRIMARY KEY,
    team_id uuid REFERENCES teams (id),
    manager_id uuid REFERENCES users (id) ON DELETE SET NULL,
    name varchar(50) NOT NULL,
    email text NOT NULL UNIQUE,
    phone text,
    role text DEFAULT 'editor' CHECK (role IS NOT NULL),
    visits int DEFAULT 0,
    full_name text GENERATED ALWAYS AS (name || '') STORED,
    disabled_at timestamptz
);
CREATE INDEX idx_users_name ON users (name);
CREATE INDEX idx_users_team ON users (team_id);
CREATE VIEW active_users AS SELECT id, name FROM users WHERE disabled_at IS NULL;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION total(a int) RETURNS int LANGUAGE sql AS 'SELECT a';
CREATE TABLE events (year int, note text) PARTITION BY RANGE (year);
CREATE TABLE events_2020 PARTITION OF events FOR VALUES FROM (2020) TO (2021);
CREATE TABLE old_events (year int, note text);
";

/// All rules: those of `verify`, of the audit and of `drift`, each in documentation order.
pub static RULES: &[Rule] = rules::ALL;

/// The index in [`RULES`] of each [`RuleId`]. Compilation fails unless each has exactly one row.
static ROW_OF: [usize; RuleId::VARIANTS.len()] = {
    let mut row_of = [usize::MAX; RuleId::VARIANTS.len()];
    let mut at = 0;
    while at < rules::ALL.len() {
        let id = rules::ALL[at].id as usize;
        assert!(row_of[id] == usize::MAX, "a rule has two rows");
        row_of[id] = at;
        at += 1;
    }
    assert!(at == row_of.len(), "a rule has no row");
    row_of
};

impl RuleId {
    /// Its row in the table of rules.
    pub fn rule(self) -> &'static Rule {
        &RULES[ROW_OF[self as usize]]
    }
}

/// The rule with the name `id`.
pub fn find(id: &str) -> Option<&'static Rule> {
    RuleId::from_str(id).ok().map(RuleId::rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_whole_and_stands_once() {
        for rule in RULES {
            let id = rule.id.as_str();
            assert!(id.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{id}");
            assert_eq!(find(id).map(|found| found.id), Some(rule.id));
            assert_eq!(serde_json::to_value(rule.id).unwrap(), id);
            let of_verify = rule.tool() == Tool::Verify;
            assert_eq!([rule.bad, rule.good].map(str::is_empty), [false, !of_verify], "{id}");
            let dangers = Impact::ALL.iter().filter(|danger| rule.impact.contains(danger)).copied();
            assert!(rule.impact.is_empty() != of_verify && rule.impact.iter().copied().eq(dangers), "{id}");
            for text in [rule.summary().as_str(), rule.why, rule.remediation] {
                assert!(!text.is_empty() && !text.ends_with('.'), "{id}: no full stop");
            }
        }
    }

    #[test]
    fn no_rule_of_squawk_feeds_two_of_ours() {
        let mut used = Vec::new();
        for rule in RULES {
            if let Judge::Known(theirs, _) | Judge::Filtered(theirs, _, _) = rule.judge {
                for code in theirs {
                    assert!(!used.contains(code), "{code} twice");
                    used.push(*code);
                }
            }
        }
    }
}
