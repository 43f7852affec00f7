//! Ctrl-C and SIGTERM where nothing is to be finished first, and a second one where something is: the command ends, with its one
//! document, and with it what the server was doing for it.

use serde_json::Value;

use crate::support::{Project, Running, Session, wait_until};

#[test]
fn a_waiting_command_can_be_interrupted() {
    let project = Project::with_tenants(&["a"]);
    project.migration("1.0.4", "1.0.5", "note", "ALTER TABLE workspaces ADD COLUMN note text;");
    for (verb, signal) in [
        ("status", "TERM"),
        ("drift", "INT"),
        ("tenant list", "INT"),
        ("tenant rename a b", "TERM"),
        ("tenant audit", "INT"),
        ("migrate up --plan", "TERM"),
        ("migrate up", "INT"),
        ("migrate repair", "TERM"),
        ("restore-point", "INT"),
    ] {
        let lock =
            "LOCK TABLE datalinx_platform.tenant_version, datalinx_platform.run IN ACCESS EXCLUSIVE MODE";
        let holder = Session::holding(&project.db, lock);
        let running = project.start(&format!("{verb} --format json"));
        project.db.wait_for_waiting(1);
        running.signal(signal);
        let output = running.end();
        assert_eq!(output.code, 130, "{verb}: {output}");
        let document: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
        assert_eq!(document["error"]["code"], "interrupted", "{verb}: {output}");
        holder.release();
        project.db.wait_for_silence();
    }
    assert_eq!(project.versions(), "platform 1.0.4, a 1.0.4");
}

/// Interrupts a command that waits for a lock: twice where it finishes first what it began. What it says.
fn interrupted(project: &Project, mut running: Running, times: usize) -> Value {
    running.signal("INT");
    if times > 1 {
        running.says("interrupted");
        running.signal("INT");
    }
    let output = running.end();
    assert_eq!(output.code, 130, "{output}");
    project.db.wait_for_silence();
    let document: Value =
        serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output}"));
    assert_eq!(document["error"]["code"], "interrupted", "{document}");
    document
}

fn message(document: &Value) -> &str {
    document["error"]["message"].as_str().unwrap()
}

/// The sessions of commands that sleep in a statement.
const ASLEEP: &str = "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";

#[test]
fn an_aborted_unit_is_rolled_back_at_the_server() {
    for (name, sql) in [
        ("platform", "ALTER TABLE users ADD COLUMN note text DEFAULT pg_sleep(60)::text;"),
        ("tenants", "ALTER TABLE workspaces ADD COLUMN note text DEFAULT pg_sleep(60)::text;"),
    ] {
        let project = Project::with_tenants(&["a", "b", "c"]);
        project.db.run(
            "INSERT INTO org_a.workspaces (name) VALUES ('x'); INSERT INTO org_b.workspaces (name) VALUES ('x'); \
             INSERT INTO datalinx_platform.users (email, password_hash, organization_id) \
             SELECT 'a@example.org', 'x', id FROM datalinx_platform.organizations WHERE slug = 'a'",
        );
        project.migration("1.0.4", "1.0.5", name, sql);
        let before = (project.db.dump_of("org_*"), project.versions());
        let running = project.start("migrate up --jobs 3 --format json");
        let workers = if name == "tenants" { 2 } else { 1 };
        wait_until("the units to be under way", || project.db.value(ASLEEP) == workers.to_string());
        let document = interrupted(&project, running, 2);
        let cancelled = message(&document).matches("was cancelled and rolls back").count();
        // The third tenant's unit may be under way too.
        assert!(cancelled >= workers, "{document}");
        let after = (project.db.dump_of("org_*"), project.versions());
        // The third tenant has no row, so its unit may be done.
        if name == "platform" {
            assert!(after == before, "{}", after.1);
        } else {
            assert!(after.1.starts_with("platform 1.0.4, a 1.0.4, b 1.0.4"), "{}", after.1);
        }
        let locks = "SELECT count(*)::text FROM pg_locks JOIN pg_database d ON d.oid = database \
                     WHERE locktype = 'advisory' AND datname = current_database()";
        assert_eq!(project.db.value(locks), "0");
    }
}

#[test]
fn a_build_of_an_index_that_is_broken_off_ends_at_the_server_too() {
    let project = Project::with_tenants(&["a"]);
    project.next_migration("CREATE INDEX CONCURRENTLY workspace_names ON workspaces (name);");
    let writer = Session::holding(&project.db, "INSERT INTO org_a.workspaces (name) VALUES ('w')");
    let running = project.start("migrate up --format json");
    project.db.wait_for_waiting(1);
    running.signal("INT");
    let mut running = running;
    running.says("interrupted");
    running.signal("INT");
    let output = running.end();
    assert_eq!(output.code, 130, "{output}");
    assert_eq!(project.db.waiting(), [""; 0], "{output}");
    assert!(output.stdout.contains("was cancelled"), "{output}");
    writer.release();
    let _done = project.run("migrate up").ok();
    assert_eq!(project.versions(), "platform 1.0.5, a 1.0.5");
}

#[test]
fn a_verb_that_is_given_up_does_not_write_afterwards() {
    let project = Project::with_tenants(&["a"]);
    let state = || {
        project.db.column(
            "SELECT concat_ws(' ', slug, schema_name, version, status) FROM datalinx_platform.organizations \
             FULL JOIN datalinx_platform.tenant_version USING (schema_name) ORDER BY 1",
        )
    };
    let before = state();
    for (verb, times) in [
        ("tenant rename a b", 1),
        ("tenant suspend a", 1),
        ("tenant drop a --confirm a", 1),
        ("tenant login a", 1),
        ("tenant create c --lock-timeout 0s", 2),
        ("tenant clone a c --data --lock-timeout 0s", 2),
        ("tenant pool fill 1 --lock-timeout 0s", 2),
    ] {
        // Whoever changes the registry or a version row waits.
        let holder = Session::holding(
            &project.db,
            "SELECT FROM datalinx_platform.tenant_version FOR UPDATE; \
             LOCK TABLE datalinx_platform.organizations, datalinx_platform.users IN SHARE MODE",
        );
        let running = project.start(&format!("{verb} --format json"));
        project.db.wait_for_waiting(1);
        running.signal("INT");
        let mut running = running;
        if times > 1 {
            running.says("interrupted");
            running.signal("INT");
        }
        let output = running.end();
        assert_eq!(output.code, 130, "{verb}: {output}");
        assert_eq!(project.db.waiting(), [""; 0], "{verb}: {output}");
        assert!(output.stdout.contains("was cancelled"), "{verb}: {output}");
        holder.release();
        project.db.wait_for_silence();
        assert_eq!(state(), before, "{verb}");
    }
}

#[test]
fn a_statement_that_ends_late_is_awaited_and_reported() {
    let project = Project::with_tenants(&["a"]);
    // A statement that most cancellations do not end, and that is over in time.
    project.db.run(
        "CREATE FUNCTION public.deaf() RETURNS text LANGUAGE plpgsql AS $$ DECLARE ends timestamptz := clock_timestamp() + '2 s'; \
         BEGIN LOOP BEGIN PERFORM pg_sleep(0.1); EXCEPTION WHEN query_canceled THEN NULL; END; \
         EXIT WHEN clock_timestamp() > ends; END LOOP; RETURN ''; END $$",
    );
    project.db.run("INSERT INTO org_a.workspaces (name) VALUES ('x')");
    project.migration(
        "1.0.4",
        "1.0.5",
        "deaf",
        "-- Allow: opaque-code because a test\nALTER TABLE workspaces ADD COLUMN note text DEFAULT public.deaf();",
    );
    let running = project.start("migrate up --format json");
    wait_until("the unit to be under way", || project.db.value(ASLEEP) == "1");
    let document = interrupted(&project, running, 2);
    // Whether a cancellation comes between two waits of the function, or behind it, is chance. What is said is so, either way.
    let version = match message(&document) {
        said if said.contains("had already committed") => "1.0.5",
        said if said.contains("rolls back") => "1.0.4",
        said => panic!("{said}"),
    };
    assert_eq!(project.versions(), format!("platform 1.0.4, a {version}"), "{document}");
}

#[test]
fn a_statement_that_does_not_end_in_time_is_named() {
    let project = Project::with_tenants(&["a"]);
    project.db.run(
        "CREATE FUNCTION public.deaf() RETURNS text LANGUAGE plpgsql AS $$ BEGIN LOOP \
         BEGIN PERFORM pg_sleep(1); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$; \
         INSERT INTO org_a.workspaces (name) VALUES ('x')",
    );
    project.migration(
        "1.0.4",
        "1.0.5",
        "deaf",
        "-- Allow: opaque-code because a test\nALTER TABLE workspaces ADD COLUMN note text DEFAULT public.deaf();",
    );
    let mut running = project.start("migrate up --format json");
    wait_until("the unit to be under way", || project.db.value(ASLEEP) == "1");
    let pid = project.db.value("SELECT pid::text FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()");
    running.signal("INT");
    running.says("interrupted");
    running.signal("INT");
    let output = running.end();
    project.db.run(&format!("SELECT pg_terminate_backend({pid})::text"));
    assert_eq!(output.code, 130, "{output}");
    assert!(output.stdout.contains(&format!("server process {pid} is still running")), "{output}");
    assert!(output.stdout.contains(&format!("pg_terminate_backend({pid})")), "{output}");
}

#[test]
fn a_session_renamed_by_its_unit_is_reported_and_kept() {
    let project = Project::with_tenants(&["a"]);
    project.db.run("INSERT INTO org_a.workspaces (name) VALUES ('x')");
    project.migration(
        "1.0.4",
        "1.0.5",
        "renamed",
        "-- Allow: session-state because a test\nSET LOCAL application_name = 'billing';\n\
         ALTER TABLE workspaces ADD COLUMN note text DEFAULT pg_sleep(4)::text;",
    );
    project.without_rules();
    let running = project.start("migrate up --format json");
    wait_until("the unit to be under way", || project.db.value(ASLEEP) == "1");
    let document = interrupted(&project, running, 2);
    assert!(message(&document).contains("may still be running"), "{document}");
    project.db.wait_for_silence();
    // It was not cancelled, so it committed.
    wait_until("the unit to commit", || project.versions() == "platform 1.0.4, a 1.0.5");
}
