//! Branches: temporary copies of a database for trials, behind the trait [`Provider`], with a guard that
//! deletes them. Each provider has its own folder; requests to its API belong there and nowhere else.
//!
//! **Invariant:** Tenure neither changes nor deletes what it did not create. A branch is Tenure's if it has the
//! annotation [`RUN_ANNOTATION`], whatever its name.

mod collect;
mod github;
mod guard;
pub mod local;
mod name;
pub mod neon;
mod result;
mod secret;
pub mod text;

pub use self::result::{
    BranchCreated, BranchDeleted, BranchFailure, BranchList, BranchRow, BranchesCollected, delete_command,
};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use time::OffsetDateTime;
use uuid::Uuid;

pub use self::collect::collect;
pub use self::github::{REPOSITORY, annotations, pull_request};
pub use self::guard::{Guard, Notify, Severity};
use self::local::Local;
pub use self::name::BranchName;
use self::neon::Neon;
pub use self::secret::Secret;
use crate::error::{Code, Failure};
use crate::postgres::DatabaseUrl;

/// The key of the annotation that identifies a branch of Tenure; the value is [`BranchRequest::run`].
pub const RUN_ANNOTATION: &str = "tenure-run";

/// A provider of branches. Every method has a time limit and is idempotent.
pub trait Provider {
    /// The kind of the provider.
    fn kind(&self) -> Kind;

    /// The provider's clock, which decides when a branch expires and how old it is.
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }

    /// A copy for another runtime, which shares nothing with this one.
    #[must_use]
    fn detached(&self) -> Self;

    /// Creates the branch. An existing branch of that name is reset to its parent if it is Tenure's; otherwise
    /// this fails. After a failed or dropped call, or a lost answer, [`Provider::cleanup`] finds what it
    /// created.
    fn create(&self, request: &BranchRequest) -> impl Future<Output = Result<Branch, Failure>>;

    /// Waits until the branch is ready, and verifies that the server is this branch and that it can be
    /// migrated.
    fn ready(&self, branch: &Branch) -> impl Future<Output = Result<(), Failure>>;

    /// The URLs of the branch.
    fn urls(&self, branch: &Branch) -> impl Future<Output = Result<Urls, Failure>>;

    /// The branches that Tenure created.
    fn list(&self) -> impl Future<Output = Result<Vec<Branch>, Failure>>;

    /// The branch with exactly this name. Fails if Tenure did not create it.
    fn find(&self, name: &BranchName) -> impl Future<Output = Result<Option<Branch>, Failure>>;

    /// Whether the branch is still that of this run: another run with the same name may have recreated it.
    fn is_unchanged(&self, branch: &Branch) -> impl Future<Output = Result<bool, Failure>>;

    /// Deletes the branch. A missing branch is a success. A branch that another run has recreated is not
    /// deleted.
    fn delete(&self, branch: &BranchId) -> impl Future<Output = Result<Deleted, Failure>>;

    /// Deletes the branch if it is unchanged; `None` if it was recreated or extended since it was listed.
    fn delete_if_unchanged(&self, branch: &Branch) -> impl Future<Output = Result<Option<Deleted>, Failure>> {
        // A recreated branch has another id.
        async { self.delete(&branch.id).await.map(Some) }
    }

    /// Deletes the branch that a call of [`Provider::create`] with this request created, if any.
    fn cleanup(&self, request: &BranchRequest) -> impl Future<Output = Result<Deleted, Failure>>;
}

/// Limits the duration of a provider's operation.
async fn with_timeout<T>(
    limit: Duration,
    action: &str,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let late = |_| {
        let message = format!("{action}: not finished within {} s", limit.as_secs());
        Failure::new(Code::BranchNotReady, message)
            .hint("run it again, or raise the timeout under [branch] in tenure.toml")
    };
    tokio::time::timeout(limit, Box::pin(work)).await.map_err(late)?
}

/// The kinds of providers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A branch of a Neon project.
    Neon,
    /// A database created from a template database on your own server.
    Local,
}

impl Kind {
    /// The name in JSON and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Neon => "neon",
            Self::Local => "local",
        }
    }
}

/// A branch to be created.
#[derive(Debug, Clone)]
pub struct BranchRequest {
    /// The name.
    pub name: BranchName,
    /// The name of the parent; the provider's default if `None`.
    pub parent: Option<String>,
    /// The content that is copied from the parent.
    pub content: Content,
    /// The time until it expires.
    pub expires: Duration,
    /// The id of the run, which is unique: a branch with it was created by this run.
    pub run: Uuid,
    /// Further annotations, such as the pull request.
    pub annotations: BTreeMap<String, String>,
}

/// The content that is copied from the parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Content {
    /// Schemas and rows.
    #[default]
    All,
    /// Schemas without rows, except for the version rows.
    Schema,
}

/// A provider's id of a branch.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BranchId(pub String);

impl fmt::Display for BranchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A branch that Tenure created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// The provider's id.
    pub id: BranchId,
    /// The name.
    pub name: BranchName,
    /// Whether this call created it.
    pub origin: Origin,
    /// The content that was copied from the parent.
    pub content: Content,
    /// The provider's id or name of the parent.
    pub parent: Option<String>,
    /// The id of the run that created it.
    pub run: Option<String>,
    /// The creation time, as RFC 3339.
    pub created_at: Option<String>,
    /// The expiry time, as RFC 3339.
    pub expires_at: Option<String>,
    /// The ids of the provider's unfinished operations.
    pub pending: Vec<String>,
    /// Notes for the user about its creation.
    pub notes: Vec<String>,
}

/// The origin of a branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// This call created it.
    Created,
    /// It existed, and this call reset it to its parent.
    Reset,
    /// It existed and is unchanged.
    Found,
}

impl Origin {
    /// The value in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Reset => "reset",
            Self::Found => "found",
        }
    }
}

/// The URLs of a branch.
#[derive(Debug, Clone)]
pub struct Urls {
    /// The direct address, for migrations.
    pub direct: DatabaseUrl,
    /// The address of a transaction pooler, if there is one.
    pub pooled: Option<DatabaseUrl>,
}

impl Urls {
    /// The secrets to mask: the URLs and their passwords, percent-encoded and decoded.
    pub fn secrets(&self) -> Vec<String> {
        let mut secrets = Vec::new();
        for url in [Some(&self.direct), self.pooled.as_ref()].into_iter().flatten() {
            let encoded =
                url::Url::parse(url.reveal()).ok().and_then(|url| url.password().map(str::to_owned));
            let plain = encoded.as_deref().and_then(|text| {
                let pair = format!("p={}", text.replace('+', "%2B"));
                url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, plain)| plain.into_owned())
            });
            secrets.extend([Some(url.reveal().to_owned()), encoded, plain].into_iter().flatten());
            secrets.extend(in_parameters(url.reveal()));
        }
        secrets.retain(|secret| !secret.is_empty());
        secrets.sort();
        secrets.dedup();
        secrets
    }
}

/// The passwords in the query of a URL, percent-encoded and decoded.
fn in_parameters(url: &str) -> Vec<String> {
    let query = url.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let query = query.split('#').next().unwrap_or_default();
    let secret = query.split('&').filter_map(|pair| pair.split_once('=')).filter(|(key, _)| {
        let key = url::form_urlencoded::parse(key.as_bytes()).next().map(|(key, _)| key.to_ascii_lowercase());
        key.is_some_and(|key| key.contains("password"))
    });
    let both = secret.flat_map(|(_, encoded)| {
        // Some programs decode `+` as a space, others do not.
        let plain = |text: &str| {
            let pair = format!("p={text}");
            url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, plain)| plain.into_owned())
        };
        [Some(encoded.to_owned()), plain(encoded), plain(&encoded.replace('+', "%2B"))]
    });
    both.flatten().collect()
}

impl Branch {
    /// The result of its creation.
    pub fn result(&self, kind: Kind, urls: &Urls) -> BranchCreated {
        BranchCreated {
            name: self.name.to_string(),
            provider: kind.as_str(),
            id: self.id.0.clone(),
            database_url: urls.direct.reveal().to_owned(),
            pooled_url: urls.pooled.as_ref().map(|url| url.reveal().to_owned()),
            origin: self.origin.as_str(),
            parent: self.parent.clone(),
            expires_at: self.expires_at.clone(),
        }
    }

    /// Converts it to a row of a list.
    pub fn row(&self, kind: Kind) -> BranchRow {
        BranchRow {
            name: self.name.to_string(),
            provider: kind.as_str(),
            id: self.id.0.clone(),
            parent: self.parent.clone(),
            created_at: self.created_at.clone(),
            expires_at: self.expires_at.clone(),
        }
    }
}

/// The result of a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// This call deleted it.
    Now,
    /// It did not exist.
    Missing,
}

/// A provider of any kind.
#[derive(Debug)]
pub enum AnyProvider {
    /// Neon.
    Neon(Box<Neon>),
    /// Your own server.
    Local(Box<Local>),
}

macro_rules! each {
    ($self:ident, $provider:ident => $what:expr) => {
        match $self {
            Self::Neon($provider) => $what,
            Self::Local($provider) => $what,
        }
    };
}

impl Provider for AnyProvider {
    fn kind(&self) -> Kind {
        each!(self, provider => provider.kind())
    }

    fn now(&self) -> OffsetDateTime {
        each!(self, provider => provider.now())
    }

    fn detached(&self) -> Self {
        match self {
            Self::Neon(provider) => Self::Neon(Box::new(provider.detached())),
            Self::Local(provider) => Self::Local(Box::new(provider.detached())),
        }
    }

    async fn create(&self, request: &BranchRequest) -> Result<Branch, Failure> {
        each!(self, provider => provider.create(request).await)
    }

    async fn ready(&self, branch: &Branch) -> Result<(), Failure> {
        each!(self, provider => provider.ready(branch).await)
    }

    async fn urls(&self, branch: &Branch) -> Result<Urls, Failure> {
        each!(self, provider => provider.urls(branch).await)
    }

    async fn list(&self) -> Result<Vec<Branch>, Failure> {
        each!(self, provider => provider.list().await)
    }

    async fn find(&self, name: &BranchName) -> Result<Option<Branch>, Failure> {
        each!(self, provider => provider.find(name).await)
    }

    async fn is_unchanged(&self, branch: &Branch) -> Result<bool, Failure> {
        each!(self, provider => provider.is_unchanged(branch).await)
    }

    async fn delete(&self, branch: &BranchId) -> Result<Deleted, Failure> {
        each!(self, provider => provider.delete(branch).await)
    }

    async fn delete_if_unchanged(&self, branch: &Branch) -> Result<Option<Deleted>, Failure> {
        each!(self, provider => provider.delete_if_unchanged(branch).await)
    }

    async fn cleanup(&self, request: &BranchRequest) -> Result<Deleted, Failure> {
        each!(self, provider => provider.cleanup(request).await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_masked_encoded_and_decoded() {
        let url = |text| DatabaseUrl::parse(text).unwrap();
        let urls = Urls {
            direct: url("postgresql://me:a%2Fb+c@ep-a.x/db"),
            pooled: Some(url("postgresql://me:a%2Fb+c@ep-a-pooler.x/db")),
        };
        assert_eq!(
            urls.secrets(),
            [
                "a%2Fb+c",
                "a/b+c",
                "postgresql://me:a%2Fb+c@ep-a-pooler.x/db",
                "postgresql://me:a%2Fb+c@ep-a.x/db",
            ]
        );
        assert!(!format!("{urls:?}").contains("b+c"));
        let asked =
            Urls { direct: url("postgresql://me@h/db?password=a%2Fb+c&sslmode=require"), pooled: None };
        for secret in ["a%2Fb+c", "a/b c", "a/b+c"] {
            assert!(asked.secrets().contains(&secret.to_owned()), "{secret}");
        }
        let bare = Urls { direct: url("postgresql://me@h/db"), pooled: None };
        assert_eq!(bare.secrets(), ["postgresql://me@h/db"]);
    }
}
