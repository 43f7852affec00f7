//! One request over HTTP, tried again as long as [`super::decide`] says so. The only file that talks to the
//! API. The key stands in one header, which shows itself to nobody, and is sent to one host.

use std::cell::{Cell, OnceCell};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use serde::de::DeserializeOwned;
use time::OffsetDateTime;
use tokio::time::Instant;
use uuid::Uuid;

use super::access::Access;
use super::decide::{self, Attempt, Next};
use super::refusal::Refused;
use super::request::Call;
use crate::error::{Code, Failure};
use crate::postgres::Backoff;

/// The pauses between tries, unless the server asks for another.
const FIRST: Duration = Duration::from_millis(125);
const LONGEST: Duration = Duration::from_secs(5);
const CONNECT: Duration = Duration::from_secs(10);
/// For one attempt.
const ANSWER: Duration = Duration::from_mins(1);
/// A project that is still making a branch lets nobody delete it.
const TO_DELETE: Duration = Duration::from_secs(40);
/// The largest answer is a page of branches.
const LARGEST: usize = 32 << 20;

/// The way to the API.
#[derive(Debug)]
pub(super) struct Client {
    access: Access,
    retry_timeout: Duration,
    /// Made when it is first needed, on the runtime that needs it.
    http: OnceCell<reqwest::Client>,
    /// How far the server's clock is before ours.
    ahead: Cell<time::Duration>,
}

/// Why there is no answer to take.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The API said no.
    Refused(Refused),
    /// Nobody knows whether the request had its effect.
    Unknown(Failure),
    /// It was given up.
    Failed(Failure),
}

impl Trouble {
    /// As people get it.
    pub(super) fn failure(self, doing: &str) -> Failure {
        match self {
            Self::Refused(refused) => refused.failure(doing),
            Self::Unknown(failure) | Self::Failed(failure) => failure,
        }
    }

    /// Whether the API promises that nothing was done.
    pub(super) fn had_no_effect(&self) -> bool {
        match self {
            Self::Refused(_) => true,
            Self::Failed(failure) => failure.code == Code::BranchBusy,
            Self::Unknown(_) => false,
        }
    }

    /// Whether the API says that there is no such thing.
    pub(super) fn is_absence(&self) -> bool {
        matches!(self, Self::Refused(refused) if refused.status == 404 && !refused.message.contains("project"))
    }
}

/// What came of one attempt.
struct Reply {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Client {
    pub(super) fn new(access: Access, retry_timeout: Duration) -> Self {
        Self { access, retry_timeout, http: OnceCell::new(), ahead: Cell::default() }
    }

    /// The same without anything that belongs to this runtime.
    pub(super) fn apart(&self) -> Self {
        Self {
            access: self.access.clone(),
            retry_timeout: self.retry_timeout,
            http: OnceCell::new(),
            ahead: self.ahead.clone(),
        }
    }

    pub(super) fn project(&self) -> &str {
        &self.access.project
    }

    /// The time as the server has it: it decides when a branch ends, and a runner's clock may be wrong.
    pub(super) fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc() + self.ahead.get()
    }

    /// Asks, and reads the answer.
    pub(super) async fn ask<T: DeserializeOwned>(&self, call: &Call) -> Result<T, Trouble> {
        let (_status, body) = self.send(call).await?;
        serde_json::from_slice(&body).map_err(|error| {
            // The text is not quoted: it may hold a password.
            let message = format!(
                "{}: Neon's answer cannot be understood (line {}, column {})",
                call.doing,
                error.line(),
                error.column()
            );
            let failure = Failure::new(Code::BranchApi, message).hint("look at NEON_API_HOST");
            match call.repeat {
                decide::Repeat::Freely => Trouble::Failed(failure),
                // It was done, and who did it does not know what.
                decide::Repeat::IfWithoutEffect => Trouble::Unknown(failure),
            }
        })
    }

    /// Asks until there is an answer; the status of one that is a success, and its body.
    pub(super) async fn send(&self, call: &Call) -> Result<(u16, Vec<u8>), Trouble> {
        // What is left behind costs more than a wait.
        let deletes = call.method == reqwest::Method::DELETE;
        let retry_timeout = if deletes { self.retry_timeout.max(TO_DELETE) } else { self.retry_timeout };
        let started = Instant::now();
        let mut pauses = Backoff::jittered(FIRST, LONGEST);
        loop {
            let id = Uuid::new_v4().to_string();
            let (attempt, said) = match self.once(call, &id).await {
                Ok(reply) => {
                    self.notice_time(&reply.headers);
                    let retry_after = reply.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
                    let retry_after = retry_after.and_then(|text| decide::retry_after(text, self.now()));
                    if (200..300).contains(&reply.status) {
                        return Ok((reply.status, reply.body));
                    }
                    let refused = Refused::read(reply.status, &reply.body, &id, &self.access.key);
                    (Attempt::Answered { status: reply.status, retry_after }, Err(refused))
                }
                Err((attempt, why)) => (attempt, Ok(why)),
            };
            let pause = pauses.next_pause();
            let next = decide::next(&attempt, call.repeat, started.elapsed(), retry_timeout, pause);
            let unreachable = |why: &str| {
                Failure::new(Code::BranchApi, format!("{}: Neon's API: {why}", call.doing))
                    .hint("check the network, HTTPS_PROXY and NEON_API_HOST")
            };
            match (next, said) {
                (Next::Again(pause), _) => tokio::time::sleep(pause).await,
                (Next::Look, Err(refused)) => return Err(Trouble::Unknown(refused.failure(&call.doing))),
                (Next::Look, Ok(why)) => return Err(Trouble::Unknown(unreachable(&why))),
                (Next::Take, Err(refused)) => return Err(Trouble::Refused(refused)),
                (Next::GiveUp, Err(refused)) => return Err(Trouble::Failed(refused.failure(&call.doing))),
                (Next::Take | Next::GiveUp, Ok(why)) => return Err(Trouble::Failed(unreachable(&why))),
            }
        }
    }

    async fn once(&self, call: &Call, id: &str) -> Result<Reply, (Attempt, String)> {
        let not_sent = |why: String| (Attempt::NotSent, why);
        let mut url = self.access.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["projects", &self.access.project]).extend(&call.path);
        }
        let mut key = HeaderValue::try_from(format!("Bearer {}", self.access.key.reveal()))
            .map_err(|_| not_sent("the key cannot stand in a header".to_owned()))?;
        key.set_sensitive(true);
        let http = self.http().map_err(|error| not_sent(plain(error)))?;
        let mut request = http
            .request(call.method.clone(), url)
            .header(AUTHORIZATION, key)
            .header("X-Request-ID", id)
            .query(&call.query);
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        let failed = |error: reqwest::Error| {
            let attempt =
                if error.is_connect() || error.is_builder() { Attempt::NotSent } else { Attempt::Lost };
            (attempt, plain(error))
        };
        let mut response = request.send().await.map_err(failed)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| (Attempt::Lost, plain(error)))? {
            body.extend_from_slice(&piece);
            if body.len() > LARGEST {
                return Err((Attempt::Lost, "an answer of more than 32 MiB".to_owned()));
            }
        }
        Ok(Reply { status, headers, body })
    }

    fn http(&self) -> Result<&reqwest::Client, reqwest::Error> {
        if let Some(http) = self.http.get() {
            return Ok(http);
        }
        // Whoever was first has set the same.
        let _set = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .user_agent(concat!("tenure/", env!("CARGO_PKG_VERSION")))
            // Elsewhere nobody has a right to the key.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .build()?;
        Ok(self.http.get_or_init(|| http))
    }

    fn notice_time(&self, headers: &HeaderMap) {
        let date = headers.get(DATE).and_then(|value| value.to_str().ok()).and_then(decide::http_date);
        if let Some(date) = date {
            self.ahead.set(date - OffsetDateTime::now_utc());
        }
    }
}

/// What went wrong below, without the URL, whose query is nobody's to read.
fn plain(error: reqwest::Error) -> String {
    let kind = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "it cannot be reached"
    } else {
        "the answer did not come"
    };
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(below) = cause.source() {
        cause = below;
    }
    format!("{kind} ({cause})")
}
