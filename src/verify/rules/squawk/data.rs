//! What takes rows away.

use squawk_linter::Rule as Theirs;
use squawk_syntax::SyntaxKind;

use crate::verify::finding::{Level, RuleId};
use crate::verify::rule::{Breaks, Judge, Rule, Spares};

pub(in crate::verify) const ROWS: &[Rule] = &[
    Rule {
        id: RuleId("truncate"),
        level: Level::Deny,
        breaks: &[Breaks::Data],
        why: "removes every row",
        instead: "delete the rows that must go, by a WHERE, and say by an Allow line why",
        bad: "TRUNCATE users;",
        good: "-- Allow: delete-rows because nobody logs in with them\nDELETE FROM users WHERE disabled_at < '2020-01-01';",
        spares: Spares::NewObjects,
        judge: Judge::Known(&[], &[SyntaxKind::TRUNCATE]),
    },
    Rule {
        id: RuleId("truncate-cascade"),
        level: Level::Deny,
        breaks: &[Breaks::Data],
        why: "also empties every table that refers to this one",
        instead: "name each table that is meant",
        bad: "TRUNCATE users CASCADE;",
        good: "-- Allow: delete-rows because nobody logs in with them\nDELETE FROM users WHERE disabled_at < '2020-01-01';",
        spares: Spares::Nothing,
        judge: Judge::Known(&[Theirs::BanTruncateCascade], &[]),
    },
];
