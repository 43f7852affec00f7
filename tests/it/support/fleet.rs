//! Fleets for tests: quick setup, queries that do not use the program, and sessions that block a unit.

use std::collections::HashMap;
use std::io::Write as _;
use std::process::Stdio;
use std::str::FromStr as _;
use std::sync::{Arc, LazyLock, Mutex, OnceLock};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};
use tokio::runtime::{Builder, Runtime};

use super::process::LIMIT;
use super::{Database, Output, Project, Running, is_pooled, within};

/// Waits for an event by polling.
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < LIMIT, "still waiting: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl Project {
    /// The seeds' project with the platform at its newest version and these tenants, as a copy of a database that is prepared
    /// once.
    pub fn with_tenants(slugs: &[&str]) -> Self {
        type Prepared = Mutex<HashMap<Vec<String>, Arc<OnceLock<Database>>>>;
        static PREPARED: LazyLock<Prepared> = LazyLock::new(Mutex::default);
        let key = slugs.iter().map(|slug| (*slug).to_owned()).collect();
        let prepared = Arc::clone(PREPARED.lock().unwrap().entry(key).or_default());
        let prepared = prepared.get_or_init(|| {
            let project = Self::seeds();
            let _migrated = project.run("migrate up").ok();
            project.create(slugs);
            if is_pooled() {
                project.db.end_other_sessions();
            }
            project.db.wait_for_silence();
            project.db
        });
        Self::seeds_in(Database::copy_of(prepared))
    }

    /// Creates tenants.
    pub fn create(&self, slugs: &[&str]) {
        let _created = self.run_with_input("tenant create --from -", &csv(slugs)).ok();
    }

    /// Drops the constraint on the tenants' versions, so that a test can insert an invalid one.
    pub fn drop_version_check(&self) {
        self.db.run("ALTER TABLE datalinx_platform.tenant_version DROP CONSTRAINT tenant_version_version");
    }

    /// Runs the program with text on stdin.
    pub fn run_with_input(&self, line: &str, input: &str) -> Output {
        let mut command = self.command(line.split_whitespace());
        let mut running =
            Running::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()));
        running.child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        running.end()
    }

    /// Starts the program without waiting for it.
    pub fn start(&self, line: &str) -> Running {
        Running::spawn(self.command(line.split_whitespace()))
    }

    /// All versions, from the tables: `platform 1.0.4, a 1.0.4, b 1.0.3`.
    pub fn versions(&self) -> String {
        self.db.value(
            "SELECT concat_ws(', ', 'platform ' || (SELECT version FROM datalinx_platform.schema_version), \
             (SELECT string_agg(regexp_replace(schema_name, '^org_', '') || ' ' || version, ', ' ORDER BY schema_name) \
              FROM datalinx_platform.tenant_version))",
        )
    }

    /// The history in order, one row per line: `org_a 1.0.2 -> 1.0.3 migrate`.
    pub fn history(&self) -> String {
        self.db
            .column(
                "SELECT concat_ws(' ', schema_name, from_version, '->', to_version, kind) \
                 FROM datalinx_platform.migration_history ORDER BY id",
            )
            .join("\n")
    }

    /// The units that are in the history more than once, which is an error.
    pub fn repeated_units(&self) -> Vec<String> {
        self.db.column(
            "SELECT schema_name || ' ' || to_version || ' ' || count(*) FROM datalinx_platform.migration_history \
             WHERE kind IN ('migrate', 'template') GROUP BY schema_name, to_version HAVING count(*) > 1",
        )
    }
}

/// A CSV for `tenant create --from`.
pub fn csv(slugs: &[&str]) -> String {
    format!("slug\n{}\n", slugs.join("\n"))
}

/// A session that stays open, such as one that holds a lock.
#[derive(Debug)]
pub struct Session {
    runtime: Runtime,
    connection: PgConnection,
}

impl Session {
    /// Opens a session.
    pub fn open(url: &str) -> Self {
        Self::try_open(url).unwrap()
    }

    /// Opens a session, or returns the error.
    pub fn try_open(url: &str) -> Result<Self, String> {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        // A pooler rejects that parameter.
        let options = PgConnectOptions::from_str(url).unwrap().extra_float_digits(None);
        let connection = runtime.block_on(within(url, PgConnection::connect_with(&options)));
        connection.map(|connection| Self { runtime, connection }).map_err(|error| error.to_string())
    }

    /// Opens a session that runs `sql` in a transaction and keeps its locks.
    pub fn holding(db: &Database, sql: &str) -> Self {
        let mut session = Self::open(&db.url);
        session.run(&format!("BEGIN; {sql}"));
        session
    }

    /// Runs SQL, as one message.
    pub fn run(&mut self, sql: &str) {
        let query = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        self.runtime.block_on(within(sql, self.connection.execute(query))).unwrap();
    }

    /// The value of a query with one row and one column.
    pub fn value(&mut self, sql: &str) -> String {
        let query = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        self.runtime.block_on(within(sql, self.connection.fetch_one(query))).unwrap().get(0)
    }

    /// Rolls back and closes the session.
    pub fn release(mut self) {
        self.run("ROLLBACK");
        self.runtime.block_on(self.connection.close()).unwrap();
    }
}

impl Database {
    /// The sessions that wait for a lock.
    pub fn waiting(&self) -> Vec<String> {
        self.column(
            "SELECT pid::text FROM pg_stat_activity \
             WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
    }

    /// Waits until `count` sessions wait for a lock. Returns their process ids.
    pub fn wait_for_waiting(&self, count: usize) -> Vec<String> {
        wait_until("sessions that wait for a lock", || self.waiting().len() >= count);
        self.waiting()
    }

    /// Waits until no other session is connected.
    pub fn wait_for_silence(&self) {
        // A pooler keeps idle sessions.
        let ended = if is_pooled() { " AND state <> 'idle'" } else { "" };
        let others = format!(
            "SELECT count(*)::text FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid(){ended}"
        );
        wait_until("the other sessions to end", || self.value(&others) == "0");
    }

    /// Ends the sessions that a pooler keeps open.
    fn end_other_sessions(&self) {
        let ends = "SELECT count(pg_terminate_backend(pid, 10000))::text FROM pg_stat_activity \
                    WHERE datname = current_database() AND pid <> pg_backend_pid()";
        self.run(ends);
    }

    /// A schema's definitions and data from `pg_dump`, with a placeholder for the schema's name.
    pub fn dump_of(&self, schema: &str) -> String {
        self.dump(&["--schema", schema, "--no-owner"]).replace(schema, "THE_SCHEMA")
    }
}
