//! Branches of a Neon project, with version 2 of Neon's API. Decisions are pure (`retry`, `error`, `progress`,
//! `target`); only `client` sends requests; `lookup`, `create` and `ready` combine both. Code that depends on
//! Neon belongs here.

mod access;
mod answer;
mod client;
mod create;
mod error;
mod lookup;
mod progress;
mod ready;
mod request;
mod retry;
mod target;

use std::cell::{Cell, RefCell};
use std::time::Duration;

use time::OffsetDateTime;

pub use self::access::{Access, AccessSources, CONTEXT_FILE};
use self::answer::AnnotatedBranch;
use self::client::Client;
use self::error::not_verified;
use self::lookup::BranchFilter;
use super::{
    Branch, BranchId, BranchName, BranchRequest, Deleted, Kind, Origin, Provider, Urls, with_timeout,
};
use crate::error::{Code, Failure};
use crate::ident::SchemaName;
use crate::settings::{BranchSslMode, Settings};

/// Neon's limit for the lifetime of a branch.
const MAX_LIFETIME: Duration = Duration::from_hours(24 * 30);
/// The time for an operation in addition to the retry timeout.
const EXTRA_TIME: Duration = Duration::from_mins(3);

/// A Neon project.
#[derive(Debug)]
pub struct Neon {
    client: Client,
    database: Option<String>,
    role: Option<String>,
    sslmode: Option<BranchSslMode>,
    platform: SchemaName,
    retry_timeout: Duration,
    ready_timeout: Duration,
    /// Whether a request to create a branch was sent, so that an unknown branch may exist.
    requested: Cell<bool>,
    /// The existing branch for which a reset was requested: its state may be incomplete.
    reset_branch: RefCell<Option<BranchId>>,
    /// The branch that this run waited for, and its creation or reset time then.
    ready: RefCell<Option<(BranchId, Option<String>)>>,
}

impl Neon {
    /// The project of `access`, with these settings.
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
            requested: Cell::new(false),
            reset_branch: RefCell::default(),
            ready: RefCell::default(),
        }
    }

    /// Whether the branch was reset since this run waited for it. The run's id does not change then: the API
    /// does not change annotations of an existing branch.
    fn was_reset(&self, branch_info: &AnnotatedBranch) -> bool {
        let ready = self.ready.borrow();
        let since = create::to_branch(branch_info, Origin::Found).created_at;
        ready.as_ref().is_some_and(|(id, then)| id.0 == branch_info.branch.id && *then != since)
    }

    /// Deletes a branch after checking that it is Tenure's.
    async fn delete_checked(&self, id: &BranchId) -> Result<Deleted, Failure> {
        match self.current_branch(id).await? {
            Some(branch_info) => self.delete_noted(&branch_info).await,
            None => Ok(Deleted::Missing),
        }
    }

    /// The branch as it is now, if it exists.
    async fn current_branch(&self, id: &BranchId) -> Result<Option<AnnotatedBranch>, Failure> {
        match self.find_by_id(&id.0).await {
            Ok(branch_info) => Ok(Some(branch_info).filter(|branch_info| !branch_info.branch.is_deleted())),
            Err(api_error) if api_error.is_not_found() => Ok(None),
            Err(api_error) => Err(api_error.failure("reading the branch to delete")),
        }
    }

    async fn delete_noted(&self, branch_info: &AnnotatedBranch) -> Result<Deleted, Failure> {
        let id = &branch_info.branch.id;
        if branch_info.branch.default || branch_info.branch.protected || branch_info.run().is_none() {
            return Err(create::name_conflict(
                branch_info,
                &BranchName::from_provider(branch_info.branch.name.clone()),
            ));
        }
        if self.was_reset(branch_info) {
            let why = "another run has reset it since, so it belongs to that run";
            return Err(Failure::new(Code::BranchTarget, why));
        }
        let call = request::Call::delete(id);
        match self.client.send(&call).await {
            Ok((204, _)) => Ok(Deleted::Missing),
            Ok(_) => Ok(Deleted::Now),
            Err(api_error) if api_error.is_not_found() => Ok(Deleted::Missing),
            // Some errors mean that it is already being deleted.
            Err(api_error) => match self.find_by_id(id).await {
                Err(error) if error.is_not_found() => Ok(Deleted::Missing),
                Ok(branch_info) if branch_info.branch.is_deleted() => Ok(Deleted::Missing),
                _ => Err(api_error.failure(&format!("deleting the branch {}", branch_info.branch.name))),
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

    fn detached(&self) -> Self {
        Self {
            client: self.client.detached(),
            database: self.database.clone(),
            role: self.role.clone(),
            sslmode: self.sslmode,
            platform: self.platform.clone(),
            retry_timeout: self.retry_timeout,
            ready_timeout: self.ready_timeout,
            requested: self.requested.clone(),
            reset_branch: self.reset_branch.clone(),
            ready: self.ready.clone(),
        }
    }

    async fn create(&self, request: &BranchRequest) -> Result<Branch, Failure> {
        if request.expires > MAX_LIFETIME {
            return Err(Failure::new(Code::Settings, "the maximum lifetime of a Neon branch is 30 days")
                .hint("set --expires to 30d or less"));
        }
        // Each of its requests has the whole retry timeout.
        let limit = self.retry_timeout.saturating_mul(2) + EXTRA_TIME;
        let action = format!("creating the branch {}", request.name);
        with_timeout(limit, &action, self.create_branch(request)).await.map_err(not_verified)
    }

    async fn ready(&self, branch: &Branch) -> Result<(), Failure> {
        let action = format!("waiting for the branch {}", branch.name);
        with_timeout(self.ready_timeout, &action, self.wait_until_ready(branch)).await.map_err(not_verified)
    }

    async fn urls(&self, branch: &Branch) -> Result<Urls, Failure> {
        let action = format!("reading the URL of the branch {}", branch.name);
        with_timeout(self.retry_timeout + EXTRA_TIME, &action, self.verified_urls(branch))
            .await
            .map_err(not_verified)
    }

    async fn list(&self) -> Result<Vec<Branch>, Failure> {
        let action = "listing the project's branches";
        let work = async {
            let mut branches = Vec::new();
            let result = self.for_each_branch(BranchFilter::All, |branch_info| {
                if branch_info.run().is_some() && !branch_info.branch.default && !branch_info.branch.protected
                {
                    branches.push(create::to_branch(&branch_info, Origin::Found));
                }
                true
            });
            result.await.map_err(|api_error| api_error.failure(action))?;
            Ok(branches)
        };
        with_timeout(self.retry_timeout + EXTRA_TIME, action, work).await
    }

    async fn find(&self, name: &BranchName) -> Result<Option<Branch>, Failure> {
        let action = format!("finding the branch {name}");
        let work = async {
            let named =
                self.find_by_name(name.as_str()).await.map_err(|api_error| api_error.failure(&action))?;
            match named.first() {
                None => Ok(None),
                Some(existing)
                    if existing.branch.default || existing.branch.protected || existing.run().is_none() =>
                {
                    Err(create::name_conflict(existing, name))
                }
                Some(existing) => Ok(Some(create::to_branch(existing, Origin::Found))),
            }
        };
        with_timeout(self.retry_timeout + EXTRA_TIME, &action, work).await
    }

    async fn is_unchanged(&self, branch: &Branch) -> Result<bool, Failure> {
        let action = format!("reading the branch {}", branch.name);
        let work = async {
            match self.find_by_id(&branch.id.0).await {
                Ok(branch_info) => Ok(!branch_info.branch.is_deleted() && !self.was_reset(&branch_info)),
                Err(api_error) if api_error.is_not_found() => Ok(false),
                Err(api_error) => Err(api_error.failure(&action)),
            }
        };
        with_timeout(self.retry_timeout + EXTRA_TIME, &action, work).await
    }

    async fn delete(&self, branch: &BranchId) -> Result<Deleted, Failure> {
        let action = format!("deleting the branch {branch}");
        with_timeout(self.retry_timeout + EXTRA_TIME, &action, self.delete_checked(branch)).await
    }

    async fn delete_if_unchanged(&self, branch: &Branch) -> Result<Option<Deleted>, Failure> {
        let action = format!("deleting the branch {}", branch.name);
        let work = async {
            let Some(branch_info) = self.current_branch(&branch.id).await? else {
                return Ok(Some(Deleted::Missing));
            };
            let now = create::to_branch(&branch_info, Origin::Found);
            if (&now.created_at, &now.expires_at) != (&branch.created_at, &branch.expires_at) {
                return Ok(None);
            }
            self.delete_noted(&branch_info).await.map(Some)
        };
        with_timeout(self.retry_timeout + EXTRA_TIME, &action, work).await
    }

    async fn cleanup(&self, request: &BranchRequest) -> Result<Deleted, Failure> {
        let action = format!("deleting the branch {}", request.name);
        with_timeout(self.retry_timeout + EXTRA_TIME, &action, self.delete_created(request)).await
    }
}
