//! What GitHub's runner says of where it runs, noted with a branch under the names that Neon's own actions
//! use. Pure: `cli` reads the environment.

use std::collections::BTreeMap;

/// The annotations that the environment gives.
pub fn annotations(variable: impl Fn(&str) -> Option<String>) -> BTreeMap<String, String> {
    let said = |name: &str| variable(name).filter(|value| !value.is_empty());
    let mut notes = BTreeMap::new();
    if said("GITHUB_ACTIONS").as_deref() != Some("true") {
        return notes;
    }
    let number = pull_request(&variable).map(|number| number.to_string());
    for (key, value) in [
        ("github-commit-repo", said("GITHUB_REPOSITORY")),
        ("github-commit-sha", said("GITHUB_SHA")),
        ("github-commit-ref", said("GITHUB_HEAD_REF").or_else(|| said("GITHUB_REF_NAME"))),
        ("github-commit-author-login", said("GITHUB_ACTOR")),
        ("github-pr-number", number),
    ] {
        notes.extend(value.map(|value| (key.to_owned(), value)));
    }
    notes
}

/// The number of the pull request, which stays when its branch is renamed.
pub fn pull_request(variable: impl Fn(&str) -> Option<String>) -> Option<u64> {
    let reference = variable("GITHUB_REF")?;
    reference.strip_prefix("refs/pull/")?.split('/').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pairs: BTreeMap<_, _> = pairs.iter().copied().collect();
        annotations(|name| pairs.get(name).map(|&value| value.to_owned()))
    }

    #[test]
    fn a_pull_request_is_noted_as_neons_actions_do() {
        let notes = seen(&[
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_REF", "refs/pull/142/merge"),
            ("GITHUB_REF_NAME", "142/merge"),
            ("GITHUB_HEAD_REF", "feature/x y"),
            ("GITHUB_SHA", "abc"),
            ("GITHUB_ACTOR", ""),
        ]);
        let all: Vec<_> = notes.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(all, ["github-commit-ref=feature/x y", "github-commit-sha=abc", "github-pr-number=142"]);
        assert!(seen(&[("GITHUB_SHA", "abc")]).is_empty());
        let push = seen(&[
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_REF", "refs/heads/main"),
            ("GITHUB_REF_NAME", "main"),
        ]);
        assert_eq!(
            push.into_iter().collect::<Vec<_>>(),
            [("github-commit-ref".to_owned(), "main".to_owned())]
        );
    }
}
