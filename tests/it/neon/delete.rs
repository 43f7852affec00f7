//! Deleting: gone is a success, what hinders is waited for, only what is ours goes, and what nobody deletes
//! ends by itself.

use std::time::Duration;

use serde_json::{Value, json};

use super::Fixture;
use crate::escaping::{HOSTILE, assert_output_safe};
use crate::support::{ALWAYS, Fault, Output, Project, Running, Verb, wait_until};

/// The names of what a collection deleted.
fn deleted(collected: &Value) -> Vec<&str> {
    let rows = collected["deleted"].as_array().unwrap().iter();
    rows.map(|row| row["name"].as_str().or(row.as_str()).unwrap()).collect()
}

#[test]
fn deleting_a_missing_branch_succeeds() {
    let fixture = Fixture::new();
    for (gone, name) in [(204, "pr-1"), (404, "pr-2")] {
        fixture.neon.set(|settings| settings.gone = gone);
        let _made = fixture.create(name);
        for _ in 0..2 {
            fixture.run(&format!("branch delete {name} --provider neon")).passes();
        }
    }
    fixture.run("branch delete never --provider neon").passes();
    assert_eq!(fixture.neon.branches(), [""; 0]);
}

#[test]
fn a_deletion_that_fails_once_or_whose_answer_is_lost_is_done() {
    let faults = [Fault::Busy, Fault::Broken, Fault::BrokenAfter, Fault::DroppedAfter, Fault::Unavailable];
    let fixture = Fixture::new();
    for (index, fault) in faults.into_iter().enumerate() {
        let _made = fixture.create(&format!("pr-{index}"));
        fixture.neon.plant(Verb::Delete, 1, fault.clone());
        let deleted = fixture.run(&format!("branch delete pr-{index} --provider neon"));
        assert_eq!((deleted.code, fixture.neon.branches()), (0, vec![]), "{fault:?}: {deleted}");
    }
}

#[test]
fn only_what_is_ours_old_enough_and_of_that_name_is_collected() {
    let fixture = Fixture::with(Project::empty(), |settings| settings.page = 2);
    for name in ["ci/old-1", "ci/old-2", "other/old"] {
        let _made = fixture.create(name);
    }
    fixture.neon.foreign("ci/foreign");
    fixture.neon.foreign("ci/foreign-2");
    fixture.neon.later(Duration::from_hours(1));
    let _young = fixture.create("ci/young");
    let (code, collected) = fixture.json("branch gc --provider neon --prefix ci/ --older-than 30m");
    // The server lists them in no particular order.
    let mut deleted = deleted(&collected);
    deleted.sort_unstable();
    assert_eq!((code, deleted), (0, vec!["ci/old-1", "ci/old-2"]));
    let mut left = fixture.neon.branches();
    left.sort_unstable();
    assert_eq!(left, ["ci/foreign", "ci/foreign-2", "ci/young", "other/old"]);
}

#[test]
fn gc_skips_a_branch_that_was_reset_meanwhile() {
    let fixture = Fixture::new();
    for name in ["ci/a", "ci/b"] {
        let _made = fixture.create(&format!("{name} --expires 1d"));
        // The older one is deleted first; creation times are whole seconds.
        fixture.neon.later(Duration::from_mins(1));
    }
    fixture.neon.later(Duration::from_hours(2));
    fixture.neon.plant(Verb::Delete, 1, Fault::Slow(Duration::from_secs(5)));
    let collecting = fixture.start("branch gc --provider neon --prefix ci/ --older-than 1h --format json");
    wait_until("the first deletion", || fixture.neon.seen(Verb::Delete).len() == 1);
    // A job runs again while the list is worked off.
    assert_eq!(fixture.create("ci/b")["origin"], "reset");
    let output = collecting.end();
    let collected: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!((output.code, deleted(&collected)), (0, vec!["ci/a"]), "{output}");
    assert_eq!((&collected["outcome"], &collected["kept"]), (&json!("done"), &json!(1)));
    assert_eq!(fixture.neon.branches(), ["ci/b"]);
}

#[test]
fn a_killed_run_leaves_a_branch_that_expires() {
    let fixture = Fixture::with(Project::empty(), |settings| settings.step = Duration::from_secs(5));
    let running = fixture.start("branch create --provider neon pr-1 --expires 1h");
    wait_until("the branch", || fixture.neon.branches() == ["pr-1"]);
    running.signal("KILL");
    let _killed = running.end();
    assert_eq!(fixture.neon.branches(), ["pr-1"]);
    fixture.neon.later(Duration::from_mins(61));
    assert_eq!(fixture.neon.branches(), [""; 0]);
}

#[test]
fn an_interrupted_run_deletes_its_branch() {
    for signal in ["INT", "TERM"] {
        let fixture = Fixture::with(Project::empty(), |settings| settings.step = Duration::from_millis(700));
        let running = fixture.start("branch create --provider neon pr-1");
        wait_until("the branch", || fixture.neon.branches() == ["pr-1"]);
        running.signal(signal);
        let output: Output = running.end();
        assert_eq!(output.code, 130, "{signal}: {output}");
        assert_eq!((fixture.neon.branches(), fixture.neon.ever_made()), (vec![], 1), "{signal}: {output}");
    }
}

#[test]
fn an_interrupted_reset_deletes_its_branch() {
    let fixture = Fixture::new();
    let _first = fixture.create("pr-1");
    fixture.neon.plant(Verb::Restore, 1, Fault::Slow(Duration::from_secs(3)));
    let running = fixture.start("branch create --provider neon pr-1");
    wait_until("the reset", || !fixture.neon.seen(Verb::Restore).is_empty());
    running.signal("TERM");
    let output: Output = running.end();
    assert_eq!((output.code, fixture.neon.branches()), (130, vec![]), "{output}");
    // So does what fails after the reset.
    let _first = fixture.create("pr-2");
    fixture.neon.plant(Verb::Update, ALWAYS, Fault::Broken);
    assert_eq!(fixture.not_created("pr-2"), (3, "branch-api".to_owned()));
    assert_eq!(fixture.neon.branches(), [""; 0]);
}

#[test]
fn a_branch_left_by_an_interrupted_reset_is_reported() {
    let fixture = Fixture::new();
    let _first = fixture.create("pr-1");
    fixture.neon.plant(Verb::Restore, 1, Fault::Slow(Duration::from_secs(3)));
    fixture.neon.plant(Verb::Delete, ALWAYS, Fault::Refused(400, "", "not today"));
    let running = fixture.start("branch create --provider neon pr-1");
    wait_until("the reset", || !fixture.neon.seen(Verb::Restore).is_empty());
    running.signal("TERM");
    let output: Output = running.end();
    assert!(output.code == 130 && output.stderr.contains("not today"), "{output}");
    assert!(output.stderr.contains("tenure branch delete --provider neon 'pr-1'"), "{output}");
}

#[test]
fn a_branch_that_another_run_has_reset_is_that_runs() {
    let project = Project::with_tenants(&["acme"]);
    project.db.run("INSERT INTO org_acme.workspaces (name) SELECT 'w' || n FROM generate_series(1, 50) n");
    // Only where there are many rows, which the sample of a shadow has not.
    let sql = "-- Scope: tenant\nSELECT pg_sleep(CASE WHEN (SELECT count(*) FROM workspaces) > 40 THEN 5 ELSE 0 END);";
    project.migration("1.0.4", "1.0.5", "pending", sql);
    let fixture = Fixture::with(project, |_| {});
    let words = ["migrate", "up", "--branch", "neon", "--format", "json"];
    let mut command = fixture.project.command(words);
    command.envs(fixture.neon.environment()).env("TENURE_BRANCH_NAME", "pr-1");
    let running = Running::spawn(command);
    let asleep = "SELECT count(*)::text FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = ";
    wait_until("the migration to sleep", || {
        fixture.neon.branches() == ["pr-1"]
            && fixture.project.db.value(&format!("{asleep}'{}'", fixture.neon.database("pr-1").name)) == "1"
    });
    let second = fixture.create("pr-1");
    let output: Output = running.end();
    let document: Value =
        serde_json::from_str(&output.stdout).unwrap_or_else(|why| panic!("{why}: {output}"));
    assert_eq!((output.code, &document["error"]["code"]), (1, &json!("branch-target")), "{output}");
    assert!(output.stderr.contains("another run has reset it"), "{output}");
    assert!(!output.stderr.contains("branch delete"), "{output}");
    assert_eq!(json!(fixture.neon.id_of("pr-1")), second["id"]);
    assert!(fixture.neon.seen(Verb::Delete).is_empty());
}

#[test]
fn a_list_shows_ours_with_their_ends() {
    let fixture = Fixture::new();
    let made = fixture.create("pr-1");
    fixture.neon.foreign("pr-2");
    let (code, listed) = fixture.json("branch list --provider neon");
    assert_eq!((code, listed["branches"].as_array().unwrap().len()), (0, 1));
    assert_eq!(listed["branches"][0]["name"], "pr-1");
    assert_eq!(listed["branches"][0]["id"], made["id"]);
    assert_eq!(listed["branches"][0]["expires_at"], json!(fixture.neon.branch_json("pr-1")["expires_at"]));
}

#[test]
fn gc_reports_what_neon_does_not_delete() {
    let fixture = Fixture::new();
    for name in ["ci/a", "ci/b"] {
        let _made = fixture.create(name);
    }
    fixture.neon.child_of("ci/a", "somebody's");
    let (code, error, message) = fixture.refused("branch delete ci/a --provider neon");
    assert_eq!((code, error.as_str()), (1, "branch-refused"), "{message}");
    assert!(message.contains("has children"), "{message}");
    fixture.neon.later(Duration::from_mins(10));
    let (code, collected) = fixture.json("branch gc --provider neon --prefix ci/ --older-than 1m");
    assert_eq!((code, deleted(&collected)), (4, vec!["ci/b"]), "{collected}");
    assert_eq!(collected["failures"][0]["name"], "ci/a");
    assert_eq!(fixture.neon.branches(), ["ci/a", "somebody's"]);
}

#[test]
fn names_that_others_gave_in_neon_are_escaped() {
    let fixture = Fixture::new();
    for (number, hostile) in HOSTILE.iter().enumerate() {
        let (ours, theirs) = (format!("ours-{number}"), format!("{hostile} of another"));
        let _made = fixture.create(&ours);
        fixture.neon.rename(&ours, hostile);
        fixture.neon.foreign(&theirs);
    }
    // Neon does not delete a branch with a child.
    fixture.neon.child_of(HOSTILE[0], "child");
    fixture.neon.later(Duration::from_mins(10));
    let lines = ["branch list", "branch gc --prefix x --older-than 1m"].into_iter();
    let lines = lines.flat_map(|line| ["human", "json"].map(|format| (line, format)));
    // What is deleted is gone for the other format.
    let deleting =
        [("branch gc --prefix : --older-than 1m", "human"), ("branch gc --prefix # --older-than 1m", "json")];
    for (line, format) in lines.chain(deleting) {
        let output = fixture.run(&format!("{line} --provider neon -vv --format {format}"));
        assert!(["fake", "add-mask"].iter().any(|name| output.to_string().contains(name)), "{output}");
        assert_output_safe(&output, &[]);
    }
    let refused = Fault::Refused(403, "::error::x", HOSTILE[1]);
    fixture.neon.plant(Verb::List, ALWAYS, refused);
    for format in ["human", "json"] {
        let output = fixture.run(&format!("branch list --provider neon -vv --format {format}"));
        assert!(output.code != 0 && output.to_string().contains("add-mask"), "{output}");
        assert_output_safe(&output, &[]);
    }
}
