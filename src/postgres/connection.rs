//! One connection. Everything goes through the simple query protocol (manual, chapter 55.2.2.1): many
//! statements in one message, nothing prepared, so a pooler in transaction mode is no hindrance. This
//! is the one place where text becomes SQL that is sent.

use std::io::ErrorKind;

use futures_util::TryStreamExt;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use super::batch::SqlBatch;
use super::connect::pooler::PoolerEvidence;
use super::connect::retry::{self, ConnectPolicy};
use super::{DatabaseUrl, ServerError};
use crate::error::{Code, Failure};

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
    pub fn get_bool(&self, column: &str) -> Result<bool, Failure> {
        self.get(column)
    }

    /// Such one that may be NULL.
    pub fn get_optional_bool(&self, column: &str) -> Result<Option<bool>, Failure> {
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
    driver: PgConnection,
    connector: Connector,
    /// Nobody answered in time: an answer that comes later is nobody's.
    lost: bool,
}

/// A way to the database.
#[derive(Debug, Clone)]
pub struct Connector {
    url: DatabaseUrl,
    connect_policy: ConnectPolicy,
    pooled: Option<PoolerEvidence>,
}

impl Connector {
    /// Connects.
    pub async fn open(&self) -> Result<Connection, Failure> {
        // What stands in between is known by now, and need not be asked again.
        let connection = retry::again(&self.url, self.connect_policy).await?;
        Ok(Connection { driver: connection, connector: self.clone(), lost: false })
    }

    /// Connects if there is room right now, for who can do without.
    pub async fn open_now(&self) -> Result<Connection, Failure> {
        let connection = retry::again(&self.url, ConnectPolicy::ONCE).await?;
        Ok(Connection { driver: connection, connector: self.clone(), lost: false })
    }
}

impl Connection {
    /// Connects to a server that is known to be there, or not to be. See [`Connection::connect_with_retry`] for one that may sleep or have
    /// a pooler before it.
    pub async fn open(url: &DatabaseUrl) -> Result<Self, Failure> {
        let connector = Connector { url: url.clone(), connect_policy: ConnectPolicy::ONCE, pooled: None };
        connector.open().await
    }

    /// Connects with patience and learns whether a pooler is in between; `tell` hears why there is a further try. Every
    /// failure has exit code 3 and names host and port, never the password.
    pub async fn connect_with_retry(
        url: &DatabaseUrl,
        connect_policy: ConnectPolicy,
        tell: impl FnMut(&str),
    ) -> Result<Self, Failure> {
        let (connection, pooled) = retry::open(url, connect_policy, tell).await?;
        Ok(Self {
            driver: connection,
            connector: Connector { url: url.clone(), connect_policy, pooled },
            lost: false,
        })
    }

    /// Whether the server is one of Neon's, by its name.
    pub fn is_neon(&self) -> bool {
        self.connector.url.is_neon()
    }

    /// The name of the server itself, without a pooler's label.
    pub fn host(&self) -> String {
        self.connector.url.host()
    }

    /// What showed that a transaction pooler is in between, if one is.
    pub fn pooled(&self) -> Option<PoolerEvidence> {
        self.connector.pooled
    }

    /// Where it leads: for a program of PostgreSQL's own, and for the server's other databases.
    pub fn url(&self) -> &DatabaseUrl {
        &self.connector.url
    }

    /// The way to further connections, for who cannot hold this one meanwhile.
    pub fn connector(&self) -> Connector {
        self.connector.clone()
    }

    /// Sends a unit's message, or several units'. Only the rows of Tenure's own statements are kept: what a
    /// file selects is nobody's to read here.
    pub async fn send(&mut self, message: &SqlBatch) -> Result<Vec<Vec<Row>>, ServerError> {
        let Some(retry_policy) = message.retry_policy() else {
            return self.ask(message.sql(), |statement| message.is_own(statement)).await;
        };
        let answer = self.ask(message.sql(), |statement| message.is_own(statement));
        if let Ok(answer) = tokio::time::timeout(retry_policy, answer).await {
            return answer;
        }
        self.lost = true;
        let silence = format!("no answer for {} s", retry_policy.as_secs());
        Err(sqlx::Error::Io(std::io::Error::new(ErrorKind::TimedOut, silence)).into())
    }

    fn expect_alive(&self) -> Result<(), sqlx::Error> {
        if self.lost { Err(sqlx::Error::Io(ErrorKind::NotConnected.into())) } else { Ok(()) }
    }

    /// The same within a transaction that is open; one that fails is left to who began it.
    pub async fn send_within(&mut self, message: &SqlBatch) -> Result<Vec<Vec<Row>>, ServerError> {
        let mut sets = Vec::new();
        match self.collect(message.sql(), &mut sets, |statement| message.is_own(statement)).await {
            Ok(()) => Ok(sets),
            Err(error) => Err(ServerError { completed: sets.len(), sets, error }),
        }
    }

    /// Opens another one to the same database.
    pub async fn another(&self) -> Result<Self, Failure> {
        self.connector.open().await
    }

    /// Sends one message and waits until the server has done all of it. After a refusal the session is
    /// out of the failed transaction again, if it still is one.
    pub async fn run(&mut self, sql: &str) -> Result<(), ServerError> {
        self.query_batch(sql).await.map(|_sets| ())
    }

    /// Sends one message; the rows of each of its statements, in order.
    pub async fn query_batch(&mut self, sql: &str) -> Result<Vec<Vec<Row>>, ServerError> {
        self.ask(sql, |_statement| true).await
    }

    /// Sends one message, and leaves a transaction that fails to who began it.
    pub(super) async fn attempt(&mut self, sql: &str) -> Result<Vec<Vec<Row>>, ServerError> {
        let mut sets = Vec::new();
        match self.collect(sql, &mut sets, |_statement| true).await {
            Ok(()) => Ok(sets),
            Err(error) => Err(ServerError { completed: sets.len(), sets, error }),
        }
    }

    /// Sends one message of a transaction that is open; how many rows each of its statements wrote, in order.
    pub async fn counts(&mut self, sql: &str) -> Result<Vec<u64>, ServerError> {
        self.expect_alive()?;
        let mut counts = Vec::new();
        let outcome = {
            let mut stream = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_many(&mut self.driver);
            loop {
                match stream.try_next().await {
                    Ok(Some(item)) => counts.extend(item.left().map(|done| done.rows_affected())),
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
            }
        };
        outcome.map(|()| counts.clone()).map_err(|error| ServerError {
            completed: counts.len(),
            sets: Vec::new(),
            error,
        })
    }

    async fn ask(&mut self, sql: &str, keeps: impl Fn(usize) -> bool) -> Result<Vec<Vec<Row>>, ServerError> {
        let mut sets = Vec::new();
        let outcome = self.collect(sql, &mut sets, keeps).await;
        match outcome {
            Ok(()) => Ok(sets),
            Err(error) => {
                if matches!(error, sqlx::Error::Database(_)) {
                    // What a file took for its session before it failed would stay with the pooler's next client; one message, so that
                    // it is the same session.
                    let undo = if self.connector.pooled.is_some() {
                        "ROLLBACK; DEALLOCATE ALL; SELECT pg_catalog.pg_advisory_unlock_all()"
                    } else {
                        "ROLLBACK"
                    };
                    // A broken session cannot be rolled back; the first error is the one to tell.
                    let _rolled_back = self.collect(undo, &mut Vec::new(), |_statement| false).await;
                }
                Err(ServerError { completed: sets.len(), sets, error })
            }
        }
    }

    async fn collect(
        &mut self,
        sql: &str,
        sets: &mut Vec<Vec<Row>>,
        keeps: impl Fn(usize) -> bool,
    ) -> Result<(), sqlx::Error> {
        self.expect_alive()?;
        let mut stream = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_many(&mut self.driver);
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
        if self.lost {
            return;
        }
        // A server that is gone already needs no goodbye.
        let _closed = self.driver.close().await;
    }

    /// The driver's connection, for the runner of Tenure's own tables and for what only the extended protocol
    /// can do.
    pub(super) fn driver(&mut self) -> &mut PgConnection {
        &mut self.driver
    }
}
