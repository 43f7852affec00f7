//! A release's queries run and planned before and after a step: what a prepared statement does not show.

use crate::queries::Fixture;

const ROWS: &str = "
INSERT INTO platform.accounts VALUES ('00000000-0000-0000-0000-000000000001', 'a@b.example'),
    ('00000000-0000-0000-0000-000000000002', 'c@d.example');
INSERT INTO workspaces (id, name, account) VALUES (1, 'first', '00000000-0000-0000-0000-000000000001'), (2, 'second', NULL);
INSERT INTO members VALUES (1, '00000000-0000-0000-0000-000000000001');
CREATE INDEX workspaces_name ON workspaces (name);
";

const WRITES: &str = "\
INSERT INTO workspaces (id, name, account) VALUES ($1, $2, $3);
INSERT INTO workspaces (id, name) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET name = excluded.name RETURNING *;
INSERT INTO {org_schema}.members VALUES ($1, $2);
UPDATE workspaces SET name = $2 WHERE id = $1;
DELETE FROM members WHERE workspace = $1 AND account = $2;
INSERT INTO accounts (id, email) VALUES ($1, lower($2));
WITH gone AS (DELETE FROM members RETURNING workspace) SELECT count(*) FROM gone;
";

fn fixture() -> Fixture {
    Fixture::executed(WRITES, ROWS)
}

#[test]
fn every_write_is_tried_and_leaves_nothing() {
    let fixture = fixture();
    let rows = "SELECT (SELECT count(*) FROM org_a.workspaces) || ' ' || (SELECT count(*) FROM org_a.members)
        || ' ' || (SELECT string_agg(name, ',' ORDER BY id) FROM org_a.workspaces)";
    let before = fixture.db.value(rows);
    assert!(fixture.unchecked().is_empty(), "{:?}", fixture.unchecked());
    assert!(fixture.breaks("SELECT 1").is_empty());
    assert_eq!(fixture.db.value(rows), before);
}

#[test]
fn a_column_that_must_be_given_breaks_those_who_do_not_know_it() {
    let fixture = fixture();
    let what = "no longer runs with sample values: null value in column \"color\" of relation \"workspaces\" \
        violates not-null constraint [23502]";
    assert_eq!(
        fixture.breaks(
            "ALTER TABLE workspaces ADD COLUMN color text; UPDATE workspaces SET color = ''; \
             ALTER TABLE workspaces ALTER color SET NOT NULL"
        ),
        [
            format!("1 Fails: {what}"),
            format!("2 Fails: {what}"),
            "2 Warn: also returns \"color\"; code that reads columns by position may fail".to_owned(),
        ]
    );
    assert_eq!(
        fixture.breaks("ALTER TABLE workspaces ADD COLUMN color text NOT NULL DEFAULT ''"),
        ["2 Warn: also returns \"color\"; code that reads columns by position may fail"]
    );
}

#[test]
fn a_check_or_a_trigger_that_rejects_breaks_those_who_write() {
    let fixture = fixture();
    let refused = |step: &str| {
        let breaks = fixture.breaks(step);
        breaks.iter().map(|one| one.split_once(' ').unwrap().0.parse().unwrap()).collect::<Vec<u32>>()
    };
    assert_eq!(refused("ALTER TABLE workspaces ADD CHECK (account IS NOT NULL) NOT VALID"), [2]);
    let trigger = "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'read only'; END $$;
        CREATE TRIGGER no BEFORE UPDATE ON workspaces FOR EACH ROW EXECUTE FUNCTION no()";
    assert_eq!(fixture.breaks(trigger), ["4 Fails: no longer runs with sample values: read only [P0001]"]);
    // What is checked only at COMMIT is checked all the same.
    let deferred = "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'late'; END $$;
        CREATE CONSTRAINT TRIGGER no AFTER DELETE ON members DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION no()";
    assert_eq!(refused(deferred), [5, 7]);
    // The old release's upsert needs the index that it names.
    assert_eq!(
        fixture.breaks("ALTER TABLE workspaces DROP CONSTRAINT workspaces_pkey CASCADE")[0],
        "2 Fails: no longer runs with sample values: there is no unique or exclusion constraint matching the \
         ON CONFLICT specification [42P10]"
    );
}

#[test]
fn rows_that_a_step_moves_are_no_break() {
    let fixture = fixture();
    // The account that the sample referred to is gone, and so are the rows: others do.
    assert!(
        fixture
            .breaks(
                "UPDATE workspaces SET account = NULL; DELETE FROM platform.accounts WHERE email LIKE 'a%'"
            )
            .is_empty()
    );
    assert!(fixture.breaks("INSERT INTO workspaces (id, name) VALUES (900000001, 'x')").is_empty());
}

#[test]
fn a_query_that_already_fails_is_reported_as_unchecked() {
    let fixture = Fixture::executed("INSERT INTO workspaces (id) VALUES ($1);\nSELECT pg_sleep(10);", ROWS);
    assert_eq!(
        fixture.unchecked(),
        [
            "q.sql:1:1 it is only prepared, since it fails with sample values before the step: null value in column \
          \"name\" of relation \"workspaces\" violates not-null constraint [23502]"
        ]
    );
    assert!(fixture.breaks("ALTER TABLE workspaces ADD CHECK (id < 5) NOT VALID").is_empty());
    assert_eq!(fixture.breaks("ALTER TABLE workspaces RENAME id TO number").len(), 1);
}

#[test]
fn a_write_that_hangs_is_no_hang() {
    let fixture = Fixture::executed("UPDATE workspaces SET name = name WHERE pg_sleep(60) IS NULL;", ROWS);
    assert_eq!(fixture.unchecked(), ["q.sql:1:1 it is only prepared: it ran for longer than 5 s"]);
}

#[test]
fn a_missing_index_is_reported() {
    let queries = "SELECT * FROM workspaces WHERE name = $1;\nSELECT * FROM workspaces WHERE id = $1;\n\
        SELECT name FROM workspaces ORDER BY name LIMIT 1;\nCALL nothing();\nSELECT shout($1);";
    let fixture = Fixture::executed(queries, ROWS);
    assert_eq!(
        fixture.breaks("DROP INDEX workspaces_name"),
        [1, 3].map(|line| {
            format!("{line} Warn: scans all of org_a.workspaces; before, it used the index workspaces_name")
        })
    );
    assert!(
        fixture.breaks("CREATE INDEX other ON workspaces (name, id); DROP INDEX workspaces_name").is_empty()
    );
}

#[test]
fn the_body_of_a_function_counts_where_a_plan_needs_it() {
    let fixture = Fixture::executed("SELECT shout(name) FROM workspaces;", ROWS);
    let step = "CREATE OR REPLACE FUNCTION shout(what text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN 1/0; END $$";
    assert!(fixture.breaks(step).is_empty(), "a body is only known when it runs");
    let word = "CREATE TABLE words (word text);
        CREATE FUNCTION word() RETURNS text LANGUAGE sql STABLE AS 'SELECT word FROM words'";
    let fixture = Fixture::executed("SELECT * FROM word();", word);
    assert_eq!(
        fixture.breaks("DROP TABLE words"),
        ["1 Fails: can no longer be planned: relation \"words\" does not exist [42P01]"]
    );
}
