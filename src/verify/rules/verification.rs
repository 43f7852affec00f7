//! What verification itself has to say: of a file that it cannot judge, and of `-- Allow:` lines.

use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::{Level, RuleId};

/// The rule of a file on which judging itself broke. Neither the policy nor an Allow line lifts it.
pub(in crate::verify) const UNVERIFIABLE: Rule = Rule {
    id: RuleId::Unverifiable,
    level: Level::Deny,
    impact: &[Impact::Verification],
    why: "cannot be judged: the analysis broke on it",
    remediation: "simplify the statements, and report the file as a bug",
    bad: "-- a file on which the parser breaks",
    good: "SELECT 1;",
    ignores_new_objects: false,
    judge: Judge::Verification,
};

/// The rule of an Allow line that says nothing that can be followed.
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

/// The rule of an Allow line that is not needed; left there it might accept something else one day.
pub(in crate::verify) const ALLOW_UNUSED: Rule = Rule {
    id: RuleId::AllowUnused,
    level: Level::Warn,
    impact: &[Impact::Verification],
    why: "accepts a finding that nothing here makes",
    remediation: "remove the line, or correct its rule or object; each line accepts one finding",
    bad: "-- Allow: drop-table users because it is empty\nSELECT 1;",
    good: "SELECT 1;",
    ignores_new_objects: false,
    judge: Judge::Verification,
};

pub(in crate::verify) const ROWS: &[Rule] = &[UNVERIFIABLE, ALLOW_INVALID, ALLOW_UNUSED];
