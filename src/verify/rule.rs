//! What a rule is, and the ONE list of them: judging, the policy, `-- Allow:` lines, help and the
//! documentation all walk [`RULES`]. A rule is added by a row there and nowhere else.

use std::fmt;

use squawk_syntax::SyntaxKind;

use super::finding::{Level, RuleId};
use super::rules;
use super::subject::{Hit, Subject};

/// One rule.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Its name, kebab-case, never changed once published.
    pub id: RuleId,
    /// Its weight where the policy says nothing.
    pub level: Level,
    /// What is in danger.
    pub breaks: Breaks,
    /// Why, as the end of a sentence that begins with the statement: "`DROP TABLE a` removes …".
    pub why: &'static str,
    /// What to do instead.
    pub instead: &'static str,
    /// SQL that it finds.
    pub bad: &'static str,
    /// SQL that reaches the same aim and is not denied.
    pub good: &'static str,
    /// Whether what the file itself made is spared.
    pub(super) spares: Spares,
    /// How it finds.
    pub(super) judge: Judge,
}

/// What a rule protects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breaks {
    /// The release that is still running while the migration is done.
    Release,
    /// Rows that no rollback brings back.
    Data,
    /// Requests that wait behind a lock or a rewrite.
    Traffic,
    /// What tables and migrations look like here.
    Conventions,
    /// Things outside the schemas that Tenure moves.
    Others,
    /// The verification itself: the text does not say what would happen.
    Verification,
}

impl fmt::Display for Breaks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Release => "the release still running",
            Self::Data => "data",
            Self::Traffic => "traffic: locks and rewrites",
            Self::Conventions => "the project's conventions",
            Self::Others => "what lies outside the schemas",
            Self::Verification => "verification itself",
        })
    }
}

/// Whether a statement on objects that the same file made, and that nobody can be using yet, is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spares {
    /// It is not.
    NewObjects,
    /// It is; or the rule looks for itself.
    Nothing,
}

/// How a rule finds what it is about.
#[derive(Debug, Clone, Copy)]
pub(super) enum Judge {
    /// What squawk reports under these names, and any node of these kinds: squawk looks at the
    /// statements that are most common, the tree has the rest.
    Known(&'static [squawk_linter::Rule], &'static [SyntaxKind]),
    /// The same, and then our own look at each: what is known of the schema decides.
    Sifted(&'static [squawk_linter::Rule], &'static [SyntaxKind], fn(&Subject<'_>, &Hit) -> bool),
    /// Our own look at a statement.
    Code(fn(&Subject<'_>) -> Vec<Hit>),
    /// Verification makes the finding itself.
    Verification,
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

/// All rules, in the order of the documentation.
pub static RULES: &[Rule] = rules::ALL;

/// The rule of that name.
pub fn find(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id.as_str() == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_whole_and_stands_once() {
        for (index, rule) in RULES.iter().enumerate() {
            let id = rule.id.as_str();
            assert!(id.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{id}");
            assert!(!RULES[..index].iter().any(|other| other.id == rule.id), "{id} stands twice");
            assert!(!rule.bad.is_empty() && !rule.good.is_empty() && !rule.instead.is_empty(), "{id}");
            assert!(!rule.why.ends_with('.') && !rule.instead.ends_with('.'), "{id}: no full stop");
        }
    }

    #[test]
    fn no_rule_of_squawk_feeds_two_of_ours() {
        let mut used = Vec::new();
        for rule in RULES {
            if let Judge::Known(theirs, _) | Judge::Sifted(theirs, _, _) = rule.judge {
                for code in theirs {
                    assert!(!used.contains(code), "{code} twice");
                    used.push(*code);
                }
            }
        }
    }
}
