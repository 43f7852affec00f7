//! What a server's error means: one place maps SQLSTATE (manual, appendix A) to codes and hints.

use sqlx::postgres::{PgDatabaseError, PgErrorPosition};

use super::Row;
use crate::error::{Code, Failure};
use crate::ident::SchemaName;

/// An error of one message, with how far the server had come.
#[derive(Debug)]
pub struct ServerError {
    /// How many statements of the message had been completed.
    pub completed: usize,
    /// Their rows.
    pub sets: Vec<Vec<Row>>,
    /// What the driver said.
    pub error: sqlx::Error,
}

/// A schema is not at the version that its unit starts from; the detail is the version it is at.
pub const NOT_AT_FROM: &str = "TN001";
/// A tenant has no version row.
pub const NO_VERSION_ROW: &str = "TN002";
/// Tenants are behind what a platform step needs.
pub const TENANTS_BEHIND: &str = "TN003";
/// Another number of rows than one.
pub const NOT_ONE_ROW: &str = "TN005";
/// A tenant is in another state than the verb needs; the detail is the one it is in.
pub const OTHER_STATE: &str = "TN006";
/// A schema, or a tenant, of that name is there already.
pub const NAME_TAKEN: &str = "TN007";
/// A unit that needs to be alone is running on the schema.
pub const ALONE: &str = "TN008";
/// What is outside of a schema depends on what is in it.
pub const DEPENDED_ON: &str = "TN009";
/// The registry did not give up a row that was deleted.
pub const ROW_KEPT: &str = "TN010";
/// A schema that was made in advance is not free.
pub const NOT_FREE: &str = "TNP01";
/// A tenant that was being made is not any more, or by another run.
pub const NOT_OURS: &str = "TNP02";
/// A tenant is being made by another run; the detail says until when.
pub const BEING_MADE: &str = "TNP03";
/// A tenant is being made by another run, which is at work on it.
pub const BEING_COPIED: &str = "TNP04";
/// A role is there already that is not this database's, or is another tenant's; the detail says whose.
pub const ROLE_TAKEN: &str = "TNR01";
/// A tenant has no role.
pub const NO_ROLE: &str = "TNR02";
/// The platform moved while a tenant was being made.
pub const PLATFORM_MOVED: &str = "TN004";

impl ServerError {
    /// The server's error, if it was the server that refused.
    fn server(&self) -> Option<&PgDatabaseError> {
        self.error.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>())
    }

    /// The server's code.
    pub fn sqlstate(&self) -> Option<&str> {
        self.server().map(PgDatabaseError::code)
    }

    /// The server's detail; an empty one is none.
    pub fn detail(&self) -> Option<&str> {
        self.server().and_then(PgDatabaseError::detail).filter(|detail| !detail.is_empty())
    }

    /// The table that the server names, with its schema: of a foreign key the one whose rows refer.
    pub fn table(&self) -> Option<String> {
        let server = self.server()?;
        Some(format!("{}.{}", server.schema()?, server.table()?))
    }

    /// The character of the message that the server points at, from 1. An offset into another text,
    /// such as the body of a DO block, is none.
    pub fn position(&self) -> Option<usize> {
        match self.server()?.position()? {
            PgErrorPosition::Original(position) => Some(position),
            PgErrorPosition::Internal { .. } => None,
        }
    }

    /// The code and message of an error that says something about the statement itself: not of a connection
    /// that broke, a server that ends or is out of room, another session's lock.
    pub(super) fn about_the_statement(&self) -> Option<(Option<String>, String)> {
        let Some(server) = self.server() else {
            // What the driver cannot make sense of, no program of that driver can.
            let its_own = matches!(self.error, sqlx::Error::TypeNotFound { .. } | sqlx::Error::Decode(_));
            return its_own.then(|| (None, self.error.to_string()));
        };
        let passing = ["25P03", "25P04", "40", "53", "55P03", "57", "58", "XX"]
            .iter()
            .any(|class| server.code().starts_with(class));
        (!passing).then(|| (Some(server.code().to_owned()), server.message().to_owned()))
    }

    /// The same on a tenant's schema.
    pub fn failure_on(&self, schema: &SchemaName, doing: &str) -> Failure {
        let schema = Some(schema.as_str().to_owned());
        Failure { schema, ..self.failure(doing) }
    }

    /// The hint where the tenants' registry does not take what is written to it. Only its columns are others' to define.
    pub fn about_registry(&self) -> Option<&'static str> {
        Some(match self.sqlstate()? {
            "42703" => "[tenants.columns] in tenure.toml names the registry's columns",
            "23502" => "every column of the registry but id, name, slug and schema must have a default",
            "42804" | "22P02" => "the registry's id column must take a UUID, the others a text",
            NOT_ONE_ROW => "a trigger or a view must not swallow what is written to the registry",
            _ => return None,
        })
    }

    /// The failure that people and programs get; `doing` says what was being done.
    pub fn failure(&self, doing: &str) -> Failure {
        let Some(server) = self.server() else { return broken(&self.error, doing) };
        let (code, hint) = match server.code() {
            ROLE_TAKEN if server.hint().is_some() => (Code::RoleExists, None),
            ROW_KEPT => (
                Code::TenantInUse,
                Some("leave the registry's row with --keep-registry, or let it be deleted"),
            ),
            "42501" => (Code::PermissionDenied, Some("give the role what it lacks, or use another one")),
            TENANTS_BEHIND => {
                (Code::TenantsBehind, Some("run `tenure migrate up` to bring the tenants along first"))
            }
            BEING_MADE => (
                Code::TenantState,
                Some(
                    "when that run is gone without an end, the same command makes it anew after that time, or `tenure tenant drop` \
                     takes away what it left",
                ),
            ),
            BEING_COPIED => (
                Code::TenantState,
                Some("if that run is gone without an end, `tenure tenant drop` takes away what it left"),
            ),
            NOT_OURS | OTHER_STATE => (Code::TenantState, Some("`tenure tenant show SLUG` says how it is")),
            NAME_TAKEN => (Code::TenantExists, Some("choose another slug")),
            DEPENDED_ON => {
                (Code::TenantInUse, Some("change or drop them first, or leave the tenant as it is"))
            }
            ROLE_TAKEN => (
                Code::RoleExists,
                Some(
                    "roles belong to the whole server: set [tenants] role_prefix in tenure.toml where several databases of it \
                      have such a tenant, or drop the role",
                ),
            ),
            NO_ROLE => (Code::TenantWithoutRole, Some("`tenure tenant grant SLUG` makes it")),
            "55P03" => (
                Code::StatementFailed,
                Some("another session holds the lock; try again, or raise --lock-timeout"),
            ),
            "25P04" => (
                Code::StatementFailed,
                Some(
                    "the server's transaction_timeout ended it; raise that for this role if the work needs longer",
                ),
            ),
            "25P03" | "57P01" | "57P02" | "57P03" | "57P05" => {
                (Code::StatementFailed, Some("the server ended the session; run the command again"))
            }
            "57014" if server.message().contains("user request") => {
                (Code::StatementFailed, Some("somebody cancelled it; run the command again"))
            }
            "57014" => (Code::StatementFailed, Some("raise --statement-timeout if the work needs longer")),
            "25006" => (Code::StatementFailed, Some("this server is read-only: use the primary's address")),
            _ => (Code::StatementFailed, None),
        };
        let detail = self.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
        let message = format!("{doing}: {}{detail}", server.message());
        let mut failure = Failure::new(code, message);
        failure.sqlstate = Some(server.code().to_owned());
        failure.rows.extend(self.detail().map(str::to_owned));
        // A value that does not fit stands in the message itself, as may whatever somebody's own code raises.
        if ["22", "P0"].iter().any(|class| server.code().starts_with(class)) {
            failure.rows.push(server.message().to_owned());
        }
        failure.hint = hint.map(str::to_owned).or_else(|| server.hint().map(str::to_owned));
        failure
    }
}

impl From<sqlx::Error> for ServerError {
    /// An error of something that is no message of several statements.
    fn from(error: sqlx::Error) -> Self {
        Self { completed: 0, sets: Vec::new(), error }
    }
}

/// A failure that no server reported: the connection broke, or never was.
fn broken(error: &sqlx::Error, doing: &str) -> Failure {
    Failure::new(Code::ConnectionLost, format!("{doing}: the connection broke: {error}"))
        .hint("run the command again: what was committed stands, the rest is done then")
}
