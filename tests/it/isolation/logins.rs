//! Each of twenty tenants logs in with the password that was shown, tries what it must not do to the other
//! nineteen, and does its own work.

use serde_json::Value;

use super::server::{Login, PasswordServer};
use crate::support::csv;

const TENANTS: usize = 20;

/// What a role may not do to the schema of another: read, write, change, list.
const REFUSED: &[&str] = &[
    "SELECT * FROM {other}.workspaces",
    "SELECT name FROM {other}.workspaces",
    "SELECT count(*) FROM {other}.notes",
    "INSERT INTO {other}.workspaces (name) VALUES ('mine')",
    "UPDATE {other}.workspaces SET name = 'mine'",
    "DELETE FROM {other}.workspaces",
    "TRUNCATE {other}.workspaces CASCADE",
    "COPY {other}.workspaces TO STDOUT",
    "DO $$ BEGIN LOCK TABLE {other}.workspaces IN ACCESS SHARE MODE; END $$",
    "SELECT nextval('{other}.notes_id_seq')",
    "SELECT {other}.whose()",
    "ALTER TABLE {other}.workspaces ADD COLUMN mine int",
    "DROP TABLE {other}.workspaces CASCADE",
    "CREATE TABLE {other}.mine (id int)",
    "CREATE VIEW pg_temp.mine AS SELECT * FROM {other}.workspaces",
    "CREATE TEMP TABLE mine (id uuid REFERENCES {other}.workspaces (id))",
    "ALTER SCHEMA {other} RENAME TO mine",
    "DROP SCHEMA {other} CASCADE",
    "GRANT USAGE ON SCHEMA {other} TO {own}",
    "GRANT {other} TO {own}",
    "SET ROLE {other}",
    "SET SESSION AUTHORIZATION {other}",
    "ALTER ROLE {other} PASSWORD 'mine'",
    "ANALYZE {other}.workspaces; SELECT 1 / count(*) FROM pg_stats WHERE schemaname = '{other}'",
    "SELECT 1 / count(*) FROM information_schema.tables WHERE table_schema = '{other}'",
    "SELECT 1 / count(*) FROM information_schema.columns WHERE table_schema = '{other}'",
    "SELECT 1 / count(*) FROM pg_stat_activity WHERE usename = '{other}' AND query <> '<insufficient privilege>'",
];

/// What it may not do outside of the tenants' schemas.
const REFUSED_ANYWHERE: &[&str] = &[
    "SELECT * FROM datalinx_platform.organizations",
    "SELECT * FROM datalinx_platform.tenant_version",
    "SELECT * FROM datalinx_platform.audit_log",
    "SELECT password_hash FROM datalinx_platform.users",
    "UPDATE datalinx_platform.users SET role = 'admin'",
    "DELETE FROM datalinx_platform.countries",
    "CREATE TABLE datalinx_platform.mine (id int)",
    "CREATE TABLE {own}.mine (id int)",
    "ALTER TABLE {own}.workspaces ADD COLUMN mine int",
    "CREATE TRIGGER mine BEFORE INSERT ON {own}.workspaces EXECUTE FUNCTION {own}.whose()",
    "DROP SCHEMA {own} CASCADE",
    "CREATE SCHEMA mine",
    "CREATE ROLE mine",
    "SELECT datalinx_platform.tenure_role_login('{own}', NULL)",
    "SELECT pg_read_file('pg_hba.conf')",
];

/// What is a tenant's own work.
const ALLOWED: &[&str] = &[
    "INSERT INTO {own}.workspaces (name) VALUES ('ours')",
    "UPDATE {own}.workspaces SET description = 'x'",
    "SELECT 1 / count(*) FROM {own}.workspaces",
    "INSERT INTO {own}.notes (note) VALUES ('made by a later migration')",
    "SELECT 1 / count(*) FROM {own}.recent_notes",
    "SELECT nextval('{own}.notes_id_seq')",
    "SELECT {own}.whose()",
    "DELETE FROM {own}.notes",
    "SELECT 1 / count(*) FROM datalinx_platform.countries",
    "INSERT INTO datalinx_platform.countries (code) VALUES ('{own}')",
    "SET search_path = {own}; SELECT * FROM workspaces, pipeline_jobs",
    "INSERT INTO {own}.pipeline_jobs (job_type, created_by) VALUES ('by one of the platform''s', '00000000-0000-4000-8000-000000000000')",
];

/// The tenants as the result of `tenant create` tells of them: schema, which is the role, and password.
fn passwords(created: &Value) -> Vec<(String, String)> {
    let text = |tenant: &Value, key: &str| tenant[key].as_str().unwrap().to_owned();
    let all = created["created"].as_array().unwrap().iter();
    all.map(|tenant| {
        assert_eq!(tenant["role"], tenant["schema"]);
        (text(tenant, "role"), text(tenant, "password"))
    })
    .collect()
}

fn refused(session: &mut Login, sql: &str) {
    let refusal = session.run(sql).expect_err(sql);
    // Denied; or not to be seen, so that there is nothing to divide by.
    let is_forbidden = refusal.starts_with("42501") || refusal.starts_with("22012");
    assert!(is_forbidden, "{sql}: {refusal}");
}

fn fleet() -> (PasswordServer, Vec<(String, String)>) {
    let isolated = PasswordServer::start();
    let project = &isolated.project;
    project.file("tenure.toml", "[tenants]\nroles = true\n");
    project.migration(
        "1.0.4",
        "1.0.5",
        "countries",
        "CREATE TABLE datalinx_platform.countries (id serial PRIMARY KEY, code text NOT NULL);",
    );
    project.file("tenant_templates/default/005_uses.sql", "-- Uses: countries (select, insert)\n");
    project.run("migrate up").passes();
    project.db.run(
        "INSERT INTO datalinx_platform.countries (code) VALUES ('de'); \
         INSERT INTO datalinx_platform.users (id, email) VALUES ('00000000-0000-4000-8000-000000000000', 'a@b')",
    );
    let slugs: Vec<String> = (0..TENANTS).map(|number| format!("t{number}")).collect();
    let slugs: Vec<&str> = slugs.iter().map(String::as_str).collect();
    let output = project.run_with_input("tenant create --from - --login --format json", &csv(&slugs)).ok();
    let tenants = passwords(&serde_json::from_str(&output.stdout).unwrap());
    assert_eq!(tenants.len(), TENANTS);
    // What later migrations make has the rights too.
    project.migration(
        "1.0.5",
        "1.0.6",
        "notes",
        "-- Scope: tenant\nCREATE TABLE notes (id bigserial PRIMARY KEY, note text);\n\
         CREATE VIEW recent_notes AS SELECT * FROM notes;\n\
         CREATE FUNCTION whose() RETURNS text LANGUAGE sql AS $$ SELECT current_user::text $$;",
    );
    project.run("migrate up").passes();
    (isolated, tenants)
}

#[test]
fn each_of_twenty_tenants_reaches_its_own_and_nothing_of_the_others() {
    let (isolated, tenants) = fleet();
    let mut sessions: Vec<Login> =
        tenants.iter().map(|(role, password)| isolated.login(role, password).unwrap()).collect();
    for (number, session) in sessions.iter_mut().enumerate() {
        let own = tenants[number].0.as_str();
        for sql in ALLOWED {
            session
                .run(&sql.replace("{own}", own))
                .unwrap_or_else(|refusal| panic!("{own}: {sql}: {refusal}"));
        }
        for sql in REFUSED_ANYWHERE {
            refused(session, &sql.replace("{own}", own));
        }
        for (other, _) in tenants.iter().filter(|(other, _)| other != own) {
            for sql in REFUSED {
                refused(session, &sql.replace("{own}", own).replace("{other}", other));
            }
        }
        assert!(isolated.login(own, &tenants[(number + 1) % TENANTS].1).is_err(), "another's password");
    }
    drop(sessions);
    // Nothing of it was done behind the refusals.
    let rows = "SELECT string_agg(DISTINCT c, ',') FROM (SELECT (xpath('/row/c/text()', query_to_xml(format( \
                'SELECT count(*) AS c FROM %I.workspaces', schema_name), false, true, '')))[1]::text AS c \
                FROM datalinx_platform.tenant_version) counted";
    assert_eq!(isolated.project.db.value(rows), "1", "each has the one row that it wrote");
    let (code, drifted) = isolated.project.json("drift");
    assert_eq!((code, &drifted["tenants"]["same"]), (0, &TENANTS.into()), "{drifted}");
    assert_eq!(drifted["references"][0]["access"], "files", "{drifted}");
    no_password_is_kept(&isolated, &tenants);
}

/// The server's catalog has a verifier, and neither the log nor Tenure's tables have anything.
fn no_password_is_kept(isolated: &PasswordServer, tenants: &[(String, String)]) {
    let kept =
        "SELECT count(*)::text FROM pg_authid WHERE rolname ^@ 'org_' AND rolpassword ^@ 'SCRAM-SHA-256$'";
    assert_eq!(isolated.project.db.value(kept), TENANTS.to_string());
    let dump = isolated.project.db.dump(&["--schema", "datalinx_platform", "--data-only"]);
    let log_of = isolated.project.db.value("SELECT current_setting('data_directory') || '/../server.log'");
    let log = String::from_utf8_lossy(&std::fs::read(log_of).unwrap()).into_owned();
    assert!(log.contains("permission denied"), "the log is the server's");
    for (role, password) in tenants {
        assert!(password.len() >= 24, "{role}");
        assert!(!dump.contains(password.as_str()) && !log.contains(password.as_str()), "{role}");
    }
}

#[test]
fn a_suspended_tenants_sessions_end_and_its_login_comes_back() {
    let isolated = PasswordServer::start();
    let project = &isolated.project;
    project.file("tenure.toml", "[tenants]\nroles = true\n");
    project.run("migrate up").passes();
    let (_, created) = project.json("tenant create acme --login");
    let (role, password) = passwords(&created).remove(0);
    project.create(&["quiet"]);
    let mut open = isolated.login(&role, &password).unwrap();
    let (code, suspended) = project.json("tenant suspend acme");
    assert_eq!((code, &suspended["role"]), (0, &"org_acme".into()), "{suspended}");
    assert_eq!(suspended["sessions"], serde_json::json!({"ended": 1, "left": 0}));
    assert!(open.is_ended());
    assert!(
        isolated.login(&role, &password).is_err_and(|refusal| refusal.contains("not permitted to log in"))
    );
    let (_, again) = project.json("tenant suspend acme");
    assert_eq!((&again["outcome"], &again["sessions"]["ended"]), (&"nothing".into(), &0.into()), "{again}");
    project.run("tenant resume acme").passes();
    assert!(isolated.login(&role, &password).is_ok());
    // One that could not log in cannot after it was suspended and resumed.
    project.run("tenant suspend quiet").passes();
    project.run("tenant resume quiet").passes();
    let can = |role: &str| {
        project.db.value(&format!("SELECT rolcanlogin::text FROM pg_roles WHERE rolname = '{role}'"))
    };
    assert_eq!((can("org_quiet"), can("org_acme")), ("false".to_owned(), "true".to_owned()));
    let (code, given) = project.json("tenant login quiet");
    assert_eq!((code, &given["role"]), (0, &"org_quiet".into()), "{given}");
    assert!(isolated.login("org_quiet", given["password"].as_str().unwrap()).is_ok());
    let (_, newer) = project.json("tenant login acme");
    let newer = newer["password"].as_str().unwrap().to_owned();
    assert!(isolated.login(&role, &password).is_err(), "the old password is worth nothing");
    let mut open = isolated.login(&role, &newer).unwrap();
    let revoked = project.run("tenant login acme --revoke").ok();
    assert_eq!(
        revoked.stdout,
        "done: acme can no longer log in  role org_acme\n  1 session of its role ended\n"
    );
    assert!(open.is_ended() && isolated.login(&role, &newer).is_err());
    project.run("tenant suspend acme").passes();
    project.expect_error("tenant login acme", "tenant-state");
    let runs =
        project.db.column("SELECT command || ' ' || coalesce(counts::text, '') FROM datalinx_platform.run");
    assert!(runs.iter().any(|run| run.starts_with("tenure tenant login ")), "{runs:?}");
    assert!(!runs.iter().any(|run| run.contains(&password) || run.contains(&newer)));
}

#[test]
fn an_operator_without_superpowers_does_it_all() {
    let isolated = PasswordServer::start();
    let project = &isolated.project;
    project.file("tenure.toml", "[tenants]\nroles = true\n");
    project.file("tenant_templates/default/005_uses.sql", "-- Uses: users (select)\n");
    project.db.run(
        "CREATE ROLE ops LOGIN CREATEROLE PASSWORD 'ops'; \
         DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO ops', current_database()); END $$",
    );
    let url = project.db.url.replacen("://tenure@", "://ops:ops@", 1);
    let run = |line: &str| project.run_env(&[("DATABASE_URL", &url)], line);
    run("migrate up").passes();
    let created = run("tenant create acme --login --format json").ok();
    let (role, password) = passwords(&serde_json::from_str(&created.stdout).unwrap()).remove(0);
    run("tenant create other").passes();
    let mut session = isolated.login(&role, &password).unwrap();
    session.run("SELECT * FROM org_acme.workspaces, datalinx_platform.users").unwrap();
    refused(&mut session, "SELECT * FROM org_other.workspaces");
    assert_eq!(run("tenant audit").ok().stdout, "2 tenants: nothing found\n");
    // A session of another role may be ended by who may signal it; else that is said.
    let suspended = run("tenant suspend acme").ok();
    assert!(
        suspended.stdout.contains("1 session of its role still open: ending the role's sessions: "),
        "{suspended}"
    );
    assert!(session.run("SELECT 1").is_ok() && isolated.login(&role, &password).is_err());
    run("tenant resume acme").passes();
    project.db.run("GRANT pg_signal_backend TO ops");
    assert!(run("tenant suspend acme").ok().stdout.ends_with("1 session of its role ended\n"));
    assert!(session.is_ended());
    // A tenant's whole life, and what is made in other ways.
    for line in [
        "tenant resume acme",
        "tenant rename acme globex",
        "tenant drop globex --confirm globex",
        "tenant create globex",
        "tenant undrop globex --as acme",
        "tenant clone acme copied --data",
        "tenant export acme --to acme.tenure",
        "tenant import acme.tenure --as again",
        "tenant pool fill 1",
        "tenant create pooled",
    ] {
        run(line).passes();
    }
    isolated.login("org_acme", &password).unwrap().run("SELECT * FROM org_acme.workspaces").unwrap();
    assert_eq!(run("tenant audit").ok().stdout, "6 tenants: nothing found\n");
    run("tenant drop acme --confirm acme").passes();
    project.db.run("GRANT SELECT ON datalinx_platform.organizations TO org_acme");
    run("tenant drop --purge --now --yes").passes();
    let left = "SELECT count(*)::text FROM pg_roles WHERE rolname = 'org_acme'";
    assert_eq!(project.db.value(left), "0");
    run("tenant import acme.tenure").passes();
    assert_eq!(run("tenant audit").ok().stdout, "6 tenants: nothing found\n");
}

#[test]
fn a_tenant_cannot_keep_another_ones_purge_from_ending() {
    let isolated = PasswordServer::start();
    let project = &isolated.project;
    project.file("tenure.toml", "[tenants]\nroles = true\n");
    project.db.run(
        "CREATE ROLE ops LOGIN CREATEROLE PASSWORD 'ops'; GRANT TEMPORARY ON DATABASE tenure TO PUBLIC; \
         DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO ops', current_database()); END $$",
    );
    let url = project.db.url.replacen("://tenure@", "://ops:ops@", 1);
    let run = |line: &str| project.run_env(&[("DATABASE_URL", &url)], line);
    run("migrate up").passes();
    let created = run("tenant create attacker --login --format json").ok();
    let (role, password) = passwords(&serde_json::from_str(&created.stdout).unwrap()).remove(0);
    for slug in ["victim", "other"] {
        run(&format!("tenant create {slug}")).passes();
    }
    // Objects of the attacker, with privileges for the others' roles that an operator without superuser rights cannot revoke.
    let mut session = isolated.login(&role, &password).unwrap();
    for grant in [
        "SELECT lo_create(77)",
        "GRANT SELECT ON LARGE OBJECT 77 TO org_victim, org_other",
        "CREATE TEMPORARY TABLE bait (id int)",
        "GRANT SELECT ON bait TO org_victim",
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO org_victim",
    ] {
        session.run(grant).unwrap();
    }
    for slug in ["victim", "other"] {
        run(&format!("tenant drop {slug} --confirm {slug}")).passes();
        let output = run(&format!("tenant drop {slug} --purge --now --confirm {slug} --format json")).ok();
        let purged: Value = serde_json::from_str(&output.stdout).unwrap();
        let kept = purged["purged"][0]["kept_role"].as_str().unwrap_or_default();
        assert!(kept.starts_with("dropped_") && kept.contains("large object 77"), "{purged:#}");
        assert_eq!(
            project.db.value(&format!("SELECT count(*)::text FROM pg_roles WHERE rolname = 'org_{slug}'")),
            "0"
        );
        run(&format!("tenant create {slug}")).passes();
    }
    let left = "SELECT count(*)::text FROM datalinx_platform.tenant_version WHERE status = 'dropped'";
    assert_eq!(project.db.value(left), "0");
}
