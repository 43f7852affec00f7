//! The role as which a project's statements run on a private server: it owns the database and cannot reach the server's host.
//! Single statements that need a superuser and run no code are run by the superuser, in the transaction of the role.
//!
//! **Invariant:** the role never has the rights of the superuser. A function of the superuser runs only texts that the
//! superuser's own session has written for this session.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Connection, DatabaseUrl, ServerError};
use crate::error::Failure;
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
    /// The URL of the database.
    pub url: DatabaseUrl,
    /// Its name.
    pub name: String,
    /// Which statements it runs.
    pub runs: SuperuserRuns,
}

/// Which statements a superuser runs for the role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SuperuserRuns {
    /// All that run no code, and those that a file accepts: the server is thrown away.
    Throwaway,
    /// Those that cannot harm the server: the role creates other roles itself.
    Private,
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
    /// By the superuser.
    BySuperuser(SuperuserStatement),
    /// Not at all.
    Omitted,
    /// Not if the object exists.
    OmittedIf(Prepared),
}

/// The schema with the function that runs the superuser's texts.
const SETUP: &str = include_str!("superuser.sql");

/// The superuser's session in a database whose settings may be the project's.
const SESSION: &str =
    "SET search_path = pg_catalog, pg_temp; SET lock_timeout = '2s'; SET statement_timeout = '10s'";

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
        let runs = self.superuser.as_ref().map(|superuser| superuser.runs);
        let by_superuser = |is_accepted: bool| statement().filter(|it| is_run(&it.kind, runs, is_accepted));
        match exception {
            Some(Exception::Prepared(prepared)) => RunMode::OmittedIf(prepared),
            Some(Exception::NotObserved(_)) => {
                by_superuser(true).map_or(RunMode::Omitted, RunMode::BySuperuser)
            }
            None => by_superuser(false).map_or(RunMode::Usual, RunMode::BySuperuser),
        }
    }

    /// Sends `first` and creates what `run_by_superuser` needs, in a session of the superuser and in one transaction, before
    /// a statement of the project has run.
    pub async fn install(&self, superuser: &mut Connection, first: &str) -> Result<(), Failure> {
        let sql = format!("BEGIN; {first}; {}; COMMIT", SETUP.replace("{role}", &self.name.quoted()));
        let made = superuser.run(&sql).await;
        made.map_err(|server_error| {
            server_error.failure("creating the role for the statements of the project")
        })
    }

    /// Runs one statement in the open transaction of `session` with the rights of the superuser.
    pub(super) async fn run_by_superuser(
        &self,
        session: &mut Connection,
        statement: &SuperuserStatement,
    ) -> Result<(), ServerError> {
        let superuser = self.superuser.as_ref().ok_or_else(|| unusable("there is no superuser"))?;
        // What the superuser may do with each object, the role must be allowed to do with its own.
        if let Some(check) = &statement.check {
            let undo = "ROLLBACK TO SAVEPOINT tenure_statement; RELEASE SAVEPOINT tenure_statement";
            session.attempt(&format!("SAVEPOINT tenure_statement; {check}; {undo}")).await?;
        }
        let sets = session.attempt("SELECT pg_catalog.pg_backend_pid()::pg_catalog.int8 AS pid").await?;
        let pid = sets.last().and_then(|rows| rows.first()).map(|row| row.integer("pid"));
        let pid = pid.and_then(Result::ok).ok_or_else(|| unusable("the session has no process"))?;
        let id = uuid::Uuid::new_v4();
        let list = |texts: &[String]| texts.iter().map(|text| literal(text)).collect::<Vec<_>>().join(", ");
        let (texts, names) = (list(&statement.for_role(&self.name)), list(&statement.words));
        let mut superuser = Connection::open(&superuser.url).await.map_err(unusable)?;
        let allow = format!(
            "{SESSION}; INSERT INTO pg_tenure.statement SELECT '{id}', pid, backend_start, ARRAY[{texts}]::text[], \
                 ARRAY[{names}]::name[] FROM pg_stat_activity WHERE pid = {pid}"
        );
        superuser.run(&allow).await?;
        let done = session.attempt(&format!("SELECT pg_tenure.run('{id}'::pg_catalog.uuid)")).await;
        let deleted = superuser.run(&format!("DELETE FROM pg_tenure.statement WHERE id = '{id}'")).await;
        if let Err(server_error) = deleted {
            // A statement of the project could run the same text with another search path.
            session.abandon();
            return Err(server_error);
        }
        superuser.close().await;
        done.map(drop)
    }
}

/// Whether the superuser runs such a statement.
fn is_run(kind: &SuperuserAction, runs: Option<SuperuserRuns>, is_accepted: bool) -> bool {
    let Some(runs) = runs else { return false };
    match kind {
        SuperuserAction::Owner => !is_accepted,
        SuperuserAction::Roles { created } => match runs {
            SuperuserRuns::Throwaway => !is_accepted,
            // It becomes a member of a role that it creates.
            SuperuserRuns::Private => created.is_some(),
        },
        SuperuserAction::Catalog { .. } => match runs {
            SuperuserRuns::Throwaway => is_accepted,
            SuperuserRuns::Private => true,
        },
        // With functions of other types it reads any memory of the server.
        SuperuserAction::OperatorClass { .. } => runs == SuperuserRuns::Throwaway && is_accepted,
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
