//! What a copy has of its source.

use super::Fixture;
use crate::support::{Finish as _, Session};

#[test]
fn a_copy_has_the_rows_and_the_url_leads_to_it() {
    let fixture = Fixture::new();
    let output = fixture.run("branch create pr-1 --provider local --expires 1h").ok();
    let url = output.stdout.lines().find(|line| line.starts_with("postgresql://")).unwrap();
    assert!(output.stderr.contains(&format!("copied {:?} (", fixture.db().name)), "{output}");
    assert!(
        output.stderr.contains("by FILE_COPY") || output.stderr.contains("by copying its files"),
        "{output}"
    );
    assert_eq!(Session::open(url).value("SELECT count(*)::text FROM p.a"), "100");
    let (_, list) = fixture.json("list");
    let row = &list["branches"][0];
    assert_eq!(
        (&row["name"], &row["provider"], &row["parent"]),
        (&"pr-1".into(), &"local".into(), &fixture.db().name.as_str().into())
    );
    let lives = format!(
        "SELECT '{}'::timestamptz - '{}'::timestamptz = '1 hour'",
        row["expires_at"].as_str().unwrap(),
        row["created_at"].as_str().unwrap()
    );
    assert_eq!(fixture.db().value(&format!("SELECT ({lives})::text")), "true");
    assert_eq!(fixture.copies().len(), 1);
}

#[test]
fn the_same_name_again_is_one_branch_as_the_source_is_now() {
    let fixture = Fixture::new();
    let first = fixture.create("tenure/pr-1");
    first.db.run("DROP TABLE p.a");
    let used = Session::open(&first.db.url);
    fixture.db().run("CREATE TABLE p.since ()");
    let second = fixture.create("tenure/pr-1");
    assert_eq!((&first.document["origin"], &second.document["origin"]), (&"created".into(), &"reset".into()));
    assert_eq!(
        (&first.db.name, fixture.copies().len(), fixture.listed()),
        (&second.db.name, 1, vec!["tenure/pr-1".to_owned()])
    );
    assert_eq!(
        second.db.value("SELECT concat_ws(' ', to_regclass('p.a'), to_regclass('p.since'))"),
        "p.a p.since"
    );
    drop(used);
    // Another sign in the name is another branch.
    let other = fixture.create("tenure/pr_1");
    assert_ne!(other.db.name, second.db.name);
    assert_eq!(fixture.copies().len(), 2);
}

#[test]
fn a_copy_of_another_database_belongs_to_the_one_that_is_named() {
    let (fixture, other) = (Fixture::new(), Fixture::new());
    other.db().run("CREATE TABLE p.other ()");
    let branch = fixture.create(&format!("pr-1 --parent {}", other.db().name));
    assert_eq!(branch.db.value("SELECT to_regclass('p.other')::text"), "p.other");
    assert_eq!((fixture.listed(), other.listed()), (vec!["pr-1".to_owned()], Vec::<String>::new()));
    assert_eq!(other.json("delete pr-1").1["deleted"], false);
    assert_eq!(fixture.json("delete pr-1").1["deleted"], true);
}

#[test]
fn a_name_is_one_branch_whatever_it_is_a_copy_of() {
    let (fixture, other) = (Fixture::new(), Fixture::new());
    other.db().run("CREATE TABLE p.other ()");
    let first = fixture.create("pr-1");
    let again = fixture.create(&format!("pr-1 --parent {}", other.db().name));
    assert_eq!((&again.document["origin"], fixture.listed()), (&"reset".into(), vec!["pr-1".to_owned()]));
    assert_eq!(again.db.value("SELECT to_regclass('p.other')::text"), "p.other");
    assert!(Session::try_open(&first.db.url).is_err());
    // Nothing is made anew from itself.
    let (exit, code, message) = fixture.refused(&format!("create pr-1 --parent {}", again.db.name));
    assert_eq!((exit, code.as_str()), (1, "branch-exists"), "{message}");
    assert_eq!(fixture.json("delete pr-1").1["deleted"], true);
    assert_eq!(
        (fixture.listed(), fixture.json("delete pr-1").1["deleted"].clone()),
        (Vec::new(), false.into())
    );
}

/// What a session of a database begins with, and who may do what with it.
const SURROUNDINGS: &str = "SELECT concat_ws(' ', coalesce(r.rolname, 'all'), line) FROM pg_db_role_setting s \
    CROSS JOIN unnest(setconfig) AS line LEFT JOIN pg_roles r ON r.oid = s.setrole WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()) \
    UNION ALL SELECT concat_ws(' ', pg_get_userbyid(datdba), coalesce(r.rolname, 'public'), privilege_type, is_grantable::text) \
    FROM pg_database, aclexplode(datacl) LEFT JOIN pg_roles r ON r.oid = grantee \
    WHERE datname = current_database() AND grantee <> datdba ORDER BY 1";

#[test]
fn rights_on_the_database_and_its_settings_come_along() {
    let fixture = Fixture::new();
    let (db, name) = (fixture.db(), &fixture.db().name);
    let (owner, app) = (format!("{name}_owner"), format!("{name}_\"app'"));
    let quoted = format!("\"{}\"", app.replace('"', "\"\""));
    db.run(&format!("CREATE ROLE {owner}; CREATE ROLE {quoted}; ALTER DATABASE {name} OWNER TO {owner}"));
    db.run(&format!(
        "REVOKE ALL ON DATABASE {name} FROM PUBLIC; GRANT CONNECT ON DATABASE {name} TO {quoted} WITH GRANT OPTION; \
         GRANT TEMPORARY ON DATABASE {name} TO {quoted}; ALTER DATABASE {name} SET search_path = \"$user\", \"a, b\", public; \
         ALTER DATABASE {name} SET default_transaction_read_only = on; ALTER DATABASE {name} SET work_mem = '7MB'; ALTER DATABASE {name} SET my.own = 'it''s = \"1\"'; \
         ALTER ROLE {quoted} IN DATABASE {name} SET statement_timeout = '9s'"
    ));
    let branch = fixture.create("pr-1");
    let expected = db.column(SURROUNDINGS);
    assert_eq!(expected.len(), 7, "{expected:?}");
    assert_eq!(branch.db.column(SURROUNDINGS), expected);
    assert_eq!(branch.db.value("SHOW search_path"), "\"$user\", \"a, b\", public");
    assert_eq!(fixture.json("delete pr-1").0, 0);
    db.run(&format!("BEGIN READ WRITE; ALTER DATABASE {name} RESET ALL; COMMIT"));
    db.run(&format!(
        "ALTER DATABASE {name} OWNER TO tenure; REVOKE ALL ON DATABASE {name} FROM {quoted}; \
        ALTER ROLE {quoted} IN DATABASE {name} RESET ALL; DROP ROLE {owner}; DROP ROLE {quoted}"
    ));
}

#[test]
fn odd_names_are_names() {
    let fixture = Fixture::new();
    let admin = fixture.db();
    let source = format!("{} \"Größe\" it's \\ %41?#{}", admin.name, "x".repeat(30));
    let source: String = source.chars().take(50).collect();
    let quoted = source.replace('"', "\"\"");
    admin.run(&format!("CREATE DATABASE \"{quoted}\""));
    let words = [
        "branch",
        "create",
        "größe \"1\"; DROP '",
        "--provider",
        "local",
        "--parent",
        &source,
        "--format",
        "json",
    ];
    let mut command = fixture.project.command(words);
    let output = crate::support::Output::of(&command.env("DATABASE_URL", &admin.url).finish()).ok();
    let made: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(Session::open(made["database_url"].as_str().unwrap()).value("SELECT 'in'"), "in");
    assert_eq!(fixture.listed(), ["größe \"1\"; DROP '"]);
    // Above itself as the database that is named.
    let mut url = url::Url::parse(&admin.url).unwrap();
    url.set_path(&source.replace('%', "%25"));
    let (code, made) = fixture.json_at(url.as_str(), "create pr-1");
    assert_eq!((code, made["parent"].as_str()), (0, Some(source.as_str())), "{made}");
    assert_eq!(Session::open(made["database_url"].as_str().unwrap()).value("SELECT 'in'"), "in");
    assert_eq!(fixture.json_at(url.as_str(), "delete pr-1").1["deleted"], true);
    assert_eq!(fixture.json("gc --prefix g --older-than 0s").1["outcome"], "done");
    admin.run(&format!("DROP DATABASE \"{quoted}\""));
}
