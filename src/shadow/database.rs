//! The throwaway database: on a private server of its own, or an empty database that the user named. A named database is empty
//! again when the shadow is closed.
//!
//! **Invariant:** the project's statements run in sessions of a [`RestrictedRole`], which logs in itself (`RESET ROLE` gives it
//! nothing), owns the database, and may neither run programs nor read files on the server.

use std::fmt::Write as _;

use super::prepared;
use super::temporary_role::TemporaryRole;
use crate::error::{Code, Failure};
use crate::ident::{Identifier, literal};
use crate::postgres::batch::{NO_IDLE_TIMEOUT, OWN_PATH};
use crate::postgres::server::{DATABASE, Environment, ROLE, Throwaway};
use crate::postgres::{ConnectPolicy, Connection, DatabaseUrl, RestrictedRole, Superuser, SuperuserRuns};
use crate::project::Project;

const EMPTY: &str = include_str!("empty.sql");

/// The role of the project's statements on a server of its own.
const SHADOW_ROLE: &str = "tenure_shadow";

/// The comment on a named database while it is in use. It allows a later run to empty the database after a crash.
const MARK: &str = "a shadow of tenure: emptied whenever it is used";

/// Catalogs that contain only built-in rows in an empty database. Built-in OIDs are below 16384 (manual, chapter 70.2.2, "OID
/// Assignment").
const CATALOGS: &[&str] = &[
    "pg_cast",
    "pg_class",
    "pg_event_trigger",
    "pg_extension",
    "pg_foreign_data_wrapper",
    "pg_language",
    "pg_largeobject_metadata",
    "pg_proc",
    "pg_publication",
    "pg_ts_config",
    "pg_type",
];

/// A throwaway database.
#[derive(Debug)]
pub struct Shadow {
    /// The connection of the restricted role to it.
    pub connection: Connection,
    url: DatabaseUrl,
    cleanup: Cleanup,
}

/// How the database is cleaned up.
#[derive(Debug)]
enum Cleanup {
    /// Stop the server.
    Stop(Throwaway),
    /// Empty the database and restore its comment. `holder` is the connection that holds the lock. `role` is the role of the
    /// shadow's connection, unless the user named it.
    Empty { holder: Box<Connection>, comment: Option<String>, role: Option<Box<TemporaryRole>> },
}

/// Where a shadow is, and what may be created on it.
#[derive(Debug, Clone, Copy)]
pub struct ShadowRequest<'a> {
    /// The URL of an empty database; without it, a server is started.
    pub url: Option<&'a str>,
    /// The extensions that need a superuser and may be created nevertheless. Never from a file of a pull request.
    pub extensions: &'a [String],
    /// What happens if the server does not have one of them.
    pub missing: MissingExtension,
    /// Where the server's programs are.
    pub environment: &'a Environment,
}

/// What happens if a server does not have an extension that may be created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingExtension {
    /// The shadow is refused: the user has named it.
    Refused,
    /// The statement that creates it fails.
    Ignored,
}

impl Shadow {
    /// For a chain that can be run on it, with the chain's extensions.
    pub async fn for_chain(project: &Project, request: ShadowRequest<'_>) -> Result<Self, Failure> {
        project.chain.check_starts_at_zero()?;
        let mut shadow = match request.url {
            Some(url) => Self::on_database(&DatabaseUrl::parse(url)?).await?,
            None => Self::on_new_server(request.environment).await?,
        };
        if request.missing == MissingExtension::Refused
            && let Err(failure) = prepared::expect_available(&mut shadow.connection, request.extensions).await
        {
            shadow.close().await?;
            return Err(failure);
        }
        let superuser = shadow.superuser().await?;
        let Self { connection, cleanup, .. } = &mut shadow;
        match (superuser, cleanup) {
            (Some(mut superuser), _) => {
                prepared::create_roles(project, connection, &mut superuser).await?;
                prepared::create_tenant_roles(project, connection, &mut superuser).await?;
                prepared::create_extensions(project, (connection, Some(&mut superuser)), request.extensions)
                    .await?;
                superuser.close().await;
            }
            (None, Cleanup::Empty { role: Some(role), .. }) => {
                prepared::create_extensions(project, (connection, Some(&mut role.named)), request.extensions)
                    .await?;
            }
            (None, _) => prepared::create_extensions(project, (connection, None), request.extensions).await?,
        }
        Ok(shadow)
    }

    /// A new database on a server of its own, since a migration may change roles and other databases. The server stops when this
    /// value is dropped or the program ends, however it ends.
    pub async fn on_new_server(environment: &Environment) -> Result<Self, Failure> {
        let server = Throwaway::start(environment).await?;
        let (role, database) = (Identifier::new(SHADOW_ROLE)?, Identifier::new(DATABASE)?);
        let mut superuser = Connection::open(&DatabaseUrl::parse(&server.url(DATABASE))?).await?;
        let owner = format!(
            "CREATE ROLE {role} LOGIN BYPASSRLS; ALTER DATABASE {} OWNER TO {role}; ALTER SCHEMA public OWNER TO {role}",
            database.quoted(),
            role = role.quoted(),
        );
        let url = DatabaseUrl::parse(&server.address().url_of(SHADOW_ROLE, DATABASE))?;
        let runs = SuperuserRuns::Throwaway;
        let named = Superuser { url: superuser.url().clone(), name: ROLE.to_owned(), runs };
        let restricted = RestrictedRole::new(role.clone(), Some(named));
        restricted.install(&mut superuser, &owner).await?;
        // From PostgreSQL 15 on. It disables triggers of this session, as data migrations do.
        let parameter = format!("GRANT SET ON PARAMETER session_replication_role TO {}", role.quoted());
        let _older = superuser.run(&parameter).await;
        superuser.close().await;
        let connection = Connection::open(&url).await?.of_restricted_role(restricted);
        Ok(Self { connection, url, cleanup: Cleanup::Stop(server) })
    }

    /// A session of the superuser in this database, on a server of its own. **Only before a statement of the project has run**:
    /// afterwards, names and settings may be the project's.
    pub async fn superuser(&self) -> Result<Option<Connection>, Failure> {
        match &self.cleanup {
            Cleanup::Stop(server) => {
                Ok(Some(Connection::open(&DatabaseUrl::parse(&server.url(DATABASE))?).await?))
            }
            Cleanup::Empty { .. } => Ok(None),
        }
    }

    /// The database of `url`, which must be empty or left by a shadow that was killed.
    pub async fn on_database(url: &DatabaseUrl) -> Result<Self, Failure> {
        let url = &url.unpooled().unwrap_or_else(|| url.clone());
        let mut connection = Connection::connect_with_retry(url, ConnectPolicy::DEFAULT, |_| {}).await?;
        connection.require_session("a shadow")?;
        // What an aborted run left may contain operators of the project.
        set_own_path(&mut connection).await?;
        let holder = Box::new(lock(&mut connection).await?);
        let comment = check_empty(&mut connection, url).await?;
        mark(&mut connection, url, Some(MARK)).await?;
        empty(&mut connection).await?;
        let (connection, role) = TemporaryRole::connect(connection, url).await?;
        Ok(Self { connection, url: url.clone(), cleanup: Cleanup::Empty { holder, comment, role } })
    }

    /// The connection, and on a server that is not ours a second one outside of the shadow's transaction.
    pub(super) fn connections(&mut self) -> (&mut Connection, Option<&mut Connection>) {
        let observer_conn = match &mut self.cleanup {
            Cleanup::Stop(_) => None,
            Cleanup::Empty { holder, .. } => Some(&mut **holder),
        };
        (&mut self.connection, observer_conn)
    }

    /// The database's URL.
    pub fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    /// Cleans up the database.
    pub async fn close(self) -> Result<(), Failure> {
        let Self { mut connection, url, cleanup } = self;
        match cleanup {
            Cleanup::Stop(server) => {
                connection.close().await;
                server.stop().await
            }
            Cleanup::Empty { holder, comment, role } => {
                if let Some(role) = role {
                    connection.close().await;
                    connection = role.drop_after(async |owner| empty(owner).await).await?;
                } else {
                    empty(&mut connection).await?;
                }
                mark(&mut connection, &url, comment.as_deref()).await?;
                connection.close().await;
                holder.close().await;
                Ok(())
            }
        }
    }
}

/// Checks that the database is empty or marked as a shadow. Returns its comment, if it is not the mark.
async fn check_empty(connection: &mut Connection, url: &DatabaseUrl) -> Result<Option<String>, Failure> {
    let mut sql = "SELECT shobj_description(d.oid, 'pg_database') AS comment, EXISTS (SELECT FROM pg_catalog.pg_namespace \
                   WHERE oid >= 16384 AND nspname !~ '^pg_' AND nspname <> 'public')"
        .to_owned();
    for catalog in CATALOGS {
        let _ = write!(sql, " OR EXISTS (SELECT FROM pg_catalog.{catalog} WHERE oid >= 16384)");
    }
    sql.push_str(" AS holds FROM pg_catalog.pg_database d WHERE datname = current_database()");
    let sets = connection.query_batch(&sql).await;
    let sets = sets.map_err(|server_error| server_error.failure("reading the shadow"))?;
    let row = sets.first().and_then(|rows| rows.first());
    let (comment, holds) = match row {
        Some(row) => (row.optional_text("comment")?, row.get_bool("holds")?),
        None => (None, true),
    };
    let is_marked = comment.as_deref() == Some(MARK);
    if holds && !is_marked {
        return Err(Failure::new(
            Code::ShadowNotEmpty,
            format!(
                "the shadow database {:?} is not empty, and Tenure did not create its contents",
                url.database()
            ),
        )
        .hint(
            "name an empty database, such as one created with TEMPLATE template0: everything in it is deleted",
        ));
    }
    Ok(comment.filter(|_| !is_marked))
}

/// Sets the search path of a session in which no statement of the project runs.
async fn set_own_path(connection: &mut Connection) -> Result<(), Failure> {
    let done = connection.run(&format!("SET search_path = {OWN_PATH}")).await;
    done.map_err(|server_error| server_error.failure("reading the shadow"))
}

async fn empty(connection: &mut Connection) -> Result<(), Failure> {
    connection.run(EMPTY).await.map_err(|server_error| server_error.failure("emptying the shadow"))
}

async fn mark(connection: &mut Connection, url: &DatabaseUrl, text: Option<&str>) -> Result<(), Failure> {
    let name = Identifier::new(url.database())?.quoted();
    let text = text.map_or_else(|| "NULL".to_owned(), literal);
    let done = connection.run(&format!("COMMENT ON DATABASE {name} IS {text}")).await;
    done.map_err(|server_error| server_error.failure("marking the shadow"))
}

/// Locks the database for this run. The lock belongs to a transaction on a separate connection: behind a pooler, a session lock
/// would stay with a connection that others get.
async fn lock(connection: &mut Connection) -> Result<Connection, Failure> {
    let mut holder = connection.open_another().await?;
    set_own_path(&mut holder).await?;
    let sql = format!(
        "BEGIN; {NO_IDLE_TIMEOUT}; \
         SELECT pg_try_advisory_xact_lock(hashtext('tenure shadow'), hashtext(current_database())) AS taken"
    );
    let sets =
        holder.query_batch(&sql).await.map_err(|server_error| server_error.failure("locking the shadow"))?;
    match sets.last().and_then(|rows| rows.first()) {
        Some(row) if row.get_bool("taken")? => Ok(holder),
        _ => Err(Failure::new(Code::ShadowInUse, "another run is using this database as its shadow")
            .hint("wait for that run, or name another database")),
    }
}
