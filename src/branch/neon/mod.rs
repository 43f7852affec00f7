//! Branches of a Neon project, over version 2 of its API. What is decided is pure (`decide`, `refusal`,
//! `progress`, `target`); `client` sends, `look`, `make` and `ready` put the two together.

mod access;
mod answer;
mod client;
mod decide;
mod look;
mod make;
mod progress;
mod ready;
mod refusal;
mod request;
mod target;

use std::cell::{Cell, RefCell};
use std::time::Duration;

use time::OffsetDateTime;

pub use self::access::{Access, CONTEXT_FILE, Given};
use self::answer::Noted;
use self::client::Client;
use self::look::Which;
use self::refusal::not_verified;
use super::{Branch, BranchId, BranchName, Deleted, Kind, Origin, Provider, Urls, Wanted, within};
use crate::error::{Code, Failure};
use crate::ident::SchemaName;
use crate::settings::{BranchSslMode, Settings};

/// Neon takes no later end.
const LATEST_END: Duration = Duration::from_hours(24 * 30);
/// What each call may take beside the time for retries of a busy API.
const SLACK: Duration = Duration::from_mins(3);

/// A project at Neon.
#[derive(Debug)]
pub struct Neon {
    client: Client,
    database: Option<String>,
    role: Option<String>,
    sslmode: Option<BranchSslMode>,
    platform: SchemaName,
    retry_timeout: Duration,
    ready_timeout: Duration,
    /// Whether a branch was asked for, so that there may be one that nobody knows of.
    asked: Cell<bool>,
    /// The branch that was there and was asked to be made as its parent is: it may be half of what it was.
    renewed: RefCell<Option<BranchId>>,
    /// The branch that this run waited for, and since when it was what it was then.
    ready: RefCell<Option<(BranchId, Option<String>)>>,
}

impl Neon {
    /// The project that `access` leads to, used as the settings say.
    pub fn new(access: Access, settings: &Settings) -> Self {
        let retry_timeout = settings.branch.retry_timeout.duration();
        Self {
            client: Client::new(access, retry_timeout),
            database: settings.branch.database.clone(),
            role: settings.branch.role.clone(),
            sslmode: settings.branch.sslmode,
            platform: settings.platform_schema(),
            retry_timeout,
            ready_timeout: settings.branch.ready_timeout.duration(),
            asked: Cell::new(false),
            renewed: RefCell::default(),
            ready: RefCell::default(),
        }
    }

    /// Whether the branch that this run waited for was reset since. Its nonce does not say so: the API takes no new
    /// annotation for a branch that is there.
    fn is_anothers(&self, noted: &Noted) -> bool {
        let ready = self.ready.borrow();
        let since = make::seen(noted, Origin::Found).created_at;
        ready.as_ref().is_some_and(|(id, then)| id.0 == noted.branch.id && *then != since)
    }

    /// Deletes a branch, once the API has shown that it is ours.
    async fn delete_checked(&self, id: &BranchId) -> Result<Deleted, Failure> {
        match self.to_delete(id).await? {
            Some(noted) => self.delete_noted(&noted).await,
            None => Ok(Deleted::Gone),
        }
    }

    /// What is to be deleted as it is now, if it is there.
    async fn to_delete(&self, id: &BranchId) -> Result<Option<Noted>, Failure> {
        match self.by_id(&id.0).await {
            Ok(noted) => Ok(Some(noted).filter(|noted| !noted.branch.is_deleted())),
            Err(trouble) if trouble.is_absence() => Ok(None),
            Err(trouble) => Err(trouble.failure("looking at the branch that is to be deleted")),
        }
    }

    async fn delete_noted(&self, noted: &Noted) -> Result<Deleted, Failure> {
        let id = &noted.branch.id;
        if noted.branch.default || noted.branch.protected || noted.run().is_none() {
            return Err(make::foreign(noted, &BranchName::seen(noted.branch.name.clone())));
        }
        if self.is_anothers(noted) {
            let why = "another run made it as its parent is since this one did, so it is that run's";
            return Err(Failure::new(Code::BranchTarget, why));
        }
        let call = request::Call::delete(id);
        match self.client.send(&call).await {
            Ok((204, _)) => Ok(Deleted::Gone),
            Ok(_) => Ok(Deleted::Now),
            Err(trouble) if trouble.is_absence() => Ok(Deleted::Gone),
            // Some answers mean that it is being deleted already.
            Err(trouble) => match self.by_id(id).await {
                Err(gone) if gone.is_absence() => Ok(Deleted::Gone),
                Ok(noted) if noted.branch.is_deleted() => Ok(Deleted::Gone),
                _ => Err(trouble.failure(&format!("deleting the branch {}", noted.branch.name))),
            },
        }
    }
}

impl Provider for Neon {
    fn kind(&self) -> Kind {
        Kind::Neon
    }

    fn now(&self) -> OffsetDateTime {
        self.client.now()
    }

    fn apart(&self) -> Self {
        Self {
            client: self.client.apart(),
            database: self.database.clone(),
            role: self.role.clone(),
            sslmode: self.sslmode,
            platform: self.platform.clone(),
            retry_timeout: self.retry_timeout,
            ready_timeout: self.ready_timeout,
            asked: self.asked.clone(),
            renewed: self.renewed.clone(),
            ready: self.ready.clone(),
        }
    }

    async fn create(&self, wanted: &Wanted) -> Result<Branch, Failure> {
        if wanted.expires > LATEST_END {
            return Err(Failure::new(Code::Settings, "a branch at Neon lives 30 days at most")
                .hint("say --expires 30d or less"));
        }
        // Each of its requests has the whole time for retries, as when it is asked for alone.
        let limit = self.retry_timeout.saturating_mul(2) + SLACK;
        let doing = format!("making the branch {}", wanted.name);
        within(limit, &doing, self.make(wanted)).await.map_err(not_verified)
    }

    async fn ready(&self, branch: &Branch) -> Result<(), Failure> {
        let doing = format!("waiting for the branch {}", branch.name);
        within(self.ready_timeout, &doing, self.wait_until_ready(branch)).await.map_err(not_verified)
    }

    async fn urls(&self, branch: &Branch) -> Result<Urls, Failure> {
        let doing = format!("asking for the way to the branch {}", branch.name);
        within(self.retry_timeout + SLACK, &doing, self.proved_urls(branch)).await.map_err(not_verified)
    }

    async fn list(&self) -> Result<Vec<Branch>, Failure> {
        let doing = "listing the project's branches";
        let work = async {
            let mut ours = Vec::new();
            let walked = self.walk(Which::All, |noted| {
                if noted.run().is_some() && !noted.branch.default && !noted.branch.protected {
                    ours.push(make::seen(&noted, Origin::Found));
                }
                true
            });
            walked.await.map_err(|trouble| trouble.failure(doing))?;
            Ok(ours)
        };
        within(self.retry_timeout + SLACK, doing, work).await
    }

    async fn find(&self, name: &BranchName) -> Result<Option<Branch>, Failure> {
        let doing = format!("looking for the branch {name}");
        let work = async {
            let named = self.named(name.as_str()).await.map_err(|trouble| trouble.failure(&doing))?;
            match named.first() {
                None => Ok(None),
                Some(there) if there.branch.default || there.branch.protected || there.run().is_none() => {
                    Err(make::foreign(there, name))
                }
                Some(there) => Ok(Some(make::seen(there, Origin::Found))),
            }
        };
        within(self.retry_timeout + SLACK, &doing, work).await
    }

    async fn is_still(&self, branch: &Branch) -> Result<bool, Failure> {
        let doing = format!("looking at the branch {}", branch.name);
        let work = async {
            match self.by_id(&branch.id.0).await {
                Ok(noted) => Ok(!noted.branch.is_deleted() && !self.is_anothers(&noted)),
                Err(trouble) if trouble.is_absence() => Ok(false),
                Err(trouble) => Err(trouble.failure(&doing)),
            }
        };
        within(self.retry_timeout + SLACK, &doing, work).await
    }

    async fn delete(&self, branch: &BranchId) -> Result<Deleted, Failure> {
        let doing = format!("deleting the branch {branch}");
        within(self.retry_timeout + SLACK, &doing, self.delete_checked(branch)).await
    }

    async fn delete_as_seen(&self, branch: &Branch) -> Result<Option<Deleted>, Failure> {
        let doing = format!("deleting the branch {}", branch.name);
        let work = async {
            let Some(noted) = self.to_delete(&branch.id).await? else { return Ok(Some(Deleted::Gone)) };
            let now = make::seen(&noted, Origin::Found);
            if (&now.created_at, &now.expires_at) != (&branch.created_at, &branch.expires_at) {
                return Ok(None);
            }
            self.delete_noted(&noted).await.map(Some)
        };
        within(self.retry_timeout + SLACK, &doing, work).await
    }

    async fn undo(&self, wanted: &Wanted) -> Result<Deleted, Failure> {
        let doing = format!("deleting the branch {}", wanted.name);
        within(self.retry_timeout + SLACK, &doing, self.take_back(wanted)).await
    }
}
