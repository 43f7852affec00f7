//! Transaction control inside a file. The file's own outer BEGIN and COMMIT are recognised and taken out,
//! as are the statements that `own` knows, since Tenure does both, once; any other transaction control is
//! an error.

use squawk_syntax::SyntaxKind;

use super::own::{VERSION_TABLE, touched_own_object};
use super::tree::{Kinds, Node};
use super::{Name, NameRole, Scope, Script, SqlError, Statement};
use crate::error::Place;

/// A file's statements without those that Tenure does instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// What is left to run, in order.
    pub statements: Vec<Statement>,
    /// Whether all of it runs inside a transaction. If not, none of it does.
    pub transactional: bool,
}

/// How Tenure's own work is told from the user's in a file.
#[derive(Debug, Clone, Copy)]
pub struct MetadataFilter<'a> {
    /// The platform schema.
    pub platform: &'a str,
    /// What the file is.
    pub file: FileKind<'a>,
}

/// What a file is, as far as bookkeeping goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind<'a> {
    /// A migration, which leads to this version.
    Migration {
        /// As it stands in `schema_version`.
        version: &'a str,
    },
    /// A file of a template, which has no part in the platform.
    Template,
    /// A file that leads anywhere.
    Standalone,
}

impl MetadataFilter<'_> {
    /// The statements of `script` that are to be run. `bare` says whose `schema_version` is where a
    /// statement names it without a schema, if that is clear: a tenant may have such a table too.
    pub fn body(
        &self,
        script: &Script,
        bare: impl Fn(&Statement) -> Option<Scope>,
    ) -> Result<Body, SqlError> {
        let mut rest = script.statements.as_slice();
        let begun = rest.first().is_some_and(|first| first.kind == SyntaxKind::BEGIN);
        if begun {
            if !is_plain(script, &rest[0]) {
                return Err(control(script, &rest[0]));
            }
            rest = &rest[1..];
            match rest.split_last() {
                Some((last, _)) if last.kind == SyntaxKind::COMMIT_TRANSACTION && !is_plain(script, last) => {
                    return Err(control(script, last));
                }
                Some((last, inner)) if last.kind == SyntaxKind::COMMIT_TRANSACTION => rest = inner,
                _ => return Err(control(script, unclosed(rest).unwrap_or(&script.statements[0]))),
            }
        }
        let mut statements = Vec::new();
        for statement in rest {
            if CONTROL.contains(&statement.kind) {
                return Err(control(script, statement));
            }
            let names_it = |name: &Name| {
                name.name == VERSION_TABLE && name.schema.is_none() && name.role != NameRole::Referenced
            };
            let is_bare = statement.names.iter().any(names_it);
            let whose = if is_bare { bare(statement) } else { None };
            if is_bare && whose.is_none() {
                let why = format!("both have a {VERSION_TABLE:?}");
                return Err(SqlError::ScopeUnclear { why, place: script.place(statement) });
            }
            let is_platforms = |name: &Name| names_it(name) && whose == Some(Scope::Platform);
            if self.is_own_statement(script, statement, is_platforms)? {
                continue;
            }
            if let Some(name) = touched_own_object(statement, self.platform, is_platforms) {
                return Err(own(script, name));
            }
            statements.push(statement.clone());
        }
        let alone = statements.iter().find(|statement| !statement.transactional);
        if let Some(statement) = alone
            && (begun || statements.iter().any(|other| other.transactional))
        {
            return Err(SqlError::MixedTransaction {
                statement: statement.verb(),
                place: script.place(statement),
            });
        }
        Ok(Body { transactional: alone.is_none(), statements })
    }

    /// Refuses a statement of the platform that touches Tenure's own by a bare name, which the search
    /// path leads there.
    pub fn check_platform_statement(&self, script: &Script, statement: &Statement) -> Result<(), SqlError> {
        touched_own_object(statement, self.platform, |_| true).map_or(Ok(()), |name| Err(own(script, name)))
    }
}

fn own(script: &Script, name: &Name) -> SqlError {
    let place = Place::at(&script.source, name.range.clone());
    SqlError::OwnTable { name: name.name.clone(), place }
}

/// What ends a transaction in the wrong way or place, among the statements behind its BEGIN.
fn unclosed(rest: &[Statement]) -> Option<&Statement> {
    let is_control = |statement: &&Statement| CONTROL.contains(&statement.kind);
    let other = |statement: &&Statement| statement.kind != SyntaxKind::COMMIT_TRANSACTION;
    rest.iter().filter(is_control).find(other).or_else(|| rest.iter().find(is_control))
}

/// Whether a BEGIN has no modes, and a COMMIT begins no other transaction.
fn is_plain(script: &Script, statement: &Statement) -> bool {
    let modes = [SyntaxKind::AND_CHAIN, SyntaxKind::TRANSACTION_MODE_LIST];
    !statement.node(script).has_child(&modes)
}

fn control(script: &Script, statement: &Statement) -> SqlError {
    let text = script.text(statement);
    let statement_name = text.split_whitespace().next().unwrap_or_default().to_uppercase();
    SqlError::TransactionControl { statement: statement_name, place: script.place(statement) }
}

const CONTROL: &[SyntaxKind] = &[
    SyntaxKind::BEGIN,
    SyntaxKind::COMMIT_PREPARED,
    SyntaxKind::COMMIT_TRANSACTION,
    SyntaxKind::PREPARE_TRANSACTION,
    SyntaxKind::RELEASE_SAVEPOINT,
    SyntaxKind::ROLLBACK_PREPARED,
    SyntaxKind::ROLLBACK_TO_SAVEPOINT,
    SyntaxKind::ROLLBACK_TRANSACTION,
    SyntaxKind::SAVEPOINT_CREATE,
    SyntaxKind::SET_TRANSACTION,
];

/// Where the statement has the key word `kind`; `all` are the kinds in its file.
pub(super) fn word(statement: Node<'_>, kind: SyntaxKind, all: &Kinds) -> Option<std::ops::Range<usize>> {
    if !all.contains(&[kind]) {
        return None;
    }
    let mut tokens = statement.tokens();
    tokens.find(|token| token.kind == kind).map(|token| token.range())
}

/// What acts on the whole server, at once and for good.
pub(super) const SERVER_WIDE: &[SyntaxKind] = &[
    SyntaxKind::ALTER_SYSTEM,
    SyntaxKind::CREATE_DATABASE,
    SyntaxKind::CREATE_TABLESPACE,
    SyntaxKind::DROP_DATABASE,
    SyntaxKind::DROP_TABLESPACE,
];

/// What reaches past its own database, beside [`SERVER_WIDE`]: roles and tablespaces belong to the whole server, as
/// do a database's settings and rights, and a subscription makes and drops what another server keeps for it.
const OUTSIDE_DATABASE: &[SyntaxKind] = &[
    SyntaxKind::ALTER_DATABASE,
    SyntaxKind::ALTER_GROUP,
    SyntaxKind::ALTER_ROLE,
    SyntaxKind::ALTER_SUBSCRIPTION,
    SyntaxKind::ALTER_TABLESPACE,
    SyntaxKind::ALTER_USER,
    SyntaxKind::CREATE_GROUP,
    SyntaxKind::CREATE_ROLE,
    SyntaxKind::CREATE_SUBSCRIPTION,
    SyntaxKind::CREATE_USER,
    SyntaxKind::DROP_GROUP,
    SyntaxKind::DROP_OWNED,
    SyntaxKind::DROP_ROLE,
    SyntaxKind::DROP_SUBSCRIPTION,
    SyntaxKind::DROP_USER,
    SyntaxKind::REASSIGN,
];

/// Whether the statement acts on the machine of the server: it runs a program there, or writes a file.
pub(super) fn acts_on_server_host(statement: Node<'_>) -> bool {
    let acts = |target: Node<'_>| {
        target.kind() == SyntaxKind::COPY_PROGRAM
            && (target.has_token(SyntaxKind::PROGRAM_KW)
                || target.parent().is_some_and(|parent| parent.kind() == SyntaxKind::COPY_TO))
    };
    statement.kind() == SyntaxKind::COPY && statement.descendants().any(acts)
}

/// Whether the statement leaves something elsewhere than in its own database. What a DO block or a function does is
/// in no statement's tree, and is not seen.
pub(super) fn acts_outside_database(statement: Node<'_>) -> bool {
    let kind = statement.kind();
    let object = || {
        let mut tokens =
            statement.tokens().map(|token| token.kind).skip_while(|kind| *kind != SyntaxKind::ON_KW);
        tokens.nth(1)
    };
    match kind {
        kind if SERVER_WIDE.contains(&kind) || OUTSIDE_DATABASE.contains(&kind) => true,
        SyntaxKind::GRANT | SyntaxKind::REVOKE | SyntaxKind::COMMENT_ON | SyntaxKind::SECURITY_LABEL => {
            use SyntaxKind::{DATABASE_KW, PARAMETER_KW, ROLE_KW, SUBSCRIPTION_KW, TABLESPACE_KW};
            let object = object();
            // Without an object it is a membership in a role that is given.
            let is_role = matches!(kind, SyntaxKind::GRANT | SyntaxKind::REVOKE) && object.is_none();
            is_role
                || matches!(
                    object,
                    Some(DATABASE_KW | PARAMETER_KW | ROLE_KW | SUBSCRIPTION_KW | TABLESPACE_KW)
                )
        }
        _ => acts_on_server_host(statement),
    }
}

/// Whether the server refuses the statement inside a transaction block (the manual's page of each).
pub(super) fn refused_in_transaction(statement: Node<'_>, all: &Kinds) -> bool {
    let has_word = |kind| word(statement, kind, all).is_some();
    match statement.kind() {
        SyntaxKind::VACUUM => true,
        kind if SERVER_WIDE.contains(&kind) => true,
        SyntaxKind::ALTER_TABLE | SyntaxKind::CREATE_INDEX | SyntaxKind::DROP_INDEX => {
            has_word(SyntaxKind::CONCURRENTLY_KW)
        }
        SyntaxKind::REINDEX => {
            has_word(SyntaxKind::CONCURRENTLY_KW)
                || has_word(SyntaxKind::DATABASE_KW)
                || has_word(SyntaxKind::SYSTEM_KW)
                || has_word(SyntaxKind::SCHEMA_KW)
        }
        SyntaxKind::CLUSTER => statement.children().next().is_none(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Source;

    fn body(sql: &str) -> Result<Vec<String>, SqlError> {
        let script = Script::parse(Source::new("t.sql", sql)).unwrap();
        let books =
            MetadataFilter { platform: "datalinx_platform", file: FileKind::Migration { version: "1.0.3" } };
        books
            .body(&script, |_| Some(Scope::Platform))
            .map(|body| body.statements.iter().map(|s| script.text(s).to_owned()).collect())
    }

    #[test]
    fn the_seeds_file_is_one_statement() {
        let sql = "-- Migration: v1.0.2 to v1.0.3\nBEGIN;\n-- Add column\nALTER TABLE workspaces\nADD COLUMN IF NOT EXISTS settings JSONB DEFAULT '{}';\n-- Update version\nUPDATE datalinx_platform.schema_version\nSET version = '1.0.3', applied_at = NOW();\nCOMMIT;\n";
        assert_eq!(
            body(sql).unwrap(),
            ["ALTER TABLE workspaces\nADD COLUMN IF NOT EXISTS settings JSONB DEFAULT '{}'"]
        );
    }

    #[test]
    fn what_tenure_does_is_taken_out() {
        let none: [&str; 0] = [];
        assert_eq!(
            body("CREATE SCHEMA datalinx_platform; CREATE SCHEMA IF NOT EXISTS {org_schema}").unwrap(),
            none
        );
        assert_eq!(body("CREATE TABLE datalinx_platform.schema_version (version text); INSERT INTO schema_version (version) VALUES ('1.0.3')").unwrap(), none);
        assert_eq!(body("CREATE SCHEMA other").unwrap(), ["CREATE SCHEMA other"]);
        assert_eq!(body("UPDATE mine.schema_version SET version = '9'").unwrap().len(), 1);
    }

    #[test]
    fn other_versions_and_other_columns_are_refused() {
        assert!(matches!(
            body("UPDATE schema_version SET version = '1.0.4'"),
            Err(SqlError::VersionMismatch { .. })
        ));
        assert!(matches!(
            body("UPDATE schema_version SET version = '1.0.3', hot = 1"),
            Err(SqlError::VersionStatement { .. })
        ));
    }

    #[test]
    fn transaction_control_inside_is_refused() {
        for sql in [
            "BEGIN; SELECT 1; COMMIT; SELECT 2; COMMIT",
            "BEGIN; SELECT 1",
            "SELECT 1; COMMIT",
            "SELECT 1; ROLLBACK",
            "BEGIN; SELECT 1; ROLLBACK",
            "SAVEPOINT a",
            "SELECT 1; BEGIN; SELECT 2; COMMIT",
            "BEGIN",
            "BEGIN; SET TRANSACTION READ ONLY; COMMIT",
            "BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT 1; COMMIT",
            "START TRANSACTION READ ONLY; SELECT 1; COMMIT",
            "BEGIN; SELECT 1; COMMIT AND CHAIN",
            "BEGIN; SELECT 1; END AND CHAIN",
        ] {
            assert!(matches!(body(sql), Err(SqlError::TransactionControl { .. })), "{sql}");
        }
    }

    #[test]
    fn a_plain_transaction_in_any_words_is_the_files_own() {
        for (begin, end) in [
            ("BEGIN", "COMMIT"),
            ("BEGIN WORK", "END"),
            ("START TRANSACTION", "END TRANSACTION"),
            ("begin transaction", "COMMIT AND NO CHAIN"),
        ] {
            assert_eq!(body(&format!("{begin}; SELECT 1; {end}")).unwrap(), ["SELECT 1"]);
        }
    }

    #[test]
    fn what_reaches_past_the_database_is_known() {
        let reaches = |sql: &str| {
            let script = Script::parse(Source::new("t.sql", sql)).unwrap();
            script.statements[0].acts_outside_database(&script)
        };
        for sql in [
            "CREATE ROLE app LOGIN",
            "CREATE USER app",
            "ALTER ROLE app SET search_path = x",
            "ALTER USER app PASSWORD 'x'",
            "DROP ROLE IF EXISTS app",
            "DROP USER app",
            "GRANT readers TO app",
            "REVOKE readers FROM app",
            "GRANT CONNECT ON DATABASE app TO app",
            "REVOKE ALL ON DATABASE app FROM PUBLIC",
            "GRANT CREATE ON TABLESPACE fast TO app",
            "GRANT SET ON PARAMETER log_statement TO app",
            "ALTER DATABASE app SET jit = off",
            "ALTER DATABASE app OWNER TO app",
            "ALTER SYSTEM SET work_mem = '1GB'",
            "DROP DATABASE app",
            "DROP OWNED BY app",
            "REASSIGN OWNED BY a TO b",
            "DROP SUBSCRIPTION s",
            "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p",
            "ALTER SUBSCRIPTION s DISABLE",
            "DROP TABLESPACE fast",
            "COMMENT ON DATABASE app IS 'x'",
            "COMMENT ON ROLE app IS 'x'",
            "COPY a TO PROGRAM 'cat >/x'",
            "COPY a FROM PROGRAM 'cat /x'",
            "COPY (SELECT 1) TO '/x'",
        ] {
            assert!(reaches(sql), "{sql}");
        }
        for sql in [
            "GRANT SELECT ON a TO app",
            "GRANT USAGE ON SCHEMA a TO app",
            "REVOKE ALL ON ALL TABLES IN SCHEMA a FROM app",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA a GRANT SELECT ON TABLES TO app",
            "COMMENT ON TABLE a IS 'x'",
            "ALTER TABLE a OWNER TO app",
            "ALTER TABLE a SET TABLESPACE fast",
            "DROP TABLE a",
            "CREATE INDEX CONCURRENTLY i ON a (b)",
            "COPY a FROM '/x'",
            "COPY program FROM 'program'",
        ] {
            assert!(!reaches(sql), "{sql}");
        }
    }

    #[test]
    fn concurrent_work_stands_alone() {
        assert!(body("CREATE INDEX CONCURRENTLY i ON t (c); VACUUM t").is_ok());
        assert!(matches!(
            body("CREATE INDEX CONCURRENTLY i ON t (c); SELECT 1"),
            Err(SqlError::MixedTransaction { .. })
        ));
        assert!(matches!(
            body("BEGIN; CREATE INDEX CONCURRENTLY i ON t (c); COMMIT"),
            Err(SqlError::MixedTransaction { .. })
        ));
    }
}
