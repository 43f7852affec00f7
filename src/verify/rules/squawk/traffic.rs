//! The rules about locks that block access to a busy table. Their level is only a warning, since Tenure sets a lock timeout and
//! retries.

use squawk_linter::Rule as SquawkRule;
use squawk_syntax::SyntaxKind;

use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::{Level, RuleId};

pub(in crate::verify) const ROWS: &[Rule] = &[
    Rule {
        id: RuleId::IndexLocksWrites,
        level: Level::Warn,
        impact: &[Impact::Locks],
        why: "blocks writes to the table until the index is built",
        remediation: "on a big table, CREATE INDEX CONCURRENTLY in a migration of its own, without BEGIN and COMMIT",
        bad: "CREATE INDEX idx_users_name ON users (name);",
        good: "CREATE INDEX CONCURRENTLY idx_users_name ON users (name);",
        ignores_new_objects: true,
        judge: Judge::Known(&[SquawkRule::RequireConcurrentIndexCreation], &[]),
    },
    Rule {
        id: RuleId::DropIndexLocks,
        level: Level::Warn,
        impact: &[Impact::Locks],
        why: "blocks all access to the table",
        remediation: "on a busy table, DROP INDEX CONCURRENTLY in a migration of its own, without BEGIN and COMMIT",
        bad: "DROP INDEX idx_users_name;",
        good: "DROP INDEX CONCURRENTLY idx_users_name;",
        ignores_new_objects: true,
        judge: Judge::Known(&[SquawkRule::RequireConcurrentIndexDeletion], &[]),
    },
    Rule {
        id: RuleId::ReindexLocks,
        level: Level::Warn,
        impact: &[Impact::Locks],
        why: "blocks access to the table until the index is rebuilt",
        remediation: "use REINDEX … CONCURRENTLY in a migration of its own",
        bad: "REINDEX TABLE users;",
        good: "REINDEX TABLE CONCURRENTLY users;",
        ignores_new_objects: true,
        judge: Judge::Known(&[SquawkRule::RequireConcurrentReindex], &[]),
    },
    Rule {
        id: RuleId::DefaultRewrites,
        level: Level::Warn,
        impact: &[Impact::Locks],
        why: "rewrites the table while all access to it is blocked, since the default differs from row to row",
        remediation: "add the column without the default, set the default, and fill old rows in small steps",
        bad: "ALTER TABLE users ADD COLUMN token uuid DEFAULT gen_random_uuid();",
        good: "ALTER TABLE users ADD COLUMN created_at timestamptz DEFAULT now();",
        ignores_new_objects: true,
        judge: Judge::Known(&[SquawkRule::AddingFieldWithDefault], &[]),
    },
    Rule {
        id: RuleId::LockTable,
        level: Level::Warn,
        impact: &[Impact::Locks],
        why: "blocks access to the table until the migration ends",
        remediation: "let the statements take their own locks",
        bad: "LOCK TABLE users;",
        good: "ALTER TABLE users ADD COLUMN phone text;",
        ignores_new_objects: true,
        judge: Judge::Known(&[], &[SyntaxKind::LOCK]),
    },
];
