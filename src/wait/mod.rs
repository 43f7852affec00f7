//! `wait`: waits until the platform and the tenants have reached a version, for the start of an application. Only reads; one query
//! per try.
#![expect(clippy::disallowed_methods, reason = "a wait measures real time")]

mod result;
pub mod text;

use std::time::{Duration, Instant};

use crate::chain::Version;
use crate::error::{Class, Code, Failure};
use crate::ident::Slug;
use crate::output::elapsed;
use crate::postgres::metadata::reached;
use crate::postgres::{Backoff, Connection};
use crate::settings::Settings;

pub use result::{Missing, Waited};

/// The pauses between tries, to each of which up to its length is added at random.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// The limits of one try, including the connection.
const SHORTEST_TRY: Duration = Duration::from_secs(2);
const LONGEST_TRY: Duration = Duration::from_secs(15);

/// What to wait for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The version that must be reached, or a later one.
    pub version: Version,
    /// Only these tenants, without the platform; the platform and all tenants if empty.
    pub tenants: Vec<Slug>,
    /// The time limit; zero means one try.
    pub timeout: Duration,
}

/// Waits until the wanted version is reached, or the time limit. `connect` connects once, without a retry; `note` receives the
/// state whenever it changes. A server that is not reached until the end, and an error that another try does not solve, are
/// failures.
pub async fn wait(
    settings: &Settings,
    wanted: &Wanted,
    mut connect: impl AsyncFnMut() -> Result<Connection, Failure>,
    mut note: impl FnMut(&str),
) -> Result<Waited, Failure> {
    let began = Instant::now();
    let mut pauses = Backoff::jittered(FIRST_PAUSE, LONGEST_PAUSE);
    let (mut connection, mut told) = (None, String::new());
    loop {
        let left = wanted.timeout.saturating_sub(began.elapsed());
        let limit = left.clamp(SHORTEST_TRY, LONGEST_TRY);
        let failure = match attempt(&mut connection, &mut connect, (settings, wanted), limit).await {
            Ok(mut waited) => {
                waited.waited_ms = began.elapsed().as_millis();
                if waited.is_reached() || began.elapsed() >= wanted.timeout {
                    if let Some(connection) = connection {
                        connection.close().await;
                    }
                    return Ok(waited);
                }
                tell(&mut told, waited.state(), &mut note);
                None
            }
            Err(failure) if may_pass(&failure) => {
                // Its session may have ended, or its answer may be late.
                connection = None;
                tell(&mut told, failure.message.clone(), &mut note);
                Some(failure)
            }
            Err(failure) => return Err(failure),
        };
        let left = wanted.timeout.saturating_sub(began.elapsed());
        if let (Some(mut failure), true) = (failure, left.is_zero()) {
            if !wanted.timeout.is_zero() {
                failure.message =
                    format!("{} (waited {})", failure.message, elapsed(began.elapsed().as_millis()));
            }
            return Err(failure);
        }
        tokio::time::sleep(pauses.next_pause().min(left)).await;
    }
}

/// Connects if there is no connection, and reads the versions. If they are reached, reads them again in the same session, after the
/// time in which the server writes asynchronous commits to disk (manual, chapter 30.4): a run commits its units asynchronously, and
/// rows that were visible are lost if the server crashes before. A crash ends the session, and with it this try.
async fn attempt(
    connection: &mut Option<Connection>,
    connect: &mut impl AsyncFnMut() -> Result<Connection, Failure>,
    (settings, wanted): (&Settings, &Wanted),
    limit: Duration,
) -> Result<Waited, Failure> {
    let first = async {
        let session = match connection {
            Some(session) => session,
            None => connection.insert(connect().await?),
        };
        let seen = reached::read(session, settings, &wanted.tenants).await?;
        Ok((session, seen))
    };
    let (session, seen) = limited(limit, first).await?;
    let waited = Waited::of(settings, wanted, &seen);
    if !waited.is_reached() {
        return Ok(waited);
    }
    tokio::time::sleep(Duration::from_millis(seen.wal_writer_delay_ms.saturating_mul(3))).await;
    let seen = limited(LONGEST_TRY, reached::read(session, settings, &wanted.tenants)).await?;
    Ok(Waited::of(settings, wanted, &seen))
}

async fn limited<T>(limit: Duration, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
        Err(Failure::new(
            Code::ServerUnreachable,
            format!("the database did not answer within {}", elapsed(limit.as_millis())),
        ))
    })
}

/// Whether another try may succeed.
fn may_pass(failure: &Failure) -> bool {
    failure.class() == Class::Unreachable || failure.is_transient() || failure.session_ended()
}

fn tell(told: &mut String, state: String, note: &mut impl FnMut(&str)) {
    if *told != state {
        note(&format!("waiting: {state}"));
        *told = state;
    }
}
