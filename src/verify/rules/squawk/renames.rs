//! Renamed objects, whose old names the running release still uses. `rename-object` lists node kinds only: squawk also reports
//! indexes, triggers and policies, whose names no query uses.

use squawk_linter::Rule as SquawkRule;
use squawk_syntax::SyntaxKind;

use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rules::filters;
use crate::verify::{Level, RuleId};

pub(in crate::verify) const ROWS: &[Rule] = &[
    Rule {
        id: RuleId::RenameTable,
        level: Level::Deny,
        impact: &[Impact::OldReaders, Impact::OldWriters],
        why: "removes the name that the running release uses",
        remediation: "create a view with the new name, change the code, and rename when the old release no longer runs",
        bad: "ALTER TABLE users RENAME TO people;",
        good: "CREATE VIEW people AS SELECT * FROM users;",
        ignores_new_objects: true,
        judge: Judge::Known(&[SquawkRule::RenamingTable], &[SyntaxKind::TABLE_RENAME_TO]),
    },
    Rule {
        id: RuleId::RenameColumn,
        level: Level::Deny,
        impact: &[Impact::OldReaders, Impact::OldWriters],
        why: "removes the column name that the running release uses",
        remediation: "add a column with the new name, write both, and drop the old one when the old release no longer runs",
        bad: "ALTER TABLE users RENAME COLUMN email TO mail;",
        good: "ALTER TABLE users ADD COLUMN mail text;",
        ignores_new_objects: true,
        judge: Judge::Known(
            &[SquawkRule::RenamingColumn],
            &[SyntaxKind::RENAME_COLUMN, SyntaxKind::RENAME_ATTRIBUTE],
        ),
    },
    Rule {
        id: RuleId::RenameObject,
        level: Level::Deny,
        impact: &[Impact::OldReaders, Impact::OldWriters],
        why: "removes a name that the running release may use, also in ON CONFLICT or an error handler",
        remediation: "create a second object with the new name",
        bad: "ALTER TYPE mood RENAME VALUE 'ok' TO 'fine';",
        good: "ALTER TYPE mood ADD VALUE 'fine';",
        ignores_new_objects: true,
        judge: Judge::Filtered(
            &[],
            &[
                SyntaxKind::INDEX_RENAME_TO,
                SyntaxKind::OP_CLASS_RENAME_TO,
                SyntaxKind::OP_FAMILY_RENAME_TO,
                SyntaxKind::CONVERSION_RENAME_TO,
                SyntaxKind::TEXT_SEARCH_DICTIONARY_RENAME_TO,
                SyntaxKind::SERVER_RENAME_TO,
                SyntaxKind::PUBLICATION_RENAME_TO,
                SyntaxKind::SUBSCRIPTION_RENAME_TO,
                SyntaxKind::TABLESPACE_RENAME_TO,
                SyntaxKind::LANGUAGE_RENAME_TO,
                SyntaxKind::PROPERTY_GRAPH_RENAME_TO,
                SyntaxKind::RENAME_CONSTRAINT,
                SyntaxKind::COLLATION_RENAME_TO,
                SyntaxKind::TEXT_SEARCH_CONFIGURATION_RENAME_TO,
                SyntaxKind::VIEW_RENAME_TO,
                SyntaxKind::TYPE_RENAME_TO,
                SyntaxKind::SCHEMA_RENAME_TO,
                SyntaxKind::FUNCTION_RENAME_TO,
                SyntaxKind::PROCEDURE_RENAME_TO,
                SyntaxKind::ROUTINE_RENAME_TO,
                SyntaxKind::AGGREGATE_RENAME_TO,
                SyntaxKind::SEQUENCE_RENAME_TO,
                SyntaxKind::DOMAIN_RENAME_TO,
                SyntaxKind::RENAME_VALUE,
                SyntaxKind::ROLE_RENAME_TO,
                SyntaxKind::DATABASE_RENAME_TO,
            ],
            filters::changes_used_name,
        ),
    },
    Rule {
        id: RuleId::SetSchema,
        level: Level::Deny,
        impact: &[Impact::OldReaders, Impact::OldWriters],
        why: "moves an object out of the schema where the running release finds it",
        remediation: "create a second object in the other schema",
        bad: "ALTER TABLE users SET SCHEMA archive;",
        good: "CREATE VIEW archived_users AS SELECT * FROM users;",
        ignores_new_objects: true,
        judge: Judge::Known(&[SquawkRule::BanSetSchema], &[SyntaxKind::SET_SCHEMA]),
    },
];
