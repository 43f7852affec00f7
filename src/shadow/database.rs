//! The throwaway database: on a private server of its own, or an empty database that the user named. A named database is empty
//! again when the shadow is closed.

use std::fmt::Write as _;

use crate::error::{Code, Failure};
use crate::ident::{Identifier, literal};
use crate::postgres::batch::NO_IDLE_TIMEOUT;
use crate::postgres::server::{DATABASE, Environment, Throwaway};
use crate::postgres::{ConnectPolicy, Connection, DatabaseUrl};
use crate::project::Project;

const EMPTY: &str = include_str!("empty.sql");

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
    /// The connection to it.
    pub connection: Connection,
    url: DatabaseUrl,
    cleanup: Cleanup,
}

/// How the database is cleaned up.
#[derive(Debug)]
enum Cleanup {
    /// Stop the server.
    Stop(Throwaway),
    /// Empty the database and restore its comment. `holder` is the connection that holds the lock.
    Empty { holder: Box<Connection>, comment: Option<String> },
}

impl Shadow {
    /// For a chain that can be run on it: the database of the URL `given`, or one of a server of its own.
    pub async fn for_chain(
        project: &Project,
        given: Option<&str>,
        environment: &Environment,
    ) -> Result<Self, Failure> {
        project.chain.check_starts_at_zero()?;
        match given {
            Some(url) => Self::on_database(&DatabaseUrl::parse(url)?).await,
            None => Self::on_new_server(environment).await,
        }
    }

    /// A new database on a server of its own, since a migration may change roles and other databases. The server stops when this
    /// value is dropped or the program ends, however it ends.
    pub async fn on_new_server(environment: &Environment) -> Result<Self, Failure> {
        let server = Throwaway::start(environment).await?;
        let url = DatabaseUrl::parse(&server.url(DATABASE))?;
        let connection = Connection::open(&url).await?;
        Ok(Self { connection, url, cleanup: Cleanup::Stop(server) })
    }

    /// The database of `url`, which must be empty or left by a shadow that was killed.
    pub async fn on_database(url: &DatabaseUrl) -> Result<Self, Failure> {
        let url = &url.unpooled().unwrap_or_else(|| url.clone());
        let mut connection = Connection::connect_with_retry(url, ConnectPolicy::DEFAULT, |_| {}).await?;
        connection.require_session("a shadow")?;
        let holder = Box::new(lock(&mut connection).await?);
        let mut sql = "SELECT shobj_description(d.oid, 'pg_database') AS comment, EXISTS (SELECT FROM pg_catalog.pg_namespace \
                       WHERE oid >= 16384 AND nspname !~ '^pg_' AND nspname <> 'public')"
            .to_owned();
        for catalog in CATALOGS {
            let _ = write!(sql, " OR EXISTS (SELECT FROM pg_catalog.{catalog} WHERE oid >= 16384)");
        }
        sql.push_str(" AS holds FROM pg_catalog.pg_database d WHERE datname = current_database()");
        let sets = connection
            .query_batch(&sql)
            .await
            .map_err(|server_error| server_error.failure("reading the shadow"))?;
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
            .hint("name an empty database, such as one created with TEMPLATE template0: everything in it is deleted"));
        }
        let comment = comment.filter(|_| !is_marked);
        let mut shadow = Self { connection, url: url.clone(), cleanup: Cleanup::Empty { holder, comment } };
        shadow.comment(Some(MARK)).await?;
        shadow.empty().await?;
        Ok(shadow)
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

    async fn empty(&mut self) -> Result<(), Failure> {
        self.connection.run(EMPTY).await.map_err(|server_error| server_error.failure("emptying the shadow"))
    }

    async fn comment(&mut self, text: Option<&str>) -> Result<(), Failure> {
        let name = Identifier::new(self.url.database())?.quoted();
        let text = text.map_or_else(|| "NULL".to_owned(), literal);
        let done = self.connection.run(&format!("COMMENT ON DATABASE {name} IS {text}")).await;
        done.map_err(|server_error| server_error.failure("marking the shadow"))
    }

    /// Cleans up the database.
    pub async fn close(mut self) -> Result<(), Failure> {
        if let Cleanup::Empty { comment, .. } = &mut self.cleanup {
            let comment = comment.take();
            self.empty().await?;
            self.comment(comment.as_deref()).await?;
        }
        self.connection.close().await;
        match self.cleanup {
            Cleanup::Stop(server) => server.stop().await,
            Cleanup::Empty { holder, .. } => {
                holder.close().await;
                Ok(())
            }
        }
    }
}

/// Locks the database for this run. The lock belongs to a transaction on a separate connection: behind a pooler, a session lock
/// would stay with a connection that others get.
async fn lock(connection: &mut Connection) -> Result<Connection, Failure> {
    let mut holder = connection.open_another().await?;
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
