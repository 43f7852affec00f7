//! Branches on a server of one's own: a database made from another one as its template. Its comment says that it is
//! ours, whose, and until when; nothing without that comment is touched. Nobody's session with the source is ended.
//!
//! The server copies in no transaction, and says nothing of the copy before it is whole. So a copy is made under a
//! name that holds the run's nonce, closed to everybody, then gets its comment and rights, and only then its name.

mod copy;
mod mark;
mod source;

use std::cell::Cell;
use std::time::Duration;

use time::OffsetDateTime;

use self::mark::Mark;
use super::{Branch, BranchId, BranchName, Content, Deleted, Kind, Origin, Provider, Urls, Wanted, within};
use crate::error::{Code, Failure};
use crate::ident::{Identifier, literal};
use crate::postgres::{ConnectPolicy, Connection, DatabaseUrl};
use crate::settings::Settings;

/// How long a look at the server, or dropping a database of ours, may take.
const LIMIT: Duration = Duration::from_mins(1);

/// The database that every server has from its beginning, for who needs any one.
const BESIDE: &str = "postgres";

/// A server that one owns.
#[derive(Debug)]
pub struct Local {
    /// To the database whose branches these are.
    url: DatabaseUrl,
    copy_within: Duration,
    connect_policy: ConnectPolicy,
    /// How far the server's clock is ahead of ours.
    ahead: Cell<time::Duration>,
}

/// A database that carries our mark.
struct Ours {
    oid: i64,
    name: Identifier,
    mark: Mark,
}

impl Ours {
    /// Whether it still has a name that we gave it; another one makes it somebody else's.
    fn is_branch(&self) -> bool {
        self.mark.gave(&self.name)
    }
}

impl Local {
    /// The server of the database at `url`, which is what is copied where nobody says otherwise. It must lead there
    /// without a transaction pooler, whose own sessions would keep the server from copying. `connect_policy` is how patiently it is
    /// connected to.
    pub fn new(url: DatabaseUrl, settings: &Settings, connect_policy: ConnectPolicy) -> Self {
        let copy_within = settings.branch.ready_timeout.duration();
        Self { url, copy_within, connect_policy, ahead: Cell::new(time::Duration::ZERO) }
    }

    async fn connect(&self) -> Result<Connection, Failure> {
        self.connect_beside(self.url.database()).await
    }

    /// Connects to the server, not to the database `copied` where that can be: a session of ours there would keep others from
    /// copying it too.
    async fn connect_beside(&self, copied: &str) -> Result<Connection, Failure> {
        let beside = self.url.with_database(BESIDE);
        let first = if copied == BESIDE { &self.url } else { &beside };
        let mut connection = match Connection::connect_with_retry(first, self.connect_policy, |_| {}).await {
            // It may be gone, or closed to this role.
            Err(failure) if failure.sqlstate.is_some() && copied != BESIDE => {
                Connection::connect_with_retry(&self.url, self.connect_policy, |_| {}).await?
            }
            connection => connection?,
        };
        connection.needs_a_session("a local branch")?;
        // The database may be closed to writes by default; making and dropping another one is no write to it.
        let set = connection.run("SET default_transaction_read_only = off").await;
        set.map_err(|server_error| server_error.failure("beginning a session for local branches"))?;
        Ok(connection)
    }

    /// The databases that carry our mark and fulfil `condition`, and the server's time.
    async fn ours(&self, connection: &mut Connection, condition: &str) -> Result<Vec<Ours>, Failure> {
        let sql = format!(
            "SELECT d.oid::int8 AS oid, datname::text AS name, s.description AS comment \
             FROM pg_catalog.pg_database d JOIN pg_catalog.pg_shdescription s \
             ON s.objoid = d.oid AND s.classoid = 'pg_catalog.pg_database'::pg_catalog.regclass \
             WHERE {condition} ORDER BY d.oid; \
             SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8 AS now_us"
        );
        let doing = "looking for local branches";
        let sets = connection.query_batch(&sql).await.map_err(|server_error| server_error.failure(doing))?;
        let [rows, clock] = sets.as_slice() else { return Err(source::odd(doing)) };
        self.learn(clock.first().ok_or_else(|| source::odd(doing))?.integer("now_us")?);
        let mut all = Vec::new();
        for row in rows {
            if let Some(mark) = Mark::read(&row.text("comment")?) {
                all.push(Ours { oid: row.integer("oid")?, name: Identifier::new(row.text("name")?)?, mark });
            }
        }
        Ok(all)
    }

    fn learn(&self, now_us: i64) -> OffsetDateTime {
        let now = OffsetDateTime::UNIX_EPOCH + time::Duration::microseconds(now_us);
        self.ahead.set(now - OffsetDateTime::now_utc());
        now
    }

    /// The database that a branch is, if it is there and ours.
    async fn database(&self, connection: &mut Connection, id: &BranchId) -> Result<Option<Ours>, Failure> {
        let Ok(oid) = id.0.parse::<u32>() else { return Ok(None) };
        Ok(self.ours(connection, &format!("d.oid = {oid}")).await?.pop())
    }

    async fn found(&self, name: &BranchName) -> Result<Option<Branch>, Failure> {
        let mut connection = self.connect().await?;
        let all = self.ours(&mut connection, "true").await?;
        let (branches, renamed): (Vec<_>, Vec<_>) = all.iter().partition(|ours| ours.is_branch());
        let is_meant = |ours: &Ours| ours.mark.home == self.url.database();
        let ours = branches.iter().copied().filter(|ours| is_meant(ours));
        let named = ours.clone().find(|ours| ours.mark.branch == name.as_str());
        // The URL shows how the database is called.
        let named = named.or_else(|| ours.clone().find(|ours| ours.name.as_str() == name.as_str()));
        let answer = match named {
            Some(ours) => Ok(Some(ours.mark.branch(ours.oid, Origin::Found))),
            None if branches.iter().any(|other| other.name.as_str() == name.as_str()) => {
                Err(foreign(name.as_str(), "is a branch of another database"))
            }
            None if let Some(other) =
                renamed.iter().find(|other| is_meant(other) && other.mark.branch == name.as_str()) =>
            {
                Err(foreign(other.name.as_str(), RENAMED))
            }
            None => {
                let sql = format!(
                    "SELECT count(*)::int8 AS there FROM pg_catalog.pg_database WHERE datname = {}",
                    literal(name.as_str())
                );
                let doing = "looking for a database of that name";
                let sets =
                    connection.query_batch(&sql).await.map_err(|server_error| server_error.failure(doing))?;
                match sets
                    .first()
                    .and_then(|rows| rows.first())
                    .map(|row| row.integer("there"))
                    .transpose()?
                {
                    Some(1..) => Err(foreign(name.as_str(), "was not made by Tenure")),
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
            None => Ok(Deleted::Gone),
            Some(ours) if !ours.is_branch() => Err(foreign(ours.name.as_str(), RENAMED)),
            Some(ours) => copy::drop(&mut connection, &ours.name).await,
        };
        connection.close().await;
        deleted
    }
}

/// Why a copy is left alone that people took over.
const RENAMED: &str = "was renamed since Tenure made it";

/// What is there and not ours to touch.
fn foreign(name: &str, why: &str) -> Failure {
    Failure::new(Code::BranchExists, format!("the database {name} is there, and it {why}: it is left alone"))
        .hint("choose another name")
}

impl Provider for Local {
    fn kind(&self) -> Kind {
        Kind::Local
    }

    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc() + self.ahead.get()
    }

    fn apart(&self) -> Self {
        Self {
            url: self.url.clone(),
            copy_within: self.copy_within,
            connect_policy: self.connect_policy,
            ahead: self.ahead.clone(),
        }
    }

    async fn create(&self, wanted: &Wanted) -> Result<Branch, Failure> {
        if wanted.content == Content::Schema {
            return Err(Failure::new(Code::Usage, "a local branch has all rows of what it is a copy of")
                .hint("leave out --schema-only, or copy a database with fewer rows (--parent)"));
        }
        let doing = format!("copying a database for the branch {}", wanted.name);
        // The server itself gives the copy up in time; this is for one that does not.
        within(self.copy_within + LIMIT, &doing, self.make(wanted)).await
    }

    async fn ready(&self, branch: &Branch) -> Result<(), Failure> {
        let doing = format!("connecting to the branch {}", branch.name);
        let work = async {
            let url = self.urls(branch).await?.direct;
            let mut connection = Connection::connect_with_retry(&url, self.connect_policy, |_| {}).await?;
            let here = self.ours(&mut connection, "datname = current_database()").await?.pop();
            connection.close().await;
            match here {
                Some(here)
                    if here.oid.to_string() == branch.id.0 && Some(&here.mark.run) == branch.run.as_ref() =>
                {
                    Ok(())
                }
                _ => Err(Failure::new(
                    Code::BranchTarget,
                    format!("what answers is not the branch {} that was made", branch.name),
                )
                .hint("another run may have made it anew meanwhile: run this again")),
            }
        };
        within(LIMIT, &doing, work).await
    }

    async fn urls(&self, branch: &Branch) -> Result<Urls, Failure> {
        let doing = format!("looking for the branch {}", branch.name);
        let work = async {
            let mut connection = self.connect().await?;
            let ours = self.database(&mut connection, &branch.id).await?;
            connection.close().await;
            let gone = || {
                Failure::new(
                    Code::BranchNotFound,
                    format!("the branch {} is not there any more", branch.name),
                )
            };
            Ok(Urls { direct: self.url.with_database(ours.ok_or_else(gone)?.name.as_str()), pooled: None })
        };
        within(LIMIT, &doing, work).await
    }

    async fn list(&self) -> Result<Vec<Branch>, Failure> {
        let work = async {
            let mut connection = self.connect().await?;
            let ours = self.ours(&mut connection, "true").await?;
            connection.close().await;
            let here = ours.iter().filter(|ours| ours.mark.home == self.url.database() && ours.is_branch());
            Ok(here.map(|ours| ours.mark.branch(ours.oid, Origin::Found)).collect())
        };
        within(LIMIT, "listing the local branches", work).await
    }

    async fn find(&self, name: &BranchName) -> Result<Option<Branch>, Failure> {
        within(LIMIT, &format!("looking for the branch {name}"), self.found(name)).await
    }

    async fn is_still(&self, branch: &Branch) -> Result<bool, Failure> {
        let work = async {
            let mut connection = self.connect().await?;
            let ours = self.database(&mut connection, &branch.id).await?;
            connection.close().await;
            Ok(ours.is_some_and(|ours| Some(&ours.mark.run) == branch.run.as_ref()))
        };
        within(LIMIT, &format!("looking for the branch {}", branch.name), work).await
    }

    async fn delete(&self, branch: &BranchId) -> Result<Deleted, Failure> {
        within(LIMIT, "dropping the database of a branch", self.delete_checked(branch)).await
    }

    async fn undo(&self, wanted: &Wanted) -> Result<Deleted, Failure> {
        let doing = format!("dropping what was made for the branch {}", wanted.name);
        within(LIMIT, &doing, self.take_back(wanted)).await
    }
}
