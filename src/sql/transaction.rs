//! Transaction control and bookkeeping inside a file. The file's own outer BEGIN and COMMIT and its own
//! statements on `schema_version` are recognised and taken out, since Tenure does both, once; any
//! other transaction control is an error.

use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::{Role, Script, SqlError, Statement};
use crate::error::Place;

/// A file's statements without those that Tenure does instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// What is left to run, in order.
    pub statements: Vec<Statement>,
    /// Whether all of it runs inside a transaction. If not, none of it does.
    pub transactional: bool,
}

/// The names that Tenure's own work goes by in a user's file.
#[derive(Debug, Clone, Copy)]
pub struct Bookkeeping<'a> {
    /// The platform schema.
    pub platform: &'a str,
    /// The version that the file leads to, as it stands in `schema_version`; `None` for a template.
    pub version: Option<&'a str>,
}

impl Bookkeeping<'_> {
    /// The statements of `script` that are to be run.
    pub fn body(&self, script: &Script) -> Result<Body, SqlError> {
        let mut rest = script.statements.as_slice();
        let begun = rest.first().is_some_and(|first| first.kind == SyntaxKind::BEGIN);
        if begun {
            rest = &rest[1..];
            match rest.split_last() {
                Some((last, inner)) if last.kind == SyntaxKind::COMMIT_TRANSACTION => rest = inner,
                _ => return Err(control(script, &script.statements[0])),
            }
        }
        let mut statements = Vec::new();
        for statement in rest {
            if CONTROL.contains(&statement.kind) {
                return Err(control(script, statement));
            }
            if !self.is_done_by_tenure(script, statement)? {
                statements.push(statement.clone());
            }
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

    fn is_done_by_tenure(&self, script: &Script, statement: &Statement) -> Result<bool, SqlError> {
        if statement.kind == SyntaxKind::CREATE_SCHEMA {
            let is_ours = |name: &super::Name| name.name == self.platform || name.in_tenant_schema();
            return Ok(matches!(statement.names.as_slice(), [only] if is_ours(only)));
        }
        let acts_on_version_row =
            statement.names.iter().find(|name| name.role != Role::Mentioned).is_some_and(|name| {
                name.name == "schema_version" && name.schema.as_deref().is_none_or(|s| s == self.platform)
            });
        if !acts_on_version_row {
            return Ok(false);
        }
        match statement.kind {
            SyntaxKind::CREATE_TABLE => Ok(true),
            SyntaxKind::UPDATE | SyntaxKind::INSERT => self.check_version(script, statement).map(|()| true),
            _ => Err(SqlError::VersionStatement { place: script.place(statement) }),
        }
    }

    /// The version in the statement must be the file's, and nothing else may be set.
    fn check_version(&self, script: &Script, statement: &Statement) -> Result<(), SqlError> {
        let wrong = || SqlError::VersionStatement { place: script.place(statement) };
        let node = statement.node(script).ok_or_else(wrong)?;
        let columns_fit = node
            .descendants()
            .filter(|node| matches!(node.kind(), SyntaxKind::COLUMN_TARGET | SyntaxKind::COLUMN_NAME_REF))
            .all(|node| {
                matches!(super::normalized(&node.text().to_string()).as_str(), "version" | "applied_at")
            });
        let literal = node.descendants().find(|node| {
            node.kind() == SyntaxKind::LITERAL
                && !node.ancestors().any(|ancestor| ancestor.kind() == SyntaxKind::WHERE_CLAUSE)
        });
        let (Some(literal), true) = (literal, columns_fit) else { return Err(wrong()) };
        let found = literal.text().to_string();
        match self.version {
            Some(expected) if found == format!("'{expected}'") => Ok(()),
            Some(expected) => Err(SqlError::VersionMismatch {
                found,
                expected: expected.to_owned(),
                place: Place::at(&script.source, super::script::span(&literal)),
            }),
            None => Err(wrong()),
        }
    }
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

/// Where the statement has the key word `kind`.
pub(super) fn word(statement: &SyntaxNode, kind: SyntaxKind) -> Option<std::ops::Range<usize>> {
    let mut tokens = statement.descendants_with_tokens().filter_map(squawk_syntax::SyntaxElement::into_token);
    tokens.find(|token| token.kind() == kind).map(|token| token.text_range().into())
}

/// Whether the server refuses the statement inside a transaction block (the manual's page of each).
pub(super) fn refused_in_transaction(statement: &SyntaxNode) -> bool {
    let has_word = |kind| word(statement, kind).is_some();
    match statement.kind() {
        SyntaxKind::ALTER_SYSTEM
        | SyntaxKind::CREATE_DATABASE
        | SyntaxKind::CREATE_TABLESPACE
        | SyntaxKind::DROP_DATABASE
        | SyntaxKind::DROP_TABLESPACE
        | SyntaxKind::VACUUM => true,
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
        let books = Bookkeeping { platform: "datalinx_platform", version: Some("1.0.3") };
        books.body(&script).map(|body| body.statements.iter().map(|s| script.text(s).to_owned()).collect())
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
        assert!(matches!(
            body("DELETE FROM datalinx_platform.schema_version"),
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
        ] {
            assert!(matches!(body(sql), Err(SqlError::TransactionControl { .. })), "{sql}");
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
