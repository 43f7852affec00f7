//! Connections that break under a run: what the server went on with is this run's own work, what was only asked is asked
//! again, and a server that is gone ends the run.

use crate::support::{Output, Project, Session, Wire, wait_until};

/// A run over `wire`, which answers in JSON.
fn up(project: &Project, wire: &Wire, flags: &str) -> crate::support::Running {
    project.start(&format!(
        "--database-url {} migrate up --format json --retries 3{flags}",
        wire.url(&project.db)
    ))
}

fn document(output: &Output) -> serde_json::Value {
    serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output}"))
}

/// What a run says whose connection is cut while its unit waits for who reads `table`, and whose next try waits for that unit.
fn cut_behind(table: &str, project: &Project, flags: &str) -> serde_json::Value {
    let wire = Wire::of(&project.db);
    let holder = Session::holding(&project.db, &format!("SELECT FROM {table}"));
    let running = up(project, &wire, flags);
    project.db.wait_for_waiting(1);
    wire.cut();
    project.db.wait_for_waiting(2);
    holder.release();
    document(&running.end().ok())
}

#[test]
fn a_platforms_unit_that_the_server_goes_on_with_behind_a_cut_is_ours() {
    let project = Project::with_tenants(&["a", "b"]);
    project.next_migration("ALTER TABLE datalinx_platform.users ADD COLUMN note text;");
    let done = cut_behind("datalinx_platform.users", &project, "");
    assert_eq!((&done["outcome"], &done["units"]), (&"done".into(), &1.into()), "{done}");
    assert_eq!(done["tenants"]["migrated"], 2, "{done}");
    assert_eq!(project.versions(), "platform 1.0.5, a 1.0.5, b 1.0.5");
}

#[test]
fn tenants_units_that_the_server_goes_on_with_behind_a_cut_are_ours() {
    let project = Project::with_tenants(&["a", "b", "c", "d"]);
    project.next_migration("ALTER TABLE workspaces ADD COLUMN note text;");
    let done = cut_behind("org_b.workspaces", &project, " --jobs 1");
    assert_eq!((&done["outcome"], &done["units"]), (&"done".into(), &4.into()), "{done}");
    assert_eq!(
        (&done["tenants"]["migrated"], &done["tenants"]["unchanged"]),
        (&4.into(), &0.into()),
        "{done}"
    );
    assert_eq!(project.repeated_units(), [""; 0]);
}

#[test]
fn a_connection_that_idled_too_long_between_units_is_replaced() {
    let project = Project::with_tenants(&["a", "b"]);
    project.migration("1.0.4", "1.0.5", "note", "ALTER TABLE workspaces ADD COLUMN note text;");
    let holder = Session::holding(&project.db, "SELECT FROM org_b.workspaces");
    project.db.run(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET idle_session_timeout = 500', current_database()); END $$",
    );
    let running = project.start("migrate up --format json --jobs 2");
    project.db.wait_for_waiting(1);
    // The one that waits is the second worker's or the first's: in either case the other has nothing to do.
    let idle = "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle' \
                AND pid <> pg_backend_pid() AND application_name LIKE 'tenure %'";
    wait_until("the other's session to be ended", || project.db.value(idle) == "0");
    holder.release();
    let output = running.end().ok();
    assert_eq!(document(&output)["outcome"], "done", "{output}");
    assert_eq!(project.versions(), "platform 1.0.5, a 1.0.5, b 1.0.5");
}

#[test]
fn a_server_that_is_gone_ends_the_run_even_where_it_goes_on_after_failures() {
    let project = Project::with_tenants(&["a", "b", "c", "d"]);
    project.migration("1.0.4", "1.0.5", "note", "ALTER TABLE workspaces ADD COLUMN note text;");
    let wire = Wire::of(&project.db);
    let _holder = Session::holding(&project.db, "SELECT FROM org_a.workspaces");
    let url = wire.url(&project.db);
    let flags = "--format json --jobs 1 --retries 0 --on-failure continue --connect-attempts 1";
    let running = project.start(&format!("--database-url {url} migrate up {flags}"));
    project.db.wait_for_waiting(1);
    wire.end();
    let output = running.end();
    let failed = document(&output);
    assert_eq!(
        (&failed["outcome"], failed["failures"].as_array().map(Vec::len)),
        (&"failed".into(), Some(1)),
        "{failed}"
    );
}

#[test]
fn a_connection_lost_during_the_last_message_takes_nothing_from_the_result() {
    for goes_on in [true, false] {
        let project = Project::with_tenants(&["a"]);
        project.migration("1.0.4", "1.0.5", "note", "ALTER TABLE workspaces ADD COLUMN note text;");
        let wire = Wire::of(&project.db);
        let unit = Session::holding(&project.db, "SELECT FROM org_a.workspaces");
        let running = up(&project, &wire, " --connect-attempts 1");
        project.db.wait_for_waiting(1);
        // The last unit is committed; its message then waits to record the end.
        let note = Session::holding(&project.db, "LOCK TABLE datalinx_platform.run IN SHARE MODE");
        unit.release();
        wait_until("the end to be noted", || {
            project.db.waiting().iter().any(|_| project.versions() == "platform 1.0.5, a 1.0.5")
        });
        if goes_on {
            wire.cut();
        } else {
            wire.end();
        }
        if goes_on {
            project.db.wait_for_waiting(2);
        }
        note.release();
        let output = running.end();
        let done = document(&output);
        let told = output.stderr.contains("recording the end of the run failed");
        assert_eq!(told, !goes_on, "{output}");
        // Without a server the outcome of the last unit is not known.
        let (outcome, code) = if goes_on { ("done", 0) } else { ("partial", 4) };
        assert_eq!((&done["outcome"], &done["units"]), (&outcome.into(), &1.into()), "{output}");
        assert_eq!(output.code, code, "{output}");
        assert_eq!(project.json("migrate up").1["outcome"], "nothing");
    }
}

#[test]
fn a_run_asks_only_what_it_needs_a_new_answer_for() {
    let project = Project::with_tenants(&["a"]);
    project.next_migration("ALTER TABLE workspaces ADD COLUMN note text;");
    let wire = Wire::of(&project.db);
    let done = document(&up(&project, &wire, " --jobs 1").end().ok());
    assert_eq!(done["outcome"], "done");
    // The pooler and the state; the run and the tenants; a unit; the platform's row and the end of the run.
    assert_eq!(wire.counted(), (4, 1));
    project.next_migration("ALTER TABLE workspaces ADD COLUMN other text;");
    assert_eq!(document(&up(&project, &wire, "").end().ok())["outcome"], "done");
    // The number of free connections is read with the tenants.
    assert_eq!(wire.counted().0, 4);
    assert_eq!(document(&up(&project, &wire, "").end().ok())["outcome"], "nothing");
    assert_eq!(wire.counted(), (1, 1));
}
