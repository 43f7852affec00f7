//! The model after some statements.

use super::*;
use crate::verify::tests::parse;

fn known(sql: &str) -> Schema {
    let mut schema = Schema::empty("datalinx_platform");
    schema.apply_script(&parse(sql));
    schema
}

fn name(sql: &str) -> Name {
    let script = parse(&format!("ALTER TABLE {sql} ADD COLUMN c int"));
    script.statements[0].names[0].clone()
}

fn table(sql: &str, of: &str) -> Table {
    known(sql).table(&name(of), None).present().unwrap_or_else(|| panic!("{sql}: no {of}")).clone()
}

#[test]
fn a_table_is_read_completely() {
    let found = table(
        "CREATE TABLE t (id uuid PRIMARY KEY, email varchar(50) NOT NULL UNIQUE, age int CHECK (age > 0), CHECK (email IS NOT NULL AND age > 1), team uuid REFERENCES teams ON DELETE CASCADE); CREATE INDEX ON t (age, email); CREATE UNIQUE INDEX u ON t (lower(email))",
        "t",
    );
    let constraints: Vec<&str> = found.constraints.iter().map(|own| own.name.as_str()).collect();
    assert_eq!(
        constraints,
        ["t_pkey", "t_email_not_null", "t_email_key", "t_age_check", "t_check", "t_team_fkey"]
    );
    let indexes: Vec<&str> = found.indexes.iter().map(|own| own.name.as_str()).collect();
    assert_eq!(indexes, ["t_pkey", "t_email_key", "t_age_email_idx", "u"]);
    assert!(found.proves_not_null("id") && found.proves_not_null("email") && !found.proves_not_null("age"));
    assert!(found.column("nothing").is_absent());
}

#[test]
fn statements_change_the_table() {
    let found = table(
        "CREATE TABLE t (a int, b text, c int); ALTER TABLE t RENAME a TO x; ALTER TABLE t ADD CONSTRAINT k CHECK (b IS NOT NULL) NOT VALID; ALTER TABLE t DROP COLUMN c, ALTER x TYPE bigint, ADD COLUMN IF NOT EXISTS b int, ADD d int DEFAULT 1",
        "t",
    );
    let columns: Vec<&str> = found.columns.iter().map(|own| own.name.as_str()).collect();
    assert_eq!(columns, ["x", "b", "d"]);
    assert_eq!(found.columns[0].of_type.as_ref().map(|of_type| of_type.name.as_str()), Some("int8"));
    assert!(!found.proves_not_null("b"));
    let validated = "CREATE TABLE t (b text); ALTER TABLE t ADD CHECK (b IS NOT NULL) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT t_b_check";
    assert!(table(validated, "t").proves_not_null("b"));
}

#[test]
fn names_resolve_on_the_search_path() {
    let schema = known("CREATE TABLE app.t (a int); CREATE TABLE public.u (a int); CREATE TABLE v (a int)");
    for there in ["app.t", "t", "public.u", "u", "v", "public.v", "{org_schema}.t"] {
        assert!(schema.relation(&name(there), None).present().is_some(), "{there}");
    }
    for absent in ["w", "other.t", "app.u", "\"T\""] {
        assert!(schema.relation(&name(absent), None).is_absent(), "{absent}");
    }
}

#[test]
fn unknown_is_not_absent() {
    let tables = "CREATE TABLE t (a int); CREATE TABLE u (a int); CREATE TABLE w (a int);";
    for opaque in [
        "DO $$ BEGIN EXECUTE 'DROP TABLE t'; END $$",
        "DO $$ DECLARE q text := 't'; BEGIN EXECUTE q; END $$",
        "DO LANGUAGE plpython3u $$ t $$",
        "SELECT wipe('t')",
        "CALL wipe('t')",
        "CREATE FUNCTION wipe() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'DROP TABLE t'; END $$; SELECT wipe()",
        "CREATE FUNCTION wipe() RETURNS void LANGUAGE sql AS 'DROP TABLE t'; SELECT wipe()",
        "DO $$ BEGIN IF random() > 0.5 THEN DROP TABLE t; END IF; END $$",
    ] {
        let after = known(&format!("{tables} {opaque}"));
        assert!(matches!(after.relation(&name("t"), None), Found::Unknown), "{opaque}");
        assert!(after.relation(&name("u"), None).present().is_some(), "{opaque}");
        assert!(after.relation(&name("v"), None).is_absent(), "{opaque}");
        let shown = known(&format!("{tables} {opaque}; CREATE TABLE t (b int)"));
        assert!(shown.table(&name("t"), None).present().unwrap().column("a").is_absent(), "{opaque}");
    }
    let harmless = known(
        "CREATE TABLE t (a int); SELECT now(), count(*) FROM t; INSERT INTO t VALUES (lower('A')::int)",
    );
    assert!(harmless.relation(&name("x"), None).is_absent());
    let moved = known("SELECT set_config('search_path', 'a', false); CREATE TABLE t (a int)");
    assert!(matches!(moved.relation(&name("t"), None), Found::Unknown));
    assert!(matches!(Schema::unknown("p").relation(&name("t"), None), Found::Unknown));
}

#[test]
fn statements_of_a_block_are_applied() {
    let base = "CREATE TABLE t (a int, b int)";
    for (block, present, absent) in [
        ("DO $$ BEGIN ALTER TABLE t ADD c int; END $$", &["a", "b", "c"][..], &[][..]),
        (
            "DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM information_schema.columns WHERE table_name = 't' AND column_name = 'c') THEN ALTER TABLE t ADD c int; END IF; END $$",
            &["c"],
            &[],
        ),
        (
            "DO $$ BEGIN ALTER TABLE t ADD c int; EXCEPTION WHEN duplicate_column THEN NULL; END $$",
            &["c"],
            &[],
        ),
        (
            "DO $$ BEGIN IF EXISTS (SELECT 1 FROM pg_attribute WHERE attname = 'b') THEN ALTER TABLE t DROP COLUMN b; END IF; END $$",
            &["a"],
            &["b"],
        ),
        (
            "DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = 'k') THEN DELETE FROM t WHERE a = 1; ALTER TABLE t ADD c int; ALTER TABLE t ADD CONSTRAINT k CHECK (c > 0); END IF; END $$",
            &["c"],
            &[],
        ),
        ("DO $$ BEGIN IF now() > '2020-01-01' THEN ALTER TABLE t DROP COLUMN b; END IF; END $$", &["a"], &[]),
    ] {
        let found = table(&format!("{base}; {block}"), "t");
        let unknown = ["a", "b", "c"].into_iter().filter(|it| !present.contains(it) && !absent.contains(it));
        for column in present {
            assert!(matches!(found.column(column), Found::Present(_)), "{block}: {column}");
        }
        for column in absent {
            assert!(found.column(column).is_absent(), "{block}: {column}");
        }
        if present.len() + absent.len() < 2 {
            assert!(
                unknown.into_iter().all(|column| !matches!(found.column(column), Found::Absent))
                    || present == ["c"],
                "{block}"
            );
        }
    }
}

#[test]
fn objects_that_the_statements_create_are_known() {
    let schema = known(
        "CREATE SCHEMA aux; CREATE TABLE aux.t (a serial, b int GENERATED ALWAYS AS IDENTITY, c text); \
         CREATE INDEX ON aux.t (lower(c)); CREATE INDEX ON aux.t (c, (a + b)) INCLUDE (b); \
         CREATE TABLE copied AS SELECT c, a AS number FROM aux.t; CREATE TABLE whole AS SELECT * FROM aux.t; \
         CREATE TABLE alike (LIKE aux.t INCLUDING ALL, d int)",
    );
    assert!(schema.relation(&name("aux.nothing"), None).is_absent());
    for sequence in ["aux.t_a_seq", "aux.t_b_seq", "alike_b_seq"] {
        assert!(schema.relation(&name(sequence), None).present().is_some(), "{sequence}");
    }
    let indexes = |of: &str| -> Vec<String> {
        let table = schema.table(&name(of), None).present().unwrap();
        assert!(table.is_complete, "{of}");
        table.indexes.iter().map(|index| index.name.clone()).collect()
    };
    assert_eq!(indexes("aux.t"), ["t_lower_idx", "t_c_expr_b_idx"]);
    assert!(indexes("copied").is_empty() && indexes("whole").is_empty());
    let columns = |of: &str| -> Vec<String> {
        let table = schema.table(&name(of), None).present().unwrap();
        table.columns.iter().map(|column| column.name.clone()).collect()
    };
    assert_eq!(columns("copied"), ["c", "number"]);
    assert_eq!(columns("whole"), ["a", "b", "c"]);
    assert_eq!(columns("alike"), ["a", "b", "c", "d"]);
    let long = "a_table_with_a_very_long_name_that_the_server_shortens_in_names_of_others";
    let shortened = known(&format!("CREATE TABLE {long} (a_column_with_a_long_name_too int UNIQUE)"));
    let table = shortened.table(&name(long), None).present().unwrap();
    assert_eq!(table.indexes[0].name, "a_table_with_a_very_long_name_a_column_with_a_long_name_too_key");
}

#[test]
fn dropped_schemas_and_renamed_objects_are_followed() {
    let base = "CREATE TABLE t (a int); CREATE SCHEMA spare; CREATE TABLE spare.s (a int);";
    for statement in [
        "DROP SCHEMA spare CASCADE",
        "DROP SCHEMA IF EXISTS nope",
        "DROP EXTENSION citext",
        "DROP FUNCTION IF EXISTS f()",
        "ALTER TYPE mood RENAME TO mode",
        "DROP OWNED BY someone",
    ] {
        let after = known(&format!("{base} CREATE TYPE mood AS ENUM ('a'); {statement}"));
        assert!(after.table(&name("t"), None).present().is_some(), "{statement}");
        assert!(after.relation(&name("v"), None).is_absent(), "{statement}");
    }
    let after = known(&format!("{base} ALTER SCHEMA spare RENAME TO archive"));
    assert!(after.relation(&name("archive.s"), None).present().is_some());
    assert!(after.schema("spare").is_absent() && after.relation(&name("spare.s"), None).is_absent());
    let after = known(&format!("{base} DROP SCHEMA spare CASCADE; CREATE SCHEMA spare"));
    assert!(after.relation(&name("spare.s"), None).is_absent());
}
