//! One connection. Everything goes through the simple query protocol (manual, chapter 55.2.2.1): many
//! statements in one message, nothing prepared, so a pooler in transaction mode is no hindrance. This
//! is the one place where text becomes SQL that is sent.

use std::borrow::Cow;
use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _, Row as _};

use super::message::Message;
use super::{DatabaseUrl, Refusal};
use crate::error::{Code, Failure};

/// How long a server may take to answer at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// One row of an answer, read by the names that our own queries give their columns.
#[derive(Debug)]
pub struct Row(PgRow);

impl Row {
    /// A text that is there.
    pub fn text(&self, column: &str) -> Result<String, Failure> {
        self.get(column)
    }

    /// A text that may be NULL.
    pub fn optional_text(&self, column: &str) -> Result<Option<String>, Failure> {
        self.get(column)
    }

    /// An integer, 64 bits wide.
    pub fn integer(&self, column: &str) -> Result<i64, Failure> {
        self.get(column)
    }

    /// Such an integer that may be NULL.
    pub fn optional_integer(&self, column: &str) -> Result<Option<i64>, Failure> {
        self.get(column)
    }

    /// A boolean.
    pub fn truth(&self, column: &str) -> Result<bool, Failure> {
        self.get(column)
    }

    /// A document of JSON.
    pub fn document(&self, column: &str) -> Result<serde_json::Value, Failure> {
        self.get(column)
    }

    fn get<'r, T>(&'r self, column: &str) -> Result<T, Failure>
    where
        T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        self.0.try_get(column).map_err(|error| {
            Failure::new(Code::StatementFailed, format!("reading the server's answer: {error}"))
        })
    }
}

/// A connection to the database.
#[derive(Debug)]
pub struct Connection {
    connection: PgConnection,
    url: DatabaseUrl,
}

/// A way to the database.
#[derive(Debug, Clone)]
pub struct Door(DatabaseUrl);

impl Door {
    /// Connects.
    pub async fn open(&self) -> Result<Connection, Failure> {
        Connection::open(&self.0).await
    }
}

impl Connection {
    /// Connects. Every failure has exit code 3 and names host and port, never the password.
    pub async fn open(url: &DatabaseUrl) -> Result<Self, Failure> {
        let options = url.options().clone().disable_statement_logging();
        let unreachable = |why: String| {
            Failure::new(
                Code::ServerUnreachable,
                format!("cannot connect to database {:?} at {}: {why}", url.database(), url.address()),
            )
        };
        match tokio::time::timeout(CONNECT_TIMEOUT, options.connect()).await {
            Ok(Ok(connection)) => Ok(Self { connection, url: url.clone() }),
            Ok(Err(sqlx::Error::Database(error))) => {
                let mut failure = unreachable(error.message().to_owned());
                failure.sqlstate = error.code().map(Cow::into_owned);
                failure.hint = Some("check the database, the user and the password in the URL".to_owned());
                Err(failure)
            }
            Ok(Err(error)) => Err(unreachable(error.to_string())
                .hint("check that the server runs and that host and port in the URL are right")),
            Err(_) => Err(unreachable(format!("no answer within {} s", CONNECT_TIMEOUT.as_secs()))
                .hint("check host, port and firewall")),
        }
    }

    /// Where it leads, for a program of PostgreSQL's own.
    pub(super) fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    /// The way to further connections, for who cannot hold this one meanwhile.
    pub fn door(&self) -> Door {
        Door(self.url.clone())
    }

    /// Sends a unit's message, or several units'. Only the rows of Tenure's own statements are kept: what a
    /// file selects is nobody's to read here.
    pub async fn send(&mut self, message: &Message) -> Result<Vec<Vec<Row>>, Refusal> {
        self.ask(message.sql(), |statement| message.is_own(statement)).await
    }

    /// The same within a transaction that is open; one that fails is left to who began it.
    pub async fn send_within(&mut self, message: &Message) -> Result<Vec<Vec<Row>>, Refusal> {
        let mut sets = Vec::new();
        match self.collect(message.sql(), &mut sets, |statement| message.is_own(statement)).await {
            Ok(()) => Ok(sets),
            Err(error) => Err(Refusal { completed: sets.len(), sets, error }),
        }
    }

    /// Opens another one to the same database.
    pub async fn another(&self) -> Result<Self, Failure> {
        Self::open(&self.url).await
    }

    /// Sends one message and waits until the server has done all of it. After a refusal the session is
    /// out of the failed transaction again, if it still is one.
    pub async fn run(&mut self, sql: &str) -> Result<(), Refusal> {
        self.sets(sql).await.map(|_sets| ())
    }

    /// Sends one message; the rows of each of its statements, in order.
    pub async fn sets(&mut self, sql: &str) -> Result<Vec<Vec<Row>>, Refusal> {
        self.ask(sql, |_statement| true).await
    }

    /// Sends one message, and leaves a transaction that fails to who began it.
    pub(super) async fn attempt(&mut self, sql: &str) -> Result<Vec<Vec<Row>>, Refusal> {
        let mut sets = Vec::new();
        match self.collect(sql, &mut sets, |_statement| true).await {
            Ok(()) => Ok(sets),
            Err(error) => Err(Refusal { completed: sets.len(), sets, error }),
        }
    }

    /// Sends one message of a transaction that is open; how many rows each of its statements wrote, in order.
    pub async fn counts(&mut self, sql: &str) -> Result<Vec<u64>, Refusal> {
        let mut counts = Vec::new();
        let outcome = {
            let mut stream = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_many(&mut self.connection);
            loop {
                match stream.try_next().await {
                    Ok(Some(item)) => counts.extend(item.left().map(|done| done.rows_affected())),
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
            }
        };
        outcome.map(|()| counts.clone()).map_err(|error| Refusal {
            completed: counts.len(),
            sets: Vec::new(),
            error,
        })
    }

    async fn ask(&mut self, sql: &str, keeps: impl Fn(usize) -> bool) -> Result<Vec<Vec<Row>>, Refusal> {
        let mut sets = Vec::new();
        let outcome = self.collect(sql, &mut sets, keeps).await;
        match outcome {
            Ok(()) => Ok(sets),
            Err(error) => {
                if matches!(error, sqlx::Error::Database(_)) {
                    // A broken session cannot be rolled back; the first error is the one to tell.
                    let _rolled_back = self.collect("ROLLBACK", &mut Vec::new(), |_statement| false).await;
                }
                Err(Refusal { completed: sets.len(), sets, error })
            }
        }
    }

    async fn collect(
        &mut self,
        sql: &str,
        sets: &mut Vec<Vec<Row>>,
        keeps: impl Fn(usize) -> bool,
    ) -> Result<(), sqlx::Error> {
        let mut stream = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_many(&mut self.connection);
        let mut rows = Vec::new();
        while let Some(item) = stream.try_next().await? {
            match item.right() {
                Some(row) if keeps(sets.len()) => rows.push(Row(row)),
                Some(_) => {}
                None => sets.push(std::mem::take(&mut rows)),
            }
        }
        Ok(())
    }

    /// Says goodbye.
    pub async fn close(self) {
        // A server that is gone already needs no goodbye.
        let _closed = self.connection.close().await;
    }

    /// The driver's connection, for the runner of Tenure's own tables and for what only the extended protocol
    /// can do.
    pub(super) fn driver(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}
