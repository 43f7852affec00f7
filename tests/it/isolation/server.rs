//! A server of a test's own, on which roles need their passwords.

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tenure::postgres::server::DATABASE;
use tokio::runtime::Builder;

use crate::support::{OwnServer, Project, wait_until};

/// The server, and the seeds' project on it.
pub struct PasswordServer {
    pub project: Project,
    // It ends behind the project.
    _server: OwnServer,
}

impl PasswordServer {
    /// Starts it. Everybody but the owner needs a password.
    pub fn start() -> Self {
        let server = OwnServer::start(&[]);
        let project = Project::seeds_in(server.database(DATABASE));
        project.db.run(super::NOT_FOR_ALL);
        project.db.run(
            "CREATE ROLE nobody LOGIN PASSWORD 'right'; \
             DO $$ BEGIN EXECUTE format('COPY (VALUES (%L), (%L)) TO %L', 'local all tenure trust', \
             'local all all scram-sha-256', current_setting('hba_file')); END $$; SELECT pg_reload_conf()::text",
        );
        let isolated = Self { project, _server: server };
        wait_until("passwords to count", || isolated.login("nobody", "wrong").is_err());
        assert!(isolated.login("nobody", "right").is_ok(), "a right password opens");
        isolated
    }

    /// Logs in.
    pub fn login(&self, role: &str, password: &str) -> Result<Login, String> {
        let url = self.project.db.url.replacen("://tenure@", &format!("://{role}:{password}@"), 1);
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        match runtime.block_on(PgConnection::connect(&url)) {
            Ok(connection) => Ok(Login { runtime, connection }),
            Err(error) => Err(told(&error)),
        }
    }
}

/// A session of a role that logged in.
pub struct Login {
    runtime: tokio::runtime::Runtime,
    connection: PgConnection,
}

impl Login {
    /// Runs SQL as one message; what is refused comes back.
    pub fn run(&mut self, sql: &str) -> Result<(), String> {
        let query = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        let ran = self.runtime.block_on(query.execute(&mut self.connection));
        ran.map(|_| ()).map_err(|error| told(&error))
    }

    /// Whether the server has ended the session, asked until it has or it is too late.
    pub fn is_ended(&mut self) -> bool {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(20) {
            if self.run("SELECT 1").is_err() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }
}

fn told(error: &sqlx::Error) -> String {
    match error.as_database_error() {
        Some(error) => format!("{} {}", error.code().unwrap_or_default(), error.message()),
        None => error.to_string(),
    }
}
