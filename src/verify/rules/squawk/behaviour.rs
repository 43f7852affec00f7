//! What stays there and does something else from now on. Mostly nothing in the
//! text says that it is wrong, so most of these warn.

use squawk_linter::Rule as Theirs;
use squawk_syntax::SyntaxKind;

use crate::verify::finding::{Level, RuleId};
use crate::verify::rule::{Breaks, Judge, Rule, Spares};

pub(in crate::verify) const ROWS: &[Rule] = &[
    Rule {
        id: RuleId("replace-object"),
        level: Level::Warn,
        breaks: &[Breaks::OldReaders, Breaks::OldWriters],
        why: "changes what the running release gets under a name that it uses",
        instead: "make sure that both releases can use the new one, or choose another name",
        bad: "CREATE OR REPLACE VIEW active_users AS SELECT id FROM users;",
        good: "CREATE VIEW active_users_v2 AS SELECT id FROM users;",
        spares: Spares::NewObjects,
        judge: Judge::Known(&[Theirs::BanReplaceViewFunction], &[]),
    },
    Rule {
        id: RuleId("create-rule"),
        level: Level::Deny,
        breaks: &[Breaks::OldReaders, Breaks::OldWriters],
        why: "rewrites what the running release sends, so that its writes may do something else or nothing",
        instead: "use a trigger on a new table, or a view of another name",
        bad: "CREATE RULE quiet AS ON INSERT TO users DO INSTEAD NOTHING;",
        good: "CREATE VIEW quiet_users AS SELECT * FROM users;",
        spares: Spares::NewObjects,
        judge: Judge::Known(&[], &[SyntaxKind::CREATE_RULE]),
    },
    Rule {
        id: RuleId("drop-trigger"),
        level: Level::Warn,
        breaks: &[Breaks::OldWriters],
        why: "stops work that the running release may rely on",
        instead: "drop it when no release relies on it",
        bad: "DROP TRIGGER touch ON users;",
        good: "CREATE TRIGGER touch BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch();",
        spares: Spares::NewObjects,
        judge: Judge::Known(&[Theirs::BanDropTrigger], &[]),
    },
    Rule {
        id: RuleId("disable-trigger"),
        level: Level::Warn,
        breaks: &[Breaks::OldWriters],
        why: "switches work off or on that the running release may rely on, and keys with it when it says ALL",
        instead: "leave triggers as they are",
        bad: "ALTER TABLE users DISABLE TRIGGER ALL;",
        good: "ALTER TABLE users ADD COLUMN phone text;",
        spares: Spares::NewObjects,
        judge: Judge::Known(
            &[],
            &[
                SyntaxKind::DISABLE_TRIGGER,
                SyntaxKind::DISABLE_RULE,
                SyntaxKind::ENABLE_REPLICA_TRIGGER,
                SyntaxKind::ENABLE_REPLICA_RULE,
            ],
        ),
    },
    Rule {
        id: RuleId("change-sequence"),
        level: Level::Warn,
        breaks: &[Breaks::OldWriters],
        why: "changes the numbers that the running release draws",
        instead: "make another sequence",
        bad: "ALTER SEQUENCE invoice_numbers RESTART WITH 1;",
        good: "CREATE SEQUENCE receipt_numbers;",
        spares: Spares::NewObjects,
        judge: Judge::Known(&[Theirs::BanAlterSequenceValues], &[]),
    },
    Rule {
        id: RuleId("change-replication"),
        level: Level::Warn,
        breaks: &[Breaks::Others],
        why: "changes what those who follow the database receive",
        instead: "tell them first",
        bad: "DROP PUBLICATION warehouse;",
        good: "ALTER PUBLICATION warehouse ADD TABLE users;",
        spares: Spares::Nothing,
        judge: Judge::Known(&[Theirs::BanReplicaIdentity], &[SyntaxKind::DROP_SUBSCRIPTION]),
    },
    Rule {
        id: RuleId("change-extension"),
        level: Level::Warn,
        breaks: &[Breaks::Others],
        why: "may change functions that this and other schemas use",
        instead: "try the new version on a branch first",
        bad: "ALTER EXTENSION citext UPDATE;",
        good: "CREATE EXTENSION IF NOT EXISTS citext;",
        spares: Spares::Nothing,
        judge: Judge::Known(&[Theirs::BanAlterExtension], &[]),
    },
];
