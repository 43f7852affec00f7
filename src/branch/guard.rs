//! What was made is deleted: when the work is done, when it fails, panics or is interrupted. The guard is
//! armed before the provider is asked, so that what a lost answer made is found too.

use std::time::Duration;

use super::{Branch, Deleted, Provider, Wanted};
use crate::error::{Code, Failure};

/// How long a deletion may take when it is the last thing that this process does.
const LAST_WORDS: Duration = Duration::from_secs(30);

/// Tells people something: a line.
pub type Tell = Box<dyn Fn(&str)>;

/// A branch that is deleted with this value. [`Guard::finish`] is the good end; dropping it is for all
/// others.
pub struct Guard<P: Provider + Send + 'static> {
    provider: Option<P>,
    wanted: Wanted,
    branch: Option<Branch>,
    tell: Tell,
}

impl<P: Provider + Send + 'static> Guard<P> {
    /// Has the branch made. From here on it is deleted, however this ends.
    pub async fn create(provider: P, wanted: Wanted, tell: Tell) -> Result<Made<P>, Failure> {
        let mut guard = Self { provider: Some(provider), wanted, branch: None, tell };
        let created = match &guard.provider {
            Some(provider) => provider.create(&guard.wanted).await,
            None => Err(gone()),
        };
        match created {
            Ok(branch) => {
                guard.branch = Some(branch.clone());
                Ok(Made { branch, guard })
            }
            Err(failure) => {
                // Provider::create leaves nothing where it knows what it did; where it cannot know, it says so.
                if !outcome_is_unknown(&failure) {
                    guard.provider = None;
                }
                Err(failure)
            }
        }
    }

    /// The provider.
    pub fn provider(&self) -> Result<&P, Failure> {
        self.provider.as_ref().ok_or_else(gone)
    }

    /// Deletes the branch. Where that fails, the failure says its name and when it ends by itself.
    pub async fn finish(mut self) -> Result<Deleted, Failure> {
        let (Some(provider), Some(branch)) = (&self.provider, &self.branch) else { return Ok(Deleted::Gone) };
        let deleted = provider.delete(&branch.id).await;
        self.provider = None;
        deleted.map_err(|failure| {
            let (message, hint) = left_behind(&self.wanted, self.branch.as_ref(), &failure);
            Failure { message, hint: Some(hint), ..failure }
        })
    }

    /// Leaves the branch to whoever wants it.
    pub fn keep(mut self) {
        self.provider = None;
    }
}

/// A branch that was made, and its guard.
pub struct Made<P: Provider + Send + 'static> {
    /// The branch.
    pub branch: Branch,
    /// What deletes it.
    pub guard: Guard<P>,
}

/// Whether something may have been made although the call failed.
fn outcome_is_unknown(failure: &Failure) -> bool {
    !matches!(
        failure.code,
        Code::BranchExists | Code::BranchCapacity | Code::BranchAuth | Code::BranchNotFound | Code::Settings
    )
}

fn gone() -> Failure {
    Failure::new(Code::BranchNotFound, "the branch was given up already")
}

/// What to say of a branch that could not be deleted, and what to do.
fn left_behind(wanted: &Wanted, branch: Option<&Branch>, failure: &Failure) -> (String, String) {
    let name = &wanted.name;
    let end = branch.and_then(|branch| branch.expires_at.as_deref());
    let end = end.map_or("it does not end by itself".to_owned(), |end| format!("it ends by itself at {end}"));
    (format!("the branch {name} was not deleted ({failure}); {end}"), format!("tenure branch delete {name}"))
}

impl<P: Provider + Send + 'static> Drop for Guard<P> {
    fn drop(&mut self) {
        let Some(provider) = self.provider.take() else { return };
        let (wanted, branch) = (self.wanted.clone(), self.branch.clone());
        // The runtime that the work was on may be about to end, or in the middle of a panic.
        let last = std::thread::Builder::new().name("delete the branch".to_owned()).spawn(move || {
            let provider = provider.apart();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| Failure::new(Code::Io, format!("starting a runtime: {error}")))?;
            runtime.block_on(async {
                let work = async {
                    match &branch {
                        Some(branch) => provider.delete(&branch.id).await,
                        None => provider.undo(&wanted).await,
                    }
                };
                let late = |_| Failure::new(Code::BranchApi, "no answer in time");
                tokio::time::timeout(LAST_WORDS, work).await.map_err(late)?
            })
        });
        let broken = || Failure::new(Code::BranchApi, "the deletion itself broke off");
        let outcome = match last.map(std::thread::JoinHandle::join) {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => Err(broken()),
        };
        match outcome {
            Ok(Deleted::Now) => (self.tell)(&format!("the branch {} was deleted", self.wanted.name)),
            Ok(Deleted::Gone) => {}
            Err(failure) => {
                let (message, hint) = left_behind(&self.wanted, self.branch.as_ref(), &failure);
                (self.tell)(&format!("{message}; to delete it: {hint}"));
            }
        }
    }
}
