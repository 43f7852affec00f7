//! The one comment with the report, against a server that answers as GitHub's API for comments does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::runner::{Job, Ran};

use crate::support::Finish as _;

use crate::support::LIMIT;

/// A server of one pull request's comments.
struct GitHub {
    comments: Arc<Mutex<Vec<Value>>>,
    base: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl GitHub {
    fn with(comments: Vec<Value>) -> Self {
        let comments = Arc::new(Mutex::new(comments));
        let (started, port) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let state = Arc::clone(&comments);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                started.send(listener.local_addr().unwrap().port()).unwrap();
                let router = axum::Router::new().fallback(answer).with_state(state);
                tokio::select! {
                    served = axum::serve(listener, router) => served.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        let base = format!("http://127.0.0.1:{}", port.recv_timeout(LIMIT).unwrap());
        Self { comments, base, stop: Some(stop), thread: Some(thread) }
    }

    fn comments(&self) -> Vec<Value> {
        self.comments.lock().unwrap().clone()
    }

    /// Runs the action without a key, with a report that is then there.
    fn comment(&self, job: Job, report: &str) -> Ran {
        self.comment_with(job, report, "ghs_t0ken")
    }

    /// The same with a token of the test's.
    fn comment_with(&self, job: Job, report: &str, token: &str) -> Ran {
        let job = job.with("GITHUB_API_URL", &self.base);
        let given = [("command", "dry-run"), ("comment", "true"), ("github_token", token)];
        let mut written = false;
        job.uses_with(&given, BTreeMap::new(), |command| {
            if !written && job.file("temp/tenure-dry-run.md").exists() {
                std::fs::write(job.file("temp/tenure-dry-run.md"), report).unwrap();
                written = true;
            }
            command.finish()
        })
    }
}

impl Drop for GitHub {
    fn drop(&mut self) {
        let _told = self.stop.take().map(|stop| stop.send(()));
        let _ended = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

async fn answer(State(state): State<Arc<Mutex<Vec<Value>>>>, request: Request) -> (StatusCode, String) {
    let token =
        request.headers().get("authorization").and_then(|it| it.to_str().ok()?.strip_prefix("Bearer "));
    let (authorized, person) = match token {
        Some("ghs_t0ken") => (true, None),
        Some(token) => (token.starts_with("ghp_"), token.strip_prefix("ghp_").map(str::to_owned)),
        None => (false, None),
    };
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let mut comments = state.lock().unwrap();
    let path = parts.uri.path().strip_prefix("/repos/us/app/issues/").unwrap_or_default();
    if !authorized {
        return (StatusCode::UNAUTHORIZED, String::new());
    }
    if parts.uri.path() == "/user" {
        // Who runs a job is nobody.
        return match person {
            Some(login) => (StatusCode::OK, json!({ "login": login }).to_string()),
            None => {
                (StatusCode::FORBIDDEN, "{\"message\":\"Resource not accessible by integration\"}".to_owned())
            }
        };
    }
    match (parts.method.as_str(), path) {
        ("GET", "42/comments") => {
            let page = regex::Regex::new(r"^per_page=100&page=(\d+)$").unwrap();
            let page: usize = page.captures(parts.uri.query().unwrap()).unwrap()[1].parse().unwrap();
            let shown: Vec<_> = comments.iter().skip((page - 1) * 100).take(100).cloned().collect();
            (StatusCode::OK, Value::from(shown).to_string())
        }
        ("POST", "42/comments") => {
            let id = comments.len();
            let mut new = comment(id, if person.is_some() { "User" } else { "Bot" }, &text(&body));
            new["user"]["login"] = person.as_deref().unwrap_or("github-actions[bot]").into();
            comments.push(new);
            (StatusCode::CREATED, "{}".to_owned())
        }
        ("PATCH", path) => {
            let id: usize = path.strip_prefix("comments/").unwrap().parse().unwrap();
            comments[id]["body"] = text(&body).into();
            (StatusCode::OK, "{}".to_owned())
        }
        _ => (StatusCode::NOT_FOUND, String::new()),
    }
}

fn text(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap();
    body["body"].as_str().unwrap().to_owned()
}

fn comment(id: usize, whose: &str, body: &str) -> Value {
    json!({ "id": id, "user": { "type": whose, "login": "somebody" }, "body": body })
}

const MARKER: &str = "<!-- tenure dry-run . -->";

fn job() -> (tempfile::TempDir, Job) {
    let folder = tempfile::tempdir().unwrap();
    let job = Job::new(folder.path());
    (folder, job)
}

#[test]
fn there_is_one_comment_and_it_is_kept_up_to_date() {
    // Somebody else's with the marker is not ours, and ours is on the second page.
    let others = (0..120).map(|id| comment(id, "User", &format!("{MARKER}\nhello")));
    let github = GitHub::with(others.collect());
    for report in ["the first\n", "the `second` \"report\" $(date)\n"] {
        let (_folder, job) = job();
        let ran = github.comment(job, report);
        let comments = github.comments();
        assert_eq!(comments.len(), 121, "{ran:?}");
        assert_eq!(comments[120]["body"], format!("{MARKER}\n{report}"), "{ran:?}");
        assert!(comments[..120].iter().all(|comment| comment["body"] == format!("{MARKER}\nhello")));
        assert!(!ran.log.contains("ghs_t0ken"), "{}", ran.log);
    }
}

#[test]
fn with_the_token_of_a_person_there_is_one_comment_too() {
    let github = GitHub::with(vec![comment(0, "User", &format!("{MARKER}\nof another person"))]);
    for token in ["ghs_t0ken", "ghp_ann", "ghp_bob"] {
        for report in ["the first\n", "the second\n"] {
            let (_folder, job) = job();
            let ran = github.comment_with(job, report, token);
            assert!(!ran.log.contains(token), "{}", ran.log);
        }
    }
    // One of each, as it was said last.
    let bodies: Vec<_> = github.comments().iter().map(|it| it["body"].as_str().unwrap().to_owned()).collect();
    assert_eq!(bodies[0], format!("{MARKER}\nof another person"));
    assert_eq!(bodies[1..], vec![format!("{MARKER}\nthe second\n"); 3]);
}

#[test]
fn an_address_is_never_in_a_comment() {
    let github = GitHub::with(vec![]);
    for report in [
        "at postgresql://me:secret@host/db\n",
        "see postgres://host/db",
        "mysql://a:b@c",
        "`Redis://a:b@c`",
        "host=x PASSWORD = y",
    ] {
        let (_folder, job) = job();
        let ran = github.comment(job, report);
        assert!(ran.log.contains("::error title=No comment::"), "{ran:?}");
        assert!(github.comments().is_empty());
    }
    let (_folder, job) = job();
    github.comment(job, "[a link](https://example.com/@me) is none\n");
    assert_eq!(github.comments().len(), 1);
    // Nor is what was struck out already.
    let struck = "`'postgresql://***', 'password=*** x'`\n1 | 'postgres://***'\n";
    github.comment(self::job().1, struck);
    assert!(github.comments()[0]["body"].as_str().unwrap().ends_with(struck));
}

#[test]
fn a_long_report_is_cut_and_a_fork_gets_no_comment() {
    let github = GitHub::with(vec![]);
    let (_folder, ours) = job();
    github.comment(ours, &"ö".repeat(70_000));
    let body = github.comments()[0]["body"].as_str().unwrap().to_owned();
    assert!(body.chars().count() < 65_536 && body.ends_with("ö\n\n…"), "{}", body.chars().count());
    let (_folder, theirs) = job();
    let ran = github.comment(theirs.fork(), "a report\n");
    assert!(ran.log.contains("::notice title=No comment::"), "{ran:?}");
    assert_eq!(github.comments().len(), 1);
}
