//! Names of branches.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

/// Below the limits of providers, for readability.
const MAX_CHARS: usize = 200;

/// A name that every provider accepts or can convert.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema, Serialize)]
pub struct BranchName(String);

impl BranchName {
    /// The default name: from the number of the pull request, which is stable (a head ref can be renamed), else
    /// from the run.
    pub fn default_name(pull_request: Option<u64>, run: Uuid) -> Self {
        Self(match pull_request {
            Some(number) => format!("tenure/pr-{number}"),
            None => format!("tenure/run-{}", &run.simple().to_string()[..12]),
        })
    }

    /// The name of a branch with the state before a run. Its prefix differs from that of other branches, so
    /// that cleanups after CI keep it.
    pub fn for_restore_point(run: Uuid) -> Self {
        Self(format!("before/{}", &run.simple().to_string()[..12]))
    }

    /// A name that a provider returned.
    pub fn from_provider(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BranchName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains("://") {
            // Not quoted: it may be a URL with a password.
            return Err("a URL is not a branch name".to_owned());
        }
        if text.is_empty() || text.trim() != text || text.chars().any(char::is_control) {
            return Err(format!(
                "{text:?} is not a branch name: it is empty, starts or ends with a space, or contains a control character"
            ));
        }
        if text.chars().count() > MAX_CHARS {
            return Err(format!("a branch name has at most {MAX_CHARS} characters"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for BranchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for good in ["pr-142", "tenure/pr-1", "a b", "größe"] {
            assert_eq!(good.parse::<BranchName>().unwrap().as_str(), good);
        }
        for wrong in ["", " a", "a ", "a\nb", "a\0"] {
            assert!(wrong.parse::<BranchName>().is_err(), "{wrong:?}");
        }
        assert!("x".repeat(201).parse::<BranchName>().is_err());
        for secret in
            ["postgres://me:hunter2@h/d", " postgres://me:hunter2@h/d", "postgres://me:hunter2@h/d\n"]
        {
            let secret = secret.parse::<BranchName>().unwrap_err();
            assert!(!secret.contains("hunter2"), "{secret}");
        }
    }

    #[test]
    fn the_default_name_is_from_the_pull_request() {
        let run = Uuid::from_u128(0x1234_5678_9abc_def0_1234_5678_9abc_def0);
        assert_eq!(BranchName::default_name(Some(142), run).as_str(), "tenure/pr-142");
        assert_eq!(BranchName::default_name(None, run).as_str(), "tenure/run-123456789abc");
    }
}
