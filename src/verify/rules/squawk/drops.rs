//! Dropped objects, which the running release may still use. Each rule lists node kinds besides squawk's rules, which check
//! top-level statements only.

use squawk_linter::Rule as SquawkRule;
use squawk_syntax::SyntaxKind;

use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rules::filters;
use crate::verify::{Level, RuleId};

pub(in crate::verify) const ROWS: &[Rule] = &[
    Rule {
        id: RuleId::DropTable,
        level: Level::Deny,
        impact: &[Impact::Data, Impact::OldReaders, Impact::OldWriters],
        why: "drops a table that the running release may use",
        remediation: "stop using it in one release, and drop it in a later migration when that release no longer runs",
        bad: "DROP TABLE users;",
        good: "DROP TABLE IF EXISTS {org_schema}.never_was;",
        ignores_new_objects: true,
        judge: Judge::Known(
            &[SquawkRule::BanDropTable],
            &[SyntaxKind::DROP_TABLE, SyntaxKind::DROP_FOREIGN_TABLE],
        ),
    },
    Rule {
        id: RuleId::DropColumn,
        level: Level::Deny,
        impact: &[Impact::Data, Impact::OldReaders, Impact::OldWriters],
        why: "drops a column that the running release may read or write",
        remediation: "stop using it in one release, and drop it in a later migration when that release no longer runs",
        bad: "ALTER TABLE users DROP COLUMN email;",
        good: "ALTER TABLE users ADD COLUMN phone text;",
        ignores_new_objects: true,
        judge: Judge::Known(
            &[SquawkRule::BanDropColumn],
            &[SyntaxKind::DROP_COLUMN, SyntaxKind::DROP_ATTRIBUTE],
        ),
    },
    Rule {
        id: RuleId::DropSchema,
        level: Level::Deny,
        impact: &[Impact::Data, Impact::OldReaders, Impact::OldWriters],
        why: "drops a schema whose objects the running release may use",
        remediation: "drop its objects one by one when no running release uses them",
        bad: "DROP SCHEMA reports;",
        good: "CREATE SCHEMA reports;",
        ignores_new_objects: true,
        judge: Judge::Known(&[SquawkRule::BanDropSchema], &[SyntaxKind::DROP_SCHEMA]),
    },
    Rule {
        id: RuleId::DropView,
        level: Level::Deny,
        impact: &[Impact::OldReaders, Impact::OldWriters],
        why: "drops a view that the running release may query",
        remediation: "create a view with another name, or use CREATE OR REPLACE VIEW with columns appended",
        bad: "DROP VIEW IF EXISTS active_users; CREATE VIEW active_users AS SELECT id FROM users;",
        good: "CREATE VIEW active_users_v2 AS SELECT id FROM users;",
        ignores_new_objects: true,
        judge: Judge::Known(
            &[SquawkRule::BanDropView],
            &[SyntaxKind::DROP_VIEW, SyntaxKind::DROP_MATERIALIZED_VIEW],
        ),
    },
    Rule {
        id: RuleId::DropType,
        level: Level::Deny,
        impact: &[Impact::OldReaders, Impact::OldWriters],
        why: "drops a type, operator or cast that queries of the running release may name",
        remediation: "stop using it in one release, and drop it in a later migration when that release no longer runs",
        bad: "DROP TYPE mood;",
        good: "CREATE TYPE mood_v2 AS ENUM ('ok', 'bad');",
        ignores_new_objects: true,
        judge: Judge::Known(
            &[SquawkRule::BanDropType],
            &[
                SyntaxKind::DROP_TYPE,
                SyntaxKind::DROP_OPERATOR,
                SyntaxKind::DROP_OPERATOR_CLASS,
                SyntaxKind::DROP_OPERATOR_FAMILY,
                SyntaxKind::DROP_CAST,
            ],
        ),
    },
    Rule {
        id: RuleId::DropDomain,
        level: Level::Deny,
        impact: &[Impact::OldReaders, Impact::OldWriters],
        why: "drops a domain that queries of the running release may name",
        remediation: "stop using it in one release, and drop it in a later migration when that release no longer runs",
        bad: "DROP DOMAIN email_address;",
        good: "CREATE DOMAIN phone_number AS text;",
        ignores_new_objects: true,
        judge: Judge::Known(&[SquawkRule::BanDropDomain], &[SyntaxKind::DROP_DOMAIN]),
    },
    Rule {
        id: RuleId::DropFunction,
        level: Level::Deny,
        impact: &[Impact::OldReaders, Impact::OldWriters],
        why: "drops a routine that the running release may call",
        remediation: "create a routine with another name or other parameters",
        bad: "DROP FUNCTION total(int);",
        good: "CREATE FUNCTION total_v2(a int) RETURNS int LANGUAGE sql AS 'SELECT a';",
        ignores_new_objects: true,
        judge: Judge::Known(
            &[SquawkRule::BanDropFunction],
            &[
                SyntaxKind::DROP_FUNCTION,
                SyntaxKind::DROP_PROCEDURE,
                SyntaxKind::DROP_ROUTINE,
                SyntaxKind::DROP_AGGREGATE,
            ],
        ),
    },
    Rule {
        id: RuleId::DropSequence,
        level: Level::Deny,
        impact: &[Impact::OldWriters],
        why: "drops a sequence that the running release may use",
        remediation: "stop using it in one release, and drop it in a later migration when that release no longer runs",
        bad: "DROP SEQUENCE invoice_numbers;",
        good: "CREATE SEQUENCE receipt_numbers;",
        ignores_new_objects: true,
        judge: Judge::Known(&[SquawkRule::BanDropSequence], &[SyntaxKind::DROP_SEQUENCE]),
    },
    Rule {
        id: RuleId::DropExtension,
        level: Level::Deny,
        impact: &[Impact::Others],
        why: "drops functions and types that this and other schemas may use",
        remediation: "keep the extension",
        bad: "DROP EXTENSION citext;",
        good: "CREATE EXTENSION IF NOT EXISTS citext;",
        ignores_new_objects: false,
        judge: Judge::Filtered(
            &[SquawkRule::BanDropExtension],
            &[SyntaxKind::DROP_EXTENSION],
            filters::extension_may_exist,
        ),
    },
    Rule {
        id: RuleId::DropDatabase,
        level: Level::Deny,
        impact: &[Impact::Data, Impact::Others],
        why: "drops a whole database, which cannot be rolled back",
        remediation: "drop databases manually, not in a migration",
        bad: "DROP DATABASE old_reports;",
        good: "CREATE TABLE reports (id int);",
        ignores_new_objects: false,
        judge: Judge::Known(
            &[SquawkRule::BanDropDatabase],
            &[SyntaxKind::DROP_DATABASE, SyntaxKind::DROP_TABLESPACE],
        ),
    },
];
