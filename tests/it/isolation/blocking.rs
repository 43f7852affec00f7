//! A tenant cannot block what an operator does, and a role is given to one tenant only.

use serde_json::json;

use super::{drop_roles, fleet};
use crate::support::{Database, Project, Session};

/// The search path that a function is set to.
fn path(project: &Project, schema: &str) -> Vec<String> {
    project.db.column(&format!(
        "SELECT concat_ws(': ', proname, proconfig[1]) FROM pg_proc \
         WHERE pronamespace = '{schema}'::regnamespace AND proconfig IS NOT NULL ORDER BY 1"
    ))
}

#[test]
fn settings_of_another_tenant_do_not_hold_up_a_rename() {
    let project = fleet();
    let role = format!("{}_org_one", project.db.name);
    project.db.run(&format!("ALTER ROLE {role} SET application_name = 'x org_two.x'"));
    project.db.run(&format!("ALTER ROLE {role} SET search_path = 'org_two', public"));
    project.run("tenant rename two other").passes();
    drop_roles(&project);
}

#[test]
fn the_search_path_of_a_function_follows_a_rename() {
    let project = fleet();
    project.db.run(
        "CREATE FUNCTION org_one.f() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = org_one, pg_temp AS 'SELECT 1'; \
         CREATE FUNCTION org_one.g() RETURNS int LANGUAGE sql SET search_path = \"$user\", \"a, b\", org_one, org_one_b, '' AS 'SELECT 1'",
    );
    let of = |name: &str| {
        vec![
            format!("f: search_path={name}, pg_temp"),
            format!("g: search_path=\"$user\", \"a, b\", {name}, org_one_b, \"\""),
        ]
    };
    assert_eq!(path(&project, "org_one"), of("org_one"));
    project.run("tenant rename one uno").passes();
    assert_eq!(path(&project, "org_uno"), of("org_uno"));
    project.run("tenant drop uno --confirm uno").passes();
    project.run("tenant undrop uno --as due").passes();
    assert_eq!(path(&project, "org_due"), of("org_due"));
    project.run("tenant export due --to due.tenant").passes();
    project.run("tenant import due.tenant --as tre").passes();
    assert_eq!(path(&project, "org_tre"), of("org_tre"));
    assert_eq!(path(&project, "org_due"), of("org_due"));
    drop_roles(&project);
}

#[test]
fn the_search_path_of_a_function_follows_out_of_the_pool() {
    let project = Project::with_tenants(&[]);
    project.file(
        "tenant_templates/default/900.sql",
        "CREATE FUNCTION {org_schema}.f() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = {org_schema}, pg_temp AS 'SELECT 1';",
    );
    project.run("tenant pool fill 1").passes();
    let (_, created) = project.json("tenant create four");
    assert_eq!(
        created["tenants"][0]["pooled"].as_bool().or(created["pooled"].as_bool()),
        None,
        "{created:#}"
    );
    assert_eq!(path(&project, "org_four"), ["f: search_path=org_four, pg_temp"]);
    assert_eq!(
        project.db.value("SELECT count(*)::text FROM pg_namespace WHERE nspname LIKE 'tenure_pool_%'"),
        "0"
    );
}

#[test]
fn a_privilege_in_another_database_does_not_hold_up_a_purge() {
    let project = fleet();
    let role = format!("{}_org_two", project.db.name);
    let other = Database::fresh();
    other.run(&format!("CREATE TABLE shown (id int); GRANT SELECT ON shown TO {role}"));
    project.db.run(&format!("SELECT lo_create(77)::text; GRANT SELECT ON LARGE OBJECT 77 TO {role}"));
    project.run("tenant drop two --confirm two").passes();
    let (code, purged) = project.json("tenant drop two --purge --now --confirm two");
    let kept = purged["purged"][0]["kept_role"].as_str().unwrap_or_default().to_owned();
    assert_eq!(code, 0, "{purged:#}");
    assert!(kept.starts_with("dropped_") && kept.contains(&other.name), "{purged:#}");
    let left = kept.split(':').next().unwrap();
    let state = format!(
        "SELECT concat_ws(' ', rolcanlogin, (SELECT count(*) FROM pg_auth_members WHERE member = r.oid)) FROM pg_roles r WHERE rolname = '{left}'"
    );
    assert_eq!(project.db.value(&state), "f 0");
    // The name is free for the next tenant.
    project.run("tenant create two").passes();
    other.run(&format!("DROP OWNED BY {left}"));
    project.db.run(&format!("DROP OWNED BY {left}; DROP ROLE {left}"));
    drop_roles(&project);
}

#[test]
fn a_role_with_members_is_not_given_to_a_tenant() {
    let project = fleet();
    let db = &project.db.name;
    project.db.run(&format!(
        "CREATE ROLE {db}_org_four; COMMENT ON ROLE {db}_org_four IS 'tenure: of database {db}'; \
         CREATE ROLE {db}_former; GRANT {db}_org_four TO {db}_former"
    ));
    let (code, refused) = project.json("tenant create four");
    assert_eq!((code, &refused["error"]["code"]), (1, &json!("role-exists")), "{refused:#}");
    assert!(refused.to_string().contains(&format!("{db}_former")), "{refused:#}");
    project.db.run(&format!("REVOKE {db}_org_four FROM {db}_former"));
    project.run("tenant create four").passes();
    drop_roles(&project);
}

#[test]
fn a_login_role_with_a_prefix_finds_its_tables() {
    let project = fleet();
    project.run("tenant create four --login").passes();
    let db = &project.db.name;
    let path = |role: &str| Session::open(&project.db.url_as(role)).value("SHOW search_path");
    assert_eq!(path(&format!("{db}_org_four")), "org_four, public");
    let mut session = Session::open(&project.db.url_as(&format!("{db}_org_four")));
    assert_eq!(session.value("SELECT count(*)::text FROM workspaces"), "0");
    drop(session);
    project.run("tenant rename four five").passes();
    assert_eq!(path(&format!("{db}_org_five")), "org_five, public");
    assert_eq!(project.json("tenant audit").0, 0);
    drop_roles(&project);
}

#[test]
fn advisory_locks_of_a_tenant_hold_up_nothing() {
    let project = fleet();
    let db = &project.db.name;
    project.db.run(&format!("ALTER ROLE {db}_org_one LOGIN"));
    let mut tenant = Session::open(&project.db.url_as(&format!("{db}_org_one")));
    tenant.run(&format!(
        "SELECT pg_advisory_lock(hashtext('tenure aside')), pg_advisory_lock(hashtext('tenure alone'), hashtext('org_two')), \
         pg_advisory_lock(hashtext('tenure'), hashtext('datalinx_platform')), \
         pg_advisory_lock(hashtext('tenure'), hashtext('{db}_datalinx_platform_default'))"
    ));
    project.next_migration("CREATE INDEX CONCURRENTLY workspace_names ON workspaces (name);");
    project.run("migrate up").passes();
    project.file("tenant_templates/default/006_uses.sql", "-- Uses: organizations (select)\n");
    project.run("tenant create four").passes();
    project.run("tenant rename two other").passes();
    project.run("tenant drop other --confirm other").passes();
    drop(tenant);
    drop_roles(&project);
}

#[test]
fn runs_a_rename_and_a_drop_wait_for_a_build_that_waits_for_none_of_them() {
    let project = fleet();
    project.db.run(&format!(
        "ALTER DATABASE {} SET default_transaction_isolation = 'repeatable read'",
        project.db.name
    ));
    project.next_migration("CREATE INDEX CONCURRENTLY workspace_names ON workspaces (name);");
    let writer = Session::holding(&project.db, "INSERT INTO org_one.workspaces (name) VALUES ('w')");
    let first = project.start("migrate up --jobs 1");
    let _building = project.db.wait_for_waiting(1);
    let others = ["migrate up", "migrate up", "tenant rename one uno", "tenant drop one --confirm one"];
    let others = others.map(|line| project.start(line));
    let polling = "SELECT (count(*) >= 2)::text FROM pg_stat_activity WHERE datname = current_database() \
                   AND pid <> pg_backend_pid() AND (query LIKE '%tenure_lock%SKIP LOCKED%' OR query = 'ROLLBACK')";
    crate::support::wait_until("the others to ask", || project.db.value(polling) == "true");
    writer.release();
    assert_eq!(first.end().code, 0);
    let [second, third, rename, dropped] = others.map(crate::support::Running::end);
    // One of rename and drop comes first; the other finds no tenant of that name.
    assert_eq!(
        (second.code, third.code, rename.code + dropped.code),
        (0, 0, 1),
        "{second}{third}{rename}{dropped}"
    );
    drop_roles(&project);
}

#[test]
fn a_command_names_the_session_that_it_waits_for() {
    let project = fleet();
    let lock = "SELECT FROM datalinx_platform.tenant_version WHERE schema_name = 'org_one' FOR UPDATE";
    let holder = Session::holding(&project.db, lock);
    let rename = project.start("tenant rename one uno");
    let _waiting = project.db.wait_for_waiting(1);
    // Longer than the two seconds before the first question.
    std::thread::sleep(std::time::Duration::from_secs(6));
    holder.release();
    let rename = rename.end();
    assert_eq!(rename.code, 0, "{rename}");
    let note = rename.stderr.lines().find(|line| line.starts_with("waiting: ")).unwrap_or_default();
    assert!(note.contains("held by process") && note.contains("SELECT FROM"), "{rename}");
    drop_roles(&project);
}

#[test]
fn a_run_waits_for_another_runs_build_no_longer_than_the_statement_timeout() {
    let project = fleet();
    project.next_migration("CREATE INDEX CONCURRENTLY workspace_names ON workspaces (name);");
    let writer = Session::holding(&project.db, "INSERT INTO org_one.workspaces (name) VALUES ('w')");
    let first = project.start("migrate up --jobs 1");
    let _building = project.db.wait_for_waiting(1);
    let second = project.run("migrate up --statement-timeout 2s");
    assert_eq!(second.code, 1, "{second}");
    assert!(second.stderr.contains("another run executes a statement outside of a transaction"), "{second}");
    writer.release();
    assert_eq!(first.end().code, 0);
    drop_roles(&project);
}
