//! Copies whose connection breaks: inside of the answer to a COMMIT, where only the database knows what was done, and before it.

use super::{rows, runs, state, with_everything};
use crate::support::{Project, Session, Wire};

/// What the message says that commits a tenant which is still being made, and what the message says that makes it active.
const FIRST: &str = "SET making = ";
const LAST: &str = "SET status = 'active'";

/// An export of alpha at 1.0.4, and a platform at 1.0.6.
fn older() -> (Project, String) {
    let project = Project::with_tenants(&["alpha"]);
    project.run("tenant export alpha --to alpha.tenure").passes();
    project.migration("1.0.4", "1.0.5", "note", "ALTER TABLE workspaces ADD COLUMN note text;");
    project.migration("1.0.5", "1.0.6", "more", "ALTER TABLE workspaces ADD COLUMN more text;");
    project.run("migrate up").passes();
    let file = project.dir.path().join("alpha.tenure").display().to_string();
    (project, file)
}

/// Runs a command whose answer to the message with `words` is lost.
fn lose(project: &Project, words: &str, line: &str) {
    let wire = Wire::of(&project.db);
    wire.lose_answer_to(words);
    let done = project.run(&format!("--database-url {} {line}", wire.url(&project.db)));
    assert!(wire.has_lost(), "{line} never said {words:?}");
    assert_eq!(done.code, 0, "{line}, {words}: {done}");
}

#[test]
fn a_clone_whose_commit_was_done_is_done() {
    let project = with_everything();
    for (target, words, flags) in
        [("one", FIRST, " --data"), ("two", LAST, " --data"), ("three", FIRST, ""), ("four", "COMMIT", "")]
    {
        let words = if words == "COMMIT" { "tenure_record(" } else { words };
        lose(&project, words, &format!("tenant clone alpha {target}{flags}"));
        let line = format!("{target} org_{target} 1.0.4 active");
        assert!(state(&project).contains(&line), "{line}: {:?}", state(&project));
        if !flags.is_empty() {
            assert_eq!(rows(&project.db, &format!("org_{target}")), rows(&project.db, "org_alpha"));
        }
    }
    assert!(
        runs(&project, "clone").iter().all(|run| run.contains(" done ")),
        "{:?}",
        runs(&project, "clone")
    );
    project.run("drift").passes();
}

#[test]
fn an_import_whose_commit_was_done_is_done() {
    let (project, file) = older();
    for (slug, words) in [("one", FIRST), ("two", LAST), ("three", "'import'")] {
        lose(&project, words, &format!("tenant import {file} --as {slug}"));
        let line = format!("{slug} org_{slug} 1.0.6 active");
        assert!(state(&project).contains(&line), "{line}: {:?}", state(&project));
    }
    // One that needs no migration is one transaction.
    project.run("tenant export alpha --to new.tenure").passes();
    lose(&project, FIRST, "tenant import new.tenure --as four");
    assert_eq!(project.repeated_units(), [""; 0]);
    project.run("drift").passes();
}

#[test]
fn an_unknown_commit_is_reported_and_the_command_can_be_repeated() {
    let project = with_everything();
    let wire = Wire::of(&project.db);
    let holder = Session::holding(&project.db, "LOCK TABLE org_alpha.kinds IN ACCESS EXCLUSIVE MODE");
    let url = wire.url(&project.db);
    let clone =
        project.start(&format!("--database-url {url} tenant clone alpha beta --data --connect-attempts 1"));
    project.db.wait_for_waiting(1);
    wire.end();
    let output = clone.end();
    holder.release();
    assert_eq!(output.code, 3, "{output}");
    assert!(output.stderr.contains("left in the state creating"), "{output}");
    project.db.wait_for_silence();
    project
        .db
        .run("UPDATE datalinx_platform.tenant_version SET making_until = now() WHERE status = 'creating'");
    project.run("tenant clone alpha beta --data").passes();
    assert!(state(&project).contains(&"beta org_beta 1.0.4 active".to_owned()));
}

#[test]
fn the_history_of_a_tenant_has_each_step_once_whatever_was_taken_back_before() {
    let project = with_everything();
    let wire = Wire::of(&project.db);
    for _attempt in 0..2 {
        let holder = Session::holding(&project.db, "LOCK TABLE org_alpha.kinds IN ACCESS EXCLUSIVE MODE");
        let url = wire.url(&project.db);
        let clone = project.start(&format!("--database-url {url} tenant clone alpha beta --data"));
        project.db.wait_for_waiting(1);
        wire.cut();
        holder.release();
        let output = clone.end();
        assert_eq!(output.code, 3, "{output}");
    }
    project.run("tenant clone alpha beta --data").passes();
    let (_, history) = project.json("migrate history --tenant beta");
    let entries: Vec<_> =
        history["history"].as_array().unwrap().iter().map(|entry| entry["to"].clone()).collect();
    let (_, alpha) = project.json("migrate history --tenant alpha");
    let of_alpha: Vec<_> =
        alpha["history"].as_array().unwrap().iter().map(|entry| entry["to"].clone()).collect();
    assert_eq!(entries, of_alpha, "{history}");
    let undone = "SELECT count(*)::text FROM datalinx_platform.migration_history WHERE kind = 'undone'";
    assert_eq!(project.db.value(undone), "2");
    // An import that fails on its way to the platform's version is taken back too.
    let (project, file) = older();
    project.db.run("CREATE TABLE public.gate (id int PRIMARY KEY)");
    project.migration(
        "1.0.6",
        "1.0.7",
        "gate",
        "-- Scope: tenant\nINSERT INTO workspaces (name) SELECT 'gate' FROM public.gate WHERE 1 / id > 0;",
    );
    project.run("migrate up").passes();
    project.db.run("INSERT INTO public.gate VALUES (0)");
    assert_eq!(project.run(&format!("tenant import {file} --as beta")).code, 1);
    project.db.run("DELETE FROM public.gate");
    project.run(&format!("tenant import {file} --as beta")).passes();
    let (_, history) = project.json("migrate history --tenant beta");
    let entries = history["history"].as_array().unwrap();
    assert_eq!(entries.iter().filter(|entry| entry["to"] == "1.0.6").count(), 1, "{history}");
}
