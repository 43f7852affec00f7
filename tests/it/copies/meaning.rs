//! An imported tenant means the same: its expressions use the same functions and operators, also where their text cannot name them.

use crate::support::Project;

/// Operators of extensions in syntax without a place for their schema, and functions with unqualified names in their bodies.
const OPERATORS: &str = "
CREATE TABLE {org_schema}.people (
    id integer, email citext, tags hstore, path ltree,
    CONSTRAINT reserved CHECK (CASE email WHEN 'Root' THEN false ELSE true END),
    known text GENERATED ALWAYS AS (NULLIF(email, 'Nobody')::text) STORED
);
CREATE TABLE {org_schema}.aliases (email citext, alias text);
CREATE INDEX people_kind ON {org_schema}.people ((CASE email WHEN 'Admin' THEN 1 ELSE 2 END));
CREATE VIEW {org_schema}.named AS SELECT email, alias FROM people JOIN aliases USING (email);
CREATE VIEW {org_schema}.roots AS SELECT id FROM people WHERE path IS NOT DISTINCT FROM 'Top'::ltree;
CREATE FUNCTION {org_schema}.changed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.id := new.id + 1; RETURN new; END $$;
CREATE TRIGGER changed BEFORE UPDATE ON {org_schema}.people FOR EACH ROW
    WHEN (old.tags IS DISTINCT FROM new.tags OR NULLIF(old.path, new.path) IS NOT NULL) EXECUTE FUNCTION changed();
INSERT INTO people (id, email, tags, path) VALUES (1, 'ann', 'a=>1', 'Top'), (2, 'nobody', 'b=>2', 'Top.Low');
INSERT INTO aliases VALUES ('ANN', 'Annie');
";

const FUNCTIONS: &str = "
CREATE TABLE {org_schema}.kinds (kind text);
INSERT INTO kinds VALUES ('a'), ('b');
CREATE FUNCTION {org_schema}.half(value integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT value / 2';
CREATE FUNCTION {org_schema}.quarter(value integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN half(half(value)); END $$;
CREATE FUNCTION {org_schema}.kinds_from(first text) RETURNS SETOF text LANGUAGE sql STABLE AS 'SELECT kind FROM kinds WHERE kind >= first';
CREATE DOMAIN {org_schema}.small AS integer CHECK (quarter(VALUE) < 100);
CREATE TABLE {org_schema}.numbers (
    value small CHECK (quarter(value) >= 0),
    part integer GENERATED ALWAYS AS (quarter(value) + 1) STORED
);
INSERT INTO numbers VALUES (8), (40);
";

/// From PostgreSQL 17 on, such functions fail for the original, too (manual, CREATE INDEX, REFRESH MATERIALIZED VIEW).
const MAINTAINED: &str = "
CREATE INDEX numbers_half ON {org_schema}.numbers (quarter(value));
CREATE MATERIALIZED VIEW {org_schema}.later AS SELECT kind, n FROM kinds_from('b') AS kind, quarter(40) AS n;
";

/// The seeds' project with these settings, another template file, and this SQL run in its database.
fn with(sql: &str, file: &str, settings: &str) -> Project {
    let project = Project::seeds();
    project.without_rules();
    let rules = std::fs::read_to_string(project.dir.path().join("tenure.toml")).unwrap();
    project.file("tenure.toml", format!("{settings}\n{rules}"));
    project.file("tenant_templates/default/900_more.sql", file);
    project.db.run(sql);
    project.run("migrate up").passes();
    project
}

/// A project whose tenants use operators of extensions in this schema, with a tenant.
fn with_operators(schema: &str, settings: &str) -> Project {
    let extensions =
        ["citext", "hstore", "ltree"].map(|name| format!("CREATE EXTENSION {name} SCHEMA {schema};"));
    let project =
        with(&format!("CREATE SCHEMA IF NOT EXISTS {schema}; {}", extensions.concat()), OPERATORS, settings);
    project.create(&["alpha"]);
    project
}

/// What the rows of a tenant's views and columns are, and what its constraints refuse.
fn behaviour(project: &Project, schema: &str) -> Vec<String> {
    let mut seen = project.db.column(&format!(
        "SELECT 'named ' || alias FROM {schema}.named UNION ALL SELECT 'root ' || id FROM {schema}.roots \
         UNION ALL SELECT 'known ' || coalesce(known, '-') FROM {schema}.people ORDER BY 1"
    ));
    let refused = project.db.try_run(&format!("INSERT INTO {schema}.people (email) VALUES ('ROOT')"));
    seen.push(refused.err().unwrap_or_else(|| "accepted".to_owned()).split(' ').next().unwrap().to_owned());
    project.db.run(&format!("UPDATE {schema}.people SET tags = 'c=>3' WHERE id = 2"));
    seen.push(
        project.db.value(&format!("SELECT string_agg(id::text, ' ' ORDER BY id) FROM {schema}.people")),
    );
    seen
}

#[test]
fn operators_that_no_text_can_name_survive() {
    for (schema, settings) in [("public", ""), ("tools", "[extensions]\nschema = \"tools\"\n")] {
        let project = with_operators(schema, settings);
        project.run("tenant export alpha --to alpha.tenure").passes();
        project.run("tenant import alpha.tenure --as beta").passes();
        let expected = ["known -", "known ann", "named Annie", "root 1", "23514", "1 3"];
        assert_eq!(behaviour(&project, "org_beta"), expected);
        assert_eq!(behaviour(&project, "org_alpha"), expected);
        let (code, drift) = project.json("drift");
        assert_eq!((code, &drift["tenants"]["same"]), (0, &2.into()), "{drift}");
    }
}

#[test]
fn unqualified_names_in_functions_are_found() {
    let project = with("", FUNCTIONS, "");
    let is_17 =
        project.db.value("SELECT (current_setting('server_version_num')::int >= 170000)::text") == "true";
    if !is_17 {
        project.file("tenant_templates/default/950_maintained.sql", MAINTAINED);
    }
    project.create(&["alpha"]);
    project.run("tenant export alpha --to alpha.tenure").passes();
    project.run("tenant import alpha.tenure --as beta").passes();
    let rows = "SELECT value || ' ' || part FROM org_beta.numbers ORDER BY 1";
    assert_eq!(project.db.column(rows), ["40 11", "8 3"]);
    if !is_17 {
        assert_eq!(project.db.column("SELECT kind || ' ' || n FROM org_beta.later"), ["b 10"]);
    }
    let (code, drift) = project.json("drift");
    assert_eq!((code, &drift["tenants"]["same"]), (0, &2.into()), "{drift}");
}

/// The changes in an answer of `drift`.
fn changes(document: &serde_json::Value) -> Vec<String> {
    let lines = document["differences"].as_array().unwrap().iter();
    lines
        .map(|line| format!("{}: {}", line["object"].as_str().unwrap(), line["change"].as_str().unwrap()))
        .collect()
}

#[test]
fn the_same_text_with_another_operator_is_drift() {
    let project = with_operators("public", "");
    for (sql, expected) in [
        (
            "DO $do$ BEGIN EXECUTE 'CREATE OR REPLACE VIEW org_alpha.named AS ' || pg_get_viewdef('org_alpha.named'); END $do$",
            "view named: uses removed: operator public.=(public.citext,public.citext)",
        ),
        (
            "ALTER TABLE org_alpha.people DROP CONSTRAINT reserved, ADD CONSTRAINT reserved \
                 CHECK (CASE email WHEN 'Root'::public.citext THEN false ELSE true END)",
            "table people: constraint reserved: uses removed: operator public.=(public.citext,public.citext)",
        ),
    ] {
        project.run("drift").passes();
        project.db.run(&format!("CREATE SCHEMA kept; SET search_path = ''; {sql}"));
        let (code, drift) = project.json("drift");
        assert_eq!((code, changes(&drift)), (1, vec![expected.to_owned()]), "{drift}");
        project.db.run("DROP SCHEMA kept");
        project.run("tenant drop alpha --confirm alpha").passes();
        project.create(&["alpha"]);
    }
}

#[test]
fn an_import_that_would_change_the_meaning_is_refused() {
    let money = "CREATE SCHEMA shared; CREATE TYPE shared.cents AS (amount numeric); \
        CREATE FUNCTION shared.same(shared.cents, shared.cents) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true'; \
        CREATE OPERATOR shared.= (LEFTARG = shared.cents, RIGHTARG = shared.cents, FUNCTION = shared.same);";
    let files = "CREATE TABLE {org_schema}.prices (one shared.cents, other shared.cents);
        CREATE VIEW {org_schema}.equal AS SELECT NULLIF(one, other) AS it FROM prices;
        CREATE INDEX prices_case ON {org_schema}.prices ((CASE one WHEN other THEN 1 ELSE 0 END));";
    let project = with(money, files, "[tenants]\nsearch_path = [\"shared\"]\n");
    project.create(&["alpha"]);
    project.run("tenant export alpha --to alpha.tenure").passes();
    let other = with(money, files, "");
    let file = project.dir.path().join("alpha.tenure");
    for force in ["", " --force"] {
        let document =
            other.expect_error(&format!("tenant import {}{force}", file.display()), "import-differs");
        let message = document["error"]["message"].as_str().unwrap();
        for object in ["view equal", "table prices: index prices_case"] {
            let seen = "uses only functions and operators of the server instead of operator shared.=(shared.cents,shared.cents)";
            assert!(message.contains(&format!("{object}: {seen}")), "{message}");
        }
        assert!(document["error"]["hint"].as_str().unwrap().contains("search_path"), "{document}");
    }
    project.run(&format!("tenant import {} --as beta", file.display())).passes();
}
