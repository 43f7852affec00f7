//! What a copy says of itself: its comment, which alone makes it ours, and its name. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::branch::{Branch, BranchId, BranchName, Content, MARK, Origin, Wanted};
use crate::error::{Code, Failure};
use crate::ident::{Identifier, MAX_IDENTIFIER_BYTES};

/// What the name of a copy begins with while it is made; its nonce follows.
const MAKING: &str = "tenure_making_";

/// Signs of the digest at the end of a name, in hexadecimal.
const DIGEST: usize = 8;

/// The comment of a copy, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// The nonce of the run that made it; that this is there makes the copy ours.
    #[serde(rename = "tenure-run")]
    pub(super) run: String,
    /// What people call it.
    pub(super) branch: String,
    /// The database that was named when it was made: whose branches it belongs to.
    pub(super) home: String,
    /// The database that it is a copy of.
    pub(super) parent: String,
    /// When it was made, as RFC 3339, by the server's clock.
    pub(super) created_at: String,
    /// When it may be deleted by whoever comes along.
    pub(super) expires_at: String,
    /// What else is noted with it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
}

impl Mark {
    /// The mark of the copy that is wanted, made `now`.
    pub(super) fn new(
        wanted: &Wanted,
        home: &str,
        parent: &str,
        now: OffsetDateTime,
    ) -> Result<Self, Failure> {
        let late = |_| Failure::new(Code::Settings, "a branch cannot end that late");
        let expires = time::Duration::try_from(wanted.expires).map_err(late)?;
        let end = now.checked_add(expires).ok_or_else(|| late(time::error::ConversionRange))?;
        let written = |at: OffsetDateTime| {
            let seconds = at.replace_nanosecond(0).unwrap_or(at);
            seconds.format(&Rfc3339).map_err(|error| Failure::new(Code::Settings, error.to_string()))
        };
        Ok(Self {
            run: wanted.run.to_string(),
            branch: wanted.name.to_string(),
            home: home.to_owned(),
            parent: parent.to_owned(),
            created_at: written(now)?,
            expires_at: written(end)?,
            annotations: wanted.annotations.clone(),
        })
    }

    /// Reads a database's comment; `None` of any that is not ours.
    pub(super) fn read(comment: &str) -> Option<Self> {
        serde_json::from_str(comment).ok().filter(|mark: &Self| Uuid::parse_str(&mark.run).is_ok())
    }

    /// The comment.
    pub(super) fn comment(&self) -> Result<String, Failure> {
        serde_json::to_string(self)
            .map_err(|error| Failure::new(Code::Settings, format!("noting {MARK}: {error}")))
    }

    /// The branch, which the server knows by `oid`.
    pub(super) fn branch(&self, oid: i64, origin: Origin) -> Branch {
        Branch {
            id: BranchId(oid.to_string()),
            name: BranchName::seen(self.branch.clone()),
            origin,
            content: Content::All,
            parent: Some(self.parent.clone()),
            run: Some(self.run.clone()),
            created_at: Some(self.created_at.clone()),
            expires_at: Some(self.expires_at.clone()),
            pending: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// The name of the database: what a person can recognise of the parent's name and of the branch's, then a
    /// digest of both as they are, so that no two have one name.
    pub(super) fn database(&self) -> Result<Identifier, Failure> {
        let plain = |text: &str| -> String {
            let lower = text.to_lowercase();
            let signs = lower.chars().map(|sign| if sign.is_ascii_alphanumeric() { sign } else { '_' });
            signs.collect()
        };
        let mut name = format!("{}_{}", plain(&self.parent), plain(&self.branch));
        name.truncate(MAX_IDENTIFIER_BYTES - DIGEST - 1);
        let whole = format!("{}\0{}\0{}", self.home, self.parent, self.branch);
        let digest = Sha256::digest(whole.as_bytes());
        let digest = digest.iter().take(DIGEST / 2).fold(0_u32, |all, byte| all << 8 | u32::from(*byte));
        Ok(Identifier::new(format!("{name}_{digest:0DIGEST$x}"))?)
    }

    /// Whether we gave it this name. A copy that people renamed is theirs, whatever its comment still says: it may
    /// have taken the place of the database that it was a copy of.
    pub(super) fn gave(&self, name: &Identifier) -> bool {
        let run = Uuid::parse_str(&self.run).ok();
        let being_made = run.and_then(|run| making(run).ok());
        being_made.is_some_and(|own| own == *name) || self.database().is_ok_and(|own| own == *name)
    }
}

/// The name of a copy while the run of this nonce makes it.
pub(super) fn making(run: Uuid) -> Result<Identifier, Failure> {
    Ok(Identifier::new(format!("{MAKING}{}", run.simple()))?)
}

/// The pattern of LIKE of such names.
pub(super) fn all_making() -> String {
    format!("{}%", MAKING.replace('_', "\\_"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn wanted(name: &str) -> Wanted {
        Wanted {
            name: BranchName::seen(name),
            parent: None,
            content: Content::All,
            expires: Duration::from_hours(2),
            run: Uuid::from_u128(7),
            annotations: BTreeMap::from([("github-pr-number".to_owned(), "142".to_owned())]),
        }
    }

    fn mark(name: &str, home: &str, parent: &str) -> Mark {
        let now = OffsetDateTime::parse("2026-11-21T12:00:00.5Z", &Rfc3339).unwrap();
        Mark::new(&wanted(name), home, parent, now).unwrap()
    }

    #[test]
    fn a_comment_comes_back_and_no_other_is_ours() {
        let ours = mark("tenure/pr-142", "app", "app");
        let comment = ours.comment().unwrap();
        assert!(comment.contains(&format!("\"{MARK}\":")), "{comment}");
        assert_eq!(Mark::read(&comment), Some(ours.clone()));
        assert_eq!(
            (ours.created_at.as_str(), ours.expires_at.as_str()),
            ("2026-11-21T12:00:00Z", "2026-11-21T14:00:00Z")
        );
        for foreign in ["", "our database", "{}", "[]", &comment.replace("00000000-", "x-"), &comment[1..]] {
            assert_eq!(Mark::read(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn a_name_that_we_did_not_give_is_not_ours() {
        let ours = mark("pr-1", "app", "app");
        let run = Uuid::from_u128(7);
        assert!(ours.gave(&ours.database().unwrap()) && ours.gave(&making(run).unwrap()));
        for other in ["app", "app_pr_1", making(Uuid::from_u128(8)).unwrap().as_str()] {
            assert!(!ours.gave(&Identifier::new(other).unwrap()), "{other}");
        }
    }

    #[test]
    fn names_are_plain_short_and_no_two_the_same() {
        let name = |branch: &str, home: &str, parent: &str| {
            mark(branch, home, parent).database().unwrap().as_str().to_owned()
        };
        let pr = name("tenure/pr-1", "app", "app");
        assert!(pr.starts_with("app_tenure_pr_1_") && pr.len() == "app_tenure_pr_1_".len() + DIGEST, "{pr}");
        let others = [
            name("tenure/pr_1", "app", "app"),
            name("tenure/pr-1", "other", "app"),
            name("tenure/pr-1", "app", "App"),
            name("", "app", "app_tenure/pr-1"),
        ];
        assert!(others.iter().all(|other| *other != pr), "{others:?}");
        for odd in ["größe \"x\"; --", &"x".repeat(200), "日本"] {
            let name = name(odd, "app", &"y\"'\\".repeat(20));
            assert!(name.len() <= MAX_IDENTIFIER_BYTES, "{name}");
            assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'), "{name}");
        }
    }
}
