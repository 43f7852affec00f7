//! Transaction control in a file. The outer BEGIN and COMMIT of the file are removed, as are the statements of `own`,
//! since Tenure executes both itself. Any other transaction control is an error.

use squawk_syntax::SyntaxKind;

use super::code::Code;
use super::own::{VERSION_TABLE, touched_own_object};
use super::tree::{Kinds, Node};
use super::{Name, NameRole, Scope, Script, SqlError, Statement, normalized};
use crate::error::Place;

/// A file's statements without those that Tenure executes itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// The statements to run, in order.
    pub statements: Vec<Statement>,
    /// Whether all of them run inside a transaction. If not, none of them does.
    pub transactional: bool,
}

/// Separates the statements that Tenure executes itself from those of the user.
#[derive(Debug, Clone, Copy)]
pub struct MetadataFilter<'a> {
    /// The platform schema.
    pub platform: &'a str,
    /// The kind of the file.
    pub file: FileKind<'a>,
}

/// The kind of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind<'a> {
    /// A migration to this version.
    Migration {
        /// As stored in `schema_version`.
        version: &'a str,
    },
    /// A file of a template.
    Template,
    /// A file without a version.
    Standalone,
}

impl MetadataFilter<'_> {
    /// The statements of `script` to run. `bare` returns the scope of an unqualified `schema_version` in a statement, or
    /// `None` if it is unclear, since a tenant may have such a table too.
    pub fn body(
        &self,
        script: &Script,
        bare: impl Fn(&Statement) -> Option<Scope>,
    ) -> Result<Body, SqlError> {
        let (body, errors) = self.body_with_errors(script, bare);
        errors.into_iter().next().map_or(Ok(body), Err)
    }

    /// Like [`Self::body`], with all errors. The statements do not contain those with errors.
    pub fn body_with_errors(
        &self,
        script: &Script,
        bare: impl Fn(&Statement) -> Option<Scope>,
    ) -> (Body, Vec<SqlError>) {
        let rest = match outer_transaction_removed(script) {
            Ok(rest) => rest,
            Err(error) => return (Body { statements: Vec::new(), transactional: true }, vec![error]),
        };
        let (mut statements, mut errors) = (Vec::new(), Vec::new());
        for statement in rest {
            match self.is_removed(script, statement, &bare) {
                Ok(true) => {}
                Ok(false) => statements.push(statement.clone()),
                Err(error) => errors.push(error),
            }
        }
        let has_begin = rest.len() < script.statements.len();
        let non_transactional = statements.iter().find(|statement| !statement.transactional);
        if let Some(statement) = non_transactional
            && (has_begin || statements.iter().any(|other| other.transactional))
        {
            let (place, others) =
                (script.place(statement), statements.iter().any(|other| other.transactional));
            let statement = statement.verb();
            errors.push(if others {
                SqlError::MixedTransaction { statement, place }
            } else {
                SqlError::InTransaction { statement, place }
            });
        }
        (Body { transactional: non_transactional.is_none(), statements }, errors)
    }

    /// Whether Tenure executes the statement itself. Fails if no file may contain it.
    fn is_removed(
        &self,
        script: &Script,
        statement: &Statement,
        bare: impl Fn(&Statement) -> Option<Scope>,
    ) -> Result<bool, SqlError> {
        if CONTROL.contains(&statement.kind) {
            return Err(control(script, statement));
        }
        if let Some(range) = Code::transaction_control(script, statement) {
            let verb = script.source.text[range.clone()].to_uppercase();
            return Err(SqlError::TransactionControl {
                statement: verb,
                place: Place::at(&script.source, range),
            });
        }
        let is_version_table = |name: &Name| {
            name.name == VERSION_TABLE && name.schema.is_none() && name.role != NameRole::Referenced
        };
        let is_bare = statement.names.iter().any(is_version_table);
        let scope = if is_bare { bare(statement) } else { None };
        if is_bare && scope.is_none() {
            let why = format!("the platform and the tenants have a {VERSION_TABLE:?}");
            return Err(SqlError::ScopeUnclear { why, place: script.place(statement) });
        }
        let is_of_platform = |name: &Name| is_version_table(name) && scope == Some(Scope::Platform);
        if self.is_own_statement(script, statement, is_of_platform)? {
            return Ok(true);
        }
        touched_own_object(statement, self.platform, is_of_platform)
            .map_or(Ok(false), |name| Err(own(script, name)))
    }

    /// Rejects a platform statement that changes one of Tenure's own objects by an unqualified name, which the search
    /// path resolves to the platform schema.
    pub fn check_platform_statement(&self, script: &Script, statement: &Statement) -> Result<(), SqlError> {
        touched_own_object(statement, self.platform, |_| true).map_or(Ok(()), |name| Err(own(script, name)))
    }
}

/// The statements of a file without its outer BEGIN and COMMIT.
fn outer_transaction_removed(script: &Script) -> Result<&[Statement], SqlError> {
    let all = script.statements.as_slice();
    let Some((begin, rest)) = all.split_first().filter(|(first, _)| first.kind == SyntaxKind::BEGIN) else {
        return match all.split_last() {
            Some((last, inner))
                if is_commit(last) && !inner.iter().any(|one| CONTROL.contains(&one.kind)) =>
            {
                Err(SqlError::UnbalancedTransaction { what: CLOSES, place: script.place(last) })
            }
            _ => Ok(all),
        };
    };
    if !is_plain(script, begin) {
        return Err(control(script, begin));
    }
    match rest.split_last() {
        Some((last, inner)) if is_commit(last) => {
            if is_plain(script, last) {
                Ok(inner)
            } else {
                Err(control(script, last))
            }
        }
        _ => Err(unclosed(rest).map_or_else(
            || SqlError::UnbalancedTransaction { what: OPENS, place: script.place(begin) },
            |statement| control(script, statement),
        )),
    }
}

/// A BEGIN without COMMIT.
const OPENS: &str = "opens a transaction that it does not close";

/// A COMMIT without BEGIN.
const CLOSES: &str = "closes a transaction that it does not open";

fn is_commit(statement: &Statement) -> bool {
    statement.kind == SyntaxKind::COMMIT_TRANSACTION
}

fn own(script: &Script, name: &Name) -> SqlError {
    let place = Place::at(&script.source, name.range.clone());
    SqlError::OwnTable { name: name.name.clone(), place }
}

/// The statement among those after BEGIN that ends the transaction wrongly.
fn unclosed(rest: &[Statement]) -> Option<&Statement> {
    let is_control = |statement: &&Statement| CONTROL.contains(&statement.kind);
    let other = |statement: &&Statement| statement.kind != SyntaxKind::COMMIT_TRANSACTION;
    rest.iter().filter(is_control).find(other).or_else(|| rest.iter().find(is_control))
}

/// Whether a BEGIN has no modes, or a COMMIT has no AND CHAIN.
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

/// The range of the key word `kind` in the statement; `all` contains the kinds of its file.
pub(super) fn word(statement: Node<'_>, kind: SyntaxKind, all: &Kinds) -> Option<std::ops::Range<usize>> {
    if !all.contains(&[kind]) {
        return None;
    }
    let mut tokens = statement.tokens();
    tokens.find(|token| token.kind == kind).map(|token| token.range())
}

/// Statements that act on the whole server and cannot be rolled back.
pub(super) const SERVER_WIDE: &[SyntaxKind] = &[
    SyntaxKind::ALTER_SYSTEM,
    SyntaxKind::CREATE_DATABASE,
    SyntaxKind::CREATE_TABLESPACE,
    SyntaxKind::DROP_DATABASE,
    SyntaxKind::DROP_TABLESPACE,
];

/// Statements with effects outside their own database, in addition to [`SERVER_WIDE`]: roles, tablespaces, and a
/// database's settings and privileges belong to the server, and a subscription creates a slot on another server.
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

/// Statements whose objects reach files or other servers. [`acts_on_server_host`] adds what depends on their clauses.
const REACHES_HOST: &[SyntaxKind] = &[
    SyntaxKind::ALTER_FOREIGN_DATA_WRAPPER,
    SyntaxKind::ALTER_FOREIGN_TABLE,
    SyntaxKind::ALTER_SERVER,
    SyntaxKind::ALTER_SUBSCRIPTION,
    SyntaxKind::ALTER_SYSTEM,
    SyntaxKind::ALTER_USER_MAPPING,
    SyntaxKind::CREATE_FOREIGN_DATA_WRAPPER,
    SyntaxKind::CREATE_FOREIGN_TABLE,
    SyntaxKind::CREATE_SERVER,
    SyntaxKind::CREATE_SUBSCRIPTION,
    SyntaxKind::CREATE_TABLESPACE,
    SyntaxKind::CREATE_USER_MAPPING,
    SyntaxKind::DROP_SUBSCRIPTION,
    SyntaxKind::IMPORT_FOREIGN_SCHEMA,
    SyntaxKind::LOAD,
];

/// Extensions that reach programs, files or networks of the server's host, or run code outside of the session.
const HOST_EXTENSIONS: &[&str] = &[
    "adminpack",
    "aws_commons",
    "aws_lambda",
    "aws_s3",
    "dblink",
    "file_fdw",
    "http",
    "mysql_fdw",
    "ogr_fdw",
    "oracle_fdw",
    "orafce",
    "pg_background",
    "pg_cron",
    "pg_net",
    "pgagent",
    "pgsql_http",
    "plsh",
    "postgres_fdw",
    "redis_fdw",
    "sqlite_fdw",
    "tds_fdw",
    "wrappers",
];

/// Languages whose functions cannot leave the database (manual, chapter Procedural Languages: trusted ones).
const TRUSTED_LANGUAGES: &[&str] = &["jsonb_plperl", "plperl", "plpgsql", "pltcl", "plv8", "sql"];

/// Functions that reach files or other servers (manual, chapters Generic File Access Functions, Large Objects, dblink).
const HOST_FUNCTIONS: &[&str] = &[
    "dblink",
    "lo_export",
    "lo_import",
    "pg_execute_server_program",
    "pg_file_",
    "pg_ls_dir",
    "pg_ls_logdir",
    "pg_ls_tmpdir",
    "pg_ls_waldir",
    "pg_read_binary_file",
    "pg_read_file",
    "pg_read_server_files",
    "pg_reload_conf",
    "pg_rotate_logfile",
    "pg_stat_file",
    "pg_write_server_files",
    "postgres_fdw",
    "xpath_table",
];

/// Whether the extension, by its normalized name, reaches programs, files or networks, or runs code outside of the session.
pub fn extension_acts_on_server_host(name: &str) -> bool {
    let is_untrusted_language = name.starts_with("pl") && name.ends_with('u');
    is_untrusted_language || HOST_EXTENSIONS.contains(&name)
}

/// Whether the statement's effects may reach programs, files or other servers. What code builds at run time is not detected.
pub(super) fn acts_on_server_host(statement: Node<'_>) -> bool {
    use SyntaxKind::{
        COPY, COPY_PROGRAM, COPY_TO, CREATE_EXTENSION, CREATE_FUNCTION, CREATE_LANGUAGE, CREATE_PROCEDURE,
        DO, EXTENSION, LANGUAGE_KW, PROGRAM_KW,
    };
    let names_untrusted_language = || {
        let mut tokens = statement.tokens().skip_while(|token| token.kind != LANGUAGE_KW).skip(1);
        tokens.next().is_some_and(|token| {
            let name = normalized(token.text.trim_matches('\''));
            !TRUSTED_LANGUAGES.contains(&name.as_str())
        })
    };
    match statement.kind() {
        kind if REACHES_HOST.contains(&kind) => true,
        COPY => statement.descendants().any(|target| {
            target.kind() == COPY_PROGRAM
                && (target.has_token(PROGRAM_KW)
                    || target.parent().is_some_and(|parent| parent.kind() == COPY_TO))
        }),
        CREATE_EXTENSION => statement
            .child(EXTENSION)
            .is_some_and(|name| extension_acts_on_server_host(&normalized(name.text()))),
        // Creating a function does not run it.
        CREATE_FUNCTION | CREATE_PROCEDURE | CREATE_LANGUAGE => names_untrusted_language(),
        DO => {
            let text = statement.text();
            let mentions = |name: &&str| super::script::mentions(text, name);
            names_untrusted_language() || HOST_FUNCTIONS.iter().any(mentions)
        }
        _ => {
            let mut words = statement.tokens().filter(|token| !token.text.starts_with(['\'', '$']));
            words.any(|token| {
                let word = normalized(token.text);
                HOST_FUNCTIONS.iter().any(|name| word.starts_with(name))
            })
        }
    }
}

/// Whether the statement has effects outside its own database. Effects of DO blocks and functions are not detected.
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
            // Without an object it grants or revokes membership in a role.
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

/// Whether the server rejects the statement inside a transaction block (manual, page of each statement).
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
        let filter =
            MetadataFilter { platform: "datalinx_platform", file: FileKind::Migration { version: "1.0.3" } };
        filter
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
    fn own_statements_are_removed() {
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
    fn other_versions_and_columns_are_errors() {
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
    fn transaction_control_inside_is_an_error() {
        for sql in [
            "BEGIN; SELECT 1; COMMIT; SELECT 2; COMMIT",
            "SELECT 1; ROLLBACK",
            "BEGIN; SELECT 1; ROLLBACK",
            "SAVEPOINT a",
            "SELECT 1; BEGIN; SELECT 2; COMMIT",
            "BEGIN; SET TRANSACTION READ ONLY; COMMIT",
            "BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT 1; COMMIT",
            "START TRANSACTION READ ONLY; SELECT 1; COMMIT",
            "BEGIN; SELECT 1; COMMIT AND CHAIN",
            "BEGIN; SELECT 1; END AND CHAIN",
        ] {
            assert!(matches!(body(sql), Err(SqlError::TransactionControl { .. })), "{sql}");
        }
        for (sql, expected) in [
            ("BEGIN; SELECT 1", OPENS),
            ("START TRANSACTION", OPENS),
            ("SELECT 1; COMMIT", CLOSES),
            ("SELECT 1; SELECT 2; END", CLOSES),
        ] {
            let Err(SqlError::UnbalancedTransaction { what, .. }) = body(sql) else { panic!("{sql}") };
            assert_eq!(what, expected, "{sql}");
        }
        for (sql, place) in [
            ("DO $$ BEGIN COMMIT; END $$", "t.sql:1:13"),
            ("DO $$ BEGIN UPDATE t SET a = 1; commit AND CHAIN; END $$", "t.sql:1:33"),
            ("DO $$ BEGIN IF true THEN\n ROLLBACK; END IF; END $$", "t.sql:2:2"),
        ] {
            let Err(SqlError::TransactionControl { place: found, .. }) = body(sql) else { panic!("{sql}") };
            assert_eq!(found.to_string(), place, "{sql}");
        }
        for sql in [
            "DO $$ BEGIN UPDATE t SET commit = 1; END $$",
            "DO $$ BEGIN PERFORM 'COMMIT;'; /* ; COMMIT; */ END $$",
            "CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$",
        ] {
            assert!(body(sql).is_ok(), "{sql}");
        }
    }

    #[test]
    fn every_form_of_a_plain_outer_transaction_is_removed() {
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
    fn effects_outside_the_database_are_detected() {
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
    fn non_transactional_statements_cannot_be_mixed() {
        assert!(body("CREATE INDEX CONCURRENTLY i ON t (c); VACUUM t").is_ok());
        assert!(matches!(
            body("CREATE INDEX CONCURRENTLY i ON t (c); SELECT 1"),
            Err(SqlError::MixedTransaction { .. })
        ));
        for alone in ["CREATE INDEX CONCURRENTLY i ON t (c)", "VACUUM t; VACUUM s"] {
            let wrapped = body(&format!("BEGIN; {alone}; COMMIT"));
            assert!(matches!(wrapped, Err(SqlError::InTransaction { .. })), "{alone}");
        }
        assert!(matches!(
            body("BEGIN; CREATE INDEX CONCURRENTLY i ON t (c); SELECT 1; COMMIT"),
            Err(SqlError::MixedTransaction { .. })
        ));
    }
}
