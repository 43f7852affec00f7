//! Copies that are in the making for a while: nobody else begins them anew, and nobody takes them for whole.

use super::{runs, state, with_everything};
use crate::support::{Project, Session, wait_until};

/// An export of alpha, a tenant of the seeds; a step behind it that waits for the table `public.gate`; a database
/// whose platform has taken that step.
fn older() -> (Project, String) {
    let project = Project::with_tenants(&["alpha"]);
    project.run("tenant export alpha --to alpha.tenure").passes();
    project.run("tenant drop alpha --confirm alpha").passes();
    project.run("tenant drop --purge alpha --now --confirm alpha").passes();
    project.db.run("CREATE TABLE public.gate (id int)");
    let step = "-- Scope: tenant\nINSERT INTO workspaces (name) SELECT 'gate' FROM public.gate;";
    project.next_migration(step);
    project.run("migrate up").passes();
    let file = project.dir.path().join("alpha.tenure").display().to_string();
    (project, file)
}

#[test]
fn a_second_import_of_the_same_tenant_is_refused() {
    let (project, file) = older();
    let holder = Session::holding(&project.db, "LOCK TABLE public.gate IN ACCESS EXCLUSIVE MODE");
    let import = project.start(&format!("tenant import {file} --lock-timeout 1m"));
    project.db.wait_for_waiting(1);
    // Its unit has the version row, so it is alive however long that takes.
    let again = format!("tenant import {file} --format json");
    for line in ["tenant create alpha --if-not-exists --format json", &again] {
        let refused = project.run(line);
        assert_eq!(refused.code, 1, "{refused}");
        assert!(refused.stdout.contains("tenant-state"), "{refused}");
    }
    holder.release();
    import.end().passes();
    assert_eq!(project.versions(), "platform 1.0.5, alpha 1.0.5");
}

#[test]
fn a_killed_import_is_reported_and_can_be_dropped() {
    let (project, file) = older();
    let holder = Session::holding(&project.db, "LOCK TABLE public.gate IN ACCESS EXCLUSIVE MODE");
    let import = project.start(&format!("tenant import {file} --lock-timeout 1m"));
    let pid = project.db.wait_for_waiting(1).remove(0);
    import.signal("KILL");
    assert_ne!(import.end().code, 0);
    project.db.run(&format!("SELECT pg_terminate_backend({pid})::text"));
    holder.release();
    let gone = format!("SELECT count(*)::text FROM pg_stat_activity WHERE pid = {pid}");
    wait_until("the server to notice", || project.db.value(&gone) == "0");
    for line in [format!("tenant import {file}"), "tenant create alpha --if-not-exists".to_owned()] {
        let refused = project.run(&line);
        assert_eq!(refused.code, 1, "{refused}");
        assert!(refused.stderr.contains("error[tenant-state]"), "{refused}");
        assert!(refused.stderr.contains("tenure tenant drop"), "{refused}");
    }
    project.run("tenant drop alpha --confirm alpha").passes();
    let refused = project.run(&format!("tenant import {file}"));
    assert!(refused.stderr.contains("tenure tenant drop --purge"), "{refused}");
    project.run("tenant drop --purge alpha --now --confirm alpha").passes();
    project.run(&format!("tenant import {file}")).passes();
    assert_eq!(runs(&project, "import").len(), 2);
}

#[test]
fn the_same_command_replaces_a_killed_copy_after_its_deadline() {
    let project = with_everything();
    let holder = Session::holding(&project.db, "LOCK TABLE org_alpha.kinds IN ACCESS EXCLUSIVE MODE");
    let clone = project.start("tenant clone alpha beta --data --lock-timeout 1m");
    let pid = project.db.wait_for_waiting(1).remove(0);
    let over = "UPDATE datalinx_platform.tenant_version SET making_until = now() WHERE status = 'creating'";
    // While its session has the version row it is alive, whatever the clock says.
    let refused = project.run("tenant clone alpha beta --data");
    assert!(refused.stderr.contains("error[tenant-state]"), "{refused}");
    clone.signal("KILL");
    assert_ne!(clone.end().code, 0);
    project.db.run(&format!("SELECT pg_terminate_backend({pid})::text"));
    holder.release();
    let gone = format!("SELECT count(*)::text FROM pg_stat_activity WHERE pid = {pid}");
    wait_until("the server to notice", || project.db.value(&gone) == "0");
    let refused = project.run("tenant clone alpha beta --data");
    assert!(refused.stderr.contains("until 20"), "{refused}");
    project.db.run(over);
    project.run("tenant clone alpha beta --data").passes();
    assert!(state(&project).contains(&"beta org_beta 1.0.4 active".to_owned()));
}

#[test]
fn a_clone_that_waits_for_its_rows_is_no_active_tenant_for_anybody() {
    let project = with_everything();
    project
        .db
        .run("ALTER TABLE datalinx_platform.organizations ADD COLUMN state text NOT NULL DEFAULT 'active'");
    project.file("tenure.toml", "[tenants.columns]\nstatus = \"state\"\n");
    let holder = Session::holding(&project.db, "LOCK TABLE org_alpha.kinds IN ACCESS EXCLUSIVE MODE");
    let clone = project.start("tenant clone alpha beta --data --lock-timeout 1m");
    project.db.wait_for_waiting(1);
    let said = "SELECT state FROM datalinx_platform.organizations WHERE slug = 'beta'";
    assert_eq!(project.db.column(said), ["creating"]);
    holder.release();
    clone.end().passes();
    assert_eq!(project.db.column(said), ["active"]);
}

#[test]
fn objects_of_others_in_an_unfinished_copy_are_not_dropped() {
    let project = with_everything();
    let holder = Session::holding(&project.db, "LOCK TABLE org_alpha.kinds IN ACCESS EXCLUSIVE MODE");
    let clone = project.start("tenant clone alpha beta --data --lock-timeout 1m --format json");
    let pid = project.db.wait_for_waiting(1).remove(0);
    project.db.run("CREATE TABLE public.looks (mood org_beta.mood)");
    project.db.run(&format!("SELECT pg_terminate_backend({pid})::text"));
    let output = clone.end();
    holder.release();
    assert_eq!(output.code, 1, "{output}");
    assert!(output.stdout.contains("public.looks"), "{output}");
    assert_eq!(project.db.value("SELECT count(*)::text FROM public.looks"), "0");
    assert!(state(&project).contains(&"beta org_beta 1.0.4 creating".to_owned()));
}

#[test]
fn an_interrupted_clone_or_import_leaves_nothing() {
    let project = with_everything();
    let before = state(&project);
    let holder = Session::holding(&project.db, "LOCK TABLE org_alpha.kinds IN ACCESS EXCLUSIVE MODE");
    let mut clone = project.start("tenant clone alpha beta --data --lock-timeout 1m");
    project.db.wait_for_waiting(1);
    clone.signal("TERM");
    clone.says("interrupted");
    holder.release();
    let output = clone.end();
    assert_eq!(output.code, 130, "{output}");
    assert_eq!(state(&project), before);
    assert_eq!(runs(&project, "clone"), ["tenure tenant clone interrupted beta"]);

    let (project, file) = older();
    let holder = Session::holding(&project.db, "LOCK TABLE public.gate IN ACCESS EXCLUSIVE MODE");
    let mut import = project.start(&format!("tenant import {file} --lock-timeout 1m"));
    project.db.wait_for_waiting(1);
    import.signal("TERM");
    import.says("interrupted");
    holder.release();
    let output = import.end();
    assert_eq!(output.code, 130, "{output}");
    assert!(state(&project).is_empty(), "{:?}", state(&project));
    assert_eq!(runs(&project, "import"), ["tenure tenant import interrupted alpha"]);
}

#[test]
fn an_import_is_interrupted_while_its_rows_come_in() {
    let project = Project::with_tenants(&[]);
    project.file(
        "tenant_templates/default/900.sql",
        "CREATE FUNCTION nap() RETURNS boolean LANGUAGE sql AS \
         $$ SELECT pg_sleep(coalesce(nullif(current_setting('my.nap', true), ''), '0')::float)::text IS NOT NULL $$;\n\
         CREATE TABLE slow (filling text, CHECK (nap()));",
    );
    project.create(&["alpha"]);
    // Several times what is sent at once.
    project.db.run(
        "SET search_path = org_alpha; INSERT INTO slow SELECT (SELECT string_agg(md5(a::text || b), '') FROM generate_series(1, 3000) b) \
         FROM generate_series(1, 100) a",
    );
    project.run("tenant export alpha --to alpha.tenure").passes();
    let before = state(&project);
    project.db.run(&format!("ALTER DATABASE {} SET my.nap = '0.3'", project.db.name));
    let mut import = project.start("tenant import alpha.tenure --as beta");
    let asleep = "SELECT count(*)::text FROM pg_stat_activity \
                  WHERE datname = current_database() AND wait_event = 'PgSleep'";
    wait_until("the rows to come in", || project.db.value(asleep) == "1");
    import.signal("TERM");
    import.says("interrupted");
    let began = std::time::Instant::now();
    assert_eq!(import.end().code, 130);
    assert!(began.elapsed() < std::time::Duration::from_secs(15), "{:?}", began.elapsed());
    assert_eq!(state(&project), before);
}

#[test]
fn a_number_that_the_registry_gives_is_not_copied() {
    let project = Project::with_tenants(&[]);
    project.db.run(
        "ALTER TABLE datalinx_platform.organizations ADD COLUMN number bigint GENERATED BY DEFAULT AS IDENTITY UNIQUE, \
         ADD COLUMN old_number bigserial UNIQUE",
    );
    project.create(&["alpha"]);
    project.run("tenant export alpha --to alpha.tenure").passes();
    project.run("tenant import alpha.tenure --as beta").passes();
    // As in another database, whose own numbers come to that one later.
    project.run("tenant drop alpha --confirm alpha").passes();
    project.run("tenant drop --purge alpha --now --confirm alpha").passes();
    project.db.run(
        "ALTER SEQUENCE datalinx_platform.organizations_number_seq RESTART 1; \
        UPDATE datalinx_platform.organizations SET number = 100",
    );
    project.run("tenant import alpha.tenure").passes();
    project.run("tenant create gamma").passes();
}

#[test]
fn values_that_a_clone_does_not_need_are_not_asked_for() {
    let project = Project::with_tenants(&[]);
    project.file(
        "tenant_templates/default/after_create/1.sql",
        "-- Parameter: first literal\nINSERT INTO workspaces (name) VALUES ({first});",
    );
    project.run("tenant create alpha --set first=one").passes();
    project.run("tenant clone alpha beta").passes();
    // Rows of the template itself are another matter.
    project.file(
        "tenant_templates/default/900.sql",
        "-- Parameter: seats literal sample '5'\nCREATE TABLE account (seats int);\nINSERT INTO account VALUES ({seats}::int);",
    );
    project.run("tenant create gamma --set first=one --set seats=7").passes();
    let refused = project.run("tenant clone gamma delta");
    assert_eq!(refused.code, 2, "{refused}");
    assert!(refused.stderr.contains("--data") && !refused.stderr.contains("--set"), "{refused}");
    project.run("tenant clone gamma delta --data").passes();
    assert_eq!(project.db.column("SELECT seats::text FROM org_delta.account"), ["7"]);
}

#[test]
fn a_schema_is_adopted_with_the_values_that_it_was_made_with() {
    let project = Project::with_tenants(&[]);
    project.file(
        "tenant_templates/default/900.sql",
        "-- Parameter: plan literal\nCREATE TABLE account (plan text DEFAULT {plan});",
    );
    project.run("tenant create alpha --set plan=pro").passes();
    project.db.run("DELETE FROM datalinx_platform.tenant_version");
    let refused = project.run("tenant adopt org_alpha --slug alpha --version 1.0.4");
    assert_eq!(refused.code, 2, "{refused}");
    assert!(refused.stderr.contains("error[parameter-invalid]"), "{refused}");
    project.run("tenant adopt org_alpha --slug alpha --version 1.0.4 --set plan=pro").passes();
    let kept = "SELECT parameters::text FROM datalinx_platform.tenant_version";
    assert_eq!(project.db.value(kept), r#"{"plan": "pro"}"#);
    project.run("drift").passes();
}

#[test]
fn an_import_keeps_the_values_that_the_tenant_brought() {
    let project = Project::with_tenants(&[]);
    project.file(
        "tenant_templates/default/900.sql",
        "-- Parameter: plan literal\nCREATE TABLE account (plan text DEFAULT {plan});",
    );
    project.run("tenant create alpha --set plan=pro").passes();
    project.run("tenant export alpha --to alpha.tenure").passes();
    project.migration("1.0.4", "1.0.5", "note", "ALTER TABLE workspaces ADD COLUMN note text;");
    project.run("migrate up").passes();
    project.run("tenant import alpha.tenure --as beta").passes();
    let (code, drift) = project.json("drift");
    assert_eq!((code, &drift["tenants"]["same"]), (0, &2.into()), "{drift}");
    project.run("tenant clone beta gamma --data").passes();
    assert_eq!(
        project.db.value(
            "SELECT count(DISTINCT parameters)::text || count(*) FROM datalinx_platform.tenant_version"
        ),
        "13"
    );
}
