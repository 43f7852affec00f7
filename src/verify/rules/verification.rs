//! Findings of the verification itself: files that it cannot judge, and `-- Allow:` lines.

use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::{Level, RuleId};

/// Reported for a file that makes a rule or the parser panic. Neither the policy nor an Allow line can change it.
pub(in crate::verify) const UNVERIFIABLE: Rule = Rule {
    id: RuleId::Unverifiable,
    level: Level::Deny,
    impact: &[Impact::Verification],
    why: "cannot be judged: the analysis failed",
    remediation: "simplify the statements, and report the file as a bug",
    bad: "-- a file on which the parser breaks",
    good: "SELECT 1;",
    ignores_new_objects: false,
    judge: Judge::Verification,
};

/// Reported for an invalid Allow line.
pub(in crate::verify) const ALLOW_INVALID: Rule = Rule {
    id: RuleId::AllowInvalid,
    level: Level::Deny,
    impact: &[Impact::Verification],
    why: "accepts nothing",
    remediation: "write -- Allow: rule-id [object] because …, with a reason",
    bad: "-- Allow: drop-table users\nDROP TABLE users;",
    good: "-- Allow: drop-table users because 2.1 was the last release to use it\nDROP TABLE users;",
    ignores_new_objects: false,
    judge: Judge::Verification,
};

/// Reported for an Allow line without a finding; it might accept another finding later.
pub(in crate::verify) const ALLOW_UNUSED: Rule = Rule {
    id: RuleId::AllowUnused,
    level: Level::Warn,
    impact: &[Impact::Verification],
    why: "accepts a finding that does not exist",
    remediation: "remove the line, or correct its rule or object; each line accepts one finding",
    bad: "-- Allow: drop-table users because it is empty\nSELECT 1;",
    good: "SELECT 1;",
    ignores_new_objects: false,
    judge: Judge::Verification,
};

pub(in crate::verify) const ROWS: &[Rule] = &[UNVERIFIABLE, ALLOW_INVALID, ALLOW_UNUSED];
