//! What has another name is gone for the release that still asks for the old one. `rename-object` is by
//! kinds of nodes alone: squawk also reports an index, a trigger or a policy, whose names no query says.

use squawk_linter::Rule as Theirs;
use squawk_syntax::SyntaxKind;

use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rules::filters;
use crate::verify::{Level, RuleId};

pub(in crate::verify) const ROWS: &[Rule] = &[
    Rule {
        id: RuleId::RenameTable,
        level: Level::Deny,
        impact: &[Impact::OldReaders, Impact::OldWriters],
        why: "takes away the name that the running release uses",
        remediation: "make a view of the new name, move the code over, rename when the old release is gone",
        bad: "ALTER TABLE users RENAME TO people;",
        good: "CREATE VIEW people AS SELECT * FROM users;",
        ignores_new_objects: true,
        judge: Judge::Known(&[Theirs::RenamingTable], &[SyntaxKind::TABLE_RENAME_TO]),
    },
    Rule {
        id: RuleId::RenameColumn,
        level: Level::Deny,
        impact: &[Impact::OldReaders, Impact::OldWriters],
        why: "takes away the column name that the running release uses",
        remediation: "add a column of the new name, write both, drop the old one when the old release is gone",
        bad: "ALTER TABLE users RENAME COLUMN email TO mail;",
        good: "ALTER TABLE users ADD COLUMN mail text;",
        ignores_new_objects: true,
        judge: Judge::Known(
            &[Theirs::RenamingColumn],
            &[SyntaxKind::RENAME_COLUMN, SyntaxKind::RENAME_ATTRIBUTE],
        ),
    },
    Rule {
        id: RuleId::RenameObject,
        level: Level::Deny,
        impact: &[Impact::OldReaders, Impact::OldWriters],
        why: "takes away a name that the running release may use, also where an ON CONFLICT or an error handler names it",
        remediation: "make the new name beside the old one",
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
            filters::renames,
        ),
    },
    Rule {
        id: RuleId::SetSchema,
        level: Level::Deny,
        impact: &[Impact::OldReaders, Impact::OldWriters],
        why: "moves an object away from where the running release finds it",
        remediation: "make it in the other schema beside the old one",
        bad: "ALTER TABLE users SET SCHEMA archive;",
        good: "CREATE VIEW archived_users AS SELECT * FROM users;",
        ignores_new_objects: true,
        judge: Judge::Known(&[Theirs::BanSetSchema], &[SyntaxKind::SET_SCHEMA]),
    },
];
