//! Statements that delete all rows.

use squawk_linter::Rule as SquawkRule;
use squawk_syntax::SyntaxKind;

use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::{Level, RuleId};

pub(in crate::verify) const ROWS: &[Rule] = &[
    Rule {
        id: RuleId::Truncate,
        level: Level::Deny,
        impact: &[Impact::Data],
        why: "deletes every row",
        remediation: "use DELETE with WHERE, and give the reason in an Allow line",
        bad: "TRUNCATE users;",
        good: "-- Allow: delete-rows because nobody logs in with them\nDELETE FROM users WHERE disabled_at < '2020-01-01';",
        ignores_new_objects: true,
        judge: Judge::Known(&[], &[SyntaxKind::TRUNCATE]),
    },
    Rule {
        id: RuleId::TruncateCascade,
        level: Level::Deny,
        impact: &[Impact::Data],
        why: "also truncates every table that references this one",
        remediation: "name each table",
        bad: "TRUNCATE users CASCADE;",
        good: "-- Allow: delete-rows because nobody logs in with them\nDELETE FROM users WHERE disabled_at < '2020-01-01';",
        ignores_new_objects: false,
        judge: Judge::Known(&[SquawkRule::BanTruncateCascade], &[]),
    },
];
