//! A new tenant has what a migrated one has, also after steps that do something else in one transaction than in one
//! each; and a run that is killed between those leaves nothing that the same command does not finish.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use crate::support::{Database, Finish as _, Output, Project, Session, is_pooled, wait_until};

/// Chains, a line each, whose steps need transactions of their own: `;;` separates the steps.
const CHAINS: &[(&str, &[&str])] = &[
    (
        "a value of an enum is used by a later step",
        &[
            "CREATE TYPE {org_schema}.stage AS ENUM ('a'); ALTER TABLE workspaces ADD COLUMN stage {org_schema}.stage;",
            "ALTER TYPE {org_schema}.stage ADD VALUE 'b';",
            "ALTER TABLE workspaces ALTER COLUMN stage SET DEFAULT 'b';",
        ],
    ),
    (
        "a value of an enum stands in an index, a CHECK and a row",
        &[
            "CREATE TYPE {org_schema}.mood AS ENUM ('ok'); CREATE TABLE {org_schema}.moods (id int, mood {org_schema}.mood);",
            "ALTER TYPE {org_schema}.mood ADD VALUE 'bad' BEFORE 'ok';",
            "CREATE INDEX moods_bad ON moods (id) WHERE mood = 'bad'; \
             ALTER TABLE moods ADD CHECK (mood <> 'bad' OR id > 0); INSERT INTO moods VALUES (1, 'bad');",
        ],
    ),
    (
        "temporary tables have the same name",
        &[
            "-- Scope: tenant\nCREATE TABLE {org_schema}.kept (id int); \
             CREATE TEMP TABLE work AS SELECT 1 AS id; INSERT INTO kept SELECT id FROM work;",
            "-- Scope: tenant\nCREATE TEMP TABLE work (id int, more text); INSERT INTO work VALUES (2); \
             INSERT INTO kept SELECT id FROM work;",
            "-- Scope: tenant\nCREATE TEMP VIEW work AS SELECT 3 AS id; INSERT INTO kept SELECT id FROM work;",
        ],
    ),
    (
        "rows wait for COMMIT to be checked",
        &[
            "CREATE TABLE {org_schema}.parents (id int PRIMARY KEY); \
             CREATE TABLE {org_schema}.children (id int REFERENCES {org_schema}.parents DEFERRABLE INITIALLY DEFERRED);",
            "INSERT INTO children VALUES (1); INSERT INTO parents VALUES (1);",
            "ALTER TABLE children ADD COLUMN more int; ALTER TABLE parents ADD COLUMN more int;",
        ],
    ),
    (
        "a constraint trigger waits for COMMIT",
        &[
            "CREATE TABLE {org_schema}.counted (id int); \
             CREATE FUNCTION {org_schema}.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; \
             CREATE CONSTRAINT TRIGGER later AFTER INSERT ON counted DEFERRABLE INITIALLY DEFERRED \
               FOR EACH ROW EXECUTE FUNCTION {org_schema}.nothing();",
            "INSERT INTO counted VALUES (1);",
            "ALTER TABLE counted ALTER COLUMN id TYPE bigint;",
        ],
    ),
    (
        "code that waits for COMMIT finds the tenant's own tables",
        &[
            "CREATE TABLE {org_schema}.audit (id int); CREATE TABLE {org_schema}.pairs (id int); \
             CREATE FUNCTION {org_schema}.noted() RETURNS trigger LANGUAGE plpgsql AS \
               'BEGIN INSERT INTO audit VALUES (NEW.id); RETURN NULL; END'; \
             CREATE CONSTRAINT TRIGGER later AFTER INSERT ON pairs DEFERRABLE INITIALLY DEFERRED \
               FOR EACH ROW EXECUTE FUNCTION {org_schema}.noted();",
            "INSERT INTO pairs VALUES (1);",
            "-- Scope: tenant\nCREATE TEMP TABLE swapped (id int UNIQUE DEFERRABLE INITIALLY DEFERRED); \
             INSERT INTO swapped VALUES (1), (2); UPDATE swapped SET id = id + 1; INSERT INTO pairs SELECT id FROM swapped;",
        ],
    ),
    (
        "a setting ends with its step",
        &[
            "-- Scope: tenant\nCREATE TABLE {org_schema}.said (step int, said text); SET LOCAL tenure_test.said = 'one'; \
             INSERT INTO said VALUES (1, current_setting('tenure_test.said', true));",
            "-- Scope: tenant\nINSERT INTO said VALUES (2, nullif(current_setting('tenure_test.said', true), ''));",
        ],
    ),
    (
        "code sees the time of its transaction",
        &[
            "-- Scope: tenant\nCREATE TABLE {org_schema}.steps (step int, UNIQUE (step)); CREATE TABLE {org_schema}.stamps (at timestamptz PRIMARY KEY); \
             INSERT INTO stamps VALUES (now());",
            "-- Scope: tenant\nDO $$ BEGIN INSERT INTO {org_schema}.stamps VALUES (now()); INSERT INTO {org_schema}.steps VALUES (1); END $$;",
            "-- Scope: tenant\nDELETE FROM stamps WHERE at < now();\nINSERT INTO steps SELECT 10 + count(*) FROM stamps;",
        ],
    ),
    (
        "indexes are built concurrently between other steps",
        &[
            "-- Scope: tenant\nCREATE TABLE {org_schema}.items (id int, gone int); INSERT INTO items VALUES (1, 2); \
             CREATE INDEX items_gone ON items (gone);",
            "-- Scope: tenant\nCREATE INDEX CONCURRENTLY items_id ON items (id);\nDROP INDEX CONCURRENTLY items_gone;",
            "-- Scope: tenant\nUPDATE items SET gone = 3 WHERE id = 1;",
        ],
    ),
    (
        "a partition is detached concurrently",
        &[
            "CREATE TABLE {org_schema}.parts (id int) PARTITION BY LIST (id); \
             CREATE TABLE {org_schema}.one PARTITION OF {org_schema}.parts FOR VALUES IN (1);",
            "ALTER TABLE {org_schema}.parts DETACH PARTITION {org_schema}.one CONCURRENTLY;",
        ],
    ),
];

/// The seeds' project with a tenant `old` that takes these steps after the seeds' own as `migrate up` makes it.
fn migrated(steps: &[impl AsRef<str>]) -> Project {
    let project = Project::with_tenants(&["old"]);
    for (number, sql) in steps.iter().enumerate() {
        let (from, to) = (format!("1.0.{}", number + 4), format!("1.0.{}", number + 5));
        project.migration(&from, &to, "step", sql.as_ref());
    }
    project.without_rules();
    project.run("migrate up").passes();
    project
}

/// What cannot run in a transaction needs a session, which a transaction pooler does not give.
fn can_run(steps: &str) -> bool {
    !is_pooled() || !steps.contains("CONCURRENTLY")
}

/// The rows of a schema, table by table.
fn rows(db: &Database, schema: &str) -> Vec<String> {
    let tables = db.column(&format!(
        "SELECT relname::text FROM pg_class WHERE relnamespace = '{schema}'::regnamespace AND relkind IN ('r', 'p') \
         ORDER BY relname"
    ));
    let read = |table: &String| {
        // No two have the same times.
        let rows =
            if table == "stamps" { "count(*)::text" } else { "string_agg(t::text, ' ' ORDER BY t::text)" };
        db.value(&format!("SELECT '{table} ' || coalesce({rows}, '') FROM {schema}.\"{table}\" t"))
    };
    tables.iter().map(read).collect()
}

/// Makes tenants in each way there is, and insists that they are as `old` is. The reference that `drift` compares
/// with is a new tenant on a server of its own.
fn every_way(project: &Project, chain: &str) {
    let old = rows(&project.db, "org_old");
    let made = |output: Output, schema: &str| {
        assert_eq!(output.code, 0, "{chain}: {output}");
        assert_eq!(rows(&project.db, schema), old, "{chain}: {schema}");
    };
    made(project.run("tenant create new"), "org_new");
    made(project.run("tenant clone old copy --data"), "org_copy");
    let without_rows = project.run("tenant clone old structure");
    assert_eq!(without_rows.code, 0, "{chain}: {without_rows}");
    let filled = project.run("tenant pool fill 2");
    assert_eq!(filled.code, 0, "{chain}: {filled}");
    made(project.run("tenant create pooled"), "org_pooled");
    let states = "SELECT string_agg(DISTINCT concat_ws(' ', status, version, made_from), ', ') \
                  FROM datalinx_platform.tenant_version WHERE status <> 'pooled'";
    assert_eq!(project.db.column(states).len(), 1, "{chain}");
    let (code, drift) = project.json("drift");
    assert_eq!((code, &drift["tenants"]["different"]), (0, &0.into()), "{chain}: {drift}");
    assert_eq!(project.repeated_units(), [""; 0], "{chain}");
    // As schemas that were made by other means.
    project.db.run("DELETE FROM datalinx_platform.tenant_version WHERE schema_name = 'org_copy'");
    let latest = project.db.value("SELECT version FROM datalinx_platform.schema_version");
    let adopted = project.run(&format!("tenant adopt org_copy --slug copy --version {latest}"));
    assert_eq!(adopted.code, 0, "{chain}: {adopted}");
    let left = "SELECT count(*)::text FROM pg_namespace WHERE nspname LIKE 'tenure%'";
    assert_eq!(project.db.value(left), "1", "{chain}: the second schema of the pool and no other");
}

#[test]
fn a_new_tenant_has_what_a_migrated_one_has() {
    for (chain, steps) in CHAINS.iter().filter(|(_, steps)| can_run(&steps.concat())) {
        every_way(&migrated(steps), chain);
    }
}

#[test]
fn templates_are_checked_and_squashed_after_such_steps() {
    // Rows of temporary tables are code's, which cannot be taken over.
    for (chain, steps) in CHAINS.iter().filter(|(chain, _)| !chain.contains("temporary")).take(4) {
        let project = migrated(steps);
        let shadow = Database::fresh();
        let on_shadow = |line: &str| {
            let output =
                project.run_words(line.split_whitespace().chain(["--shadow-url", shadow.url.as_str()]));
            assert_eq!(output.code, 0, "{chain}: {output}");
        };
        on_shadow("template check");
        let verified = project.run_words(["verify", "--format", "json", "--shadow-url", shadow.url.as_str()]);
        for rule in ["\"rule\":\"new-tenant-differs", "\"fails\""] {
            assert!(!verified.stdout.contains(rule), "{chain}: {verified}");
        }
        on_shadow("template squash");
        on_shadow("template check");
    }
}

#[test]
fn a_new_tenant_that_would_be_another_is_found_on_a_shadow() {
    let shadow = Database::fresh();
    let found = |project: &Project| {
        let words = ["verify", "--format", "json", "--shadow-url", shadow.url.as_str()];
        let output = project.run_words(words);
        let document: Value = serde_json::from_str(&output.stdout).unwrap();
        let all = document["findings"].as_array().unwrap().clone();
        let new = all.into_iter().filter(|found| found["rule"] == "new-tenant-differs");
        (output.code, new.map(|found| found["message"].as_str().unwrap().to_owned()).collect::<Vec<_>>())
    };
    // A newer version of the template that forgot a column.
    let project = Project::seeds();
    project.migration("1.0.4", "1.0.5", "colour", "ALTER TABLE workspaces ADD COLUMN colour text;");
    assert_eq!(found(&project), (0, Vec::new()));
    let template = std::fs::read_dir(project.dir.path().join("tenant_templates/default")).unwrap();
    for file in template.map(|entry| entry.unwrap()) {
        let text = std::fs::read_to_string(file.path()).unwrap().replace("v1.0.0", "v1.0.5");
        project
            .file(&format!("tenant_templates/default_v1.0.5/{}", file.file_name().to_str().unwrap()), text);
    }
    let (code, messages) = found(&project);
    assert_eq!(code, 1);
    assert!(messages.iter().any(|message| message.contains("column removed: colour")), "{messages:?}");
    // A step that only a tenant with rows can take.
    let project = Project::seeds();
    project.migration(
        "1.0.4",
        "1.0.5",
        "rows",
        "-- Scope: tenant\n-- Allow: opaque-code because a test\n\
         DO $$ BEGIN IF NOT EXISTS (SELECT FROM {org_schema}.workspaces) THEN RAISE 'no rows'; END IF; END $$;",
    );
    let (code, messages) = found(&project);
    assert_eq!(code, 1);
    assert!(messages.iter().any(|message| message.contains("can no longer be created")), "{messages:?}");
}

/// A chain whose last step waits for a lock on a table of the platform.
fn that_waits() -> Project {
    let project = migrated(&[
        "CREATE TABLE datalinx_platform.shared (id int PRIMARY KEY); CREATE TYPE {org_schema}.stage AS ENUM ('a');",
        "ALTER TYPE {org_schema}.stage ADD VALUE 'b';",
        "CREATE TABLE {org_schema}.uses (id int REFERENCES datalinx_platform.shared, s {org_schema}.stage DEFAULT 'b');",
    ]);
    project.file("tenure.toml", "[migrate]\nlock_timeout = \"60s\"\n");
    project
}

const HOLD: &str = "LOCK TABLE datalinx_platform.shared IN SHARE MODE";

/// The server notices a client that is gone only when it has something to say to it.
fn end_sessions_that_wait(project: &Project) {
    let _ended = project.db.column(
        "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity \
         WHERE datname = current_database() AND wait_event_type = 'Lock'",
    );
}

fn state(project: &Project) -> Vec<String> {
    project.db.column(
        "SELECT concat_ws(' ', o.slug, o.id IS NOT NULL, t.status, t.version, n.oid IS NOT NULL) \
         FROM datalinx_platform.organizations o FULL JOIN datalinx_platform.tenant_version t ON t.schema_name = o.schema_name \
         FULL JOIN pg_namespace n ON n.nspname = t.schema_name \
         WHERE coalesce(t.schema_name, o.schema_name, n.nspname) LIKE '%new' ORDER BY 1",
    )
}

#[test]
fn the_same_command_finishes_a_killed_create() {
    for (line, again) in [
        ("tenant create new", "tenant create new"),
        ("tenant create new --name New", "tenant create new --name New --if-not-exists"),
        ("tenant create new", "tenant create new --if-not-exists"),
    ] {
        let project = that_waits();
        let lock = Session::holding(&project.db, HOLD);
        let run = project.start(line);
        let _waiting = project.db.wait_for_waiting(1);
        run.signal("KILL");
        let _killed = run.end();
        end_sessions_that_wait(&project);
        lock.release();
        assert_eq!(state(&project), ["new t creating 1.0.6 t"]);
        let first =
            project.db.value("SELECT id::text FROM datalinx_platform.organizations WHERE slug = 'new'");
        let (code, made) = project.json(again);
        assert_eq!((code, &made["created"][0]["id"]), (0, &first.into()), "{made}");
        assert_eq!(state(&project), ["new t active 1.0.7 t"]);
        assert_eq!(project.repeated_units(), [""; 0]);
        let (code, _) = project.json("drift");
        assert_eq!(code, 0);
    }
}

#[test]
fn a_killed_create_with_other_values_is_removed_after_its_deadline() {
    let project = that_waits();
    let lock = Session::holding(&project.db, HOLD);
    let run = project.start("tenant create new");
    let _waiting = project.db.wait_for_waiting(1);
    run.signal("KILL");
    let _killed = run.end();
    end_sessions_that_wait(&project);
    lock.release();
    let (code, refused) = project.json("tenant create new --name Another");
    assert_eq!((code, &refused["failures"][0]["code"]), (1, &"tenant-state".into()), "{refused}");
    project
        .db
        .run("UPDATE datalinx_platform.tenant_version SET making_until = now() WHERE status = 'creating'");
    project.run("tenant create new --name Another").passes();
    assert_eq!(state(&project), ["new t active 1.0.7 t"]);
    assert_eq!(
        project.db.value("SELECT name FROM datalinx_platform.organizations WHERE slug = 'new'"),
        "Another"
    );
}

#[test]
fn of_two_at_once_one_makes_the_tenant() {
    let project = that_waits();
    let lock = Session::holding(&project.db, HOLD);
    let runs = [project.start("tenant create new"), project.start("tenant create new")];
    let _waiting = project.db.wait_for_waiting(2);
    lock.release();
    let mut codes: Vec<i32> = runs.into_iter().map(|run| run.end().code).collect();
    codes.sort_unstable();
    assert_eq!(codes, [0, 1]);
    assert_eq!(state(&project), ["new t active 1.0.7 t"]);
    assert_eq!(project.repeated_units(), [""; 0]);
}

#[test]
fn a_step_that_fails_takes_the_new_tenant_back() {
    let project = migrated(&["ALTER TABLE workspaces ADD COLUMN colour text;"]);
    project.db.run("INSERT INTO org_old.workspaces (name) VALUES ('a')");
    project.migration(
        "1.0.5",
        "1.0.6",
        "rows",
        "-- Scope: tenant\nDO $$ BEGIN PERFORM 1 / count(*) FROM {org_schema}.workspaces; END $$;",
    );
    project.run("migrate up").passes();
    let (code, failed) = project.json("tenant create new");
    assert_eq!((code, &failed["failures"][0]["code"]), (1, &"unit-failed".into()), "{failed}");
    let message = failed["failures"][0]["message"].as_str().unwrap();
    assert!(message.contains("v1.0.5_to_v1.0.6_rows.sql on org_new"), "{message}");
    assert!(message.contains("was removed"), "{message}");
    assert_eq!(state(&project), [""; 0]);
    let (code, failed) = project.json("tenant clone old new --data");
    assert_eq!(code, 1, "{failed}");
    assert_eq!(state(&project), [""; 0]);
    let (code, failed) = project.json("tenant pool fill 1");
    assert_eq!(code, 1, "{failed}");
    assert_eq!(project.db.value("SELECT count(*)::text FROM pg_namespace WHERE nspname LIKE 'tenure%'"), "0");
}

#[test]
fn a_migration_under_way_brings_a_half_made_tenant_along() {
    let project = that_waits();
    let lock = Session::holding(&project.db, HOLD);
    let run = project.start("tenant create new");
    let _waiting = project.db.wait_for_waiting(1);
    project.migration("1.0.7", "1.0.8", "later", "ALTER TABLE workspaces ADD COLUMN later int;");
    let up = project.start("migrate up");
    let _waiting = project.db.wait_for_waiting(2);
    lock.release();
    up.end().passes();
    run.end().passes();
    assert_eq!(project.versions(), "platform 1.0.8, new 1.0.8, old 1.0.8");
    assert_eq!(state(&project), ["new t active 1.0.8 t"]);
    assert_eq!(project.repeated_units(), [""; 0]);
}

#[test]
fn a_killed_pool_fill_is_removed_after_its_deadline() {
    let project = that_waits();
    // The proof makes a schema first, so the lock is held behind it.
    project.run("tenant pool fill 1").passes();
    let lock = Session::holding(&project.db, HOLD);
    let run = project.start("tenant pool fill 2");
    let _waiting = project.db.wait_for_waiting(1);
    run.signal("KILL");
    let _killed = run.end();
    end_sessions_that_wait(&project);
    lock.release();
    let pooled = "SELECT count(*)::text FROM datalinx_platform.tenant_version WHERE status = 'pooled'";
    assert_eq!(project.db.value(pooled), "2");
    for slug in ["one", "two"] {
        project.run(&format!("tenant create {slug}")).passes();
    }
    assert_eq!(project.db.value(pooled), "1", "the half-made one is not taken");
    project
        .db
        .run("UPDATE datalinx_platform.tenant_version SET making_until = now() WHERE status = 'pooled'");
    project.run("tenant pool fill 2").passes();
    assert_eq!(project.db.value(pooled), "2");
    let unfinished = "SELECT count(*)::text FROM datalinx_platform.tenant_version WHERE status = 'pooled' AND making_until IS NOT NULL";
    assert_eq!(project.db.value(unfinished), "0");
    let (code, _) = project.json("drift");
    assert_eq!(code, 0);
}

/// Steps that depend on the transactions they run in, each written for where it stands in its chain.
fn step(kind: u8, number: usize, labels: &mut Vec<String>) -> String {
    let last = labels.last().cloned().unwrap_or_else(|| "l0".to_owned());
    match kind {
        0 => {
            labels.push(format!("l{number}"));
            format!("ALTER TYPE {{org_schema}}.label ADD VALUE 'l{number}';")
        }
        1 => format!(
            "ALTER TABLE logs ALTER COLUMN label SET DEFAULT '{last}'; INSERT INTO logs (step) VALUES ({number});"
        ),
        2 => format!(
            "-- Scope: tenant\nCREATE TEMP TABLE work AS SELECT {number} AS step; INSERT INTO logs (step, label) SELECT step, '{last}' FROM work;"
        ),
        3 => format!("INSERT INTO children VALUES ({number}); INSERT INTO parents VALUES ({number});"),
        4 => format!(
            "ALTER TABLE children ADD COLUMN c{number} int; ALTER TABLE parents ADD COLUMN c{number} int;"
        ),
        5 => format!(
            "-- Scope: tenant\nDO $$ BEGIN EXECUTE 'CREATE TABLE {{org_schema}}.t{number} (id int)'; \
             PERFORM set_config('tenure_test.step', '{number}', false); END $$;"
        ),
        6 => format!(
            "-- Scope: tenant\nINSERT INTO logs (step, label) SELECT {number}, '{last}' WHERE coalesce(current_setting('tenure_test.step', true), '') = '';"
        ),
        7 => format!("CREATE INDEX CONCURRENTLY logs_{number} ON logs (step) WHERE label = '{last}';"),
        8 => format!(
            "UPDATE logs SET step = step + 1000 WHERE step < {number}; DELETE FROM logs WHERE step > 3000;"
        ),
        _ => format!("ALTER TABLE workspaces ADD COLUMN c{number} text DEFAULT 'x';"),
    }
}

#[test]
fn any_chain_makes_the_same_tenant_in_every_way() {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(6);
    let config = Config { cases, max_shrink_iters: 20, failure_persistence: None, ..Config::default() };
    let begin = "CREATE TYPE {org_schema}.label AS ENUM ('l0'); \
        CREATE TABLE {org_schema}.logs (step int, label {org_schema}.label); \
        CREATE TABLE {org_schema}.parents (id int PRIMARY KEY); \
        CREATE TABLE {org_schema}.children (id int REFERENCES {org_schema}.parents DEFERRABLE INITIALLY DEFERRED);";
    TestRunner::new(config)
        .run(&prop::collection::vec(0_u8..10, 2..8), |kinds| {
            let mut labels = Vec::new();
            let later = kinds.iter().enumerate().map(|(at, kind)| step(*kind, at + 1, &mut labels));
            let steps: Vec<String> = std::iter::once(begin.to_owned()).chain(later).collect();
            prop_assume!(can_run(&steps.concat()));
            every_way(&migrated(&steps), &steps.join(" ;; "));
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_password_of_a_tenant_made_in_steps_is_right_and_closed_before() {
    let project = that_waits();
    project.file(
        "tenure.toml",
        "[migrate]\nlock_timeout = \"60s\"\n[tenants]\nroles = true\nrole_prefix = \"steps_\"\n",
    );
    let lock = Session::holding(&project.db, HOLD);
    let mut command = project.command(["tenant", "create", "new", "--login", "--format", "json"]);
    let run = std::thread::spawn(move || Output::of(&command.finish()));
    let _waiting = project.db.wait_for_waiting(1);
    let can_log_in = "SELECT rolcanlogin::text FROM pg_roles WHERE rolname = 'steps_org_new'";
    assert_eq!(project.db.column(can_log_in), ["false"]);
    lock.release();
    let output = run.join().unwrap().ok();
    let made: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(made["created"][0]["role"], "steps_org_new", "{made}");
    assert!(made["created"][0]["password"].as_str().is_some_and(|password| password.len() >= 24));
    wait_until("the role may log in", || project.db.column(can_log_in) == ["true"]);
    let login = "SELECT login::text FROM datalinx_platform.tenant_version WHERE schema_name = 'org_new'";
    assert_eq!(project.db.value(login), "true");
}
