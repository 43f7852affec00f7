//! Making the copy, by the quickest way that the server takes, and taking one away.

use std::time::Duration;

use tokio::time::Instant;

use super::mark::{self, Mark};
use super::source::Source;
use super::{Local, Ours};
use crate::branch::{Branch, Deleted, Origin, Wanted};
use crate::error::{Code, Failure};
use crate::ident::{Identifier, literal};
use crate::postgres::{Connection, ServerError};

/// How long a copy that was given up may go on.
const GIVING_UP: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(100);

/// Refusals that another way to copy would meet too (manual, appendix A).
const FOR_GOOD: &[&str] = &[
    "42501", // no right
    "55006", // in use
    "53100", // the disk is full
    "57014", // cancelled, or too late
    "42P04", // a database of that name is there
    "3D000", // the source is not
];

/// How the server copies (manual, CREATE DATABASE, "STRATEGY", and `file_copy_method`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CopyStrategy {
    /// Its files, which share their blocks with the source until one of both changes them.
    Clones,
    /// Its files.
    Files,
    /// Block by block through the write-ahead log.
    Log,
    /// As servers before 15 do: its files.
    Old,
}

impl CopyStrategy {
    /// Those that a server has, the quickest for a database of some size first.
    fn of(source: &Source) -> &'static [Self] {
        match (source.version, source.clones) {
            (..150_000, _) => &[Self::Old],
            (_, true) => &[Self::Clones, Self::Files, Self::Log],
            (_, false) => &[Self::Files, Self::Log],
        }
    }

    /// What is set before.
    fn setting(self) -> Option<&'static str> {
        match self {
            Self::Clones => Some("SET file_copy_method = clone"),
            Self::Files | Self::Log | Self::Old => None,
        }
    }

    fn strategy(self) -> &'static str {
        match self {
            Self::Clones | Self::Files => " STRATEGY FILE_COPY",
            Self::Log => " STRATEGY WAL_LOG",
            Self::Old => "",
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Clones => "FILE_COPY, its files cloned",
            Self::Files => "FILE_COPY",
            Self::Log => "WAL_LOG",
            Self::Old => "copying its files",
        }
    }
}

impl Local {
    pub(super) async fn make(&self, wanted: &Wanted) -> Result<Branch, Failure> {
        let home = self.url.database();
        let parent = wanted.parent.as_deref().unwrap_or(home);
        let mut connection = self.connect_beside(parent).await?;
        // A second call finds what the first one did.
        let all = self.ours(&mut connection, "true").await?;
        if let Some(done) = all.iter().find(|ours| is_done(ours, wanted)) {
            return Ok(done.mark.branch(done.oid, Origin::Created));
        }
        let source = Source::look(&mut connection, parent, &mark::all_making()).await?;
        let mark = Mark::new(wanted, home, parent, self.learn(source.now_us))?;
        let name = mark.database()?;
        // Whatever it was a copy of, a name is one branch. One that another run is just making is that run's.
        let is_former = |ours: &&Ours| {
            let is_named = ours.mark.database().is_ok_and(|name| name == ours.name);
            is_named && ours.mark.home == home && ours.mark.branch == wanted.name.as_str()
        };
        let formers: Vec<_> = all.iter().filter(is_former).collect();
        if formers.iter().any(|former| former.name == source.name) {
            return Err(super::foreign(parent, "is what is to be copied"));
        }
        if !formers.iter().any(|former| former.name == name) {
            nobody_elses(&mut connection, &name).await?;
        }
        source.is_quiet(&mut connection).await?;
        let rights = source.rights(&mut connection, &mark::making(wanted.run)?).await?;
        let settings = source.settings(&mut connection, &mark::making(wanted.run)?).await?;
        let copied = self.copy(&mut connection, &source, wanted).await?;
        let mut notes = vec![copied];
        notes.extend(source.notes());
        let making = mark::making(wanted.run)?;
        let mut first =
            vec![format!("COMMENT ON DATABASE {} IS {}", making.quoted(), literal(&mark.comment()?))];
        first.extend(rights);
        let doing = format!("marking the copy for the branch {}", wanted.name);
        let marked = connection.run(&format!("BEGIN; {}; COMMIT", first.join("; "))).await;
        marked.map_err(|server_error| server_error.failure(&doing))?;
        for (what, sql) in settings {
            if let Err(server_error) = connection.run(&sql).await {
                let why = server_error.failure(&format!("the copy does not have the setting {what}"));
                notes.push(why.to_string());
            }
        }
        let origin = if formers.is_empty() { Origin::Created } else { Origin::Reset };
        for former in formers {
            drop(&mut connection, &former.name).await?;
        }
        let (making, name) = (making.quoted(), name.quoted());
        let sql = format!(
            "BEGIN; ALTER DATABASE {making} ALLOW_CONNECTIONS true; ALTER DATABASE {making} RENAME TO {name}; COMMIT"
        );
        connection.run(&sql).await.map_err(|server_error| server_error.failure(&doing))?;
        let made = self.ours(&mut connection, "true").await?.into_iter().find(|ours| is_done(ours, wanted));
        connection.close().await;
        let gone = || Failure::new(Code::BranchNotReady, format!("the branch {} is gone again", wanted.name));
        Ok(Branch { notes, ..made.map(|made| made.mark.branch(made.oid, origin)).ok_or_else(gone)? })
    }

    /// Copies the source under the name of what is being made; says how that went.
    async fn copy(
        &self,
        connection: &mut Connection,
        source: &Source,
        wanted: &Wanted,
    ) -> Result<String, Failure> {
        let doing = format!("copying database {:?}", source.name.as_str());
        // No copy in a transaction, so no SET LOCAL; this session ends with this call. Who has gone away waits for nothing.
        let within = self.copy_within.as_millis();
        let limits = connection.run(&format!("SET statement_timeout = {within}; SET lock_timeout = 0")).await;
        limits.map_err(|server_error| server_error.failure(&doing))?;
        // Not every system can tell.
        let _may_fail = connection.run("SET client_connection_check_interval = '1s'").await;
        let owner =
            source.owner.as_ref().map(|owner| format!(" OWNER {}", owner.quoted())).unwrap_or_default();
        let begin = format!(
            "CREATE DATABASE {} TEMPLATE {}{owner}",
            mark::making(wanted.run)?.quoted(),
            source.name.quoted()
        );
        let mut ways = CopyStrategy::of(source).iter().copied().peekable();
        while let Some(way) = ways.next() {
            let started = Instant::now();
            let sql = format!("{begin}{} ALLOW_CONNECTIONS false", way.strategy());
            let prepared = match way.setting() {
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
                    way.as_str()
                ));
            };
            let is_final = server_error.sqlstate().is_none_or(|state| FOR_GOOD.contains(&state));
            if is_final || ways.peek().is_none() {
                return Err(self.refused(connection, source, &server_error, &doing).await);
            }
            if way == CopyStrategy::Clones {
                let reset = connection.run("RESET file_copy_method").await;
                reset.map_err(|server_error| server_error.failure(&doing))?;
            }
        }
        Err(Failure::new(Code::BranchRefused, doing))
    }

    async fn refused(
        &self,
        connection: &mut Connection,
        source: &Source,
        server_error: &ServerError,
        doing: &str,
    ) -> Failure {
        let mut failure = server_error.failure(doing);
        match server_error.sqlstate() {
            // Somebody came between our look and the copy; the server waited for them.
            Some("55006") => match source.in_use(connection).await {
                Ok(Some(in_use)) => return Failure { sqlstate: failure.sqlstate, ..in_use },
                _ => failure.code = Code::BranchInUse,
            },
            Some("53100") => {
                failure.code = Code::BranchCapacity;
                failure.hint = Some(
                    "make room on the server's disk, or drop branches: \
                     `tenure branch gc --provider local --prefix tenure/ --older-than 1d`"
                        .to_owned(),
                );
            }
            Some("57014") => {
                failure.code = Code::BranchNotReady;
                failure.hint = Some(
                    "`ready_timeout` of `[branch]` in tenure.toml says how long a copy may take".to_owned(),
                );
            }
            Some("42501") | None => {}
            Some(_) => failure.code = Code::BranchRefused,
        }
        failure
    }

    /// Takes back what was made for exactly this, also what is being made just now.
    pub(super) async fn take_back(&self, wanted: &Wanted) -> Result<Deleted, Failure> {
        let mut connection = self.connect().await?;
        let making = mark::making(wanted.run)?;
        let doing = format!("taking back what was made for the branch {}", wanted.name);
        // Only the statement that holds this run's nonce: it is ours, and nobody else waits for it.
        let cancel = format!(
            "SELECT pg_catalog.pg_cancel_backend(pid) FROM pg_catalog.pg_stat_activity WHERE state = 'active' \
             AND usename = current_user AND pid <> pg_catalog.pg_backend_pid() AND strpos(query, {}) > 0",
            literal(&format!("CREATE DATABASE {}", making.quoted())),
        );
        let started = Instant::now();
        loop {
            let sets =
                connection.query_batch(&cancel).await.map_err(|server_error| server_error.failure(&doing))?;
            if sets.first().is_none_or(Vec::is_empty) || started.elapsed() >= GIVING_UP {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        let mut deleted = Deleted::Gone;
        let run = wanted.run.to_string();
        let all = self.ours(&mut connection, "true").await?;
        for ours in all.iter().filter(|ours| ours.mark.run == run && ours.is_branch()) {
            deleted = drop(&mut connection, &ours.name).await?;
        }
        // One without a mark yet has the nonce in its name, which nobody else can know.
        if drop(&mut connection, &making).await? == Deleted::Now {
            deleted = Deleted::Now;
        }
        connection.close().await;
        Ok(deleted)
    }
}

/// Whether it is what was wanted, whole.
fn is_done(ours: &Ours, wanted: &Wanted) -> bool {
    let is_named = ours.mark.database().is_ok_and(|name| name == ours.name);
    ours.mark.run == wanted.run.to_string() && is_named
}

/// Makes sure that no database of others has the name.
async fn nobody_elses(connection: &mut Connection, name: &Identifier) -> Result<(), Failure> {
    let sql = format!("SELECT oid FROM pg_catalog.pg_database WHERE datname = {}", literal(name.as_str()));
    let sets = connection
        .query_batch(&sql)
        .await
        .map_err(|server_error| server_error.failure("looking for the branch's database"))?;
    if sets.first().is_none_or(Vec::is_empty) {
        return Ok(());
    }
    let message =
        format!("the database {:?} is there, and it was not made by Tenure: it is left alone", name.as_str());
    Err(Failure::new(Code::BranchExists, message).hint("choose another name"))
}

/// Drops a database, and with it the sessions that use it; one that is gone is a success.
pub(super) async fn drop(connection: &mut Connection, name: &Identifier) -> Result<Deleted, Failure> {
    match connection.run(&format!("DROP DATABASE {} WITH (FORCE)", name.quoted())).await {
        Ok(()) => Ok(Deleted::Now),
        Err(server_error) if server_error.sqlstate() == Some("3D000") => Ok(Deleted::Gone),
        Err(server_error) => {
            let mut failure = server_error.failure(&format!("dropping database {:?}", name.as_str()));
            if failure.code == Code::StatementFailed {
                failure.code = Code::BranchRefused;
            }
            Err(failure)
        }
    }
}

/// `12 MB`, as people say it.
fn size(bytes: i64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let (mut size, mut unit) = (bytes, 0);
    while size >= 10_000 && unit + 1 < UNITS.len() {
        size /= 1024;
        unit += 1;
    }
    format!("{size} {}", UNITS[unit])
}
