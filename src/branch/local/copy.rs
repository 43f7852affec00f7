//! Creates and drops copies, with the fastest strategy that the server supports.

use std::time::Duration;

use tokio::time::Instant;

use super::mark::{self, Mark};
use super::source::Source;
use super::{Local, OwnDatabase};
use crate::branch::{Branch, BranchRequest, Deleted, Origin};
use crate::error::{Code, Failure};
use crate::ident::{Identifier, literal};
use crate::postgres::{Connection, ServerError};

/// How long to wait for a cancelled copy to end.
const CANCEL_LIMIT: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(100);

/// Errors that do not depend on the strategy (manual, appendix A).
const PERMANENT_ERRORS: &[&str] = &[
    "42501", // insufficient privilege
    "55006", // in use
    "53100", // disk full
    "57014", // cancelled or timed out
    "42P04", // duplicate database
    "3D000", // the source does not exist
];

/// The server's copy strategy (manual, CREATE DATABASE, "STRATEGY", and `file_copy_method`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CopyStrategy {
    /// Cloned files, which share unchanged blocks with the source.
    CloneFiles,
    /// Copied files.
    CopyFiles,
    /// Block by block through the write-ahead log.
    WriteAheadLog,
    /// Copied files, before PostgreSQL 15.
    Legacy,
}

impl CopyStrategy {
    /// The supported strategies, the fastest for a large database first.
    fn of(source: &Source) -> &'static [Self] {
        match (source.version, source.clones) {
            (..150_000, _) => &[Self::Legacy],
            (_, true) => &[Self::CloneFiles, Self::CopyFiles, Self::WriteAheadLog],
            (_, false) => &[Self::CopyFiles, Self::WriteAheadLog],
        }
    }

    /// The setting before the statement.
    fn setting(self) -> Option<&'static str> {
        match self {
            Self::CloneFiles => Some("SET file_copy_method = clone"),
            Self::CopyFiles | Self::WriteAheadLog | Self::Legacy => None,
        }
    }

    fn clause(self) -> &'static str {
        match self {
            Self::CloneFiles | Self::CopyFiles => " STRATEGY FILE_COPY",
            Self::WriteAheadLog => " STRATEGY WAL_LOG",
            Self::Legacy => "",
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::CloneFiles => "FILE_COPY, its files cloned",
            Self::CopyFiles => "FILE_COPY",
            Self::WriteAheadLog => "WAL_LOG",
            Self::Legacy => "copying its files",
        }
    }
}

impl Local {
    pub(super) async fn create_database(&self, request: &BranchRequest) -> Result<Branch, Failure> {
        let home = self.url.database();
        let parent = request.parent.as_deref().unwrap_or(home);
        let mut connection = self.connect_to_maintenance(parent).await?;
        // A repeated call finds the result of the first one.
        let all = self.own_databases(&mut connection, "true").await?;
        if let Some(done) = all.iter().find(|own| is_done(own, request)) {
            return Ok(done.mark.branch(done.oid, Origin::Created));
        }
        let source = Source::read(&mut connection, parent, &mark::temporary_pattern()).await?;
        let mark = Mark::new(request, home, parent, self.update_clock(source.now_us))?;
        let name = mark.database()?;
        // A branch name is unique for all parents. A copy under a temporary name belongs to its run.
        let is_previous = |own: &&OwnDatabase| {
            let is_named = own.mark.database().is_ok_and(|name| name == own.name);
            is_named && own.mark.home == home && own.mark.branch == request.name.as_str()
        };
        let previous_copies: Vec<_> = all.iter().filter(is_previous).collect();
        if previous_copies.iter().any(|previous| previous.name == source.name) {
            return Err(super::name_conflict(parent, "is the database to copy"));
        }
        if !previous_copies.iter().any(|previous| previous.name == name) {
            require_free_name(&mut connection, &name).await?;
        }
        source.wait_until_unused(&mut connection).await?;
        let privileges = source.privileges(&mut connection, &mark::temporary_name(request.run)?).await?;
        let settings = source.settings(&mut connection, &mark::temporary_name(request.run)?).await?;
        let copied = self.copy(&mut connection, &source, request).await?;
        let mut notes = vec![copied];
        notes.extend(source.notes());
        let temporary_name = mark::temporary_name(request.run)?;
        let mut first =
            vec![format!("COMMENT ON DATABASE {} IS {}", temporary_name.quoted(), literal(&mark.comment()?))];
        first.extend(privileges);
        let action = format!("marking the copy for the branch {}", request.name);
        let marked = connection.run(&format!("BEGIN; {}; COMMIT", first.join("; "))).await;
        marked.map_err(|server_error| server_error.failure(&action))?;
        for (what, sql) in settings {
            if let Err(server_error) = connection.run(&sql).await {
                let why = server_error.failure(&format!("the copy does not have the setting {what}"));
                notes.push(why.to_string());
            }
        }
        let origin = if previous_copies.is_empty() { Origin::Created } else { Origin::Reset };
        for previous in previous_copies {
            drop(&mut connection, &previous.name).await?;
        }
        let (temporary_name, name) = (temporary_name.quoted(), name.quoted());
        let sql = format!(
            "BEGIN; ALTER DATABASE {temporary_name} ALLOW_CONNECTIONS true; ALTER DATABASE {temporary_name} RENAME TO {name}; COMMIT"
        );
        connection.run(&sql).await.map_err(|server_error| server_error.failure(&action))?;
        let created =
            self.own_databases(&mut connection, "true").await?.into_iter().find(|own| is_done(own, request));
        connection.close().await;
        let missing = || {
            Failure::new(Code::BranchNotReady, format!("the branch {} does not exist any more", request.name))
        };
        Ok(Branch {
            notes,
            ..created.map(|created| created.mark.branch(created.oid, origin)).ok_or_else(missing)?
        })
    }

    /// Copies the source under the temporary name; returns a note about the copy.
    async fn copy(
        &self,
        connection: &mut Connection,
        source: &Source,
        request: &BranchRequest,
    ) -> Result<String, Failure> {
        let action = format!("copying database {:?}", source.name.as_str());
        // SET, not SET LOCAL, since the copy cannot run in a transaction; the session ends with this call. The
        // server stops the copy when the client is gone.
        let timeout = self.copy_within.as_millis();
        let limits =
            connection.run(&format!("SET statement_timeout = {timeout}; SET lock_timeout = 0")).await;
        limits.map_err(|server_error| server_error.failure(&action))?;
        // Not supported on every operating system.
        let _may_fail = connection.run("SET client_connection_check_interval = '1s'").await;
        let owner =
            source.owner.as_ref().map(|owner| format!(" OWNER {}", owner.quoted())).unwrap_or_default();
        let begin = format!(
            "CREATE DATABASE {} TEMPLATE {}{owner}",
            mark::temporary_name(request.run)?.quoted(),
            source.name.quoted()
        );
        let mut strategies = CopyStrategy::of(source).iter().copied().peekable();
        while let Some(strategy) = strategies.next() {
            let started = Instant::now();
            let sql = format!("{begin}{} ALLOW_CONNECTIONS false", strategy.clause());
            let prepared = match strategy.setting() {
                Some(setting) => connection.run(setting).await,
                None => Ok(()),
            };
            let copied = match prepared {
                Ok(()) => connection.run(&sql).await,
                Err(server_error) => Err(server_error),
            };
            let Err(server_error) = copied else {
                return Ok(format!(
                    "copied {:?} ({}) in {:.1} s by {}",
                    source.name.as_str(),
                    size(source.bytes),
                    started.elapsed().as_secs_f64(),
                    strategy.as_str()
                ));
            };
            let is_final = server_error.sqlstate().is_none_or(|state| PERMANENT_ERRORS.contains(&state));
            if is_final || strategies.peek().is_none() {
                return Err(self.copy_failure(connection, source, &server_error, &action).await);
            }
            if strategy == CopyStrategy::CloneFiles {
                let reset = connection.run("RESET file_copy_method").await;
                reset.map_err(|server_error| server_error.failure(&action))?;
            }
        }
        Err(Failure::new(Code::BranchRefused, action))
    }

    async fn copy_failure(
        &self,
        connection: &mut Connection,
        source: &Source,
        server_error: &ServerError,
        action: &str,
    ) -> Failure {
        let mut failure = server_error.failure(action);
        match server_error.sqlstate() {
            // A session connected after the check; the server waited for it.
            Some("55006") => match source.in_use(connection).await {
                Ok(Some(in_use)) => return Failure { sqlstate: failure.sqlstate, ..in_use },
                _ => failure.code = Code::BranchInUse,
            },
            Some("53100") => {
                failure.code = Code::BranchCapacity;
                failure.hint = Some(
                    "free space on the server's disk, or delete branches: \
                     `tenure branch gc --provider local --prefix tenure/ --older-than 1d`"
                        .to_owned(),
                );
            }
            Some("57014") => {
                failure.code = Code::BranchNotReady;
                failure.hint = Some(
                    "raise `ready_timeout` under [branch] in tenure.toml, the limit for a copy".to_owned(),
                );
            }
            Some("42501") | None => {}
            Some(_) => failure.code = Code::BranchRefused,
        }
        failure
    }

    /// Deletes what was created for this request, including a copy in progress.
    pub(super) async fn delete_created(&self, request: &BranchRequest) -> Result<Deleted, Failure> {
        let mut connection = self.connect().await?;
        let temporary_name = mark::temporary_name(request.run)?;
        let action = format!("deleting what was created for the branch {}", request.name);
        // Only the statement with this run's id, which belongs to this run.
        let cancel = format!(
            "SELECT pg_catalog.pg_cancel_backend(pid) FROM pg_catalog.pg_stat_activity WHERE state = 'active' \
             AND usename = current_user AND pid <> pg_catalog.pg_backend_pid() AND strpos(query, {}) > 0",
            literal(&format!("CREATE DATABASE {}", temporary_name.quoted())),
        );
        let started = Instant::now();
        loop {
            let sets = connection
                .query_batch(&cancel)
                .await
                .map_err(|server_error| server_error.failure(&action))?;
            if sets.first().is_none_or(Vec::is_empty) || started.elapsed() >= CANCEL_LIMIT {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        let mut deleted = Deleted::Missing;
        let run = request.run.to_string();
        let all = self.own_databases(&mut connection, "true").await?;
        for own in all.iter().filter(|own| own.mark.run == run && own.is_branch()) {
            deleted = drop(&mut connection, &own.name).await?;
        }
        // A copy without a mark has the run's id in its name.
        if drop(&mut connection, &temporary_name).await? == Deleted::Now {
            deleted = Deleted::Now;
        }
        connection.close().await;
        Ok(deleted)
    }
}

/// Whether it is the complete result of this request.
fn is_done(own: &OwnDatabase, request: &BranchRequest) -> bool {
    let is_named = own.mark.database().is_ok_and(|name| name == own.name);
    own.mark.run == request.run.to_string() && is_named
}

/// Fails if a database with this name exists.
async fn require_free_name(connection: &mut Connection, name: &Identifier) -> Result<(), Failure> {
    let sql = format!("SELECT oid FROM pg_catalog.pg_database WHERE datname = {}", literal(name.as_str()));
    let sets = connection
        .query_batch(&sql)
        .await
        .map_err(|server_error| server_error.failure("finding the branch's database"))?;
    if sets.first().is_none_or(Vec::is_empty) {
        return Ok(());
    }
    let message =
        format!("the database {:?} exists and was not created by Tenure: it is not changed", name.as_str());
    Err(Failure::new(Code::BranchExists, message).hint("choose another name"))
}

/// Drops a database and ends its sessions. A missing database is a success.
pub(super) async fn drop(connection: &mut Connection, name: &Identifier) -> Result<Deleted, Failure> {
    match connection.run(&format!("DROP DATABASE {} WITH (FORCE)", name.quoted())).await {
        Ok(()) => Ok(Deleted::Now),
        Err(server_error) if server_error.sqlstate() == Some("3D000") => Ok(Deleted::Missing),
        Err(server_error) => {
            let mut failure = server_error.failure(&format!("dropping database {:?}", name.as_str()));
            if failure.code == Code::StatementFailed {
                failure.code = Code::BranchRefused;
            }
            Err(failure)
        }
    }
}

/// Formats a size as `12 MB`.
fn size(bytes: i64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let (mut size, mut unit) = (bytes, 0);
    while size >= 10_000 && unit + 1 < UNITS.len() {
        size /= 1024;
        unit += 1;
    }
    format!("{size} {}", UNITS[unit])
}
