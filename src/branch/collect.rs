//! Deletes old branches, chosen by name prefix and age.

use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Branch, BranchFailure, BranchesCollected, Provider};
use crate::error::Failure;
use crate::postgres::metadata::RunStatus;

/// Deletes Tenure's branches with this name prefix that are older than `older_than` or have expired. An error
/// for one does not prevent the deletion of the others.
pub async fn collect(
    provider: &impl Provider,
    prefix: &str,
    older_than: Duration,
) -> Result<BranchesCollected, Failure> {
    let (due, mut kept) = choose(provider.list().await?, prefix, older_than, provider.now());
    let (mut deleted, mut failed) = (Vec::new(), Vec::new());
    for branch in due {
        match provider.delete_if_unchanged(&branch).await {
            Ok(None) => kept += 1,
            Ok(Some(_)) => deleted.push(branch.row(provider.kind())),
            Err(failure) => failed.push(BranchFailure { name: branch.name.to_string(), failure }),
        }
    }
    let outcome = match (deleted.is_empty(), failed.is_empty()) {
        (true, true) => RunStatus::Nothing,
        (false, true) => RunStatus::Done,
        (true, false) => RunStatus::Failed,
        (false, false) => RunStatus::Partial,
    };
    Ok(BranchesCollected { outcome, provider: provider.kind().as_str(), deleted, kept, failures: failed })
}

/// The branches to delete in order of creation, and the number of others. A branch without a valid creation
/// time is kept.
fn choose(
    branches: Vec<Branch>,
    prefix: &str,
    older_than: Duration,
    now: OffsetDateTime,
) -> (Vec<Branch>, usize) {
    let parse = |text: Option<&str>| OffsetDateTime::parse(text?, &Rfc3339).ok();
    let all = branches.len();
    let mut due: Vec<_> = branches
        .into_iter()
        .filter(|branch| branch.name.as_str().starts_with(prefix))
        .filter_map(|branch| {
            let created = parse(branch.created_at.as_deref())?;
            let age = Duration::try_from(now - created).unwrap_or(Duration::ZERO);
            let is_over = parse(branch.expires_at.as_deref()).is_some_and(|end| end <= now);
            (age >= older_than || is_over).then_some((created, branch))
        })
        .collect();
    due.sort_by_key(|(created, _)| *created);
    let due: Vec<_> = due.into_iter().map(|(_, branch)| branch).collect();
    let kept = all - due.len();
    (due, kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::branch::{BranchId, BranchName, Content, Origin};

    fn branch(name: &str, created_at: Option<&str>) -> Branch {
        Branch {
            id: BranchId(format!("br-{name}")),
            name: BranchName::from_provider(name),
            origin: Origin::Found,
            content: Content::All,
            parent: None,
            run: None,
            created_at: created_at.map(str::to_owned),
            expires_at: None,
            pending: Vec::new(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn branches_are_chosen_by_prefix_and_age() {
        let now = OffsetDateTime::parse("2026-11-21T12:00:00Z", &Rfc3339).unwrap();
        let all = vec![
            branch("ci/new", Some("2026-11-21T11:30:00Z")),
            branch("ci/old", Some("2026-11-20T11:59:59Z")),
            branch("ci/older", Some("2026-11-01T00:00:00+02:00")),
            branch("my/ci/old", Some("2026-11-01T00:00:00Z")),
            branch("ci/tomorrow", Some("2026-11-22T00:00:00Z")),
            branch("ci/ageless", None),
            branch("ci/odd", Some("long ago")),
        ];
        let day = Duration::from_hours(24);
        let (due, kept) = choose(all.clone(), "ci/", day, now);
        let names: Vec<_> = due.iter().map(|branch| branch.name.as_str()).collect();
        assert_eq!((names, kept), (vec!["ci/older", "ci/old"], 5));
        assert_eq!(choose(all.clone(), "", Duration::ZERO, now).0.len(), 5);
        assert!(choose(all, "none", Duration::ZERO, now).0.is_empty());
        let ending = |end: &str| Branch {
            expires_at: Some(end.to_owned()),
            ..branch("ci/short", Some("2026-11-21T11:00:00Z"))
        };
        let due = |end| choose(vec![ending(end)], "ci/", day, now).0.len();
        assert_eq!((due("2026-11-21T12:00:00Z"), due("2026-11-21T12:00:01Z"), due("soon")), (1, 0, 0));
    }
}
