//! What is run after a tenant is made: the template's own statements in its transaction, then the command of the
//! settings, without which there is no tenant.

use std::time::{Duration, Instant};

use insta::assert_snapshot;

use crate::support::{Project, Session, wait_until};

/// The seeds' platform, and a command that is run after a tenant is made.
fn with_command(script: &str) -> Project {
    let project = Project::with_tenants(&[]);
    command(&project, script);
    project
}

fn command(project: &Project, script: &str) {
    project.file("bin/hook", format!("#!/bin/sh\n{script}\n"));
    let path = project.dir.path().join("bin/hook");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(path, mode).unwrap();
    project.file("tenure.toml", "[tenants]\nafter_create = [\"bin/hook\", \"an argument\"]\n");
}

fn written(project: &Project, file: &str) -> String {
    std::fs::read_to_string(project.dir.path().join(file)).unwrap_or_default()
}

/// Tenants, schemas and rows of the registry.
fn there(project: &Project) -> String {
    project.db.value(
        "SELECT concat_ws(' ', (SELECT count(*) FROM datalinx_platform.tenant_version), \
         (SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'org_%'), \
         (SELECT count(*) FROM datalinx_platform.organizations))",
    )
}

const HISTORY: &str = "SELECT concat_ws(' ', from_version, to_version, name, kind) FROM datalinx_platform.migration_history \
                       WHERE schema_name = 'org_acme' AND kind IN ('template', 'undone') ORDER BY id";

#[test]
fn the_templates_own_statements_come_last_in_the_same_transaction() {
    let project = Project::with_tenants(&[]);
    project.file(
        "tenant_templates/default/after_create/010_first.sql",
        "-- Parameter: first literal = 'My workspace'\n\
         INSERT INTO workspaces (id, name) \
         SELECT o.id, {first} || o.slug FROM datalinx_platform.organizations o WHERE o.schema_name = '{org_schema}';\n",
    );
    let _made = project.run("tenant create acme --set first=Hello").ok();
    assert_eq!(project.db.value("SELECT name FROM org_acme.workspaces"), "Helloacme");
    let _checked = project.run("template check --shadow").ok();
    let (code, drift) = project.json("drift");
    assert_eq!((code, &drift["tenants"]["same"]), (0, &1.into()));
    project
        .file("tenant_templates/default/after_create/020_wrong.sql", "INSERT INTO workspaces VALUES (1);\n");
    assert_snapshot!(project.run("tenant create other"), @r#"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    error[unit-failed]: creating org_other: column "id" is of type uuid but expression is of type integer
     --> tenant_templates/default/after_create/020_wrong.sql:1:32
      |
    1 | INSERT INTO workspaces VALUES (1);
      |                                ^
      |
      = note: SQLSTATE 42804
      = help: You will need to rewrite or cast the expression.
    "#);
    assert_eq!(there(&project), "1 1 1");
    project.file(
        "tenant_templates/default/after_create/020_wrong.sql",
        "DELETE FROM datalinx_platform.users;\n",
    );
    let denied = project.run("template check");
    assert!(denied.code == 1 && denied.stdout.contains("delete-without-where"), "{denied}");
    project.file("tenant_templates/default/after_create/020_wrong.sql", "CREATE TABLE late (id int);\n");
    assert_snapshot!(project.run("tenant create other"), @"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error[template-invalid]: files in after_create may only write rows, but CREATE TABLE changes the schema
     --> tenant_templates/default/after_create/020_wrong.sql:1:1
      |
    1 | CREATE TABLE late (id int);
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: move the statement into a file of the template itself
    ");
}

#[test]
fn the_command_reads_who_the_tenant_is_while_nothing_is_open() {
    let project = with_command(
        "cat > seen.json; echo \"$1\" > argument; echo a word for people >&2; echo nothing; \
         while [ ! -e go ]; do sleep 0.05; done",
    );
    project.file(
        "tenant_templates/default/900.sql",
        "-- Parameter: plan literal = 'free'\nINSERT INTO workspaces (id, name) VALUES (gen_random_uuid(), {plan});",
    );
    let running = project.start("tenant create acme --set plan=pro --name Acme");
    wait_until("the command", || !written(&project, "argument").is_empty());
    let (_, list) = project.json("tenant list");
    assert_eq!(list["tenants"][0]["status"], "creating");
    let open = "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL \
                AND pid <> pg_backend_pid()";
    assert_eq!(project.db.value(open), "0");
    project.expect_error("tenant create acme --if-not-exists", "tenant-state");
    // A migration does not wait for it.
    project.migration("1.0.4", "1.0.5", "note", "ALTER TABLE workspaces ADD COLUMN note text;");
    let (code, migrated) = project.json("migrate up");
    assert_eq!((code, &migrated["tenants"]["migrated"]), (0, &1.into()));
    project.file("go", "");
    let output = running.end().ok();
    assert_eq!(output.stderr, "acme: a word for people\n");
    let seen: serde_json::Value = serde_json::from_str(&written(&project, "seen.json")).unwrap();
    let id = project.db.value("SELECT id::text FROM datalinx_platform.organizations");
    assert_eq!(
        seen,
        serde_json::json!({ "id": id, "slug": "acme", "name": "Acme", "schema": "org_acme", "version": "1.0.4",
                            "template": "default", "parameters": { "plan": "pro" } })
    );
    assert_eq!(written(&project, "argument"), "an argument\n");
    assert_eq!(project.db.value("SELECT status FROM datalinx_platform.tenant_version"), "active");
}

#[test]
fn without_its_command_there_is_no_tenant() {
    let project = with_command("echo one >&2; printf 'two \\033[2J' >&2; exit 3");
    assert_snapshot!(project.run("tenant create acme"), @"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    acme: one
    acme: two �[2J
    error[hook-failed]: bin/hook ended with exit code 3: two �[2J; the tenant acme was removed
    ");
    assert_eq!(there(&project), "0 0 0");
    assert_snapshot!(project.db.column(HISTORY).join("\n"), @"
    0.0.0 1.0.0 default template
    1.0.4 0.0.0 default undone
    ");
    project.file("tenure.toml", "[tenants]\nafter_create = [\"bin/none\"]\n");
    assert_snapshot!(project.run("tenant create acme"), @"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    error[hook-failed]: bin/none cannot be started: No such file or directory (os error 2); the tenant acme was removed
     = help: tenants.after_create must name a program, relative to the project's folder or on the PATH
    ");
    assert_eq!(there(&project), "0 0 0");
    command(&project, "cat >> seen; grep -q '\"b\"' seen && rm seen && kill -9 $$; rm seen");
    project.file("list.csv", "slug\na\nb\nc\n");
    let (code, document) = project.json("tenant create --from list.csv --jobs 1");
    assert_eq!(code, 4, "{document}");
    assert_eq!(document["failures"][0]["code"], "hook-failed");
    assert!(document["failures"][0]["message"].as_str().unwrap().contains("signal 9"), "{document}");
    assert_eq!(there(&project), "2 2 2");
    command(&project, "true");
    let _made = project.run("tenant create acme").ok();
    assert_eq!(there(&project), "3 3 3");
}

#[test]
fn a_command_that_does_not_end_is_ended_with_all_that_it_started() {
    let project = with_command("echo $$ > pid; sleep 300 & echo $! > child; trap '' TERM; wait; wait");
    project
        .file("tenure.toml", "[tenants]\nafter_create = [\"bin/hook\"]\nafter_create_timeout = \"300ms\"\n");
    let began = Instant::now();
    assert_snapshot!(project.run("tenant create acme"), @"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    error[hook-failed]: bin/hook took longer than 300ms and was terminated; the tenant acme was removed
     = help: raise tenants.after_create_timeout to give it more time
    ");
    assert!(began.elapsed() < Duration::from_secs(20));
    assert_eq!(there(&project), "0 0 0");
    for file in ["pid", "child"] {
        let process = format!("/proc/{}/stat", written(&project, file).trim());
        // Who ended and is nobody's child any more is taken away a moment later.
        let is_gone = || std::fs::read_to_string(&process).map_or(true, |stat| stat.contains(") Z "));
        wait_until("the end of all processes", is_gone);
    }
}

#[test]
fn an_interrupted_command_is_ended_and_its_tenant_taken_back() {
    let project = with_command("echo begun >&2; exec sleep 300");
    let mut running = project.start("tenant create acme");
    running.says("begun");
    running.signal("TERM");
    let output = running.end();
    assert_eq!(output.code, 130, "{output}");
    assert_eq!(there(&project), "0 0 0");
}

#[test]
fn a_killed_create_is_started_again_after_its_deadline() {
    let project = with_command("echo begun >&2; exec sleep 3");
    let mut running = project.start("tenant create acme");
    running.says("begun");
    running.signal("KILL");
    let _killed = running.end();
    let before = project.db.value("SELECT id::text FROM datalinx_platform.organizations");
    let (_, list) = project.json("tenant list");
    assert_eq!(list["tenants"][0]["status"], "creating");
    let refused = project.run("tenant create acme --if-not-exists");
    assert_eq!(refused.code, 1);
    let without_time = regex::Regex::new(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC").unwrap();
    assert_snapshot!(without_time.replace(&refused.to_string(), "THEN"), @"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    error[tenant-state]: creating acme: the tenant of schema org_acme is being made by another run (until THEN)
     = note: SQLSTATE TNP03
     = help: if that run was aborted, repeat the command after that time to create the tenant, or run `tenure tenant drop` to remove what it created
    ");
    project.db.run("UPDATE datalinx_platform.tenant_version SET making_until = now()");
    command(&project, "true");
    let _made = project.run("tenant create acme").ok();
    assert_eq!(there(&project), "1 1 1");
    assert_ne!(project.db.value("SELECT id::text FROM datalinx_platform.organizations"), before);
    assert_snapshot!(project.db.column(HISTORY).join("\n"), @"
    0.0.0 1.0.0 default template
    1.0.4 0.0.0 default undone
    0.0.0 1.0.0 default template
    ");
}

#[test]
fn a_tenant_that_others_hold_on_to_stays_in_the_making() {
    let project = with_command("echo begun >&2; while [ ! -e go ]; do sleep 0.05; done; exit 1");
    let mut running = project.start("tenant create acme");
    running.says("begun");
    project.db.run("CREATE VIEW public.spaces AS SELECT * FROM org_acme.workspaces");
    project.file("go", "");
    assert_snapshot!(running.end(), @"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    error[hook-failed]: bin/hook ended with exit code 1: begun; removing the tenant acme: others depend on what is in schema org_acme: view public.spaces
     = help: it is still in the state `creating`; correct the cause and create it again, which starts over
    ");
    assert_eq!(there(&project), "1 1 1");
    project.db.run("DROP VIEW public.spaces");
    command(&project, "true");
    let _made = project.run("tenant create acme").ok();
    assert_eq!(there(&project), "1 1 1");
}

#[test]
fn a_session_lost_during_a_hook_is_reopened() {
    for (ends, tenants) in [("exit 0", "1 1 1"), ("exit 1", "0 0 0")] {
        let project =
            with_command(&format!("echo begun >&2; while [ ! -e go ]; do sleep 0.05; done; {ends}"));
        let mut running = project.start("tenant create acme");
        running.says("begun");
        let mut session = Session::open(&project.db.url);
        let ended = "SELECT count(pg_terminate_backend(pid))::text FROM pg_stat_activity \
                     WHERE datname = current_database() AND pid <> pg_backend_pid()";
        assert_eq!(session.value(ended), "1");
        project.file("go", "");
        let output = running.end();
        assert_eq!(output.code, i32::from(tenants.starts_with('0')), "{output}");
        assert_eq!(there(&project), tenants);
        let active = "SELECT count(*)::text FROM datalinx_platform.tenant_version WHERE status <> 'active'";
        assert_eq!(project.db.value(active), "0");
    }
}

#[test]
fn processes_of_a_failed_hook_are_ended() {
    let project = with_command("sleep 300 >/dev/null 2>&1 & echo $! > child; exit 3");
    project.expect_error("tenant create acme", "hook-failed");
    let process = format!("/proc/{}/stat", written(&project, "child").trim());
    let is_gone = || std::fs::read_to_string(&process).map_or(true, |stat| stat.contains(") Z "));
    wait_until("the end of what it started", is_gone);
}
