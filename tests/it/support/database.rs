//! A database per test, on the private server of this binary. The server ends with the process, even after a crash.

use std::io::Write as _;
use std::mem::ManuallyDrop;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use tenure::postgres::server::{DATABASE, Throwaway};
use tokio::runtime::{Builder, Runtime};

use super::{Finish as _, LIMIT, environment, reset_signals};

static SERVER: OnceLock<Throwaway> = OnceLock::new();
static COUNT: AtomicU32 = AtomicU32::new(0);

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// The result of `answer`. Fails after [`LIMIT`].
pub async fn within<T>(what: &str, answer: impl Future<Output = T>) -> T {
    let answer = tokio::time::timeout(LIMIT, answer).await;
    answer.unwrap_or_else(|_| panic!("no answer within {LIMIT:?}: {what}"))
}

fn start(libraries: &[&str]) -> Throwaway {
    reset_signals();
    runtime().block_on(Throwaway::start_preloading(&environment(), libraries)).unwrap()
}

fn server() -> &'static Throwaway {
    SERVER.get_or_init(|| {
        let server = start(&[]);
        let database = Database { name: DATABASE.to_owned(), url: server.url(DATABASE) };
        let version = database.value("SELECT current_setting('server_version')");
        let folder = server.binaries().folder().display();
        // Writes past the test harness, which captures the output of a passing test.
        std::io::stderr().write_all(format!("PostgreSQL {version} in {folder}\n").as_bytes()).unwrap();
        server
    })
}

/// The database that always exists.
fn admin() -> Database {
    Database { name: DATABASE.to_owned(), url: server().url(DATABASE) }
}

/// A private server of one test, for objects that all databases of a server share, such as roles. It ends with the value.
#[derive(Debug)]
pub struct OwnServer(Throwaway);

impl OwnServer {
    /// Starts a server that loads these libraries.
    pub fn start(libraries: &[&str]) -> Self {
        Self(start(libraries))
    }

    /// The database with this name. Creates it if it does not exist.
    pub fn database(&self, name: &str) -> Database {
        let of = |name: &str| Database { name: name.to_owned(), url: self.0.url(name) };
        if name != DATABASE {
            of(DATABASE).run(&format!("CREATE DATABASE {name}"));
        }
        of(name)
    }
}

/// A database. [`Database::fresh`] creates one that is dropped with the value.
#[derive(Debug)]
pub struct Database {
    pub name: String,
    pub url: String,
}

impl Database {
    /// Creates a database.
    pub fn fresh() -> Self {
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        admin().run(&format!("CREATE DATABASE {name}"));
        Self { url: server().url(&name), name }
    }

    /// A copy of `other`.
    pub fn copy_of(other: &Self) -> Self {
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        admin().run(&format!("CREATE DATABASE {name} TEMPLATE {}", other.name));
        Self { url: server().url(&name), name }
    }

    /// A copy of `other`, or of its definitions only. Sessions may be connected to `other`.
    pub fn branch_of(other: &Self, schema_only: bool) -> Self {
        let sessions =
            format!("SELECT count(*)::text FROM pg_stat_activity WHERE datname = '{}'", other.name);
        if !schema_only && admin().value(&sessions) == "0" {
            return Self::copy_of(other);
        }
        let branch = Self::fresh();
        // The dump calls `setval`, whose result is not text.
        branch.try_run(&other.dump(&[if schema_only { "--schema-only" } else { "--inserts" }])).unwrap();
        branch
    }

    /// The same database as a value that does not drop it.
    pub fn lend(&self) -> ManuallyDrop<Self> {
        ManuallyDrop::new(Self { name: self.name.clone(), url: self.url.clone() })
    }

    /// The folder of the server's socket.
    pub fn socket_folder(&self) -> &str {
        self.url.split("host=").nth(1).and_then(|rest| rest.split('&').next()).unwrap()
    }

    /// The same database with another role.
    pub fn url_as(&self, role: &str) -> String {
        self.url.replacen("://tenure@", &format!("://{role}@"), 1)
    }

    /// Runs SQL, as one message.
    pub fn run(&self, sql: &str) {
        self.rows(sql);
    }

    /// Runs SQL, as one message. Returns a server error as its SQLSTATE and message.
    pub fn try_run(&self, sql: &str) -> Result<(), String> {
        runtime().block_on(async {
            let mut connection = within(sql, PgConnection::connect(&self.url)).await.unwrap();
            let query = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
            let answer = within(sql, query.execute(&mut connection)).await;
            connection.close().await.unwrap();
            answer.map(|_| ()).map_err(|error| {
                let error = error.into_database_error().unwrap();
                format!("{} {}", error.code().unwrap_or_default(), error.message())
            })
        })
    }

    /// The rows of a query, with values as text; NULL is `-`. Cast other types with `::text`.
    pub fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        let text = |row: &PgRow| -> Vec<String> {
            (0..row.len())
                .map(|column| row.get::<Option<String>, _>(column).unwrap_or_else(|| "-".to_owned()))
                .collect()
        };
        runtime().block_on(async {
            let mut connection = within(sql, PgConnection::connect(&self.url)).await.unwrap();
            let query = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
            let rows = within(sql, query.fetch_all(&mut connection)).await;
            let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error}"));
            connection.close().await.unwrap();
            rows.iter().map(text).collect()
        })
    }

    /// The value of a query with one row and one column.
    pub fn value(&self, sql: &str) -> String {
        let rows = self.rows(sql);
        assert_eq!((rows.len(), rows.first().map_or(0, Vec::len)), (1, 1), "{sql}");
        rows[0][0].clone()
    }

    /// The server's major version.
    pub fn major(&self) -> u32 {
        self.value("SELECT (current_setting('server_version_num')::int / 10000)::text").parse().unwrap()
    }

    /// The first column of a query.
    pub fn column(&self, sql: &str) -> Vec<String> {
        self.rows(sql).into_iter().map(|row| row[0].clone()).collect()
    }

    /// A dump of the database, to check it independently of the program.
    pub fn dump(&self, arguments: &[&str]) -> String {
        // Next to the server, or on the PATH.
        let beside = server().binaries().folder().join("pg_dump");
        let program = if beside.is_file() { beside } else { PathBuf::from("pg_dump") };
        let output = std::process::Command::new(program).args(arguments).arg(&self.url).finish();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // Newer versions of pg_dump put a random key into their scripts.
        let text = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<_> = text.lines().filter(|line| !line.contains("restrict ")).collect();
        lines.join("\n")
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // The databases of a test's own server end with it.
        if self.name.starts_with("test_") && !std::thread::panicking() {
            admin().run(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
        }
    }
}
