//! Finding branches: by exactly their name, by who made them, page by page.

use super::answer::{BranchAnswer, BranchesAnswer, Endpoint, EndpointsAnswer, Noted};
use super::client::Trouble;
use super::request::Call;
use super::{Neon, SLACK};
use crate::branch::{BranchId, within};
use crate::error::{Code, Failure};

/// So many branches a page: most projects have one.
const PAGE: &str = "400";

/// Which branches are walked through.
#[derive(Debug, Clone, Copy)]
pub(super) enum Which<'n> {
    All,
    /// Those that the API finds by a word, which stands somewhere in the name or the id.
    Containing(&'n str),
}

impl Neon {
    /// Walks through branches, the oldest first, until `takes` wants no more.
    pub(super) async fn walk(
        &self,
        which: Which<'_>,
        mut takes: impl FnMut(Noted) -> bool,
    ) -> Result<(), Trouble> {
        let mut cursor: Option<String> = None;
        loop {
            let mut call = Call::get(&["branches"], "listing the project's branches")
                .query("limit", PAGE)
                .query("sort_by", "created_at")
                .query("sort_order", "asc");
            if let Which::Containing(word) = which {
                call = call.query("search", word);
            }
            if let Some(cursor) = &cursor {
                call = call.query("cursor", cursor.as_str());
            }
            let page: BranchesAnswer = self.client.ask(&call).await?;
            let was_empty = page.branches.is_empty();
            for branch in page.branches {
                let annotation = page.annotations.get(&branch.id);
                let noted = Noted::new(branch, annotation);
                if !noted.branch.is_deleted() && !takes(noted) {
                    return Ok(());
                }
            }
            let next = page.pagination.and_then(|pages| pages.next).filter(|next| !next.is_empty());
            // A server that answers with the same place again would keep us for ever.
            if was_empty || next.is_none() || next == cursor {
                return Ok(());
            }
            cursor = next;
        }
    }

    /// All branches of exactly this name: the API's own search also finds `pr-14` for `pr-1`.
    pub(super) async fn named(&self, name: &str) -> Result<Vec<Noted>, Trouble> {
        let mut found = Vec::new();
        self.walk(Which::Containing(name), |noted| {
            if noted.branch.name == name {
                found.push(noted);
            }
            true
        })
        .await?;
        Ok(found)
    }

    /// A branch by its id.
    pub(super) async fn by_id(&self, id: &str) -> Result<Noted, Trouble> {
        let call = Call::get(&["branches", id], format!("looking at the branch {id}"));
        let answer: BranchAnswer = self.client.ask(&call).await?;
        Ok(Noted::new(answer.branch, answer.annotation.as_ref()))
    }

    /// What a branch is to be a copy of: the one that is named, or the project's default.
    pub(super) async fn parent(&self, name: Option<&str>) -> Result<Noted, Failure> {
        let doing = "looking for the parent";
        let absent = |message: String| {
            Failure::new(Code::BranchNotFound, message).hint("`neon branches list` shows what there is")
        };
        let Some(name) = name else {
            let mut found = None;
            let walked = self.walk(Which::All, |noted| {
                if noted.branch.default {
                    found = Some(noted);
                }
                found.is_none()
            });
            walked.await.map_err(|trouble| trouble.failure(doing))?;
            return found.ok_or_else(|| absent("the project has no default branch".to_owned()));
        };
        let found = match self.named(name).await {
            Ok(named) => named.into_iter().next(),
            Err(trouble) => return Err(trouble.failure(doing)),
        };
        match found {
            Some(found) => Ok(found),
            None if name.starts_with("br-") => match self.by_id(name).await {
                Ok(found) => Ok(found),
                Err(trouble) if trouble.is_absence() => {
                    Err(absent(format!("the parent {name:?} is not there")))
                }
                Err(trouble) => Err(trouble.failure(doing)),
            },
            None => Err(absent(format!("the parent {name:?} is not there"))),
        }
    }

    /// The branch whose compute has this host: of a database that is named by its URL. Asks for the computes of the
    /// default branch first, then of the others, the oldest first, as a database that people use is.
    pub async fn of_host(&self, host: &str) -> Result<BranchId, Failure> {
        let doing = "looking for the branch of the database";
        let work = async {
            let mut all = Vec::new();
            let walked = self.walk(Which::All, |noted| {
                all.push((!noted.branch.default, noted.branch.id));
                true
            });
            walked.await.map_err(|trouble| trouble.failure(doing))?;
            // Sorting keeps the order of those that are alike.
            all.sort_by_key(|(is_other, _)| *is_other);
            for (_, id) in all {
                let endpoints = self.endpoints(&id).await.map_err(|trouble| trouble.failure(doing))?;
                if endpoints.iter().any(|endpoint| endpoint.host == host) {
                    return Ok(BranchId(id));
                }
            }
            Err(Failure::new(Code::BranchNotFound, format!("no branch of the project has the host {host}"))
                .hint("set NEON_PROJECT_ID to the project of the database"))
        };
        within(self.retry_timeout + SLACK, doing, work).await
    }

    /// The computes of a branch.
    pub(super) async fn endpoints(&self, id: &str) -> Result<Vec<Endpoint>, Trouble> {
        let call = Call::get(&["branches", id, "endpoints"], "asking for the branch's compute");
        self.client.ask::<EndpointsAnswer>(&call).await.map(|answer| answer.endpoints)
    }
}
