//! The comment of a copy, which identifies it as Tenure's, and its name. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::branch::{Branch, BranchId, BranchName, BranchRequest, Content, Origin, RUN_ANNOTATION};
use crate::error::{Code, Failure};
use crate::ident::{Identifier, MAX_IDENTIFIER_BYTES};

/// The prefix of a copy's temporary name; the run's id follows.
const TEMPORARY_PREFIX: &str = "tenure_making_";

/// The number of hexadecimal digits of the digest at the end of a name.
const DIGEST_CHARS: usize = 8;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// The id of the run that created it. The key identifies the copy as Tenure's.
    #[serde(rename = "tenure-run")]
    pub(super) run: String,
    /// The branch's name.
    pub(super) branch: String,
    /// The database of the URL at its creation: the copy is one of its branches.
    pub(super) home: String,
    /// The database that was copied.
    pub(super) parent: String,
    /// The creation time by the server's clock, as RFC 3339.
    pub(super) created_at: String,
    /// The time after which any cleanup may delete it.
    pub(super) expires_at: String,
    /// Further annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
}

impl Mark {
    /// The mark of a copy that is created `now`.
    pub(super) fn new(
        request: &BranchRequest,
        home: &str,
        parent: &str,
        now: OffsetDateTime,
    ) -> Result<Self, Failure> {
        let late = |_| Failure::new(Code::Settings, "the expiry time of the branch is too late");
        let expires = time::Duration::try_from(request.expires).map_err(late)?;
        let end = now.checked_add(expires).ok_or_else(|| late(time::error::ConversionRange))?;
        let format = |at: OffsetDateTime| {
            let seconds = at.replace_nanosecond(0).unwrap_or(at);
            seconds.format(&Rfc3339).map_err(|error| Failure::new(Code::Settings, error.to_string()))
        };
        Ok(Self {
            run: request.run.to_string(),
            branch: request.name.to_string(),
            home: home.to_owned(),
            parent: parent.to_owned(),
            created_at: format(now)?,
            expires_at: format(end)?,
            annotations: request.annotations.clone(),
        })
    }

    /// Parses a database's comment; `None` if it is not Tenure's.
    pub(super) fn read(comment: &str) -> Option<Self> {
        serde_json::from_str(comment).ok().filter(|mark: &Self| Uuid::parse_str(&mark.run).is_ok())
    }

    pub(super) fn comment(&self) -> Result<String, Failure> {
        serde_json::to_string(self)
            .map_err(|error| Failure::new(Code::Settings, format!("noting {RUN_ANNOTATION}: {error}")))
    }

    /// The branch with this OID.
    pub(super) fn branch(&self, oid: i64, origin: Origin) -> Branch {
        Branch {
            id: BranchId(oid.to_string()),
            name: BranchName::from_provider(self.branch.clone()),
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

    /// The name of the database: the parent's and the branch's names with only letters, digits and underscores,
    /// then a digest of both, so that names are unique.
    pub(super) fn database(&self) -> Result<Identifier, Failure> {
        let simplified = |text: &str| -> String {
            let lower = text.to_lowercase();
            let chars = lower.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
            chars.collect()
        };
        let mut name = format!("{}_{}", simplified(&self.parent), simplified(&self.branch));
        name.truncate(MAX_IDENTIFIER_BYTES - DIGEST_CHARS - 1);
        let whole = format!("{}\0{}\0{}", self.home, self.parent, self.branch);
        let digest = Sha256::digest(whole.as_bytes());
        let digest =
            digest.iter().take(DIGEST_CHARS / 2).fold(0_u32, |all, byte| all << 8 | u32::from(*byte));
        Ok(Identifier::new(format!("{name}_{digest:0DIGEST_CHARS$x}"))?)
    }

    /// Whether Tenure generated this name. A renamed copy belongs to the user, whatever its comment: it may
    /// have replaced the original database.
    pub(super) fn generated(&self, name: &Identifier) -> bool {
        let run = Uuid::parse_str(&self.run).ok();
        let temporary = run.and_then(|run| temporary_name(run).ok());
        temporary.is_some_and(|own| own == *name) || self.database().is_ok_and(|own| own == *name)
    }
}

/// The name of a copy while this run creates it.
pub(super) fn temporary_name(run: Uuid) -> Result<Identifier, Failure> {
    Ok(Identifier::new(format!("{TEMPORARY_PREFIX}{}", run.simple()))?)
}

/// The LIKE pattern of temporary names.
pub(super) fn temporary_pattern() -> String {
    format!("{}%", TEMPORARY_PREFIX.replace('_', "\\_"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn request(name: &str) -> BranchRequest {
        BranchRequest {
            name: BranchName::from_provider(name),
            parent: None,
            content: Content::All,
            expires: Duration::from_hours(2),
            run: Uuid::from_u128(7),
            annotations: BTreeMap::from([("github-pr-number".to_owned(), "142".to_owned())]),
        }
    }

    fn mark(name: &str, home: &str, parent: &str) -> Mark {
        let now = OffsetDateTime::parse("2026-11-21T12:00:00.5Z", &Rfc3339).unwrap();
        Mark::new(&request(name), home, parent, now).unwrap()
    }

    #[test]
    fn comments_are_parsed_and_others_are_ignored() {
        let own = mark("tenure/pr-142", "app", "app");
        let comment = own.comment().unwrap();
        assert!(comment.contains(&format!("\"{RUN_ANNOTATION}\":")), "{comment}");
        assert_eq!(Mark::read(&comment), Some(own.clone()));
        assert_eq!(
            (own.created_at.as_str(), own.expires_at.as_str()),
            ("2026-11-21T12:00:00Z", "2026-11-21T14:00:00Z")
        );
        for name_conflict in
            ["", "our database", "{}", "[]", &comment.replace("00000000-", "x-"), &comment[1..]]
        {
            assert_eq!(Mark::read(name_conflict), None, "{name_conflict}");
        }
    }

    #[test]
    fn other_names_are_not_generated() {
        let own = mark("pr-1", "app", "app");
        let run = Uuid::from_u128(7);
        assert!(own.generated(&own.database().unwrap()) && own.generated(&temporary_name(run).unwrap()));
        for other in ["app", "app_pr_1", temporary_name(Uuid::from_u128(8)).unwrap().as_str()] {
            assert!(!own.generated(&Identifier::new(other).unwrap()), "{other}");
        }
    }

    #[test]
    fn names_are_simple_short_and_unique() {
        let name = |branch: &str, home: &str, parent: &str| {
            mark(branch, home, parent).database().unwrap().as_str().to_owned()
        };
        let pr = name("tenure/pr-1", "app", "app");
        assert!(
            pr.starts_with("app_tenure_pr_1_") && pr.len() == "app_tenure_pr_1_".len() + DIGEST_CHARS,
            "{pr}"
        );
        let others = [
            name("tenure/pr_1", "app", "app"),
            name("tenure/pr-1", "other", "app"),
            name("tenure/pr-1", "app", "App"),
            name("", "app", "app_tenure/pr-1"),
        ];
        assert!(others.iter().all(|other| *other != pr), "{others:?}");
        for unexpected_result in ["größe \"x\"; --", &"x".repeat(200), "日本"] {
            let name = name(unexpected_result, "app", &"y\"'\\".repeat(20));
            assert!(name.len() <= MAX_IDENTIFIER_BYTES, "{name}");
            assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'), "{name}");
        }
    }
}
