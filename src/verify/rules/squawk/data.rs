//! What takes rows away.

use squawk_linter::Rule as Theirs;
use squawk_syntax::SyntaxKind;

use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::{Level, RuleId};

pub(in crate::verify) const ROWS: &[Rule] = &[
    Rule {
        id: RuleId::Truncate,
        level: Level::Deny,
        impact: &[Impact::Data],
        why: "removes every row",
        remediation: "delete the rows that must go, by a WHERE, and say by an Allow line why",
        bad: "TRUNCATE users;",
        good: "-- Allow: delete-rows because nobody logs in with them\nDELETE FROM users WHERE disabled_at < '2020-01-01';",
        ignores_new_objects: true,
        judge: Judge::Known(&[], &[SyntaxKind::TRUNCATE]),
    },
    Rule {
        id: RuleId::TruncateCascade,
        level: Level::Deny,
        impact: &[Impact::Data],
        why: "also empties every table that refers to this one",
        remediation: "name each table that is meant",
        bad: "TRUNCATE users CASCADE;",
        good: "-- Allow: delete-rows because nobody logs in with them\nDELETE FROM users WHERE disabled_at < '2020-01-01';",
        ignores_new_objects: false,
        judge: Judge::Known(&[Theirs::BanTruncateCascade], &[]),
    },
];
