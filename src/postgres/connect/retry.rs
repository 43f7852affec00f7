//! Opens a connection, with retries, since a suspended server needs seconds to start, and detects a pooler.

use std::borrow::Cow;
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};

use super::pooler::{PROBE_OPTION, PROBE_QUERY, PROBE_VALUE, PoolerEvidence};
use crate::error::{Code, Failure};
use crate::postgres::connection::{Answer, collect};
use crate::postgres::{Backoff, DatabaseUrl, ServerError};

/// Exponential backoff with jitter, so that many clients do not retry at the same time.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// How often a connection attempt is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectPolicy {
    /// The maximum number of attempts, at least 1.
    pub attempts: u32,
    /// The maximum number of attempts while the server gives no answer.
    pub unanswered: u32,
}

impl ConnectPolicy {
    /// The default.
    pub const DEFAULT: Self = Self::times(6);
    /// No retry, for a server that is known to run.
    pub const ONCE: Self = Self::times(1);

    /// A number of attempts, with or without an answer.
    pub const fn times(attempts: u32) -> Self {
        Self { attempts, unanswered: attempts }
    }
}

/// Why an attempt failed.
enum ConnectError {
    /// No answer within this time.
    Timeout(Duration),
    Error(sqlx::Error),
}

/// Whether a retry may succeed.
#[derive(Debug, PartialEq, Eq)]
enum Retry {
    Yes,
    /// At most this many times, since the error may also be permanent.
    AtMost(u32),
    Never,
}

/// Messages of proxies and poolers, each a part of one. All have the same SQLSTATE (Neon: XX000, PgBouncer:
/// 08P01), so the text decides.
const POOLER_MESSAGES: &[(&str, Retry)] = &[
    ("Couldn't connect to compute node", Retry::Yes),
    ("Failed to acquire permit to connect to the database", Retry::Yes),
    ("Too many connections attempts", Retry::Yes),
    ("Too many connections to this endpoint", Retry::Yes),
    ("Authentication timed out", Retry::AtMost(1)),
    ("endpoint is temporarily unavailable", Retry::AtMost(3)),
    ("endpoint is disabled", Retry::Never),
    // A new endpoint may not be known everywhere yet.
    ("endpoint cannot be found", Retry::AtMost(3)),
    ("Control plane request failed", Retry::Yes),
    ("server login has been failing", Retry::Yes),
    ("server_login_retry", Retry::Yes),
    ("no more connections allowed", Retry::Yes),
    ("query_wait_timeout", Retry::Yes),
    ("pgbouncer cannot connect to server", Retry::Yes),
];

/// Whether an attempt is repeated: by the SQLSTATE (manual, appendix A), or by the message where that is
/// ambiguous.
fn retry(sqlstate: Option<&str>, message: &str) -> Retry {
    match sqlstate {
        // Starting, shutting down, or out of connections.
        Some("57P01" | "57P02" | "57P03" | "53300") => Retry::Yes,
        Some("XX000" | "08P01" | "08006" | "08004" | "08001") => {
            let text = POOLER_MESSAGES.iter().find(|(words, _)| message.contains(words));
            match text {
                Some((_, Retry::Yes)) => Retry::Yes,
                Some((_, Retry::AtMost(times))) => Retry::AtMost(*times),
                _ => Retry::Never,
            }
        }
        _ => Retry::Never,
    }
}

impl ConnectError {
    fn retry(&self) -> Retry {
        match self {
            Self::Timeout(_) => Retry::Yes,
            Self::Error(sqlx::Error::Database(error)) => retry(error.code().as_deref(), error.message()),
            Self::Error(sqlx::Error::Io(error)) => match error.kind() {
                // `InvalidData`: the certificate is invalid.
                std::io::ErrorKind::NotFound
                | std::io::ErrorKind::PermissionDenied
                | std::io::ErrorKind::InvalidData => Retry::Never,
                _ => Retry::Yes,
            },
            // The driver's error when the server closes the connection before its first answer.
            Self::Error(sqlx::Error::Protocol(text)) if text.contains("SSLRequest: 0x00") => Retry::Yes,
            // An invalid certificate or an invalid answer is permanent.
            Self::Error(_) => Retry::Never,
        }
    }

    fn message(&self) -> Cow<'_, str> {
        match self {
            Self::Timeout(limit) => Cow::Owned(format!("no answer within {} s", limit.as_secs())),
            Self::Error(sqlx::Error::Database(error)) => Cow::Borrowed(error.message()),
            Self::Error(error) => Cow::Owned(error.to_string()),
        }
    }

    fn evidence(&self) -> Option<PoolerEvidence> {
        match self {
            Self::Error(sqlx::Error::Database(error)) => PoolerEvidence::from_error(error.message()),
            _ => None,
        }
    }

    /// The failure has exit code 3. It names host and port, never the password.
    fn failure(self, url: &DatabaseUrl, attempts: u32) -> Failure {
        let times = if attempts > 1 { format!(" (tried {attempts} times)") } else { String::new() };
        let code =
            if self.is_authentication() { Code::AuthenticationFailed } else { Code::ServerUnreachable };
        let mut failure = Failure::new(
            code,
            format!(
                "cannot connect to database {:?} at {}: {}{times}",
                url.database(),
                url.address(),
                self.message()
            ),
        );
        failure.hint = Some(self.hint(url).to_owned());
        if let Self::Error(sqlx::Error::Database(error)) = &self {
            failure.sqlstate = error.code().map(Cow::into_owned);
        }
        failure
    }

    /// Whether the server refused the user: class 28, or a proxy's message with another SQLSTATE.
    fn is_authentication(&self) -> bool {
        match self {
            Self::Error(sqlx::Error::Database(error)) => {
                error.code().is_some_and(|code| code.starts_with("28"))
                    || error.message().contains("password authentication failed")
            }
            _ => false,
        }
    }

    fn hint(&self, url: &DatabaseUrl) -> &'static str {
        let message = self.message();
        let says = |words: &str| message.contains(words);
        match self {
            Self::Timeout(_) => "check host, port and firewall; connect_timeout in the URL sets the limit",
            Self::Error(sqlx::Error::Tls(_)) if says("does not support TLS") => {
                "the server does not support TLS: use another address, or sslmode=prefer on a trusted network"
            }
            Self::Error(error @ sqlx::Error::Tls(_)) => certificate_hint(&error.to_string()),
            Self::Error(sqlx::Error::Io(error)) if says("invalid peer certificate") => {
                certificate_hint(&error.to_string())
            }
            Self::Error(sqlx::Error::Database(_)) if self.evidence().is_some() => {
                "a pooler rejects `options` of the URL: use the server's own address, or remove them"
            }
            Self::Error(sqlx::Error::Database(_)) if says("sslmode=require") => {
                "add sslmode=require to the URL"
            }
            Self::Error(sqlx::Error::Database(error))
                if error.code().as_deref() == Some("28000") && !says("password") =>
            {
                "the server does not accept this user from here with this database and encryption: see its pg_hba.conf"
            }
            Self::Error(sqlx::Error::Database(_)) if self.is_authentication() && !url.has_password() => {
                "no password was given: set it in the URL, in PGPASSWORD or in the password file"
            }
            Self::Error(sqlx::Error::Database(_)) if self.is_authentication() => {
                "check the user and the password in the URL"
            }
            Self::Error(sqlx::Error::Database(_)) if says("is not allowed to connect to this endpoint") => {
                "allow this machine's address in the project's IP allow list"
            }
            Self::Error(sqlx::Error::Database(_)) if says("limit exceeded") || says("quota") => {
                "the provider's limit is reached: delete unused resources or raise the limit"
            }
            Self::Error(sqlx::Error::Database(_)) if says("endpoint is disabled") => {
                "enable the endpoint in the provider's console"
            }
            Self::Error(sqlx::Error::Database(_)) if says("ndpoint") => {
                "check that the host in the URL matches the provider's console and that the branch exists"
            }
            Self::Error(sqlx::Error::Database(_)) if self.retry() != Retry::Never => {
                "the server answers but is not ready; try again"
            }
            Self::Error(sqlx::Error::Database(_)) => "check the database and the user in the URL",
            Self::Error(sqlx::Error::Io(_)) if url.address().contains("socket") => {
                "check that the server runs and that its socket is in that folder"
            }
            Self::Error(_) => "check that the server runs and that host and port in the URL are right",
        }
    }
}

fn certificate_hint(text: &str) -> &'static str {
    if text.contains("NotValidForName") || text.contains("not valid for name") {
        "the certificate belongs to another host: use the host name in the certificate, or sslmode=verify-ca with sslrootcert"
    } else {
        "set sslrootcert=/path/to/root.crt, the certificate of the authority that signed the server's"
    }
}

/// libpq's default file of root certificates (manual, chapter 34.19.1).
fn default_root() -> Option<String> {
    let file = std::env::home_dir()?.join(".postgresql/root.crt");
    file.is_file().then(|| file.to_string_lossy().into_owned())
}

/// A new session.
pub(in crate::postgres) struct Opened {
    pub(in crate::postgres) driver: PgConnection,
    /// How a pooler was detected.
    pub(in crate::postgres) evidence: Option<PoolerEvidence>,
    /// The answer to the question, if it was asked.
    pub(in crate::postgres) answer: Option<Answer>,
}

/// Opens a session without pooler detection.
pub(in crate::postgres) async fn open_undetected(
    url: &DatabaseUrl,
    connect_policy: ConnectPolicy,
) -> Result<PgConnection, Failure> {
    Ok(open_as(url, connect_policy, (false, None), |_| {}).await?.driver)
}

/// Opens a session and detects a pooler, in one message with `question`, which reads. `on_retry` receives the reason of each
/// retry.
pub(in crate::postgres) async fn open(
    url: &DatabaseUrl,
    connect_policy: ConnectPolicy,
    question: Option<&str>,
    on_retry: impl FnMut(&str),
) -> Result<Opened, Failure> {
    open_as(url, connect_policy, (true, question), on_retry).await
}

async fn open_as(
    url: &DatabaseUrl,
    connect_policy: ConnectPolicy,
    (detect, mut question): (bool, Option<&str>),
    mut on_retry: impl FnMut(&str),
) -> Result<Opened, Failure> {
    let base_options = url.options(default_root());
    // The host name may already identify a pooler.
    let mut evidence = url.pooler_evidence();
    let mut pauses = Backoff::jittered(FIRST_PAUSE, LONGEST_PAUSE);
    let mut attempts = 0;
    loop {
        let detecting = detect && evidence.is_none();
        let options = if detecting {
            base_options.clone().options([(PROBE_OPTION, PROBE_VALUE)])
        } else {
            base_options.clone()
        };
        attempts += 1;
        let error = match Box::pin(attempt(url, &options)).await {
            Ok(driver) if !detecting => return Ok(Opened { driver, evidence, answer: None }),
            Ok(mut driver) => match option_arrived(url, &mut driver, question).await {
                Ok((option_arrived, answer)) => {
                    let evidence = (!option_arrived).then_some(PoolerEvidence::OptionLost);
                    return Ok(Opened { driver, evidence, answer });
                }
                // The question may wait for a lock, which is no reason to give up.
                Err(ConnectError::Timeout(_)) if question.take().is_some() => {
                    attempts -= 1;
                    continue;
                }
                // A pooler may accept the client before the server does.
                Err(error) => error,
            },
            Err(error) => error,
        };
        if detecting && let Some(found) = error.evidence() {
            evidence = Some(found);
            attempts -= 1;
            continue;
        }
        let is_retried = match error.retry() {
            Retry::Yes => true,
            Retry::AtMost(times) => attempts <= times,
            Retry::Never => false,
        };
        let answered = matches!(error, ConnectError::Error(sqlx::Error::Database(_)));
        let max_attempts = if answered { connect_policy.attempts } else { connect_policy.unanswered };
        if !is_retried || attempts >= max_attempts.min(connect_policy.attempts) {
            return Err(error.failure(url, attempts));
        }
        on_retry(&format!(
            "{} does not accept connections yet: {}; retrying ({} of {})",
            url.address(),
            error.message(),
            attempts + 1,
            connect_policy.attempts
        ));
        pauses.pause().await;
    }
}

/// Whether the startup option reached the server, and the answer to `question`, sent in the same message.
async fn option_arrived(
    url: &DatabaseUrl,
    driver: &mut PgConnection,
    question: Option<&str>,
) -> Result<(bool, Option<Answer>), ConnectError> {
    let sql = [PROBE_QUERY].into_iter().chain(question).collect::<Vec<_>>().join("; ");
    let answer = async {
        let mut sets = Vec::new();
        let sent = collect(driver, &sql, &mut sets, &mut Vec::new(), |_statement| true).await;
        let probe = if sets.is_empty() { None } else { Some(sets.remove(0)) };
        match (sent, probe) {
            (sent, Some(probe)) => Ok((sent, probe, sets)),
            (Err(error), None) => Err(error),
            (Ok(()), None) => Err(sqlx::Error::RowNotFound),
        }
    };
    let (sent, probe, sets) = within(url, answer).await?;
    let answer = match sent {
        Ok(()) => Ok(sets),
        // The next message repeats the question, with the policy for lost sessions.
        Err(error) if !matches!(error, sqlx::Error::Database(_)) => return Err(ConnectError::Error(error)),
        Err(error) => Err(ServerError {
            completed: sets.len(),
            sets,
            error,
            sent_before: 0,
            role: Some(url.role().to_owned()),
        }),
    };
    let arrived = probe.first().and_then(|row| row.get_bool("arrived").ok()).unwrap_or_default();
    Ok((arrived, question.map(|_| answer)))
}

/// Limits an answer to `connect_timeout`.
async fn within<T>(
    url: &DatabaseUrl,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, ConnectError> {
    match url.connect_timeout() {
        None => answer.await.map_err(ConnectError::Error),
        Some(limit) => match tokio::time::timeout(limit, answer).await {
            Ok(answer) => answer.map_err(ConnectError::Error),
            Err(_) => Err(ConnectError::Timeout(limit)),
        },
    }
}

/// One attempt. With `allow` and `prefer`, the other TLS mode follows if the server rejects the first, as in
/// libpq (manual, chapter 34.19.3).
async fn attempt(url: &DatabaseUrl, options: &PgConnectOptions) -> Result<PgConnection, ConnectError> {
    let first = connect_once(url, options).await;
    let other = match options.get_ssl_mode() {
        PgSslMode::Allow => PgSslMode::Require,
        PgSslMode::Prefer => PgSslMode::Disable,
        _ => return first,
    };
    match first {
        // Rules in pg_hba.conf, or a pooler's, depend on address, user and TLS.
        Err(ConnectError::Error(sqlx::Error::Database(error)))
            if matches!(error.code().as_deref(), Some("28000" | "08P01"))
                && PoolerEvidence::from_error(error.message()).is_none() =>
        {
            let second = connect_once(url, &options.clone().ssl_mode(other)).await;
            // If both fail, report the error of the safer mode.
            second.map_err(|second| match (other, &second) {
                (PgSslMode::Require, ConnectError::Error(sqlx::Error::Database(_))) => second,
                _ => ConnectError::Error(sqlx::Error::Database(error)),
            })
        }
        first => first,
    }
}

async fn connect_once(url: &DatabaseUrl, options: &PgConnectOptions) -> Result<PgConnection, ConnectError> {
    let options = options.clone().disable_statement_logging();
    within(url, Box::pin(options.connect())).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporary_errors_are_retried_and_permanent_ones_are_not() {
        for (sqlstate, message, expected) in [
            ("57P03", "the database system is starting up", Retry::Yes),
            ("53300", "sorry, too many clients already", Retry::Yes),
            ("XX000", "Couldn't connect to compute node", Retry::Yes),
            ("XX000", "Control plane request failed", Retry::Yes),
            ("XX000", "Control plane request failed: endpoint is disabled", Retry::Never),
            ("XX000", "Control plane request failed: endpoint cannot be found", Retry::AtMost(3)),
            ("XX000", "password authentication failed for user 'x'", Retry::Never),
            ("XX000", "connection is insecure (try using `sslmode=require`)", Retry::Never),
            ("XX000", "your active endpoints limit exceeded", Retry::Never),
            ("XX000", "Authentication timed out", Retry::AtMost(1)),
            ("08P01", "no more connections allowed (max_client_conn)", Retry::Yes),
            ("28P01", "password authentication failed for user \"x\"", Retry::Never),
            ("3D000", "database \"x\" does not exist", Retry::Never),
        ] {
            assert_eq!(retry(Some(sqlstate), message), expected, "{message}");
        }
        assert_eq!(retry(None, "Couldn't connect to compute node"), Retry::Never);
    }
}
