//! A release's queries before and after a step, on a real server: what each kind of change does to those who
//! go on sending them, and that nothing but that is called a break.

use std::path::Path;

use tenure::ident::{SchemaName, SharedPath};
use tenure::postgres::{Connection, DatabaseUrl, queries};
use tenure::queries::{Observation, Release, Schemas, Tenants, compare};
use tokio::runtime::Builder;

use crate::support::Database;

/// A platform and a tenant, as an application finds them.
const BASE: &str = "
CREATE SCHEMA platform;
CREATE TYPE platform.plan AS ENUM ('free', 'paid');
CREATE TABLE platform.accounts (id uuid PRIMARY KEY, email text NOT NULL UNIQUE, plan platform.plan NOT NULL DEFAULT 'free');
CREATE SCHEMA org_a;
SET search_path = org_a, public;
CREATE TYPE status AS ENUM ('open', 'done');
CREATE TABLE workspaces (id int PRIMARY KEY, name varchar(50) NOT NULL, note text, status status NOT NULL DEFAULT 'open',
    account uuid REFERENCES platform.accounts);
CREATE TABLE members (workspace int NOT NULL REFERENCES workspaces, account uuid NOT NULL, PRIMARY KEY (workspace, account));
CREATE VIEW open_workspaces AS SELECT id, name FROM workspaces WHERE status = 'open';
CREATE FUNCTION shout(what text) RETURNS text LANGUAGE sql AS $$ SELECT upper(what) $$;
";

/// A folder with one file of queries, and the database that they are for.
pub struct Fixture {
    pub db: Database,
    pub release: Release,
    executed: bool,
}

impl Fixture {
    pub fn new(queries: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("q.sql"), queries).unwrap();
        let db = Database::fresh();
        db.run(BASE);
        Self { db, release: read(dir.path(), &["q.sql"]), executed: false }
    }

    /// With the queries run and planned too, on tables that hold rows.
    pub fn executed(queries: &str, rows: &str) -> Self {
        let fixture = Self { executed: true, ..Self::new(queries) };
        fixture.db.run(&format!("SET search_path = org_a, public; {rows}"));
        fixture
    }

    /// What `step` breaks, one line a break; the step and the look after it happen in one transaction, as when
    /// a unit is watched.
    pub fn breaks(&self, step: &str) -> Vec<String> {
        let (before, after) = self.look(Some(step));
        compare(&self.release, &before, &after)
            .iter()
            .map(|found| {
                format!("{} {:?}: {}", found.query.place.start().unwrap().line, found.kind, found.what)
            })
            .collect()
    }

    pub fn look(&self, step: Option<&str>) -> (Observation, Observation) {
        run(async {
            let mut connection = self.connect().await;
            let (tenant, platform) = (schema("org_a"), schema("platform"));
            let schemas = Schemas { tenant: &tenant, platform: &platform, shared: &SharedPath::default() };
            let mut before = queries::observe(&mut connection, &self.release, schemas, None).await.unwrap();
            if self.executed {
                let done =
                    queries::run_and_explain(&mut connection, &self.release, schemas, &mut before, None)
                        .await;
                done.unwrap();
            }
            connection.run("BEGIN; SET LOCAL search_path = org_a, public").await.unwrap();
            if let Some(step) = step {
                connection.run(step).await.unwrap_or_else(|refusal| panic!("{step}: {}", refusal.error));
            }
            let earlier = Some(&before);
            let mut after = queries::observe(&mut connection, &self.release, schemas, earlier).await.unwrap();
            if self.executed {
                let done =
                    queries::run_and_explain(&mut connection, &self.release, schemas, &mut after, earlier)
                        .await;
                done.unwrap();
            }
            // The transaction is as it was: open, with its settings.
            let path = connection.query_batch("SHOW search_path; ROLLBACK").await.unwrap();
            assert_eq!(path[0][0].text("search_path").unwrap(), "org_a, public");
            (before, after)
        })
    }

    /// What says nothing, and why.
    pub fn unchecked(&self) -> Vec<String> {
        let (before, _) = self.look(None);
        before.unchecked(&self.release).into_iter().map(|one| format!("{} {}", one.place, one.why)).collect()
    }

    async fn connect(&self) -> Connection {
        Connection::open(&DatabaseUrl::parse(&self.db.url).unwrap()).await.unwrap()
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn schema(name: &str) -> SchemaName {
    SchemaName::existing(name).unwrap()
}

fn read(folder: &Path, paths: &[&str]) -> Release {
    let tenants = Tenants { prefix: "org_", platform: "platform" };
    tenure::project::release(folder, folder, paths, tenants).unwrap()
}

const QUERIES: &str = "\
SELECT id, name FROM workspaces WHERE id = $1;
SELECT * FROM workspaces;
SELECT w.id, m.account FROM workspaces w LEFT JOIN members m ON m.workspace = w.id;
INSERT INTO workspaces (id, name) VALUES ($1, $2);
UPDATE workspaces SET note = $1, status = $3 WHERE id = $2;
SELECT shout(note) AS note FROM {org_schema}.workspaces;
SELECT id, name FROM open_workspaces;
SELECT email, plan FROM accounts WHERE plan = $1;
SELECT w.name, a.email FROM workspaces w JOIN accounts a ON a.id = w.account;
SELECT id FROM workspaces WHERE status = 'done';
SELECT nothing FROM nowhere;
";

#[test]
fn nothing_is_a_break_where_nothing_changes() {
    let fixture = Fixture::new(QUERIES);
    assert!(fixture.breaks("SELECT 1").is_empty());
    assert!(
        fixture
            .breaks("ALTER TABLE members ADD COLUMN since date; CREATE INDEX ON workspaces (note)")
            .is_empty()
    );
    let (before, _) = fixture.look(None);
    let unchecked: Vec<_> = before
        .unchecked(&fixture.release)
        .into_iter()
        .map(|one| format!("{} {}", one.place, one.why))
        .collect();
    assert_eq!(
        unchecked,
        ["q.sql:11:1 it cannot be prepared before the step: relation \"nowhere\" does not exist [42P01]"]
    );
}

#[test]
fn a_column_that_goes_breaks_those_who_name_it() {
    let fixture = Fixture::new(QUERIES);
    assert_eq!(
        fixture.breaks("ALTER TABLE workspaces DROP COLUMN note"),
        [
            "2 Changed: no longer returns \"note\"",
            "5 Fails: no longer prepares: column \"note\" of relation \"workspaces\" does not exist [42703]",
            "6 Fails: no longer prepares: column \"note\" does not exist [42703]",
        ]
    );
    assert_eq!(
        fixture.breaks("ALTER TABLE platform.accounts RENAME email TO mail"),
        [
            "8 Fails: no longer prepares: column \"email\" does not exist [42703]",
            "9 Fails: no longer prepares: column a.email does not exist [42703]",
        ]
    );
    // Hidden in a block, as no rule can read it.
    assert_eq!(
        fixture
            .breaks("DO $$ BEGIN EXECUTE 'ALTER TABLE workspaces RENAME' || ' note TO notes'; END $$")
            .len(),
        3
    );
}

#[test]
fn a_type_that_changes_breaks_those_who_read_or_send_it() {
    let fixture = Fixture::new(QUERIES);
    assert_eq!(
        fixture.breaks("DROP VIEW open_workspaces; ALTER TABLE workspaces ALTER id TYPE bigint"),
        [
            "1 Changed: parameter $1 is bigint and was integer; column \"id\" is bigint and was integer",
            "2 Changed: column \"id\" is bigint and was integer",
            "3 Changed: column \"id\" is bigint and was integer",
            "4 Changed: parameter $1 is bigint and was integer",
            "5 Changed: parameter $2 is bigint and was integer",
            "7 Fails: no longer prepares: relation \"open_workspaces\" does not exist [42P01]",
            "10 Changed: column \"id\" is bigint and was integer",
        ]
    );
    let wider = "DROP VIEW open_workspaces; ALTER TABLE workspaces ALTER name TYPE varchar(80);
        CREATE VIEW open_workspaces AS SELECT id, name FROM workspaces";
    assert_eq!(
        fixture.breaks(wider),
        [1, 2, 7, 9].map(|line| format!(
            "{line} Warn: column \"name\" is character varying(80) and was character varying(50)"
        ))
    );
}

#[test]
fn an_added_column_changes_select_star() {
    let fixture = Fixture::new(QUERIES);
    assert_eq!(
        fixture.breaks("ALTER TABLE workspaces ADD COLUMN color text"),
        ["2 Warn: also returns \"color\"; code that reads columns by position may fail"]
    );
}

#[test]
fn a_column_that_may_be_null_now_is_a_break() {
    let fixture = Fixture::new(QUERIES);
    assert_eq!(
        fixture.breaks("ALTER TABLE workspaces ALTER name DROP NOT NULL"),
        [1, 2, 9].map(|line| format!("{line} Changed: column \"name\" may now be NULL"))
    );
    assert!(fixture.breaks("ALTER TABLE workspaces ALTER note SET NOT NULL").is_empty());
}

#[test]
fn the_labels_of_enums_count() {
    let fixture = Fixture::new(QUERIES);
    // In a transaction, and still seen.
    assert_eq!(
        fixture.breaks("ALTER TYPE status ADD VALUE 'late'"),
        ["2 Warn: column \"status\" may now contain \"late\""]
    );
    assert_eq!(
        fixture.breaks("ALTER TYPE status RENAME VALUE 'done' TO 'finished'"),
        [
            "2 Changed: column \"status\" may now contain \"finished\"",
            "5 Changed: parameter $3 no longer accepts \"done\"",
            "10 Fails: no longer prepares: invalid input value for enum status: \"done\" [22P02]",
        ]
    );
    // Another type of the same name and labels is the same to who sends and reads it.
    let remade = "ALTER TYPE platform.plan RENAME TO old; CREATE TYPE platform.plan AS ENUM ('free', 'paid');
        ALTER TABLE platform.accounts ALTER plan DROP DEFAULT,
            ALTER plan TYPE platform.plan USING plan::text::platform.plan;
        DROP TYPE platform.old";
    assert!(fixture.breaks(remade).is_empty());
}

#[test]
fn views_and_functions_count_as_tables_do() {
    let fixture = Fixture::new(QUERIES);
    assert_eq!(
        fixture.breaks("DROP FUNCTION shout(text)"),
        ["6 Fails: no longer prepares: function shout(text) does not exist [42883]"]
    );
    assert_eq!(
        fixture.breaks(
            "DROP VIEW open_workspaces; CREATE VIEW open_workspaces AS SELECT name, id FROM workspaces"
        ),
        [""; 0]
    );
    assert_eq!(
        fixture.breaks(
            "DROP VIEW open_workspaces; CREATE VIEW open_workspaces AS SELECT id::text, name FROM workspaces"
        ),
        ["7 Changed: column \"id\" is text and was integer"]
    );
    // A view in the place of a table that was renamed: who only reads sees no difference.
    assert_eq!(
        fixture.breaks(
            "ALTER TABLE members RENAME TO members_2; CREATE VIEW members AS SELECT * FROM members_2"
        ),
        [""; 0]
    );
}

#[test]
fn a_query_that_finds_another_schemas_table_is_held_to_its_own() {
    let fixture =
        Fixture::new("SELECT email FROM accounts;\nSELECT w.id FROM workspaces w, platform.accounts a;");
    // The tenant's new table has no part in what the platform's queries mean.
    assert!(fixture.breaks("CREATE TABLE org_a.accounts (email int)").is_empty());
    assert_eq!(
        fixture.breaks("ALTER TABLE platform.accounts SET SCHEMA org_a"),
        [
            "1 Fails: no longer prepares: relation \"accounts\" does not exist [42P01]",
            "2 Fails: no longer prepares: relation \"platform.accounts\" does not exist [42P01]",
        ]
    );
}

#[test]
fn types_of_every_kind_have_names() {
    let fixture = Fixture::new(
        "SELECT s, ARRAY[s] AS many, e, ROW(1, s) AS row, w AS whole, int4range(1, 2) AS range, n FROM kinds w WHERE e = $1 AND n = $2;",
    );
    fixture.db.run(
        "SET search_path = org_a; CREATE DOMAIN email AS text CHECK (VALUE <> ''); \
         CREATE TABLE kinds (s status, e email, n numeric(9,2)[])",
    );
    let (before, _) = fixture.look(None);
    let (_, prepared) = before.prepared(&fixture.release).next().unwrap();
    let names: Vec<_> = prepared.columns.iter().map(|column| column.kind.name.as_str()).collect();
    assert_eq!(names, ["status", "status[]", "text", "record", "kinds", "int4range", "numeric(9,2)[]"]);
    assert_eq!(prepared.columns[1].kind.labels, ["open", "done"]);
    assert_eq!(prepared.columns[4].kind.fields, ["s status", "e email", "n numeric(9,2)[]"]);
    let parameters: Vec<_> = prepared.parameters.iter().map(|kind| kind.name.as_str()).collect();
    assert_eq!(parameters, ["text", "numeric[]"]);
    assert_eq!(
        fixture.breaks("ALTER TABLE kinds ADD COLUMN x int"),
        [
            "1 Changed: column \"whole\" is a row of (s status, e email, n numeric(9,2)[], x integer) and was a row of (s status, e email, n numeric(9,2)[])"
        ]
    );
}

#[test]
fn a_folder_is_read_with_its_sub_folders_and_an_empty_one_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = |path: &str, text: &str| {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    file("app/queries/b/two.sql", "SELECT 2;");
    file("app/queries/one.sql", "\u{feff}SELECT 1;\nselect 2;");
    file("app/.sqlx/query-1.json", r#"{"db_name": "PostgreSQL", "query": "SELECT 3"}"#);
    file("app/.git/four.sql", "SELECT 4");
    file("app/node_modules/five.sql", "SELECT 5");
    file("app/package.json", "{}");
    std::os::unix::fs::symlink(dir.path(), dir.path().join("app/round")).unwrap();
    let release = read(dir.path(), &["app"]);
    let shown: Vec<_> =
        release.queries.iter().map(|query| format!("{} {}", query.place, query.text)).collect();
    assert_eq!(
        shown,
        [
            "app/.sqlx/query-1.json:1:27 SELECT 3",
            "app/queries/b/two.sql:1:1 SELECT 2",
            "app/queries/one.sql:1:1 SELECT 1",
        ]
    );
    file("none/notes.txt", "SELECT 1");
    file("bad/a.sql", "SELEC 1");
    let tenants = Tenants { prefix: "org_", platform: "platform" };
    for (path, says) in [
        ("none", "none: it contains no query"),
        ("bad", "bad: it contains no query (bad/a.sql:1:1: syntax error"),
        ("none/notes.txt", "does not end in .sql, .json or .csv"),
        ("gone.sql", "gone.sql"),
    ] {
        let failure = tenure::project::release(dir.path(), dir.path(), &[path], tenants).unwrap_err();
        assert!(failure.message.contains(says), "{path}: {failure}");
    }
}

#[test]
fn a_thousand_queries_are_quick() {
    let queries: Vec<_> =
        (0..1000).map(|n| format!("SELECT id, name, {n} AS n FROM workspaces WHERE id = $1")).collect();
    let fixture = Fixture::new(&queries.join(";\n"));
    let started = std::time::Instant::now();
    assert_eq!(fixture.breaks("ALTER TABLE workspaces DROP COLUMN name CASCADE").len(), 1000);
    let took = started.elapsed();
    assert!(took.as_secs() < 20, "{took:?}");
}
