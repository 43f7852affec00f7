//! Annotations from GitHub's runner, with the same keys as in Neon's GitHub actions. Pure: `cli` reads the
//! environment.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The annotation with the repository whose job creates the branch.
pub const REPOSITORY: &str = "github-commit-repo";

/// The annotations from the environment, with this pull request.
pub fn annotations(
    variable: impl Fn(&str) -> Option<String>,
    pull_request: Option<u64>,
) -> BTreeMap<String, String> {
    let non_empty = |name: &str| variable(name).filter(|value| !value.is_empty());
    let mut notes = BTreeMap::new();
    if non_empty("GITHUB_ACTIONS").as_deref() != Some("true") {
        return notes;
    }
    let number = pull_request.map(|number| number.to_string());
    for (key, value) in [
        (REPOSITORY, non_empty("GITHUB_REPOSITORY")),
        ("github-commit-sha", non_empty("GITHUB_SHA")),
        ("github-commit-ref", non_empty("GITHUB_HEAD_REF").or_else(|| non_empty("GITHUB_REF_NAME"))),
        ("github-commit-author-login", non_empty("GITHUB_ACTOR")),
        ("github-pr-number", number),
    ] {
        notes.extend(value.map(|value| (key.to_owned(), value)));
    }
    notes
}

/// The number of the pull request, which is stable when its branch is renamed. After the merge `GITHUB_REF` is
/// the base branch, so the file `GITHUB_EVENT_PATH` is read too.
pub fn pull_request(variable: impl Fn(&str) -> Option<String>, event: Option<&str>) -> Option<u64> {
    from_reference(variable).or_else(|| {
        let event: Event = serde_json::from_str(event?).ok()?;
        event.pull_request.map(|pull_request| pull_request.number)
    })
}

fn from_reference(variable: impl Fn(&str) -> Option<String>) -> Option<u64> {
    let reference = variable("GITHUB_REF")?;
    reference.strip_prefix("refs/pull/")?.split('/').next()?.parse().ok()
}

/// The used part of an event.
#[derive(Debug, Deserialize)]
struct Event {
    pull_request: Option<PullRequest>,
}

#[derive(Debug, Deserialize)]
struct PullRequest {
    number: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annotate(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pairs: BTreeMap<_, _> = pairs.iter().copied().collect();
        let variable = |name: &str| pairs.get(name).map(|&value| value.to_owned());
        annotations(variable, pull_request(variable, None))
    }

    #[test]
    fn annotations_are_those_of_neons_actions() {
        let notes = annotate(&[
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_REF", "refs/pull/142/merge"),
            ("GITHUB_REF_NAME", "142/merge"),
            ("GITHUB_HEAD_REF", "feature/x y"),
            ("GITHUB_SHA", "abc"),
            ("GITHUB_ACTOR", ""),
        ]);
        let all: Vec<_> = notes.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(all, ["github-commit-ref=feature/x y", "github-commit-sha=abc", "github-pr-number=142"]);
        assert!(annotate(&[("GITHUB_SHA", "abc")]).is_empty());
        let push = annotate(&[
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_REF", "refs/heads/main"),
            ("GITHUB_REF_NAME", "main"),
        ]);
        assert_eq!(
            push.into_iter().collect::<Vec<_>>(),
            [("github-commit-ref".to_owned(), "main".to_owned())]
        );
    }

    #[test]
    fn a_merged_pull_request_keeps_its_number() {
        let reference =
            |text: &'static str| move |name: &str| (name == "GITHUB_REF").then(|| text.to_owned());
        let merged = reference("refs/heads/main");
        let event = r#"{"action":"closed","number":142,"pull_request":{"number":142,"merged":true}}"#;
        assert_eq!(pull_request(merged, Some(event)), Some(142));
        assert_eq!(pull_request(reference("refs/pull/7/merge"), Some(event)), Some(7));
        for none in [Some("{\"number\":1}"), Some("{\"pull_request\":null}"), Some("no JSON"), None] {
            assert_eq!(pull_request(merged, none), None, "{none:?}");
        }
    }
}
