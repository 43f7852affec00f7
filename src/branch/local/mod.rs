//! Branches on your own server: copies of a template database. The comment of a copy identifies it as Tenure's
//! and contains its expiry time; databases without it are not changed. Sessions of the source are not ended.
//!
//! CREATE DATABASE cannot run in a transaction, and its result is not visible before it is complete. So a copy
//! is created closed to connections under a temporary name with the run's id. Then it gets its comment and
//! privileges, and its name last.

mod copy;
mod mark;
mod source;

use std::cell::Cell;
use std::time::Duration;

use time::OffsetDateTime;

use self::mark::Mark;
use super::{
    Branch, BranchId, BranchName, BranchRequest, Content, Deleted, Kind, Origin, Provider, Urls, with_timeout,
};
use crate::error::{Code, Failure};
use crate::ident::{Identifier, literal};
use crate::postgres::{ConnectPolicy, Connection, DatabaseUrl};
use crate::settings::Settings;

/// The limit for reading the catalog or dropping a branch.
const LIMIT: Duration = Duration::from_mins(1);

/// The database that initdb creates.
const MAINTENANCE_DATABASE: &str = "postgres";

/// The provider for your own server.
#[derive(Debug)]
pub struct Local {
    /// The URL of the database whose branches these are.
    url: DatabaseUrl,
    copy_within: Duration,
    connect_policy: ConnectPolicy,
    /// The difference of the server's clock to the local one.
    clock_offset: Cell<time::Duration>,
}

/// A database with Tenure's mark.
struct OwnDatabase {
    oid: i64,
    name: Identifier,
    mark: Mark,
}

impl OwnDatabase {
    /// Whether it still has a generated name; otherwise it belongs to the user.
    fn is_branch(&self) -> bool {
        self.mark.generated(&self.name)
    }
}

impl Local {
    /// The server of the database at `url`, the default to copy. The URL must not lead through a transaction
    /// pooler, whose sessions would prevent the copy.
    pub fn new(url: DatabaseUrl, settings: &Settings, connect_policy: ConnectPolicy) -> Self {
        let copy_within = settings.branch.ready_timeout.duration();
        Self { url, copy_within, connect_policy, clock_offset: Cell::new(time::Duration::ZERO) }
    }

    async fn connect(&self) -> Result<Connection, Failure> {
        self.connect_to_maintenance(self.url.database()).await
    }

    /// Connects to another database than `copied` if possible, since a session in it would prevent other
    /// copies.
    async fn connect_to_maintenance(&self, copied: &str) -> Result<Connection, Failure> {
        let beside = self.url.with_database(MAINTENANCE_DATABASE);
        let first = if copied == MAINTENANCE_DATABASE { &self.url } else { &beside };
        let mut connection = match Connection::connect_with_retry(first, self.connect_policy, |_| {}).await {
            // It may not exist, or not be open to this role.
            Err(failure) if failure.sqlstate.is_some() && copied != MAINTENANCE_DATABASE => {
                Connection::connect_with_retry(&self.url, self.connect_policy, |_| {}).await?
            }
            connection => connection?,
        };
        connection.require_session("a local branch")?;
        // The database may be read-only by default; creating and dropping another one does not write to it.
        let set = connection.run("SET default_transaction_read_only = off").await;
        set.map_err(|server_error| server_error.failure("starting a session for local branches"))?;
        Ok(connection)
    }

    /// The databases with Tenure's mark that fulfil `condition`. Also reads the server's clock.
    async fn own_databases(
        &self,
        connection: &mut Connection,
        condition: &str,
    ) -> Result<Vec<OwnDatabase>, Failure> {
        let sql = format!(
            "SELECT d.oid::int8 AS oid, datname::text AS name, s.description AS comment \
             FROM pg_catalog.pg_database d JOIN pg_catalog.pg_shdescription s \
             ON s.objoid = d.oid AND s.classoid = 'pg_catalog.pg_database'::pg_catalog.regclass \
             WHERE {condition} ORDER BY d.oid; \
             SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8 AS now_us"
        );
        let action = "reading the local branches";
        let sets = connection.query_batch(&sql).await.map_err(|server_error| server_error.failure(action))?;
        let [rows, clock] = sets.as_slice() else { return Err(source::unexpected_result(action)) };
        self.update_clock(clock.first().ok_or_else(|| source::unexpected_result(action))?.integer("now_us")?);
        let mut all = Vec::new();
        for row in rows {
            if let Some(mark) = Mark::read(&row.text("comment")?) {
                all.push(OwnDatabase {
                    oid: row.integer("oid")?,
                    name: Identifier::new(row.text("name")?)?,
                    mark,
                });
            }
        }
        Ok(all)
    }

    fn update_clock(&self, now_us: i64) -> OffsetDateTime {
        let now = OffsetDateTime::UNIX_EPOCH + time::Duration::microseconds(now_us);
        self.clock_offset.set(now - OffsetDateTime::now_utc());
        now
    }

    /// The database of a branch, if it exists and is Tenure's.
    async fn database(
        &self,
        connection: &mut Connection,
        id: &BranchId,
    ) -> Result<Option<OwnDatabase>, Failure> {
        let Ok(oid) = id.0.parse::<u32>() else { return Ok(None) };
        Ok(self.own_databases(connection, &format!("d.oid = {oid}")).await?.pop())
    }

    async fn find_by_name(&self, name: &BranchName) -> Result<Option<Branch>, Failure> {
        let mut connection = self.connect().await?;
        let all = self.own_databases(&mut connection, "true").await?;
        let (branches, renamed): (Vec<_>, Vec<_>) = all.iter().partition(|own| own.is_branch());
        let is_meant = |own: &OwnDatabase| own.mark.home == self.url.database();
        let own = branches.iter().copied().filter(|own| is_meant(own));
        let named = own.clone().find(|own| own.mark.branch == name.as_str());
        // The URL contains the database's name.
        let named = named.or_else(|| own.clone().find(|own| own.name.as_str() == name.as_str()));
        let answer = match named {
            Some(own) => Ok(Some(own.mark.branch(own.oid, Origin::Found))),
            None if branches.iter().any(|other| other.name.as_str() == name.as_str()) => {
                Err(name_conflict(name.as_str(), "is a branch of another database"))
            }
            None if let Some(other) =
                renamed.iter().find(|other| is_meant(other) && other.mark.branch == name.as_str()) =>
            {
                Err(name_conflict(other.name.as_str(), RENAMED))
            }
            None => {
                let sql = format!(
                    "SELECT count(*)::int8 AS there FROM pg_catalog.pg_database WHERE datname = {}",
                    literal(name.as_str())
                );
                let action = "finding a database of that name";
                let sets = connection
                    .query_batch(&sql)
                    .await
                    .map_err(|server_error| server_error.failure(action))?;
                match sets
                    .first()
                    .and_then(|rows| rows.first())
                    .map(|row| row.integer("there"))
                    .transpose()?
                {
                    Some(1..) => Err(name_conflict(name.as_str(), "was not created by Tenure")),
                    _ => Ok(None),
                }
            }
        };
        connection.close().await;
        answer
    }

    async fn delete_checked(&self, id: &BranchId) -> Result<Deleted, Failure> {
        let mut connection = self.connect().await?;
        let deleted = match self.database(&mut connection, id).await? {
            None => Ok(Deleted::Missing),
            Some(own) if !own.is_branch() => Err(name_conflict(own.name.as_str(), RENAMED)),
            Some(own) => copy::drop(&mut connection, &own.name).await,
        };
        connection.close().await;
        deleted
    }
}

/// Why a renamed copy is not changed.
const RENAMED: &str = "was renamed since Tenure created it";

/// The failure for an existing database that is not changed.
fn name_conflict(name: &str, why: &str) -> Failure {
    Failure::new(Code::BranchExists, format!("the database {name} exists and {why}: it is not changed"))
        .hint("choose another name")
}

impl Provider for Local {
    fn kind(&self) -> Kind {
        Kind::Local
    }

    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc() + self.clock_offset.get()
    }

    fn detached(&self) -> Self {
        Self {
            url: self.url.clone(),
            copy_within: self.copy_within,
            connect_policy: self.connect_policy,
            clock_offset: self.clock_offset.clone(),
        }
    }

    async fn create(&self, request: &BranchRequest) -> Result<Branch, Failure> {
        if request.content == Content::Schema {
            return Err(Failure::new(Code::Usage, "a local branch always has all rows of its parent")
                .hint("omit --schema-only, or copy a database with fewer rows (--parent)"));
        }
        let action = format!("copying a database for the branch {}", request.name);
        // The statement timeout ends the copy first; this is for a server that does not answer.
        with_timeout(self.copy_within + LIMIT, &action, self.create_database(request)).await
    }

    async fn ready(&self, branch: &Branch) -> Result<(), Failure> {
        let action = format!("connecting to the branch {}", branch.name);
        let work = async {
            let url = self.urls(branch).await?.direct;
            let mut connection = Connection::connect_with_retry(&url, self.connect_policy, |_| {}).await?;
            let here = self.own_databases(&mut connection, "datname = current_database()").await?.pop();
            connection.close().await;
            match here {
                Some(here)
                    if here.oid.to_string() == branch.id.0 && Some(&here.mark.run) == branch.run.as_ref() =>
                {
                    Ok(())
                }
                _ => Err(Failure::new(
                    Code::BranchTarget,
                    format!("the server is not the branch {} that was created", branch.name),
                )
                .hint("another run may have recreated it: run the command again")),
            }
        };
        with_timeout(LIMIT, &action, work).await
    }

    async fn urls(&self, branch: &Branch) -> Result<Urls, Failure> {
        let action = format!("finding the branch {}", branch.name);
        let work = async {
            let mut connection = self.connect().await?;
            let own = self.database(&mut connection, &branch.id).await?;
            connection.close().await;
            let missing = || {
                Failure::new(
                    Code::BranchNotFound,
                    format!("the branch {} does not exist any more", branch.name),
                )
            };
            Ok(Urls { direct: self.url.with_database(own.ok_or_else(missing)?.name.as_str()), pooled: None })
        };
        with_timeout(LIMIT, &action, work).await
    }

    async fn list(&self) -> Result<Vec<Branch>, Failure> {
        let work = async {
            let mut connection = self.connect().await?;
            let own = self.own_databases(&mut connection, "true").await?;
            connection.close().await;
            let here = own.iter().filter(|own| own.mark.home == self.url.database() && own.is_branch());
            Ok(here.map(|own| own.mark.branch(own.oid, Origin::Found)).collect())
        };
        with_timeout(LIMIT, "listing the local branches", work).await
    }

    async fn find(&self, name: &BranchName) -> Result<Option<Branch>, Failure> {
        with_timeout(LIMIT, &format!("finding the branch {name}"), self.find_by_name(name)).await
    }

    async fn is_unchanged(&self, branch: &Branch) -> Result<bool, Failure> {
        let work = async {
            let mut connection = self.connect().await?;
            let own = self.database(&mut connection, &branch.id).await?;
            connection.close().await;
            Ok(own.is_some_and(|own| Some(&own.mark.run) == branch.run.as_ref()))
        };
        with_timeout(LIMIT, &format!("finding the branch {}", branch.name), work).await
    }

    async fn delete(&self, branch: &BranchId) -> Result<Deleted, Failure> {
        with_timeout(LIMIT, "dropping the database of a branch", self.delete_checked(branch)).await
    }

    async fn cleanup(&self, request: &BranchRequest) -> Result<Deleted, Failure> {
        let action = format!("dropping what was created for the branch {}", request.name);
        with_timeout(LIMIT, &action, self.delete_created(request)).await
    }
}
