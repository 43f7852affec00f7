//! Reports every ten seconds what a run waits for. A shorter run costs nothing: the connection for the question is opened when
//! the first report is due. No failure of the question is a failure of the run.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::event::Activity;
use crate::postgres::{self, Connection, Connector};

/// The time between two reports.
const INTERVAL: Duration = Duration::from_secs(10);

/// The time for connecting and for each answer.
const LIMIT: Duration = Duration::from_secs(3);

/// The number of questions for one report, and the pause between them: a unit with a short lock timeout waits only at times.
const QUESTIONS: usize = 5;
const PAUSE: Duration = Duration::from_secs(1);

/// The clock and the connection of the reports.
#[derive(Debug)]
pub(crate) struct Watch {
    connector: Connector,
    connection: Option<Connection>,
    next: Instant,
}

impl Watch {
    pub(crate) fn new(connection: &Connection) -> Self {
        Self::first_after(connection.connector(), INTERVAL)
    }

    /// The first report is due after `pause`.
    pub(crate) fn first_after(connector: Connector, pause: Duration) -> Self {
        Self { connector, connection: None, next: Instant::now() + pause }
    }

    /// Does the work, and calls `report` meanwhile. `is_delayed` says whether a unit waits for its next attempt.
    pub(crate) async fn during<T>(
        &mut self,
        work: impl Future<Output = T>,
        is_delayed: impl Fn() -> bool,
        mut report: impl FnMut(&Activity),
    ) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                activity = Box::pin(self.next_report(&is_delayed)) => report(&activity),
            }
        }
    }

    /// Waits until the next report is due. `is_delayed` says whether a unit waits for its next attempt.
    pub(crate) async fn next_report(&mut self, is_delayed: impl Fn() -> bool) -> Activity {
        sleep_until(self.next).await;
        self.next = Instant::now() + INTERVAL;
        let mut activity = self.ask().await;
        for _question in 1..QUESTIONS {
            if activity.holder.is_some() || !is_delayed() {
                break;
            }
            sleep(PAUSE).await;
            activity = self.ask().await;
        }
        activity
    }

    /// Asks the server; without an answer there is nothing to report. A connection whose answer is late, or was not awaited, is
    /// not used again.
    async fn ask(&mut self) -> Activity {
        let opened = match self.connection.take() {
            Some(connection) => Some(connection),
            None => timeout(LIMIT, self.connector.open_without_retry()).await.ok().and_then(Result::ok),
        };
        let Some(mut connection) = opened else { return Activity::default() };
        let Ok(Ok(activity)) = timeout(LIMIT, postgres::activity(&mut connection)).await else {
            return Activity::default();
        };
        self.connection = Some(connection);
        activity
    }

    /// Closes the connection.
    pub(crate) async fn close(self) {
        if let Some(connection) = self.connection {
            let _closed = timeout(LIMIT, connection.close()).await;
        }
    }
}
