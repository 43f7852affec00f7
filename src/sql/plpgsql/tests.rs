//! The parts of bodies.

use super::*;

fn statements(body: &str) -> Option<Vec<(String, &'static str)>> {
    let parts = split(body)?;
    let shown = parts.statements.iter().map(|(range, runs)| {
        let runs = match runs {
            Runs::Always => "always",
            Runs::IfMissing(_) => "if missing",
            Runs::IfPresent(_) => "if present",
            Runs::Both(..) => "if both",
            Runs::Perhaps => "perhaps",
        };
        (body[range.clone()].to_owned(), runs)
    });
    Some(shown.collect())
}

#[test]
fn static_statements_are_found_with_the_condition_under_which_they_run() {
    for (body, expected) in [
        ("BEGIN DROP TABLE t; END", vec![("DROP TABLE t", "always")]),
        ("BEGIN NULL; END;", vec![]),
        (
            "begin if not exists (select 1 from pg_type where typname = 'm') then create type m as enum ('a;b'); end if; end",
            vec![("create type m as enum ('a;b')", "if missing")],
        ),
        (
            "BEGIN IF to_regclass('t') IS NOT NULL THEN IF to_regclass('u') IS NULL THEN CREATE TABLE u (a int); END IF; \
             IF b THEN DROP TABLE t; END IF; END IF; END",
            vec![("CREATE TABLE u (a int)", "if both"), ("DROP TABLE t", "perhaps")],
        ),
        (
            "BEGIN ALTER TABLE t ADD c int; EXCEPTION WHEN duplicate_column OR duplicate_object THEN RAISE NOTICE 'x %', 1; END",
            vec![("ALTER TABLE t ADD c int", "if missing")],
        ),
        (
            "BEGIN ALTER TABLE t ADD c int; DROP TABLE u; EXCEPTION WHEN others THEN NULL; END",
            vec![("ALTER TABLE t ADD c int", "perhaps"), ("DROP TABLE u", "perhaps")],
        ),
        (
            "<<b>> DECLARE n int := 1; r record; c CURSOR (k int) FOR SELECT 2; BEGIN FOR r IN SELECT a FROM t LOOP UPDATE u SET a = r.a; END LOOP; \
             WHILE n < 3 LOOP n := n + 1; EXIT WHEN n = 2; END LOOP; FOR i IN REVERSE 1..n BY 2 LOOP DELETE FROM t; END LOOP; END b",
            vec![
                ("SELECT 2", "perhaps"),
                ("SELECT a FROM t", "always"),
                ("UPDATE u SET a = r.a", "perhaps"),
                ("DELETE FROM t", "perhaps"),
            ],
        ),
        (
            "BEGIN IF a THEN TRUNCATE t; RETURN; ELSIF b THEN TRUNCATE u; ELSE TRUNCATE v; END IF; TRUNCATE w; END",
            vec![
                ("TRUNCATE t", "perhaps"),
                ("TRUNCATE u", "perhaps"),
                ("TRUNCATE v", "perhaps"),
                ("TRUNCATE w", "perhaps"),
            ],
        ),
        (
            "BEGIN CASE x WHEN 1 THEN DELETE FROM t; ELSE BEGIN DELETE FROM u; END; END CASE; PERFORM 1 FROM pg_class WHERE relname = 'v'; IF NOT FOUND THEN CREATE TABLE v (a int); END IF; END",
            vec![
                ("DELETE FROM t", "perhaps"),
                ("DELETE FROM u", "perhaps"),
                ("PERFORM 1 FROM pg_class WHERE relname = 'v'", "always"),
                ("CREATE TABLE v (a int)", "if missing"),
            ],
        ),
        (
            "DECLARE v int; BEGIN SELECT count(*) INTO STRICT v FROM t; IF (SELECT count(*) FROM pg_class WHERE relname = 'u') = 0 THEN CREATE TABLE u (a int); END IF; END",
            vec![
                ("SELECT count(*) INTO STRICT v FROM t", "always"),
                ("CREATE TABLE u (a int)", "if missing"),
            ],
        ),
    ] {
        let expected: Vec<_> = expected.into_iter().map(|(sql, runs)| (sql.to_owned(), runs)).collect();
        assert_eq!(statements(body), Some(expected), "{body}");
    }
}

#[test]
fn an_unknown_construct_makes_the_body_unreadable() {
    for body in [
        "BEGIN COMMIT; END",
        "BEGIN DROP TABLE t; END; DROP TABLE u;",
        "BEGIN DROP TABLE t END",
        "BEGIN something new; END",
        "BEGIN IF a THEN DROP TABLE t; END; END",
        "#variable_conflict error BEGIN NULL; END",
        "DROP TABLE t",
        "BEGIN FOR r IN c(1) LOOP NULL; END LOOP; END",
        "BEGIN FOR r IN wipe() LOOP NULL; END LOOP; END",
        "",
    ] {
        assert_eq!(statements(body), None, "{body}");
    }
}

#[test]
fn dynamic_statements_and_expressions_are_found() {
    let body = "DECLARE a int DEFAULT f(1); BEGIN a := g(2); EXECUTE 'DROP TABLE t'; RAISE WARNING 'x %', h(3) USING HINT = i(4); RETURN j(5); END";
    let parts = split(body).unwrap();
    assert!(parts.is_dynamic && parts.statements.is_empty());
    let expressions: Vec<_> = parts.expressions.iter().map(|range| &body[range.clone()]).collect();
    assert_eq!(expressions, ["f(1)", "g(2)", "h(3)", "HINT = i(4)", "j(5)"]);
    assert_eq!(parts.strings, ["DROP TABLE t", "x %"]);
    for body in [
        "BEGIN FOR r IN EXECUTE x LOOP NULL; END LOOP; END",
        "BEGIN OPEN c FOR EXECUTE x; END",
        "BEGIN RETURN QUERY EXECUTE x; END",
    ] {
        assert!(split(body).unwrap().is_dynamic, "{body}");
    }
}
