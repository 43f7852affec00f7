//! Branches on a server of one's own: copies of a database that tests make for themselves.

mod create;
mod delete;
mod interruptions;
mod rejections;

use serde_json::Value;

use crate::support::{Database, Output, Project};

/// A project whose database is copied. The tests go to the server itself: a pooler's sessions would be in use.
struct Fixture {
    project: Project,
}

impl Fixture {
    /// With two tables of a platform that no migration made.
    fn new() -> Self {
        let fixture = Self { project: Project::empty() };
        fixture.db().run(
            "CREATE SCHEMA p; CREATE TABLE p.a AS SELECT generate_series(1, 100) AS n; CREATE TABLE p.b ()",
        );
        fixture
    }

    fn db(&self) -> &Database {
        &self.project.db
    }

    fn run(&self, line: &str) -> Output {
        self.run_at(&self.db().url, line)
    }

    fn run_at(&self, url: &str, line: &str) -> Output {
        self.project.run_env(&[("DATABASE_URL", url)], line)
    }

    /// Runs a verb on branches; its exit code, and the one document that it must print.
    #[track_caller]
    fn json(&self, line: &str) -> (i32, Value) {
        self.json_at(&self.db().url, line)
    }

    #[track_caller]
    fn json_at(&self, url: &str, line: &str) -> (i32, Value) {
        let output = self.run_at(url, &format!("branch {line} --provider local --format json"));
        let document = serde_json::from_str(&output.stdout)
            .unwrap_or_else(|error| panic!("tenure branch {line}: {error} in {output}"));
        (output.code, document)
    }

    /// Makes a branch.
    #[track_caller]
    fn create(&self, more: &str) -> Branch {
        let (code, document) = self.json(&format!("create {more}"));
        assert_eq!(code, 0, "{document}");
        let url = document["database_url"].as_str().unwrap().to_owned();
        let name = url.split('?').next().unwrap().rsplit('/').next().unwrap().to_owned();
        Branch { db: std::mem::ManuallyDrop::new(Database { name, url }), document }
    }

    /// Asks for something in vain: the exit code, the error's code and its message.
    #[track_caller]
    fn refused(&self, line: &str) -> (i32, String, String) {
        self.refused_at(&self.db().url, line)
    }

    #[track_caller]
    fn refused_at(&self, url: &str, line: &str) -> (i32, String, String) {
        let (exit, document) = self.json_at(url, line);
        let error = |field: &str| document["error"][field].as_str().unwrap_or_default().to_owned();
        (exit, error("code"), error("message") + " | " + &error("hint"))
    }

    /// The names of the branches that are listed.
    #[track_caller]
    fn listed(&self) -> Vec<String> {
        let (_, document) = self.json("list");
        let all = document["branches"].as_array().unwrap().iter();
        all.map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    }

    /// The databases of the server whose comment or name says that they come from this test's database.
    fn copies(&self) -> Vec<String> {
        self.db().column(&format!(
            "SELECT datname::text FROM pg_database WHERE datname <> '{0}' AND (datname LIKE '{0}\\_%' \
             OR shobj_description(oid, 'pg_database') LIKE '%\"parent\":\"{0}\"%') ORDER BY 1",
            self.db().name
        ))
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        for copy in self.copies() {
            self.db().run(&format!("DROP DATABASE \"{copy}\" WITH (FORCE)"));
        }
    }
}

/// The names of what a collection deleted.
fn gone(document: &Value) -> Vec<&str> {
    document["deleted"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect()
}

/// A branch that was made, and the document that said so.
struct Branch {
    db: std::mem::ManuallyDrop<Database>,
    document: Value,
}
