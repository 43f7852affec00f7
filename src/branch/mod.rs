//! Copies of a real database to try things on: who makes them, behind one trait, and the guard that
//! deletes what was made. **Invariant:** what Tenure did not make it neither changes nor deletes; a
//! branch carries a mark that says so ([`MARK`]), its name does not.

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
    BranchDeleted, BranchFailure, BranchList, BranchMade, BranchRow, BranchesCollected, to_delete,
};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use time::OffsetDateTime;
use uuid::Uuid;

pub use self::collect::collect;
pub use self::github::{REPOSITORY, annotations, pull_request};
pub use self::guard::{Guard, Tell, Weight};
use self::local::Local;
pub use self::name::BranchName;
use self::neon::Neon;
pub use self::secret::Secret;
use crate::error::{Code, Failure};
use crate::postgres::DatabaseUrl;

/// The key of the annotation that says that Tenure made a branch; its value is [`Wanted::run`], the nonce.
pub const MARK: &str = "tenure-run";

/// Who makes branches. Every method ends within a time limit of its own, and may be repeated: a second
/// call finds what the first one did.
pub trait Provider {
    /// Which one it is.
    fn kind(&self) -> Kind;

    /// What time it is for the provider, which decides when a branch ends and how old it is.
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }

    /// The same for another runtime: nothing that belongs to this one is shared.
    #[must_use]
    fn apart(&self) -> Self;

    /// Makes the branch. One of that name that is ours is made as its parent is now; one that is not is
    /// refused. After a call that failed, was dropped, or whose answer was lost, [`Provider::undo`] finds what
    /// it left.
    fn create(&self, wanted: &Wanted) -> impl Future<Output = Result<Branch, Failure>>;

    /// Waits until it answers, and proves that what answers is the branch that was made, and that it is fit
    /// to be migrated.
    fn ready(&self, branch: &Branch) -> impl Future<Output = Result<(), Failure>>;

    /// Where it is.
    fn urls(&self, branch: &Branch) -> impl Future<Output = Result<Urls, Failure>>;

    /// Those that Tenure made.
    fn list(&self) -> impl Future<Output = Result<Vec<Branch>, Failure>>;

    /// The one of exactly this name, if there is one; one that Tenure did not make is refused.
    fn find(&self, name: &BranchName) -> impl Future<Output = Result<Option<Branch>, Failure>>;

    /// Whether it is still the one that this run had made: another run of the same name may have made it anew.
    fn is_still(&self, branch: &Branch) -> impl Future<Output = Result<bool, Failure>>;

    /// Deletes it; one that is gone already is a success, one that another run made anew since is left to that.
    fn delete(&self, branch: &BranchId) -> impl Future<Output = Result<Deleted, Failure>>;

    /// Deletes it if it is still as it was seen; `None` where it was made anew or prolonged since, which makes it young.
    fn delete_as_seen(&self, branch: &Branch) -> impl Future<Output = Result<Option<Deleted>, Failure>> {
        // Where making it anew gives it another id, the id is enough.
        async { self.delete(&branch.id).await.map(Some) }
    }

    /// Deletes what a call of [`Provider::create`] for exactly this made, if it made anything.
    fn undo(&self, wanted: &Wanted) -> impl Future<Output = Result<Deleted, Failure>>;
}

/// Does the work of a provider, or says that it took too long.
async fn within<T>(
    limit: Duration,
    doing: &str,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let late = |_| {
        let message = format!("{doing}: not done within {} s", limit.as_secs());
        Failure::new(Code::BranchNotReady, message)
            .hint("run it again; `[branch]` in tenure.toml says how long is waited")
    };
    tokio::time::timeout(limit, Box::pin(work)).await.map_err(late)?
}

/// The providers that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A branch of a Neon project.
    Neon,
    /// A database made from another one as its template, on a server that one owns.
    Local,
}

impl Kind {
    /// The word in the JSON and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Neon => "neon",
            Self::Local => "local",
        }
    }
}

/// What is to be made.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Its name.
    pub name: BranchName,
    /// What it is a copy of, by name; the provider's default where nobody says.
    pub parent: Option<String>,
    /// What of the parent it has.
    pub content: Content,
    /// How long it may live when nobody deletes it.
    pub expires: Duration,
    /// The nonce: a branch that carries it was made by this run.
    pub run: Uuid,
    /// What else is noted with it, such as the pull request.
    pub annotations: BTreeMap<String, String>,
}

/// What of its parent a branch has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Content {
    /// Everything.
    #[default]
    All,
    /// The schemas without rows, but for those that say at which versions they are.
    Schema,
}

/// How a provider names a branch for itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BranchId(pub String);

impl fmt::Display for BranchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A branch that Tenure made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// What the provider calls it.
    pub id: BranchId,
    /// What people call it.
    pub name: BranchName,
    /// Where it came from in this call.
    pub origin: Origin,
    /// What of its parent it was made with.
    pub content: Content,
    /// What it is a copy of, as the provider names that.
    pub parent: Option<String>,
    /// The nonce of the run that made it first.
    pub run: Option<String>,
    /// When it was made, as RFC 3339.
    pub created_at: Option<String>,
    /// When it ends by itself, as RFC 3339.
    pub expires_at: Option<String>,
    /// What the provider still does for it, as it names that.
    pub pending: Vec<String>,
    /// What should be told to people about how it was made.
    pub notes: Vec<String>,
}

/// Where a branch came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// This call made it.
    Created,
    /// It was there, and this call made it as its parent is now.
    Reset,
    /// It was there, and nothing was done to it.
    Found,
}

impl Origin {
    /// The word in the JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Reset => "reset",
            Self::Found => "found",
        }
    }
}

/// How to reach a branch.
#[derive(Debug, Clone)]
pub struct Urls {
    /// The server itself: for migrations.
    pub direct: DatabaseUrl,
    /// Through a transaction pooler, where there is one.
    pub pooled: Option<DatabaseUrl>,
}

impl Urls {
    /// What of them must not be seen: the URLs, and their passwords as they stand there and as they are.
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

/// The passwords among the parameters of a URL, as they stand there and as they are.
fn in_parameters(url: &str) -> Vec<String> {
    let query = url.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let query = query.split('#').next().unwrap_or_default();
    let secret = query.split('&').filter_map(|pair| pair.split_once('=')).filter(|(key, _)| {
        let key = url::form_urlencoded::parse(key.as_bytes()).next().map(|(key, _)| key.to_ascii_lowercase());
        key.is_some_and(|key| key.contains("password"))
    });
    let both = secret.flat_map(|(_, encoded)| {
        // A `+` is a space to some and itself to others.
        let plain = |text: &str| {
            let pair = format!("p={text}");
            url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, plain)| plain.into_owned())
        };
        [Some(encoded.to_owned()), plain(encoded), plain(&encoded.replace('+', "%2B"))]
    });
    both.flatten().collect()
}

impl Branch {
    /// The result of making it.
    pub fn result(&self, kind: Kind, urls: &Urls) -> BranchMade {
        BranchMade {
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

    /// Its row in a list.
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

/// What deleting did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// This call deleted it.
    Now,
    /// It was not there.
    Gone,
}

/// One of the providers.
#[derive(Debug)]
pub enum AnyProvider {
    /// Neon.
    Neon(Box<Neon>),
    /// A server of one's own.
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

    fn apart(&self) -> Self {
        match self {
            Self::Neon(provider) => Self::Neon(Box::new(provider.apart())),
            Self::Local(provider) => Self::Local(Box::new(provider.apart())),
        }
    }

    async fn create(&self, wanted: &Wanted) -> Result<Branch, Failure> {
        each!(self, provider => provider.create(wanted).await)
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

    async fn is_still(&self, branch: &Branch) -> Result<bool, Failure> {
        each!(self, provider => provider.is_still(branch).await)
    }

    async fn delete(&self, branch: &BranchId) -> Result<Deleted, Failure> {
        each!(self, provider => provider.delete(branch).await)
    }

    async fn delete_as_seen(&self, branch: &Branch) -> Result<Option<Deleted>, Failure> {
        each!(self, provider => provider.delete_as_seen(branch).await)
    }

    async fn undo(&self, wanted: &Wanted) -> Result<Deleted, Failure> {
        each!(self, provider => provider.undo(wanted).await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_hidden_as_it_stands_in_the_url_and_as_it_is() {
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
