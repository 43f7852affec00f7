//! Finds branches by name, id or host, page by page.

use super::answer::{AnnotatedBranch, BranchAnswer, BranchesAnswer, Endpoint, EndpointsAnswer};
use super::client::ApiError;
use super::request::Call;
use super::{EXTRA_TIME, Neon};
use crate::branch::{BranchId, with_timeout};
use crate::error::{Code, Failure};

/// The page size; most projects need one page.
const PAGE_SIZE: &str = "400";

/// The branches to list.
#[derive(Debug, Clone, Copy)]
pub(super) enum BranchFilter<'n> {
    All,
    /// Branches whose name or id contains a text, by the API's search.
    Containing(&'n str),
}

impl Neon {
    /// Calls `visit` with each branch in order of creation, until it returns `false`.
    pub(super) async fn for_each_branch(
        &self,
        which: BranchFilter<'_>,
        mut visit: impl FnMut(AnnotatedBranch) -> bool,
    ) -> Result<(), ApiError> {
        let mut cursor: Option<String> = None;
        loop {
            let mut call = Call::get(&["branches"], "listing the project's branches")
                .query("limit", PAGE_SIZE)
                .query("sort_by", "created_at")
                .query("sort_order", "asc");
            if let BranchFilter::Containing(word) = which {
                call = call.query("search", word);
            }
            if let Some(cursor) = &cursor {
                call = call.query("cursor", cursor.as_str());
            }
            let page: BranchesAnswer = self.client.call(&call).await?;
            let was_empty = page.branches.is_empty();
            for branch in page.branches {
                let annotation = page.annotations.get(&branch.id);
                let branch_info = AnnotatedBranch::new(branch, annotation);
                if !branch_info.branch.is_deleted() && !visit(branch_info) {
                    return Ok(());
                }
            }
            let next = page.pagination.and_then(|pages| pages.next).filter(|next| !next.is_empty());
            // Also stop if the server repeats a page.
            if was_empty || next.is_none() || next == cursor {
                return Ok(());
            }
            cursor = next;
        }
    }

    /// All branches with exactly this name: the API's search for `pr-1` also finds `pr-14`.
    pub(super) async fn find_by_name(&self, name: &str) -> Result<Vec<AnnotatedBranch>, ApiError> {
        let mut found = Vec::new();
        self.for_each_branch(BranchFilter::Containing(name), |branch_info| {
            if branch_info.branch.name == name {
                found.push(branch_info);
            }
            true
        })
        .await?;
        Ok(found)
    }

    /// The branch with this id.
    pub(super) async fn find_by_id(&self, id: &str) -> Result<AnnotatedBranch, ApiError> {
        let call = Call::get(&["branches", id], format!("reading the branch {id}"));
        let answer: BranchAnswer = self.client.call(&call).await?;
        Ok(AnnotatedBranch::new(answer.branch, answer.annotation.as_ref()))
    }

    /// The parent: the named branch, or the project's default branch.
    pub(super) async fn parent(&self, name: Option<&str>) -> Result<AnnotatedBranch, Failure> {
        let action = "finding the parent";
        let not_found = |message: String| {
            Failure::new(Code::BranchNotFound, message).hint("list the branches with `neon branches list`")
        };
        let Some(name) = name else {
            let mut found = None;
            let result = self.for_each_branch(BranchFilter::All, |branch_info| {
                if branch_info.branch.default {
                    found = Some(branch_info);
                }
                found.is_none()
            });
            result.await.map_err(|api_error| api_error.failure(action))?;
            return found.ok_or_else(|| not_found("the project has no default branch".to_owned()));
        };
        let found = match self.find_by_name(name).await {
            Ok(named) => named.into_iter().next(),
            Err(api_error) => return Err(api_error.failure(action)),
        };
        match found {
            Some(found) => Ok(found),
            None if name.starts_with("br-") => match self.find_by_id(name).await {
                Ok(found) => Ok(found),
                Err(api_error) if api_error.is_not_found() => {
                    Err(not_found(format!("the parent {name:?} does not exist")))
                }
                Err(api_error) => Err(api_error.failure(action)),
            },
            None => Err(not_found(format!("the parent {name:?} does not exist"))),
        }
    }

    /// The branch whose compute has this host, the host of a database URL. The default branch is checked first,
    /// then the others in order of creation, since a production branch is usually old.
    pub async fn find_by_host(&self, host: &str) -> Result<BranchId, Failure> {
        let action = "finding the branch of the database";
        let work = async {
            let mut all = Vec::new();
            let result = self.for_each_branch(BranchFilter::All, |branch_info| {
                all.push((!branch_info.branch.default, branch_info.branch.id));
                true
            });
            result.await.map_err(|api_error| api_error.failure(action))?;
            // The sort is stable.
            all.sort_by_key(|(is_other, _)| *is_other);
            for (_, id) in all {
                let endpoints = self.endpoints(&id).await.map_err(|api_error| api_error.failure(action))?;
                if endpoints.iter().any(|endpoint| endpoint.host == host) {
                    return Ok(BranchId(id));
                }
            }
            Err(Failure::new(Code::BranchNotFound, format!("no branch of the project has the host {host}"))
                .hint("set NEON_PROJECT_ID to the project of the database"))
        };
        with_timeout(self.retry_timeout + EXTRA_TIME, action, work).await
    }

    pub(super) async fn endpoints(&self, id: &str) -> Result<Vec<Endpoint>, ApiError> {
        let call = Call::get(&["branches", id, "endpoints"], "reading the branch's compute");
        self.client.call::<EndpointsAnswer>(&call).await.map(|answer| answer.endpoints)
    }
}
