//! Deleting: gone is a success, what hinders is waited for, only what is ours goes, and what nobody deletes
//! ends by itself.

use std::time::Duration;

use serde_json::{Value, json};

use super::Story;
use crate::support::{Fault, Output, Project, Verb, wait_until};

/// The names of what a collection deleted.
fn deleted(collected: &Value) -> Vec<&str> {
    let rows = collected["deleted"].as_array().unwrap().iter();
    rows.map(|row| row["name"].as_str().or(row.as_str()).unwrap()).collect()
}

#[test]
fn gone_is_a_success() {
    let story = Story::new();
    for (gone, name) in [(204, "pr-1"), (404, "pr-2")] {
        story.neon.set(|settings| settings.gone = gone);
        let _made = story.create(name);
        for _ in 0..2 {
            story.run(&format!("branch delete {name} --provider neon")).passes();
        }
    }
    story.run("branch delete never --provider neon").passes();
    assert_eq!(story.neon.branches(), [""; 0]);
}

#[test]
fn a_deletion_that_fails_once_or_whose_answer_is_lost_is_done() {
    let faults = [Fault::Busy, Fault::Broken, Fault::BrokenAfter, Fault::DroppedAfter, Fault::Unavailable];
    let story = Story::new();
    for (index, fault) in faults.into_iter().enumerate() {
        let _made = story.create(&format!("pr-{index}"));
        story.neon.plant(Verb::Delete, 1, fault.clone());
        let deleted = story.run(&format!("branch delete pr-{index} --provider neon"));
        assert_eq!((deleted.code, story.neon.branches()), (0, vec![]), "{fault:?}: {deleted}");
    }
}

#[test]
fn only_what_is_ours_old_enough_and_of_that_name_is_collected() {
    let story = Story::with(Project::empty(), |settings| settings.page = 2);
    for name in ["ci/old-1", "ci/old-2", "other/old"] {
        let _made = story.create(name);
    }
    story.neon.foreign("ci/foreign");
    story.neon.foreign("ci/foreign-2");
    story.neon.later(Duration::from_hours(1));
    let _young = story.create("ci/young");
    let (code, collected) = story.json("branch gc --provider neon --prefix ci/ --older-than 30m");
    assert_eq!((code, deleted(&collected)), (0, vec!["ci/old-1", "ci/old-2"]));
    let mut left = story.neon.branches();
    left.sort_unstable();
    assert_eq!(left, ["ci/foreign", "ci/foreign-2", "ci/young", "other/old"]);
}

#[test]
fn what_became_young_meanwhile_is_not_collected() {
    let story = Story::new();
    for name in ["ci/a", "ci/b"] {
        let _made = story.create(&format!("{name} --expires 1d"));
    }
    story.neon.later(Duration::from_hours(2));
    story.neon.plant(Verb::Delete, 1, Fault::Slow(Duration::from_secs(5)));
    let collecting = story.start("branch gc --provider neon --prefix ci/ --older-than 1h --format json");
    wait_until("the first deletion", || story.neon.seen(Verb::Delete).len() == 1);
    // A job runs again while the list is worked off.
    assert_eq!(story.create("ci/b")["origin"], "reset");
    let output = collecting.end();
    let collected: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!((output.code, deleted(&collected)), (0, vec!["ci/a"]), "{output}");
    assert_eq!((&collected["outcome"], &collected["kept"]), (&json!("done"), &json!(1)));
    assert_eq!(story.neon.branches(), ["ci/b"]);
}

#[test]
fn what_is_killed_leaves_a_branch_that_ends_by_itself() {
    let story = Story::with(Project::empty(), |settings| settings.step = Duration::from_secs(5));
    let running = story.start("branch create --provider neon pr-1 --expires 1h");
    wait_until("the branch", || story.neon.branches() == ["pr-1"]);
    running.signal("KILL");
    let _killed = running.end();
    assert_eq!(story.neon.branches(), ["pr-1"]);
    story.neon.later(Duration::from_mins(61));
    assert_eq!(story.neon.branches(), [""; 0]);
}

#[test]
fn what_is_interrupted_deletes_its_branch() {
    for signal in ["INT", "TERM"] {
        let story = Story::with(Project::empty(), |settings| settings.step = Duration::from_millis(700));
        let running = story.start("branch create --provider neon pr-1");
        wait_until("the branch", || story.neon.branches() == ["pr-1"]);
        running.signal(signal);
        let output: Output = running.end();
        assert_eq!(output.code, 130, "{signal}: {output}");
        assert_eq!((story.neon.branches(), story.neon.ever_made()), (vec![], 1), "{signal}: {output}");
    }
}

#[test]
fn a_list_shows_ours_with_their_ends() {
    let story = Story::new();
    let made = story.create("pr-1");
    story.neon.foreign("pr-2");
    let (code, listed) = story.json("branch list --provider neon");
    assert_eq!((code, listed["branches"].as_array().unwrap().len()), (0, 1));
    assert_eq!(listed["branches"][0]["name"], "pr-1");
    assert_eq!(listed["branches"][0]["id"], made["id"]);
    assert_eq!(listed["branches"][0]["expires_at"], json!(story.neon.branch_json("pr-1")["expires_at"]));
}

#[test]
fn what_cannot_be_deleted_is_said_and_the_others_go() {
    let story = Story::new();
    for name in ["ci/a", "ci/b"] {
        let _made = story.create(name);
    }
    story.neon.child_of("ci/a", "somebody's");
    let (code, error, message) = story.refused("branch delete ci/a --provider neon");
    assert_eq!((code, error.as_str()), (1, "branch-refused"), "{message}");
    assert!(message.contains("has children"), "{message}");
    story.neon.later(Duration::from_mins(10));
    let (code, collected) = story.json("branch gc --provider neon --prefix ci/ --older-than 1m");
    assert_eq!((code, deleted(&collected)), (4, vec!["ci/b"]), "{collected}");
    assert_eq!(collected["failed"][0]["name"], "ci/a");
    assert_eq!(story.neon.branches(), ["ci/a", "somebody's"]);
}
