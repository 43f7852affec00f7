//! A statement that runs alone has no search path; its names mean what they mean in any other unit.

use crate::support::Project;

/// What the tenants have, and `public` has otherwise.
const OWN: &str = "-- Scope: tenant
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE notes (id int, note text, feeling text, during int4range);
CREATE FUNCTION plain(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT lower($1)$$;
CREATE FUNCTION length_of(notes) RETURNS int LANGUAGE sql IMMUTABLE AS $$SELECT length($1.note)$$;
CREATE FUNCTION mood_of(text) RETURNS mood LANGUAGE sql IMMUTABLE AS $$SELECT 'ok'::{org_schema}.mood$$;
CREATE FUNCTION near(int, int) RETURNS bool LANGUAGE sql IMMUTABLE AS $$SELECT $1 < $2 + 1$$;
CREATE OPERATOR <~ (LEFTARG = int, RIGHTARG = int, FUNCTION = near);
CREATE COLLATION words FROM \"C\";
CREATE OPERATOR CLASS ids FOR TYPE int USING btree AS
    OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(int, int);
CREATE MATERIALIZED VIEW totals AS SELECT note, count(*) AS total FROM notes GROUP BY note;
CREATE TABLE parted (id int) PARTITION BY LIST (id);
INSERT INTO notes VALUES (1, 'A', 'ok'), (2, 'B', 'sad');";

fn project() -> Project {
    let project = Project::with_tenants(&["a", "b"]);
    project.without_rules();
    project.db.run("CREATE FUNCTION public.shared(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1'");
    project.next_migration(OWN);
    let _migrated = project.run("migrate up").ok();
    project
}

/// The definition of an index in a tenant, from the access method on.
fn definition(project: &Project, index: &str) -> String {
    let definition = project.db.value(&format!("SELECT pg_get_indexdef('org_b.{index}'::regclass)"));
    definition.split_once(" USING ").unwrap().1.to_owned()
}

#[test]
fn the_names_of_an_index_are_found_along_the_units_path() {
    let project = project();
    project.migration(
        "1.0.5",
        "1.0.6",
        "indexes",
        "-- Scope: tenant
         CREATE INDEX CONCURRENTLY i_function ON notes (plain(note));
         CREATE INDEX CONCURRENTLY i_shared ON notes (shared(id), lower(note)) WHERE notes.id > 0;
         CREATE INDEX CONCURRENTLY i_type ON notes ((mood_of(feeling) = 'ok'::mood));
         CREATE INDEX CONCURRENTLY i_collation ON notes (note COLLATE words DESC NULLS LAST);
         CREATE INDEX CONCURRENTLY i_class ON notes (id ids, note text_pattern_ops);
         CREATE INDEX CONCURRENTLY i_operator ON notes (id) WHERE id <~ 5 AND notes.note <> '';
         CREATE INDEX CONCURRENTLY i_row ON notes (length_of(notes)) WHERE (notes.*) IS NOT NULL;
         CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS \"I all\" ON ONLY {org_schema}.notes USING btree
             (plain(note) COLLATE \"C\", id) INCLUDE (feeling) /* c */ WITH (fillfactor = 70) TABLESPACE pg_default -- c
             WHERE plain(note) <> 'x';
         CREATE INDEX CONCURRENTLY i_options ON notes USING gist (during range_ops, tsvector(plain(note)) tsvector_ops (siglen = 100));
         CREATE INDEX CONCURRENTLY i_view ON totals (plain(note));",
    );
    let _migrated = project.run("migrate up").ok();
    for (index, expected) in [
        ("i_function", "btree (org_b.plain(note))"),
        ("i_shared", "btree (shared(id), lower(note)) WHERE (id > 0)"),
        ("i_type", "btree (((org_b.mood_of(feeling) = 'ok'::org_b.mood)))"),
        ("i_collation", "btree (note COLLATE org_b.words DESC NULLS LAST)"),
        ("i_class", "btree (id org_b.ids, note text_pattern_ops)"),
        ("i_operator", "btree (id) WHERE ((id OPERATOR(org_b.<~) 5) AND (note <> ''::text))"),
        ("i_row", "btree (org_b.length_of(notes.*)) WHERE (notes.* IS NOT NULL)"),
        (
            "\"I all\"",
            "btree (org_b.plain(note) COLLATE \"C\", id) INCLUDE (feeling) WITH (fillfactor='70') WHERE (org_b.plain(note) <> 'x'::text)",
        ),
        ("i_options", "gist (during, ((org_b.plain(note))::tsvector) tsvector_ops (siglen='100'))"),
        ("i_view", "btree (org_b.plain(note))"),
    ] {
        assert_eq!(definition(&project, index), expected);
    }
    let left = "SELECT relname FROM pg_class WHERE relname LIKE 'tenure_trial%'";
    assert_eq!(project.db.column(left), Vec::<String>::new());
    project.db.run("CREATE TABLE public.logs (note text)");
    project.migration(
        "1.0.6",
        "1.0.7",
        "logs",
        "-- Scope: platform\nCREATE INDEX CONCURRENTLY i ON public.logs (lower(note));",
    );
    let _migrated = project.run("migrate up").ok();
    let logs = "SELECT pg_get_indexdef('public.i'::regclass)";
    assert_eq!(project.db.value(logs), "CREATE INDEX i ON public.logs USING btree (lower(note))");
    // A new tenant gets the same.
    project.create(&["c"]);
    assert_eq!(
        project.db.value(
            "SELECT (pg_get_indexdef('org_c.i_operator'::regclass) LIKE '%OPERATOR(org_c.<~)%')::text"
        ),
        "true"
    );
}

#[test]
fn server_errors_are_reported_at_their_place() {
    let (project, mut wrong) = (project(), Vec::new());
    for (sql, sqlstate, column) in [
        ("CREATE INDEX CONCURRENTLY i ON notes (nope(note))", "42883", 39),
        ("CREATE INDEX CONCURRENTLY i ON notes (lower(nope))", "42703", 45),
        ("CREATE INDEX CONCURRENTLY i ON notes ((notes.nope)) WHERE id > 1", "42703", 40),
        ("CREATE INDEX CONCURRENTLY i ON nowhere (plain(note))", "42P01", 32),
        ("CREATE INDEX CONCURRENTLY i ON notes (note COLLATE nope)", "42704", 1),
        ("CREATE INDEX CONCURRENTLY i ON notes (id nope)", "42704", 1),
        ("CREATE INDEX CONCURRENTLY i ON notes (id) WHERE id <~ 'x'::text", "42883", 52),
        ("CREATE INDEX CONCURRENTLY i ON parted ((id + 1))", "0A000", 1),
        ("CREATE UNIQUE INDEX CONCURRENTLY i ON notes ((id > 0))", "23505", 1),
    ] {
        project.migration("1.0.5", "1.0.6", "index", &format!("-- Scope: tenant\n{sql};"));
        let (code, said) = project.json("migrate up");
        let failure = &said["failures"][0];
        let told = (code, failure["sqlstate"].clone(), failure["line"].clone(), failure["column"].clone());
        if told != (1, sqlstate.into(), 4.into(), column.into()) {
            wrong.push(format!("{sql}: {told:?} {}", failure["message"]));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // The last attempt left an invalid index; the mended file makes it anew.
    project.migration(
        "1.0.5",
        "1.0.6",
        "index",
        "-- Scope: tenant\nCREATE INDEX CONCURRENTLY i ON notes (plain(note));",
    );
    let _migrated = project.run("migrate up").ok();
    assert_eq!(definition(&project, "i"), "btree (org_b.plain(note))");
}
