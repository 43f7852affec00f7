//! A connection. It uses the simple query protocol (manual, chapter 55.2.2.1): several statements in one
//! message and nothing prepared, so a pooler in transaction mode works. Only this file sends text as SQL.

use std::io::ErrorKind;

use futures_util::TryStreamExt;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use super::batch::{OWN_PATH, SqlBatch};
use super::connect::pooler::PoolerEvidence;
use super::connect::retry::{self, ConnectPolicy, Opened};
use super::notice::{self, MAX_KEPT, Notice};
use super::restricted_role::{RestrictedRole, RunMode};
use super::{DatabaseUrl, ServerError};
use crate::error::{Code, Failure};
use crate::event::NoticeLevel;

/// A row of a result, read by column name.
#[derive(Debug)]
pub struct Row(PgRow);

impl Row {
    /// A text that is not NULL.
    pub fn text(&self, column: &str) -> Result<String, Failure> {
        self.get(column)
    }

    /// A text that may be NULL.
    pub fn optional_text(&self, column: &str) -> Result<Option<String>, Failure> {
        self.get(column)
    }

    /// A 64-bit integer.
    pub fn integer(&self, column: &str) -> Result<i64, Failure> {
        self.get(column)
    }

    /// A 64-bit integer that may be NULL.
    pub fn optional_integer(&self, column: &str) -> Result<Option<i64>, Failure> {
        self.get(column)
    }

    /// A boolean.
    pub fn get_bool(&self, column: &str) -> Result<bool, Failure> {
        self.get(column)
    }

    /// A boolean that may be NULL.
    pub fn get_optional_bool(&self, column: &str) -> Result<Option<bool>, Failure> {
        self.get(column)
    }

    /// A JSON value.
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

/// An open connection.
#[derive(Debug)]
pub struct Connection {
    driver: PgConnection,
    connector: Connector,
    /// Nothing more is sent: an answer is overdue, so the next one may be a late one, or the session has rights.
    is_lost: bool,
    /// The notices of the last message, with the index of their statement.
    received: Vec<(usize, NoticeLevel, String)>,
    /// The notices about statements of files, until they are taken.
    notices: Vec<Notice>,
    /// The question that was asked when the connection was opened, with its answer, until the next message.
    first: Option<(String, Answer)>,
}

/// The rows of each statement of a message.
pub(super) type Answer = Result<Vec<Vec<Row>>, ServerError>;

/// Opens further connections to the same database.
#[derive(Debug, Clone)]
pub struct Connector {
    url: DatabaseUrl,
    connect_policy: ConnectPolicy,
    pooler_evidence: Option<PoolerEvidence>,
    /// The role of the sessions, on a private server or a throwaway database.
    restricted_role: Option<RestrictedRole>,
}

impl Connector {
    /// Opens a connection.
    pub async fn open(&self) -> Result<Connection, Failure> {
        // The first connection detected the pooler.
        self.open_with(self.connect_policy).await
    }

    /// Connects without a retry, for connections that are optional.
    pub async fn open_without_retry(&self) -> Result<Connection, Failure> {
        self.open_with(ConnectPolicy::ONCE).await
    }

    async fn open_with(&self, connect_policy: ConnectPolicy) -> Result<Connection, Failure> {
        let driver = retry::open_undetected(&self.url, connect_policy).await?;
        Ok(Connection { first: None, ..Connection::of(driver, self.clone()) })
    }
}

impl Connection {
    /// Connects without a retry and without pooler detection. See [`Connection::connect_with_retry`] for a
    /// server that may be suspended or behind a pooler.
    pub async fn open(url: &DatabaseUrl) -> Result<Self, Failure> {
        let (url, connect_policy) = (url.clone(), ConnectPolicy::ONCE);
        Connector { url, connect_policy, pooler_evidence: None, restricted_role: None }.open().await
    }

    /// This connection as one of `role`.
    #[must_use]
    pub fn of_restricted_role(mut self, role: RestrictedRole) -> Self {
        self.connector.restricted_role = Some(role);
        self
    }

    /// Connects with retries and detects a pooler; `on_retry` receives the reason of each retry. Every failure
    /// has exit code 3 and names host and port, never the password.
    pub async fn connect_with_retry(
        url: &DatabaseUrl,
        connect_policy: ConnectPolicy,
        on_retry: impl FnMut(&str),
    ) -> Result<Self, Failure> {
        Self::connect_and_ask(url, connect_policy, None, on_retry).await
    }

    /// Like [`Self::connect_with_retry`]. Sends `question`, which only reads, in the message that detects the pooler;
    /// [`Self::first_query`] returns the answer.
    pub async fn connect_and_ask(
        url: &DatabaseUrl,
        connect_policy: ConnectPolicy,
        question: Option<&str>,
        on_retry: impl FnMut(&str),
    ) -> Result<Self, Failure> {
        let Opened { driver, evidence, answer } =
            retry::open(url, connect_policy, question, on_retry).await?;
        let (url, pooler_evidence) = (url.clone(), evidence);
        let connector = Connector { url, connect_policy, pooler_evidence, restricted_role: None };
        Ok(Self { first: question.map(str::to_owned).zip(answer), ..Self::of(driver, connector) })
    }

    fn of(driver: PgConnection, connector: Connector) -> Self {
        Self { driver, connector, is_lost: false, received: Vec::new(), notices: Vec::new(), first: None }
    }

    /// Whether the server's host name is Neon's.
    pub fn is_neon(&self) -> bool {
        self.connector.url.is_neon()
    }

    /// The server's host name without a pooler's suffix.
    pub fn host(&self) -> String {
        self.connector.url.host()
    }

    /// How a transaction pooler was detected, if one was.
    pub fn pooler_evidence(&self) -> Option<PoolerEvidence> {
        self.connector.pooler_evidence
    }

    /// The URL, for PostgreSQL's client programs and for other databases of the server.
    pub fn url(&self) -> &DatabaseUrl {
        &self.connector.url
    }

    /// The role of this session, if it is a restricted one.
    pub fn restricted_role(&self) -> Option<&RestrictedRole> {
        self.connector.restricted_role.as_ref()
    }

    /// Opens further connections after this one is closed or lent.
    pub fn connector(&self) -> Connector {
        self.connector.clone()
    }

    /// Sends a batch and waits for its answer, at most for the sum of its statement timeouts. Only rows of
    /// Tenure's own statements are kept.
    pub async fn send(&mut self, message: &SqlBatch) -> Result<Vec<Vec<Row>>, ServerError> {
        let Some(limit) = message.answer_timeout() else {
            return Box::pin(self.send_or_roll_back(message)).await;
        };
        if let Ok(answer) = tokio::time::timeout(limit, Box::pin(self.send_or_roll_back(message))).await {
            return answer;
        }
        self.is_lost = true;
        let silence = format!("no answer for {} s", limit.as_secs());
        Err(sqlx::Error::Io(std::io::Error::new(ErrorKind::TimedOut, silence)).into())
    }

    /// Nothing more is sent on this connection.
    pub(super) fn abandon(&mut self) {
        self.is_lost = true;
    }

    fn expect_alive(&self) -> Result<(), sqlx::Error> {
        if self.is_lost { Err(sqlx::Error::Io(ErrorKind::NotConnected.into())) } else { Ok(()) }
    }

    async fn send_or_roll_back(&mut self, message: &SqlBatch) -> Result<Vec<Vec<Row>>, ServerError> {
        let sent = self.send_in_transaction(message).await;
        self.keep_notices(message);
        match sent {
            Err(server_error) => {
                self.roll_back_after(&server_error.error).await;
                Err(server_error)
            }
            sets => sets,
        }
    }

    /// Sends a batch in the open transaction. After an error the caller ends the transaction.
    pub async fn send_in_transaction(&mut self, message: &SqlBatch) -> Result<Vec<Vec<Row>>, ServerError> {
        if let Some(role) = self.connector.restricted_role.clone() {
            return Box::pin(self.send_parts(message, &role)).await;
        }
        let mut sets = Vec::new();
        match self.collect(message.sql(), &mut sets, |statement| message.is_own(statement)).await {
            Ok(()) => Ok(sets),
            Err(error) => Err(ServerError {
                completed: sets.len(),
                sets,
                error,
                sent_before: 0,
                role: Some(self.role()),
            }),
        }
    }

    /// Sends a batch in several messages: those statements separately that the session does not run as they are.
    async fn send_parts(
        &mut self,
        message: &SqlBatch,
        role: &RestrictedRole,
    ) -> Result<Vec<Vec<Row>>, ServerError> {
        let mut sets = Vec::new();
        // The statements of the next message, and the characters before it.
        let (mut usual, mut sent_before) = (String::new(), 0);
        for (text, chars_before, place) in message.parts() {
            let mode = place.map_or(RunMode::Usual, |place| role.run_mode(text, place));
            if mode == RunMode::Usual {
                if usual.is_empty() {
                    sent_before = chars_before;
                }
                usual.push_str(text);
                continue;
            }
            self.send_part(&std::mem::take(&mut usual), message, &mut sets, sent_before).await?;
            let is_omitted = match &mode {
                RunMode::Omitted => true,
                RunMode::OmittedIf(prepared) => prepared.exists(self).await?,
                RunMode::Usual | RunMode::BySuperuser(_) => false,
            };
            if let RunMode::BySuperuser(statement) = &mode {
                if let Err(mut server_error) = role.run_by_superuser(self, statement).await {
                    server_error.completed = sets.len();
                    server_error.sent_before = chars_before;
                    return Err(server_error);
                }
            } else if !is_omitted {
                self.send_part(text, message, &mut sets, chars_before).await?;
                continue;
            }
            sets.push(Vec::new());
        }
        self.send_part(&usual, message, &mut sets, sent_before).await?;
        Ok(sets)
    }

    /// Sends a part of a batch, which begins with the statement after those of `sets`.
    async fn send_part(
        &mut self,
        sql: &str,
        message: &SqlBatch,
        sets: &mut Vec<Vec<Row>>,
        sent_before: usize,
    ) -> Result<(), ServerError> {
        if sql.is_empty() {
            return Ok(());
        }
        let sent = self.collect(sql, sets, |statement| message.is_own(statement)).await;
        sent.map_err(|error| ServerError {
            completed: sets.len(),
            sets: std::mem::take(sets),
            error,
            sent_before,
            role: Some(self.role()),
        })
    }

    /// The role of an error's hint.
    fn role(&self) -> String {
        self.connector.url.role().to_owned()
    }

    /// Opens another connection to the same database.
    pub async fn open_another(&self) -> Result<Self, Failure> {
        self.connector.open().await
    }

    /// Sends one message and waits for its end. After a server error a failed transaction is rolled back.
    pub async fn run(&mut self, sql: &str) -> Result<(), ServerError> {
        self.query_batch(sql).await.map(|_sets| ())
    }

    /// Like [`Self::run`]; returns the rows of each statement, in order.
    pub async fn query_batch(&mut self, sql: &str) -> Result<Vec<Vec<Row>>, ServerError> {
        self.query_or_roll_back(sql).await
    }

    /// Like [`Self::query_batch`]; if `sql` is the question that was asked when the connection was opened, and nothing was sent
    /// since, returns that answer.
    pub async fn first_query(&mut self, sql: &str) -> Result<Vec<Vec<Row>>, ServerError> {
        match self.first.take() {
            Some((asked, answer)) if asked == sql => answer,
            _ => self.query_batch(sql).await,
        }
    }

    /// Like [`Self::query_batch`], with [`OWN_PATH`] as the search path until the end of the transaction: for sessions that run
    /// statements of a project, which could create operators.
    pub async fn query_on_own_path(&mut self, sql: &str) -> Result<Vec<Vec<Row>>, ServerError> {
        let mut sets = self.query_batch(&format!("SET LOCAL search_path = {OWN_PATH}; {sql}")).await?;
        sets.remove(0);
        Ok(sets)
    }

    /// Like [`Self::query_batch`], without a rollback: the caller ends a failed transaction.
    pub(super) async fn attempt(&mut self, sql: &str) -> Result<Vec<Vec<Row>>, ServerError> {
        let mut sets = Vec::new();
        match self.collect(sql, &mut sets, |_statement| true).await {
            Ok(()) => Ok(sets),
            Err(error) => Err(ServerError {
                completed: sets.len(),
                sets,
                error,
                sent_before: 0,
                role: Some(self.role()),
            }),
        }
    }

    /// Sends one message in the open transaction; returns how many rows each statement affected, in order.
    pub async fn affected_rows(&mut self, sql: &str) -> Result<Vec<u64>, ServerError> {
        self.expect_alive()?;
        let mut counts = Vec::new();
        let outcome = {
            let mut stream = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_many(self.driver());
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
            sent_before: 0,
            role: Some(self.role()),
        })
    }

    async fn query_or_roll_back(&mut self, sql: &str) -> Result<Vec<Vec<Row>>, ServerError> {
        match self.attempt(sql).await {
            Err(server_error) => {
                self.roll_back_after(&server_error.error).await;
                Err(server_error)
            }
            sets => sets,
        }
    }

    async fn roll_back_after(&mut self, error: &sqlx::Error) {
        if matches!(error, sqlx::Error::Database(_)) {
            // Session state of the failed statements must not stay for the pooler's next client. One message, so that it
            // reaches the same session.
            let rollback = if self.connector.pooler_evidence.is_some() {
                "ROLLBACK; DEALLOCATE ALL; SELECT pg_catalog.pg_advisory_unlock_all()"
            } else {
                "ROLLBACK"
            };
            let received = std::mem::take(&mut self.received);
            // A broken session cannot be rolled back; the first error is reported.
            let _rolled_back = self.collect(rollback, &mut Vec::new(), |_statement| false).await;
            self.received = received;
        }
    }

    async fn collect(
        &mut self,
        sql: &str,
        sets: &mut Vec<Vec<Row>>,
        keeps: impl Fn(usize) -> bool,
    ) -> Result<(), sqlx::Error> {
        self.expect_alive()?;
        self.first = None;
        if sets.is_empty() {
            self.received.clear();
        }
        collect(&mut self.driver, sql, sets, &mut self.received, keeps).await
    }

    /// Keeps the notices of the last message that are about statements of files; `message` is that message.
    pub fn keep_notices(&mut self, message: &SqlBatch) {
        for (statement, level, text) in self.received.drain(..) {
            if let Some(place) = message.place_of(statement)
                && self.notices.len() < MAX_KEPT
            {
                self.notices.push(Notice { statement, place, level, message: text });
            }
        }
    }

    /// Takes the notices about statements of files.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// Closes the connection.
    pub async fn close(self) {
        if self.is_lost {
            return;
        }
        // An error means that the server has already closed it.
        let _closed = self.driver.close().await;
    }

    /// The driver's connection, for refinery and for the extended protocol.
    pub(super) fn driver(&mut self) -> &mut PgConnection {
        self.first = None;
        &mut self.driver
    }
}

/// Sends one message and adds the rows of each statement to `sets`; keeps those of the statements for which `keeps` is true.
pub(super) async fn collect(
    driver: &mut PgConnection,
    sql: &str,
    sets: &mut Vec<Vec<Row>>,
    notices: &mut Vec<(usize, NoticeLevel, String)>,
    keeps: impl Fn(usize) -> bool,
) -> Result<(), sqlx::Error> {
    notice::receiving(collect_received(driver, sql, sets, notices, keeps)).await
}

async fn collect_received(
    driver: &mut PgConnection,
    sql: &str,
    sets: &mut Vec<Vec<Row>>,
    notices: &mut Vec<(usize, NoticeLevel, String)>,
    keeps: impl Fn(usize) -> bool,
) -> Result<(), sqlx::Error> {
    let mut stream = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_many(driver);
    let mut rows = Vec::new();
    loop {
        let next = stream.try_next().await;
        notice::take_received(sets.len(), notices);
        let Some(item) = next? else { return Ok(()) };
        match item.right() {
            Some(row) if keeps(sets.len()) => rows.push(Row(row)),
            Some(_) => {}
            None => sets.push(std::mem::take(&mut rows)),
        }
    }
}
