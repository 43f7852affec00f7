//! Nothing is sent to a database that is not the branch that was made.

use super::Fixture;
use crate::support::{Fault, Project, Verb};

#[test]
fn a_url_of_another_branch_is_not_used() {
    let fixture = Fixture::with(Project::with_tenants(&["acme"]), |_| {});
    let before = fixture.project.db.dump(&[]);
    fixture.neon.set(|settings| settings.wrong_target = Some("main".to_owned()));
    let (code, error, message) = fixture.refused("branch create --provider neon pr-1");
    assert_eq!((code, error.as_str()), (1, "branch-target"), "{message}");
    assert_eq!(fixture.neon.branches(), [""; 0]);
    assert_eq!(fixture.project.db.dump(&[]), before);
}

#[test]
fn an_endpoint_behind_which_another_database_answers_is_not_used() {
    let fixture = Fixture::new();
    // The host is right, and what answers says that it is main.
    fixture.neon.set(|settings| settings.crossed = true);
    let (code, error, message) = fixture.refused("branch create --provider neon pr-1");
    assert_eq!((code, error.as_str()), (1, "branch-target"), "{message}");
    assert_eq!(fixture.neon.branches(), [""; 0]);
}

#[test]
fn a_branch_protected_meanwhile_is_not_changed() {
    let fixture = Fixture::new();
    let _made = fixture.create("pr-1");
    fixture.neon.protect("pr-1");
    assert_eq!(fixture.not_created("pr-1"), (1, "branch-exists".to_owned()));
    let (code, error, _) = fixture.refused("branch delete pr-1 --provider neon");
    assert_eq!((code, error.as_str()), (1, "branch-exists"));
    assert_eq!(fixture.neon.branches(), ["pr-1"]);
    assert!(fixture.neon.seen(Verb::Delete).is_empty() && fixture.neon.seen(Verb::Restore).is_empty());
}

#[test]
fn a_branch_without_a_compute_is_not_ready() {
    let fixture = Fixture::new();
    fixture.neon.plant(Verb::Endpoints, 1, Fault::Refused(404, "", "branch not found"));
    let (code, error, message) = fixture.refused("branch create --provider neon pr-1");
    assert_eq!((code, error.as_str()), (1, "branch-not-found"), "{message}");
    assert_eq!(fixture.neon.branches(), [""; 0]);
}
