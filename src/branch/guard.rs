//! What was made is deleted: when the work is done, when it fails, panics or is interrupted. The guard is
//! armed before the provider is asked, so that what a lost answer made is found too.

use std::rc::Rc;
use std::time::Duration;

use super::{Branch, Deleted, Kind, Provider, Wanted, to_delete};
use crate::error::{Code, Failure};

/// How long a deletion may take when it is the last thing that this process does.
const LAST_WORDS: Duration = Duration::from_secs(45);

/// Tells people something: a line.
pub type Tell = Rc<dyn Fn(Weight, &str)>;

/// Who is to hear it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Whoever wants to know.
    Note,
    /// Everybody: something is left that costs money.
    Left,
}

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
                    (guard.tell)(Weight::Note, note);
                }
                guard.branch = Some(branch);
                Ok(guard)
            }
            Err(failure) => {
                // Nothing may have been made; the failure of the work is what people get either way.
                match provider.undo(wanted).await {
                    Ok(_) => {}
                    Err(second) => {
                        let hint =
                            what_to_do(provider.kind(), wanted, &second).map(|hint| format!("; {hint}"));
                        let left = left_behind(wanted, None, &second);
                        (guard.tell)(Weight::Left, &format!("{left}{}", hint.unwrap_or_default()));
                    }
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
            Failure { message, hint: what_to_do(provider.kind(), wanted, &failure), ..failure }
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

/// How to delete it by hand; nothing where it is left to somebody.
fn what_to_do(kind: Kind, wanted: &Wanted, failure: &Failure) -> Option<String> {
    let command = || format!("`{}` deletes it", to_delete(wanted.name.as_str(), kind.as_str()));
    (failure.code != Code::BranchTarget).then(command)
}

impl<P: Provider + Send + 'static> Drop for Guard<P> {
    fn drop(&mut self) {
        let Some((provider, wanted)) = self.armed.take() else { return };
        let (kind, asked_for, branch) = (provider.kind(), wanted.clone(), self.branch.clone());
        if branch.is_some() {
            (self.tell)(Weight::Note, &format!("deleting the branch {}", asked_for.name));
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
            Ok(Deleted::Now) => {
                (self.tell)(Weight::Note, &format!("the branch {} was deleted", asked_for.name));
            }
            Ok(Deleted::Gone) => {}
            Err(failure) => {
                let left = left_behind(&asked_for, self.branch.as_ref(), &failure);
                let hint = what_to_do(kind, &asked_for, &failure).map(|hint| format!("; {hint}"));
                (self.tell)(Weight::Left, &format!("{left}{}", hint.unwrap_or_default()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::branch::{BranchId, BranchName, Content, Origin, Urls};

    /// Makes branches that are words in a list.
    struct Fake {
        did: Arc<Mutex<Vec<&'static str>>>,
        fails: &'static str,
    }

    impl Fake {
        fn does(&self, what: &'static str) -> Result<(), Failure> {
            self.did.lock().unwrap().push(what);
            if self.fails.contains(what) {
                return Err(Failure::new(Code::BranchApi, format!("no {what}")));
            }
            Ok(())
        }
    }

    impl Provider for Fake {
        fn kind(&self) -> Kind {
            Kind::Local
        }

        fn apart(&self) -> Self {
            Self { did: self.did.clone(), fails: self.fails }
        }

        async fn create(&self, wanted: &Wanted) -> Result<Branch, Failure> {
            self.does("create")?;
            Ok(Branch {
                id: BranchId("br-1".to_owned()),
                name: wanted.name.clone(),
                origin: Origin::Created,
                content: Content::All,
                parent: None,
                run: None,
                created_at: None,
                expires_at: Some("2026-11-21T12:00:00Z".to_owned()),
                pending: Vec::new(),
                notes: vec!["a note".to_owned()],
            })
        }

        async fn ready(&self, _branch: &Branch) -> Result<(), Failure> {
            self.does("ready")
        }

        async fn urls(&self, _branch: &Branch) -> Result<Urls, Failure> {
            Err(Failure::new(Code::BranchApi, "none"))
        }

        async fn list(&self) -> Result<Vec<Branch>, Failure> {
            Ok(Vec::new())
        }

        async fn find(&self, _name: &BranchName) -> Result<Option<Branch>, Failure> {
            Ok(None)
        }

        async fn is_still(&self, _branch: &Branch) -> Result<bool, Failure> {
            Ok(true)
        }

        async fn delete(&self, _branch: &BranchId) -> Result<Deleted, Failure> {
            self.does("delete").map(|()| Deleted::Now)
        }

        async fn undo(&self, _wanted: &Wanted) -> Result<Deleted, Failure> {
            self.does("undo").map(|()| Deleted::Gone)
        }
    }

    fn wanted() -> Wanted {
        Wanted {
            name: "pr-1".parse().unwrap(),
            parent: None,
            content: Content::All,
            expires: Duration::from_hours(1),
            run: uuid::Uuid::nil(),
            annotations: std::collections::BTreeMap::new(),
        }
    }

    type Work = fn(Result<Guard<Fake>, Failure>);

    /// What a provider that fails at this was asked for when a guard's work ended so, and what people were told.
    fn story(fails: &'static str, work: Work) -> (Vec<&'static str>, String) {
        let (did, told) = (Arc::<Mutex<Vec<_>>>::default(), Rc::new(RefCell::new(String::new())));
        let (fake, said) = (Fake { did: did.clone(), fails }, told.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let tell: Tell = Rc::new(move |_, line| said.borrow_mut().extend([line, "\n"]));
        let guard = runtime.block_on(Guard::create(fake, wanted(), tell));
        // As a panic of the work would: in the middle of a runtime.
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            runtime.block_on(async { work(guard) });
        }));
        drop(ended);
        let (did, told) = (did.lock().unwrap().clone(), told.borrow().clone());
        (did, told)
    }

    fn finish(guard: Guard<Fake>) -> Result<Deleted, Failure> {
        // Nothing in the fake waits.
        let work = std::pin::pin!(guard.finish());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match work.poll(&mut context) {
            std::task::Poll::Ready(done) => done,
            std::task::Poll::Pending => panic!("the fake waits"),
        }
    }

    #[test]
    fn however_the_work_ends_the_branch_is_deleted_once() {
        let ends: [(&str, Work); 3] = [
            ("dropped", drop),
            ("panicked", |guard| {
                let _guard = guard.unwrap();
                panic!("on purpose");
            }),
            ("finished", |guard| assert_eq!(finish(guard.unwrap()).unwrap(), Deleted::Now)),
        ];
        for (how, end) in ends {
            let (did, told) = story("", end);
            assert_eq!(did, ["create", "delete"], "{how}");
            assert!(told.starts_with("a note\n"), "{how}: {told}");
        }
    }

    #[test]
    fn what_is_kept_is_not_deleted() {
        let (did, _told) = story("", |guard| guard.unwrap().keep());
        assert_eq!(did, ["create"]);
    }

    #[test]
    fn what_may_have_been_made_is_looked_for() {
        let (did, told) = story("create", |guard| {
            assert_eq!(guard.err().unwrap().message, "no create");
        });
        assert_eq!((did, told.as_str()), (vec!["create", "undo"], ""));
        let (_did, told) = story("create undo", drop);
        assert!(told.contains("not known whether the branch pr-1 was made"), "{told}");
    }

    #[test]
    fn what_could_not_be_deleted_is_said_with_its_end() {
        let (did, told) = story("delete", drop);
        assert_eq!(did, ["create", "delete"]);
        let wanted = "the branch pr-1 was not deleted (no delete); it ends by itself at 2026-11-21T12:00:00Z; \
                      `tenure branch delete --provider local 'pr-1'` deletes it";
        assert!(told.contains(wanted), "{told}");
        let (did, _told) = story("delete", |guard| {
            let failure = finish(guard.unwrap()).unwrap_err();
            assert_eq!(failure.code, Code::BranchApi);
            assert!(failure.message.contains("ends by itself at"), "{failure}");
        });
        assert_eq!(did, ["create", "delete"]);
    }
}
