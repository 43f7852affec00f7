//! Where a tenant's role and its metadata disagree: roles that somebody dropped, left behind, opened, gave
//! more to, or that are another database's.

use super::{drop_roles, fleet, isolated, lines};
use crate::support::{Database, Project, Session};

fn role(project: &Project, schema: &str) -> String {
    format!("{}_{schema}", project.db.name)
}

/// Somebody drops a tenant's role.
fn lose(project: &Project, schema: &str) {
    project.db.run(&format!("DROP OWNED BY {0}; DROP ROLE {0}", role(project, schema)));
}

fn expect_isolation(project: &Project) {
    let (code, document) = project.json("tenant audit");
    assert_eq!((code, lines(&document)), (0, Vec::new()), "{document:#}");
}

/// What the version rows say: `schema role`.
fn roles(project: &Project) -> Vec<String> {
    let sql = "SELECT concat(schema_name, ' ', role) FROM datalinx_platform.tenant_version ORDER BY 1";
    let prefix = format!("{}_", project.db.name);
    project.db.column(sql).iter().map(|line| line.replace(&prefix, "")).collect()
}

#[test]
fn the_role_that_a_tenant_lost_is_not_shared_with_the_next_of_that_name() {
    let project = fleet();
    lose(&project, "org_one");
    project.run("tenant rename one uno").passes();
    project.run("tenant grant uno").passes();
    project.run("tenant create one").passes();
    assert_eq!(roles(&project)[0], "org_one org_one");
    assert_eq!(roles(&project)[3], "org_uno org_uno");
    expect_isolation(&project);
    // It keeps its name without a role of that name; the next one's role is not renamed for it.
    lose(&project, "org_two");
    project.run("tenant drop two --confirm two").passes();
    project.run("tenant create two").passes();
    project.run("tenant undrop two --as due").passes();
    project.run("tenant grant").passes();
    assert_eq!(
        roles(&project),
        ["org_due org_due", "org_one org_one", "org_three org_three", "org_two org_two", "org_uno org_uno"]
    );
    expect_isolation(&project);
    drop_roles(&project);
}

#[test]
fn a_role_that_was_left_behind_with_rights_is_found_and_not_used_again() {
    let project = fleet();
    project.db.run(
        "DELETE FROM datalinx_platform.tenant_version WHERE schema_name = 'org_three'; \
         DELETE FROM datalinx_platform.organizations WHERE slug = 'three'; ALTER SCHEMA org_three RENAME TO org_five",
    );
    project.run("tenant adopt org_five --slug five --version 1.0.4").passes();
    let (code, document) = project.json("tenant audit");
    let found = lines(&document);
    assert!(
        code == 1 && found.iter().all(|line| line.starts_with("cross-tenant-privilege | deny | org_five | ")),
        "{found:?}"
    );
    assert!(
        found.contains(&"cross-tenant-privilege | deny | org_five | table workspaces".to_owned()),
        "{found:?}"
    );
    let refused = project.expect_error("tenant create three", "role-exists");
    let said = refused["error"]["message"].as_str().unwrap();
    assert!(said.contains("org_five"), "{said}");
    project.db.run(&format!("DROP OWNED BY {}", role(&project, "org_three")));
    project.run("tenant create three").passes();
    expect_isolation(&project);
    // One whose tenant is only unknown is the tenant's again.
    project.db.run(
        "DELETE FROM datalinx_platform.tenant_version WHERE schema_name = 'org_two'; \
         DELETE FROM datalinx_platform.organizations WHERE slug = 'two'",
    );
    project.run("tenant adopt org_two --slug two --version 1.0.4").passes();
    expect_isolation(&project);
    drop_roles(&project);
}

#[test]
fn membership_in_an_owner_role_is_found() {
    let project = fleet();
    let owner = role(&project, "owner");
    project.db.run(&format!(
        "CREATE ROLE {owner}; GRANT {owner} TO {one}; ALTER SCHEMA org_two OWNER TO {owner}; \
         ALTER TABLE org_two.workspaces OWNER TO {owner}",
        one = role(&project, "org_one"),
    ));
    let expected = format!("role-overprivileged | deny | org_one | role {}", role(&project, "org_one"));
    let (code, document) = project.json("tenant audit");
    assert!(code == 1 && lines(&document).contains(&expected), "{document:#}");
    project.db.run("ALTER SCHEMA org_two OWNER TO CURRENT_USER");
    let (_, document) = project.json("tenant audit");
    assert!(lines(&document).contains(&expected), "{document:#}");
    let helped =
        document["findings"].as_array().unwrap().iter().find(|found| found["rule"] == "role-overprivileged");
    project.db.run(helped.unwrap()["help"].as_str().unwrap());
    let (_, document) = project.json("tenant audit");
    assert!(!lines(&document).contains(&expected), "{document:#}");
    project.db.run("ALTER TABLE org_two.workspaces OWNER TO CURRENT_USER");
    drop_roles(&project);
}

#[test]
fn a_search_path_of_the_role_follows_a_rename() {
    let project = Project::seeds();
    project.file("tenure.toml", "[tenants]\nroles = true\n");
    project.run("migrate up").passes();
    project.create(&["with_settings"]);
    project.db.run("ALTER ROLE org_with_settings SET search_path = org_with_settings, public");
    project.db.run("ALTER ROLE org_with_settings SET application_name = 'org_with_settings'");
    project.run("tenant rename with_settings renamed").passes();
    let settings = "SELECT array_to_string(setconfig, '; ') FROM pg_db_role_setting WHERE setrole = 'org_renamed'::regrole";
    assert_eq!(
        project.db.value(settings),
        "search_path=org_renamed, public; application_name=org_with_settings"
    );
    project.db.run("DROP OWNED BY org_renamed; DROP ROLE org_renamed");
}

#[test]
fn a_role_that_got_too_much_is_closed_all_the_same() {
    let project = fleet();
    let open = |schema: &str| {
        project.db.run(&format!("ALTER ROLE {} LOGIN CREATEDB", role(&project, schema)));
    };
    let closed = |schema: &str| {
        let sql = "SELECT (NOT rolcanlogin)::text FROM pg_roles WHERE rolname";
        project.db.value(&format!("{sql} = '{}'", role(&project, schema)))
    };
    open("org_one");
    project.run("tenant suspend one").passes();
    assert_eq!(closed("org_one"), "true");
    open("org_two");
    project.run("tenant rename two zwei").passes();
    project.run("tenant drop zwei --confirm zwei").passes();
    assert_eq!(closed("org_zwei"), "true");
    // It gets no password.
    open("org_three");
    let refused = project.expect_error("tenant login three", "role-exists");
    let said = refused["error"]["message"].as_str().unwrap();
    assert!(said.contains("may do more"), "{said}");
    drop_roles(&project);
}

#[test]
fn a_copied_database_does_not_touch_the_originals_roles() {
    let project = isolated();
    project.create(&["one", "two"]);
    project.run("tenant login one").passes();
    project.run("tenant login two").passes();
    project.run("tenant suspend one").passes();
    let mut copy = Project::seeds();
    copy.db = Database::copy_of(&project.db);
    copy.file("tenure.toml", format!("[tenants]\nroles = true\nrole_prefix = \"{}_\"\n", project.db.name));
    project.run("tenant resume one").passes();
    let mut session = Session::open(&project.db.url_as(&role(&project, "org_one")));
    let (code, again) = copy.json("tenant suspend one");
    assert_eq!((code, &again["outcome"]), (0, &"nothing".into()), "{again}");
    assert_eq!(session.value("SELECT 'here'"), "here");
    // The way out that it says is one.
    let refused = copy.expect_error("tenant suspend two", "role-exists");
    let hint = refused["error"]["hint"].as_str().unwrap();
    assert!(
        hint.contains("role_prefix") && hint.contains("tenant grant") && !hint.contains("drop the role"),
        "{hint}"
    );
    super::with_roles(&copy);
    copy.run("tenant grant").passes();
    copy.run("tenant suspend two").passes();
    copy.run("tenant drop one --confirm one").passes();
    assert_eq!(session.value("SELECT 'here'"), "here");
    drop(session);
    expect_isolation(&copy);
    drop_roles(&copy);
    drop_roles(&project);
}

#[test]
fn a_new_tenant_and_the_one_that_had_its_name_take_turns() {
    let project = fleet();
    project.run("tenant drop one --confirm one").passes();
    // It stands still with its role renamed already.
    let holder = Session::holding(
        &project.db,
        "SELECT FROM datalinx_platform.organizations WHERE slug LIKE 'dropped%' FOR UPDATE",
    );
    let back = project.start("tenant undrop one --as uno");
    project.db.wait_for_waiting(1);
    let next = project.start("tenant create one");
    project.db.wait_for_waiting(2);
    holder.release();
    for run in [back, next] {
        let ended = run.end();
        assert!(ended.code == 0, "{ended}");
    }
    assert_eq!(roles(&project)[0], "org_one org_one");
    assert_eq!(roles(&project)[3], "org_uno org_uno");
    expect_isolation(&project);
    drop_roles(&project);
}

#[test]
fn rights_that_come_with_every_new_table_are_found() {
    let project = fleet();
    let role = role(&project, "org_one");
    project.db.run(&format!(
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC; \
         ALTER DEFAULT PRIVILEGES GRANT UPDATE ON SEQUENCES TO {role}"
    ));
    let (code, document) = project.json("tenant audit");
    let expected = [
        "cross-tenant-privilege | deny | - | default privileges on sequences",
        "public-right | deny | - | default privileges on tables",
    ];
    assert_eq!((code, lines(&document)), (1, expected.map(str::to_owned).to_vec()), "{document:#}");
    for finding in document["findings"].as_array().unwrap() {
        project.db.run(finding["help"].as_str().unwrap());
    }
    expect_isolation(&project);
    drop_roles(&project);
}

#[test]
fn a_login_may_be_taken_away_in_every_state() {
    let project = fleet();
    project.run("tenant login one").passes();
    project.run("tenant suspend one").passes();
    project.run("tenant login one --revoke").passes();
    project.run("tenant resume one").passes();
    let sql =
        format!("SELECT rolcanlogin::text FROM pg_roles WHERE rolname = '{}'", role(&project, "org_one"));
    assert_eq!(project.db.value(&sql), "false");
    drop_roles(&project);
}

#[test]
fn purge_without_enough_privileges_deletes_nothing() {
    let project = fleet();
    let boss = role(&project, "boss");
    project.run("tenant drop one --confirm one").passes();
    project.db.run(&format!(
        "CREATE ROLE {boss} LOGIN; GRANT {boss} TO CURRENT_USER; \
         DO $$ DECLARE t text; BEGIN FOR t IN SELECT nspname FROM pg_namespace WHERE nspname ~ '^(org|dropped)_' \
         LOOP EXECUTE format('ALTER SCHEMA %I OWNER TO {boss}', t); END LOOP; \
         FOR t IN SELECT oid::regclass FROM pg_class WHERE relkind IN ('r', 'v') AND relnamespace::regnamespace::text \
             ~ '^(dropped_|datalinx_)' LOOP EXECUTE format('ALTER TABLE %s OWNER TO {boss}', t); END LOOP; END $$; \
         ALTER SCHEMA datalinx_platform OWNER TO {boss}"
    ));
    let url = project.db.url_as(&boss);
    let left = "SELECT concat_ws(' ', (SELECT count(*) FROM pg_tables WHERE schemaname ~ '^dropped_'), \
                (SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND connamespace::regnamespace::text ~ '^dropped_'), \
                (SELECT count(purge_began_at) FROM datalinx_platform.tenant_version))";
    let before = project.db.value(left);
    let purge = || project.run_env(&[("DATABASE_URL", &url)], "tenant drop --purge one --now --confirm one");
    // The role is another's to drop.
    let refused = purge();
    assert!(refused.code == 1 && refused.stderr.contains("error[permission-denied]"), "{refused}");
    assert!(refused.stderr.contains("cannot be dropped by"), "{refused}");
    assert_eq!(project.db.value(left), before);
    // So is a table with a key.
    // From 16 on, to make roles gives no right on those that others made.
    project.db.run(&format!(
        "ALTER ROLE {boss} CREATEROLE; \
         DO $$ BEGIN IF current_setting('server_version_num')::int >= 160000 THEN \
             EXECUTE (SELECT format('GRANT %I TO {boss} WITH ADMIN TRUE, INHERIT FALSE', role) \
                 FROM datalinx_platform.tenant_version WHERE status = 'dropped'); END IF; END $$"
    ));
    let key = "SELECT conrelid::regclass::text FROM pg_constraint WHERE contype = 'f' \
               AND connamespace::regnamespace::text ~ '^dropped_' ORDER BY pg_constraint.oid DESC LIMIT 1";
    let table = project.db.value(key);
    project.db.run(&format!("ALTER TABLE {table} OWNER TO tenure"));
    let refused = purge();
    assert!(refused.code == 1 && refused.stderr.contains("does not belong to"), "{refused}");
    assert_eq!(project.db.value(left), before);
    project.db.run(&format!("ALTER TABLE {table} OWNER TO {boss}"));
    purge().passes();
    project.db.run(&format!("REASSIGN OWNED BY {boss} TO CURRENT_USER"));
    drop_roles(&project);
}

#[test]
fn a_copy_brings_back_who_was_dropped_in_the_original() {
    let project = isolated();
    project.create(&["one", "two"]);
    for slug in ["one", "two"] {
        project.run(&format!("tenant login {slug}")).passes();
        project.run(&format!("tenant drop {slug} --confirm {slug}")).passes();
    }
    let mut copy = Project::seeds();
    copy.db = Database::copy_of(&project.db);
    super::with_roles(&copy);
    copy.run("tenant undrop one").passes();
    copy.run("tenant undrop two --as due").passes();
    copy.run("tenant grant").passes();
    assert_eq!(roles(&copy), ["org_due org_due", "org_one org_one"]);
    expect_isolation(&copy);
    // Who is deleted in another copy takes no role along.
    let mut other = Project::seeds();
    other.db = Database::copy_of(&project.db);
    other.run("tenant drop --purge --now --yes").passes();
    project.run("tenant undrop two").passes();
    expect_isolation(&project);
    drop_roles(&copy);
    drop_roles(&project);
}

#[test]
fn a_dropped_tenants_missing_privileges_are_no_finding() {
    let project = isolated();
    project.create(&["one", "two"]);
    project.run("tenant drop one --confirm one").passes();
    project.file("tenant_templates/default/005_uses.sql", "-- Uses: users (select)\n");
    project.run("tenant grant").passes();
    expect_isolation(&project);
    project.run("tenant undrop one").passes();
    let (code, document) = project.json("tenant audit");
    let lacks = "role-lacks | deny | org_one | table users of datalinx_platform".to_owned();
    assert_eq!((code, lines(&document)), (1, vec![lacks]), "{document:#}");
    project.run("tenant grant").passes();
    expect_isolation(&project);
    drop_roles(&project);
}

#[test]
fn the_role_of_an_active_tenant_is_not_taken() {
    let project = fleet();
    let (one, four) = (role(&project, "org_one"), role(&project, "org_four"));
    // As it is where it got its name under another prefix.
    project.db.run(&format!(
        "ALTER ROLE {one} RENAME TO {four}; \
         UPDATE datalinx_platform.tenant_version SET role = '{four}' WHERE schema_name = 'org_one'"
    ));
    for line in ["tenant create four", "tenant rename two four"] {
        project.expect_error(line, "role-exists");
    }
    assert_eq!(roles(&project)[0], "org_one org_four");
    expect_isolation(&project);
    drop_roles(&project);
}
