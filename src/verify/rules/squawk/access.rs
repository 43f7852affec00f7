//! Who may do what: rights that the running release has and would lose.

use squawk_linter::Rule as Theirs;
use squawk_syntax::SyntaxKind;

use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rules::filters;
use crate::verify::{Level, RuleId};

pub(in crate::verify) const ROWS: &[Rule] = &[
    Rule {
        id: RuleId::Revoke,
        level: Level::Deny,
        impact: &[Impact::OldReaders, Impact::OldWriters],
        why: "takes away rights that the running release may need",
        remediation: "revoke when no release that needs them is running",
        bad: "REVOKE SELECT ON users FROM app;",
        good: "GRANT SELECT ON users TO app;",
        ignores_new_objects: true,
        judge: Judge::Known(
            &[],
            &[SyntaxKind::REVOKE, SyntaxKind::OWNER_TO, SyntaxKind::REVOKE_DEFAULT_PRIVILEGES],
        ),
    },
    Rule {
        id: RuleId::DropOwned,
        level: Level::Deny,
        impact: &[Impact::Data, Impact::Others],
        why: "drops or hands over all that a role owns, in the whole database",
        remediation: "name each object",
        bad: "DROP OWNED BY app;",
        good: "GRANT SELECT ON users TO app;",
        ignores_new_objects: false,
        judge: Judge::Known(&[], &[SyntaxKind::DROP_OWNED, SyntaxKind::REASSIGN]),
    },
    Rule {
        id: RuleId::DropRole,
        level: Level::Deny,
        impact: &[Impact::Others],
        why: "removes a role that other databases and sessions may use",
        remediation: "manage roles outside of migrations",
        bad: "DROP ROLE app;",
        good: "CREATE ROLE reader;",
        ignores_new_objects: false,
        judge: Judge::Known(
            &[],
            &[SyntaxKind::DROP_ROLE, SyntaxKind::DROP_USER, SyntaxKind::DROP_GROUP, SyntaxKind::DROP_USERS],
        ),
    },
    Rule {
        id: RuleId::ChangeRole,
        level: Level::Deny,
        impact: &[Impact::Others],
        why: "changes a role in every database and for every session of it",
        remediation: "manage roles outside of migrations",
        bad: "ALTER ROLE app SET statement_timeout = '1s';",
        good: "GRANT SELECT ON users TO app;",
        ignores_new_objects: false,
        judge: Judge::Known(&[Theirs::BanAlterRoleOptions], &[]),
    },
    Rule {
        id: RuleId::AlterSystem,
        level: Level::Deny,
        impact: &[Impact::Others],
        why: "changes the whole server",
        remediation: "configure the server outside of migrations",
        bad: "ALTER SYSTEM SET work_mem = '1GB';",
        good: "SET LOCAL work_mem = '64MB';",
        ignores_new_objects: false,
        judge: Judge::Known(&[Theirs::BanAlterSystemOptions], &[SyntaxKind::ALTER_SYSTEM]),
    },
    Rule {
        id: RuleId::ChangeDatabase,
        level: Level::Deny,
        impact: &[Impact::Others],
        why: "changes every session of the database",
        remediation: "configure the database outside of migrations",
        bad: "ALTER DATABASE app SET work_mem = '1GB';",
        good: "SET LOCAL work_mem = '64MB';",
        ignores_new_objects: false,
        judge: Judge::Known(&[Theirs::BanAlterDatabaseOptions], &[]),
    },
    Rule {
        id: RuleId::RowSecurity,
        level: Level::Deny,
        impact: &[Impact::OldReaders, Impact::OldWriters],
        why: "changes which rows the running release sees, down to none",
        remediation: "switch it when no release that does not expect it is running",
        bad: "ALTER TABLE users ENABLE ROW LEVEL SECURITY;",
        good: "CREATE TABLE notes (id uuid, created_at timestamptz, updated_at timestamptz); ALTER TABLE notes ENABLE ROW LEVEL SECURITY;",
        ignores_new_objects: true,
        judge: Judge::Known(
            &[Theirs::BanAlterRowLevelSecurity],
            &[
                SyntaxKind::ENABLE_RLS,
                SyntaxKind::DISABLE_RLS,
                SyntaxKind::FORCE_RLS,
                SyntaxKind::NO_FORCE_RLS,
            ],
        ),
    },
    Rule {
        id: RuleId::RestrictPolicy,
        level: Level::Deny,
        impact: &[Impact::OldReaders, Impact::OldWriters],
        why: "hides rows that the running release sees, or refuses rows that it writes, where row security is on",
        remediation: "put it on a new table, or add it when no release that does not expect it is running",
        bad: "CREATE POLICY new_rows ON users AS RESTRICTIVE USING (id > 1000);",
        good: "CREATE POLICY shared_rows ON users USING (true);",
        ignores_new_objects: true,
        judge: Judge::Filtered(&[], &[SyntaxKind::CREATE_POLICY], filters::restricts),
    },
    Rule {
        id: RuleId::CreatePolicy,
        level: Level::Warn,
        impact: &[Impact::OldReaders, Impact::OldWriters],
        why: "shows the running release more rows, where row security is on",
        remediation: "put it on a new table",
        bad: "CREATE POLICY shared_rows ON users USING (true);",
        good: "CREATE TABLE notes (id uuid, created_at timestamptz, updated_at timestamptz); CREATE POLICY shared_rows ON notes USING (true);",
        ignores_new_objects: true,
        judge: Judge::Filtered(&[Theirs::BanCreatePolicy], &[SyntaxKind::CREATE_POLICY], |subject, hit| {
            !filters::restricts(subject, hit)
        }),
    },
    Rule {
        id: RuleId::ChangePolicy,
        level: Level::Deny,
        impact: &[Impact::OldReaders, Impact::OldWriters],
        why: "changes which rows the running release sees or may write",
        remediation: "change it when no release that does not expect it is running",
        bad: "DROP POLICY own_rows ON users;",
        good: "ALTER POLICY own_rows ON users RENAME TO my_rows;",
        ignores_new_objects: true,
        judge: Judge::Filtered(
            &[Theirs::BanDropPolicy, Theirs::BanAlterPolicyCondition, Theirs::BanAlterPolicyRoles],
            &[],
            filters::may_hang,
        ),
    },
];
