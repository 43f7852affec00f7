//! The throwaway database: that of a private server which is made for it, or an empty one that was given. What a
//! given one held when it was found is what it holds in the end: nothing.

use std::fmt::Write as _;

use crate::error::{Code, Failure};
use crate::ident::{Identifier, literal};
use crate::postgres::batch::NO_IDLE_TIMEOUT;
use crate::postgres::server::{DATABASE, Environment, Throwaway};
use crate::postgres::{ConnectPolicy, Connection, DatabaseUrl};

const EMPTY: &str = include_str!("empty.sql");

/// The comment on a database that was given, while it is used: after a crash it may be emptied.
const MARK: &str = "a shadow of tenure: emptied whenever it is used";

/// Catalogs in which an empty database has nothing that is not the server's own (its OIDs are below 16384: manual,
/// chapter 70.2.2, "OID Assignment").
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

/// A database to try things on.
#[derive(Debug)]
pub struct Shadow {
    /// To it.
    pub connection: Connection,
    url: DatabaseUrl,
    end: End,
}

/// What becomes of it.
#[derive(Debug)]
enum End {
    /// The server ends, and all that is on it.
    Stop(Throwaway),
    /// It is emptied, and its comment is as it was. The other connection holds it for us.
    Empty { holder: Box<Connection>, comment: Option<String> },
}

impl Shadow {
    /// A new database on a server of its own: what a migration does to roles, or to other databases, it does to
    /// nobody. The server ends with this value, or with the program, however that ends.
    pub async fn made(environment: &Environment) -> Result<Self, Failure> {
        let server = Throwaway::start(environment).await?;
        let url = DatabaseUrl::parse(&server.url(DATABASE))?;
        let connection = Connection::open(&url).await?;
        Ok(Self { connection, url, end: End::Stop(server) })
    }

    /// The database of `url`, if it is empty, or was left by a shadow that was killed.
    pub async fn given(url: &DatabaseUrl) -> Result<Self, Failure> {
        let url = &url.unpooled().unwrap_or_else(|| url.clone());
        let mut connection = Connection::connect_with_retry(url, ConnectPolicy::DEFAULT, |_| {}).await?;
        connection.require_session("a shadow")?;
        let holder = Box::new(hold(&mut connection).await?);
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
            .map_err(|server_error| server_error.failure("looking at the shadow"))?;
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
                    "the shadow database {:?} is not empty, and Tenure did not make what is in it",
                    url.database()
                ),
            )
            .hint("name an empty database (one made with TEMPLATE template0 is): all that it holds is thrown away"));
        }
        let comment = comment.filter(|_| !is_marked);
        let mut shadow = Self { connection, url: url.clone(), end: End::Empty { holder, comment } };
        shadow.comment(Some(MARK)).await?;
        shadow.empty().await?;
        Ok(shadow)
    }

    /// To it, and, where the server is somebody's who wants to keep what else is on it, another that sees what others
    /// see.
    pub(super) fn connections(&mut self) -> (&mut Connection, Option<&mut Connection>) {
        let observer_conn = match &mut self.end {
            End::Stop(_) => None,
            End::Empty { holder, .. } => Some(&mut **holder),
        };
        (&mut self.connection, observer_conn)
    }

    /// Where it is.
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

    /// Throws it away.
    pub async fn close(mut self) -> Result<(), Failure> {
        if let End::Empty { comment, .. } = &mut self.end {
            let comment = comment.take();
            self.empty().await?;
            self.comment(comment.as_deref()).await?;
        }
        self.connection.close().await;
        match self.end {
            End::Stop(server) => server.stop().await,
            End::Empty { holder, .. } => {
                holder.close().await;
                Ok(())
            }
        }
    }
}

/// Takes the database for us alone: the lock of a transaction on a connection of its own, since behind a pooler that
/// of a session would stay with a connection that others get.
async fn hold(connection: &mut Connection) -> Result<Connection, Failure> {
    let mut holder = connection.open_another().await?;
    let sql = format!(
        "BEGIN; {NO_IDLE_TIMEOUT}; \
         SELECT pg_try_advisory_xact_lock(hashtext('tenure shadow'), hashtext(current_database())) AS taken"
    );
    let sets =
        holder.query_batch(&sql).await.map_err(|server_error| server_error.failure("taking the shadow"))?;
    match sets.last().and_then(|rows| rows.first()) {
        Some(row) if row.get_bool("taken")? => Ok(holder),
        _ => Err(Failure::new(Code::ShadowInUse, "another run is using this database as its shadow")
            .hint("wait for it, or name another database")),
    }
}
