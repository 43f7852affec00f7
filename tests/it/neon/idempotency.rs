//! The same job again, an answer that is lost, a name that is taken: there is exactly one branch, and it is as
//! its parent is.

use serde_json::json;

use super::Fixture;
use crate::support::{Fault, Project, Session, Verb};

#[test]
fn a_job_that_runs_again_gets_its_branch_as_the_parent_is_now() {
    let fixture = Fixture::with(Project::with_tenants(&["acme"]), |_| {});
    let first = fixture.create("pr-1");
    let url = first["database_url"].as_str().unwrap();
    let mut session = Session::open(url);
    session.run("UPDATE datalinx_platform.schema_version SET version = '9.9.9'");
    drop(session);
    fixture.project.db.run("CREATE TABLE datalinx_platform.since ()");

    let second = fixture.create("pr-1");
    assert_eq!((&second["id"], fixture.neon.ever_made()), (&first["id"], 1));
    let mut session = Session::open(second["database_url"].as_str().unwrap());
    assert_eq!(session.value("SELECT version FROM datalinx_platform.schema_version"), "1.0.4");
    assert_eq!(
        session.value("SELECT to_regclass('datalinx_platform.since')::text"),
        "datalinx_platform.since"
    );
    assert_eq!(fixture.neon.seen(Verb::Restore).len(), 1);
}

#[test]
fn a_branch_without_our_annotation_is_not_changed() {
    let fixture = Fixture::new();
    let id = fixture.neon.foreign("pr-1");
    assert_eq!(fixture.not_created("pr-1"), (1, "branch-exists".to_owned()));
    assert_eq!(fixture.not_created("main"), (1, "branch-exists".to_owned()));
    let (code, error, _) = fixture.refused("branch delete pr-1 --provider neon");
    assert_eq!((code, error.as_str()), (1, "branch-exists"));
    assert_eq!(fixture.neon.id_of("pr-1"), id);
    assert!(fixture.neon.seen(Verb::Restore).is_empty() && fixture.neon.seen(Verb::Delete).is_empty());
}

#[test]
fn an_answer_that_is_lost_after_the_effect_makes_no_second_branch() {
    for fault in [Fault::BrokenAfter, Fault::DroppedAfter] {
        let fixture = Fixture::new();
        fixture.neon.plant(Verb::Create, 1, fault.clone());
        let made = fixture.create("pr-1");
        assert_eq!(made["id"], json!(fixture.neon.id_of("pr-1")), "{fault:?}");
        assert_eq!(
            (fixture.neon.branches(), fixture.neon.ever_made()),
            (vec!["pr-1".to_owned()], 1),
            "{fault:?}"
        );
        assert_eq!(fixture.neon.seen(Verb::Create).len(), 1, "{fault:?}");
    }
}

#[test]
fn a_request_that_failed_before_its_effect_is_sent_again() {
    for fault in [Fault::Broken, Fault::Dropped, Fault::Html(502)] {
        let fixture = Fixture::new();
        fixture.neon.plant(Verb::Create, 1, fault.clone());
        let _made = fixture.create("pr-1");
        assert_eq!(
            (fixture.neon.branches(), fixture.neon.ever_made()),
            (vec!["pr-1".to_owned()], 1),
            "{fault:?}"
        );
        assert_eq!(fixture.neon.seen(Verb::Create).len(), 2, "{fault:?}");
    }
}

#[test]
fn a_reset_whose_answer_is_lost_is_done_and_the_rows_are_the_parents() {
    let fixture = Fixture::with(Project::with_tenants(&["acme"]), |_| {});
    let url = fixture.create("pr-1")["database_url"].as_str().unwrap().to_owned();
    Session::open(&url).run("DROP SCHEMA org_acme CASCADE");
    fixture.neon.plant(Verb::Restore, 1, Fault::DroppedAfter);
    let again = fixture.create("pr-1");
    let mut session = Session::open(again["database_url"].as_str().unwrap());
    assert_eq!(session.value("SELECT to_regnamespace('org_acme')::text"), "org_acme");
    assert_eq!(fixture.neon.ever_made(), 1);
}

#[test]
fn a_branch_that_cannot_be_reset_is_recreated() {
    let fixture = Fixture::with(Project::with_tenants(&["acme"]), |_| {});
    let first = fixture.create("pr-1");
    fixture.neon.plant(Verb::Restore, 1, Fault::Refused(422, "", "this branch cannot be reset"));
    let second = fixture.create("pr-1");
    assert_ne!(first["id"], second["id"]);
    assert_eq!((fixture.neon.branches(), fixture.neon.ever_made()), (vec!["pr-1".to_owned()], 2));
}
