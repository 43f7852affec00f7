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
    let opaque = known("CREATE TABLE t (a int); DO $$ BEGIN NULL; END $$; CREATE TABLE u (a int)");
    assert!(matches!(opaque.relation(&name("t"), None), Found::Unknown));
    assert!(matches!(opaque.relation(&name("v"), None), Found::Unknown));
    let later = opaque.table(&name("u"), None).present().cloned().unwrap();
    assert!(later.column("b").is_absent());
    let calls = known("CREATE TABLE t (a int); SELECT wipe(); ");
    assert!(matches!(calls.relation(&name("t"), None), Found::Unknown));
    let harmless = known(
        "CREATE TABLE t (a int); SELECT now(), count(*) FROM t; INSERT INTO t VALUES (lower('A')::int)",
    );
    assert!(harmless.relation(&name("x"), None).is_absent());
    let moved = known("SELECT set_config('search_path', 'a', false); CREATE TABLE t (a int)");
    assert!(matches!(moved.relation(&name("t"), None), Found::Unknown));
    assert!(matches!(Schema::unknown("p").relation(&name("t"), None), Found::Unknown));
}
