//! Creates a branch. Creation is idempotent: if the effect of a request is unknown, the branch with this run's
//! id is searched. If the name exists, the branch is reset to its parent if it is Tenure's, else this fails.

use std::time::Duration;

use time::OffsetDateTime;

use super::Neon;
use super::answer::{AnnotatedBranch, BranchAnswer, CreatedAnswer, EndpointKind, Operation, ProjectAnswer};
use super::client::ApiError;
use super::error::ErrorResponse;
use super::request::{Call, PARENT};
use crate::branch::{Branch, BranchId, BranchName, BranchRequest, Content, Deleted, Origin, REPOSITORY};
use crate::error::{Code, Failure};

/// How often creation is repeated while the name is neither free nor listed.
const MAX_ROUNDS: u32 = 4;

/// The pauses before each search for a created branch, which may be listed late.
const LOOKUP_PAUSES: [Duration; 4] =
    [Duration::ZERO, Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];

/// The state of a creation.
struct Creation<'w> {
    request: &'w BranchRequest,
    parent: AnnotatedBranch,
    /// The expiry time; `None` after the API rejected it.
    expires: Option<OffsetDateTime>,
    /// The error that may be about the expiry time.
    expiry_error: Option<ErrorResponse>,
    notes: Vec<String>,
}

/// The result of one round.
enum RoundResult {
    Created(Branch),
    /// The name may be free now; this is the failure if no round follows.
    Retry(Failure),
}

impl Neon {
    pub(super) async fn create_branch(&self, request: &BranchRequest) -> Result<Branch, Failure> {
        let action = format!("creating the branch {}", request.name);
        // Checks the key and the project, and sets the clock.
        let project = Call::get(&[], format!("reading the Neon project {}", self.client.project()));
        let project: ProjectAnswer =
            self.client.call(&project).await.map_err(|api_error| api_error.failure(&project.action))?;
        let parent = self.parent(request.parent.as_deref()).await?;
        let mut creation = Creation {
            request,
            expires: Some(self.client.now() + request.expires),
            expiry_error: None,
            notes: creation_notes(&parent, request.content, project.project.store_passwords),
            parent,
        };
        let mut last = None;
        for round in 0..MAX_ROUNDS {
            if round > 0 {
                tokio::time::sleep(Duration::from_secs(u64::from(round))).await;
            }
            match self.round(&mut creation, &action).await? {
                RoundResult::Created(branch) => return Ok(branch),
                RoundResult::Retry(failure) => last = Some(failure),
            }
        }
        Err(last.unwrap_or_else(|| Failure::new(Code::BranchApi, action)))
    }

    async fn round(&self, creation: &mut Creation<'_>, action: &str) -> Result<RoundResult, Failure> {
        let request = creation.request;
        loop {
            let call = Call::create(request, &creation.parent.branch.id, creation.expires);
            let requested = self.requested.replace(true);
            match self.client.call::<CreatedAnswer>(&call).await {
                Ok(created) => {
                    let branch_info =
                        AnnotatedBranch { branch: created.branch, notes: creation.annotations() };
                    return Ok(RoundResult::Created(creation.branch(
                        &branch_info,
                        Origin::Created,
                        &created.operations,
                    )));
                }
                Err(ApiError::Unknown(failure)) => {
                    return Ok(match self.find_created(creation).await? {
                        Some(branch) => RoundResult::Created(branch),
                        None => RoundResult::Retry(failure),
                    });
                }
                Err(ApiError::ErrorResponse(response))
                    if response.status == 409 && !response.is_capacity() =>
                {
                    return self.resolve_conflict(creation, &response, (action, requested)).await;
                }
                Err(ApiError::ErrorResponse(response))
                    if response.may_be_about_a_value() && creation.expires.is_some() =>
                {
                    creation.expires = None;
                    creation.expiry_error = Some(response);
                }
                Err(api_error) => {
                    // A rejected or unsent request had no effect.
                    self.requested.set(requested);
                    // It was rejected without an expiry time too, so the first error had another reason.
                    let api_error = creation.expiry_error.take().map_or(api_error, ApiError::ErrorResponse);
                    return Err(api_error.failure(action));
                }
            }
        }
    }

    /// The branch that a request of this run created although its answer was lost. Duplicates are deleted.
    async fn find_created(&self, creation: &mut Creation<'_>) -> Result<Option<Branch>, Failure> {
        for pause in LOOKUP_PAUSES {
            tokio::time::sleep(pause).await;
            let mut own = self.of_run(creation.request).await?;
            if own.is_empty() {
                continue;
            }
            let first = own.remove(0);
            for duplicate in own {
                self.delete_checked(&BranchId(duplicate.branch.id)).await?;
            }
            return Ok(Some(creation.branch(&first, Origin::Created, &[])));
        }
        Ok(None)
    }

    /// The branches with this run's id, in order of creation.
    async fn of_run(&self, request: &BranchRequest) -> Result<Vec<AnnotatedBranch>, Failure> {
        let run = request.run.to_string();
        let named = self.find_by_name(request.name.as_str()).await;
        let named = named.map_err(|api_error| api_error.failure("finding the branch"))?;
        Ok(named.into_iter().filter(|branch_info| branch_info.run() == Some(&run)).collect())
    }

    /// The name exists: from this run, an earlier run of Tenure, or another program. `self.requested` keeps its
    /// value from before this request, whose branch may be listed late after a lost answer.
    async fn resolve_conflict(
        &self,
        creation: &mut Creation<'_>,
        response: &ErrorResponse,
        (action, requested): (&str, bool),
    ) -> Result<RoundResult, Failure> {
        if let Some(branch) = self.find_created_now(creation).await? {
            return Ok(RoundResult::Created(branch));
        }
        // This request had no effect.
        self.requested.set(requested);
        let request = creation.request;
        let named =
            self.find_by_name(request.name.as_str()).await.map_err(|api_error| api_error.failure(action))?;
        let Some(existing) = named.into_iter().next() else {
            // It was deleted, or its name becomes free later.
            return Ok(RoundResult::Retry(response.failure(action)));
        };
        if existing.branch.default || existing.branch.protected || existing.run().is_none() {
            return Err(name_conflict(&existing, &request.name));
        }
        if let Some(repository) = other_repository(&existing, request) {
            let message = format!(
                "the branch {} exists and was created by a job of {repository}: it is not changed",
                request.name
            );
            return Err(Failure::new(Code::BranchExists, message).hint("choose another name"));
        }
        self.reset_branch(creation, &existing).await
    }

    async fn find_created_now(&self, creation: &mut Creation<'_>) -> Result<Option<Branch>, Failure> {
        let own = self.of_run(creation.request).await?;
        Ok(own.first().map(|first| creation.branch(first, Origin::Created, &[])))
    }

    /// Resets a branch of Tenure to its parent, since an earlier run may have changed its schema.
    async fn reset_branch(
        &self,
        creation: &mut Creation<'_>,
        existing: &AnnotatedBranch,
    ) -> Result<RoundResult, Failure> {
        let (id, name) = (existing.branch.id.as_str(), creation.request.name.as_str());
        if self.can_reset(creation, existing).await? {
            let call = Call::restore(id, &creation.parent.branch.id, name);
            // From now on the branch may be changed.
            self.reset_branch.replace(Some(BranchId(id.to_owned())));
            match self.client.call::<BranchAnswer>(&call).await {
                Ok(answer) => {
                    let mut branch_info =
                        AnnotatedBranch { branch: answer.branch, notes: existing.notes.clone() };
                    self.extend(creation, &mut branch_info).await?;
                    return Ok(RoundResult::Created(creation.branch(
                        &branch_info,
                        Origin::Reset,
                        &answer.operations,
                    )));
                }
                // If it cannot be reset, it is deleted and created again, unless that is not allowed either.
                Err(ApiError::ErrorResponse(response))
                    if !matches!(response.status, 401 | 403) && !response.is_capacity() =>
                {
                    self.reset_branch.replace(None);
                }
                Err(api_error) => {
                    if api_error.had_no_effect() {
                        self.reset_branch.replace(None);
                    }
                    return Err(api_error.failure(&call.action));
                }
            }
        }
        self.delete_checked(&BranchId(id.to_owned())).await?;
        Ok(RoundResult::Retry(Failure::new(
            Code::BranchBusy,
            format!("the branch {name} was deleted to be recreated, and its name is not free yet"),
        )))
    }

    /// Whether a reset gives the requested branch.
    async fn can_reset(&self, creation: &Creation<'_>, existing: &AnnotatedBranch) -> Result<bool, Failure> {
        let same = existing.branch.parent_id.as_deref() == Some(creation.parent.branch.id.as_str());
        if !same || creation.request.content == Content::Schema || existing.branch.is_schema_only() {
            return Ok(false);
        }
        let endpoints = self.endpoints(&existing.branch.id).await;
        let endpoints = endpoints.map_err(|api_error| api_error.failure("reading the branch's compute"))?;
        Ok(endpoints.iter().any(|endpoint| endpoint.kind == EndpointKind::ReadWrite && !endpoint.disabled))
    }

    /// Sets the expiry time of a reset branch.
    async fn extend(
        &self,
        creation: &mut Creation<'_>,
        branch_info: &mut AnnotatedBranch,
    ) -> Result<(), Failure> {
        let call = creation.expires.and_then(|expires| {
            Call::expire(&branch_info.branch.id, expires, creation.request.name.as_str())
        });
        let Some(call) = call else { return Ok(()) };
        match self.client.call::<BranchAnswer>(&call).await {
            Ok(answer) => branch_info.branch.expires_at = answer.branch.expires_at,
            Err(ApiError::ErrorResponse(response)) => creation.notes.push(format!(
                "Neon keeps the previous expiry time of the branch and rejects a new one ({})",
                response.failure(&call.action)
            )),
            Err(api_error) => return Err(api_error.failure(&call.action)),
        }
        Ok(())
    }

    /// Deletes what a call with this request created or began to reset.
    pub(super) async fn delete_created(&self, request: &BranchRequest) -> Result<Deleted, Failure> {
        let reset_branch = self.reset_branch.borrow().clone();
        if let Some(id) = reset_branch {
            return self.delete_checked(&id).await;
        }
        if !self.requested.get() {
            return Ok(Deleted::Missing);
        }
        for pause in LOOKUP_PAUSES {
            tokio::time::sleep(pause).await;
            let own = self.of_run(request).await?;
            if !own.is_empty() {
                for branch_info in own {
                    self.delete_checked(&BranchId(branch_info.branch.id)).await?;
                }
                return Ok(Deleted::Now);
            }
        }
        Ok(Deleted::Missing)
    }
}

impl Creation<'_> {
    fn annotations(&self) -> std::collections::BTreeMap<String, String> {
        [
            (crate::branch::RUN_ANNOTATION.to_owned(), self.request.run.to_string()),
            (PARENT.to_owned(), self.parent.branch.id.clone()),
        ]
        .into()
    }

    fn branch(&mut self, branch_info: &AnnotatedBranch, origin: Origin, operations: &[Operation]) -> Branch {
        let mut branch = to_branch(branch_info, origin);
        branch.pending = operations.iter().map(|operation| operation.id.clone()).collect();
        branch.notes.append(&mut self.notes);
        if let Some(response) = self.expiry_error.take() {
            branch.notes.push(format!(
                "Neon rejects an expiry time for the branch ({}): it stays until it is deleted",
                response.failure("expires_at")
            ));
        } else if branch.expires_at.is_none() {
            branch
                .notes
                .push("Neon returns no expiry time for the branch: it stays until it is deleted".to_owned());
        }
        branch
    }
}

/// Converts the API's branch.
pub(super) fn to_branch(branch_info: &AnnotatedBranch, origin: Origin) -> Branch {
    let api = &branch_info.branch;
    Branch {
        id: BranchId(api.id.clone()),
        name: BranchName::from_provider(api.name.clone()),
        origin,
        content: if api.is_schema_only() { Content::Schema } else { Content::All },
        parent: api.parent_id.clone().or_else(|| branch_info.notes.get(PARENT).cloned()),
        run: branch_info.run().map(str::to_owned),
        created_at: api.last_reset_at.clone().or_else(|| api.created_at.clone()),
        expires_at: api.expires_at.clone(),
        pending: Vec::new(),
        notes: Vec::new(),
    }
}

/// The repository whose job created the branch, if it is not this one.
fn other_repository<'n>(existing: &'n AnnotatedBranch, request: &BranchRequest) -> Option<&'n str> {
    let (theirs, own) = (existing.notes.get(REPOSITORY)?, request.annotations.get(REPOSITORY)?);
    (!theirs.eq_ignore_ascii_case(own)).then_some(theirs.as_str())
}

/// The failure for an existing branch that is not changed.
pub(super) fn name_conflict(existing: &AnnotatedBranch, name: &BranchName) -> Failure {
    let why = if existing.branch.default {
        "is the project's default branch"
    } else if existing.branch.protected {
        "is protected"
    } else {
        "was not created by Tenure"
    };
    Failure::new(Code::BranchExists, format!("the branch {name} exists and {why}: it is not changed"))
        .hint("choose another name")
}

/// Notes for the user about the new branch.
fn creation_notes(parent: &AnnotatedBranch, content: Content, store_passwords: Option<bool>) -> Vec<String> {
    let mut notes = Vec::new();
    if parent.branch.default && !parent.branch.protected && content == Content::All {
        notes.push(format!(
            "the branch {} is not protected, so its copies have the passwords of its roles",
            parent.branch.name
        ));
    }
    if store_passwords == Some(false) {
        notes.push("the project does not store passwords, so Neon may not return complete URLs".to_owned());
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn branch_info(json: &str) -> AnnotatedBranch {
        AnnotatedBranch::new(serde_json::from_str(json).unwrap(), None)
    }

    #[test]
    fn a_copy_of_an_unprotected_branch_shares_passwords() {
        let open = branch_info(r#"{"id":"br-m","name":"main","default":true,"protected":false}"#);
        let closed = branch_info(r#"{"id":"br-m","name":"main","default":true,"protected":true}"#);
        let notes = |parent, content| creation_notes(parent, content, None);
        assert!(notes(&open, Content::All)[0].contains("main is not protected"));
        assert!(notes(&closed, Content::All).is_empty() && notes(&open, Content::Schema).is_empty());
        assert_eq!(creation_notes(&closed, Content::All, Some(false)).len(), 1);
    }

    #[test]
    fn the_failure_for_another_branch_has_a_reason() {
        let name = BranchName::from_provider("x");
        for (json, why) in [
            (r#"{"id":"a","name":"x","default":true,"protected":true}"#, "default"),
            (r#"{"id":"a","name":"x","default":false,"protected":true}"#, "protected"),
            (r#"{"id":"a","name":"x","default":false,"protected":false}"#, "not created by Tenure"),
        ] {
            let failure = name_conflict(&branch_info(json), &name);
            assert_eq!(failure.code, Code::BranchExists);
            assert!(failure.message.contains(why), "{failure}");
        }
    }

    #[test]
    fn a_schema_only_branch_has_its_parent_in_an_annotation() {
        let mut only = branch_info(
            r#"{"id":"a","name":"x","default":false,"protected":false,"created_at":"1","last_reset_at":"2"}"#,
        );
        only.notes.insert(PARENT.to_owned(), "br-m".to_owned());
        let branch = to_branch(&only, Origin::Found);
        assert_eq!((branch.content, branch.parent.as_deref()), (Content::Schema, Some("br-m")));
        assert_eq!(branch.created_at.as_deref(), Some("2"));
    }
}
