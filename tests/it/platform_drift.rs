//! The platform schema is as its last step left it, or `tenure drift` and `tenure status --check` say that it is not.

use serde_json::{Value, json};

use crate::support::{Project, Session};

/// A platform with an object of many kinds, and two tenants whose tables refer to it.
fn fleet() -> Project {
    let project = Project::seeds();
    project.migration(
        "1.0.4",
        "1.0.5",
        "kinds",
        "-- Scope: platform\nCREATE TABLE datalinx_platform.plans (id int PRIMARY KEY, price numeric CHECK (price > 0), note text);\n\
         CREATE INDEX plans_note ON datalinx_platform.plans (note);\n\
         CREATE VIEW datalinx_platform.cheap AS SELECT id FROM datalinx_platform.plans WHERE price < 10;\n\
         CREATE FUNCTION datalinx_platform.one() RETURNS int LANGUAGE sql AS 'SELECT 1';\n\
         CREATE TYPE datalinx_platform.colour AS ENUM ('red', 'blue');\n\
         CREATE SEQUENCE datalinx_platform.numbers;",
    );
    project.run("migrate up").passes();
    project.create(&["acme", "globex"]);
    project
}

/// The state of the platform, and the lines about it.
#[track_caller]
fn platform(project: &Project) -> (String, Vec<String>) {
    let (code, document) = project.json("drift");
    let state = document["platform"]["state"].as_str().unwrap_or_else(|| panic!("{document}")).to_owned();
    let of_platform = |line: &&Value| line["schema"] == "datalinx_platform";
    let text =
        |line: &Value| format!("{}: {}", line["object"].as_str().unwrap(), line["change"].as_str().unwrap());
    let lines: Vec<_> =
        document["differences"].as_array().unwrap().iter().filter(of_platform).map(text).collect();
    assert_eq!(code, i32::from(state == "different"), "{document}");
    assert_eq!(lines.is_empty(), state != "different", "{document}");
    let (code, status) = project.json("status --check");
    assert_eq!(
        (code, &status["platform"]["drift"]),
        (i32::from(state == "different"), &document["platform"])
    );
    (state, lines)
}

fn same() -> (String, Vec<String>) {
    ("same".to_owned(), Vec::new())
}

#[test]
fn changes_of_the_platform_by_hand_are_named() {
    let project = fleet();
    assert_eq!(platform(&project), same());
    let own = "datalinx_platform";
    for (change, back, line) in [
        (
            "ALTER TABLE p.plans ADD COLUMN x int",
            "ALTER TABLE p.plans DROP COLUMN x",
            "table plans: column added: x",
        ),
        (
            "DROP INDEX p.plans_note",
            "CREATE INDEX plans_note ON p.plans (note)",
            "table plans: index removed: plans_note",
        ),
        (
            "ALTER TABLE p.plans ALTER note SET DEFAULT 'x'",
            "ALTER TABLE p.plans ALTER note DROP DEFAULT",
            "table plans: column note: default",
        ),
        (
            "ALTER TABLE p.plans ALTER note SET NOT NULL",
            "ALTER TABLE p.plans ALTER note DROP NOT NULL",
            "table plans: column note",
        ),
        (
            "CREATE OR REPLACE FUNCTION p.one() RETURNS int LANGUAGE sql AS 'SELECT 2'",
            "CREATE OR REPLACE FUNCTION p.one() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "function one(): body changed",
        ),
        (
            "CREATE OR REPLACE VIEW p.cheap AS SELECT id FROM p.plans WHERE price < 11",
            "CREATE OR REPLACE VIEW p.cheap AS SELECT id FROM p.plans WHERE price < 10",
            "view cheap: definition changed",
        ),
        (
            "COMMENT ON TABLE p.plans IS 'x'",
            "COMMENT ON TABLE p.plans IS NULL",
            "table plans: comment added: x",
        ),
        ("ALTER SEQUENCE p.numbers CYCLE", "ALTER SEQUENCE p.numbers NO CYCLE", "sequence numbers"),
        ("CREATE TABLE p.extra (id int)", "DROP TABLE p.extra", "table extra: added"),
        (
            "CREATE TRIGGER t BEFORE UPDATE ON p.plans FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            "DROP TRIGGER t ON p.plans",
            "table plans: trigger added: t",
        ),
    ] {
        project.db.run(&change.replace("p.", &format!("{own}.")));
        let (state, lines) = platform(&project);
        assert!(
            state == "different" && lines.len() == 1 && lines[0].starts_with(line),
            "{change}: {lines:?}"
        );
        project.db.run(&back.replace("p.", &format!("{own}.")));
        assert_eq!(platform(&project), same(), "{back}");
    }
    project.db.run("ALTER TABLE datalinx_platform.plans ADD COLUMN x int");
    let drift = project.run("drift");
    assert!(
        drift.stdout.contains("the platform schema was changed by something else since the step to 1.0.5"),
        "{drift}"
    );
    let status = project.run("status --check");
    assert!(status.code == 1 && status.stdout.contains("`tenure drift` shows what"), "{status}");
    project.run("status").passes();
    // One tenant is compared without the platform.
    assert_eq!(project.json("drift --tenant acme").0, 0);
}

#[test]
fn what_a_running_product_does_is_no_drift_of_the_platform() {
    let project = fleet();
    let role = format!("reader_{}", project.db.name);
    project.db.run(&format!(
        "INSERT INTO datalinx_platform.plans SELECT n, n FROM generate_series(1, 100) n; ANALYZE; \
         SELECT nextval('datalinx_platform.numbers')::text; CREATE ROLE {role}; GRANT SELECT ON datalinx_platform.plans TO {role}; \
         CREATE TABLE org_acme.orders (id int PRIMARY KEY, plan int REFERENCES datalinx_platform.plans); DROP TABLE org_acme.orders"
    ));
    project.db.run("VACUUM FULL datalinx_platform.plans");
    project.create(&["third"]);
    assert_eq!(platform(&project), same());
    // A step of the tenants moves the platform's version and leaves its schema.
    project.migration(
        "1.0.5",
        "1.0.6",
        "note",
        "-- Scope: tenant\nALTER TABLE workspaces ADD COLUMN note text;",
    );
    project.run("migrate up").passes();
    assert_eq!(platform(&project), same());
    let recorded = "SELECT string_agg(to_version, ' ' ORDER BY id) FROM datalinx_platform.migration_history WHERE fingerprint IS NOT NULL";
    assert_eq!(project.db.value(recorded), "1.0.5");
    // The last step of several records it.
    for (from, to) in [("1.0.6", "1.0.7"), ("1.0.7", "1.0.8")] {
        let sql =
            format!("-- Scope: platform\nALTER TABLE datalinx_platform.plans ADD COLUMN c{} text;", &to[4..]);
        project.migration(from, to, "column", &sql);
    }
    project.run("migrate up").passes();
    assert_eq!((platform(&project), project.db.value(recorded)), (same(), "1.0.5 1.0.8".to_owned()));
}

#[test]
fn without_a_comparable_fingerprint_the_platform_is_unknown() {
    let project = fleet();
    project.db.run("ALTER TABLE datalinx_platform.plans ADD COLUMN by_hand int");
    let because = |change: &str| {
        project.db.run(change);
        let (code, document) = project.json("drift");
        assert_eq!((code, &document["platform"]["state"]), (0, &json!("unknown")), "{document}");
        let drift = project.run("drift");
        let because = document["platform"]["because"].as_str().unwrap().to_owned();
        assert!(
            drift.stdout.contains(&format!("the platform schema was not compared: {because}")),
            "{drift}"
        );
        assert_eq!(project.json("status --check").0, 0);
        because
    };
    let history = "UPDATE datalinx_platform.migration_history SET fingerprint";
    assert_eq!(
        because(&format!("{history} = regexp_replace(fingerprint, '/\\d+/', '/9/')")),
        "PostgreSQL 9 recorded the fingerprint"
    );
    assert_eq!(
        because(&format!("{history} = 'other' || substr(fingerprint, 9)")),
        "another version of Tenure recorded the fingerprint"
    );
    // As if an older Tenure had run the last step.
    project.migration(
        "1.0.5",
        "1.0.6",
        "old",
        "-- Scope: platform\nALTER TABLE datalinx_platform.plans ADD COLUMN old int;",
    );
    project.run("migrate up").passes();
    assert_eq!(
        because(&format!("{history} = NULL WHERE to_version = '1.0.6'")),
        "the run of v1.0.5_to_v1.0.6_old.sql recorded no fingerprint"
    );
    assert_eq!(
        because("ALTER TABLE datalinx_platform.migration_history DROP COLUMN fingerprint"),
        "no platform step has recorded a fingerprint yet"
    );
}

#[test]
fn a_fingerprint_that_cannot_be_computed_does_not_fail_the_step() {
    let project = fleet();
    let _holder =
        Session::holding(&project.db, "LOCK TABLE datalinx_platform.plans IN ACCESS EXCLUSIVE MODE");
    project.migration(
        "1.0.5",
        "1.0.6",
        "other",
        "-- Scope: platform\nCREATE TABLE datalinx_platform.other (id int PRIMARY KEY);",
    );
    project.run("migrate up").passes();
    let (_, status) = project.json("status");
    assert_eq!(status["platform"]["version"], "1.0.6");
}

#[test]
fn the_fingerprint_leaves_no_setting_to_deferred_triggers() {
    let project = fleet();
    // The unit moves this row first, and the trigger runs at its COMMIT.
    project.db.run(
        "CREATE TABLE datalinx_platform.seen (lock_timeout text); \
         CREATE FUNCTION datalinx_platform.see() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN INSERT INTO seen VALUES (current_setting(''lock_timeout'')); RETURN NULL; END'; \
         CREATE CONSTRAINT TRIGGER see AFTER UPDATE ON datalinx_platform.schema_version DEFERRABLE INITIALLY DEFERRED \
         FOR EACH ROW EXECUTE FUNCTION datalinx_platform.see()",
    );
    let sql = "-- Scope: platform\nALTER TABLE datalinx_platform.plans ADD COLUMN more int;";
    project.migration("1.0.5", "1.0.6", "more", sql);
    project.run("migrate up --lock-timeout 7s").passes();
    assert_eq!(project.db.value("SELECT lock_timeout FROM datalinx_platform.seen"), "7s");
    assert_eq!(platform(&project), same());
}
