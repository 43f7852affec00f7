//! Sends HTTP requests with the retries of [`super::retry`]. Only this file calls the API. The key is in one
//! header, marked as sensitive, and is sent to one host only.

use std::cell::{Cell, OnceCell};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use serde::de::DeserializeOwned;
use time::OffsetDateTime;
use tokio::time::Instant;
use uuid::Uuid;

use super::access::Access;
use super::error::ErrorResponse;
use super::request::Call;
use super::retry::{self, Attempt, Next};
use crate::error::{Code, Failure};
use crate::postgres::Backoff;

/// The pauses between attempts, unless the server requests a longer one.
const FIRST_PAUSE: Duration = Duration::from_millis(125);
const MAX_PAUSE: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The limit for one attempt.
const ATTEMPT_TIMEOUT: Duration = Duration::from_mins(1);
/// While a project creates a branch it rejects deletions, so these are retried at least this long.
const MIN_DELETE_RETRY: Duration = Duration::from_secs(40);
/// The largest expected answer is a page of branches.
const MAX_BODY_BYTES: usize = 32 << 20;

/// A client of the API.
#[derive(Debug)]
pub(super) struct Client {
    access: Access,
    retry_timeout: Duration,
    /// Created on first use, in the runtime that uses it.
    http: OnceCell<reqwest::Client>,
    /// The difference of the server's clock to the local one.
    clock_offset: Cell<time::Duration>,
}

/// Why a request failed.
#[derive(Debug)]
pub(super) enum ApiError {
    /// The API returned an error.
    ErrorResponse(ErrorResponse),
    /// It is unknown whether the request had an effect.
    Unknown(Failure),
    /// It failed without an effect, or after the last retry.
    Failed(Failure),
}

impl ApiError {
    /// The failure for the user.
    pub(super) fn failure(self, action: &str) -> Failure {
        match self {
            Self::ErrorResponse(response) => response.failure(action),
            Self::Unknown(failure) | Self::Failed(failure) => failure,
        }
    }

    /// Whether the API guarantees that there was no effect.
    pub(super) fn had_no_effect(&self) -> bool {
        match self {
            Self::ErrorResponse(_) => true,
            Self::Failed(failure) => failure.code == Code::BranchBusy,
            Self::Unknown(_) => false,
        }
    }

    /// Whether the resource does not exist.
    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Self::ErrorResponse(response) if response.status == 404 && !response.message.contains("project"))
    }
}

/// The answer to one attempt.
struct Reply {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Client {
    pub(super) fn new(access: Access, retry_timeout: Duration) -> Self {
        Self { access, retry_timeout, http: OnceCell::new(), clock_offset: Cell::default() }
    }

    /// A copy without the HTTP client, which belongs to a runtime.
    pub(super) fn detached(&self) -> Self {
        Self {
            access: self.access.clone(),
            retry_timeout: self.retry_timeout,
            http: OnceCell::new(),
            clock_offset: self.clock_offset.clone(),
        }
    }

    pub(super) fn project(&self) -> &str {
        &self.access.project
    }

    /// The server's time, which decides when a branch expires; a runner's clock may be wrong.
    pub(super) fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc() + self.clock_offset.get()
    }

    /// Sends a request and parses the answer.
    pub(super) async fn call<T: DeserializeOwned>(&self, call: &Call) -> Result<T, ApiError> {
        let (_status, body) = self.send(call).await?;
        serde_json::from_slice(&body).map_err(|error| {
            // The text is not quoted: it may contain a password.
            let message = format!(
                "{}: Neon's answer is invalid (line {}, column {})",
                call.action,
                error.line(),
                error.column()
            );
            let failure = Failure::new(Code::BranchApi, message).hint("check NEON_API_HOST");
            match call.repeat {
                retry::Idempotency::Idempotent => ApiError::Failed(failure),
                // The request had an effect, but the result is unknown.
                retry::Idempotency::NotIdempotent => ApiError::Unknown(failure),
            }
        })
    }

    /// Sends a request with retries; returns the status and body of a successful answer.
    pub(super) async fn send(&self, call: &Call) -> Result<(u16, Vec<u8>), ApiError> {
        // A remaining branch costs more than a wait.
        let deletes = call.method == reqwest::Method::DELETE;
        let retry_timeout =
            if deletes { self.retry_timeout.max(MIN_DELETE_RETRY) } else { self.retry_timeout };
        let started = Instant::now();
        let mut pauses = Backoff::jittered(FIRST_PAUSE, MAX_PAUSE);
        loop {
            let id = Uuid::new_v4().to_string();
            let (attempt, outcome) = match self.attempt(call, &id).await {
                Ok(reply) => {
                    self.update_clock(&reply.headers);
                    let retry_after = reply.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
                    let retry_after = retry_after.and_then(|text| retry::retry_after(text, self.now()));
                    if (200..300).contains(&reply.status) {
                        return Ok((reply.status, reply.body));
                    }
                    let response = ErrorResponse::read(reply.status, &reply.body, &id, &self.access.key);
                    (Attempt::Answered { status: reply.status, retry_after }, Err(response))
                }
                Err((attempt, why)) => (attempt, Ok(why)),
            };
            let pause = pauses.next_pause();
            let next = retry::next(&attempt, call.repeat, started.elapsed(), retry_timeout, pause);
            let unreachable = |why: &str| {
                Failure::new(Code::BranchApi, format!("{}: Neon's API: {why}", call.action))
                    .hint("check the network, HTTPS_PROXY and NEON_API_HOST")
            };
            match (next, outcome) {
                (Next::Retry(pause), _) => tokio::time::sleep(pause).await,
                (Next::Verify, Err(response)) => {
                    return Err(ApiError::Unknown(response.failure(&call.action)));
                }
                (Next::Verify, Ok(why)) => return Err(ApiError::Unknown(unreachable(&why))),
                (Next::Return, Err(response)) => return Err(ApiError::ErrorResponse(response)),
                (Next::GiveUp, Err(response)) => {
                    return Err(ApiError::Failed(response.failure(&call.action)));
                }
                (Next::Return | Next::GiveUp, Ok(why)) => return Err(ApiError::Failed(unreachable(&why))),
            }
        }
    }

    async fn attempt(&self, call: &Call, id: &str) -> Result<Reply, (Attempt, String)> {
        let not_sent = |why: String| (Attempt::NotSent, why);
        let mut url = self.access.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["projects", &self.access.project]).extend(&call.path);
        }
        let mut key = HeaderValue::try_from(format!("Bearer {}", self.access.key.reveal()))
            .map_err(|_| not_sent("the key contains characters that a header cannot contain".to_owned()))?;
        key.set_sensitive(true);
        let http = self.http().map_err(|error| not_sent(describe(error)))?;
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
            (attempt, describe(error))
        };
        let mut response = request.send().await.map_err(failed)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| (Attempt::Lost, describe(error)))? {
            body.extend_from_slice(&piece);
            if body.len() > MAX_BODY_BYTES {
                return Err((Attempt::Lost, "the answer is larger than 32 MiB".to_owned()));
            }
        }
        Ok(Reply { status, headers, body })
    }

    fn http(&self) -> Result<&reqwest::Client, reqwest::Error> {
        if let Some(http) = self.http.get() {
            return Ok(http);
        }
        // An earlier call has set the same provider.
        let _set = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .user_agent(concat!("tenure/", env!("CARGO_PKG_VERSION")))
            // The key must not be sent to another host.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ATTEMPT_TIMEOUT)
            .build()?;
        Ok(self.http.get_or_init(|| http))
    }

    fn update_clock(&self, headers: &HeaderMap) {
        let date = headers.get(DATE).and_then(|value| value.to_str().ok()).and_then(retry::http_date);
        if let Some(date) = date {
            self.clock_offset.set(date - OffsetDateTime::now_utc());
        }
    }
}

/// The root cause without the URL, whose query may contain secrets.
fn describe(error: reqwest::Error) -> String {
    let kind = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "it cannot be reached"
    } else {
        "the answer was lost"
    };
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(below) = cause.source() {
        cause = below;
    }
    format!("{kind} ({cause})")
}
