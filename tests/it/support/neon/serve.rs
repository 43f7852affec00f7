//! Handles a request: reads it, checks it against the specification, applies a simulated fault, answers and records it.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State as Held};
use axum::response::Response;
use serde_json::Value;
use tokio::task::spawn_blocking;

use super::api::{self, Reply, route};
use super::fault::{Fault, Seen};
use super::spec::Spec;
use super::state::http_date;
use super::{BASE, Shared, change};

/// The outcome of a request.
enum Fate {
    Answered(Reply),
    Text(u16, &'static str),
    Dropped,
    Moved(String),
    Late(Duration, Reply),
}

/// Handles all requests.
pub async fn request(Held(shared): Held<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, 1 << 20).await.unwrap_or_default();
    let header = |name: &str| Some(parts.headers.get(name)?.to_str().ok()?.to_owned());
    let path = parts.uri.path().strip_prefix(BASE).unwrap_or("/outside").to_owned();
    let (verb, ids) = route(parts.method.as_str(), &path);
    let query = url::form_urlencoded::parse(parts.uri.query().unwrap_or("").as_bytes());
    let seen = Seen {
        verb,
        method: parts.method.to_string(),
        path,
        query: query.into_owned().collect(),
        authorization: header("authorization"),
        user_agent: header("user-agent"),
        body: (!bytes.is_empty()).then(|| serde_json::from_slice(&bytes).unwrap_or(Value::Null)),
        status: 0,
    };
    let held = shared.clone();
    let fate = match spawn_blocking(move || serve(&held, seen, &ids)).await {
        Ok(fate) => fate,
        Err(failed) => {
            shared.note(format!("the test server failed: {failed}"));
            Fate::Dropped
        }
    };
    let reply = match fate {
        Fate::Answered(reply) => reply,
        Fate::Late(time, reply) => {
            tokio::time::sleep(time).await;
            reply
        }
        Fate::Text(status, text) => {
            let answer = Response::builder().status(status).header("content-type", "text/html");
            return answer.body(Body::from(text)).unwrap();
        }
        Fate::Moved(to) => {
            return Response::builder().status(307).header("location", to).body(Body::empty()).unwrap();
        }
        // Ends the task of this connection, which closes it, without printing a panic.
        Fate::Dropped => std::panic::resume_unwind(Box::new("dropped")),
    };
    let now = shared.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner).now();
    let mut answer = Response::builder().status(reply.status).header("date", http_date(now));
    if let Some(after) = reply.retry_after {
        answer = answer.header("retry-after", after);
    }
    match reply.body {
        Some(body) => answer.header("content-type", "application/json").body(Body::from(body.to_string())),
        None => answer.body(Body::empty()),
    }
    .unwrap()
}

fn serve(shared: &Shared, mut seen: Seen, ids: &[String]) -> Fate {
    // A test reports its own panic; later requests must not fail because of it.
    let mut state = shared.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut wrong = Spec::read().map_or_else(Vec::new, |spec| spec.request(&seen));
    let fault = state.faults.iter_mut().find(|planted| planted.verb == seen.verb && planted.times > 0);
    let fault = fault.map(|planted| {
        planted.times = planted.times.saturating_sub(usize::from(planted.times != usize::MAX));
        planted.fault.clone()
    });
    let before = match &fault {
        Some(Fault::Busy) => Some(change::busy()),
        Some(Fault::TooMany(after)) => {
            Some(Reply { retry_after: after.clone(), ..Reply::refused(429, "", "too many requests") })
        }
        Some(Fault::Unavailable) => Some(Reply::refused(503, "", "service unavailable")),
        Some(Fault::Broken) => Some(broken()),
        Some(Fault::Refused(status, code, message)) => Some(Reply::refused(*status, code, *message)),
        _ => None,
    };
    let fate = match (before, fault) {
        (Some(reply), _) => Fate::Answered(reply),
        (None, Some(Fault::Dropped)) => Fate::Dropped,
        (None, Some(Fault::Moved(to))) => Fate::Moved(to),
        (None, Some(Fault::Html(status))) => Fate::Text(status, "<html>a proxy says no</html>"),
        (None, fault) => {
            let reply = api::answer(shared, &mut state, &seen, ids);
            match fault {
                Some(Fault::BrokenAfter) => Fate::Answered(broken()),
                Some(Fault::DroppedAfter) => Fate::Dropped,
                Some(Fault::Slow(time)) => Fate::Late(time, reply),
                _ => Fate::Answered(reply),
            }
        }
    };
    match &fate {
        Fate::Answered(reply) | Fate::Late(_, reply) => {
            seen.status = reply.status;
            if let Some(spec) = Spec::read().filter(|_| !reply.odd && state.settings.true_to_spec()) {
                wrong.extend(spec.answer(&seen, reply.status, reply.body.as_ref()));
            }
        }
        Fate::Text(status, _) => seen.status = *status,
        Fate::Moved(_) => seen.status = 307,
        Fate::Dropped => {}
    }
    let told = wrong.into_iter().map(|what| format!("{} {}: {what}", seen.method, seen.path));
    state.violations.extend(told);
    state.seen.push(seen);
    fate
}

fn broken() -> Reply {
    Reply::refused(500, "", "internal server error")
}
