//! The main job through PgBouncer in transaction mode, where each transaction may get another session
//! of the server: nothing may be left in one, and nothing may be expected of one.

use std::collections::HashSet;

use crate::support::{POOL, Pooler, Project, Session};

#[test]
fn the_main_job_works_behind_a_pooler() {
    let project = Project::seeds();
    let Some(pooler) = Pooler::start(&project.db) else { return };
    let pooled = format!("--database-url {}", pooler.url(&project.db));
    let run = |line: &str| project.run(&format!("{pooled} {line}"));

    let _at_1_0_2 = run("migrate up --to 1.0.2").ok();
    project.file("list.csv", "slug\nacme\nretail\n");
    let _made = run("tenant create --from list.csv").ok();
    let _newest = run("migrate up").ok();
    let _late = run("tenant create late").ok();
    project.migration("1.0.4", "1.0.5", "more", "ALTER TABLE workspaces ADD COLUMN more int;");
    let _more = run("migrate up").ok();
    assert_eq!(project.versions(), "platform 1.0.5, acme 1.0.5, late 1.0.5, retail 1.0.5");
    assert_eq!(project.repeated_units(), [""; 0]);
    assert_eq!(project.db.dump_of("org_late"), project.db.dump_of("org_acme"));

    let (code, status) = project.json(&format!("{pooled} status --tenants"));
    assert_eq!((code, &status["tenants"]["versions"]["1.0.5"]), (0, &3.into()));
    assert_eq!(run("migrate up").ok().stdout.split(':').next(), Some("nothing to do"));

    // What failed in a session of the server does not go on to whoever gets it next.
    project.migration(
        "1.0.5",
        "1.0.6",
        "fails",
        "-- Scope: tenant\nSELECT pg_advisory_lock(7);\nALTER TABLE {org_schema}.nope ADD COLUMN c int;",
    );
    let failed = run("migrate up");
    assert!(failed.code == 1 && failed.stderr.contains("unit-failed"), "{failed}");
    nothing_is_left_in_the_sessions(&pooler, &project);
}

#[test]
fn runs_at_once_behind_a_pooler_do_each_unit_once() {
    let project = Project::with_tenants(&["a", "b", "c", "d"]);
    let Some(pooler) = Pooler::start(&project.db) else { return };
    project.migration("1.0.4", "1.0.5", "more", "ALTER TABLE workspaces ADD COLUMN more int;");
    project.migration("1.0.5", "1.0.6", "plans", "CREATE TABLE datalinx_platform.plans (id int);");
    let line = format!("--database-url {} migrate up", pooler.url(&project.db));
    let running = [project.start(&line), project.start(&line), project.start(&line)];
    for run in running {
        let _each = run.end().ok();
    }
    assert_eq!(project.versions(), "platform 1.0.6, a 1.0.6, b 1.0.6, c 1.0.6, d 1.0.6");
    assert_eq!(project.repeated_units(), [""; 0]);
    nothing_is_left_in_the_sessions(&pooler, &project);
}

#[test]
fn a_tenants_life_behind_a_pooler() {
    let project = Project::with_tenants(&["acme", "other"]);
    let Some(pooler) = Pooler::start(&project.db) else { return };
    let run = |line: &str| project.run(&format!("--database-url {} {line}", pooler.url(&project.db)));
    for line in [
        "tenant suspend acme",
        "tenant rename acme globex",
        "tenant drop globex --confirm globex",
        "tenant undrop globex --as acme",
        "tenant show acme --count",
        "tenant drop acme --confirm acme",
        "tenant drop --purge acme --now --confirm acme",
    ] {
        run(line).passes();
    }
    assert!(run("tenant rename other other_2").ok().stdout.starts_with("done"));
    assert_eq!(run("tenant drop other_2").code, 2);
    assert_eq!(project.versions(), "platform 1.0.4, other_2 1.0.4");
    nothing_is_left_in_the_sessions(&pooler, &project);
}

#[test]
fn copies_of_tenants_are_made_behind_a_pooler() {
    let project = Project::with_tenants(&["acme"]);
    project.run("tenant export acme --to acme.tenure").passes();
    let Some(pooler) = Pooler::start(&project.db) else { return };
    let pooled = format!("--database-url {}", pooler.url(&project.db));
    let run = |line: &str| project.run(&format!("{pooled} {line}"));
    run("tenant clone acme beta --data").passes();
    run("tenant import acme.tenure --as gamma").passes();
    assert_eq!(run("tenant clone acme beta").code, 1);
    assert_eq!(run("tenant import acme.tenure").code, 1);
    project.db.run("DELETE FROM datalinx_platform.tenant_version WHERE schema_name = 'org_beta'");
    assert_eq!(run("tenant adopt org_beta --slug beta --version 9.9.9").code, 2);
    run("tenant adopt org_beta --slug beta --version 1.0.4").passes();
    assert_eq!(project.versions(), "platform 1.0.4, acme 1.0.4, beta 1.0.4, gamma 1.0.4");
    nothing_is_left_in_the_sessions(&pooler, &project);
}

/// The sessions that the pooler keeps hold no lock and have no settings but the server's own.
fn nothing_is_left_in_the_sessions(pooler: &Pooler, project: &Project) {
    let locks = "SELECT count(*)::text FROM pg_locks JOIN pg_database d ON d.oid = database \
                 WHERE locktype = 'advisory' AND datname = current_database()";
    assert_eq!(project.db.value(locks), "0");
    let settings = "SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) FROM pg_settings \
                    WHERE name IN ('search_path', 'lock_timeout', 'statement_timeout')";
    let url = pooler.url(&project.db);
    // Each in a transaction, they are all that there are.
    let mut sessions: Vec<_> = (0..POOL).map(|_| Session::open(&url)).collect();
    for session in &mut sessions {
        session.run("BEGIN");
        assert_eq!(session.value(settings), project.db.value(settings));
    }
    let pids: HashSet<_> =
        sessions.iter_mut().map(|session| session.value("SELECT pg_backend_pid()::text")).collect();
    assert_eq!(pids.len(), POOL);
}
