//! Each form of statement, with `¤` before the names that are sent qualified.

use crate::error::Source;
use crate::sql::{ParameterValues, Rendered, Scope, ScopedNames, Script, Substitution, TenantNames};

/// The statements of `text` as they are sent to the schema `t`.
fn rendered(text: &str) -> String {
    let mut script =
        Script::parse(Source::new("t.sql", text)).unwrap_or_else(|error| panic!("{text}: {error}"));
    let (mut known, mut sent) = (ScopedNames::default(), Rendered::default());
    let mut statements = std::mem::take(&mut script.statements);
    let substitution = Substitution {
        names: TenantNames { schema: "t", role: "t" },
        quoted: "\"t\"",
        values: &ParameterValues::default(),
    };
    for statement in &mut statements {
        known.apply(statement, Scope::Tenant);
        sent.push(if sent.sql.is_empty() { "" } else { "; " });
        sent.push_part((&script, 0), statement, statement.range.clone(), substitution);
    }
    sent.sql
}

#[track_caller]
fn check(marked: &str) {
    let bare = marked.replace(['¤', '§'], "");
    assert_eq!(rendered(&bare), marked.replace('¤', "\"t\".").replace('§', "pg_temp."));
}

const FORMS: &[&str] = &[
    // Tables and references.
    "CREATE TABLE ¤a (x int REFERENCES ¤b (id), FOREIGN KEY (x) REFERENCES ¤c, LIKE ¤d INCLUDING ALL) INHERITS (¤e, s.f, ¤g)",
    "CREATE TABLE IF NOT EXISTS ¤a (x mood, y f.g COLLATE c DEFAULT h(1), CHECK (i(x) > 1))",
    "CREATE TABLE ¤a PARTITION OF ¤b FOR VALUES IN (1)",
    "CREATE TABLE ¤a OF composite",
    "CREATE TABLE ¤a (x int) PARTITION BY LIST (x COLLATE c op)",
    "CREATE TABLE ¤a (x int GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME ¤s START 1))",
    "CREATE TABLE ¤a AS SELECT * FROM b",
    "CREATE TABLE ¤a AS TABLE b",
    "CREATE TABLE ¤a AS EXECUTE p",
    "SELECT 1 AS x INTO ¤a FROM b",
    "CREATE UNLOGGED TABLE ¤a (x int)",
    "CREATE FOREIGN TABLE ¤a (x int) SERVER s",
    "CREATE FOREIGN TABLE ¤a PARTITION OF ¤b FOR VALUES IN (1) SERVER s",
    "ALTER TABLE IF EXISTS ONLY ¤a ADD COLUMN x int REFERENCES ¤b, DROP CONSTRAINT c, ADD FOREIGN KEY (x) REFERENCES ¤d (id)",
    "ALTER TABLE ¤a RENAME TO b",
    "ALTER TABLE ¤a RENAME COLUMN x TO y",
    "ALTER TABLE ¤a RENAME CONSTRAINT x TO y",
    "ALTER TABLE ¤a SET SCHEMA s",
    "ALTER TABLE ¤a ATTACH PARTITION ¤b FOR VALUES IN (1)",
    "ALTER TABLE ¤a DETACH PARTITION ¤b",
    "ALTER TABLE ¤a INHERIT ¤b",
    "ALTER TABLE ¤a NO INHERIT ¤b, OWNER TO r",
    "ALTER TABLE ¤a OF composite",
    "ALTER TABLE ¤a ADD CONSTRAINT k UNIQUE USING INDEX i",
    "ALTER TABLE ¤a CLUSTER ON i, REPLICA IDENTITY USING INDEX i",
    "ALTER TABLE ¤a DISABLE TRIGGER t, ENABLE RULE r, VALIDATE CONSTRAINT k",
    "ALTER TABLE ¤a ADD CONSTRAINT k EXCLUDE USING gist (x WITH &&, y WITH OPERATOR(s.=))",
    "ALTER TABLE ¤a ALTER x TYPE mood USING f(x), ALTER y ADD GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME ¤sq)",
    "ALTER FOREIGN TABLE ¤a ADD x int",
    "DROP TABLE IF EXISTS ¤a, s.b, ¤c CASCADE",
    "DROP FOREIGN TABLE ¤a",
    // Views and sequences.
    "CREATE OR REPLACE VIEW ¤a AS SELECT f(x)::mood FROM b JOIN c USING (x)",
    "CREATE RECURSIVE VIEW ¤a (n) AS SELECT 1 UNION ALL SELECT n FROM a",
    "ALTER VIEW ¤a RENAME TO b",
    "ALTER VIEW IF EXISTS ¤a ALTER COLUMN c SET DEFAULT 1",
    "DROP VIEW ¤a, ¤b",
    "CREATE MATERIALIZED VIEW IF NOT EXISTS ¤a AS SELECT * FROM b",
    "ALTER MATERIALIZED VIEW ¤a RENAME TO b",
    "REFRESH MATERIALIZED VIEW CONCURRENTLY ¤a",
    "DROP MATERIALIZED VIEW IF EXISTS ¤a",
    "CREATE SEQUENCE ¤a OWNED BY ¤b.c",
    "ALTER SEQUENCE ¤a OWNED BY s.b.c",
    "ALTER SEQUENCE IF EXISTS ¤a RENAME TO b",
    "DROP SEQUENCE ¤a",
    // Indexes and statistics.
    "CREATE UNIQUE INDEX IF NOT EXISTS i ON ONLY ¤a USING btree (x COLLATE c op (p = 1) DESC, (f(y))) INCLUDE (z) WHERE g(x) > 1",
    "CREATE INDEX ON ¤a (x)",
    "ALTER INDEX ¤i RENAME TO j",
    "ALTER INDEX ¤i ATTACH PARTITION ¤j",
    "DROP INDEX IF EXISTS ¤i, ¤j",
    "REINDEX TABLE ¤a",
    "REINDEX (VERBOSE) INDEX ¤i",
    "CREATE STATISTICS ¤a (ndistinct) ON x, y FROM ¤b",
    "CREATE STATISTICS ON x, y FROM ¤b",
    "ALTER STATISTICS ¤a SET STATISTICS 1",
    "ALTER STATISTICS ¤a RENAME TO b",
    "DROP STATISTICS ¤a, ¤b",
    // Types and domains.
    "CREATE TYPE ¤a AS ENUM ('x')",
    "CREATE TYPE ¤a AS (x b, y c COLLATE d)",
    "CREATE TYPE ¤a AS RANGE (SUBTYPE = b, SUBTYPE_OPCLASS = oc, Multirange_Type_Name = ¤mr)",
    "CREATE TYPE ¤a (INPUT = f, OUTPUT = g, LIKE = b)",
    "ALTER TYPE ¤a ADD VALUE 'x'",
    "ALTER TYPE ¤a ADD ATTRIBUTE x b CASCADE",
    "ALTER TYPE ¤a RENAME TO b",
    "ALTER TYPE ¤a RENAME ATTRIBUTE x TO y",
    "DROP TYPE ¤a, ¤b",
    "CREATE DOMAIN ¤a AS b CHECK (f(VALUE))",
    "ALTER DOMAIN ¤a RENAME CONSTRAINT x TO y",
    "ALTER DOMAIN ¤a ADD CONSTRAINT k CHECK (true)",
    "DROP DOMAIN IF EXISTS ¤a",
    // Routines, aggregates, operators.
    "CREATE OR REPLACE FUNCTION ¤a (x b, OUT y c) RETURNS SETOF d LANGUAGE plpgsql AS 'BEGIN DELETE FROM t; END'",
    "CREATE FUNCTION ¤a (b) RETURNS int LANGUAGE sql BEGIN ATOMIC DELETE FROM t RETURNING 1; END",
    "CREATE FUNCTION ¤a () RETURNS int LANGUAGE sql RETURN f()",
    "CREATE PROCEDURE ¤a (b) LANGUAGE sql AS 'SELECT 1'",
    "ALTER FUNCTION ¤a (b) RENAME TO c",
    "ALTER FUNCTION ¤a OWNER TO r",
    "ALTER FUNCTION ¤a (IN x b, VARIADIC c[]) SET SCHEMA s",
    "ALTER PROCEDURE ¤a (b) OWNER TO r",
    "ALTER ROUTINE ¤a (b) STABLE",
    "DROP FUNCTION IF EXISTS ¤a (b, c), ¤d CASCADE",
    "DROP PROCEDURE ¤a (b)",
    "DROP ROUTINE ¤a",
    "CREATE AGGREGATE ¤a (b) (SFUNC = f, STYPE = t, SORTOP = >)",
    "ALTER AGGREGATE ¤a (b) RENAME TO c",
    "ALTER AGGREGATE ¤a (*) OWNER TO r",
    "DROP AGGREGATE ¤a (b), ¤c (*)",
    "CREATE OPERATOR ¤=== (LEFTARG = b, RIGHTARG = c, FUNCTION = f, RESTRICT = eqsel)",
    "CREATE OPERATOR s.=== (LEFTARG = b, RIGHTARG = c, FUNCTION = f)",
    "ALTER OPERATOR ¤=== (b, c) OWNER TO r",
    "ALTER OPERATOR ¤@@@ (NONE, c) SET (RESTRICT = f)",
    "DROP OPERATOR IF EXISTS ¤=== (b, c), ¤!! (NONE, d)",
    "CREATE OPERATOR CLASS ¤a FOR TYPE b USING btree FAMILY ¤c AS OPERATOR 1 <, OPERATOR 2 <= (b, c) FOR ORDER BY d, FUNCTION 1 f(b, c)",
    "ALTER OPERATOR CLASS ¤a USING btree RENAME TO b",
    "DROP OPERATOR CLASS ¤a USING btree",
    "CREATE OPERATOR FAMILY ¤a USING btree",
    "ALTER OPERATOR FAMILY ¤a USING btree ADD OPERATOR 1 < (b, c), FUNCTION 1 (x, y) f(b)",
    "DROP OPERATOR FAMILY IF EXISTS ¤a USING btree",
    // Collations, conversions, text search.
    "CREATE COLLATION ¤a FROM b",
    "CREATE COLLATION ¤a (LOCALE = 'x')",
    "ALTER COLLATION ¤a RENAME TO b",
    "DROP COLLATION ¤a, ¤b",
    "CREATE DEFAULT CONVERSION ¤a FOR 'x' TO 'y' FROM f",
    "ALTER CONVERSION ¤a OWNER TO r",
    "DROP CONVERSION ¤a",
    "CREATE TEXT SEARCH CONFIGURATION ¤a (COPY = b)",
    "ALTER TEXT SEARCH CONFIGURATION ¤a ALTER MAPPING FOR w REPLACE d WITH e",
    "DROP TEXT SEARCH CONFIGURATION ¤a",
    "CREATE TEXT SEARCH DICTIONARY ¤a (TEMPLATE = t, StopWords = x)",
    "ALTER TEXT SEARCH DICTIONARY ¤a (StopWords = y)",
    "DROP TEXT SEARCH DICTIONARY ¤a",
    "CREATE TEXT SEARCH PARSER ¤a (START = f, GETTOKEN = g, END = h, LEXTYPES = l)",
    "ALTER TEXT SEARCH PARSER ¤a RENAME TO b",
    "CREATE TEXT SEARCH TEMPLATE ¤a (LEXIZE = f)",
    "DROP TEXT SEARCH TEMPLATE ¤a",
    // Parts of tables.
    "CREATE TRIGGER t BEFORE UPDATE OF x ON ¤a FOR EACH ROW WHEN (f(NEW.x)) EXECUTE FUNCTION g()",
    "CREATE CONSTRAINT TRIGGER t AFTER INSERT ON ¤a FROM ¤b DEFERRABLE FOR EACH ROW EXECUTE PROCEDURE g()",
    "ALTER TRIGGER t ON ¤a RENAME TO u",
    "DROP TRIGGER IF EXISTS t ON ¤a",
    "CREATE RULE r AS ON INSERT TO ¤a WHERE f(NEW.x) DO INSTEAD INSERT INTO ¤b SELECT * FROM c",
    "CREATE OR REPLACE RULE r AS ON UPDATE TO ¤a DO ALSO UPDATE ¤c SET x = 1 FROM d WHERE c.x = d.x",
    "CREATE RULE r AS ON DELETE TO ¤a DO DELETE FROM ¤e USING f",
    "ALTER RULE r ON ¤a RENAME TO s",
    "DROP RULE r ON ¤a",
    "CREATE POLICY p ON ¤a USING (x IN (SELECT x FROM b))",
    "ALTER POLICY p ON ¤a TO r USING (f())",
    "DROP POLICY p ON ¤a",
    // Rows.
    "INSERT INTO ¤a AS z (x) VALUES (1) ON CONFLICT (x COLLATE c op) DO UPDATE SET y = z.y WHERE z.x IN (SELECT x FROM b) RETURNING *",
    "INSERT INTO ¤a TABLE b",
    "INSERT INTO ¤a DEFAULT VALUES",
    "UPDATE ONLY ¤a AS z SET (x, y) = (SELECT 1, 2 FROM b), w[1].q = 3 FROM c WHERE z.x = c.x",
    "UPDATE ¤a SET x = 1 WHERE CURRENT OF c",
    "DELETE FROM ONLY (¤a) USING b WHERE a.x = b.x",
    "MERGE INTO ONLY ¤a AS z USING b ON z.x = b.x WHEN MATCHED THEN UPDATE SET x = 1 WHEN NOT MATCHED THEN INSERT (x) VALUES (1)",
    "WITH m AS (DELETE FROM ¤a RETURNING *), n AS (SELECT * FROM b) INSERT INTO ¤m SELECT * FROM m, n",
    "WITH m AS (UPDATE ¤a SET x = 1 FROM m RETURNING *) SELECT * FROM m",
    "TRUNCATE TABLE ONLY ¤a, ¤b RESTART IDENTITY",
    "EXPLAIN (ANALYZE) DELETE FROM ¤a",
    "EXPLAIN CREATE TABLE ¤a AS SELECT * FROM b",
    "PREPARE p (int) AS INSERT INTO ¤a VALUES ($1)",
    "DECLARE c CURSOR FOR SELECT * FROM a FOR UPDATE OF a",
    "COPY ¤a (x) FROM '/x'",
    "COPY ¤a TO '/x'",
    "COPY (DELETE FROM ¤a RETURNING *) TO '/x'",
    "LOCK TABLE ONLY ¤a, ¤b IN SHARE MODE",
    "CLUSTER ¤a USING i",
    "CLUSTER i ON ¤a",
    "VACUUM (FULL) ¤a (x), ¤b",
    "ANALYZE ¤a (x), ¤b",
    "CREATE INDEX CONCURRENTLY i ON ¤a (x)",
    "DROP INDEX CONCURRENTLY ¤i",
    "REINDEX TABLE CONCURRENTLY ¤a",
    "ALTER TABLE ¤a DETACH PARTITION ¤b CONCURRENTLY",
    // Comments, labels and privileges.
    "COMMENT ON TABLE ¤a IS 'x'",
    "COMMENT ON COLUMN ¤a.x IS 'x'",
    "COMMENT ON COLUMN s.a.x IS 'x'",
    "COMMENT ON CONSTRAINT k ON ¤a IS 'x'",
    "COMMENT ON CONSTRAINT k ON DOMAIN ¤a IS 'x'",
    "COMMENT ON TRIGGER t ON ¤a IS 'x'",
    "COMMENT ON RULE r ON ¤a IS 'x'",
    "COMMENT ON POLICY p ON ¤a IS 'x'",
    "COMMENT ON INDEX ¤i IS 'x'",
    "COMMENT ON VIEW ¤a IS 'x'",
    "COMMENT ON MATERIALIZED VIEW ¤a IS 'x'",
    "COMMENT ON FOREIGN TABLE ¤a IS 'x'",
    "COMMENT ON SEQUENCE ¤a IS 'x'",
    "COMMENT ON TYPE ¤a IS 'x'",
    "COMMENT ON DOMAIN ¤a IS 'x'",
    "COMMENT ON FUNCTION ¤a (b) IS 'x'",
    "COMMENT ON PROCEDURE ¤a (b) IS 'x'",
    "COMMENT ON ROUTINE ¤a IS 'x'",
    "COMMENT ON AGGREGATE ¤a (b) IS 'x'",
    "COMMENT ON OPERATOR ¤=== (b, c) IS 'x'",
    "COMMENT ON OPERATOR CLASS ¤a USING btree IS 'x'",
    "COMMENT ON OPERATOR FAMILY ¤a USING btree IS 'x'",
    "COMMENT ON COLLATION ¤a IS 'x'",
    "COMMENT ON CONVERSION ¤a IS 'x'",
    "COMMENT ON STATISTICS ¤a IS 'x'",
    "COMMENT ON TEXT SEARCH CONFIGURATION ¤a IS 'x'",
    "COMMENT ON TEXT SEARCH DICTIONARY ¤a IS 'x'",
    "COMMENT ON TEXT SEARCH PARSER ¤a IS 'x'",
    "COMMENT ON TEXT SEARCH TEMPLATE ¤a IS 'x'",
    "SECURITY LABEL FOR p ON TABLE ¤a IS 'x'",
    "SECURITY LABEL ON COLUMN ¤a.x IS 'x'",
    "SECURITY LABEL ON FUNCTION ¤a (b) IS 'x'",
    "GRANT SELECT (x), UPDATE ON TABLE ¤a, s.b, ¤c TO r",
    "GRANT ALL ON ¤a TO r",
    "GRANT USAGE ON SEQUENCE ¤a TO r",
    "GRANT EXECUTE ON FUNCTION ¤a (b), ¤c TO r",
    "GRANT EXECUTE ON PROCEDURE ¤a (b) TO r",
    "GRANT EXECUTE ON ROUTINE ¤a TO r",
    "GRANT USAGE ON TYPE ¤a, ¤b TO r",
    "GRANT USAGE ON DOMAIN ¤a TO r",
    "REVOKE GRANT OPTION FOR SELECT ON ¤a FROM r",
    "CREATE PUBLICATION p FOR TABLE ¤a, ONLY ¤b (x) WHERE (f(x)), TABLES IN SCHEMA s",
    "ALTER PUBLICATION p ADD TABLE ¤a",
    // Spellings of names.
    "DROP TABLE ¤\"A b\", ¤U&\"\\0061\", ¤U&\"!0061\" UESCAPE '!', ¤Häuser",
    "ALTER /* c */ TABLE /* d */ ¤a /* e */ ADD x int",
    "INSERT INTO -- into\n¤a VALUES ('{org_schema}')",
    "COMMENT ON COLUMN ¤a /* c */ . /* d */ x IS 'x'",
    "GRANT SELECT ON ¤user_data,¤b TO r",
];

#[test]
fn created_altered_and_dropped_objects_are_qualified() {
    for marked in FORMS {
        check(&marked.replace("{org_schema}", "t"));
    }
}

#[test]
fn other_names_are_not_qualified() {
    for text in [
        "SELECT a.x, f(1), x::mood FROM a JOIN ONLY b USING (x) WHERE x IN (TABLE c) FOR UPDATE OF a",
        "VALUES (1)",
        "TABLE a",
        "CALL a(1)",
        "EXECUTE p(1)",
        "DO $$ BEGIN DELETE FROM a; END $$",
        "SELECT 'a'::regclass, nextval('a')",
        "COPY (SELECT * FROM a) TO '/x'",
        "SET CONSTRAINTS k DEFERRED",
        "NOTIFY a",
        "GRANT a TO b",
        "GRANT SELECT ON pg_stat_activity TO r",
        "REVOKE EXECUTE ON FUNCTION pg_ls_dir(text) FROM PUBLIC",
        "GRANT SELECT ON ALL TABLES IN SCHEMA s TO r",
        "GRANT USAGE ON LANGUAGE l TO r",
        "GRANT USAGE ON FOREIGN SERVER s TO r",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT SELECT ON TABLES TO r",
        "COMMENT ON SCHEMA a IS 'x'",
        "COMMENT ON EXTENSION a IS 'x'",
        "COMMENT ON ROLE a IS 'x'",
        "COMMENT ON CAST (a AS b) IS 'x'",
        "CREATE CAST (a AS b) WITH FUNCTION f(a)",
        "DROP CAST (a AS b)",
        "CREATE EXTENSION e",
        "CREATE ROLE a",
        "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f()",
        "CREATE LANGUAGE l HANDLER h",
        "CREATE PUBLICATION p FOR ALL TABLES",
        "CREATE SCHEMA s CREATE TABLE a (x int) CREATE VIEW v AS SELECT * FROM a",
        "DROP SCHEMA a",
        "IMPORT FOREIGN SCHEMA x LIMIT TO (a, b) FROM SERVER s INTO y",
        "CREATE SERVER s FOREIGN DATA WRAPPER f",
        "CREATE TABLE s.a (x int REFERENCES s.b (id))",
        "REINDEX SCHEMA s",
        "VACUUM",
        "ANALYZE",
        "SHOW a",
        "LISTEN a",
    ] {
        check(text);
    }
}

#[test]
fn an_operator_in_an_option_uses_the_operator_syntax() {
    assert_eq!(
        rendered(
            "CREATE OPERATOR === (LEFTARG = b, RIGHTARG = b, FUNCTION = f, COMMUTATOR = ===, negator = !==, HASHES)"
        ),
        "CREATE OPERATOR \"t\".=== (LEFTARG = b, RIGHTARG = b, FUNCTION = f, COMMUTATOR = OPERATOR(\"t\".===), \
         negator = OPERATOR(\"t\".!==), HASHES)"
    );
    check("CREATE OPERATOR ¤=== (LEFTARG = b, FUNCTION = f, COMMUTATOR = OPERATOR(s.===))");
}

#[test]
fn temporary_objects_are_not_qualified_until_dropped() {
    for marked in [
        "CREATE TEMP TABLE a (x int, LIKE ¤d); INSERT INTO a SELECT * FROM b; DROP TABLE a; DELETE FROM ¤a",
        "SELECT 1 AS x INTO TEMP a; UPDATE a SET x = 2; TRUNCATE a, ¤b; COMMENT ON COLUMN a.x IS 'x'",
        "CREATE TABLE pg_temp.a (x int); CREATE INDEX i ON a (x); ALTER INDEX i RENAME TO j; DROP INDEX j; DROP INDEX ¤i",
        "CREATE TABLE pg_temp_3.a (x int); LOCK a; DROP TABLE pg_temp_3.a; LOCK ¤a",
        "CREATE TEMP TABLE a (x int); ALTER TABLE a RENAME TO b; DELETE FROM b; DELETE FROM ¤a",
        "CREATE TEMP TABLE a (x int); CREATE VIEW v AS SELECT * FROM a; DROP VIEW v; CREATE VIEW ¤v AS SELECT * FROM b",
        "CREATE VIEW v AS SELECT * FROM pg_temp.a; DROP VIEW v",
        "CREATE TEMP VIEW v AS SELECT * FROM a; GRANT SELECT ON v TO r; GRANT SELECT ON ¤a TO r",
        "CREATE TEMP SEQUENCE s; ALTER SEQUENCE s RESTART; CREATE SEQUENCE ¤s2",
        "CREATE TYPE pg_temp.mood AS ENUM ('a'); ALTER TYPE mood ADD VALUE 'b'",
        "CREATE TEMP TABLE \"A\" (x int); DELETE FROM \"A\"; DELETE FROM ¤a",
        "CREATE TEMP TABLE a (x int); CREATE FUNCTION ¤a () RETURNS int LANGUAGE sql AS 'SELECT 1'; DROP FUNCTION ¤a",
        "CREATE TEMP TABLE a (x int); DISCARD TEMP; DELETE FROM ¤a",
        "CREATE TEMP TABLE a (x serial PRIMARY KEY); ALTER SEQUENCE §a_x_seq RESTART; DROP INDEX §a_pkey; DROP INDEX ¤b_pkey",
        "DO $$ BEGIN CREATE TEMP TABLE IF NOT EXISTS a (x int); END $$; INSERT INTO §a VALUES (1); DELETE FROM ¤b",
        "DO $$ BEGIN EXECUTE 'CREATE TEMPORARY VIEW a AS SELECT 1'; END $$; DROP VIEW §a; DROP VIEW ¤a",
        "DO $$ BEGIN SELECT 1 AS x INTO TEMP TABLE a; END $$; UPDATE §a SET x = 2",
        "CREATE FUNCTION ¤f() RETURNS void LANGUAGE sql AS 'CREATE LOCAL TEMP TABLE a (x int)'; DELETE FROM ¤a; DROP FUNCTION IF EXISTS ¤g; DELETE FROM ¤a; SELECT f(); DELETE FROM §a",
        "CREATE TABLE ¤a (x int); DO $$ BEGIN CREATE TEMP TABLE a (x int); END $$; DELETE FROM ¤a",
        "DROP TABLE IF EXISTS ¤a; CREATE TEMP TABLE a (x int)",
        "CREATE TEMP TABLE a (x int); ALTER TABLE a ADD y int GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME s); DELETE FROM a",
        "ALTER TABLE ¤a ADD y int GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME ¤s); DELETE FROM ¤a",
        "CREATE TEMP TABLE a AS SELECT 1 AS x; MERGE INTO ¤b USING a ON true WHEN MATCHED THEN DELETE",
    ] {
        check(marked);
    }
}

#[test]
fn a_position_after_a_qualifier_maps_to_the_file() {
    let text = "-- é\nUPDATE customers SET nmae = 1";
    let script = Script::parse(Source::new("t.sql", text)).unwrap();
    let substitution = Substitution {
        names: TenantNames { schema: "org_é", role: "org_é" },
        quoted: "\"org_é\"",
        values: &ParameterValues::default(),
    };
    let mut sent = Rendered::default();
    sent.push("BEGIN;");
    let statement = &script.statements[0];
    sent.push_part((&script, 0), statement, statement.range.clone(), substitution);
    let at = |word: &str| {
        sent.sql.chars().collect::<String>().find(word).map(|at| sent.sql[..at].chars().count() + 1)
    };
    for (sent_word, word) in
        [("nmae", "nmae"), ("\"org_é\".", "customers"), ("customers", "customers"), ("SET", "SET")]
    {
        let (_, offset) = sent.origin(at(sent_word).unwrap(), &[text]).unwrap();
        assert_eq!(offset, text.find(word).unwrap(), "{sent_word}");
    }
}
