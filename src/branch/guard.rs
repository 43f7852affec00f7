//! What was made is deleted: when the work is done, when it fails, panics or is interrupted. The guard is
//! armed before the provider is asked, so that what a lost answer made is found too.

use std::time::Duration;

use super::{Branch, Deleted, Provider, Wanted};
use crate::error::{Code, Failure};

/// How long a deletion may take when it is the last thing that this process does.
const LAST_WORDS: Duration = Duration::from_secs(45);

/// Tells people something: a line.
pub type Tell = Box<dyn Fn(&str)>;

/// A branch that is deleted with this value. [`Guard::finish`] is the good end; dropping it is for all
/// others: an error, a panic, a work that was given up because of a signal.
pub struct Guard<P: Provider + Send + 'static> {
    /// Taken when there is nothing to delete any more.
    armed: Option<(P, Wanted)>,
    branch: Option<Branch>,
    tell: Tell,
}

impl<P: Provider + Send + 'static> Guard<P> {
    /// Has the branch made. From here on it is deleted, however this ends.
    pub async fn create(provider: P, wanted: Wanted, tell: Tell) -> Result<Self, Failure> {
        let mut guard = Self { armed: None, branch: None, tell };
        let (provider, wanted) = guard.armed.insert((provider, wanted));
        match provider.create(wanted).await {
            Ok(branch) => {
                for note in &branch.notes {
                    (guard.tell)(note);
                }
                guard.branch = Some(branch);
                Ok(guard)
            }
            Err(failure) => {
                // Nothing may have been made; the failure of the work is what people get either way.
                match provider.undo(wanted).await {
                    Ok(_) => {}
                    Err(second) => (guard.tell)(&left_behind(wanted, None, &second)),
                }
                guard.armed = None;
                Err(failure)
            }
        }
    }

    /// Guards a branch that is there already.
    pub fn of(provider: P, wanted: Wanted, branch: Branch, tell: Tell) -> Self {
        Self { armed: Some((provider, wanted)), branch: Some(branch), tell }
    }

    /// The provider and the branch.
    pub fn made(&self) -> Result<(&P, &Branch), Failure> {
        match (&self.armed, &self.branch) {
            (Some((provider, _)), Some(branch)) => Ok((provider, branch)),
            _ => Err(Failure::new(Code::BranchNotFound, "the branch was given up already")),
        }
    }

    /// Deletes the branch. Where that fails, the failure says its name and when it ends by itself.
    pub async fn finish(mut self) -> Result<Deleted, Failure> {
        let (Some((provider, wanted)), Some(branch)) = (&self.armed, &self.branch) else {
            return Ok(Deleted::Gone);
        };
        let deleted = provider.delete(&branch.id).await;
        let deleted = deleted.map_err(|failure| {
            let message = left_behind(wanted, Some(branch), &failure);
            Failure { message, hint: Some(to_delete(wanted)), ..failure }
        });
        // Not before the answer is there: an interruption meanwhile is for the drop.
        self.armed = None;
        deleted
    }

    /// Leaves the branch to whoever wants it.
    pub fn keep(mut self) {
        self.armed = None;
    }
}

/// What to say of a branch that could not be deleted.
fn left_behind(wanted: &Wanted, branch: Option<&Branch>, failure: &Failure) -> String {
    let name = &wanted.name;
    match branch {
        Some(Branch { expires_at: Some(end), .. }) => {
            format!("the branch {name} was not deleted ({failure}); it ends by itself at {end}")
        }
        Some(_) => format!("the branch {name} was not deleted ({failure}), and does not end by itself"),
        None => format!("it is not known whether the branch {name} was made, or deleted again ({failure})"),
    }
}

fn to_delete(wanted: &Wanted) -> String {
    format!("`tenure branch delete '{}'` deletes it", wanted.name)
}

impl<P: Provider + Send + 'static> Drop for Guard<P> {
    fn drop(&mut self) {
        let Some((provider, wanted)) = self.armed.take() else { return };
        let (asked_for, branch) = (wanted.clone(), self.branch.clone());
        if branch.is_some() {
            (self.tell)(&format!("deleting the branch {}", asked_for.name));
        }
        // The runtime that the work was on cannot wait here, and may be in the middle of a panic.
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
        let outcome = match last.map(std::thread::JoinHandle::join) {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => Err(Failure::new(Code::BranchApi, "the deletion itself broke off")),
        };
        match outcome {
            Ok(Deleted::Now) => (self.tell)(&format!("the branch {} was deleted", asked_for.name)),
            Ok(Deleted::Gone) => {}
            Err(failure) => {
                let left = left_behind(&asked_for, self.branch.as_ref(), &failure);
                (self.tell)(&format!("{left}; {}", to_delete(&asked_for)));
            }
        }
    }
}
