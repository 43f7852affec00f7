//! Opening a connection: with patience, since a server that sleeps needs seconds to wake, and with a question
//! that shows a pooler in between.

use std::borrow::Cow;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions, Row as _};

use super::pooler::{OPTION, PoolerEvidence, QUESTION, VALUE};
use crate::error::{Code, Failure};
use crate::postgres::{Backoff, DatabaseUrl};

/// The pauses between tries: about twice as long each, jittered, so that many who wait do not all come at once.
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(8);

/// How a connection is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectPolicy {
    /// How often it is tried, at least once.
    pub attempts: u32,
    /// How often at most without any answer of a server.
    pub unanswered: u32,
}

impl ConnectPolicy {
    /// Where nobody says otherwise.
    pub const USUAL: Self = Self::times(6);
    /// For a server that is known to be there.
    pub const ONCE: Self = Self::times(1);

    /// So often, whatever is answered.
    pub const fn times(attempts: u32) -> Self {
        Self { attempts, unanswered: attempts }
    }
}

/// Why there is no connection.
enum Refused {
    /// In time there was no answer.
    Silence(Duration),
    Error(sqlx::Error),
}

/// Whether it may be another thing a little later.
#[derive(Debug, PartialEq, Eq)]
enum Later {
    /// Yes.
    Maybe,
    /// So many times at most: it may also be something else, for good.
    AFewTimes(u32),
    /// No.
    Never,
}

/// What a proxy or pooler in between says. All of it has one SQLSTATE (Neon's XX000, PgBouncer's 08P01), so the words
/// must do; each is a part of a message.
const WORDS: &[(&str, Later)] = &[
    ("Couldn't connect to compute node", Later::Maybe),
    ("Failed to acquire permit to connect to the database", Later::Maybe),
    ("Too many connections attempts", Later::Maybe),
    ("Too many connections to this endpoint", Later::Maybe),
    ("Authentication timed out", Later::AFewTimes(1)),
    ("endpoint is temporarily unavailable", Later::AFewTimes(3)),
    ("endpoint is disabled", Later::Never),
    // A moment after it was made, the way to it may not be known everywhere.
    ("endpoint cannot be found", Later::AFewTimes(3)),
    ("Control plane request failed", Later::Maybe),
    ("server login has been failing", Later::Maybe),
    ("server_login_retry", Later::Maybe),
    ("no more connections allowed", Later::Maybe),
    ("query_wait_timeout", Later::Maybe),
    ("pgbouncer cannot connect to server", Later::Maybe),
];

/// Whether it is worth another try: the server's code where it says something, the words where it does not
/// (manual, appendix A).
fn later(sqlstate: Option<&str>, message: &str) -> Later {
    match sqlstate {
        // Coming up or going down; out of connections.
        Some("57P01" | "57P02" | "57P03" | "53300") => Later::Maybe,
        Some("XX000" | "08P01" | "08006" | "08004" | "08001") => {
            let said = WORDS.iter().find(|(words, _)| message.contains(words));
            match said {
                Some((_, Later::Maybe)) => Later::Maybe,
                Some((_, Later::AFewTimes(times))) => Later::AFewTimes(*times),
                _ => Later::Never,
            }
        }
        _ => Later::Never,
    }
}

impl Refused {
    fn later(&self) -> Later {
        match self {
            Self::Silence(_) => Later::Maybe,
            Self::Error(sqlx::Error::Database(error)) => later(error.code().as_deref(), error.message()),
            Self::Error(sqlx::Error::Io(error)) => match error.kind() {
                // The last is a certificate that is not good.
                std::io::ErrorKind::NotFound
                | std::io::ErrorKind::PermissionDenied
                | std::io::ErrorKind::InvalidData => Later::Never,
                _ => Later::Maybe,
            },
            // The driver does not see that the other end closed before it answered.
            Self::Error(sqlx::Error::Protocol(said)) if said.contains("SSLRequest: 0x00") => Later::Maybe,
            // A certificate does not get better; a question that was answered with nonsense neither.
            Self::Error(_) => Later::Never,
        }
    }

    fn message(&self) -> Cow<'_, str> {
        match self {
            Self::Silence(limit) => Cow::Owned(format!("no answer within {} s", limit.as_secs())),
            Self::Error(sqlx::Error::Database(error)) => Cow::Borrowed(error.message()),
            Self::Error(error) => Cow::Owned(error.to_string()),
        }
    }

    fn sign(&self) -> Option<PoolerEvidence> {
        match self {
            Self::Error(sqlx::Error::Database(error)) => PoolerEvidence::of_refusal(error.message()),
            _ => None,
        }
    }

    /// Every failure has exit code 3 and names host and port, never the password.
    fn failure(self, url: &DatabaseUrl, attempts: u32) -> Failure {
        let times = if attempts > 1 { format!(" (tried {attempts} times)") } else { String::new() };
        let mut failure = Failure::new(
            Code::ServerUnreachable,
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

    fn hint(&self, url: &DatabaseUrl) -> &'static str {
        let message = self.message();
        let says = |words: &str| message.contains(words);
        match self {
            Self::Silence(_) => {
                "check host, port and firewall; connect_timeout in the URL says how long to wait"
            }
            Self::Error(sqlx::Error::Tls(_)) if says("does not support TLS") => {
                "the server takes no TLS: use another address, or sslmode=prefer where the way to it is safe"
            }
            Self::Error(error @ sqlx::Error::Tls(_)) => certificate(&error.to_string()),
            Self::Error(sqlx::Error::Io(error)) if says("invalid peer certificate") => {
                certificate(&error.to_string())
            }
            Self::Error(sqlx::Error::Database(_)) if self.sign().is_some() => {
                "a pooler refuses `options` of the URL: use the server's own address, or take them out"
            }
            Self::Error(sqlx::Error::Database(_)) if says("sslmode=require") => {
                "add sslmode=require to the URL"
            }
            Self::Error(sqlx::Error::Database(_)) if says("is not allowed to connect to this endpoint") => {
                "allow this machine's address in the project's IP allow list"
            }
            Self::Error(sqlx::Error::Database(_)) if says("limit exceeded") || says("quota") => {
                "the provider's limit is reached: delete what is not needed, or raise it"
            }
            Self::Error(sqlx::Error::Database(_)) if says("endpoint is disabled") => {
                "enable the endpoint with the provider"
            }
            Self::Error(sqlx::Error::Database(_)) if says("ndpoint") => {
                "check that the host in the URL is the one that the provider shows, and that the branch is still there"
            }
            Self::Error(sqlx::Error::Database(_)) if self.later() != Later::Never => {
                "the server answers but is not ready; try again"
            }
            Self::Error(sqlx::Error::Database(_)) => {
                "check the database, the user and the password in the URL"
            }
            Self::Error(sqlx::Error::Io(_)) if url.address().contains("socket") => {
                "check that the server runs, and that its socket is in that folder"
            }
            Self::Error(_) => "check that the server runs and that host and port in the URL are right",
        }
    }
}

fn certificate(said: &str) -> &'static str {
    if said.contains("NotValidForName") || said.contains("not valid for name") {
        "the certificate is another host's: use the name that it was made for, or sslmode=verify-ca with sslrootcert"
    } else {
        "name the file of the authority that signed the server's certificate: sslrootcert=/path/to/root.crt"
    }
}

/// The file in which libpq looks for authorities when none is named (manual, chapter 34.19.1).
fn usual_root() -> Option<String> {
    let file = std::env::home_dir()?.join(".postgresql/root.crt");
    file.is_file().then(|| file.to_string_lossy().into_owned())
}

/// Opens a further session, when it is known what stands in between.
pub(in crate::postgres) async fn again(
    url: &DatabaseUrl,
    connect_policy: ConnectPolicy,
) -> Result<PgConnection, Failure> {
    let (connection, _) = open_as(url, connect_policy, false, |_| {}).await?;
    Ok(connection)
}

/// Opens a session, and learns what stands in between. `tell` hears why there is a further try.
pub(in crate::postgres) async fn open(
    url: &DatabaseUrl,
    connect_policy: ConnectPolicy,
    tell: impl FnMut(&str),
) -> Result<(PgConnection, Option<PoolerEvidence>), Failure> {
    open_as(url, connect_policy, true, tell).await
}

async fn open_as(
    url: &DatabaseUrl,
    connect_policy: ConnectPolicy,
    asked: bool,
    mut tell: impl FnMut(&str),
) -> Result<(PgConnection, Option<PoolerEvidence>), Failure> {
    let plain = url.options(usual_root());
    // What is a pooler by its name need not be asked.
    let mut sign = url.pooled();
    let mut pauses = Backoff::jittered(FIRST, LONGEST);
    let mut attempts = 0;
    loop {
        let asking = asked && sign.is_none();
        let options = if asking { plain.clone().options([(OPTION, VALUE)]) } else { plain.clone() };
        attempts += 1;
        let refused = match Box::pin(attempt(url, &options)).await {
            Ok(connection) if !asking => return Ok((connection, sign)),
            Ok(mut connection) => match arrived(url, &mut connection).await {
                Ok(arrived) => return Ok((connection, (!arrived).then_some(PoolerEvidence::Swallowed))),
                // A pooler may let in before the server does.
                Err(refused) => refused,
            },
            Err(refused) => refused,
        };
        if asking && let Some(evidence) = refused.sign() {
            sign = Some(evidence);
            attempts -= 1;
            continue;
        }
        let again = match refused.later() {
            Later::Maybe => true,
            Later::AFewTimes(times) => attempts <= times,
            Later::Never => false,
        };
        let heard = matches!(refused, Refused::Error(sqlx::Error::Database(_)));
        let most = if heard { connect_policy.attempts } else { connect_policy.unanswered };
        if !again || attempts >= most.min(connect_policy.attempts) {
            return Err(refused.failure(url, attempts));
        }
        tell(&format!(
            "{} does not let us in yet: {}; trying again ({} of {})",
            url.address(),
            refused.message(),
            attempts + 1,
            connect_policy.attempts
        ));
        pauses.pause().await;
    }
}

/// Whether the option of the session's start got to the server.
async fn arrived(url: &DatabaseUrl, connection: &mut PgConnection) -> Result<bool, Refused> {
    let answer = async {
        let row = sqlx::raw_sql(QUESTION).fetch_one(connection).await?;
        row.try_get::<bool, _>(0)
    };
    within(url, answer).await
}

/// What the server may take for one answer.
async fn within<T>(
    url: &DatabaseUrl,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, Refused> {
    match url.connect_timeout() {
        None => answer.await.map_err(Refused::Error),
        Some(limit) => match tokio::time::timeout(limit, answer).await {
            Ok(answer) => answer.map_err(Refused::Error),
            Err(_) => Err(Refused::Silence(limit)),
        },
    }
}

/// One try; of `allow` and `prefer` the second way too where the server refuses the first, as libpq has it (manual, chapter
/// 34.19.3).
async fn attempt(url: &DatabaseUrl, options: &PgConnectOptions) -> Result<PgConnection, Refused> {
    let first = knock_once(url, options).await;
    let other = match options.get_ssl_mode() {
        PgSslMode::Allow => PgSslMode::Require,
        PgSslMode::Prefer => PgSslMode::Disable,
        _ => return first,
    };
    match first {
        // The rules of a server, or of a pooler before it, know the address, the user and whether there is TLS.
        Err(Refused::Error(sqlx::Error::Database(error)))
            if matches!(error.code().as_deref(), Some("28000" | "08P01"))
                && PoolerEvidence::of_refusal(error.message()).is_none() =>
        {
            let second = knock_once(url, &options.clone().ssl_mode(other)).await;
            // Where both are refused, what is said to the safer way is what is left to be mended.
            second.map_err(|second| match (other, &second) {
                (PgSslMode::Require, Refused::Error(sqlx::Error::Database(_))) => second,
                _ => Refused::Error(sqlx::Error::Database(error)),
            })
        }
        first => first,
    }
}

async fn knock_once(url: &DatabaseUrl, options: &PgConnectOptions) -> Result<PgConnection, Refused> {
    let options = options.clone().disable_statement_logging();
    within(url, Box::pin(options.connect())).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_tried_again_and_what_stands_is_not() {
        for (sqlstate, message, then) in [
            ("57P03", "the database system is starting up", Later::Maybe),
            ("53300", "sorry, too many clients already", Later::Maybe),
            ("XX000", "Couldn't connect to compute node", Later::Maybe),
            ("XX000", "Control plane request failed", Later::Maybe),
            ("XX000", "Control plane request failed: endpoint is disabled", Later::Never),
            ("XX000", "Control plane request failed: endpoint cannot be found", Later::AFewTimes(3)),
            ("XX000", "password authentication failed for user 'x'", Later::Never),
            ("XX000", "connection is insecure (try using `sslmode=require`)", Later::Never),
            ("XX000", "your active endpoints limit exceeded", Later::Never),
            ("XX000", "Authentication timed out", Later::AFewTimes(1)),
            ("08P01", "no more connections allowed (max_client_conn)", Later::Maybe),
            ("28P01", "password authentication failed for user \"x\"", Later::Never),
            ("3D000", "database \"x\" does not exist", Later::Never),
        ] {
            assert_eq!(later(Some(sqlstate), message), then, "{message}");
        }
        assert_eq!(later(None, "Couldn't connect to compute node"), Later::Never);
    }
}
