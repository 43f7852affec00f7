//! A command that ends while the server copies leaves nothing behind.

use super::Fixture;
use crate::support::{Database, Project, Running, Session, wait_until};

/// Starts to make a branch, and waits until the server is at it and cannot go on.
fn stuck(fixture: &Fixture, elsewhere: &Database) -> (Running, Session) {
    // A comment on the source keeps a copy from beginning until it is committed.
    let holder = Session::holding(elsewhere, &format!("COMMENT ON DATABASE {} IS 'held'", fixture.db().name));
    let words = ["branch", "create", "pr-1", "--provider", "local"];
    let mut command = fixture.project.command(words);
    command.env("DATABASE_URL", &fixture.db().url);
    let running = Running::spawn(command);
    wait_until("the copy to wait", || !making(fixture, elsewhere).is_empty());
    (running, holder)
}

/// The sessions that copy the test's database.
fn making(fixture: &Fixture, elsewhere: &Database) -> Vec<String> {
    elsewhere.column(&format!(
        "SELECT pid::text FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE%TEMPLATE \"{}\"%' \
         AND state = 'active' AND wait_event_type = 'Lock'",
        fixture.db().name
    ))
}

fn left(elsewhere: &Database, fixture: &Fixture) -> Vec<String> {
    let mut all = fixture.copies();
    all.extend(
        elsewhere.column("SELECT datname::text FROM pg_database WHERE datname LIKE 'tenure\\_making\\_%'"),
    );
    all
}

#[test]
fn an_interrupted_copy_is_called_off() {
    let (fixture, elsewhere) = (Fixture::new(), Database::fresh());
    let (running, holder) = stuck(&fixture, &elsewhere);
    running.signal("INT");
    let output = running.end();
    assert_eq!(output.code, 130, "{output}");
    assert!(making(&fixture, &elsewhere).is_empty(), "the server is still at it");
    holder.release();
    assert!(left(&elsewhere, &fixture).is_empty());
}

#[test]
fn the_server_gives_up_the_copy_of_who_was_killed() {
    let (fixture, elsewhere) = (Fixture::new(), Database::fresh());
    let (running, holder) = stuck(&fixture, &elsewhere);
    running.signal("KILL");
    let output = running.end();
    assert_eq!(output.code, -1, "{output}");
    wait_until("the server to notice", || making(&fixture, &elsewhere).is_empty());
    holder.release();
    fixture.db().wait_for_silence();
    assert!(left(&elsewhere, &fixture).is_empty());
}

#[test]
fn two_copies_of_one_source_are_made_at_once() {
    let (fixture, elsewhere) = (Fixture::new(), Database::fresh());
    let start = |name: &str| {
        let mut command = fixture.project.command(["branch", "create", name, "--provider", "local"]);
        command.env("DATABASE_URL", &fixture.db().url);
        Running::spawn(command)
    };
    // Both are connected before either of them can begin.
    let puma = Session::open(&fixture.db().url);
    let looking = format!(
        "SELECT pid::text FROM pg_stat_activity WHERE application_name LIKE 'tenure %' AND query LIKE '%datid = ' || \
         (SELECT oid FROM pg_database WHERE datname = '{}') || ' %'",
        fixture.db().name
    );
    let (first, second) = (start("pr-1"), start("pr-2"));
    wait_until("both to wait for the other program", || elsewhere.column(&looking).len() == 2);
    drop(puma);
    let (first, second) = (first.end(), second.end());
    assert_eq!((first.code, second.code), (0, 0), "{first}\n{second}");
    let mut listed = fixture.listed();
    listed.sort();
    assert_eq!(listed, ["pr-1", "pr-2"]);
}

#[test]
fn a_role_that_may_only_enter_the_source_uses_it() {
    let (fixture, elsewhere) = (Fixture::new(), Database::fresh());
    let (name, role) = (&fixture.db().name, format!("{}_ci", fixture.db().name));
    elsewhere.run(&format!("CREATE ROLE {role} LOGIN CREATEDB CONNECTION LIMIT 5"));
    elsewhere.run(&format!("ALTER DATABASE {name} OWNER TO {role}"));
    // Nobody but superusers may enter this one.
    elsewhere.run("REVOKE CONNECT ON DATABASE postgres FROM PUBLIC");
    let (code, document) = fixture.json_at(&fixture.db().url_as(&role), "create pr-1");
    let deleted = fixture.json_at(&fixture.db().url_as(&role), "delete pr-1").1;
    elsewhere.run("GRANT CONNECT ON DATABASE postgres TO PUBLIC");
    assert_eq!((code, &deleted["deleted"]), (0, &true.into()), "{document}");
    elsewhere.run(&format!("ALTER DATABASE {name} OWNER TO tenure; DROP ROLE {role}"));
}

#[test]
fn a_dry_run_whose_copy_another_run_takes_away_says_so() {
    let (fixture, elsewhere) = (Fixture { project: Project::with_tenants(&["a"]) }, Database::fresh());
    fixture.db().run("INSERT INTO org_a.workspaces (name) SELECT 'w' || n FROM generate_series(1, 50) n");
    // Only where there are many rows, which the sample of a shadow has not.
    let sql = "-- Scope: tenant\nSELECT pg_sleep(CASE WHEN (SELECT count(*) FROM workspaces) > 40 THEN 5 ELSE 0 END);";
    fixture.project.migration("1.0.4", "1.0.5", "pending", sql);
    let words = ["migrate", "up", "--branch", "local", "--format", "json"];
    let mut command = fixture.project.command(words);
    command.env("DATABASE_URL", &fixture.db().url).env("TENURE_BRANCH_NAME", "pr-1");
    let running = Running::spawn(command);
    let sleeps = "SELECT count(*)::text FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname LIKE ";
    wait_until("the migration to sleep", || {
        elsewhere.value(&format!("{sleeps}'{}\\_%'", fixture.db().name)) == "1"
    });
    let second = fixture.create("pr-1");
    let output = running.end();
    let document: serde_json::Value =
        serde_json::from_str(&output.stdout).unwrap_or_else(|why| panic!("{why}: {output}"));
    assert_eq!((output.code, &document["error"]["code"]), (1, &"branch-target".into()), "{output}");
    assert_eq!(fixture.copies(), std::slice::from_ref(&second.db.name), "the other run's copy is gone");
}
