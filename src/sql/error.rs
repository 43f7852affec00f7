//! What can be wrong with a file's SQL before anybody runs it.

use crate::error::{Code, Failure, Place};

/// What the reason begins with where a schema is nobody's.
pub(super) const OTHER_SCHEMA: &str = "the schema";

/// What the reason begins with where a schema is one tenant's.
pub(super) const ONE_TENANT: &str = "it names the schema of one tenant";

/// A file that is not a list of statements which Tenure can run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are what the messages say")]
pub enum SqlError {
    /// It does not parse.
    #[error("syntax error: {message}")]
    Syntax { message: String, place: Place },
    /// The parser itself gave up; such a file is refused, never passed.
    #[error("the SQL parser cannot read this file")]
    Unreadable { place: Place },
    /// `\i`, `\copy`, ….
    #[error("a psql command cannot be part of a migration")]
    PsqlMetaCommand { place: Place },
    /// Data of psql's `COPY … FROM STDIN`.
    #[error("COPY … FROM STDIN cannot be part of a migration: its data is not SQL")]
    CopyFromStdin { place: Place },
    /// `COPY … TO STDOUT`, whose data nobody takes.
    #[error("COPY … TO STDOUT cannot be part of a migration: there is nobody to send the data to")]
    CopyToStdout { place: Place },
    /// Transaction control that is not the file's own outer BEGIN and COMMIT.
    #[error("{statement} inside a file: a unit is one transaction, and Tenure begins and ends it")]
    TransactionControl { statement: String, place: Place },
    /// The file sets another version than its own.
    #[error("the file's own schema_version statement says {found}, but the file leads to {expected}")]
    VersionMismatch { found: String, expected: String, place: Place },
    /// The file's `schema_version` statement does more than set the version.
    #[error("a schema_version statement may only make the table, or set version and applied_at")]
    VersionStatement { place: Place },
    /// A schema that Tenure makes, with more than its name.
    #[error("Tenure makes this schema itself, and nothing but the schema")]
    SchemaStatement { place: Place },
    /// A statement on what Tenure keeps.
    #[error("{name:?} is Tenure's own: no file may make, change or drop it")]
    OwnTable { name: String, place: Place },
    /// A statement that cannot run in a transaction, in company.
    #[error("{statement} cannot run in a transaction, and other statements of the file must")]
    MixedTransaction { statement: String, place: Place },
    /// An index that is built outside a transaction and could not be found again.
    #[error("an index that is built concurrently needs a name: a failed attempt leaves it behind, invalid")]
    UnnamedIndex { place: Place },
    /// `{org_schema}` where no tenant is.
    #[error("{} stands for a tenant's schema, and this statement is the platform's", super::ORG_SCHEMA)]
    PlaceholderOfPlatform { place: Place },
    /// A parameter inside a string, a body or a quoted name.
    #[error(
        "{{{name}}} is a parameter, and its value could not be quoted inside of a string, a body or a quoted name"
    )]
    ParameterInString { name: String, place: Place },
    /// A parameter that is only a part of a word.
    #[error("{{{name}}} is a parameter, and its value cannot be a part of a longer word")]
    ParameterInWord { name: String, place: Place },
    /// No telling whose the statement is.
    #[error("it is unclear whether this statement acts on the platform or on each tenant: {why}")]
    ScopeUnclear { why: String, place: Place },
}

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Self {
        let message = error.to_string();
        let (code, place, hint) = match error {
            SqlError::Syntax { place, .. } => (Code::Syntax, place, None),
            SqlError::Unreadable { place } => {
                (Code::Syntax, place, Some("simplify the statement, or report it with the file".to_owned()))
            }
            SqlError::PsqlMetaCommand { place } => (
                Code::PsqlMetaCommand,
                place,
                Some("write what it does in SQL; settings of psql have no meaning here".to_owned()),
            ),
            SqlError::CopyFromStdin { place } => {
                (Code::CopyFromStdin, place, Some("use INSERT … VALUES instead".to_owned()))
            }
            SqlError::CopyToStdout { place } => {
                (Code::CopyToStdout, place, Some("copy into a table, or run it with psql".to_owned()))
            }
            SqlError::TransactionControl { place, .. } => (
                Code::TransactionControl,
                place,
                Some("keep at most one BEGIN; as the first statement and one COMMIT; as the last, both plain".to_owned()),
            ),
            SqlError::VersionMismatch { expected, place, .. } => {
                (Code::VersionMismatch, place, Some(format!("write '{expected}', or leave the statement out")))
            }
            SqlError::VersionStatement { place } => (
                Code::VersionMismatch,
                place,
                Some("leave the statement out: Tenure keeps the version row itself".to_owned()),
            ),
            SqlError::SchemaStatement { place } => (
                Code::OwnTable,
                place,
                Some("write `CREATE SCHEMA IF NOT EXISTS` and its name, and what else there is behind it".to_owned()),
            ),
            SqlError::OwnTable { place, .. } => (
                Code::OwnTable,
                place,
                Some("leave it alone; reading, indexes, comments and grants are fine".to_owned()),
            ),
            SqlError::MixedTransaction { place, .. } => (
                Code::MixedTransaction,
                place,
                Some("move it into a migration of its own, without BEGIN and COMMIT".to_owned()),
            ),
            SqlError::UnnamedIndex { place } => (
                Code::UnnamedIndex,
                place,
                Some("name it, so that the next attempt can remove it first".to_owned()),
            ),
            SqlError::PlaceholderOfPlatform { place } => (
                Code::ScopeUnclear,
                place,
                Some("write `-- Scope: tenant` above the statement, or name the platform's schema".to_owned()),
            ),
            SqlError::ParameterInString { place, .. } => (
                Code::TemplateInvalid,
                place,
                Some("let it stand by itself, such as `'a ' || {key}` or `format('… %L …', {key})`; where the braces mean something else, give the parameter another name".to_owned()),
            ),
            SqlError::ParameterInWord { place, .. } => (
                Code::TemplateInvalid,
                place,
                Some("put a space around it; for a longer name declare a parameter for the whole name".to_owned()),
            ),
            // A line would only choose for whom the whole statement runs, and it is for both.
            SqlError::ScopeUnclear { place, why } if why.starts_with("it acts on") => (
                Code::ScopeUnclear,
                place,
                Some("split it: one statement for the platform, another for the tenants".to_owned()),
            ),
            SqlError::ScopeUnclear { place, why } if why.starts_with(ONE_TENANT) => (
                Code::ScopeUnclear,
                place,
                Some("write `{org_schema}` in its place: the statement then runs for each tenant".to_owned()),
            ),
            SqlError::ScopeUnclear { place, why } if why.starts_with(OTHER_SCHEMA) => (
                Code::ScopeUnclear,
                place,
                Some(
                    "add a line `-- Scope: platform` or `-- Scope: tenant` above the statement; if it is the platform's \
                     schema, `[platform] schema` in tenure.toml has to name it"
                        .to_owned(),
                ),
            ),
            SqlError::ScopeUnclear { place, .. } => (
                Code::ScopeUnclear,
                place,
                Some(
                    "add a line `-- Scope: platform` or `-- Scope: tenant` above the statement, or qualify the name"
                        .to_owned(),
                ),
            ),
        };
        let failure = Self::new(code, message).at(place);
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}
