//! Two schemas are equal where only their names, ages or readers differ.

use tenure::postgres::catalog::Kind;

use super::{check_in, lines, picture, picture_by, prints, run_in};
use crate::support::{Database, Project};

/// A template that names its schema wherever a name can stand.
const EVERYWHERE: &str = "CREATE TYPE mood AS ENUM ('sad', 'glad'); \
    CREATE TABLE t (id bigserial PRIMARY KEY, org_a int, m mood DEFAULT 'sad', tag text DEFAULT '{org_schema}' CHECK (tag <> '{org_schema}/x' OR org_a > 0)); \
    CREATE TABLE u (t bigint REFERENCES {org_schema}.t, ms {org_schema}.mood[]); \
    CREATE INDEX at ON t (org_a) WHERE m = 'glad'::{org_schema}.mood; \
    CREATE VIEW v AS SELECT x.org_a, x.tag || '{org_schema}.t' AS named, y.ms FROM {org_schema}.t x JOIN u y ON y.t = x.id WHERE x.org_a > 1; \
    CREATE FUNCTION f(a {org_schema}.mood) RETURNS bigint LANGUAGE plpgsql SET search_path = {org_schema} AS \
    $$ BEGIN EXECUTE 'SELECT 1 FROM {org_schema}.t'; RETURN (SELECT max(x.org_a) FROM {org_schema}.t x); END $$; \
    CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$; \
    CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW WHEN (NEW.org_a > 0) EXECUTE FUNCTION {org_schema}.g(); \
    COMMENT ON TABLE t IS 'of {org_schema}, not of org_abc';";

#[test]
fn the_schemas_own_name_is_neutral_whatever_it_is() {
    let db = Database::fresh();
    let nasty = [
        // A column of the template is called so, and another schema's name begins so.
        "org_a",
        "org_ab",
        "org_abc_d",
        "_org_a",
        "Org_A",
        "org-a",
        "org a",
        "org.a",
        "select",
        "t",
        "öäü_ß",
        "org_a$",
        "a'b",
        "a\"b",
        "\"",
        "(?<!x)\\w+",
        "org_a.t",
        "1",
    ];
    // Where the name may stand bare inside a string it must not be quoted; these need quotes, which the string's end mark
    // would break.
    let (bare, quoted): (Vec<_>, Vec<_>) = nasty.iter().partition(|schema| !schema.contains('\''));
    check_in(
        &db,
        &bare,
        &EVERYWHERE.replace("not of org_abc", "not another"),
        "ALTER TABLE t ADD COLUMN more {org_schema}.mood; DROP INDEX at",
        &["table t: column added: more {org_schema}.mood", "table t: index removed: at"],
    );
    let plain = "CREATE TABLE t (id bigserial PRIMARY KEY, a int); CREATE VIEW v AS SELECT 'it''s' AS s, id FROM {org_schema}.t;";
    check_in(
        &db,
        &[quoted.as_slice(), &["org_x"]].concat(),
        plain,
        "CREATE TABLE u (t bigint REFERENCES {org_schema}.t)",
        &["table u: added"],
    );
}

#[test]
fn another_schemas_name_is_not_made_neutral() {
    let db = Database::fresh();
    for schema in ["org_a", "org_b"] {
        db.run(&format!("CREATE SCHEMA {schema}; CREATE TABLE {schema}.t (a int);"));
    }
    for schema in ["org_a", "org_b"] {
        db.run(&format!("CREATE VIEW {schema}.v AS SELECT a FROM org_a.t;"));
    }
    let (a, b) = (picture(&db, "org_a"), picture(&db, "org_b"));
    assert_eq!(lines(&a, &b), ["view v: definition changed, first in its line 2"]);
    assert_ne!(prints(&db, &["org_a", "org_b"])[0], prints(&db, &["org_a", "org_b"])[1]);
}

#[test]
fn a_late_tenant_is_equal_to_an_early_one() {
    let project = Project::seeds();
    project.run("migrate up --to 1.0.2").passes();
    project.run("tenant create early").passes();
    project.run("migrate up").passes();
    project.run("tenant create late").passes();
    let (early, late) = (picture(&project.db, "org_early"), picture(&project.db, "org_late"));
    assert_eq!(early, late);
    assert_eq!(early.objects.keys().filter(|key| key.kind == Kind::Table).count(), 4);
    let prints = prints(&project.db, &["org_early", "org_late"]);
    assert_eq!(prints[0], prints[1]);
    // The platform can be read too, and a schema that is not there has no snapshot.
    let platform = picture(&project.db, "datalinx_platform");
    assert!(platform.object(Kind::Table, "users").is_some());
    assert!(platform.has_schema() && !picture(&project.db, "org_nobody").has_schema());
}

#[test]
fn a_role_that_may_only_read_catalogs_can_take_a_snapshot() {
    let db = Database::fresh();
    let role = format!("looker_{}", db.name);
    db.run(&format!("CREATE ROLE {role} LOGIN; CREATE SCHEMA org_a"));
    run_in(&db, "org_a", EVERYWHERE);
    assert_eq!(picture(&db, "org_a"), picture_by(&db.url_as(&role), "org_a"));
    db.run(&format!("DROP ROLE {role}"));
}

#[test]
fn roles_that_are_named_after_their_tenant_are_alike() {
    let db = Database::fresh();
    let schemas = [format!("org_{}", db.name), format!("org_{}_b", db.name)];
    for schema in &schemas {
        db.run(&format!(
            "CREATE SCHEMA {schema}; CREATE TABLE {schema}.t (a int); CREATE ROLE {schema}; CREATE ROLE {schema}_reader; \
             GRANT SELECT ON {schema}.t TO {schema}_reader; GRANT INSERT ON {schema}.t TO {schema}; \
             CREATE POLICY p ON {schema}.t TO {schema}_reader, {schema} USING (true);"
        ));
    }
    let [one, other] = [&schemas[0], &schemas[1]].map(|schema| picture(&db, schema));
    assert_eq!(lines(&one, &other), [""; 0]);
    assert_eq!(one, other);
    // A right of another tenant's role is none of this one's.
    db.run(&format!("GRANT SELECT ON {}.t TO {}_reader", schemas[0], schemas[1]));
    assert_eq!(
        lines(&one, &picture(&db, &schemas[0])),
        ["table t: privileges added: {org_schema}_b_reader: SELECT"]
    );
    for schema in &schemas {
        db.run(&format!("DROP OWNED BY {schema}, {schema}_reader; DROP ROLE {schema}, {schema}_reader"));
    }
}
