//! What makes requests wait on a busy table. Tenure sets a lock time-out and retries, so these warn.

use squawk_linter::Rule as Theirs;
use squawk_syntax::SyntaxKind;

use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::{Level, RuleId};

pub(in crate::verify) const ROWS: &[Rule] = &[
    Rule {
        id: RuleId::IndexLocksWrites,
        level: Level::Warn,
        impact: &[Impact::Locks],
        why: "makes writes to the table wait until the index is built",
        remediation: "on a big table, CREATE INDEX CONCURRENTLY in a migration of its own, without BEGIN and COMMIT",
        bad: "CREATE INDEX idx_users_name ON users (name);",
        good: "CREATE INDEX CONCURRENTLY idx_users_name ON users (name);",
        ignores_new_objects: true,
        judge: Judge::Known(&[Theirs::RequireConcurrentIndexCreation], &[]),
    },
    Rule {
        id: RuleId::DropIndexLocks,
        level: Level::Warn,
        impact: &[Impact::Locks],
        why: "makes all requests to the table wait behind it",
        remediation: "on a busy table, DROP INDEX CONCURRENTLY in a migration of its own, without BEGIN and COMMIT",
        bad: "DROP INDEX idx_users_name;",
        good: "DROP INDEX CONCURRENTLY idx_users_name;",
        ignores_new_objects: true,
        judge: Judge::Known(&[Theirs::RequireConcurrentIndexDeletion], &[]),
    },
    Rule {
        id: RuleId::ReindexLocks,
        level: Level::Warn,
        impact: &[Impact::Locks],
        why: "makes requests wait until the index is built again",
        remediation: "REINDEX … CONCURRENTLY in a migration of its own",
        bad: "REINDEX TABLE users;",
        good: "REINDEX TABLE CONCURRENTLY users;",
        ignores_new_objects: true,
        judge: Judge::Known(&[Theirs::RequireConcurrentReindex], &[]),
    },
    Rule {
        id: RuleId::DefaultRewrites,
        level: Level::Warn,
        impact: &[Impact::Locks],
        why: "makes the server write every row anew while all requests to the table wait, since the value differs from row to row",
        remediation: "add the column without it, set the default, fill old rows in small steps",
        bad: "ALTER TABLE users ADD COLUMN token uuid DEFAULT gen_random_uuid();",
        good: "ALTER TABLE users ADD COLUMN created_at timestamptz DEFAULT now();",
        ignores_new_objects: true,
        judge: Judge::Known(&[Theirs::AddingFieldWithDefault], &[]),
    },
    Rule {
        id: RuleId::LockTable,
        level: Level::Warn,
        impact: &[Impact::Locks],
        why: "makes requests wait until the migration is done",
        remediation: "leave locking to the statements",
        bad: "LOCK TABLE users;",
        good: "ALTER TABLE users ADD COLUMN phone text;",
        ignores_new_objects: true,
        judge: Judge::Known(&[], &[SyntaxKind::LOCK]),
    },
];
