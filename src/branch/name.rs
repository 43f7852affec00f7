//! The name of a branch: what people and CI call it.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use uuid::Uuid;

/// Providers take more; a name is read by people.
const LONGEST: usize = 200;

/// A name that every provider can take, or make its own name from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct BranchName(String);

impl BranchName {
    /// The name where nobody gives one: by the number of the pull request, which stays for its life (a head
    /// ref can be renamed, and what was made under its old name is then found by nobody), else one of this run.
    pub fn usual(pull_request: Option<u64>, run: Uuid) -> Self {
        Self(match pull_request {
            Some(number) => format!("tenure/pr-{number}"),
            None => format!("tenure/run-{}", &run.simple().to_string()[..12]),
        })
    }

    /// The name of what was there before a run. It begins as no other does: what tidies up after CI leaves it alone.
    pub fn before(run: Uuid) -> Self {
        Self(format!("before/{}", &run.simple().to_string()[..12]))
    }

    /// The name that a provider says a branch has.
    pub fn seen(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BranchName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains("://") {
            // Not repeated, whatever else is wrong with it: it may be a URL with a password.
            return Err("a URL is no name of a branch".to_owned());
        }
        if text.is_empty() || text.trim() != text || text.chars().any(char::is_control) {
            return Err(format!(
                "{text:?} is no name of a branch: it is empty, or begins or ends with a space, or holds a control character"
            ));
        }
        if text.chars().count() > LONGEST {
            return Err(format!("the name of a branch has at most {LONGEST} characters"));
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
    fn a_name_is_what_people_can_read() {
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
    fn the_usual_name_is_the_pull_requests() {
        let run = Uuid::from_u128(0x1234_5678_9abc_def0_1234_5678_9abc_def0);
        assert_eq!(BranchName::usual(Some(142), run).as_str(), "tenure/pr-142");
        assert_eq!(BranchName::usual(None, run).as_str(), "tenure/run-123456789abc");
    }
}
