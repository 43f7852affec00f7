//! A statement of a tenant acts on the tenant's schema. What `public` has under the same name stays as it is.

use crate::support::Project;

/// Objects that a project's `public` has and its tenants have not.
const SHARED: &str = "
CREATE TABLE imports (id int PRIMARY KEY, note text);
INSERT INTO imports VALUES (1, 'kept');
CREATE INDEX imports_note ON imports (note);
CREATE TABLE parted (id int) PARTITION BY LIST (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
CREATE VIEW import_notes AS SELECT note FROM imports;
CREATE MATERIALIZED VIEW import_totals AS SELECT count(*) AS total FROM imports;
CREATE UNIQUE INDEX import_totals_total ON import_totals (total);
CREATE SEQUENCE numbers;
CREATE STATISTICS import_statistics ON id, note FROM imports;
CREATE TYPE mood AS ENUM ('ok');
CREATE TYPE pair AS (a int, b int);
CREATE DOMAIN email AS text CONSTRAINT has_at CHECK (VALUE LIKE '%@%');
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2';
CREATE FUNCTION same(pair, pair) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT true';
CREATE PROCEDURE tidy() LANGUAGE sql AS 'SELECT 1';
CREATE AGGREGATE total (int) (SFUNC = int4pl, STYPE = int);
CREATE OPERATOR === (LEFTARG = pair, RIGHTARG = pair, FUNCTION = same);
CREATE OPERATOR FAMILY pair_family USING btree;
CREATE OPERATOR CLASS number_class FOR TYPE int USING hash AS OPERATOR 1 = ;
CREATE COLLATION words FROM \"C\";
CREATE DEFAULT CONVERSION codes FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE TEXT SEARCH CONFIGURATION texts (COPY = simple);
CREATE TEXT SEARCH DICTIONARY terms (TEMPLATE = simple);
CREATE TRIGGER stamped BEFORE UPDATE ON imports FOR EACH ROW EXECUTE FUNCTION stamp();
CREATE RULE noted AS ON DELETE TO import_notes DO INSTEAD NOTHING;
CREATE POLICY seen ON imports USING (true);
CREATE ROLE own_schema_reader;
";

/// Statements on them, each of which fails in a tenant that has no such object.
const REFUSED: &[&str] = &[
    "ALTER TABLE imports ADD COLUMN extra int",
    "ALTER TABLE ONLY imports RENAME TO exports",
    "ALTER TABLE imports RENAME COLUMN note TO notes",
    "ALTER TABLE imports DISABLE TRIGGER stamped",
    "ALTER TABLE imports OWNER TO CURRENT_USER",
    "DROP TABLE imports CASCADE",
    "CREATE TABLE copies (LIKE imports INCLUDING ALL)",
    "CREATE TABLE children () INHERITS (imports)",
    "CREATE TABLE parted_2 PARTITION OF parted FOR VALUES IN (2)",
    "CREATE TABLE lines (id int REFERENCES imports (id))",
    "CREATE TABLE lines (id int, FOREIGN KEY (id) REFERENCES imports)",
    "CREATE TABLE child (id int NOT NULL, note text); ALTER TABLE child INHERIT imports",
    "CREATE TABLE child (id int); ALTER TABLE child ADD FOREIGN KEY (id) REFERENCES imports",
    "CREATE TABLE part (id int); ALTER TABLE parted ATTACH PARTITION part FOR VALUES IN (3)",
    "CREATE TABLE own (id int) PARTITION BY LIST (id); ALTER TABLE own ATTACH PARTITION parted_1 FOR VALUES IN (4)",
    "ALTER TABLE parted DETACH PARTITION parted_1",
    "CREATE INDEX more ON imports (id)",
    "ALTER INDEX imports_note RENAME TO gone",
    "DROP INDEX imports_note",
    "REINDEX INDEX imports_note",
    "REINDEX TABLE imports",
    "CLUSTER imports USING imports_pkey",
    "ALTER VIEW import_notes RENAME TO gone",
    "DROP VIEW import_notes CASCADE",
    "ALTER MATERIALIZED VIEW import_totals RENAME TO gone",
    "REFRESH MATERIALIZED VIEW import_totals",
    "DROP MATERIALIZED VIEW import_totals",
    "ALTER SEQUENCE numbers RESTART 7",
    "CREATE SEQUENCE mine OWNED BY imports.id",
    "DROP SEQUENCE numbers",
    "CREATE STATISTICS more ON id, note FROM imports",
    "ALTER STATISTICS import_statistics SET STATISTICS 10",
    "DROP STATISTICS import_statistics",
    "ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'",
    "ALTER TYPE pair ADD ATTRIBUTE c int",
    "DROP TYPE mood CASCADE",
    "ALTER DOMAIN email DROP CONSTRAINT has_at",
    "DROP DOMAIN email",
    "ALTER FUNCTION twice(int) RENAME TO thrice",
    "DROP FUNCTION twice",
    "DROP ROUTINE twice(int)",
    "ALTER PROCEDURE tidy() SECURITY DEFINER",
    "DROP PROCEDURE tidy",
    "ALTER AGGREGATE total(int) RENAME TO sums",
    "DROP AGGREGATE total(int)",
    "ALTER OPERATOR ===(public.pair, public.pair) SET (RESTRICT = eqsel)",
    "DROP OPERATOR ===(public.pair, public.pair)",
    "ALTER OPERATOR CLASS number_class USING hash RENAME TO gone",
    "DROP OPERATOR CLASS number_class USING hash",
    "ALTER OPERATOR FAMILY pair_family USING btree RENAME TO gone",
    "DROP OPERATOR FAMILY pair_family USING btree",
    "ALTER COLLATION words RENAME TO gone",
    "DROP COLLATION words",
    "ALTER CONVERSION codes RENAME TO gone",
    "DROP CONVERSION codes",
    "ALTER TEXT SEARCH CONFIGURATION texts RENAME TO gone",
    "DROP TEXT SEARCH CONFIGURATION texts",
    "ALTER TEXT SEARCH DICTIONARY terms RENAME TO gone",
    "DROP TEXT SEARCH DICTIONARY terms",
    "CREATE TRIGGER more BEFORE INSERT ON imports FOR EACH ROW EXECUTE FUNCTION stamp()",
    "ALTER TRIGGER stamped ON imports RENAME TO gone",
    "DROP TRIGGER stamped ON imports",
    "CREATE RULE more AS ON INSERT TO import_notes DO INSTEAD NOTHING",
    "CREATE TABLE ruled (id int); CREATE RULE more AS ON DELETE TO ruled DO ALSO DELETE FROM imports",
    "DROP RULE noted ON import_notes",
    "CREATE POLICY more ON imports USING (true)",
    "ALTER POLICY seen ON imports RENAME TO gone",
    "DROP POLICY seen ON imports",
    "INSERT INTO imports VALUES (2, 'new')",
    "INSERT INTO imports AS i VALUES (1, 'new') ON CONFLICT (id) DO UPDATE SET note = 'new'",
    "UPDATE imports SET note = 'new' WHERE id = 1",
    "UPDATE ONLY \"imports\" SET note = 'new' WHERE id = 1",
    "DELETE FROM imports WHERE id = 1",
    "MERGE INTO imports i USING (SELECT 1 AS id) s ON i.id = s.id WHEN MATCHED THEN DELETE",
    "WITH gone AS (DELETE FROM imports RETURNING id) SELECT count(*) FROM gone",
    "WITH imports AS (SELECT 2 AS id) INSERT INTO imports SELECT id, 'new' FROM imports",
    "TRUNCATE imports",
    "COPY imports TO PROGRAM 'cat >/dev/null'",
    "LOCK TABLE imports IN SHARE MODE",
    "EXPLAIN ANALYZE DELETE FROM imports",
    "PREPARE gone AS DELETE FROM imports",
    "ANALYZE imports",
    "COMMENT ON TABLE imports IS 'mine'",
    "COMMENT ON COLUMN imports.note IS 'mine'",
    "COMMENT ON TRIGGER stamped ON imports IS 'mine'",
    "COMMENT ON CONSTRAINT has_at ON DOMAIN email IS 'mine'",
    "COMMENT ON INDEX imports_note IS 'mine'",
    "COMMENT ON FUNCTION twice(int) IS 'mine'",
    "COMMENT ON OPERATOR ===(public.pair, public.pair) IS 'mine'",
    "COMMENT ON TYPE mood IS 'mine'",
    "GRANT SELECT ON imports TO own_schema_reader",
    "GRANT USAGE ON SEQUENCE numbers TO own_schema_reader",
    "GRANT EXECUTE ON FUNCTION twice TO own_schema_reader",
    "REVOKE EXECUTE ON PROCEDURE tidy() FROM PUBLIC",
    "REVOKE USAGE ON TYPE mood FROM PUBLIC",
    "DROP TABLE U&\"\\0069mports\"",
];

/// The same, of statements that do nothing where the object is missing.
const PASSED_OVER: &[&str] = &[
    "DROP TABLE IF EXISTS imports CASCADE",
    "DROP TABLE IF EXISTS elsewhere, imports CASCADE",
    "ALTER TABLE IF EXISTS imports DROP COLUMN note CASCADE",
    "DROP VIEW IF EXISTS import_notes CASCADE",
    "DROP MATERIALIZED VIEW IF EXISTS import_totals",
    "DROP INDEX IF EXISTS imports_note",
    "DROP SEQUENCE IF EXISTS numbers",
    "DROP STATISTICS IF EXISTS import_statistics",
    "DROP TYPE IF EXISTS mood CASCADE",
    "DROP DOMAIN IF EXISTS email CASCADE",
    "DROP FUNCTION IF EXISTS twice(int)",
    "DROP PROCEDURE IF EXISTS tidy()",
    "DROP ROUTINE IF EXISTS twice",
    "DROP AGGREGATE IF EXISTS total(int)",
    "DROP OPERATOR IF EXISTS ===(public.pair, public.pair)",
    "DROP OPERATOR CLASS IF EXISTS number_class USING hash",
    "DROP OPERATOR FAMILY IF EXISTS pair_family USING btree",
    "DROP COLLATION IF EXISTS words",
    "DROP CONVERSION IF EXISTS codes",
    "DROP TEXT SEARCH CONFIGURATION IF EXISTS texts",
    "DROP TEXT SEARCH DICTIONARY IF EXISTS terms",
    "DROP TRIGGER IF EXISTS stamped ON imports",
    "DROP RULE IF EXISTS noted ON import_notes",
    "DROP POLICY IF EXISTS seen ON imports",
];

/// A fleet whose `public` has all of [`SHARED`], and no rules.
fn project() -> Project {
    let project = Project::with_tenants(&["a"]);
    project.db.run("DROP ROLE IF EXISTS own_schema_reader");
    project.db.run(SHARED);
    project.without_rules();
    project
}

/// Everything in `public`: what there is, and the rows.
fn public(project: &Project) -> String {
    project.db.dump(&["--schema=public", "--inserts"])
}

fn step(project: &Project, scope: &str, sql: &str) {
    project.migration("1.0.4", "1.0.5", "step", &format!("-- Scope: {scope}\n{sql};"));
}

#[test]
fn no_statement_of_a_tenant_reaches_what_public_has_under_the_name() {
    let project = project();
    let before = public(&project);
    let has_merge =
        project.db.value("SELECT (current_setting('server_version_num')::int >= 150000)::text") == "true";
    for sql in REFUSED.iter().filter(|sql| has_merge || !sql.starts_with("MERGE")) {
        step(&project, "tenant", sql);
        let (code, said) = project.json("migrate up");
        let failure = &said["failures"][0];
        let message = failure["message"].as_str().unwrap_or_default();
        let state = failure["sqlstate"].as_str().unwrap_or_default();
        assert!(code == 1 && ["42P01", "42704", "42883", "42703"].contains(&state), "{sql}: {said:#}");
        assert!(message.contains("org_a"), "{sql}: {said:#}");
        assert_eq!(public(&project), before, "{sql}");
    }
    step(&project, "tenant", &PASSED_OVER.join(";\n"));
    let _passed = project.run("migrate up").ok();
    assert_eq!(public(&project), before);
    // A new tenant runs the same statements.
    project.create(&["b"]);
    assert_eq!(public(&project), before);
    project.db.run("DROP OWNED BY own_schema_reader; DROP ROLE own_schema_reader");
}

#[test]
fn a_temporary_table_is_meant_until_it_is_dropped() {
    let project = Project::with_tenants(&["a"]);
    project.without_rules();
    project.db.run("INSERT INTO org_a.workspaces (name) VALUES ('kept')");
    for (made, dropped) in [
        ("CREATE RULE r AS ON DELETE TO workspaces DO ALSO NOTHING", "DROP RULE r ON workspaces"),
        ("CREATE POLICY r ON workspaces", "DROP POLICY r ON workspaces"),
        (
            "CREATE FUNCTION r() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
             CREATE TRIGGER r BEFORE INSERT ON workspaces FOR EACH ROW EXECUTE FUNCTION r()",
            "DROP TRIGGER r ON workspaces; DROP FUNCTION r",
        ),
    ] {
        let sql = format!(
            "CREATE TEMP TABLE workspaces AS SELECT 1 AS id;\n{made};\n{dropped};\nDELETE FROM workspaces;\nDROP TABLE workspaces"
        );
        step(&project, "tenant", &sql);
        project.run("migrate up").passes();
        assert_eq!(project.db.value("SELECT count(*)::text FROM org_a.workspaces"), "1", "{sql}");
        project.db.run(
            "UPDATE datalinx_platform.tenant_version SET version = '1.0.4'; \
             UPDATE datalinx_platform.schema_version SET version = '1.0.4'; \
             DELETE FROM datalinx_platform.migration_history WHERE to_version = '1.0.5'",
        );
    }
}

#[test]
fn a_platform_step_leaves_what_public_has_too() {
    let project = project();
    let before = public(&project);
    step(&project, "platform", "UPDATE imports SET note = 'new'");
    let (code, said) = project.json("migrate up");
    assert_eq!((code, &said["failures"][0]["sqlstate"]), (1, &"42P01".into()), "{said:#}");
    step(
        &project,
        "platform",
        "DROP TABLE IF EXISTS imports CASCADE;\nDROP TYPE IF EXISTS mood;\nCREATE TABLE imports (id int)",
    );
    let _passed = project.run("migrate up").ok();
    assert_eq!(public(&project), before);
    assert_eq!(
        project.db.value("SELECT 'datalinx_platform.imports'::regclass::text"),
        "datalinx_platform.imports"
    );
}

#[test]
fn a_tenant_that_lost_a_table_fails_and_is_named() {
    let project = Project::with_tenants(&["a", "b"]);
    project.without_rules();
    project.db.run(
        "CREATE TABLE public.mappings (id int, target_table text); INSERT INTO public.mappings VALUES (1, 'kept'); \
         CREATE TYPE public.mappings_kind AS ENUM ('x'); DROP TABLE org_b.mappings",
    );
    let (before, mut wrong) = (public(&project), Vec::new());
    for (sql, column) in [
        ("UPDATE mappings SET target_table = 'x'", 8),
        // The server gives no position in a utility statement.
        ("ALTER TABLE /* ours */ mappings ADD COLUMN extra int", 1),
        ("INSERT INTO workspaces (name) SELECT target_table FROM mappings", 56),
        ("CREATE VIEW mapped AS SELECT id FROM data_sources JOIN mappings USING (id)", 56),
        ("CREATE MATERIALIZED VIEW stored AS TABLE mappings", 42),
        ("DELETE FROM workspaces WHERE id IN (SELECT workspace_id FROM mappings)", 62),
        ("CREATE FUNCTION one(mappings) RETURNS int LANGUAGE sql AS 'SELECT 1'", 21),
        (
            "CREATE FUNCTION all_of() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM mappings; END",
            88,
        ),
    ] {
        // The statement before it shows that the unit is undone.
        step(&project, "tenant", &format!("CREATE TABLE made (id int);\n{sql}"));
        let (code, said) = project.json("migrate up");
        let failure = &said["failures"][0];
        assert!(code == 4 || code == 1, "{sql}: {said:#}");
        assert!(
            ["42P01", "42704"].contains(&failure["sqlstate"].as_str().unwrap_or_default()),
            "{sql}: {said:#}"
        );
        assert_eq!(failure["schema"], "org_b", "{sql}: {said:#}");
        if (&failure["line"], &failure["column"]) != (&5.into(), &column.into()) {
            wrong.push(format!("{sql}: {failure:#}"));
        }
        assert_eq!(public(&project), before, "{sql}");
        assert_eq!(project.db.value("SELECT (to_regclass('org_b.made') IS NULL)::text"), "true");
        // The other tenant has what it needs: it goes back, so that the next statement finds both alike.
        project.db.run(
            "UPDATE datalinx_platform.tenant_version SET version = '1.0.4' WHERE schema_name = 'org_a'; \
             DROP TABLE IF EXISTS org_a.made; DROP VIEW IF EXISTS org_a.mapped; \
             DELETE FROM datalinx_platform.migration_history WHERE to_version = '1.0.5'",
        );
        project.db.run("DROP FUNCTION IF EXISTS org_a.one, org_a.all_of");
        project.db.run("ALTER TABLE org_a.mappings DROP COLUMN IF EXISTS extra");
        project.db.run("DROP MATERIALIZED VIEW IF EXISTS org_a.stored");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_tenant_that_lost_a_routine_or_a_sequence_fails_and_is_named() {
    let project = Project::with_tenants(&["a", "b"]);
    project.without_rules();
    project.migration(
        "1.0.4",
        "1.0.5",
        "code",
        "CREATE FUNCTION {org_schema}.stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';\n\
         CREATE FUNCTION {org_schema}.label(int) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ''own''';\n\
         CREATE FUNCTION {org_schema}.label(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ''own''';\n\
         CREATE SEQUENCE {org_schema}.counter;",
    );
    let _passed = project.run("migrate up").ok();
    project.db.run(
        "CREATE FUNCTION public.stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; \
         CREATE FUNCTION public.label(int) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ''shared'''; \
         CREATE SEQUENCE public.counter; DROP FUNCTION org_b.stamp, org_b.label(int), org_b.label(text); \
         DROP SEQUENCE org_b.counter",
    );
    for (sql, sqlstate) in [
        ("CREATE TRIGGER stamped BEFORE INSERT ON workspaces FOR EACH ROW EXECUTE FUNCTION stamp()", "42883"),
        ("ALTER TABLE workspaces ADD COLUMN l text DEFAULT label(1)", "42883"),
        ("UPDATE workspaces SET name = label(2)", "42883"),
        ("SELECT 'stamp'::regproc", "42883"),
        ("ALTER TABLE workspaces ADD COLUMN n bigint DEFAULT nextval('counter')", "42P01"),
        ("SELECT setval('counter', 7)", "42P01"),
        ("INSERT INTO workspaces (name) VALUES (nextval('counter'::regclass)::text)", "42P01"),
    ] {
        let step = format!("-- Scope: tenant\nCREATE TABLE made (id int);\n{sql};");
        project.migration("1.0.5", "1.0.6", "step", &step);
        let (_, said) = project.json("migrate up");
        let failure = &said["failures"][0];
        assert_eq!(
            (&failure["schema"], &failure["sqlstate"]),
            (&"org_b".into(), &sqlstate.into()),
            "{sql}: {said:#}"
        );
        assert_eq!(project.db.value("SELECT last_value::text FROM public.counter"), "1", "{sql}");
        assert_eq!(project.versions(), "platform 1.0.5, a 1.0.6, b 1.0.5", "{sql}");
        // The other tenant has what it needs: it goes back.
        project.db.run(
            "UPDATE datalinx_platform.tenant_version SET version = '1.0.5' WHERE schema_name = 'org_a'; \
             DROP TABLE org_a.made; DROP TRIGGER IF EXISTS stamped ON org_a.workspaces; \
             ALTER TABLE org_a.workspaces DROP COLUMN IF EXISTS l, DROP COLUMN IF EXISTS n; \
             DELETE FROM datalinx_platform.migration_history WHERE to_version = '1.0.6'",
        );
    }
}

#[test]
fn a_type_of_the_tenant_is_no_relation_of_that_name() {
    let project = Project::with_tenants(&["a"]);
    project.db.run("CREATE TABLE public.region (code text); INSERT INTO public.region VALUES ('eu')");
    project.migration(
        "1.0.4",
        "1.0.5",
        "types",
        "CREATE TYPE {org_schema}.region AS ENUM ('eu', 'us');\nCREATE DOMAIN {org_schema}.country AS text;",
    );
    let _passed = project.run("migrate up").ok();
    project.db.run("CREATE TABLE public.country (code text); INSERT INTO public.country VALUES ('de')");
    project.migration(
        "1.0.5",
        "1.0.6",
        "rows",
        "-- Scope: tenant\nINSERT INTO workspaces (name) SELECT code FROM region;\n\
         INSERT INTO workspaces (name) SELECT code FROM country;\n\
         ALTER TABLE workspaces ADD COLUMN region region;",
    );
    project.without_rules();
    let _passed = project.run("migrate up").ok();
    assert_eq!(project.db.column("SELECT name FROM org_a.workspaces ORDER BY 1"), ["de", "eu"]);
}

#[test]
fn objects_only_in_the_shared_schema_are_read_there() {
    let project = Project::with_tenants(&["a"]);
    project.db.run("CREATE TABLE public.countries (code text); INSERT INTO public.countries VALUES ('de')");
    project.without_rules();
    step(
        &project,
        "tenant",
        "CREATE TABLE countries AS SELECT code FROM countries;\nINSERT INTO countries SELECT code || '2' FROM countries;\n\
         CREATE TEMP TABLE workspaces_before AS SELECT * FROM workspaces;\nDELETE FROM workspaces_before",
    );
    let _passed = project.run("migrate up").ok();
    assert_eq!(project.db.column("SELECT code FROM org_a.countries ORDER BY 1"), ["de", "de2"]);
    assert_eq!(project.db.column("SELECT code FROM public.countries"), ["de"]);
}

#[test]
fn a_template_file_before_the_one_that_makes_its_table_is_refused() {
    for (early, sqlstate, finding) in [
        ("CREATE TABLE lines (id int REFERENCES widgets (id));", "42P01", None),
        ("CREATE TABLE lines (LIKE widgets);", "42P01", None),
        ("CREATE VIEW lines AS SELECT id FROM widgets;", "42P01", Some("read-before-made")),
        ("CREATE TABLE lines (kind widget_kind);", "42704", Some("read-before-made")),
        ("CREATE TABLE lines (id int DEFAULT widget_id());", "", Some("read-before-made")),
    ] {
        let project = Project::seeds();
        project.db.run(
            "CREATE TABLE public.widgets (id int PRIMARY KEY); CREATE TYPE public.widget_kind AS ENUM ('x'); \
             CREATE FUNCTION public.widget_id() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        );
        project.file("tenant_templates/default/900_early.sql", early);
        project.file(
            "tenant_templates/default/910_late.sql",
            "CREATE TABLE widgets (id int PRIMARY KEY);\nCREATE TYPE widget_kind AS ENUM ('y');\n\
             CREATE FUNCTION widget_id() RETURNS int LANGUAGE sql AS 'SELECT 2';",
        );
        let _migrated = project.run("migrate up").ok();
        let (code, checked) = project.json("template check");
        let found = checked["findings"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|one| one["rule"] == "read-before-made");
        assert_eq!(found.map(|_| "read-before-made"), finding, "{early}: {checked:#}");
        assert_eq!(code, i32::from(finding.is_some()), "{early}: {checked:#}");
        if sqlstate.is_empty() {
            continue;
        }
        let created = project.run("tenant create a");
        assert_eq!(created.code, 1, "{early}: {created}");
        assert!(
            created.stderr.contains("900_early.sql:1:") && created.stderr.contains("org_a.widget"),
            "{created}"
        );
        assert_eq!(
            project.db.value(
                "SELECT count(*)::text FROM pg_constraint WHERE confrelid = 'public.widgets'::regclass"
            ),
            "0"
        );
    }
}
