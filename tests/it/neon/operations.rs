//! Operations take their time, falter and fail; endpoints wake; words that nobody knows yet are let through.

use serde_json::json;

use super::Fixture;
use crate::support::{Fault, Project, Session, Verb};

#[test]
fn an_operation_that_failed_and_begins_again_is_waited_for() {
    let fixture = Fixture::new();
    fixture.neon.course("scheduling running failed running finished", Some("no room"));
    let _made = fixture.create("pr-1");
    assert_eq!((fixture.neon.branches(), fixture.neon.ever_made()), (vec!["pr-1".to_owned()], 1));
}

#[test]
fn an_operation_that_ends_badly_leaves_no_branch() {
    for last in ["error", "cancelled"] {
        let fixture = Fixture::new();
        fixture.neon.course(&format!("running {last}"), Some("no room on the pageserver"));
        let (code, error, message) = fixture.refused("branch create --provider neon pr-1");
        assert_eq!((code, error.as_str()), (1, "branch-not-ready"), "{last}: {message}");
        assert!(message.contains("no room on the pageserver"), "{message}");
        assert_eq!((fixture.neon.branches(), fixture.neon.ever_made()), (vec![], 1), "{last}");
    }
}

#[test]
fn skipped_operations_are_done_and_unknown_states_are_awaited() {
    let fixture = Fixture::new();
    fixture.neon.course("running skipped", None);
    let _made = fixture.create("pr-1");
    fixture.neon.set(|settings| {
        settings.extra_fields = [("mood".to_owned(), json!({ "calm": true }))].into_iter().collect();
        settings.branch_state = Some("hibernating".to_owned());
    });
    fixture.neon.course("running meditating cancelling finished", None);
    let _made = fixture.create("pr-2");
    assert_eq!(fixture.neon.branches(), ["pr-1", "pr-2"]);
}

#[test]
fn an_endpoint_that_refuses_at_first_is_asked_again() {
    let fixture = Fixture::with(Project::empty(), |settings| settings.refusals = 3);
    let url = fixture.create("pr-1")["database_url"].as_str().unwrap().to_owned();
    assert_eq!(Session::open(&url).value("SELECT 1::text"), "1");
}

#[test]
fn a_branch_is_ready_when_it_answers_and_not_before() {
    let fixture =
        Fixture::with(Project::empty(), |settings| settings.step = std::time::Duration::from_millis(700));
    let url = fixture.create("pr-1")["database_url"].as_str().unwrap().to_owned();
    assert_eq!(Session::open(&url).value("SELECT 1::text"), "1");
    assert!(fixture.neon.seen(Verb::Operation).len() > 1);
}

#[test]
fn a_project_that_keeps_no_passwords_says_what_to_do() {
    let fixture = Fixture::with(Project::empty(), |settings| settings.stores_passwords = false);
    let (code, error, message) = fixture.refused("branch create --provider neon pr-1");
    assert_eq!((code, error.as_str()), (1, "branch-refused"), "{message}");
    assert_eq!(fixture.neon.branches(), [""; 0]);
}

#[test]
fn a_poll_that_fails_is_no_end() {
    let fixture = Fixture::new();
    fixture.neon.plant(Verb::Operation, 2, Fault::Broken).plant(Verb::Uri, 1, Fault::Dropped);
    let _made = fixture.create("pr-1");
    assert_eq!(fixture.neon.ever_made(), 1);
}
