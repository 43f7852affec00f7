//! A use of a routine that the same file makes or replaces is judged by the statements of its body.

use super::*;

const BASE: &str = "CREATE TABLE users (id int, note text); \
    CREATE FUNCTION old(a int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN a; END'; \
    CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'";

const WIPE: &str = "CREATE FUNCTION zf() RETURNS int LANGUAGE sql AS 'DELETE FROM users; SELECT 1';";

#[test]
fn every_use_is_judged() {
    for used in [
        "SELECT zf()",
        "CREATE TABLE n (a int DEFAULT zf())",
        "ALTER TABLE users ADD COLUMN a int DEFAULT zf()",
        "CREATE TABLE n (a int CHECK (zf() > a))",
        "CREATE DOMAIN d AS int CHECK (zf() > VALUE)",
        "CREATE DOMAIN d AS int DEFAULT zf()",
        "CREATE VIEW v AS SELECT zf() AS a",
        "CREATE OPERATOR === (FUNCTION = zf, LEFTARG = int, RIGHTARG = int)",
        "CREATE CAST (int AS users) WITH FUNCTION zf()",
        "CREATE TABLE n (a int); CREATE RULE r AS ON INSERT TO n DO ALSO SELECT zf()",
        "CREATE INDEX i ON users (zf())",
        "DO $$ BEGIN PERFORM zf(); END $$",
        "DO $$ DECLARE n int; BEGIN n := zf(); END $$",
        "CREATE FUNCTION outer_one() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN zf(); END'; SELECT outer_one()",
        "CREATE FUNCTION outer_one() RETURNS int STABLE LANGUAGE sql AS 'SELECT zf()'; SELECT outer_one()",
    ] {
        let found = denied_on(BASE, &format!("{WIPE} {used}"));
        assert!(found.contains(&"delete-without-where"), "{used}: {found:?}");
    }
    for trigger in [
        "CREATE TRIGGER g BEFORE INSERT ON n FOR EACH ROW EXECUTE FUNCTION tf()",
        "CREATE CONSTRAINT TRIGGER g AFTER INSERT ON n FOR EACH ROW EXECUTE FUNCTION tf()",
        "CREATE TRIGGER g BEFORE INSERT ON n EXECUTE PROCEDURE tf()",
    ] {
        let sql = format!(
            "CREATE TABLE n (a int); CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM users; RETURN NEW; END $$; {trigger}; INSERT INTO n VALUES (1)"
        );
        assert!(denied_on(BASE, &sql).contains(&"delete-without-where"), "{sql}");
    }
}

#[test]
fn what_cannot_be_read_is_opaque() {
    for body in [
        "LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'DELETE FROM users'; RETURN 1; END $$",
        "LANGUAGE plpgsql AS $$ BEGIN PERFORM other.wipe(); RETURN 1; END $$",
        "LANGUAGE plpython3u AS $$ x $$",
        "LANGUAGE c AS 'x'",
    ] {
        for used in [
            "SELECT hidden()",
            "CREATE TABLE n (a int DEFAULT hidden())",
            "CREATE VIEW v AS SELECT hidden() AS a",
        ] {
            let sql = format!("CREATE FUNCTION hidden() RETURNS int {body}; {used}");
            assert!(denied_on(BASE, &sql).contains(&"opaque-code"), "{sql}: {:?}", denied_on(BASE, &sql));
        }
    }
}

#[test]
fn harmless_routines_pass() {
    for sql in [
        "CREATE FUNCTION fill() RETURNS void LANGUAGE plpgsql AS $$ BEGIN UPDATE users SET note = '' WHERE note IS NULL; END $$; SELECT fill(); DROP FUNCTION fill()",
        "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TABLE n (a int DEFAULT one()); CREATE VIEW v AS SELECT one() AS a",
        "CREATE TABLE n (a int); CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.a := 1; RETURN NEW; END $$; CREATE TRIGGER g BEFORE INSERT ON n FOR EACH ROW EXECUTE FUNCTION tf(); INSERT INTO n VALUES (2)",
        "CREATE FUNCTION zf() RETURNS int LANGUAGE sql AS 'DELETE FROM users; SELECT 1'; COMMENT ON FUNCTION zf() IS 'x'; GRANT EXECUTE ON FUNCTION zf() TO app",
        "CREATE PROCEDURE fill() LANGUAGE sql AS 'INSERT INTO users VALUES (1)'; CALL fill()",
    ] {
        assert_eq!(denied_on(BASE, sql), [""; 0], "{sql}");
    }
}

#[test]
fn a_trigger_of_a_lone_file_is_judged_if_the_file_fires_it() {
    let trigger = |body: &str, more: &str| {
        denied(&format!(
            "CREATE TABLE n (a int); CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$; \
             CREATE TRIGGER g BEFORE INSERT ON n FOR EACH ROW EXECUTE FUNCTION tf(); {more}"
        ))
    };
    assert_eq!(trigger("NEW.a := 1;", "INSERT INTO n VALUES (2)"), [""; 0]);
    assert_eq!(trigger("DELETE FROM users;", "INSERT INTO n VALUES (2)"), ["delete-without-where"]);
    assert_eq!(
        trigger("DELETE FROM users;", "DO $$ BEGIN INSERT INTO n VALUES (2); END $$"),
        ["delete-without-where"]
    );
    assert_eq!(trigger("DELETE FROM users;", "SELECT 1"), [""; 0]);
}

#[test]
fn what_the_file_makes_does_not_hide_an_effect_on_old_rows() {
    for (sql, expected) in [
        ("CREATE DOMAIN d AS int; ALTER TABLE users ADD a d; ALTER DOMAIN d SET NOT NULL", "set-not-null"),
        (
            "CREATE DOMAIN d AS text; ALTER TABLE users ADD a d; ALTER DOMAIN d ADD CHECK (VALUE <> '')",
            "change-domain",
        ),
        ("CREATE TABLE child () INHERITS (users); INSERT INTO child SELECT * FROM users", "inherit-table"),
    ] {
        let found = denied_on(BASE, sql);
        assert!(found.contains(&expected), "{sql}: {found:?}");
    }
    for sql in [
        "CREATE DOMAIN d AS int; CREATE TABLE n (a d); ALTER DOMAIN d SET NOT NULL",
        "CREATE TABLE child () INHERITS (users); INSERT INTO child VALUES (1, 'x')",
        "CREATE TABLE copied (LIKE users); INSERT INTO copied SELECT * FROM users",
    ] {
        assert_eq!(denied_on(BASE, sql), [""; 0], "{sql}");
    }
}

#[test]
fn a_replaced_body_is_judged_like_a_block() {
    for (sql, expected) in [
        (
            "CREATE OR REPLACE FUNCTION old(a int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN a + 1; END'",
            &["replace-body"][..],
        ),
        (
            "CREATE OR REPLACE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.note := 1; RETURN NEW; END'",
            &["replace-body"],
        ),
        (
            "DROP FUNCTION old(int); CREATE FUNCTION old(a int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN a * 2; END'",
            &["replace-body"],
        ),
        (
            "CREATE OR REPLACE FUNCTION old(a int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 0; END'",
            &["replace-object"],
        ),
        (
            "CREATE OR REPLACE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
            &["replace-object"],
        ),
        (
            "CREATE OR REPLACE FUNCTION old(a int) RETURNS int LANGUAGE plpgsql AS 'BEGIN DELETE FROM users; RETURN a; END'",
            &["replace-object"],
        ),
        (
            "CREATE OR REPLACE FUNCTION old(a int) RETURNS int LANGUAGE plpgsql AS 'BEGIN EXECUTE ''x''; RETURN a; END'",
            &["replace-object"],
        ),
        (
            "CREATE OR REPLACE FUNCTION old(a int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN a + 1; END'",
            &["replace-object"],
        ),
        (
            "CREATE OR REPLACE FUNCTION old(a int) RETURNS int SECURITY DEFINER LANGUAGE plpgsql AS 'BEGIN RETURN a; END'",
            &["replace-object"],
        ),
        (
            "CREATE OR REPLACE FUNCTION old(a int) RETURNS SETOF int LANGUAGE plpgsql AS 'BEGIN RETURN NEXT a; END'",
            &["replace-object"],
        ),
        (
            "CREATE OR REPLACE FUNCTION old(b int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN b; END'",
            &["replace-object"],
        ),
        ("CREATE OR REPLACE FUNCTION old(a int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN a; END'", &[]),
    ] {
        assert_eq!(ids_on(BASE, sql), expected, "{sql}");
    }
}
