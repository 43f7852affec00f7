//! Deletes a branch at the end of its use, after a success, an error, a panic or an interruption. The guard is
//! armed before the provider is called, so a branch whose answer was lost is found too.

use std::rc::Rc;
use std::time::Duration;

use super::{Branch, BranchRequest, Deleted, Kind, Provider, delete_command};
use crate::error::{Code, Failure};

/// The limit for a deletion at the end of the process.
const EXIT_LIMIT: Duration = Duration::from_secs(45);

/// Reports a line to the user.
pub type Notify = Rc<dyn Fn(Severity, &str)>;

/// How important a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Progress.
    Note,
    /// A branch may remain and cost money.
    Warning,
}

/// Deletes a branch when it is dropped. [`Guard::finish`] deletes it and reports errors.
pub struct Guard<P: Provider + Send + 'static> {
    /// `None` when there is nothing to delete.
    armed: Option<(P, BranchRequest)>,
    branch: Option<Branch>,
    notify: Notify,
}

impl<P: Provider + Send + 'static> Guard<P> {
    /// Creates the branch.
    pub async fn create(provider: P, request: BranchRequest, notify: Notify) -> Result<Self, Failure> {
        let mut guard = Self { armed: None, branch: None, notify };
        let (provider, request) = guard.armed.insert((provider, request));
        match provider.create(request).await {
            Ok(branch) => {
                for note in &branch.notes {
                    (guard.notify)(Severity::Note, note);
                }
                guard.branch = Some(branch);
                Ok(guard)
            }
            Err(failure) => {
                // Perhaps nothing was created; the first failure is returned in any case.
                match provider.cleanup(request).await {
                    Ok(_) => {}
                    Err(second) => {
                        let hint =
                            delete_hint(provider.kind(), request, &second).map(|hint| format!("; {hint}"));
                        let left = not_deleted(request, None, &second);
                        (guard.notify)(Severity::Warning, &format!("{left}{}", hint.unwrap_or_default()));
                    }
                }
                guard.armed = None;
                Err(failure)
            }
        }
    }

    /// Guards an existing branch.
    pub fn of(provider: P, request: BranchRequest, branch: Branch, notify: Notify) -> Self {
        Self { armed: Some((provider, request)), branch: Some(branch), notify }
    }

    /// The provider and the branch.
    pub fn branch(&self) -> Result<(&P, &Branch), Failure> {
        match (&self.armed, &self.branch) {
            (Some((provider, _)), Some(branch)) => Ok((provider, branch)),
            _ => Err(Failure::new(Code::BranchNotFound, "the branch was already released")),
        }
    }

    /// Deletes the branch. A failure contains its name and expiry time.
    pub async fn finish(mut self) -> Result<Deleted, Failure> {
        let (Some((provider, request)), Some(branch)) = (&self.armed, &self.branch) else {
            return Ok(Deleted::Missing);
        };
        let deleted = provider.delete(&branch.id).await;
        let deleted = deleted.map_err(|failure| {
            let message = not_deleted(request, Some(branch), &failure);
            Failure { message, hint: delete_hint(provider.kind(), request, &failure), ..failure }
        });
        // Only after the answer: an interruption before it leaves the deletion to `drop`.
        self.armed = None;
        deleted
    }

    /// Keeps the branch.
    pub fn keep(mut self) {
        self.armed = None;
    }
}

/// The message for a branch that could not be deleted.
fn not_deleted(request: &BranchRequest, branch: Option<&Branch>, failure: &Failure) -> String {
    let name = &request.name;
    match branch {
        Some(Branch { expires_at: Some(end), .. }) => {
            format!("the branch {name} was not deleted ({failure}); it expires at {end}")
        }
        Some(_) => format!("the branch {name} was not deleted ({failure}) and does not expire"),
        None => format!("it is unknown whether the branch {name} was created or deleted ({failure})"),
    }
}

/// The command that deletes it; `None` if it belongs to another run.
fn delete_hint(kind: Kind, request: &BranchRequest, failure: &Failure) -> Option<String> {
    let command = || format!("delete it with `{}`", delete_command(request.name.as_str(), kind.as_str()));
    (failure.code != Code::BranchTarget).then(command)
}

impl<P: Provider + Send + 'static> Drop for Guard<P> {
    fn drop(&mut self) {
        let Some((provider, request)) = self.armed.take() else { return };
        let (kind, requested, branch) = (provider.kind(), request.clone(), self.branch.clone());
        if branch.is_some() {
            (self.notify)(Severity::Note, &format!("deleting the branch {}", requested.name));
        }
        // The runtime of the work cannot block here, and may be unwinding.
        let last = std::thread::Builder::new().name("delete the branch".to_owned()).spawn(move || {
            let provider = provider.detached();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| Failure::new(Code::Io, format!("starting a runtime: {error}")))?;
            runtime.block_on(async {
                let work = async {
                    match &branch {
                        Some(branch) => provider.delete(&branch.id).await,
                        None => provider.cleanup(&request).await,
                    }
                };
                let late = |_| Failure::new(Code::BranchApi, "no answer in time");
                tokio::time::timeout(EXIT_LIMIT, work).await.map_err(late)?
            })
        });
        let outcome = match last.map(std::thread::JoinHandle::join) {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => Err(Failure::new(Code::BranchApi, "the deletion was aborted")),
        };
        match outcome {
            Ok(Deleted::Now) => {
                (self.notify)(Severity::Note, &format!("the branch {} was deleted", requested.name));
            }
            Ok(Deleted::Missing) => {}
            Err(failure) => {
                let left = not_deleted(&requested, self.branch.as_ref(), &failure);
                let hint = delete_hint(kind, &requested, &failure).map(|hint| format!("; {hint}"));
                (self.notify)(Severity::Warning, &format!("{left}{}", hint.unwrap_or_default()));
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

    /// Records its calls.
    struct Fake {
        calls: Arc<Mutex<Vec<&'static str>>>,
        fails: &'static str,
    }

    impl Fake {
        fn record(&self, what: &'static str) -> Result<(), Failure> {
            self.calls.lock().unwrap().push(what);
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

        fn detached(&self) -> Self {
            Self { calls: self.calls.clone(), fails: self.fails }
        }

        async fn create(&self, request: &BranchRequest) -> Result<Branch, Failure> {
            self.record("create")?;
            Ok(Branch {
                id: BranchId("br-1".to_owned()),
                name: request.name.clone(),
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
            self.record("ready")
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

        async fn is_unchanged(&self, _branch: &Branch) -> Result<bool, Failure> {
            Ok(true)
        }

        async fn delete(&self, _branch: &BranchId) -> Result<Deleted, Failure> {
            self.record("delete").map(|()| Deleted::Now)
        }

        async fn cleanup(&self, _request: &BranchRequest) -> Result<Deleted, Failure> {
            self.record("cleanup").map(|()| Deleted::Missing)
        }
    }

    fn request() -> BranchRequest {
        BranchRequest {
            name: "pr-1".parse().unwrap(),
            parent: None,
            content: Content::All,
            expires: Duration::from_hours(1),
            run: uuid::Uuid::nil(),
            annotations: std::collections::BTreeMap::new(),
        }
    }

    type Work = fn(Result<Guard<Fake>, Failure>);

    /// Runs `work` with a provider that fails at `fails`; returns the provider's calls and the reported lines.
    fn run(fails: &'static str, work: Work) -> (Vec<&'static str>, String) {
        let (calls, lines) = (Arc::<Mutex<Vec<_>>>::default(), Rc::new(RefCell::new(String::new())));
        let (fake, sink) = (Fake { calls: calls.clone(), fails }, lines.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let notify: Notify = Rc::new(move |_, line| sink.borrow_mut().extend([line, "\n"]));
        let guard = runtime.block_on(Guard::create(fake, request(), notify));
        // As a panic of the work does, inside of a runtime.
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            runtime.block_on(async { work(guard) });
        }));
        drop(ended);
        let (calls, lines) = (calls.lock().unwrap().clone(), lines.borrow().clone());
        (calls, lines)
    }

    fn finish(guard: Guard<Fake>) -> Result<Deleted, Failure> {
        // The fake is always ready.
        let work = std::pin::pin!(guard.finish());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match work.poll(&mut context) {
            std::task::Poll::Ready(done) => done,
            std::task::Poll::Pending => panic!("the fake waits"),
        }
    }

    #[test]
    fn the_branch_is_deleted_once_after_every_end() {
        let ends: [(&str, Work); 3] = [
            ("dropped", drop),
            ("panicked", |guard| {
                let _guard = guard.unwrap();
                panic!("on purpose");
            }),
            ("finished", |guard| assert_eq!(finish(guard.unwrap()).unwrap(), Deleted::Now)),
        ];
        for (how, end) in ends {
            let (calls, lines) = run("", end);
            assert_eq!(calls, ["create", "delete"], "{how}");
            assert!(lines.starts_with("a note\n"), "{how}: {lines}");
        }
    }

    #[test]
    fn a_kept_branch_is_not_deleted() {
        let (calls, _lines) = run("", |guard| guard.unwrap().keep());
        assert_eq!(calls, ["create"]);
    }

    #[test]
    fn a_failed_creation_is_cleaned_up() {
        let (calls, lines) = run("create", |guard| {
            assert_eq!(guard.err().unwrap().message, "no create");
        });
        assert_eq!((calls, lines.as_str()), (vec!["create", "cleanup"], ""));
        let (_calls, lines) = run("create cleanup", drop);
        assert!(lines.contains("unknown whether the branch pr-1 was created"), "{lines}");
    }

    #[test]
    fn a_failed_deletion_is_reported_with_the_expiry() {
        let (calls, lines) = run("delete", drop);
        assert_eq!(calls, ["create", "delete"]);
        let expected = "the branch pr-1 was not deleted (no delete); it expires at 2026-11-21T12:00:00Z; delete it with \
                      `tenure branch delete --provider local 'pr-1'`";
        assert!(lines.contains(expected), "{lines}");
        let (calls, _lines) = run("delete", |guard| {
            let failure = finish(guard.unwrap()).unwrap_err();
            assert_eq!(failure.code, Code::BranchApi);
            assert!(failure.message.contains("it expires at"), "{failure}");
        });
        assert_eq!(calls, ["create", "delete"]);
    }
}
