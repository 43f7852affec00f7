//! Maps server errors to failures. The only place that maps SQLSTATE (manual, appendix A) to codes and hints.

use sqlx::postgres::{PgDatabaseError, PgErrorPosition};

use super::Row;
use super::privilege;
use super::server_text::ServerText;
use crate::error::{Code, Failure};
use crate::ident::SchemaName;
use crate::queries::QueryError;

/// An error of one message, with the results before it.
#[derive(Debug)]
pub struct ServerError {
    /// The number of completed statements.
    pub completed: usize,
    /// Their rows.
    pub sets: Vec<Vec<Row>>,
    /// The driver's error.
    pub error: sqlx::Error,
    /// The characters of the batch that were sent in earlier messages.
    pub(super) sent_before: usize,
    /// The role of the session, if known.
    pub(super) role: Option<String>,
}

/// A schema is not at the version that its unit starts from; the detail is its version.
pub const NOT_AT_FROM: &str = "TN001";
/// A tenant has no version row.
pub const NO_VERSION_ROW: &str = "TN002";
/// Tenants are behind the version that a platform step needs.
pub const TENANTS_BEHIND: &str = "TN003";
/// A statement did not affect exactly one row.
pub const NOT_ONE_ROW: &str = "TN005";
/// A tenant is in another state than the command needs; the detail is its state.
pub const WRONG_STATE: &str = "TN006";
/// A schema or a tenant of that name exists.
pub const NAME_TAKEN: &str = "TN007";
/// A non-transactional unit is running on the schema.
pub const NON_TRANSACTIONAL_RUNNING: &str = "TN008";
/// Objects outside of a schema depend on objects in it.
pub const HAS_DEPENDENTS: &str = "TN009";
/// A row of the registry was not deleted.
pub const ROW_NOT_DELETED: &str = "TN010";
/// A pool schema is not free.
pub const POOL_SCHEMA_TAKEN: &str = "TNP01";
/// A tenant is no longer being created, or by another run.
pub const NOT_OWNED_BY_RUN: &str = "TNP02";
/// Another run is creating the tenant; the detail is the deadline.
pub const BEING_CREATED: &str = "TNP03";
/// Another run is creating the tenant and still working.
pub const BEING_COPIED: &str = "TNP04";
/// A role exists that belongs to another database or another tenant; the detail names it.
pub const ROLE_TAKEN: &str = "TNR01";
/// A tenant has no role.
pub const NO_ROLE: &str = "TNR02";
/// The platform's version changed while a tenant was being created.
pub const PLATFORM_VERSION_CHANGED: &str = "TN004";

impl ServerError {
    /// The error of the server, if the server reported it.
    fn server(&self) -> Option<&PgDatabaseError> {
        self.error.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>())
    }

    /// The server's SQLSTATE.
    pub fn sqlstate(&self) -> Option<&str> {
        self.server().map(PgDatabaseError::code)
    }

    /// The server's text, without values of rows. No other function here returns text of the server.
    fn text(&self) -> Option<ServerText> {
        self.server().map(ServerText::of)
    }

    /// The server's detail, if it is not empty.
    pub fn detail(&self) -> Option<String> {
        self.text()?.detail
    }

    /// Whether the server's detail contains `key`, a key that Tenure inserted: the detail itself is masked.
    pub fn is_about_key(&self, key: &str) -> bool {
        self.server().and_then(PgDatabaseError::detail).is_some_and(|detail| detail.contains(key))
    }

    /// The table in the server's error with its schema; for a foreign key, the referencing table.
    pub fn table(&self) -> Option<String> {
        let server = self.server()?;
        Some(format!("{}.{}", server.schema()?, server.table()?))
    }

    /// The position of the error in the message, in characters from 1; `None` if it is in another text, such as
    /// the body of a DO block.
    pub fn position(&self) -> Option<usize> {
        match self.server()?.position()? {
            PgErrorPosition::Original(position) => Some(self.sent_before + position),
            PgErrorPosition::Internal { .. } => None,
        }
    }

    /// The line of the error in the body of a DO block, from 1, if a DO block was running.
    pub(super) fn block_line(&self) -> Option<usize> {
        let calls = self.text()?.calls;
        calls.iter().rfind(|call| call.function.is_none()).map(|call| call.line)
    }

    /// The error of the statement itself; `None` for a lost connection, a server that shuts down or lacks resources, or a lock
    /// of another session.
    pub(super) fn statement_error(&self) -> Option<QueryError> {
        let Some(server) = self.server() else {
            // An answer that the driver cannot decode fails in every program with this driver.
            let is_decoding = matches!(self.error, sqlx::Error::TypeNotFound { .. } | sqlx::Error::Decode(_));
            return is_decoding.then(|| QueryError::new(None, self.error.to_string()));
        };
        let is_temporary = ["25P03", "25P04", "40", "53", "55P03", "57", "58", "XX"]
            .iter()
            .any(|class| server.code().starts_with(class));
        let text = ServerText::of(server);
        (!is_temporary).then(|| QueryError {
            from_code: text.from_code,
            ..QueryError::new(Some(server.code().to_owned()), text.message)
        })
    }

    /// The error of a statement that was only prepared: it read no row, so the values in the message are those of its own text.
    pub(super) fn prepare_error(&self) -> Option<QueryError> {
        let error = self.statement_error()?;
        let message =
            self.server().filter(|_| self.position().is_some()).map(|server| server.message().to_owned());
        Some(QueryError { message: message.unwrap_or_else(|| error.message.clone()), ..error })
    }

    /// The failure of a statement on a tenant's schema.
    pub fn failure_on(&self, schema: &SchemaName, action: &str) -> Failure {
        let schema = Some(schema.as_str().to_owned());
        Failure { schema, ..self.failure(action) }
    }

    /// The hint for an error of a write to the tenants' registry, whose other columns the project defines.
    pub fn registry_hint(&self) -> Option<&'static str> {
        Some(match self.sqlstate()? {
            "42703" => "[tenants.columns] in tenure.toml names the registry's columns",
            "23502" => {
                "a column of the registry needs a value: give it a default, or pass --column NAME=VALUE to `tenure tenant create`"
            }
            "42804" | "22P02" | "22003" | "22007" | "22008" | "22001" => {
                "a value does not fit its column in the registry: the slug, the name and the schema are texts; --column gives the \
                 others"
            }
            "55000" => "the registry is a view that accepts no such change",
            NOT_ONE_ROW => {
                "a trigger, a view, a policy or the condition [tenants] where must not suppress or exclude the row in the registry"
            }
            _ => return None,
        })
    }

    /// The failure for the user; `action` says what was being done.
    pub fn failure(&self, action: &str) -> Failure {
        let Some(server) = self.server() else { return connection_failure(&self.error, action) };
        let (code, hint) = match server.code() {
            ROLE_TAKEN if server.hint().is_some() => (Code::RoleExists, None),
            ROW_NOT_DELETED => (
                Code::TenantInUse,
                Some("keep the registry's row with --keep-registry, or allow its deletion"),
            ),
            "42501" => (Code::PermissionDenied, None),
            TENANTS_BEHIND => {
                (Code::TenantsBehind, Some("run `tenure migrate up` to migrate the tenants first"))
            }
            BEING_CREATED => (
                Code::TenantState,
                Some(
                    "if that run was aborted, repeat the command after that time to create the tenant, or run `tenure tenant drop` \
                     to remove what it created",
                ),
            ),
            BEING_COPIED => (
                Code::TenantState,
                Some("if that run was aborted, run `tenure tenant drop` to remove what it created"),
            ),
            NOT_OWNED_BY_RUN | WRONG_STATE => {
                (Code::TenantState, Some("run `tenure tenant show SLUG` to see its state"))
            }
            NAME_TAKEN => (Code::TenantExists, Some("choose another slug")),
            // Another session created the schema at the same time.
            "23505" if server.constraint() == Some("pg_namespace_nspname_index") => {
                (Code::TenantExists, Some("choose another slug"))
            }
            HAS_DEPENDENTS => (Code::TenantInUse, Some("change or drop them first")),
            ROLE_TAKEN => (
                Code::RoleExists,
                Some(
                    "roles belong to the whole server: if several of its databases have this tenant, set [tenants] role_prefix in \
                     tenure.toml; otherwise drop the role",
                ),
            ),
            NO_ROLE => (Code::TenantWithoutRole, Some("run `tenure tenant grant SLUG` to create it")),
            "55P03" => (
                Code::StatementFailed,
                Some("another session holds the lock; retry, or raise --lock-timeout"),
            ),
            "25P04" => (
                Code::StatementFailed,
                Some("the server's transaction_timeout ended it; raise it for this role"),
            ),
            "25P03" | "57P01" | "57P02" | "57P03" | "57P05" => {
                (Code::StatementFailed, Some("the server ended the session; run the command again"))
            }
            "57014" if server.message().contains("user request") => {
                (Code::StatementFailed, Some("a user cancelled it; run the command again"))
            }
            "57014" => (Code::StatementFailed, Some("raise --statement-timeout")),
            "25006" => (
                Code::StatementFailed,
                Some(
                    "a standby is read-only: connect to the primary; on a primary, default_transaction_read_only is on for this \
                     role or database, which Tenure obeys",
                ),
            ),
            _ => (Code::StatementFailed, None),
        };
        let text = ServerText::of(server);
        let detail = text.detail.as_deref().map(|detail| format!(" ({detail})")).unwrap_or_default();
        // The innermost call, and the block that it is in.
        let block = text.calls.iter().skip(1).rfind(|call| call.function.is_none());
        let calls = [text.calls.first(), block].map(|call| call.map(|call| format!(", {call}")));
        let calls = calls.map(Option::unwrap_or_default).concat();
        let mut failure = Failure::new(code, format!("{action}: {}{detail}{calls}", text.message));
        failure.sqlstate = Some(server.code().to_owned());
        failure.unpublished.extend(text.detail);
        // Code may build even names from rows.
        if text.from_code {
            failure.unpublished.extend([text.message, calls]);
        }
        failure.hint = hint.map(str::to_owned).or(text.hint);
        if code == Code::PermissionDenied && failure.hint.is_none() {
            failure.hint = Some(privilege::hint(server.message(), self.role.as_deref()));
        }
        failure
    }
}

impl From<sqlx::Error> for ServerError {
    /// An error of a single operation.
    fn from(error: sqlx::Error) -> Self {
        Self { completed: 0, sets: Vec::new(), error, sent_before: 0, role: None }
    }
}

/// A failure that the server did not report: the connection was lost or not established.
fn connection_failure(error: &sqlx::Error, action: &str) -> Failure {
    Failure::new(Code::ConnectionLost, format!("{action}: the connection was lost: {error}"))
        .hint("run the command again: it continues after the committed work")
}
