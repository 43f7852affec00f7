//! Errors in a file's SQL that are found without running it.

use std::ops::Range;

use crate::error::{Code, Failure, Place};

/// The start of the reason if a schema belongs neither to the platform nor to a tenant.
pub(super) const OTHER_SCHEMA: &str = "the schema";

/// The start of the reason if a schema belongs to one tenant.
pub(super) const ONE_TENANT: &str = "it names the schema of one tenant";

/// Why Tenure cannot run a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages explain the fields")]
pub enum SqlError {
    /// A syntax error.
    #[error("syntax error: {message}")]
    Syntax { message: String, place: Place },
    /// The parser panicked. Such a file is rejected, never accepted.
    #[error("the SQL parser cannot read this file")]
    Unreadable { place: Place },
    /// `\i`, `\copy`, ….
    #[error("a psql command cannot be part of a migration")]
    PsqlMetaCommand { place: Place },
    /// The reverse part of a file of another tool.
    #[error("this line begins the reverse part in a file of {tool}: Tenure would run both parts")]
    ReversePart { tool: &'static str, place: Place },
    /// `COPY … FROM STDIN` and its data.
    #[error("COPY … FROM STDIN cannot be part of a migration: its data is not SQL")]
    CopyFromStdin { place: Place },
    /// `COPY … TO STDOUT`, whose data has no receiver.
    #[error("COPY … TO STDOUT cannot be part of a migration: nothing receives the data")]
    CopyToStdout { place: Place },
    /// Transaction control other than the outer BEGIN and COMMIT of the file.
    #[error("{statement} inside a file: a unit is one transaction, and Tenure begins and ends it")]
    TransactionControl { statement: String, place: Place },
    /// A BEGIN without its COMMIT, or the reverse.
    #[error("the file {what}")]
    UnbalancedTransaction { what: &'static str, place: Place },
    /// The file sets a version other than its own.
    #[error("the schema_version statement of the file sets {found}, but the file migrates to {expected}")]
    VersionMismatch { found: String, expected: String, place: Place },
    /// The `schema_version` statement of the file does more than set the version.
    #[error("a schema_version statement may only create the table, or set version and applied_at")]
    VersionStatement { place: Place },
    /// A `CREATE SCHEMA` with more than the name, of a schema that Tenure creates.
    #[error("Tenure creates this schema itself, without further objects")]
    SchemaStatement { place: Place },
    /// A statement on one of Tenure's own objects.
    #[error("{name:?} belongs to Tenure: no file may create, alter or drop it")]
    OwnTable { name: String, place: Place },
    /// A non-transactional statement beside transactional ones.
    #[error("{statement} cannot run in a transaction, but other statements of the file must")]
    MixedTransaction { statement: String, place: Place },
    /// A non-transactional statement between BEGIN and COMMIT.
    #[error("{statement} cannot run in a transaction, but the file has BEGIN and COMMIT")]
    InTransaction { statement: String, place: Place },
    /// An index without a name that is built outside a transaction.
    #[error("an index that is built concurrently needs a name: a failed attempt leaves an invalid index")]
    UnnamedIndex { place: Place },
    /// A placeholder in a statement of the platform.
    #[error("{{org_schema}} and {{org_role}} belong to a tenant, but this statement has platform scope")]
    PlaceholderOfPlatform { place: Place },
    /// A parameter inside a string, a body or a quoted name.
    #[error(
        "{{{name}}} is a parameter, and its value cannot be quoted inside a string, a body or a quoted name"
    )]
    ParameterInString { name: String, place: Place },
    /// A parameter that is part of a longer word.
    #[error("{{{name}}} is a parameter, and its value cannot be part of a longer word")]
    ParameterInWord { name: String, place: Place },
    /// The statement has no clear scope.
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
            SqlError::PsqlMetaCommand { place } => {
                let hint = match &place {
                    Place::Span(source, at) if source.text[at.clone()].starts_with("\\connect") => {
                        "make the dump without --create"
                    }
                    _ => "write the same in SQL; settings of psql have no effect here",
                };
                (Code::PsqlMetaCommand, place, Some(hint.to_owned()))
            }
            SqlError::ReversePart { place, .. } => {
                let hint = match reverse_name(place.file()) {
                    Some(name) => format!("keep the part above this line, and move the part below it to {name}"),
                    None => "keep the part above this line, and remove the part below it".to_owned(),
                };
                (Code::ReversePart, place, Some(hint))
            }
            SqlError::CopyFromStdin { place } => {
                (Code::CopyFromStdin, place, Some("use INSERT … VALUES instead; pg_dump writes it with --inserts".to_owned()))
            }
            SqlError::CopyToStdout { place } => {
                (Code::CopyToStdout, place, Some("copy into a table, or run it with psql".to_owned()))
            }
            SqlError::TransactionControl { place, .. } => (
                Code::TransactionControl,
                place,
                Some("keep at most a plain BEGIN; as the first statement and a plain COMMIT; as the last".to_owned()),
            ),
            SqlError::UnbalancedTransaction { place, .. } => (
                Code::TransactionControl,
                place,
                Some("remove it, or write `BEGIN;` as the first and `COMMIT;` as the last statement: Tenure runs each unit in a transaction in any case".to_owned()),
            ),
            SqlError::VersionMismatch { expected, place, .. } => {
                (Code::VersionMismatch, place, Some(format!("write '{expected}', or remove the statement")))
            }
            SqlError::VersionStatement { place } => (
                Code::VersionMismatch,
                place,
                Some("remove the statement: Tenure updates the version row itself".to_owned()),
            ),
            SqlError::SchemaStatement { place } => (
                Code::OwnTable,
                place,
                Some("write `CREATE SCHEMA IF NOT EXISTS` with only the name, and the other objects as separate statements".to_owned()),
            ),
            SqlError::OwnTable { place, .. } => (
                Code::OwnTable,
                place,
                Some("remove the statement; queries, indexes, comments and grants are allowed".to_owned()),
            ),
            SqlError::MixedTransaction { place, .. } => (
                Code::MixedTransaction,
                place,
                Some("move it into a separate migration without BEGIN and COMMIT".to_owned()),
            ),
            SqlError::InTransaction { place, .. } => (
                Code::MixedTransaction,
                place,
                Some("remove BEGIN and COMMIT: Tenure runs this statement outside of a transaction".to_owned()),
            ),
            SqlError::UnnamedIndex { place } => (
                Code::UnnamedIndex,
                place,
                Some("name it, so that the next attempt can drop it first".to_owned()),
            ),
            SqlError::PlaceholderOfPlatform { place } => (
                Code::ScopeUnclear,
                place,
                Some("write `-- Scope: tenant` above the statement, or name the platform's schema".to_owned()),
            ),
            SqlError::ParameterInString { place, .. } => (
                Code::TemplateInvalid,
                place,
                Some("use it outside the string, such as `'a ' || {key}` or `format('… %L …', {key})`; if the braces are no parameter, rename the parameter".to_owned()),
            ),
            SqlError::ParameterInWord { place, .. } => (
                Code::TemplateInvalid,
                place,
                Some("add spaces around it; for a longer name declare a parameter for the whole name".to_owned()),
            ),
            // A `Scope` line would give the whole statement one scope, but it needs both.
            SqlError::ScopeUnclear { place, why } if why.starts_with("it acts on") => (
                Code::ScopeUnclear,
                place,
                Some("split it into one statement for the platform and one for the tenants".to_owned()),
            ),
            SqlError::ScopeUnclear { place, why } if why.starts_with(ONE_TENANT) => (
                Code::ScopeUnclear,
                place,
                Some("write `{org_schema}` instead: the statement then runs for each tenant".to_owned()),
            ),
            SqlError::ScopeUnclear { place, why } if why.starts_with(OTHER_SCHEMA) => (
                Code::ScopeUnclear,
                place,
                Some(
                    "add a line `-- Scope: platform` or `-- Scope: tenant` above the statement; if this is the platform's \
                     schema, set `[platform] schema` in tenure.toml"
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

impl SqlError {
    /// The bytes of the refused command with its data, if the rest of the file can be read without them.
    pub(super) fn left_out(&self, text: &str) -> Option<Range<usize>> {
        match self {
            Self::PsqlMetaCommand { place } => place.bytes().cloned(),
            Self::CopyFromStdin { place } | Self::CopyToStdout { place } => {
                let at = place.bytes()?;
                let start = text[..at.start].to_ascii_lowercase().rfind("copy")?;
                let end = text[at.end..].find(';').map_or(text.len(), |end| at.end + end);
                // The data ends with a line `\.`; without it, there is none.
                let data = matches!(self, Self::CopyFromStdin { .. })
                    .then(|| text[end..].find("\n\\.").map(|data| end + data + "\n\\.".len()));
                Some(start..data.flatten().unwrap_or(end))
            }
            _ => None,
        }
    }
}

/// The name of the reverse file of a migration.
fn reverse_name(file: &str) -> Option<String> {
    let (folder, name) = file.rsplit_once('/')?;
    let (from, rest) = name.strip_prefix('v')?.split_once("_to_v")?;
    let (to, name) = rest.split_once('_')?;
    Some(format!("{folder}/v{to}_to_v{from}_{name}"))
}
