//! A rule, and the ONE table of them, for every tool: judging, the policies, `-- Allow:` lines, reports, help and the
//! documentation all read [`RULES`]. A rule is added by its name in [`RuleId`] and a row there.

use std::fmt;
use std::str::FromStr as _;

use serde::Serialize;
use squawk_syntax::SyntaxKind;
use strum::VariantArray as _;

use super::finding::Level;
use super::rule_context::{RuleContext, Span};
use super::rule_id::RuleId;
use super::rules;

/// One rule.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Its name, kebab-case, never changed once published.
    pub id: RuleId,
    /// Its weight where the policy says nothing.
    pub level: Level,
    /// What is in danger: of a rule of `verify` one thing or more, in the order of [`Impact::ALL`]; of others nothing.
    pub impact: &'static [Impact],
    /// Why. Of a rule of `verify` the end of a sentence that begins with the statement: "`DROP TABLE a` removes …".
    pub why: &'static str,
    /// What to do, or to do instead.
    pub remediation: &'static str,
    /// SQL that it finds; empty where it judges no SQL.
    pub bad: &'static str,
    /// SQL that reaches the same aim and is not denied; empty where it judges no SQL.
    pub good: &'static str,
    /// Whether statements on objects that the same file creates, and that nobody can be using yet, are skipped. If not, all are
    /// checked, or the rule itself decides.
    pub(super) ignores_new_objects: bool,
    /// How it finds.
    pub(super) judge: Judge,
}

impl Rule {
    /// Whose rules it is made from, where they are not Tenure's own.
    pub fn source(&self) -> Option<String> {
        match self.judge {
            Judge::Known(theirs, _) | Judge::Filtered(theirs, ..) if !theirs.is_empty() => {
                let names: Vec<_> = theirs.iter().map(ToString::to_string).collect();
                Some(format!("squawk: {}", names.join(", ")))
            }
            _ => None,
        }
    }

    /// The tool whose findings it makes.
    pub fn tool(&self) -> Tool {
        match self.judge {
            Judge::Catalog(tool, _) => tool,
            _ => Tool::Verify,
        }
    }

    /// What it finds, of a rule that judges the database; `None` of a rule that judges statements.
    pub fn finds(&self) -> Option<&'static str> {
        match self.judge {
            Judge::Catalog(_, finds) => Some(finds),
            _ => None,
        }
    }

    /// What it finds, as a sentence without its full stop.
    pub fn summary(&self) -> String {
        self.finds().map_or_else(|| format!("the statement {}", self.why), str::to_owned)
    }

    /// Whether no setting changes its level.
    pub fn is_fixed(&self) -> bool {
        self.id == RuleId::Unverifiable || self.tool().settings().is_none()
    }

    /// Whether an Allow line may accept what it finds.
    pub fn can_be_accepted(&self) -> bool {
        self.tool() == Tool::Verify && !rules::verification::ROWS.iter().any(|row| row.id == self.id)
    }

    /// A row of a rule that judges the database. `finds`, `why` and `remediation` have no full stop.
    pub(super) const fn of_catalog(
        (tool, id, level): (Tool, RuleId, Level),
        finds: &'static str,
        why: &'static str,
        remediation: &'static str,
    ) -> Self {
        let judge = Judge::Catalog(tool, finds);
        Self {
            id,
            level,
            impact: &[],
            why,
            remediation,
            bad: "",
            good: "",
            ignores_new_objects: false,
            judge,
        }
    }
}

/// A command that makes findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tool {
    /// `tenure verify`, and all that verifies before it runs.
    Verify,
    /// `tenure tenant audit`.
    Audit,
    /// `tenure drift`.
    Drift,
}

impl Tool {
    /// The command.
    pub const fn command(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Audit => "tenant audit",
            Self::Drift => "drift",
        }
    }

    /// The table of `tenure.toml` that changes the levels of its rules.
    pub const fn settings(self) -> Option<&'static str> {
        match self {
            Self::Verify => Some("verify.levels"),
            Self::Audit => Some("audit.levels"),
            Self::Drift => None,
        }
    }

    /// Its rules, in the order of the documentation.
    pub fn rules(self) -> impl Iterator<Item = &'static Rule> {
        RULES.iter().filter(move |rule| rule.tool() == self)
    }
}

/// What a rule protects. Shown and written as one of the words of the documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Impact {
    /// Rows that no rollback brings back.
    Data,
    /// What the release that is still running reads.
    OldReaders,
    /// What the release that is still running writes.
    OldWriters,
    /// Requests that wait behind a lock or a rewrite.
    Locks,
    /// How a file is to be written.
    Conventions,
    /// Things outside the schemas that Tenure moves.
    Others,
    /// The verification itself: the text does not say what would happen.
    Verification,
}

impl Impact {
    /// All of them, in the order of the documentation.
    pub const ALL: &[Self] = &[
        Self::Data,
        Self::OldReaders,
        Self::OldWriters,
        Self::Locks,
        Self::Conventions,
        Self::Others,
        Self::Verification,
    ];

    /// What the word means.
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

/// How a rule finds what it is about.
#[derive(Debug, Clone, Copy)]
pub(super) enum Judge {
    /// What squawk reports under these names, and any node of these kinds: squawk looks at the
    /// statements that are most common, the tree has the rest.
    Known(&'static [squawk_linter::Rule], &'static [SyntaxKind]),
    /// The same, and then our own look at each: what is known of the schema decides.
    Filtered(&'static [squawk_linter::Rule], &'static [SyntaxKind], fn(&RuleContext<'_>, &Span) -> bool),
    /// Our own look at a statement.
    Code(fn(&RuleContext<'_>) -> Vec<Span>),
    /// Verification makes the finding itself.
    Verification,
    /// This tool judges the database; and what it finds there.
    Catalog(Tool, &'static str),
}

/// The schema that the examples of the rules act on, on top of an empty one.
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

/// All rules: those of `verify`, of the audit, of `drift`, each in the order of the documentation.
pub static RULES: &[Rule] = rules::ALL;

/// Where the row of each [`RuleId`] stands in [`RULES`]. It does not compile unless each has one row.
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

/// The rule of that name.
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
            assert_eq!([rule.bad, rule.good].map(str::is_empty), [!of_verify; 2], "{id}");
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
