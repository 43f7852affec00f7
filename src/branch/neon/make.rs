//! Making a branch so that there is exactly one, whatever gets lost on the way: a request whose outcome nobody
//! knows is followed by a look for the nonce; a name that is taken is ours, and made as its parent is now,
//! or foreign, and left alone.

use std::time::Duration;

use time::OffsetDateTime;

use super::Neon;
use super::answer::{BranchAnswer, CreatedAnswer, EndpointKind, Noted, Operation, ProjectAnswer};
use super::client::Trouble;
use super::refusal::Refused;
use super::request::{Call, PARENT};
use crate::branch::{Branch, BranchId, BranchName, Content, Deleted, Origin, REPOSITORY, Wanted};
use crate::error::{Code, Failure};

/// How often a name that is neither free nor anybody's is asked for.
const ROUNDS: u32 = 4;

/// The pauses before the looks for what a request may have made, which may be seen late.
const LOOKS: [Duration; 4] =
    [Duration::ZERO, Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];

/// What is known of the branch to be made, as it is being made.
struct Making<'w> {
    wanted: &'w Wanted,
    parent: Noted,
    /// When it is to end, until the API refuses to be told.
    expires: Option<OffsetDateTime>,
    /// The refusal that may have been about that.
    refused: Option<Refused>,
    notes: Vec<String>,
}

/// What a round led to.
enum Round {
    Made(Branch),
    /// The name may be free now; if not, this is the failure.
    Again(Failure),
}

impl Neon {
    pub(super) async fn make(&self, wanted: &Wanted) -> Result<Branch, Failure> {
        let doing = format!("making the branch {}", wanted.name);
        // Says at once whether the key and the project are right, and what time it is there.
        let project = Call::get(&[], format!("looking at the Neon project {}", self.client.project()));
        let project: ProjectAnswer =
            self.client.ask(&project).await.map_err(|trouble| trouble.failure(&project.doing))?;
        let parent = self.parent(wanted.parent.as_deref()).await?;
        let mut making = Making {
            wanted,
            expires: Some(self.client.now() + wanted.expires),
            refused: None,
            notes: what_to_know(&parent, wanted.content, project.project.store_passwords),
            parent,
        };
        let mut last = None;
        for round in 0..ROUNDS {
            if round > 0 {
                tokio::time::sleep(Duration::from_secs(u64::from(round))).await;
            }
            match self.round(&mut making, &doing).await? {
                Round::Made(branch) => return Ok(branch),
                Round::Again(failure) => last = Some(failure),
            }
        }
        Err(last.unwrap_or_else(|| Failure::new(Code::BranchApi, doing)))
    }

    async fn round(&self, making: &mut Making<'_>, doing: &str) -> Result<Round, Failure> {
        let wanted = making.wanted;
        loop {
            let call = Call::create(wanted, &making.parent.branch.id, making.expires);
            let asked = self.asked.replace(true);
            match self.client.ask::<CreatedAnswer>(&call).await {
                Ok(created) => {
                    let noted = Noted { branch: created.branch, notes: making.notes_of_ours() };
                    return Ok(Round::Made(making.branch(&noted, Origin::Created, &created.operations)));
                }
                Err(Trouble::Unknown(failure)) => {
                    return Ok(match self.adopted(making).await? {
                        Some(branch) => Round::Made(branch),
                        None => Round::Again(failure),
                    });
                }
                Err(Trouble::Refused(refused)) if refused.status == 409 && !refused.is_capacity() => {
                    return self.taken(making, &refused, (doing, asked)).await;
                }
                Err(Trouble::Refused(refused)) if refused.is_of_a_value() && making.expires.is_some() => {
                    making.expires = None;
                    making.refused = Some(refused);
                }
                Err(trouble) => {
                    // What was refused, or never got through, had no effect.
                    self.asked.set(asked);
                    // Without an end it was refused too, so the first reason was another one.
                    let trouble = making.refused.take().map_or(trouble, Trouble::Refused);
                    return Err(trouble.failure(doing));
                }
            }
        }
    }

    /// What a request of this run made although its answer got lost; of several, one stays.
    async fn adopted(&self, making: &mut Making<'_>) -> Result<Option<Branch>, Failure> {
        for pause in LOOKS {
            tokio::time::sleep(pause).await;
            let mut ours = self.of_run(making.wanted).await?;
            if ours.is_empty() {
                continue;
            }
            let first = ours.remove(0);
            for twin in ours {
                self.delete_checked(&BranchId(twin.branch.id)).await?;
            }
            return Ok(Some(making.branch(&first, Origin::Created, &[])));
        }
        Ok(None)
    }

    /// The branches that carry this run's nonce, the oldest first.
    async fn of_run(&self, wanted: &Wanted) -> Result<Vec<Noted>, Failure> {
        let run = wanted.run.to_string();
        let named = self.named(wanted.name.as_str()).await;
        let named = named.map_err(|trouble| trouble.failure("looking for the branch"))?;
        Ok(named.into_iter().filter(|noted| noted.run() == Some(&run)).collect())
    }

    /// The name is taken: by this run, by an earlier one of ours, or by somebody else.
    /// What was asked for before this request stands: its answer may have been lost, and its branch be seen late.
    async fn taken(
        &self,
        making: &mut Making<'_>,
        refused: &Refused,
        (doing, asked): (&str, bool),
    ) -> Result<Round, Failure> {
        if let Some(branch) = self.adopted_now(making).await? {
            return Ok(Round::Made(branch));
        }
        // This request made nothing.
        self.asked.set(asked);
        let wanted = making.wanted;
        let named = self.named(wanted.name.as_str()).await.map_err(|trouble| trouble.failure(doing))?;
        let Some(there) = named.into_iter().next() else {
            // It was deleted meanwhile, or its name is free only after a while.
            return Ok(Round::Again(refused.failure(doing)));
        };
        if there.branch.default || there.branch.protected || there.run().is_none() {
            return Err(foreign(&there, &wanted.name));
        }
        if let Some(repository) = of_another_repository(&there, wanted) {
            let message = format!(
                "the branch {} is there, and a job of {repository} made it: it is left alone",
                wanted.name
            );
            return Err(Failure::new(Code::BranchExists, message).hint("choose another name"));
        }
        self.renewed(making, &there).await
    }

    async fn adopted_now(&self, making: &mut Making<'_>) -> Result<Option<Branch>, Failure> {
        let ours = self.of_run(making.wanted).await?;
        Ok(ours.first().map(|first| making.branch(first, Origin::Created, &[])))
    }

    /// Makes a branch of ours as its parent is now: what an earlier run did to its schema would be in the way.
    async fn renewed(&self, making: &mut Making<'_>, there: &Noted) -> Result<Round, Failure> {
        let (id, name) = (there.branch.id.as_str(), making.wanted.name.as_str());
        if self.can_be_reset(making, there).await? {
            let call = Call::restore(id, &making.parent.branch.id, name);
            // However this ends, the branch may not be what it was.
            self.renewed.replace(Some(BranchId(id.to_owned())));
            match self.client.ask::<BranchAnswer>(&call).await {
                Ok(answer) => {
                    let mut noted = Noted { branch: answer.branch, notes: there.notes.clone() };
                    self.prolong(making, &mut noted).await?;
                    return Ok(Round::Made(making.branch(&noted, Origin::Reset, &answer.operations)));
                }
                // One that cannot be reset can be made anew, unless that is not allowed either.
                Err(Trouble::Refused(refused))
                    if !matches!(refused.status, 401 | 403) && !refused.is_capacity() =>
                {
                    self.renewed.replace(None);
                }
                Err(trouble) => {
                    if trouble.had_no_effect() {
                        self.renewed.replace(None);
                    }
                    return Err(trouble.failure(&call.doing));
                }
            }
        }
        self.delete_checked(&BranchId(id.to_owned())).await?;
        Ok(Round::Again(Failure::new(
            Code::BranchBusy,
            format!("the branch {name} was deleted to be made anew, and its name is not free yet"),
        )))
    }

    /// Whether resetting gives what was asked for.
    async fn can_be_reset(&self, making: &Making<'_>, there: &Noted) -> Result<bool, Failure> {
        let same = there.branch.parent_id.as_deref() == Some(making.parent.branch.id.as_str());
        if !same || making.wanted.content == Content::Schema || there.branch.is_schema_only() {
            return Ok(false);
        }
        let endpoints = self.endpoints(&there.branch.id).await;
        let endpoints = endpoints.map_err(|trouble| trouble.failure("asking for the branch's compute"))?;
        Ok(endpoints.iter().any(|endpoint| endpoint.kind == EndpointKind::ReadWrite && !endpoint.disabled))
    }

    /// Gives a branch that was reset its whole time again.
    async fn prolong(&self, making: &mut Making<'_>, noted: &mut Noted) -> Result<(), Failure> {
        let call = making
            .expires
            .and_then(|expires| Call::expire(&noted.branch.id, expires, making.wanted.name.as_str()));
        let Some(call) = call else { return Ok(()) };
        match self.client.ask::<BranchAnswer>(&call).await {
            Ok(answer) => noted.branch.expires_at = answer.branch.expires_at,
            Err(Trouble::Refused(refused)) => making.notes.push(format!(
                "Neon keeps the end that the branch had, and takes no new one ({})",
                refused.failure(&call.doing)
            )),
            Err(trouble) => return Err(trouble.failure(&call.doing)),
        }
        Ok(())
    }

    /// Deletes what a call for exactly this made or began to make anew, if it did.
    pub(super) async fn take_back(&self, wanted: &Wanted) -> Result<Deleted, Failure> {
        let renewed = self.renewed.borrow().clone();
        if let Some(id) = renewed {
            return self.delete_checked(&id).await;
        }
        if !self.asked.get() {
            return Ok(Deleted::Gone);
        }
        for pause in LOOKS {
            tokio::time::sleep(pause).await;
            let ours = self.of_run(wanted).await?;
            if !ours.is_empty() {
                for noted in ours {
                    self.delete_checked(&BranchId(noted.branch.id)).await?;
                }
                return Ok(Deleted::Now);
            }
        }
        Ok(Deleted::Gone)
    }
}

impl Making<'_> {
    fn notes_of_ours(&self) -> std::collections::BTreeMap<String, String> {
        [
            (crate::branch::MARK.to_owned(), self.wanted.run.to_string()),
            (PARENT.to_owned(), self.parent.branch.id.clone()),
        ]
        .into()
    }

    fn branch(&mut self, noted: &Noted, origin: Origin, operations: &[Operation]) -> Branch {
        let mut branch = seen(noted, origin);
        branch.pending = operations.iter().map(|operation| operation.id.clone()).collect();
        branch.notes.append(&mut self.notes);
        if let Some(refused) = self.refused.take() {
            branch.notes.push(format!(
                "Neon takes no end for the branch ({}): it stays until it is deleted",
                refused.failure("expires_at")
            ));
        } else if branch.expires_at.is_none() {
            branch.notes.push("Neon says no end of the branch: it stays until it is deleted".to_owned());
        }
        branch
    }
}

/// A branch of ours, as the API shows it.
pub(super) fn seen(noted: &Noted, origin: Origin) -> Branch {
    let api = &noted.branch;
    Branch {
        id: BranchId(api.id.clone()),
        name: BranchName::seen(api.name.clone()),
        origin,
        content: if api.is_schema_only() { Content::Schema } else { Content::All },
        parent: api.parent_id.clone().or_else(|| noted.notes.get(PARENT).cloned()),
        run: noted.run().map(str::to_owned),
        created_at: api.last_reset_at.clone().or_else(|| api.created_at.clone()),
        expires_at: api.expires_at.clone(),
        pending: Vec::new(),
        notes: Vec::new(),
    }
}

/// The repository whose job made the branch, where that is another one than ours.
fn of_another_repository<'n>(there: &'n Noted, wanted: &Wanted) -> Option<&'n str> {
    let (theirs, ours) = (there.notes.get(REPOSITORY)?, wanted.annotations.get(REPOSITORY)?);
    (!theirs.eq_ignore_ascii_case(ours)).then_some(theirs.as_str())
}

/// The refusal to touch what Tenure did not make.
pub(super) fn foreign(there: &Noted, name: &BranchName) -> Failure {
    let why = if there.branch.default {
        "is the project's default branch"
    } else if there.branch.protected {
        "is protected"
    } else {
        "was not made by Tenure"
    };
    Failure::new(Code::BranchExists, format!("the branch {name} is there, and it {why}: it is left alone"))
        .hint("choose another name")
}

/// What people should know of a branch before it is there.
fn what_to_know(parent: &Noted, content: Content, store_passwords: Option<bool>) -> Vec<String> {
    let mut notes = Vec::new();
    if parent.branch.default && !parent.branch.protected && content == Content::All {
        notes.push(format!(
            "the branch {} is not protected, so its copies have its roles' passwords",
            parent.branch.name
        ));
    }
    if store_passwords == Some(false) {
        notes.push("the project keeps no passwords, so Neon may give no whole URL".to_owned());
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(json: &str) -> Noted {
        Noted::new(serde_json::from_str(json).unwrap(), None)
    }

    #[test]
    fn a_copy_of_what_is_not_protected_shares_its_passwords() {
        let open = noted(r#"{"id":"br-m","name":"main","default":true,"protected":false}"#);
        let closed = noted(r#"{"id":"br-m","name":"main","default":true,"protected":true}"#);
        let notes = |parent, content| what_to_know(parent, content, None);
        assert!(notes(&open, Content::All)[0].contains("main is not protected"));
        assert!(notes(&closed, Content::All).is_empty() && notes(&open, Content::Schema).is_empty());
        assert_eq!(what_to_know(&closed, Content::All, Some(false)).len(), 1);
    }

    #[test]
    fn what_is_foreign_says_why() {
        let name = BranchName::seen("x");
        for (json, why) in [
            (r#"{"id":"a","name":"x","default":true,"protected":true}"#, "default"),
            (r#"{"id":"a","name":"x","default":false,"protected":true}"#, "protected"),
            (r#"{"id":"a","name":"x","default":false,"protected":false}"#, "not made by Tenure"),
        ] {
            let failure = foreign(&noted(json), &name);
            assert_eq!(failure.code, Code::BranchExists);
            assert!(failure.message.contains(why), "{failure}");
        }
    }

    #[test]
    fn a_schema_only_branch_knows_its_parent_by_its_note() {
        let mut only = noted(
            r#"{"id":"a","name":"x","default":false,"protected":false,"created_at":"1","last_reset_at":"2"}"#,
        );
        only.notes.insert(PARENT.to_owned(), "br-m".to_owned());
        let branch = seen(&only, Origin::Found);
        assert_eq!((branch.content, branch.parent.as_deref()), (Content::Schema, Some("br-m")));
        assert_eq!(branch.created_at.as_deref(), Some("2"));
    }
}
