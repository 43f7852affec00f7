//! The static statements of a DO block are judged like plain statements, and only what cannot be read is opaque.

use super::*;

const BASE: &str =
    "CREATE TABLE t (a int, b text NOT NULL, c int); CREATE INDEX i ON t (a); CREATE TABLE u (a int)";

#[test]
fn statements_in_a_block_have_the_findings_of_plain_ones() {
    for (body, expected) in [
        ("DROP TABLE t;", &["drop-table"][..]),
        ("IF true THEN NULL; ELSE DROP TABLE t; END IF;", &["drop-table"]),
        ("FOR r IN SELECT 1 LOOP DELETE FROM t; END LOOP;", &["delete-without-where"]),
        ("BEGIN NULL; EXCEPTION WHEN others THEN TRUNCATE t; END;", &["truncate"]),
        (
            "ALTER TABLE t DROP COLUMN a; ALTER TABLE t ALTER b TYPE varchar(3);",
            &["drop-column", "change-column-type"],
        ),
        ("UPDATE t SET b = 'x';", &["update-without-where"]),
        (
            "WITH d AS (DELETE FROM t WHERE a = 1 RETURNING a) SELECT count(*) INTO n FROM d;",
            &["delete-rows"],
        ),
        ("CASE n WHEN 1 THEN NULL; ELSE LOOP DROP TABLE u; EXIT; END LOOP; END CASE;", &["drop-table"]),
        ("DROP INDEX i;", &[]),
        ("ALTER TABLE t ADD d int; UPDATE t SET d = 1 WHERE a > 1;", &[]),
        ("CREATE TABLE n (a int, b int); INSERT INTO n VALUES (1, 2); DROP TABLE n;", &[]),
        ("PERFORM 1 FROM t WHERE a = 1; IF NOT FOUND THEN RAISE NOTICE 'none'; END IF;", &[]),
        ("n := (SELECT count(*) FROM t); IF n > 10 THEN RAISE EXCEPTION 'too many: %', n; END IF;", &[]),
        ("EXECUTE 'DROP TABLE t';", &["opaque-code"]),
        ("PERFORM wipe();", &["opaque-code"]),
        ("n := wipe();", &["opaque-code"]),
        ("IF wipe() THEN NULL; END IF;", &["opaque-code"]),
        ("INSERT INTO t (b) SELECT wipe();", &["opaque-code"]),
        ("CALL wipe();", &["opaque-code"]),
        ("COMMIT;", &["opaque-code"]),
        ("DROP TABLE t; EXECUTE format('DROP TABLE %I', 'u');", &["opaque-code", "drop-table"]),
    ] {
        for sql in [
            format!("DO $$ DECLARE n int; r record; BEGIN {body} END $$"),
            format!("DO 'DECLARE n int; r record; BEGIN {} END' LANGUAGE plpgsql", body.replace('\'', "''")),
        ] {
            let mut found = denied_on(BASE, &sql);
            let mut expected = expected.to_vec();
            found.sort_unstable();
            expected.sort_unstable();
            assert_eq!(found, expected, "{sql}");
        }
    }
}

#[test]
fn a_guarded_definition_passes_as_the_plain_statement() {
    for sql in [
        "DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_type WHERE typname = 'mood') THEN CREATE TYPE mood AS ENUM ('a'); END IF; END $$",
        "DO $$ BEGIN IF EXISTS (SELECT FROM pg_class WHERE relname = 't') THEN IF NOT EXISTS (SELECT FROM information_schema.columns WHERE column_name = 'd') THEN ALTER TABLE t ADD COLUMN d int; END IF; END IF; UPDATE t SET d = 1 WHERE a > 1; END $$",
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_type WHERE typname = 'mood') THEN IF to_regclass('n') IS NULL THEN CREATE TYPE mood AS ENUM ('a'); CREATE TABLE n (m mood); END IF; END IF; END $$",
        "DO $$ BEGIN CREATE TYPE mood AS ENUM ('a'); EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM information_schema.columns WHERE table_name = 't' AND column_name = 'd') THEN ALTER TABLE t ADD COLUMN d int; END IF; END $$",
        "DO $$ BEGIN ALTER TABLE t ADD COLUMN d int; EXCEPTION WHEN duplicate_column THEN RAISE NOTICE 'there'; END $$",
        "DO $$ BEGIN IF to_regclass('n') IS NULL THEN CREATE TABLE n (a int); CREATE UNIQUE INDEX k ON n (a); END IF; END $$",
        "DO $$ BEGIN IF EXISTS (SELECT 1 FROM pg_constraint WHERE conname = 'x') THEN ALTER TABLE t DROP CONSTRAINT IF EXISTS x; END IF; END $$",
        "DO $$ BEGIN ALTER TABLE t ADD d int; ALTER TABLE t ADD CONSTRAINT x CHECK (d > 0); END $$",
    ] {
        assert_eq!(denied_on(BASE, sql), [""; 0], "{sql}");
    }
}

#[test]
fn names_of_unique_indexes_are_used() {
    let base = "CREATE TABLE t (a int, b int); CREATE UNIQUE INDEX u ON t (a); CREATE INDEX i ON t (b)";
    assert_eq!(denied_on(base, "ALTER INDEX u RENAME TO v"), ["rename-object"]);
    assert_eq!(denied_on(base, "DO $$ BEGIN ALTER INDEX u RENAME TO v; END $$"), ["rename-object"]);
    assert_eq!(denied_on(base, "ALTER INDEX i RENAME TO v"), [""; 0]);
    assert_eq!(denied_on(base, "CREATE UNIQUE INDEX n ON t (a); ALTER INDEX n RENAME TO v"), [""; 0]);
}

#[test]
fn a_finding_in_a_block_has_the_place_of_its_statement() {
    let found = findings_before(
        &base(BASE),
        "DO $$\nBEGIN\n  PERFORM 1;\n  DROP TABLE t;\nEND $$",
        Kind::Migration,
        &Policy::default(),
    );
    let places: Vec<String> = found
        .iter()
        .filter(|finding| finding.denies())
        .map(|finding| match &finding.subject {
            FindingTarget::Text { place, .. } => place.to_string(),
            other @ FindingTarget::Object(_) => format!("{other:?}"),
        })
        .collect();
    assert_eq!(places, ["t.sql:4:3"]);
    assert!(found[0].message.starts_with("`DROP TABLE t`"), "{}", found[0].message);
}

#[test]
fn after_opaque_code_other_objects_are_judged_as_before() {
    let opaque = "-- Allow: opaque-code because x\nDO $$ BEGIN EXECUTE 'ALTER TABLE u ADD b int'; END $$;";
    assert_eq!(denied_on(BASE, &format!("{opaque} DROP INDEX i")), [""; 0]);
    assert_eq!(denied_on(BASE, &format!("{opaque} ALTER TABLE t ALTER a TYPE bigint")), [""; 0]);
    assert_eq!(
        denied_on(
            BASE,
            &format!("{opaque} CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'")
        ),
        [""; 0]
    );
    assert_eq!(denied_on(BASE, &format!("{opaque} DROP TABLE IF EXISTS never_was")), [""; 0]);
    assert_eq!(
        denied_on(BASE, &format!("{opaque} ALTER TABLE u ALTER a TYPE bigint")),
        ["change-column-type"]
    );
    let dropped = "-- Allow: drop-function because x\nDROP FUNCTION IF EXISTS f(text);";
    let with = format!("{BASE}; CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'");
    assert_eq!(denied_on(&with, "DROP FUNCTION IF EXISTS f(text)"), [""; 0]);
    assert_eq!(denied_on(&with, "DROP FUNCTION IF EXISTS f(integer)"), ["drop-function"]);
    assert_eq!(
        denied_on(
            &with,
            "DROP FUNCTION IF EXISTS g(int4); CREATE OR REPLACE FUNCTION h() RETURNS int LANGUAGE sql AS 'SELECT 1'"
        ),
        [""; 0],
        "{dropped}"
    );
    assert_eq!(
        denied_on(BASE, "DROP SCHEMA IF EXISTS never_was; DROP EXTENSION IF EXISTS never_was"),
        [""; 0]
    );
    assert!(denied_on(BASE, "DROP SCHEMA IF EXISTS org_acme").contains(&"drop-schema"));
}
