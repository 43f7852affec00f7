//! An API that is busy, limits its callers, or is not well: what passes by itself is waited for, within a
//! limit, and what does not pass has a message and an exit code of its own.

use std::time::{Duration, Instant};

use super::Fixture;
use crate::support::{ALWAYS, Fault, Project, Verb};

#[test]
fn a_project_that_is_busy_is_asked_again() {
    let fixture = Fixture::new();
    fixture.neon.plant(Verb::Create, 3, Fault::Busy).plant(Verb::Project, 1, Fault::Unavailable);
    let _made = fixture.create("pr-1");
    assert_eq!((fixture.neon.seen(Verb::Create).len(), fixture.neon.ever_made()), (4, 1));
    // Its own operations are waited for too.
    fixture.run("branch delete pr-1 --provider neon").passes();
}

#[test]
fn a_project_that_stays_busy_is_given_up_as_not_verified() {
    let fixture = Fixture::new();
    fixture.neon.plant(Verb::Create, ALWAYS, Fault::Busy);
    let (code, error, message) = fixture.refused("branch create --provider neon pr-1");
    assert_eq!((code, error.as_str()), (1, "branch-busy"), "{message}");
    assert!(message.starts_with("not verified: ") && message.contains("running operations"), "{message}");
    assert_eq!(fixture.neon.ever_made(), 0);
    assert!(fixture.neon.seen(Verb::Create).len() > 2);
}

#[test]
fn a_pause_that_is_asked_for_is_kept() {
    let fixture = Fixture::new();
    fixture.project.file("tenure.toml", "[branch]\nretry_timeout = \"20s\"\n");
    // A date has no parts of a second, so it is up to one earlier.
    for (index, least) in [0, 4, 4].into_iter().enumerate() {
        let pause = match index {
            0 => None,
            1 => Some(least.to_string()),
            _ => Some(fixture.neon.http_date(Duration::from_secs(least + 1))),
        };
        fixture.neon.plant(Verb::Create, 1, Fault::TooMany(pause.clone()));
        let began = Instant::now();
        let _made = fixture.create(&format!("pr-{index}"));
        assert!(began.elapsed() >= Duration::from_secs(least), "{pause:?}");
    }
    assert_eq!((fixture.neon.seen(Verb::Create).len(), fixture.neon.ever_made()), (6, 3));
}

#[test]
fn a_retry_after_beyond_the_limit_fails_at_once() {
    let fixture = Fixture::new();
    fixture.neon.plant(Verb::Create, 1, Fault::TooMany(Some("86400".to_owned())));
    let began = Instant::now();
    assert_eq!(fixture.not_created("pr-1"), (1, "branch-busy".to_owned()));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!((fixture.neon.seen(Verb::Create).len(), fixture.neon.ever_made()), (1, 0));
}

#[test]
fn a_limit_of_requests_is_no_limit_of_the_plan() {
    let fixture = Fixture::new();
    fixture.neon.plant(Verb::Create, ALWAYS, Fault::Refused(429, "", "rate limit exceeded"));
    assert_eq!(fixture.not_created("pr-1"), (1, "branch-busy".to_owned()));
    assert_eq!(fixture.neon.ever_made(), 0);
}

#[test]
fn a_limit_of_the_plan_is_never_green_and_says_so() {
    let fixture = Fixture::with(Project::empty(), |settings| settings.branches = 2);
    let _first = fixture.create("pr-1");
    let (code, error, message) = fixture.refused("branch create --provider neon pr-2");
    assert_eq!((code, error.as_str()), (1, "branch-capacity"), "{message}");
    assert!(
        message.starts_with("not verified: ") && message.contains("BRANCHES_LIMIT_EXCEEDED"),
        "{message}"
    );
    // The reset of the one that is there needs no further one.
    let _again = fixture.create("pr-1");

    fixture.neon.set(|settings| (settings.branches, settings.computes) = (100, 1));
    assert_eq!(fixture.not_created("pr-2"), (1, "branch-capacity".to_owned()));
    fixture.neon.set(|settings| (settings.roots, settings.computes) = (1, 100));
    assert_eq!(fixture.not_created("pr-2 --schema-only"), (1, "branch-capacity".to_owned()));
    // One that comes with another status.
    fixture.neon.plant(Verb::Create, 1, Fault::Refused(409, "BRANCHES_LIMIT_EXCEEDED", "no more"));
    assert_eq!(fixture.not_created("pr-2"), (1, "branch-capacity".to_owned()));
    assert_eq!(fixture.neon.branches(), ["pr-1"]);
}

#[test]
fn a_wrong_key_project_or_address_fails_at_once() {
    let fixture = Fixture::new();
    let run = |variable: &str, value: &str| {
        let output =
            fixture.run_env(&[(variable, value)], "branch create pr-1 --provider neon --format json");
        let document: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
        (output.code, document["error"]["code"].as_str().unwrap().to_owned())
    };
    assert_eq!(run("NEON_API_KEY", "napi_wrong"), (2, "branch-auth".to_owned()));
    assert_eq!(run("NEON_API_KEY", ""), (2, "branch-auth".to_owned()));
    assert_eq!(run("NEON_PROJECT_ID", "other-project-1"), (2, "settings".to_owned()));
    assert_eq!(run("NEON_PROJECT_ID", "postgres://x/y"), (2, "settings".to_owned()));
    assert_eq!(run("NEON_API_HOST", "ftp://127.0.0.1/"), (2, "settings".to_owned()));
    // Nobody listens on that port.
    assert_eq!(run("NEON_API_HOST", "http://127.0.0.1:1/api/v2"), (3, "branch-api".to_owned()));
    let slash = format!("{}/", fixture.neon.base());
    fixture.run_env(&[("NEON_API_HOST", &slash)], "branch create pr-1 --provider neon").passes();
    assert_eq!(fixture.neon.ever_made(), 1);
}

#[test]
fn an_answer_that_takes_its_time_is_waited_for() {
    let fixture = Fixture::new();
    fixture.neon.plant(Verb::Create, 1, Fault::Slow(Duration::from_secs(4)));
    let _made = fixture.create("pr-1");
    assert_eq!((fixture.neon.seen(Verb::Create).len(), fixture.neon.ever_made()), (1, 1));
}

#[test]
fn an_answer_that_is_no_json_is_no_success() {
    let fixture = Fixture::new();
    fixture.neon.plant(Verb::Project, ALWAYS, Fault::Html(200));
    assert_eq!(fixture.not_created("pr-1"), (3, "branch-api".to_owned()));
    assert_eq!(fixture.neon.ever_made(), 0);
}
