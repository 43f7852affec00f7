//! The role as which a project's statements run on a throwaway database: it owns the database and has no other rights. For
//! single statements that need a superuser and run no code, the superuser of a throwaway server gives the role its rights and
//! takes them back.
//!
//! **Invariant:** while the role may have these rights, the one statement for which they were given is all that is sent of a
//! project. A session that may still have them afterwards is not used any more.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Connection, DatabaseUrl, ServerError};
use crate::ident::{Identifier, literal};
use crate::sql::{SuperuserAction, SuperuserStatement};

/// The role, and the statements that it does not run as they are.
#[derive(Debug, Clone)]
pub struct RestrictedRole {
    name: Identifier,
    superuser: Option<Superuser>,
    exceptions: Arc<Mutex<BTreeMap<StatementKey, Exception>>>,
}

/// A superuser of the same server.
#[derive(Debug, Clone)]
pub struct Superuser {
    /// The URL of a database that the role cannot change.
    pub url: DatabaseUrl,
    /// Its name.
    pub name: String,
}

/// A statement of a project: its file and its first byte.
type StatementKey = (String, usize);

/// Why a statement does not run as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Exception {
    /// It creates something that exists.
    Prepared(Prepared),
    /// Its effects are not observed, for this reason, and the file accepts that.
    NotObserved(String),
}

/// An object that was created in advance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prepared {
    /// An extension.
    Extension(String),
    /// A schema that contains an extension.
    Schema(String),
    /// A role.
    Role(String),
}

/// How a statement runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RunMode {
    /// As it is.
    Usual,
    /// With the rights of the superuser.
    WithRights(SuperuserStatement),
    /// Not at all.
    Omitted,
    /// Not if the object exists.
    OmittedIf(Prepared),
}

/// Makes the session notice changed rights: it reads such news when it locks a table for the first time, as it does here with
/// a new one.
const REFRESH: &str = "SAVEPOINT tenure_rights; CREATE TEMPORARY TABLE pg_temp.tenure_rights (); \
    ROLLBACK TO SAVEPOINT tenure_rights; RELEASE SAVEPOINT tenure_rights";

/// The limits of the superuser's statements, which wait for locks of the session.
const LIMITS: &str = "SET lock_timeout = '2s'; SET statement_timeout = '10s'";

/// Whether the session sees its role as a superuser, who counts as a member of every role.
const HAS_RIGHTS: &str = "SELECT pg_catalog.pg_has_role('pg_execute_server_program', 'USAGE') AS found";

impl RestrictedRole {
    /// The role of that name. Without a superuser, it runs all statements itself.
    pub fn new(name: Identifier, superuser: Option<Superuser>) -> Self {
        Self { name, superuser, exceptions: Arc::default() }
    }

    /// Its name.
    pub fn name(&self) -> &Identifier {
        &self.name
    }

    /// Records that this statement creates an object which exists.
    pub fn omit_prepared(&self, file: &str, start: usize, prepared: Prepared) {
        self.exceptions().insert((file.to_owned(), start), Exception::Prepared(prepared));
    }

    /// Records that the file accepts that this statement's effects are not observed, for `reason`.
    pub fn accept(&self, file: &str, start: usize, reason: &str) {
        self.exceptions().insert((file.to_owned(), start), Exception::NotObserved(reason.to_owned()));
    }

    /// The accepted statements of a file: their first bytes, each with the reason.
    pub fn accepted_in(&self, file: &str) -> Vec<(usize, String)> {
        let exceptions = self.exceptions();
        let of_file = exceptions.range((file.to_owned(), 0)..=(file.to_owned(), usize::MAX));
        of_file
            .filter_map(|((_, start), exception)| match exception {
                Exception::NotObserved(reason) => Some((*start, reason.clone())),
                Exception::Prepared(_) => None,
            })
            .collect()
    }

    fn exceptions(&self) -> MutexGuard<'_, BTreeMap<StatementKey, Exception>> {
        self.exceptions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How to run a statement of a file.
    pub(super) fn run_mode(&self, text: &str, (file, start): (&str, usize)) -> RunMode {
        let statement = || {
            let superuser = self.superuser.as_ref()?;
            SuperuserStatement::of(text, &[&superuser.name, self.name.as_str()])
        };
        let exception = self.exceptions().get(&(file.to_owned(), start)).cloned();
        let is_catalog = |statement: &SuperuserStatement| statement.kind == SuperuserAction::Catalog;
        match exception {
            Some(Exception::Prepared(prepared)) => RunMode::OmittedIf(prepared),
            Some(Exception::NotObserved(_)) => {
                statement().filter(is_catalog).map_or(RunMode::Omitted, RunMode::WithRights)
            }
            None => statement().filter(|it| !is_catalog(it)).map_or(RunMode::Usual, RunMode::WithRights),
        }
    }

    /// Runs one statement in the open transaction of `session` with the rights of the superuser. After an outer failure the
    /// session must not be used any more.
    pub(super) async fn run_with_rights(
        &self,
        session: &mut Connection,
        statement: &SuperuserStatement,
    ) -> Result<Result<(), ServerError>, ServerError> {
        let superuser = self.superuser.as_ref().ok_or_else(|| unusable("there is no superuser"))?;
        let mut superuser = Connection::open(&superuser.url).await.map_err(unusable)?;
        let change = |word: &str| format!("ALTER ROLE {} {word}", self.name.quoted());
        session.attempt_with_rights("SAVEPOINT tenure_statement").await?;
        // Without the rights: whose object it is, the role must be.
        if let Some(check) = &statement.owner_check {
            let checked = session.attempt_with_rights(check).await;
            session.attempt_with_rights("ROLLBACK TO SAVEPOINT tenure_statement").await?;
            if let Err(server_error) = checked {
                return Ok(Err(server_error));
            }
        }
        // The session may hold a lock on its role.
        if let Err(server_error) = superuser.run(&format!("{LIMITS}; {}", change("SUPERUSER"))).await {
            return Ok(Err(server_error));
        }
        let mut with_rights = vec![REFRESH.to_owned(), statement.text.clone()];
        if let SuperuserAction::Roles { created: Some(created) } = &statement.kind {
            // A role that creates another one may use it, too.
            let created = format!("\"{}\"", created.replace('"', "\"\""));
            with_rights.push(format!("GRANT {created} TO {}", self.name.quoted()));
        }
        let mut done = Ok(());
        for sql in &with_rights {
            if let Err(server_error) = session.attempt_with_rights(sql).await {
                done = Err(server_error);
                break;
            }
        }
        superuser.run(&format!("{LIMITS}; {}", change("NOSUPERUSER"))).await?;
        superuser.close().await;
        if done.is_err() {
            session.attempt_with_rights("ROLLBACK TO SAVEPOINT tenure_statement").await?;
        }
        let end = format!("{REFRESH}; RELEASE SAVEPOINT tenure_statement; {HAS_RIGHTS}");
        match found(&session.attempt_with_rights(&end).await?) {
            Some(false) => Ok(done),
            Some(true) | None => Err(unusable("the role of the shadow still has the rights of a superuser")),
        }
    }
}

impl Prepared {
    /// Whether the object exists.
    pub(super) async fn exists(&self, session: &mut Connection) -> Result<bool, ServerError> {
        let (catalog, column, name) = match self {
            Self::Extension(name) => ("pg_extension", "extname", name),
            Self::Schema(name) => ("pg_namespace", "nspname", name),
            Self::Role(name) => ("pg_roles", "rolname", name),
        };
        let sql = format!(
            "SELECT EXISTS (SELECT FROM pg_catalog.{catalog} \
             WHERE {column} OPERATOR(pg_catalog.=) {}::pg_catalog.name) AS found",
            literal(name)
        );
        Ok(found(&session.attempt(&sql).await?) == Some(true))
    }
}

fn found(sets: &[Vec<super::Row>]) -> Option<bool> {
    sets.last()?.first()?.get_bool("found").ok()
}

fn unusable(why: impl std::fmt::Display) -> ServerError {
    ServerError::from(sqlx::Error::Protocol(why.to_string()))
}
